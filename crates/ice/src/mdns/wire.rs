//! DNS messages as mDNS has them (RFC 1035 section 4, RFC 6762 section 18): a view and a writer.
//!
//! ```text
//!    0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
//!  +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
//!  |              ID: zero, and ignored             |
//!  |QR|  Opcode   |AA|TC|RD|RA| Z|AD|CD|   RCODE    |
//!  |    QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT          |  16 bits each
//!  +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
//!  questions, then records in three sections
//! ```
//!
//! The view borrows, is checked once, allocates nothing, and reads each octet a bounded number of times. The writer can only
//! write what a querier or a responder of host names sends: questions for addresses, and addresses. Both are for the querier
//! here and for a responder that hides our own addresses. Not here: names inside record data, which address records lack.

use core::net::IpAddr;

use ginnel_core::{NoRoom, Packet};
use thiserror::Error;

use super::name::{HostName, LOCAL, MAX_LABEL, MAX_NAME};

/// Why these octets are no DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{fault} at octet {offset}")]
pub struct ParseError {
    offset: usize,
    fault: Fault,
}

impl ParseError {
    /// Where it is, in octets from the start of the message.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(self) -> Fault {
        self.fault
    }
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// It ends too early.
    #[error("the message ends too early")]
    Truncated,
    /// It is longer than [`MAX_MESSAGE`].
    #[error("the message is too long")]
    TooLong,
    /// A label's first two bits are neither a length nor a pointer (RFC 1035 section 4.1.4).
    #[error("a label of an unknown kind")]
    BadLabel,
    /// A compression pointer that does not point to somewhere before its own name, or one too many of them.
    #[error("a bad compression pointer")]
    BadPointer,
    /// A name longer than 255 octets, followed through its pointers.
    #[error("the name is too long")]
    NameTooLong,
}

/// A message: a view of octets that were checked once.
///
/// ```
/// use ginnel_core::Packet;
/// use ginnel_ice::mdns::{HostName, Kind, Message, MessageWriter};
///
/// let name = HostName::parse("printer.local").unwrap();
/// let mut buf = [0; 2048];
/// let mut packet = Packet::empty(&mut buf);
/// let mut writer = MessageWriter::response(&mut packet).unwrap();
/// writer.address(name, [192, 0, 2, 7].into(), 120, true).unwrap();
///
/// let message = Message::parse(packet.bytes()).unwrap();
/// let record = message.records().next().unwrap();
/// assert!(message.is_response() && record.name.is("PRINTER.local") && record.flush);
/// assert_eq!((record.kind, record.address()), (Kind::A, Some([192, 0, 2, 7].into())));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    octets: &'a [u8],
    /// Where the records begin.
    records: usize,
}

impl<'a> Message<'a> {
    /// Checks the whole message: every name, length and pointer in it.
    ///
    /// Octets behind the last record are tolerated, as RFC 6762 section 18 does not forbid them.
    ///
    /// # Errors
    ///
    /// [`ParseError`], with the offset.
    pub fn parse(octets: &'a [u8]) -> Result<Self, ParseError> {
        if octets.len() > MAX_MESSAGE {
            return Err(ParseError { offset: MAX_MESSAGE, fault: Fault::TooLong });
        }
        if octets.len() < HEADER {
            return Err(ParseError { offset: octets.len(), fault: Fault::Truncated });
        }
        let mut message = Self { octets, records: HEADER };
        for _ in 0..message.count(QUESTIONS) {
            (_, message.records) = question_at(octets, message.records)?;
        }
        let mut at = message.records;
        // A record takes 11 octets at least, so the counts cannot make this longer than the message.
        for _ in 0..message.record_count() {
            (_, at) = record_at(octets, at)?;
        }
        Ok(message)
    }

    /// The QR bit: an answer, or an announcement.
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.flags() & 0x8000 != 0
    }

    /// Whether OPCODE and RCODE are zero. RFC 6762 sections 18.3 and 18.11: if not, the message MUST be ignored.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.flags() & 0x780f == 0
    }

    /// The questions.
    pub fn questions(&self) -> impl Iterator<Item = Question<'a>> + use<'a> {
        let (octets, mut at) = (self.octets, HEADER);
        (0..self.count(QUESTIONS)).map_while(move |_| {
            let (question, next) = question_at(octets, at).ok()?;
            at = next;
            Some(question)
        })
    }

    /// The records of the answer, authority and additional sections, in this order.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let (octets, mut at) = (self.octets, self.records);
        (0..self.record_count()).map_while(move |_| {
            let (record, next) = record_at(octets, at).ok()?;
            at = next;
            Some(record)
        })
    }

    fn flags(&self) -> u16 {
        word(self.octets, 2).unwrap_or(0)
    }

    fn count(&self, at: usize) -> usize {
        word(self.octets, at).map_or(0, usize::from)
    }

    fn record_count(&self) -> usize {
        self.count(ANSWERS) + self.count(AUTHORITY) + self.count(ADDITIONAL)
    }
}

