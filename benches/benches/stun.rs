//! STUN: parsing and building a connectivity check, against the hashes that no implementation can do without (the floor),
//! and with the feature `peers` against other implementations on the same octets.
//!
//! The floor keys its HMAC once, outside of what is measured, as ours does.

#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use ginnel_benches::stun::{PASSWORD, PRIORITY, TIEBREAKER, TRANSACTION, USERNAME, connectivity_check};
use ginnel_core::{Buffer, Packet};
use ginnel_stun::{
    Class, Fingerprint, Integrity, IntegrityKey, Message, MessageWriter, Method, TransactionId,
    attribute::{IceControlling, Priority, UseCandidate, Username, XorMappedAddress},
};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

criterion_group!(benches, parse, parse_fingerprint, build, plain_response);
criterion_main!(benches);

/// Octets of the check that MESSAGE-INTEGRITY covers, and that FINGERPRINT covers.
const INTEGRITY_COVERS: usize = 92 - 32;
const FINGERPRINT_COVERS: usize = 92 - 8;

fn floor(group: &mut BenchmarkGroup<'_, WallTime>, octets: &[u8]) {
    let keyed = Hmac::<Sha1>::new_from_slice(PASSWORD.as_bytes()).expect("any length");
    group.bench_function("floor: keyed HMAC-SHA1 and CRC-32", |b| {
        b.iter(|| {
            let octets = black_box(octets);
            let mut mac = keyed.clone();
            mac.update(&octets[..INTEGRITY_COVERS]);
            (mac.finalize().into_bytes(), crc32fast::hash(&octets[..FINGERPRINT_COVERS]))
        });
    });
}

/// Parse, read four attributes, verify MESSAGE-INTEGRITY and FINGERPRINT.
fn parse(c: &mut Criterion) {
    let octets = connectivity_check();
    assert_eq!(octets.len(), 92);
    let mut group = c.benchmark_group("stun/parse, read 4, verify both");
    floor(&mut group, &octets);
    let key = IntegrityKey::short_term(PASSWORD).expect("an ICE password");
    group.bench_function("ginnel", |b| {
        b.iter(|| {
            let message = Message::parse(black_box(&octets)).expect("a message");
            assert!(message.fingerprint() == Fingerprint::Ok && message.integrity(&key) == Integrity::Ok);
            (
                message.get::<Username<'_>>().expect("legal").expect("there").as_str().len(),
                message.get::<Priority>().expect("legal"),
                message.get::<IceControlling>().expect("legal"),
                message.get::<UseCandidate>().expect("legal"),
            )
        });
    });
    #[cfg(feature = "peers")]
    peers::parse(&mut group, &octets);
    group.finish();
}

/// Parse and check FINGERPRINT alone: what a demultiplexer does.
fn parse_fingerprint(c: &mut Criterion) {
    let octets = connectivity_check();
    let mut group = c.benchmark_group("stun/parse, verify fingerprint");
    group.bench_function("floor: CRC-32", |b| {
        b.iter(|| crc32fast::hash(&black_box(&octets)[..FINGERPRINT_COVERS]));
    });
    group.bench_function("ginnel", |b| {
        b.iter(|| Message::parse(black_box(&octets)).expect("a message").fingerprint());
    });
    #[cfg(feature = "peers")]
    peers::parse_only(&mut group, &octets);
    group.finish();
}

/// Build the check with both.
fn build(c: &mut Criterion) {
    let octets = connectivity_check();
    let mut group = c.benchmark_group("stun/build with both");
    floor(&mut group, &octets);
    let key = IntegrityKey::short_term(PASSWORD).expect("an ICE password");
    let mut buffer: Buffer = [0; _];
    group.bench_function("ginnel", |b| {
        b.iter(|| {
            let mut packet = Packet::empty(&mut buffer);
            MessageWriter::new(
                &mut packet,
                Class::Request,
                Method::BINDING,
                TransactionId::new(black_box(TRANSACTION)),
            )
            .and_then(|open| open.attribute(&Username::new(black_box(USERNAME)).expect("short")))
            .and_then(|open| open.attribute(&Priority(black_box(PRIORITY))))
            .and_then(|open| open.attribute(&IceControlling(black_box(TIEBREAKER))))
            .and_then(|open| open.attribute(&UseCandidate))
            .and_then(|open| open.integrity(&key))
            .and_then(MessageWriter::fingerprint)
            .expect("room");
            packet.len()
        });
    });
    #[cfg(feature = "peers")]
    peers::build(&mut group);
    group.finish();
}

/// A success response without integrity or FINGERPRINT: what a STUN server writes and its client reads.
fn plain_response(c: &mut Criterion) {
    let mapped = "192.0.2.1:32853".parse().expect("an address");
    let mut buffer: Buffer = [0; _];
    let write = |packet: &mut Packet<'_>| {
        MessageWriter::new(
            packet,
            Class::Success,
            Method::BINDING,
            TransactionId::new(black_box(TRANSACTION)),
        )
        .and_then(|open| open.attribute(&XorMappedAddress(black_box(mapped))))
        .map(MessageWriter::finish)
        .expect("room");
    };
    let mut group = c.benchmark_group("stun/plain response, build");
    group.bench_function("ginnel", |b| b.iter(|| write(&mut Packet::empty(&mut buffer))));
    #[cfg(feature = "peers")]
    peers::plain_response_build(&mut group, mapped);
    group.finish();
    let mut packet = Packet::empty(&mut buffer);
    write(&mut packet);
    let octets = packet.bytes().to_vec();
    let mut group = c.benchmark_group("stun/plain response, parse");
    group.bench_function("ginnel", |b| {
        b.iter(|| Message::parse(black_box(&octets)).expect("a message").get::<XorMappedAddress>());
    });
    #[cfg(feature = "peers")]
    peers::plain_response_parse(&mut group, &octets);
    group.finish();
}

