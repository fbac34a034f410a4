//! `is`, the ICE agent of str0m.

use std::hint::black_box;

use is::{
    DefaultSha1HmacProvider, Sha1HmacProvider,
    stun::{StunMessage, TransId},
};

use crate::{
    contest::Group,
    stun::{PASSWORD, PRIORITY, Room, TIEBREAKER, USERNAME, connectivity_check},
};

fn sha1_hmac(key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
    DefaultSha1HmacProvider.sha1_hmac(key, payloads)
}

pub(super) fn parse(group: Group) -> Group {
    let octets = connectivity_check();
    group.with("is 0.12 (never checks the fingerprint)", move || {
        let message = StunMessage::parse(black_box(&octets)).expect("a message");
        assert!(message.verify(PASSWORD.as_bytes(), sha1_hmac));
        (message.username().map(str::len), message.prio(), message.ice_controlling(), message.use_candidate())
    })
}
pub(super) fn parse_only(group: Group) -> Group {
    let octets = connectivity_check();
    group.with("is 0.12 (never checks the fingerprint)", move || {
        StunMessage::parse(black_box(&octets)).expect("a message").prio()
    })
}
pub(super) fn build(group: Group) -> Group {
    let (mut room, id) = (Room::new(), TransId::new());
    group.with("is 0.12", move || {
        let (name, number, priority) = (black_box(USERNAME), black_box(TIEBREAKER), black_box(PRIORITY));
        StunMessage::binding_request(name, id, true, number, priority, true)
            .to_bytes(Some(PASSWORD.as_bytes()), &mut room.0, sha1_hmac)
            .expect("room")
    })
}
