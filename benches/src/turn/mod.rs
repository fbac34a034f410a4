//! The TURN server machine: what one relayed packet costs with few and with many allocations, what its timers cost when
//! nothing happens, and what one who is nobody makes it do. Payloads are 200 octets, as audio is.

mod floor;
mod ours;
#[cfg(not(feature = "peers"))]
#[path = "no_rivals.rs"]
mod rivals;
#[cfg(feature = "peers")]
mod rivals;
mod setup;

use std::net::SocketAddr;

use crate::contest::Group;

pub use ours::Ours;
pub use setup::{Refreshing, Relays, allocate_all, bare_allocate};

/// Allocations of one server.
const SIZES: [(usize, &str); 4] = [(1, "1"), (100, "100"), (5_000, "5,000"), (100_000, "100,000")];
const PAYLOAD: [u8; 200] = [0xA5; 200];
/// The only channel of every client.
const CHANNEL: u16 = 0x4000;

/// Where the server listens.
fn server() -> SocketAddr {
    ([192, 0, 2, 1], 3478).into()
}
/// Client number `n`.
fn client(n: usize) -> SocketAddr {
    (std::net::Ipv4Addr::from_bits(0x0A00_0001 + n as u32), 5000).into()
}
/// Everybody's peer: an ordinary address, so that no policy has to be changed.
fn peer() -> SocketAddr {
    ([9, 9, 9, 9], 7000).into()
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ToPeer,
    ToClient,
    /// To the peer, in a Send indication.
    Indication,
}

/// Every row.
#[must_use]
pub fn groups() -> Vec<Group> {
    let mut groups = Vec::new();
    for (count, text) in SIZES {
        for (way, said) in [(Way::ToPeer, "client to peer"), (Way::ToClient, "peer to client")] {
            for (random, whose) in [(false, "one hot client"), (true, "a random client")] {
                if random && count == 1 {
                    continue;
                }
                let group = Group::new(format!("turn/relay, {text} allocations, {whose}, {said}"));
                let group = floor::relay(ours::relay(group, count, way, random), count, way, random);
                groups.push(rivals::relay(group, count, way, random));
            }
        }
        let group = Group::new(format!("turn/{text} idle allocations, the next wake-up"));
        groups.push(rivals::wake(ours::wake(group, count), count));
    }
    let group = Group::new("turn/relay, 1 allocations, one hot client, a Send indication");
    groups.push(rivals::relay(ours::relay(group, 1, Way::Indication, false), 1, Way::Indication, false));
    let group = Group::new("turn/an Allocate without credentials");
    groups.push(rivals::challenge(ours::challenge(group)));
    groups
}

/// Whose packet is next: always the same one's, or everybody's once in no order that a cache could foresee, and again. The order
/// is drawn beforehand and read one behind the other, so that what is measured is the server and not the question.
#[derive(Debug)]
struct Turns {
    whose: Vec<SocketAddr>,
    next: usize,
}
impl Turns {
    fn new(mut whose: Vec<SocketAddr>, random: bool) -> Self {
        if !random {
            // The middle one, since for whoever looks through all of them the first is no example.
            whose = vec![whose[whose.len() / 2]];
        }
        // xorshift (Marsaglia 2003), and the shuffle of Fisher and Yates.
        let mut state = 0x9E37_79B9_u32;
        for last in (1..whose.len()).rev() {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            whose.swap(last, ((u64::from(state) * (last as u64 + 1)) >> 32) as usize);
        }
        Self { whose, next: 0 }
    }
    fn next(&mut self) -> SocketAddr {
        self.next = if self.next + 1 < self.whose.len() { self.next + 1 } else { 0 };
        self.whose[self.next]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_relays_in_every_row() {
        for group in groups() {
            // The work is the same with more, and making them takes its time.
            if ["5,000", "100,000"].iter().any(|many| group.name.contains(many)) {
                continue;
            }
            for mut contender in group.contenders {
                assert!(contender.run(3, || 0) == 0, "{}: it panics where it does not relay", group.name);
            }
        }
    }
}
