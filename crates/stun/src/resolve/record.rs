//! The records of an answer: as the application tells them, and as they are kept once they were checked.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ginnel_core::{HostName, Rng, Transport};

use super::{FailureReason, RecordKind};

/// A record of an answer. Names are as zone files have them, with or without their final dot.
///
/// Aliases (CNAME) are followed by whoever asks the DNS; a record of another kind than was asked for is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// RFC 3403 section 4.
    Naptr(Naptr<'a>),
    /// RFC 2782.
    Srv(Srv<'a>),
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
}

/// A NAPTR record (RFC 3403 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Naptr<'a> {
    /// The smaller, the sooner.
    pub order: u16,
    /// The smaller, the sooner, within one order.
    pub preference: u16,
    /// What to ask next: `S` SRV, `A` addresses, nothing NAPTR again (RFC 3958 section 6.4).
    pub flags: &'a str,
    /// Such as `RELAY:turn.udp:turn.tcp`.
    pub services: &'a str,
    /// Empty, or the record is not for this (RFC 3958).
    pub regexp: &'a str,
    /// The name to ask for next.
    pub replacement: &'a str,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Srv<'a> {
    /// The smaller, the sooner.
    pub priority: u16,
    /// How often it comes first among those of its priority, in proportion.
    pub weight: u16,
    /// The port of the service.
    pub port: u16,
    /// The host; `.` says that there is no such service.
    pub target: &'a str,
}

/// What is kept of an answer.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// In order of preference.
    Naptr(Vec<Pointer>),
    /// In the order to try them.
    Srv(Vec<Service>),
    Addresses(Vec<IpAddr>),
    /// It failed, or held nothing.
    Nothing(FailureReason),
}

/// A NAPTR record that is for us.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    pub(super) order: (u16, u16),
    pub(super) then: Then,
    pub(super) transports: Transports,
    pub(super) name: HostName,
}

/// The flag of a NAPTR record (RFC 3958 section 6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Naptr,
    Srv,
    Addresses,
}

/// An SRV record that names a server.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    pub(super) target: HostName,
}

/// A set of transports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Transports(u8);

