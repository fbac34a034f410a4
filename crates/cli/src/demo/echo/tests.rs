//! An echo and a peer that talks to it, in one simulated network.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use ginnel::{
    core::Epoch,
    dtls_srtp::dtls::Certificate,
    ice::{AgentConfig, Role},
    peer::{ChannelConfig, ConnectionState, SdpType},
    rtp::{
        RtpHeader, RtpView,
        rtcp::{Compound, Rtcp},
    },
    sdp::{attribute::Direction, jsep::MediaKind},
};
use ginnel_netsim::{Link, NodeId, Sim};

use super::*;

const LONG: Duration = Duration::from_secs(120);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn certificate(of: usize) -> Arc<Certificate> {
    static MADE: OnceLock<[Arc<Certificate>; 2]> = OnceLock::new();
    MADE.get_or_init(|| std::array::from_fn(|_| Arc::new(Certificate::generate().unwrap())))[of].clone()
}

/// The echo, and the peer that offers to it.
struct Scene {
    sim: Sim,
    peer: NodeId<Peer>,
    echo: NodeId<EchoPeer>,
    channel: ChannelId,
}

impl Scene {
    /// Connected, with a section each for audio, video and data.
    fn new(link: Link) -> Self {
        let mut sim = Sim::new(7);
        let (near, far) = (sim.host(["192.0.2.1"]), sim.host(["192.0.2.2"]));
        sim.set_link(near, far, link);
        let config = |of, role| {
            PeerConfig::new(Epoch::start(), certificate(of))
                .with_trickle(false)
                .with_ice(AgentConfig::new(role))
        };
        let (offering, echoing) = (sim.seed("peer"), sim.seed("echo"));
        let peer = sim.add(near, Peer::new(config(0, Role::Controlling), offering));
        let echo = sim.add(far, EchoPeer::new(config(1, Role::Controlled), &echoing));
        let channel = sim.with(peer, |peer, now| {
            for kind in [MediaKind::Audio, MediaKind::Video] {
                peer.add_transceiver(kind, Direction::SendRecv).unwrap();
            }
            peer.add_local_ip(now, "192.0.2.1".parse().unwrap()).unwrap();
            peer.end_of_local_ips(now);
            peer.open_channel(now, ChannelConfig::new("chat")).unwrap()
        });
        sim.run_for(ms(100));
        let offer = sim.with(peer, Peer::offer).unwrap();
        sim.with(echo, |echo, now| {
            echo.command(now, |peer| {
                peer.set_remote(now, SdpType::Offer, &offer).unwrap();
                peer.add_local_ip(now, "192.0.2.2".parse().unwrap()).unwrap();
                peer.end_of_local_ips(now);
            });
        });
        sim.run_for(ms(100));
        let answer = sim.with(echo, |echo, now| echo.command(now, |peer| peer.answer(now))).unwrap();
        sim.with(peer, |peer, now| peer.set_remote(now, SdpType::Answer, &answer)).unwrap();
        let mut scene = Self { sim, peer, echo, channel };
        let mut opened = false;
        scene.sim.expect("both are connected and the channel is open", LONG, |sim| {
            opened |= sim.events(peer).iter().any(|event| matches!(event, Event::ChannelOpened { .. }));
            let connected = sim.get(echo).peer().state() == ConnectionState::Connected;
            opened && connected && sim.get(peer).state() == ConnectionState::Connected
        });
        scene
    }

    /// What the peer sends in a section, and what comes back: payload types by their meaning, and SSRCs.
    fn section(&self, index: usize) -> (Sending, NegotiatedSection) {
        let peer = self.sim.get(self.peer);
        let section = peer.negotiated().unwrap().sections[index].clone();
        let transceiver = peer.transceivers().find(|t| Some(t.id) == section.transceiver).unwrap();
        (transceiver.sending.clone().unwrap(), section)
    }

    fn send_rtp(&mut self, header: RtpHeader, payload: &[u8]) {
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        packet.append(payload).unwrap();
        header.prepend(&mut packet).unwrap();
        self.sim.send(self.peer, packet.bytes(), Peer::send_rtp).unwrap();
    }
}

fn payload(section: usize, n: u16) -> Vec<u8> {
    format!("section {section}, packet {n}").into_bytes()
}

