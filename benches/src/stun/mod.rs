//! STUN: the codec on what ICE and TURN send all day, and the machines of both sides.

mod floor;
mod machines;
mod ours;
#[cfg(feature = "peers")]
mod rivals;
#[cfg(not(feature = "peers"))]
#[path = "no_rivals.rs"]
mod rivals;
mod server;

use std::net::SocketAddr;

use crate::contest::Group;

/// The password of the check: as long as ICE's are.
pub const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
/// Its user name.
pub const USERNAME: &str = "evtj:h6vY";
/// Its priority.
pub const PRIORITY: u32 = 0x6e00_01ff;
/// Its tiebreaker.
pub const TIEBREAKER: u64 = 0x932f_f9b1_5126_3b36;
/// Its transaction.
pub const TRANSACTION: [u8; 12] = *b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";
/// The channel of ChannelData.
const CHANNEL: u16 = 0x4001;
/// What is relayed.
const PAYLOAD: [u8; 1200] = [0xA5; 1200];
/// Octets of the check that MESSAGE-INTEGRITY covers, and that FINGERPRINT covers.
const INTEGRITY_COVERS: usize = 92 - 32;
const FINGERPRINT_COVERS: usize = 92 - 8;

/// The address in responses and indications.
fn address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 32853))
}

pub use ours::connectivity_check;

/// Where whoever has no buffer of its own writes: at the front of a line of the cache for everybody, because a copy that
/// crosses lines takes a third more.
#[derive(Debug)]
#[repr(align(64))]
struct Room(ginnel_core::Buffer);
impl Room {
    fn new() -> Box<Self> {
        Box::new(Self([0; _]))
    }
}

/// Adds those who do a piece of work to it.
type Add = fn(Group) -> Group;

/// Every row, the codec's first: the floor where there is one, ours, the rivals.
#[must_use]
pub fn groups() -> Vec<Group> {
    let rows: [(&str, Add, Add, Add); 9] = [
        ("stun/parse, read 4, verify both", floor::hmac_and_crc, ours::parse, rivals::parse),
        ("stun/parse, verify fingerprint", floor::crc, ours::parse_fingerprint, rivals::parse_fingerprint),
        ("stun/build with both", floor::hmac_and_crc, ours::build, rivals::build),
        ("stun/plain response, parse", floor::none, ours::response_parse, rivals::response_parse),
        ("stun/plain response, build", floor::none, ours::response_build, rivals::response_build),
        ("stun/ChannelData, parse", floor::none, ours::channel_parse, rivals::channel_parse),
        ("stun/Send indication of 1200 octets, parse", floor::none, ours::send_parse, rivals::send_parse),
        ("stun/Send indication of 1200 octets, build", floor::copy, ours::send_build, rivals::send_build),
        ("stun/one frame out of a stream", floor::none, ours::frame, rivals::frame),
    ];
    let codec = rows.map(|(name, floor, ours, rivals)| rivals(ours(floor(Group::new(name)))));
    codec.into_iter().chain(machines::groups()).chain(server::groups()).collect()
}
