//! Allocations counted: none for a packet of media, none for DTLS beyond what the library makes.

use ginnel_alloc_counter::{Counting, allocations, assert_installed};
use ginnel_core::{Buffer, Packet};
use ginnel_dtls_srtp::demux;
use ginnel_dtls_srtp::srtp::{Config, MasterKey, Profile, Receiver, Sender};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn media_allocates_nothing() {
    assert_installed();
    for profile in Profile::ALL {
        let key =
            MasterKey::new(profile, &[1; 32][..profile.key_len()], &[2; 14][..profile.salt_len()]).unwrap();
        let mut sender = Sender::new(&key, Config::default());
        let mut receiver = Receiver::new(&key, Config::default());
        let mut buf: Buffer = [0; 2048];
        let mut round = |sequence: u16| {
            let mut rtp = [0xA5; 1212];
            rtp[..12].copy_from_slice(&[0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
            rtp[2..4].copy_from_slice(&sequence.to_be_bytes());
            let mut packet = Packet::empty(&mut buf);
            packet.append(&rtp).unwrap();
            sender.protect_rtp(&mut packet).unwrap();
            assert_eq!(demux(packet.bytes()), ginnel_dtls_srtp::Protocol::Rtp);
            receiver.unprotect_rtp(&mut packet).unwrap();
            assert_eq!(packet.bytes(), rtp);
            receiver.unprotect_rtp(&mut packet).unwrap_err();
            let mut packet = Packet::empty(&mut buf);
            packet.append(&[0x80, 201, 0, 1, 0, 0, 0, 7]).unwrap();
            sender.protect_rtcp(&mut packet).unwrap();
            receiver.unprotect_rtcp(&mut packet).unwrap();
        };
        round(0);
        assert_eq!(allocations(|| (1..1_000).for_each(round)).0, 0, "{profile:?}");
    }
}

/// What the library allocates for each record, alone and inside an endpoint: the endpoint adds none. The figures are in the
/// README.
#[cfg(feature = "dtls")]
#[test]
fn application_data_allocates_only_in_the_library() {
    use ginnel_core::{Epoch, Handled, Instant, Seed};
    use ginnel_dtls_srtp::dtls::{Certificate, Endpoint, EndpointConfig, HashFunction, Role, Versions};
    use std::sync::Arc;

    let certificates = [(); 2].map(|()| Arc::new(Certificate::generate().unwrap()));
    let now = Instant::EPOCH;
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let make = |role, ours: usize| {
            let theirs = vec![certificates[1 - ours].fingerprint(HashFunction::Sha256)];
            let config = EndpointConfig::new(certificates[ours].clone(), role, theirs, Epoch::start());
            Endpoint::new(config.with_versions(versions), now, &Seed::new([ours as u8; 32])).unwrap()
        };
        let (mut client, mut server) = (make(Role::Client, 0), make(Role::Server, 1));
        let mut buf: Buffer = [0; 2048];
        for _ in 0..8 {
            let mut packet = Packet::empty(&mut buf);
            while client.poll_transmit(now, &mut packet) {
                let _ = server.handle_input(now, &mut packet);
            }
            while server.poll_transmit(now, &mut packet) {
                let _ = client.handle_input(now, &mut packet);
            }
        }
        assert!(client.is_connected() && server.is_connected());
        let (mut sending, mut receiving) = (0, 0);
        for round in 0..300 {
            let mut packet = Packet::empty(&mut buf);
            packet.append(&[7; 1_000]).unwrap();
            let (sent, ()) = allocations(|| client.send(now, &mut packet).unwrap());
            let (received, ()) =
                allocations(|| assert_eq!(server.handle_input(now, &mut packet), Handled::Data(())));
            if round >= 100 {
                sending += sent;
                receiving += received;
            }
        }
        assert_eq!((sending, receiving), bare(versions, &certificates), "{versions:?}");
    }
}
/// The same 200 records through the library alone.
#[cfg(feature = "dtls")]
fn bare(
    versions: ginnel_dtls_srtp::dtls::Versions,
    certificates: &[std::sync::Arc<ginnel_dtls_srtp::dtls::Certificate>; 2],
) -> (u64, u64) {
    use dimpl::{Config, Dtls, DtlsCertificate, Output};
    let now = ginnel_core::Epoch::start().to_std(ginnel_core::Instant::EPOCH);
    let make = |ours: usize| {
        let certificate = DtlsCertificate {
            certificate: certificates[ours].der().to_vec(),
            private_key: certificates[ours].private_key_der().to_vec(),
        };
        let config = std::sync::Arc::new(Config::default());
        let new =
            if versions == ginnel_dtls_srtp::dtls::Versions::Dtls12 { Dtls::new_12 } else { Dtls::new_13 };
        new(config, certificate, now)
    };
    fn drain(from: &mut Dtls, into: &mut Dtls, scratch: &mut [u8]) {
        loop {
            match from.poll_output(scratch) {
                Output::Packet(datagram) => into.handle_packet(datagram).unwrap(),
                Output::Timeout(_) => return,
                _ => {}
            }
        }
    }
    let (mut client, mut server) = (make(0), make(1));
    client.set_active(true);
    let mut scratch = vec![0; 4096];
    for _ in 0..8 {
        client.handle_timeout(now).unwrap();
        server.handle_timeout(now).unwrap();
        drain(&mut client, &mut server, &mut scratch);
        drain(&mut server, &mut client, &mut scratch);
    }
    let (mut sending, mut receiving) = (0, 0);
    let mut record = vec![0; 4096];
    for round in 0..300 {
        let mut len = 0;
        let (sent, ()) = allocations(|| {
            client.send_application_data(&[7; 1_000]).unwrap();
            while let Output::Packet(datagram) = client.poll_output(&mut scratch) {
                len = datagram.len();
                record[..len].copy_from_slice(datagram);
            }
        });
        let (received, ()) = allocations(|| {
            server.handle_timeout(now).unwrap();
            while !matches!(server.poll_output(&mut scratch), Output::Timeout(_)) {}
            server.handle_packet(&record[..len]).unwrap();
            let mut data = 0;
            loop {
                match server.poll_output(&mut scratch) {
                    Output::ApplicationData(octets) => data += octets.len(),
                    Output::Timeout(_) => break,
                    _ => {}
                }
            }
            assert_eq!(data, 1_000);
        });
        if round >= 100 {
            sending += sent;
            receiving += received;
        }
    }
    (sending, receiving)
}