/// What a message asks.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// For which name.
    pub name: Name<'a>,
    /// For records of which kind.
    pub kind: Kind,
    /// The top bit of the class: a unicast response is welcome. RFC 6762 section 5.4.
    pub unicast: bool,
    /// The class without that bit; 1 is the Internet's.
    pub class: u16,
}

/// What a message says.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Of which name.
    pub name: Name<'a>,
    /// Of which kind it is.
    pub kind: Kind,
    /// The top bit of the class: what else is cached of this name and kind is out of date. RFC 6762 section 10.2.
    pub flush: bool,
    /// The class without that bit; 1 is the Internet's.
    pub class: u16,
    /// For how many seconds it holds; zero is a goodbye. RFC 6762 section 10.1.
    pub ttl: u32,
    /// The data, as it stands in the message.
    pub data: &'a [u8],
}

impl Record<'_> {
    /// The address, if this is an A or AAAA record of the Internet and its data have the right length.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self.kind {
            _ if self.class != INTERNET => None,
            Kind::A => <[u8; 4]>::try_from(self.data).ok().map(IpAddr::from),
            Kind::AAAA => <[u8; 16]>::try_from(self.data).ok().map(IpAddr::from),
            _ => None,
        }
    }
}

/// A type of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u16);

impl Kind {
    /// An IPv4 address. RFC 1035 section 3.4.1.
    pub const A: Self = Self(1);
    /// An IPv6 address. RFC 3596 section 2.1.
    pub const AAAA: Self = Self(28);
    /// Any kind. RFC 1035 section 3.2.3.
    pub const ANY: Self = Self(255);
}

/// A name in a message, which may go on elsewhere in it.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Name<'a> {
    /// Its labels, without the empty one at the end. Bounded: a name was checked when its message was.
    pub fn labels(self) -> impl Iterator<Item = &'a [u8]> {
        let (mut at, mut pointers) = (self.at, 0);
        core::iter::from_fn(move || {
            loop {
                match step(self.octets, at).ok()? {
                    Step::Label(label, next) => {
                        at = next;
                        return Some(label);
                    }
                    Step::Pointer(target, _) => {
                        pointers += 1;
                        at = target;
                        if pointers > MAX_POINTERS {
                            return None;
                        }
                    }
                    Step::End(_) => return None,
                }
            }
        })
    }

    /// Whether it is this dotted name, without regard to the case of ASCII letters. RFC 6762 section 16.
    #[must_use]
    pub fn is(self, name: &str) -> bool {
        let mut wanted = name.split('.');
        self.labels().all(|label| wanted.next().is_some_and(|w| w.as_bytes().eq_ignore_ascii_case(label)))
            && wanted.next().is_none()
    }
}

impl core::fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for label in self.labels() {
            write!(f, "{}.", label.escape_ascii())?;
        }
        Ok(())
    }
}

/// Writes a query or a response into a packet, as far as [`MAX_WRITTEN`] octets; what does not fit leaves it as it was.
///
/// Questions come before addresses. Names are compressed (RFC 6762 section 18.14): `.local` is written once.
///
/// ```
/// use ginnel_core::Packet;
/// use ginnel_ice::mdns::{HostName, Kind, Message, MessageWriter};
///
/// let mut buf = [0; 2048];
/// let mut packet = Packet::empty(&mut buf);
/// let mut writer = MessageWriter::query(&mut packet).unwrap();
/// let name = HostName::parse("printer.local").unwrap();
/// writer.question(name, &[Kind::A, Kind::AAAA], false).unwrap();
/// assert_eq!(Message::parse(packet.bytes()).unwrap().questions().count(), 2);
/// ```
#[derive(Debug)]
pub struct MessageWriter<'p, 'a> {
    packet: &'p mut Packet<'a>,
    /// Where `local` stands, once it does.
    local: Option<u16>,
}

