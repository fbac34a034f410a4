//! Several encodings of one source: `rid` (RFC 8851) and `simulcast` (RFC 8853).

use super::Attribute;
use super::cursor::Cursor;
use crate::error::ValueError;
use core::fmt;

/// Which way an encoding flows, as the writer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RidDirection {
    /// The writer sends it.
    Send,
    /// The writer receives it.
    Recv,
}

impl RidDirection {
    /// As the other side sees it.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            RidDirection::Send => RidDirection::Recv,
            RidDirection::Recv => RidDirection::Send,
        }
    }
}

impl fmt::Display for RidDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RidDirection::Send => "send",
            RidDirection::Recv => "recv",
        })
    }
}

/// RFC 8851 section 4: names one encoding, with restrictions if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rid<'a> {
    /// Letters, digits, and, as RFC 8851 first had it, `-` and `_`.
    pub id: &'a str,
    /// Which way it flows.
    pub direction: RidDirection,
    /// `pt=96;max-width=1280`, may be empty.
    pub restrictions: &'a str,
}

fn is_rid(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_'
}

impl<'a> Attribute<'a> for Rid<'a> {
    const NAME: &'static str = "rid";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 8851 section 10");
        let id = cursor.word(is_rid, &[], "letters and digits")?;
        cursor.space()?;
        let start = cursor;
        let direction = match cursor.token("send or recv")? {
            "send" => RidDirection::Send,
            "recv" => RidDirection::Recv,
            _ => return Err(start.error("send or recv")),
        };
        let restrictions = if cursor.take(b' ') { cursor.rest() } else { "" };
        Ok(Rid { id, direction, restrictions })
    }
}

impl fmt::Display for Rid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rid:{} {}", self.id, self.direction)?;
        if self.restrictions.is_empty() { Ok(()) } else { write!(f, " {}", self.restrictions) }
    }
}

/// The encodings of one direction: `q;~h,k;f`. Semicolons separate encodings, commas alternatives, a tilde pauses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SimulcastAlternatives<'a>(pub &'a str);

impl<'a> SimulcastAlternatives<'a> {
    /// The encodings in order, of each the alternatives as `(rid, paused)`.
    pub fn streams(&self) -> impl Iterator<Item = impl Iterator<Item = (&'a str, bool)> + use<'a>> + use<'a> {
        self.0.split(';').filter(|stream| !stream.is_empty()).map(|stream| {
            stream.split(',').map(|rid| rid.strip_prefix('~').map_or((rid, false), |rid| (rid, true)))
        })
    }
}

/// RFC 8853 section 5.1: which encodings are sent and received at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Simulcast<'a> {
    /// What the writer sends, may be empty.
    pub send: SimulcastAlternatives<'a>,
    /// What the writer receives, may be empty.
    pub recv: SimulcastAlternatives<'a>,
}

impl<'a> Attribute<'a> for Simulcast<'a> {
    const NAME: &'static str = "simulcast";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 8853 section 5.1");
        let mut simulcast = Simulcast { send: Default::default(), recv: Default::default() };
        // Firefox before 60 wrote a space after the colon and `rid=` before the list; the space is still seen.
        cursor.take(b' ');
        for _ in 0..2 {
            let start = cursor;
            let slot = match cursor.token("send or recv")? {
                "send" if simulcast.send.0.is_empty() => &mut simulcast.send,
                "recv" if simulcast.recv.0.is_empty() => &mut simulcast.recv,
                _ => return Err(start.error("send or recv, each once")),
            };
            cursor.space()?;
            let list = cursor;
            let text =
                cursor.word(|octet| is_rid(octet) || b";,~".contains(&octet), &[], "a list of rids")?;
            let empty = |rid: &str| rid.strip_prefix('~').unwrap_or(rid).is_empty();
            if text.split([';', ',']).any(empty) {
                return Err(list.error("a rid between separators"));
            }
            slot.0 = text;
            if !cursor.take(b' ') {
                break;
            }
        }
        cursor.done()?;
        Ok(simulcast)
    }
}

impl fmt::Display for Simulcast<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulcast:")?;
        let both = !self.send.0.is_empty() && !self.recv.0.is_empty();
        if !self.send.0.is_empty() {
            write!(f, "send {}{}", self.send.0, if both { " " } else { "" })?;
        }
        if self.recv.0.is_empty() { Ok(()) } else { write!(f, "recv {}", self.recv.0) }
    }
}