/// Other implementations. Each does as much as its own API lets it: what it does not do is in its name.
#[cfg(feature = "peers")]
mod peers {
    use std::net::SocketAddr;

    use is::{DefaultSha1HmacProvider, Sha1HmacProvider, stun::StunMessage, stun::TransId};
    use stun_types::{
        attribute::{AttributeStaticType, AttributeType, Fingerprint, XorMappedAddress},
        message::{IntegrityAlgorithm, Message, MessageIntegrityCredentials, ShortTermCredentials},
    };

    use super::*;

    fn sha1_hmac(key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
        DefaultSha1HmacProvider.sha1_hmac(key, payloads)
    }

    pub(super) fn parse(group: &mut BenchmarkGroup<'_, WallTime>, octets: &[u8]) {
        group.bench_function("is 0.12 (never checks the fingerprint)", |b| {
            b.iter(|| {
                let message = StunMessage::parse(black_box(octets)).expect("a message");
                assert!(message.verify(PASSWORD.as_bytes(), sha1_hmac));
                (
                    message.username().map(str::len),
                    message.prio(),
                    message.ice_controlling(),
                    message.use_candidate(),
                )
            });
        });
        let credentials =
            MessageIntegrityCredentials::ShortTerm(ShortTermCredentials::new(PASSWORD.to_owned()));
        let key = credentials.make_key(IntegrityAlgorithm::Sha1);
        group.bench_function("stun-types 2.0", |b| {
            b.iter(|| {
                let message = Message::from_bytes(black_box(octets)).expect("a message");
                assert!(message.validate_integrity_with_key(&key).is_ok());
                [0x0006, 0x0024, 0x802A, 0x0025]
                    .map(|kind| message.raw_attribute(AttributeType::new(kind)).map(|raw| raw.value.len()))
            });
        });
        let provider = rtc_stun::crypto::default_provider().expect("ring is built in");
        group.bench_function("rtc-stun 0.21", |b| {
            let mut message = rtc_stun::message::Message::new();
            b.iter(|| {
                message.unmarshal_binary(black_box(octets)).expect("a message");
                rtc_stun::integrity::MessageIntegrity::check(
                    &mut message,
                    PASSWORD.as_bytes(),
                    provider.crypto(),
                )
                .expect("right");
                rtc_stun::fingerprint::FINGERPRINT.check(&message).expect("right");
                [0x0006, 0x0024, 0x802A, 0x0025].map(|kind| {
                    message.get(rtc_stun::attributes::AttrType(kind)).map(|value| value.len()).ok()
                })
            });
        });
    }

    pub(super) fn parse_only(group: &mut BenchmarkGroup<'_, WallTime>, octets: &[u8]) {
        group.bench_function("is 0.12 (never checks the fingerprint)", |b| {
            b.iter(|| StunMessage::parse(black_box(octets)).expect("a message").prio());
        });
        group.bench_function("stun-types 2.0", |b| {
            b.iter(|| {
                Message::from_bytes(black_box(octets)).expect("a message").has_attribute(Fingerprint::TYPE)
            });
        });
    }

    pub(super) fn build(group: &mut BenchmarkGroup<'_, WallTime>) {
        group.bench_function("is 0.12", |b| {
            let mut out = [0; 2048];
            let id: TransId = TransId::new();
            b.iter(|| {
                StunMessage::binding_request(
                    black_box(USERNAME),
                    id,
                    true,
                    black_box(TIEBREAKER),
                    black_box(PRIORITY),
                    true,
                )
                .to_bytes(Some(PASSWORD.as_bytes()), &mut out, sha1_hmac)
                .expect("room")
            });
        });
    }

    pub(super) fn plain_response_build(group: &mut BenchmarkGroup<'_, WallTime>, mapped: SocketAddr) {
        group.bench_function("is 0.12 (with fingerprint)", |b| {
            let mut out = [0; 2048];
            let id: TransId = TransId::new();
            b.iter(|| {
                StunMessage::binding_reply(id, black_box(mapped))
                    .to_bytes(None, &mut out, sha1_hmac)
                    .expect("room")
            });
        });
    }

    pub(super) fn plain_response_parse(group: &mut BenchmarkGroup<'_, WallTime>, octets: &[u8]) {
        // `is` refuses a response without MESSAGE-INTEGRITY, so it has no row here.
        group.bench_function("stun-types 2.0", |b| {
            b.iter(|| {
                let message = Message::from_bytes(black_box(octets)).expect("a message");
                message.attribute::<XorMappedAddress>().map(|it| it.addr(message.transaction_id()))
            });
        });
    }
}
