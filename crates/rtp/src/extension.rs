//! Header extensions: one- and two-byte elements (RFC 8285 section 4), and which identifier means which URI.
//!
//! Left out: the "appbits" of the two-byte form (local identifier 256), which nobody has given a meaning.

use alloc::{boxed::Box, vec::Vec};

use ginnel_core::Packet;

use crate::{RtpView, packet::FIXED_HEADER};

/// RFC 8285 section 4.2: what is "defined by profile" in the one-byte form.
const ONE_BYTE: u16 = 0xbede;
/// RFC 8285 section 4.3: the same for the two-byte form, whose last four bits are the application's.
const TWO_BYTE: u16 = 0x1000;
/// How many extensions a map holds. Browsers offer about a dozen.
pub const MAX_EXTENSIONS: usize = 32;

/// The URIs of the extensions that WebRTC endpoints use.
pub mod uri {
    /// RFC 9143 section 15.2: the media section that the packet belongs to.
    pub const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
    /// RFC 8852 section 4.1: which simulcast stream this is.
    pub const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
    /// RFC 8852 section 4.2: which simulcast stream this repairs.
    pub const REPAIRED_RID: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
    /// RFC 6464: how loud the audio is.
    pub const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
    /// RFC 5450: the offset of transmission.
    pub const TRANSMISSION_OFFSET: &str = "urn:ietf:params:rtp-hdrext:toffset";
    /// The absolute time of sending, which a receiver-side estimator (REMB) reads.
    pub const ABSOLUTE_SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
    /// The transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    pub const TRANSPORT_CC: &str =
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
    /// How the picture is to be turned (3GPP TS 26.114).
    pub const VIDEO_ORIENTATION: &str = "urn:3gpp:video-orientation";
}

/// One element of a header extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The local identifier: 1 to 14 in the one-byte form, 1 to 255 in the other.
    pub id: u8,
    /// Its value: 1 to 16 octets in the one-byte form, 0 to 255 in the other.
    pub value: &'a [u8],
}

/// The elements of a header extension, in the order of the packet. A length past the end ends the iteration.
#[derive(Clone, Copy, Debug)]
pub struct Extensions<'a> {
    form: Option<Form>,
    rest: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    OneByte,
    TwoByte,
}

impl Form {
    const fn of(profile: u16) -> Option<Self> {
        match profile {
            ONE_BYTE => Some(Self::OneByte),
            _ if profile & 0xfff0 == TWO_BYTE => Some(Self::TwoByte),
            _ => None,
        }
    }

    /// Identifier, octets of the element's header, and octets of its value; `None` where elements end.
    fn element(self, octets: &[u8]) -> Option<(u8, usize, usize)> {
        match self {
            Self::OneByte => {
                let first = *octets.first()?;
                // RFC 8285 section 4.2: identifier 0 with a length, and identifier 15, end the processing.
                (1..=14).contains(&(first >> 4)).then(|| (first >> 4, 1, usize::from(first & 0x0f) + 1))
            }
            Self::TwoByte => Some((*octets.first()?, 2, usize::from(*octets.get(1)?))),
        }
    }
}

impl<'a> Extensions<'a> {
    pub(crate) const fn new(profile: u16, data: &'a [u8]) -> Self {
        Self { form: Form::of(profile), rest: data }
    }

    /// The value of the first element with this identifier.
    #[must_use]
    pub fn get(mut self, id: u8) -> Option<&'a [u8]> {
        self.find(|element| element.id == id).map(|element| element.value)
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Extension<'a>> {
        let form = self.form?;
        let padding = self.rest.iter().take_while(|octet| **octet == 0).count();
        self.rest = self.rest.get(padding..)?;
        let element = form.element(self.rest).and_then(|(id, header, len)| {
            Some((id, self.rest.get(header..header + len)?, self.rest.get(header + len..)?))
        });
        let Some((id, value, rest)) = element else {
            self.rest = &[];
            return None;
        };
        self.rest = rest;
        Some(Extension { id, value })
    }
}

/// What is to become of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It stays, with whatever was written over its value.
    Keep,
    /// It gets another identifier. One that the form cannot express erases it.
    Rename(u8),
    /// It becomes padding (RFC 8285 section 4.1.2), so nothing behind it moves.
    Erase,
}

