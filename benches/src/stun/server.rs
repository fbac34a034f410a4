//! The server machine: what each kind of Binding request costs, from the datagram that came to the one that leaves. Rate limits
//! are off, because one source asks all the time.

use std::hint::black_box;

use ginnel_core::{Buffer, Handled, Instant, Packet, Receive, Seed};
use ginnel_stun::{
    BindingServer, LongTermCredential, Method, ServerConfig,
    auth::{AnnouncedAlgorithms, AuthConfig, User},
    client::{Client, ClientConfig, Request},
};

use super::{machines::path, ours::OURS, rivals};
use crate::contest::Group;

/// A Binding request without attributes.
pub(super) const REQUEST: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xa4\x42transactions";
const REALM: &str = "example.org";

pub(super) fn groups() -> Vec<Group> {
    let open = BindingServer::new(ServerConfig::default().with_rate_limit(None), Seed::new([1; 32]));
    let plain = serving("a plain request", open, REQUEST.to_vec());
    let challenge = serving("a 401", closed(AnnouncedAlgorithms::Sha256), REQUEST.to_vec());
    let authenticated = [
        ("long-term, HMAC-SHA1 both ways", AnnouncedAlgorithms::None),
        ("long-term, HMAC-SHA256 both ways", AnnouncedAlgorithms::Sha256),
    ];
    let authenticated = authenticated.map(|(what, announced)| {
        let mut server = closed(announced);
        let request = authenticated_request(&mut server);
        serving(what, server, request)
    });
    // SECURITY.md case 19: these two cost the same.
    let refused = [("the wrong password", true), ("a user who is not known", false)].map(|(what, known)| {
        let mut server = closed(AnnouncedAlgorithms::Sha256);
        let request = authenticated_request(&mut server);
        server.remove_user("user");
        if known {
            server.add_user(User::long_term("user", REALM, "another").expect("ASCII")).expect("room for one");
        }
        serving(&format!("long-term, {what}"), server, request)
    });
    [rivals::serve(plain), challenge].into_iter().chain(authenticated).chain(refused).collect()
}

fn serving(what: &str, mut server: BindingServer, request: Vec<u8>) -> Group {
    let mut buffer: Box<Buffer> = Box::new([0; _]);
    Group::new(format!("stun/server, {what}")).with(OURS, move || {
        let mut packet = Packet::empty(&mut buffer);
        packet.append(black_box(&request)).expect("room");
        let mut input = Receive::new(path().reversed(), packet);
        assert!(matches!(server.handle_input(Instant::EPOCH, &mut input), Handled::Send(_)));
        input.packet.len()
    })
}
/// A server that asks for long-term credentials.
fn closed(announced: AnnouncedAlgorithms) -> BindingServer {
    let auth =
        AuthConfig::long_term(REALM).expect("a realm").with_algorithms(announced).with_challenge_limit(None);
    let mut server =
        BindingServer::new(ServerConfig::default().with_credentials(Some(auth)), Seed::new([2; 32]));
    server.add_user(User::long_term("user", REALM, "password").expect("ASCII")).expect("room for one");
    server
}
/// What our client sends once it was challenged.
fn authenticated_request(server: &mut BindingServer) -> Vec<u8> {
    let mut client = Client::new(ClientConfig::default(), Seed::new([3; 32]));
    let credential = LongTermCredential::new("user", "password").expect("ASCII");
    let request = Request::new(Method::BINDING).with_credential(credential);
    client.request(Instant::EPOCH, path(), request, |open| Ok(open)).expect("room for one");
    let mut buffer: Buffer = [0; _];
    let mut sent = Vec::new();
    let mut packet = Packet::empty(&mut buffer);
    while client.poll_transmit(Instant::EPOCH, &mut packet).is_some() {
        sent = packet.bytes().to_vec();
        let mut there = Receive::new(path().reversed(), packet);
        assert!(matches!(server.handle_input(Instant::EPOCH, &mut there), Handled::Send(_)));
        let mut back = Receive::new(path(), there.packet);
        let _ = client.handle_input(Instant::EPOCH, &mut back);
        packet = back.packet;
    }
    assert_eq!(server.stats().answered, 1, "the second request is answered");
    sent
}
