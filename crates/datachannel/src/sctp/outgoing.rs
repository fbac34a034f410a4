//! The library's packets on their way out: cut to the MTU, and made the same in every run.
//!
//! The library forgets the headers and the padding of DATA chunks when it bundles them, so a packet of many short
//! messages comes out up to a fifth longer than it was told; and it lists the streams of a FORWARD TSN in the order of a
//! randomly keyed map. Both are mended here, at the borders of chunks; all other packets pass untouched.

use super::wire::{self, Chunk, Chunks, Header, kind};
use bytes::Bytes;
use std::collections::VecDeque;

/// RFC 9260 section 3.3.4: a SACK before its Gap Ack Blocks.
const SACK_FIXED: usize = 16;

/// Queues `packet` as one packet or several, none longer than `limit` where that can be had.
pub(crate) fn enqueue(queue: &mut VecDeque<Bytes>, packet: Bytes, limit: usize) {
    let first = packet.get(wire::HEADER).copied();
    if packet.len() <= limit && first != Some(kind::FORWARD_TSN) {
        return queue.push_back(packet);
    }
    let Some(header) = Header::parse(&packet) else { return };
    let mut bundle: Vec<Vec<u8>> = Vec::new();
    let mut length = wire::HEADER;
    for chunk in Chunks::of(&packet).flatten() {
        let mended = mend(&chunk, limit);
        if !bundle.is_empty() && length + mended.len() > limit {
            queue.push_back(header.packet(bundle.iter().map(Vec::as_slice)).into());
            bundle.clear();
            length = wire::HEADER;
        }
        length += mended.len();
        bundle.push(mended);
    }
    if !bundle.is_empty() {
        queue.push_back(header.packet(bundle.iter().map(Vec::as_slice)).into());
    }
}

fn mend(chunk: &Chunk<'_>, limit: usize) -> Vec<u8> {
    let mut octets = chunk.octets.to_vec();
    match chunk.kind {
        kind::FORWARD_TSN => {
            // RFC 3758 section 3.2: the new cumulative TSN, then stream and sequence number in pairs.
            let mut pairs: Vec<[u8; 4]> = chunk
                .value
                .get(4..)
                .unwrap_or_default()
                .chunks_exact(4)
                .filter_map(|p| p.first_chunk().copied())
                .collect();
            pairs.sort_unstable();
            if let Some(places) = octets.get_mut(8..8 + 4 * pairs.len()) {
                places.copy_from_slice(pairs.as_flattened());
            }
        }
        kind::SACK if wire::HEADER + octets.len() > limit => {
            // RFC 9260 section 6.2.1 lets a SACK report as many gaps as fit. Duplicates are reported for statistics only.
            let room = limit.saturating_sub(wire::HEADER + SACK_FIXED) / 4;
            let gaps =
                chunk.value.get(8..10).map_or(0, |n| usize::from(u16::from_be_bytes([n[0], n[1]]))).min(room);
            octets.truncate(SACK_FIXED + 4 * gaps);
            let (gaps, length) = (gaps as u16, octets.len() as u16);
            for (at, value) in [(2, length), (12, gaps), (14, 0)] {
                if let Some(place) = octets.get_mut(at..at + 2) {
                    place.copy_from_slice(&value.to_be_bytes());
                }
            }
        }
        _ => {}
    }
    octets
}
