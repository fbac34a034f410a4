//! The floor of relaying: a table that finds who a packet is from and counts it, and nothing else. What is left is what the
//! memory takes: a word of an index and one cache line of whoever is found.

use std::net::{IpAddr, SocketAddr};

use super::{Turns, Way, client};
use crate::contest::Group;

/// One cache line.
#[derive(Clone, Copy, Debug)]
struct Entry {
    address: SocketAddr,
    packets: u64,
    octets: u64,
}
const _: () = assert!(size_of::<Entry>() <= 64);

#[derive(Debug)]
struct Table {
    /// Half of the hash, and the number behind it plus one. Four places for each entry at least.
    index: Vec<u64>,
    entries: Vec<Entry>,
}
impl Table {
    fn new(addresses: &[SocketAddr]) -> Self {
        let mut index = vec![0; (addresses.len() * 4).next_power_of_two()];
        for (number, address) in addresses.iter().enumerate() {
            let hash = hash(*address);
            let mut place = hash as usize & (index.len() - 1);
            while index[place] != 0 {
                place = (place + 1) & (index.len() - 1);
            }
            index[place] = hash >> 32 << 32 | (number as u64 + 1);
        }
        let entries = addresses.iter().map(|&address| Entry { address, packets: 0, octets: 0 });
        Self { index, entries: entries.collect() }
    }
    fn count(&mut self, address: SocketAddr, octets: usize) -> u64 {
        let hash = hash(address);
        let mut place = hash as usize & (self.index.len() - 1);
        loop {
            let held = self.index[place];
            if held >> 32 == hash >> 32
                && let Some(entry) = self.entries.get_mut((held as u32).wrapping_sub(1) as usize)
                && entry.address == address
            {
                entry.packets += 1;
                entry.octets += octets as u64;
                return entry.packets;
            }
            assert!(held != 0, "everybody is in there");
            place = (place + 1) & (self.index.len() - 1);
        }
    }
}

/// Without a key: nobody attacks it.
fn hash(address: SocketAddr) -> u64 {
    let IpAddr::V4(ip) = address.ip() else { unreachable!("all addresses here are of IPv4") };
    let word = u64::from(ip.to_bits()) << 16 | u64::from(address.port());
    let mixed = (word ^ word >> 29).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ mixed >> 31
}

/// Joins a row, in either direction: an address leads to whose it is.
pub(super) fn relay(group: Group, count: usize, way: Way, random: bool) -> Group {
    if way == Way::Indication {
        return group;
    }
    let mut made = None;
    group.with_part("floor: a flat table", move |times, probe| {
        let (table, turns) = made.get_or_insert_with(|| {
            let all: Vec<SocketAddr> = (0..count).map(client).collect();
            (Table::new(&all), Turns::new(all, random))
        });
        let before = probe();
        for _ in 0..times {
            assert!(table.count(turns.next(), 200) > 0);
        }
        probe() - before
    })
}