impl<'p, 'a> MessageWriter<'p, 'a> {
    /// A query without questions yet. All flags and the ID are zero: RFC 6762 sections 18.1 to 18.11.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the packet's buffer is too small; [`Packet::empty`]'s is not.
    pub fn query(packet: &'p mut Packet<'a>) -> Result<Self, NoRoom> {
        packet.write(&[0; HEADER])?;
        Ok(Self { packet, local: None })
    }

    /// A response without records yet, with QR and AA set: RFC 6762 sections 18.2 and 18.4.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the packet's buffer is too small.
    pub fn response(packet: &'p mut Packet<'a>) -> Result<Self, NoRoom> {
        let mut writer = Self::query(packet)?;
        writer.put(2, 0x8400);
        Ok(writer)
    }

    /// Asks for records of these kinds, all or none of them; `unicast` says that a unicast response is welcome.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if they do not fit: the message is as it was, and the next one may be begun.
    pub fn question(&mut self, name: HostName<'_>, kinds: &[Kind], unicast: bool) -> Result<(), NoRoom> {
        let class = INTERNET | if unicast { TOP_BIT } else { 0 };
        self.all_or_nothing(QUESTIONS, kinds.len(), |writer| {
            let mut first = None;
            for kind in kinds {
                let at = writer.name(name, first)?;
                first = first.or(at);
                writer.append(&kind.0.to_be_bytes())?;
                writer.append(&class.to_be_bytes())?;
            }
            Ok(())
        })
    }

    /// Says the address of a name: an A or an AAAA record in the answer section, good for `ttl` seconds.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if it does not fit: the message is as it was.
    pub fn address(&mut self, name: HostName<'_>, ip: IpAddr, ttl: u32, flush: bool) -> Result<(), NoRoom> {
        let class = INTERNET | if flush { TOP_BIT } else { 0 };
        self.all_or_nothing(ANSWERS, 1, |writer| {
            let _ = writer.name(name, None)?;
            let kind = if ip.is_ipv4() { Kind::A } else { Kind::AAAA };
            writer.append(&kind.0.to_be_bytes())?;
            writer.append(&class.to_be_bytes())?;
            writer.append(&ttl.to_be_bytes())?;
            match ip {
                IpAddr::V4(ip) => writer.append(&[0, 4]).and_then(|()| writer.append(&ip.octets())),
                IpAddr::V6(ip) => writer.append(&[0, 16]).and_then(|()| writer.append(&ip.octets())),
            }
        })
    }

    /// Runs `write`; counts what it wrote, or takes all of it back.
    fn all_or_nothing(
        &mut self,
        count_at: usize,
        n: usize,
        write: impl FnOnce(&mut Self) -> Result<(), NoRoom>,
    ) -> Result<(), NoRoom> {
        let (len, local) = (self.packet.len(), self.local);
        let written = write(self);
        if written.is_err() {
            self.packet.truncate(len);
            self.local = local;
        } else {
            let before = word(self.packet.bytes(), count_at).unwrap_or(0);
            // MAX_WRITTEN octets hold far fewer than 65,536 of anything.
            self.put(count_at, before.saturating_add(n as u16));
        }
        written
    }

    /// Writes a name, or a pointer to `earlier` where it stands already. Says where it stands, if it was written.
    fn name(&mut self, name: HostName<'_>, earlier: Option<u16>) -> Result<Option<u16>, NoRoom> {
        if let Some(at) = earlier {
            return self.append(&(POINTER | at).to_be_bytes()).map(|()| None);
        }
        let at = self.packet.len() as u16; // below MAX_WRITTEN, so it fits into the 14 bits of a pointer
        self.label(name.label())?;
        match self.local {
            Some(local) => self.append(&(POINTER | local).to_be_bytes())?,
            None => {
                self.local = Some(self.packet.len() as u16);
                self.label(LOCAL)?;
                self.append(&[0])?;
            }
        }
        Ok(Some(at))
    }

    fn label(&mut self, label: &str) -> Result<(), NoRoom> {
        self.append(&[label.len() as u8])?; // at most 63: `HostName` says so
        self.append(label.as_bytes())
    }

    fn append(&mut self, octets: &[u8]) -> Result<(), NoRoom> {
        if self.packet.len() + octets.len() > MAX_WRITTEN {
            return Err(NoRoom);
        }
        self.packet.append(octets)
    }