impl Transports {
    const fn bit(transport: Transport) -> u8 {
        match transport {
            Transport::Udp => 1,
            Transport::Tcp => 2,
            Transport::Tls => 4,
            Transport::Dtls => 8,
        }
    }
    pub(super) const fn only(transport: Transport) -> Self {
        Self(Self::bit(transport))
    }
    pub(super) const fn has(self, transport: Transport) -> bool {
        self.0 & Self::bit(transport) != 0
    }
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Transport> for Transports {
    fn from_iter<I: IntoIterator<Item = Transport>>(transports: I) -> Self {
        Self(transports.into_iter().fold(0, |bits, transport| bits | Self::bit(transport)))
    }
}

/// Checks an answer: what of it is kept, and how many of its records are not.
pub(super) fn check(kind: RecordKind, records: &[Record<'_>], max: usize, rng: &mut Rng) -> (Answer, u64) {
    let mut verdict = FailureReason::NoRecords;
    let answer = match kind {
        RecordKind::A | RecordKind::Aaaa => {
            let mut ips: Vec<IpAddr> = Vec::new();
            for ip in records.iter().filter_map(|record| address(kind, record)).take(max) {
                if !ips.contains(&ip) {
                    ips.push(ip);
                }
            }
            Answer::Addresses(ips)
        }
        RecordKind::Srv => Answer::Srv(services(records, max, rng, &mut verdict)),
        RecordKind::Naptr => Answer::Naptr(pointers(records, max)),
    };
    let kept = match &answer {
        Answer::Naptr(pointers) => pointers.len(),
        Answer::Srv(services) => services.len(),
        Answer::Addresses(ips) => ips.len(),
        Answer::Nothing(_) => 0,
    };
    let passed_over = (records.len() - kept.min(records.len())) as u64;
    if kept > 0 {
        return (answer, passed_over);
    }
    if !records.is_empty() && verdict == FailureReason::NoRecords && kind != RecordKind::Naptr {
        verdict = FailureReason::BadRecords;
    }
    (Answer::Nothing(verdict), passed_over)
}

/// Whether anything may be sent to this address, as far as the address tells. Loopback and private addresses are the
/// application's to judge: tests and networks without a way out have servers there.
pub(super) const fn can_be_a_server(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// An address that a server can have.
fn address(kind: RecordKind, record: &Record<'_>) -> Option<IpAddr> {
    let ip = match *record {
        Record::A(ip) if kind == RecordKind::A => IpAddr::V4(ip),
        Record::Aaaa(ip) if kind == RecordKind::Aaaa && ip.to_ipv4_mapped().is_none() => IpAddr::V6(ip),
        _ => return None,
    };
    can_be_a_server(ip).then_some(ip)
}

fn services(records: &[Record<'_>], max: usize, rng: &mut Rng, verdict: &mut FailureReason) -> Vec<Service> {
    let mut list: Vec<Service> = Vec::new();
    for record in records {
        let Record::Srv(srv) = record else { continue };
        if srv.target == "." {
            *verdict = FailureReason::NoSuchService;
        } else if list.len() < max
            && let (Ok(target), 1..) = (srv.target.parse(), srv.port)
        {
            list.push(Service { priority: srv.priority, weight: srv.weight, port: srv.port, target });
        }
    }
    in_order(&mut list, rng);
    list
}

/// RFC 2782, *Usage rules*: by priority; within one, each next is drawn with the chance that its weight gives it among
/// those that are left, those without weight in front, so that their chance is small and not nothing.
fn in_order(services: &mut [Service], rng: &mut Rng) {
    services.sort_by_key(|service| (service.priority, service.weight != 0));
    let mut rest = services;
    while let [first, ..] = rest {
        let priority = first.priority;
        let alike = rest.iter().take_while(|service| service.priority == priority);
        let sum: u64 = alike.map(|service| u64::from(service.weight)).sum();
        let drawn = rng.below(sum + 1);
        let mut running = 0;
        let at = rest.iter().position(|service| {
            running += u64::from(service.weight);
            running >= drawn
        });
        // What is drawn goes in front, and the others keep their order.
        rest[..=at.unwrap_or(0)].rotate_right(1);
        rest = &mut rest[1..];
    }
}

/// RFC 5928 section 6.1.
const RELAY: &str = "RELAY";

fn pointers(records: &[Record<'_>], max: usize) -> Vec<Pointer> {
    let mut list: Vec<Pointer> = records
        .iter()
        .filter_map(|record| match record {
            Record::Naptr(naptr) => pointer(naptr),
            _ => None,
        })
        .take(max)
        .collect();
    // Stable: records alike in both stay as they came.
    list.sort_by_key(|pointer| pointer.order);
    list
}

fn pointer(naptr: &Naptr<'_>) -> Option<Pointer> {
    let then = match naptr.flags {
        "" => Then::Naptr,
        "S" | "s" => Then::Srv,
        "A" | "a" => Then::Addresses,
        // RFC 3958 section 6.4: no other flag is valid.
        _ => return None,
    };
    let mut parts = naptr.services.split(':');
    let is_relay = parts.next().is_some_and(|service| service.eq_ignore_ascii_case(RELAY));
    if !is_relay || !naptr.regexp.is_empty() {
        return None;
    }
    let transports = parts.filter_map(tagged).collect();
    let name = naptr.replacement.parse().ok()?;
    Some(Pointer { order: (naptr.order, naptr.preference), then, transports, name })
}

/// The application protocol tags of RFC 5928 section 6 and RFC 7350 section 6.1, in letters of either case (RFC 3958
/// section 6.5).
fn tagged(tag: &str) -> Option<Transport> {
    [
        ("turn.udp", Transport::Udp),
        ("turn.tcp", Transport::Tcp),
        ("turn.tls", Transport::Tls),
        ("turn.dtls", Transport::Dtls),
    ]
    .into_iter()
    .find_map(|(name, transport)| name.eq_ignore_ascii_case(tag).then_some(transport))
}
