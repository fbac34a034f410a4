//! Ranges of peers: `10.0.0.0/8`, `10.0.0.1`, `10.0.0.1-10.0.0.9`, and the same of IPv6.

use std::{fmt, net::IpAddr};

/// Addresses of one family, both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: IpAddr,
    pub(crate) last: IpAddr,
}

impl Range {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some((base, length)) = text.split_once('/') {
            return Self::cidr(text, base, length);
        }
        let wrong = |_| {
            format!(
                "\"{text}\" is no range of addresses: write one such as 10.0.0.0/8, 10.0.0.1, 10.0.0.1-10.0.0.9 or 2001:db8::/32"
            )
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last): (IpAddr, IpAddr) =
            (first.trim().parse().map_err(wrong)?, last.trim().parse().map_err(wrong)?);
        if first.is_ipv4() != last.is_ipv4() {
            return Err(format!("{first} and {last} are not of one family: write one range for each"));
        }
        match first <= last {
            true => Ok(Self { first, last }),
            false => Err(format!("{first}-{last} runs backwards: write {last}-{first}")),
        }
    }

    fn cidr(text: &str, base: &str, length: &str) -> Result<Self, String> {
        let base: IpAddr = base
            .parse()
            .map_err(|_| format!("\"{text}\" is no range of addresses: \"{base}\" is no IP address"))?;
        let (family, bits) = if base.is_ipv4() { ("IPv4", 32) } else { ("IPv6", 128) };
        let length = length.parse::<u32>().ok().filter(|length| *length <= bits).ok_or_else(|| {
            format!(
                "\"{text}\" is no range of addresses: the prefix of an {family} address is 0 to {bits} bits"
            )
        })?;
        // Counted in the low bits of 128, whatever the family.
        let rest = u128::MAX.checked_shr(length + 128 - bits).unwrap_or(0);
        let first = from_number(base, number(base) & !rest);
        let last = from_number(base, number(base) | rest);
        match first == base {
            true => Ok(Self { first, last }),
            false => {
                Err(format!("\"{text}\" has bits behind its prefix: write {first}/{length}, or {base} alone"))
            }
        }
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u32::from(ip).into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

/// Of the family of `like`.
fn from_number(like: IpAddr, number: u128) -> IpAddr {
    match like {
        // An IPv4 address and what covers its 32 bits have no others.
        IpAddr::V4(_) => IpAddr::V4(((number & u128::from(u32::MAX)) as u32).into()),
        IpAddr::V6(_) => IpAddr::V6(number.into()),
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: &str, last: &str) -> Result<Range, String> {
        Ok(Range { first: first.parse().unwrap(), last: last.parse().unwrap() })
    }

    #[test]
    fn prefixes_addresses_and_pairs() {
        let cases = [
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.7"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
            ("192.0.2.7 - 192.0.3.1", "192.0.2.7", "192.0.3.1"),
            ("2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::1/128", "::1", "::1"),
            ("2001:db8::1-2001:db8:1::", "2001:db8::1", "2001:db8:1::"),
        ];
        for (text, first, last) in cases {
            assert_eq!(Range::parse(text), range(first, last), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_write() {
        let cases = [
            ("10.0.0.0/33", "0 to 32"),
            ("::/129", "0 to 128"),
            ("10.0.0.0/-1", "0 to 32"),
            ("10.0.0.1/8", "write 10.0.0.0/8, or 10.0.0.1 alone"),
            ("2001:db8::1/32", "write 2001:db8::/32"),
            ("10.0.0.9-10.0.0.1", "write 10.0.0.1-10.0.0.9"),
            ("10.0.0.1-::1", "one family"),
            ("example.org", "write one such as"),
            ("10.0.0/8", "is no IP address"),
            ("", "write one such as"),
        ];
        for (text, told) in cases {
            let sentence = Range::parse(text).unwrap_err();
            assert!(sentence.contains(told), "{text}: {sentence}");
        }
    }
}
