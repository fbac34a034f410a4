//! The IPv4 addresses that an IPv6 address leads to.
//!
//! ```text
//!  ::a.b.c.d                  IPv4-compatible (RFC 4291 section 2.5.5.1)
//!  ::ffff:a.b.c.d             IPv4-mapped (RFC 4291 section 2.5.5.2)
//!  ::ffff:0:a.b.c.d           IPv4-translated (RFC 2765 section 2.1)
//!  64:ff9b::a.b.c.d           NAT64 (RFC 6052 section 2.1)
//!  64:ff9b:1:..               NAT64 of a network (RFC 8215); where the prefix ends, only the network knows
//!  2001:0:<server>:..:<client, inverted>   Teredo (RFC 4380 section 4)
//!  2002:<address>::           6to4 (RFC 3056 section 2)
//!  ..:[02]00:5efe:a.b.c.d     ISATAP (RFC 5214 section 6.1)
//! ```
//!
//! Left out: NAT64 under a prefix of the operator's own, which looks like any other network. Deny it, where there is one.
//! Of 64:ff9b:1::/48 all four readings must pass, and the wrong ones seldom do: allowing that range alone opens nothing.

use core::net::{Ipv4Addr, Ipv6Addr};

/// How many IPv4 addresses one IPv6 address leads to at the most: two of Teredo, or those of RFC 8215 for each length of
/// prefix, and one of ISATAP.
pub(super) const MOST: usize = 5;

/// All of them.
pub(super) const fn embedded(ip: Ipv6Addr) -> [Option<Ipv4Addr>; MOST] {
    let o = ip.octets();
    let mut found = [None; MOST];
    let [s0, s1, s2, s3, s4, s5, _, _] = ip.segments();
    let last = Some(Ipv4Addr::new(o[12], o[13], o[14], o[15]));
    match [s0, s1, s2, s3, s4, s5] {
        [0, 0, 0, 0, 0, 0 | 0xFFFF] | [0, 0, 0, 0, 0xFFFF, 0] | [0x64, 0xFF9B, 0, 0, 0, 0] => found[0] = last,
        // RFC 6052 section 2.2: prefixes of 48, 56, 64 and 96 bits, with octet 8 left out of the address.
        [0x64, 0xFF9B, 1, _, _, _] => {
            found[0] = last;
            found[1] = Some(Ipv4Addr::new(o[6], o[7], o[9], o[10]));
            found[2] = Some(Ipv4Addr::new(o[7], o[9], o[10], o[11]));
            found[3] = Some(Ipv4Addr::new(o[9], o[10], o[11], o[12]));
        }
        [0x2001, 0, _, _, _, _] => {
            found[0] = Some(Ipv4Addr::new(o[4], o[5], o[6], o[7]));
            found[1] = Some(Ipv4Addr::new(!o[12], !o[13], !o[14], !o[15]));
        }
        [0x2002, ..] => found[0] = Some(Ipv4Addr::new(o[2], o[3], o[4], o[5])),
        _ => {}
    }
    if s5 == 0x5EFE && (s4 == 0 || s4 == 0x200) {
        found[MOST - 1] = last;
    }
    found
}
