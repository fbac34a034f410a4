//! Other implementations. Each does as much as its own API lets it: what it leaves out is in its name. All of them key their
//! HMAC for each message, but for what is said; the SHA-1 of `is` and `stun-types` is the one that ours uses, `turn-server` has
//! aws-lc and `rtc-stun` ring.

mod is;
mod rtc_stun;
mod stun_types;
mod turn_server;

use super::machines::Part;
use crate::contest::Group;

/// ICE's attributes by number, for those that have no types for them: USERNAME, PRIORITY, ICE-CONTROLLING, USE-CANDIDATE.
const FOUR: [u16; 4] = [0x0006, 0x0024, 0x802A, 0x0025];

pub(super) fn parse(group: Group) -> Group {
    stun_types::parse(rtc_stun::parse(turn_server::parse(is::parse(group))))
}
pub(super) fn parse_fingerprint(group: Group) -> Group {
    stun_types::parse_fingerprint(rtc_stun::parse_fingerprint(turn_server::decode(is::parse_only(group))))
}
pub(super) fn build(group: Group) -> Group {
    stun_types::build(rtc_stun::build(turn_server::build(is::build(group))))
}
/// `is` refuses a response without MESSAGE-INTEGRITY.
pub(super) fn response_parse(group: Group) -> Group {
    stun_types::response_parse(rtc_stun::response_parse(turn_server::response_parse(group)))
}
/// `is` writes none without FINGERPRINT.
pub(super) fn response_build(group: Group) -> Group {
    stun_types::response_build(rtc_stun::response_build(turn_server::response_build(group)))
}
pub(super) fn channel_parse(group: Group) -> Group {
    stun_types::channel_parse(turn_server::channel_parse(group))
}
pub(super) fn send_parse(group: Group) -> Group {
    stun_types::send_parse(rtc_stun::send_parse(turn_server::send_parse(group)))
}
pub(super) fn send_build(group: Group) -> Group {
    stun_types::send_build(rtc_stun::send_build(turn_server::send_build(group)))
}
pub(super) fn frame(group: Group) -> Group {
    turn_server::frame(group)
}
pub(super) fn batches(group: Group, part: Part, outstanding: usize) -> Group {
    stun_types::batches(group, part, outstanding)
}
pub(super) fn wake(group: Group, outstanding: usize) -> Group {
    stun_types::wake(group, outstanding)
}
pub(super) fn serve(group: Group) -> Group {
    stun_types::serve(turn_server::serve(group))
}
