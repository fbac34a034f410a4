//! Ranges of addresses, as operators write them, and a sorted set of them.

use alloc::vec::Vec;
use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Addresses of one family, from the first to the last.
///
/// Written as one address, as a prefix, or as the first and the last with a hyphen between them. IPv4 in its IPv6 disguise
/// (`::ffff:10.0.0.0/104`) is IPv4.
///
/// ```
/// use ginnel_turn::server::policy::PeerRange;
///
/// let prefix: PeerRange = "10.0.0.0/8".parse()?;
/// assert_eq!(prefix, "10.0.0.0-10.255.255.255".parse()?);
/// assert!(prefix.contains("10.1.2.3".parse()?));
/// assert!(!prefix.contains("11.0.0.0".parse()?));
/// assert!("10.0.0.1/8".parse::<PeerRange>().is_err()); // bits behind the prefix: probably not what is meant
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerRange {
    first: IpAddr,
    last: IpAddr,
}

/// Why this is no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerRangeError {
    /// Write it as `192.0.2.0/24`, `2001:db8::/32`, `192.0.2.1` or `192.0.2.1-192.0.2.9`.
    #[error("this is no address: write 192.0.2.1, 192.0.2.0/24 or 192.0.2.1-192.0.2.9")]
    Address,
    /// Write at most /32 behind an IPv4 address, and /128 behind an IPv6 address.
    #[error("the length of the prefix is more than the address has bits, or no number")]
    PrefixLength,
    /// Clear the bits behind the prefix, or make the prefix longer.
    #[error("the address has bits behind its prefix: write the first address of the range")]
    BitsBehindPrefix,
    /// Write both ends in one family.
    #[error("one end is an IPv4 address and the other an IPv6 address")]
    Families,
    /// Write the lower end first.
    #[error("the first address is above the last")]
    Order,
}

impl PeerRange {
    /// From the first to the last, both included.
    pub fn new(first: IpAddr, last: IpAddr) -> Result<Self, PeerRangeError> {
        // Only both: a range that begins below the mapped addresses is one of IPv6.
        let (first, last) = match (first.to_canonical(), last.to_canonical()) {
            (a @ IpAddr::V4(_), b @ IpAddr::V4(_)) => (a, b),
            _ => (first, last),
        };
        if first.is_ipv4() != last.is_ipv4() {
            Err(PeerRangeError::Families)
        } else if first > last {
            Err(PeerRangeError::Order)
        } else {
            Ok(Self { first, last })
        }
    }
    /// All that begin with the first `length` bits of `ip`.
    pub fn prefix(ip: IpAddr, length: u8) -> Result<Self, PeerRangeError> {
        let bits: u32 = if ip.is_ipv4() { 32 } else { 128 };
        let behind = bits.checked_sub(length.into()).ok_or(PeerRangeError::PrefixLength)?;
        let mask = 1_u128.checked_shl(behind).map_or(u128::MAX, |it| it - 1);
        if number(ip) & mask != 0 {
            return Err(PeerRangeError::BitsBehindPrefix);
        }
        Self::new(ip, like(ip, number(ip) | mask))
    }
    /// The lowest address.
    #[must_use]
    pub const fn first(&self) -> IpAddr {
        self.first
    }
    /// The highest.
    #[must_use]
    pub const fn last(&self) -> IpAddr {
        self.last
    }
    /// Whether it is one of them. An IPv4 address is never in a range of IPv6 addresses.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        // Families are ordered before addresses, so an address of another one is outside.
        self.first <= ip && ip <= self.last
    }
}
impl From<IpAddr> for PeerRange {
    fn from(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        Self { first: ip, last: ip }
    }
}
impl FromStr for PeerRange {
    type Err = PeerRangeError;
    fn from_str(text: &str) -> Result<Self, PeerRangeError> {
        let address = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| PeerRangeError::Address);
        if let Some((first, last)) = text.split_once('-') {
            Self::new(address(first)?, address(last)?)
        } else if let Some((ip, length)) = text.split_once('/') {
            let length = length.trim();
            // `parse` alone would take "+8".
            let digits = !length.is_empty() && length.bytes().all(|octet| octet.is_ascii_digit());
            let length = length.parse().ok().filter(|_| digits).ok_or(PeerRangeError::PrefixLength)?;
            Self::prefix(address(ip)?, length)
        } else {
            Ok(address(text)?.into())
        }
    }
}
impl fmt::Display for PeerRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}
impl fmt::Debug for PeerRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Ranges that are sorted and apart, so that one search finds an address. As many as the operator writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<PeerRange>);
impl Ranges {
    pub(super) fn insert(&mut self, range: PeerRange) {
        self.0.push(range);
        self.0.sort_unstable();
        // What overlaps becomes one; what only adjoins may stay two.
        self.0.dedup_by(|next, kept| {
            let overlaps = kept.contains(next.first);
            if overlaps {
                kept.last = kept.last.max(next.last);
            }
            overlaps
        });
    }
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        let behind = self.0.partition_point(|range| range.first <= ip);
        behind.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|range| range.contains(ip))
    }
}

const fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits() as u128,
        IpAddr::V6(ip) => ip.to_bits(),
    }
}
/// The address of that number in the family of `ip`.
const fn like(ip: IpAddr, number: u128) -> IpAddr {
    match ip {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(number as u32)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(number)),
    }
}
