//! STUN inputs: what ICE sends all day.

use ginnel_core::{Buffer, Packet};
use ginnel_stun::{
    Class, IntegrityKey, MessageWriter, Method, TransactionId,
    attribute::{IceControlling, Priority, UseCandidate, Username},
};

/// The password of the request below.
pub const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
/// Its user name.
pub const USERNAME: &str = "evtj:h6vY";
/// Its priority.
pub const PRIORITY: u32 = 0x6e00_01ff;
/// Its tiebreaker.
pub const TIEBREAKER: u64 = 0x932f_f9b1_5126_3b36;
/// Its transaction.
pub const TRANSACTION: [u8; 12] = *b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";

/// A connectivity check of 92 octets: USERNAME, PRIORITY, ICE-CONTROLLING, USE-CANDIDATE, MESSAGE-INTEGRITY, FINGERPRINT.
///
/// # Panics
///
/// If the writer cannot write it.
#[must_use]
pub fn connectivity_check() -> Vec<u8> {
    let key = IntegrityKey::short_term(PASSWORD).expect("an ICE password");
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    let open =
        MessageWriter::new(&mut packet, Class::Request, Method::BINDING, TransactionId::new(TRANSACTION));
    open.and_then(|open| open.attribute(&Username::new(USERNAME).expect("a short name")))
        .and_then(|open| open.attribute(&Priority(PRIORITY)))
        .and_then(|open| open.attribute(&IceControlling(TIEBREAKER)))
        .and_then(|open| open.attribute(&UseCandidate))
        .and_then(|open| open.integrity(&key))
        .and_then(MessageWriter::fingerprint)
        .expect("room for 92 octets");
    packet.bytes().to_vec()
}