#[test]
fn media_comes_back_under_the_negotiated_numbers_though_a_twentieth_is_lost() {
    const SENT: u16 = 300;
    let mut scene = Scene::new(Link::new(ms(10)).with_loss(0.05));
    let sections = [0, 1].map(|index| scene.section(index));
    for n in 0..SENT {
        for (index, (sending, section)) in sections.iter().enumerate() {
            let codec = &section.codecs[0];
            let header = RtpHeader {
                payload_type: codec.send_payload_type,
                // Across the end of the numbers.
                sequence_number: 65_500_u16.wrapping_add(n),
                timestamp: u32::from(n) * codec.clock_rate / 50,
                ssrc: sending.ssrc,
                marker: true,
            };
            scene.send_rtp(header, &payload(index, n));
        }
        scene.sim.run_for(ms(20));
    }
    scene.sim.run_for(ms(500));

    let mut back: BTreeMap<u32, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let (mut asked_for, mut reports, mut reported) = (BTreeSet::new(), 0, BTreeSet::new());
    for received in scene.sim.data(scene.peer) {
        if received.data == Data::Rtcp {
            for packet in Compound::parse(&received.bytes).unwrap().packets() {
                match packet.unwrap() {
                    Rtcp::Nack(nack) => {
                        asked_for.insert(nack.media_ssrc);
                    }
                    Rtcp::ReceiverReport(report) => {
                        reports += 1;
                        assert_eq!(
                            report.ssrc, sections[0].1.remote.sources[0].ssrc,
                            "a source that was signalled"
                        );
                        reported.extend(report.blocks().map(|block| (block.ssrc, block.cumulative_lost > 0)));
                    }
                    _ => {}
                }
            }
            continue;
        }
        let rtp = RtpView::parse(&received.bytes).unwrap();
        let of = |section: &NegotiatedSection| {
            section.remote.sources.iter().any(|source| source.ssrc == rtp.ssrc())
        };
        let index = sections.iter().position(|(_, section)| of(section)).expect("an SSRC of the answer");
        assert_eq!(rtp.payload_type(), sections[index].1.codecs[0].receive_payload_type);
        let n = rtp.sequence_number().wrapping_sub(65_500);
        assert_eq!(rtp.payload(), payload(index, n), "the numbers are the ones it was sent with");
        assert!(back.entry(rtp.ssrc()).or_default().insert(rtp.payload().to_vec()), "nothing comes twice");
    }
    for (sending, section) in &sections {
        let came = back[&section.remote.sources[0].ssrc].len();
        // A twentieth each way leaves nine tenths, and the seed says which.
        assert!((usize::from(SENT) * 8 / 10..usize::from(SENT)).contains(&came), "{came}");
        assert!(reported.contains(&(sending.ssrc, true)), "losses are reported: {reported:?}");
    }
    assert!(reports >= 4, "{reports} in six seconds");
    let video = sections[1].0.ssrc;
    assert_eq!(asked_for, BTreeSet::from([video]), "only video agreed on requests for single packets");
    let media = scene.sim.get(scene.echo).media();
    assert_eq!((media.malformed_rtp, media.malformed_rtcp, media.streams_refused), (0, 0, 0));
}

#[test]
fn messages_come_back_as_they_came_and_in_order() {
    let mut scene = Scene::new(Link::new(ms(10)).with_loss(0.05));
    let (peer, channel) = (scene.peer, scene.channel);
    let messages = [(MessageKind::Text, "hello"), (MessageKind::Binary, "\0\u{1}"), (MessageKind::Text, "")];
    for (kind, text) in messages {
        scene.sim.with(peer, |peer, now| peer.send_message(now, channel, kind, text.as_bytes())).unwrap();
    }
    let mut back = Vec::new();
    scene.sim.expect("all are back", LONG, |sim| {
        for event in sim.events(peer) {
            if let Event::Message { kind, data, .. } = event {
                back.push((kind, data));
            }
        }
        back.len() >= messages.len()
    });
    assert!(back.iter().map(|(kind, data)| (*kind, &data[..])).eq(messages.map(|(k, t)| (k, t.as_bytes()))));
}

#[test]
fn a_flood_of_large_messages_is_held_back_and_comes_back_whole() {
    const COUNT: usize = 40;
    const LENGTH: usize = 256 * 1024;
    let mut scene = Scene::new(Link::new(ms(1)));
    let (peer, channel) = (scene.peer, scene.channel);
    let (mut sent, mut back) = (0, 0);
    scene.sim.expect("all are back", LONG, |sim| {
        while sent < COUNT {
            let message = vec![sent as u8; LENGTH];
            let command =
                |peer: &mut Peer, now| peer.send_message(now, channel, MessageKind::Binary, &message);
            match sim.with(peer, command) {
                Ok(()) => sent += 1,
                Err(MessageError::Refused(SendError::Full)) => break,
                Err(other) => panic!("{other}"),
            }
        }
        for event in sim.events(peer) {
            if let Event::Message { data, .. } = event {
                assert!(
                    data.len() == LENGTH && data.iter().all(|octet| usize::from(*octet) == back),
                    "{back}"
                );
                back += 1;
            }
        }
        back == COUNT
    });
    let echo = scene.sim.get(scene.echo);
    assert_eq!((echo.waiting.len(), echo.waiting_octets), (0, 0));
}

#[test]
fn an_echo_that_is_closed_ends_and_so_does_its_peer() {
    let mut scene = Scene::new(Link::new(ms(10)));
    let (peer, echo) = (scene.peer, scene.echo);
    scene.sim.with(echo, |echo, now| echo.close(now));
    scene.sim.expect("both are closed", LONG, |sim| {
        let _ = (sim.events(peer), sim.events(echo));
        sim.get(echo).is_closed() && sim.get(peer).is_closed()
    });
}