/// Walks the elements of a packet's header extension and changes them in place; how many were erased is returned.
/// Lengths stay, so nothing of the packet moves. A packet without extension, or that is no RTP, is left alone.
pub fn edit_extensions(packet: &mut Packet<'_>, mut edit: impl FnMut(u8, &mut [u8]) -> Edit) -> usize {
    let Some((form, start, len)) = RtpView::parse(packet.bytes()).ok().and_then(|rtp| {
        let (profile, data) = rtp.raw_extension()?;
        Some((Form::of(profile)?, rtp.header_len() - data.len(), data.len()))
    }) else {
        return 0;
    };
    debug_assert!(start >= FIXED_HEADER + 4);
    let mut rest = packet.bytes_mut().get_mut(start..start + len).unwrap_or_default();
    let mut erased = 0;
    while let Some(first) = rest.first() {
        if *first == 0 {
            rest = rest.split_at_mut(1).1;
            continue;
        }
        let Some((id, header, len)) = form.element(rest) else { break };
        let Some((element, behind)) = rest.split_at_mut_checked(header + len) else { break };
        rest = behind;
        let (head, value) = element.split_at_mut(header);
        match (edit(id, value), form) {
            (Edit::Keep, _) => {}
            (Edit::Rename(new @ 1..=14), Form::OneByte) => head[0] = new << 4 | head[0] & 0x0f,
            (Edit::Rename(new @ 1..), Form::TwoByte) => head[0] = new,
            (Edit::Rename(_) | Edit::Erase, _) => {
                element.fill(0);
                erased += 1;
            }
        }
    }
    erased
}

/// How loud the audio of a packet is (RFC 6464 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioLevel {
    /// Whether the sender believes this to be speech.
    pub voice: bool,
    /// Below the loudest that can be, in dB: 0 is the loudest, 127 is silence.
    pub level: u8,
}

/// Which identifier means which extension, in one media section: what `a=extmap` has negotiated.
///
/// ```
/// use ginnel_rtp::{ExtensionMap, uri};
///
/// let mut map = ExtensionMap::new();
/// map.insert(4, uri::MID)?;
/// assert_eq!(map.id(uri::MID), Some(4));
/// assert_eq!(map.uri(4), Some(uri::MID));
/// # Ok::<(), ginnel_rtp::ExtensionMapError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionMap {
    entries: Vec<(u8, Box<str>)>,
}

/// Why an extension cannot be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionMapError {
    /// RFC 8285 section 4.3: 0 is padding.
    #[error("the identifier 0 is reserved for padding")]
    IdentifierIsPadding,
    /// RFC 8285 section 5: each identifier once.
    #[error("the identifier has another meaning already")]
    IdentifierTaken,
    /// More than [`MAX_EXTENSIONS`].
    #[error("the map is full")]
    Full,
}

impl ExtensionMap {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Gives an identifier its meaning.
    ///
    /// # Errors
    /// If the identifier is 0 or has another meaning, or the map is full.
    pub fn insert(&mut self, id: u8, uri: &str) -> Result<(), ExtensionMapError> {
        if id == 0 {
            return Err(ExtensionMapError::IdentifierIsPadding);
        }
        match self.uri(id) {
            Some(known) if known == uri => return Ok(()),
            Some(_) => return Err(ExtensionMapError::IdentifierTaken),
            None if self.entries.len() >= MAX_EXTENSIONS => return Err(ExtensionMapError::Full),
            None => self.entries.push((id, uri.into())),
        }
        Ok(())
    }

    /// The identifier of an extension.
    #[must_use]
    pub fn id(&self, uri: &str) -> Option<u8> {
        self.entries.iter().find(|(_, known)| **known == *uri).map(|(id, _)| *id)
    }

    /// The extension that an identifier means.
    #[must_use]
    pub fn uri(&self, id: u8) -> Option<&str> {
        self.entries.iter().find(|(known, _)| *known == id).map(|(_, uri)| &**uri)
    }

    /// All of it, in the order of insertion.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &str)> {
        self.entries.iter().map(|(id, uri)| (*id, &**uri))
    }

    /// The media section that the packet says it belongs to.
    #[must_use]
    pub fn mid<'a>(&self, rtp: &RtpView<'a>) -> Option<&'a str> {
        self.text(uri::MID, rtp)
    }

    /// Which simulcast stream the packet says it is of.
    #[must_use]
    pub fn rid<'a>(&self, rtp: &RtpView<'a>) -> Option<&'a str> {
        self.text(uri::RID, rtp)
    }

    /// Which simulcast stream the packet says it repairs.
    #[must_use]
    pub fn repaired_rid<'a>(&self, rtp: &RtpView<'a>) -> Option<&'a str> {
        self.text(uri::REPAIRED_RID, rtp)
    }

    /// How loud the packet says it is.
    #[must_use]
    pub fn audio_level(&self, rtp: &RtpView<'_>) -> Option<AudioLevel> {
        let octet = *rtp.extensions().get(self.id(uri::AUDIO_LEVEL)?)?.first()?;
        Some(AudioLevel { voice: octet & 0x80 != 0, level: octet & 0x7f })
    }

    fn text<'a>(&self, uri: &str, rtp: &RtpView<'a>) -> Option<&'a str> {
        core::str::from_utf8(rtp.extensions().get(self.id(uri)?)?).ok()
    }
}

#[cfg(test)]
mod tests;
