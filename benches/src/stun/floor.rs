//! The least that any implementation must do: the hashes, called directly on the same octets, in the fastest way known.

use std::hint::black_box;

use hmac::{Hmac, KeyInit, Mac};
use sha1::{Sha1, block_api::compress};

use super::{FINGERPRINT_COVERS, INTEGRITY_COVERS, PASSWORD, PAYLOAD, Room, connectivity_check};
use crate::contest::Group;

type State = [u32; 5];
type Block = [u8; 64];
/// FIPS 180-4 section 5.3.1.
const INITIAL: State = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];

/// Nothing but what the work itself is.
pub(super) fn none(group: Group) -> Group {
    group
}

/// The three compressions that are left when an HMAC-SHA1 is keyed, its blocks padded for a message of this very length, and
/// the CRC-32. Beside it what the crate `hmac` makes of it, as most would call it.
pub(super) fn hmac_and_crc(group: Group) -> Group {
    let (octets, ours) = (connectivity_check(), connectivity_check());
    let state = keyed();
    assert_eq!(
        mac(&state, octets.first_chunk().expect("92 octets")),
        mac_of(&octets),
        "the floor is an HMAC"
    );
    let keyed = Hmac::<Sha1>::new_from_slice(PASSWORD.as_bytes()).expect("any length");
    group
        .with("floor: three compressions and a CRC-32", move || {
            let octets = black_box(&octets[..]);
            let covered = octets.first_chunk().expect("92 octets");
            (mac(black_box(&state), covered), crc32fast::hash(&octets[..FINGERPRINT_COVERS]))
        })
        .with("floor: the same by a cloned Hmac", move || {
            let octets = black_box(&ours[..]);
            let mut mac = black_box(&keyed).clone();
            mac.update(&octets[..INTEGRITY_COVERS]);
            (mac.finalize().into_bytes(), crc32fast::hash(&octets[..FINGERPRINT_COVERS]))
        })
}

/// The CRC-32 alone.
pub(super) fn crc(group: Group) -> Group {
    let octets = connectivity_check();
    group.with("floor: CRC-32", move || crc32fast::hash(&black_box(&octets)[..FINGERPRINT_COVERS]))
}

/// The payload copied into place.
pub(super) fn copy(group: Group) -> Group {
    let mut room = Room::new();
    group.with("floor: the copy", move || {
        black_box(&mut room.0[36..1236]).copy_from_slice(black_box(&PAYLOAD))
    })
}

fn keyed() -> [State; 2] {
    [0x36, 0x5C].map(|pad| {
        let mut block = [pad; 64];
        block.iter_mut().zip(PASSWORD.bytes()).for_each(|(octet, key)| *octet ^= key);
        let mut state = INITIAL;
        compress(&mut state, &[block]);
        state
    })
}
#[inline]
fn mac(&[inner, outer]: &[State; 2], covered: &[u8; INTEGRITY_COVERS]) -> State {
    let mut blocks: [Block; 2] = [[0; 64]; 2];
    blocks[0][..INTEGRITY_COVERS].copy_from_slice(covered);
    // The length that is hashed leaves FINGERPRINT out (RFC 8489 section 14.5).
    blocks[0][3] -= 8;
    blocks[0][INTEGRITY_COVERS] = 0x80;
    blocks[1][56..].copy_from_slice(&bits(64 + INTEGRITY_COVERS));
    let mut state = inner;
    compress(&mut state, &blocks);
    let mut block: Block = [0; 64];
    for (octets, word) in block.chunks_exact_mut(4).zip(state) {
        octets.copy_from_slice(&word.to_be_bytes());
    }
    block[20] = 0x80;
    block[56..].copy_from_slice(&bits(64 + 20));
    let mut state = outer;
    compress(&mut state, &[block]);
    state
}
fn bits(octets: usize) -> [u8; 8] {
    (8 * octets as u64).to_be_bytes()
}
/// What the message says that its HMAC is.
fn mac_of(octets: &[u8]) -> State {
    std::array::from_fn(|i| {
        let at = INTEGRITY_COVERS + 4 + 4 * i;
        u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
    })
}
