//! Addresses that are no hosts on the internet, after the registries of RFC 6890.
//!
//! Left out: the addresses of documentation (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32, 3fff::/20): nobody is there to
//! be harmed, and examples and simulations speak to them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of special address it is; `None` if it is an ordinary one.
pub(super) fn kind(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => {
            let covers = |&&(prefix, length, _): &&(Ipv4Addr, u32, _)| {
                (ip.to_bits() ^ prefix.to_bits()).leading_zeros() >= length
            };
            IPV4.iter().find(covers).map(|&(.., kind)| kind)
        }
        IpAddr::V6(ip) => {
            let covers = |&&(prefix, length, _): &&(Ipv6Addr, u32, _)| {
                (ip.to_bits() ^ prefix.to_bits()).leading_zeros() >= length
            };
            IPV6.iter().find(covers).map(|&(.., kind)| kind)
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}
const fn v6(a: u16, b: u16, c: u16, d: u16, e: u16, f: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, d, e, f, 0, 0)
}

pub(super) const IPV4: [(Ipv4Addr, u32, &str); 15] = [
    (v4(0, 0, 0, 0), 8, "of this host (RFC 1122 section 3.2.1.3)"),
    (v4(10, 0, 0, 0), 8, "private (RFC 1918)"),
    (v4(100, 64, 0, 0), 10, "shared (RFC 6598)"),
    (v4(127, 0, 0, 0), 8, "loopback (RFC 1122 section 3.2.1.3)"),
    // The one public address among them: every virtual machine of that cloud reaches its host there.
    (v4(168, 63, 129, 16), 32, "a cloud's metadata"),
    // 169.254.169.254, the metadata of most clouds, is one of these.
    (v4(169, 254, 0, 0), 16, "link-local (RFC 3927)"),
    (v4(172, 16, 0, 0), 12, "private (RFC 1918)"),
    (v4(192, 0, 0, 0), 24, "of a protocol (RFC 6890 section 2.1)"),
    (v4(192, 31, 196, 0), 24, "of AS112 (RFC 7535)"),
    (v4(192, 52, 193, 0), 24, "of AMT (RFC 7450)"),
    (v4(192, 88, 99, 0), 24, "of 6to4 relays (RFC 7526)"),
    (v4(192, 168, 0, 0), 16, "private (RFC 1918)"),
    (v4(198, 18, 0, 0), 15, "for benchmarks (RFC 2544)"),
    (v4(224, 0, 0, 0), 4, "multicast (RFC 5771)"),
    // 255.255.255.255 is one of these.
    (v4(240, 0, 0, 0), 4, "reserved or broadcast (RFC 1112, RFC 919)"),
];

pub(super) const IPV6: [(Ipv6Addr, u32, &str); 16] = [
    // ::1 and :: are among these.
    (v6(0, 0, 0, 0, 0, 0), 96, "loopback, unspecified or IPv4-compatible (RFC 4291 section 2.5)"),
    (v6(0, 0, 0, 0, 0, 0xFFFF), 96, "IPv4-mapped (RFC 4291 section 2.5.5.2)"),
    (v6(0, 0, 0, 0, 0xFFFF, 0), 96, "IPv4-translated (RFC 2765 section 2.1)"),
    (v6(0x64, 0xFF9B, 1, 0, 0, 0), 48, "of a network's NAT64 (RFC 8215)"),
    (v6(0x100, 0, 0, 0, 0, 0), 64, "for discarding (RFC 6666)"),
    (v6(0x100, 0, 0, 1, 0, 0), 64, "a dummy (RFC 9780)"),
    (v6(0x2001, 0, 0, 0, 0, 0), 32, "Teredo (RFC 4380)"),
    (v6(0x2001, 2, 0, 0, 0, 0), 48, "for benchmarks (RFC 5180)"),
    (v6(0x2001, 0x20, 0, 0, 0, 0), 28, "a name of a host (RFC 7343)"),
    // Behind those of them that say more. 2001:1::1, which asks the nearest NAT for open ports (RFC 7723), is one of these.
    (v6(0x2001, 0, 0, 0, 0, 0), 23, "of a protocol (RFC 2928)"),
    (v6(0x2002, 0, 0, 0, 0, 0), 16, "6to4 (RFC 3056)"),
    (v6(0x5F00, 0, 0, 0, 0, 0), 16, "a segment identifier (RFC 9602)"),
    // fd00:ec2::254, the metadata of a cloud, is one of these.
    (v6(0xFC00, 0, 0, 0, 0, 0), 7, "private (RFC 4193)"),
    (v6(0xFE80, 0, 0, 0, 0, 0), 10, "link-local (RFC 4291 section 2.5.6)"),
    (v6(0xFEC0, 0, 0, 0, 0, 0), 10, "site-local (RFC 3879)"),
    (v6(0xFF00, 0, 0, 0, 0, 0), 8, "multicast (RFC 4291 section 2.7)"),
];
