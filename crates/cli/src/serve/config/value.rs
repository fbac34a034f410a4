//! What single values are: addresses, ranges, times, rates. Errors are sentences that say what to write instead.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

/// An address and port; the port is `port` if there is none.
pub(super) fn endpoint(text: &str, port: u16) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map(|ip| SocketAddr::new(ip, port)).map_err(|_| {
        format!("\"{text}\" is no address: write one such as 192.0.2.1:{port} or [2001:db8::1]:{port}; names are not looked up")
    })
}

/// An address that something can be bound to or sent to.
pub(super) fn ip(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let ip: IpAddr = bare.parse().map_err(|_| {
        format!("\"{text}\" is no IP address: write one such as 192.0.2.1 or 2001:db8::1, without a port")
    })?;
    match ip.is_unspecified() || ip.is_multicast() {
        true => Err(format!("{ip} is no address of a host: write the one that packets leave from")),
        false => Ok(ip),
    }
}

/// Of a relay: what the world sees, and which of ours it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct External {
    pub(crate) public: IpAddr,
    pub(crate) private: Option<IpAddr>,
}

pub(super) fn external(text: &str) -> Result<External, String> {
    let Some((public, private)) = text.split_once('/') else {
        return Ok(External { public: ip(text)?, private: None });
    };
    let (public, private) = (ip(public)?, ip(private)?);
    match public.is_ipv4() == private.is_ipv4() {
        true => Ok(External { public, private: Some(private) }),
        false => Err(format!("{public} and {private} are not of one family: a NAT maps IPv4 to IPv4")),
    }
}

/// Ports of relays. Both ends are in it.
pub(super) fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let parsed = text.split_once('-').and_then(|(from, to)| Some((port(from)?, port(to)?)));
    match parsed {
        Some((from, to)) if from <= to => Ok(from..=to),
        Some((from, to)) => Err(format!("{from}-{to} runs backwards: write {to}-{from}")),
        None => Err(format!(
            "\"{text}\" is no range of ports: write one such as 49152-65535; ports are 1 to 65535"
        )),
    }
}

fn port(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|port| *port > 0)
}

/// Seconds, or a number with a unit.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is no time: write one such as 30s, 10m, 2h or 1d");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let seconds = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).ok_or_else(wrong)?;
    // A hundred years, so that no sum of times overflows.
    match seconds <= 3_153_600_000 {
        true => Ok(Duration::from_secs(seconds)),
        false => {
            Err(format!("{text} is longer than a hundred years: leave the key out if you want no limit"))
        }
    }
}

/// Octets a second; `none` for no limit.
pub(super) fn rate(text: &str) -> Result<Option<u64>, String> {
    if text == "none" {
        return Ok(None);
    }
    let wrong = || {
        format!(
            "\"{text}\" is no rate: write octets a second, such as 62500, 500k or 2M (eight times as many bits), or none"
        )
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" => 1,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    let octets = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).ok_or_else(wrong)?;
    match octets {
        // One datagram has to fit, or nothing is ever relayed.
        0..1_500 => {
            Err(format!("{text} octets a second is less than one packet: write at least 1500, or none"))
        }
        _ => Ok(Some(octets)),
    }
}

/// How many; `none` for no limit.
pub(super) fn limit(text: &str) -> Result<Option<u32>, String> {
    if text == "none" {
        return Ok(None);
    }
    count(text).map(Some).map_err(|sentence| format!("{sentence}, or none"))
}

/// How many, at least one.
pub(super) fn count(text: &str) -> Result<u32, String> {
    let number = text.replace('_', "").parse::<u32>().ok().filter(|n| *n > 0);
    number.ok_or_else(|| format!("\"{text}\" is no number of things: write one from 1 to {}", u32::MAX))
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("\"{text}\" is neither true nor false")),
    }
}