    fn put(&mut self, at: usize, value: u16) {
        if let Some(place) = self.packet.bytes_mut().get_mut(at..at + 2) {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }
}

fn question_at(octets: &[u8], at: usize) -> Result<(Question<'_>, usize), ParseError> {
    let at_kind = name_end(octets, at)?;
    let (kind, class) = (word(octets, at_kind)?, word(octets, at_kind + 2)?);
    let name = Name { octets, at };
    let question =
        Question { name, kind: Kind(kind), unicast: class & TOP_BIT != 0, class: class & !TOP_BIT };
    Ok((question, at_kind + 4))
}

fn record_at(octets: &[u8], at: usize) -> Result<(Record<'_>, usize), ParseError> {
    let at_kind = name_end(octets, at)?;
    let (kind, class) = (word(octets, at_kind)?, word(octets, at_kind + 2)?);
    let ttl = u32::from(word(octets, at_kind + 4)?) << 16 | u32::from(word(octets, at_kind + 6)?);
    let start = at_kind + 10;
    let end = start + usize::from(word(octets, at_kind + 8)?);
    let data = octets.get(start..end).ok_or(truncated(octets))?;
    let name = Name { octets, at };
    let record =
        Record { name, kind: Kind(kind), flush: class & TOP_BIT != 0, class: class & !TOP_BIT, ttl, data };
    Ok((record, end))
}

/// Checks a name through all its pointers. Returns where the message goes on behind it.
///
/// Each pointer must point before the run of labels that it ends, so there are no loops; their number is bounded as well, so
/// that a chain of them does not make every name cost as much as the message is long.
fn name_end(octets: &[u8], start: usize) -> Result<usize, ParseError> {
    let (mut at, mut run, mut end, mut len, mut pointers) = (start, start, None, 1, 0);
    loop {
        match step(octets, at)? {
            Step::Label(label, next) => {
                len += 1 + label.len();
                if len > MAX_NAME {
                    return Err(ParseError { offset: at, fault: Fault::NameTooLong });
                }
                at = next;
            }
            Step::Pointer(target, next) => {
                pointers += 1;
                if target >= run || target < HEADER || pointers > MAX_POINTERS {
                    return Err(ParseError { offset: at, fault: Fault::BadPointer });
                }
                end = end.or(Some(next));
                (at, run) = (target, target);
            }
            Step::End(next) => return Ok(end.unwrap_or(next)),
        }
    }
}

enum Step<'a> {
    /// A label, and where the name goes on.
    Label(&'a [u8], usize),
    /// Where the name goes on, and where the message does.
    Pointer(usize, usize),
    /// The empty label, and where the message goes on.
    End(usize),
}

/// One step through a name. RFC 1035 section 4.1.4.
fn step(octets: &[u8], at: usize) -> Result<Step<'_>, ParseError> {
    let first = *octets.get(at).ok_or(truncated(octets))?;
    match first >> 6 {
        0 if first == 0 => Ok(Step::End(at + 1)),
        0 => {
            let next = at + 1 + usize::from(first);
            octets.get(at + 1..next).map(|label| Step::Label(label, next)).ok_or(truncated(octets))
        }
        3 => Ok(Step::Pointer(usize::from(word(octets, at)? & !POINTER), at + 2)),
        _ => Err(ParseError { offset: at, fault: Fault::BadLabel }),
    }
}

fn word(octets: &[u8], at: usize) -> Result<u16, ParseError> {
    octets
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map(|w| u16::from_be_bytes(*w))
        .ok_or(truncated(octets))
}

const fn truncated(octets: &[u8]) -> ParseError {
    ParseError { offset: octets.len(), fault: Fault::Truncated }
}

/// RFC 6762 section 17: no message is longer, headers of IP and UDP included.
pub const MAX_MESSAGE: usize = 9000;
/// The longest message that is written: 1,280 octets of IPv6 (RFC 8200 section 5), less its header of 40 and UDP's of 8.
pub const MAX_WRITTEN: usize = 1232;
/// More pointers than compression of any real name makes, which is one.
const MAX_POINTERS: usize = 16;
/// RFC 1035 section 4.1.1.
const HEADER: usize = 12;
const QUESTIONS: usize = 4;
const ANSWERS: usize = 6;
const AUTHORITY: usize = 8;
const ADDITIONAL: usize = 10;
/// The class IN. RFC 1035 section 3.2.4.
const INTERNET: u16 = 1;
/// RFC 6762 sections 18.12 and 18.13.
const TOP_BIT: u16 = 0x8000;
/// RFC 1035 section 4.1.4.
const POINTER: u16 = 0xc000;
const _: () = assert!(MAX_LABEL < 64 && MAX_WRITTEN <= !POINTER as usize);
