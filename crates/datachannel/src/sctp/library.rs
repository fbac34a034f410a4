//! The library behind the façade: everything of `sctp-proto` that this crate touches is in this file.
//!
//! It carries data only: DATA, SACK, FORWARD TSN, RE-CONFIG and HEARTBEAT of an association that is established. It is
//! made from the two INIT chunks, as its SNAP support allows, whether they came by signalling or by the handshake in
//! `handshake.rs`. So its random tags, TSNs and cookies, its `Instant::now()` and its handshake and shutdown machines are
//! not in use. What randomness it still draws (one generator for each endpoint) decides nothing.

use super::wire::Init;
use crate::association::{AssociationConfig, Reliability};
use bytes::Bytes;
use core::{fmt, net::SocketAddr};
use ginnel_core::{Epoch, Instant};
use sctp_proto::{
    AssociationError, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier, ReliabilityType, StreamEvent, TransportConfig,
};
use std::sync::Arc;

/// The library wants an address, which DTLS does not have: it is compared with nothing.
const NOWHERE: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 9);
/// The library counts its packet's overhead so: the common header and one DATA header.
const DATA_OVERHEAD: usize = 12 + 16;

/// What the data plane has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// A whole message can be read.
    Readable(u16),
    /// The peer has reset its side of the stream, and all that it sent before was read.
    ResetByPeer(u16),
    /// Both sides of the stream are reset: the identifier is free.
    ResetDone(u16),
    /// The reset failed: the identifier cannot be used again.
    ResetFailed(u16),
    /// Nothing can be kept.
    Lost(Loss),
}
/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    ProtocolViolated,
    ReceiveWindowExhausted,
}

/// The Payload Protocol Identifiers of WebRTC (RFC 8831 section 8). The deprecated 52 and 54 are not told from others
/// by the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ppid {
    Dcep,
    Text,
    Binary,
    TextEmpty,
    BinaryEmpty,
    Other,
}

/// The state of an established association.
pub(crate) struct DataPlane {
    endpoint: Endpoint,
    association: sctp_proto::Association,
    epoch: Epoch,
}
impl fmt::Debug for DataPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataPlane").finish_non_exhaustive()
    }
}
impl DataPlane {
    /// `None` if the library refuses the two: it checks what `Init::parse` has checked, and that the tags differ.
    pub(crate) fn new(config: &AssociationConfig, local: &Init, remote: &Init) -> Option<Self> {
        let millis = |d: core::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX).max(1);
        let receive = u32::try_from(config.max_message_size).unwrap_or(u32::MAX);
        let transport = TransportConfig::default()
            .with_max_receive_buffer_size(config.window())
            .with_max_receive_message_size(receive)
            // The limit of the peer is ours to keep: it may change after this.
            .with_max_send_message_size(u32::MAX)
            .with_max_num_outbound_streams(local.outbound_streams)
            .with_max_num_inbound_streams(local.inbound_streams)
            .with_max_init_retransmits(None)
            .with_max_data_retransmits(None)
            .with_rto_initial_ms(millis(config.rto_initial))
            .with_rto_min_ms(millis(config.rto_min))
            .with_rto_max_ms(millis(config.rto_max.max(config.rto_min)))
            .with_local_port(config.local_port.max(1))
            .with_remote_port(config.remote_port.max(1));
        let mut client = ClientConfig::new().with_snap(local.normalised().into(), remote.normalised().into());
        client.transport = Arc::new(transport);
        let mut settings = EndpointConfig::new();
        settings.max_payload_size(payload_limit(config));
        let mut endpoint = Endpoint::new(Arc::new(settings), None);
        let (_, association) = endpoint.connect(client, NOWHERE).ok()?;
        Some(Self { endpoint, association, epoch: config.epoch })
    }
    /// Takes a packet that holds nothing but data chunks. `false` if the library dropped it.
    pub(crate) fn input(&mut self, now: Instant, packet: Bytes) -> bool {
        let now = self.epoch.to_std(now);
        match self.endpoint.handle(now, NOWHERE, None, None, packet) {
            Some((_, DatagramEvent::AssociationEvent(event))) => {
                self.association.handle_event(event);
                true
            }
            _ => false,
        }
    }
    /// The next packets to send.
    pub(crate) fn transmit(&mut self, now: Instant) -> Vec<Bytes> {
        match self.association.poll_transmit(self.epoch.to_std(now)).map(|t| t.payload) {
            Some(Payload::RawEncode(packets)) => packets,
            _ => Vec::new(),
        }
    }
    pub(crate) fn timeout(&mut self, now: Instant) {
        self.association.handle_timeout(self.epoch.to_std(now));
    }
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.association.poll_timeout().map(|at| self.epoch.from_std(at))
    }
    pub(crate) fn poll(&mut self) -> Option<Happening> {
        loop {
            return Some(match self.association.poll()? {
                Event::Stream(StreamEvent::Readable { id }) => Happening::Readable(id),
                Event::Stream(StreamEvent::Finished { id }) => Happening::ResetByPeer(id),
                Event::Stream(StreamEvent::ResetComplete { id }) => Happening::ResetDone(id),
                Event::Stream(StreamEvent::ResetFailed { id, .. }) => Happening::ResetFailed(id),
                Event::AssociationLost { reason: AssociationError::ReceiveBufferExhausted } => {
                    Happening::Lost(Loss::ReceiveWindowExhausted)
                }
                Event::AssociationLost { .. } | Event::HandshakeFailed { .. } => {
                    Happening::Lost(Loss::ProtocolViolated)
                }
                _ => continue,
            });
        }
    }
    /// The next whole message of a stream, put together in one allocation.
    pub(crate) fn read(&mut self, id: u16) -> Option<(Ppid, Bytes)> {
        let message = self.association.stream(id).ok()?.read_sctp().ok()??;
        let mut octets = vec![0; message.len()];
        message.read(&mut octets).ok()?;
        let ppid = match message.ppi {
            PayloadProtocolIdentifier::Dcep => Ppid::Dcep,
            PayloadProtocolIdentifier::String => Ppid::Text,
            PayloadProtocolIdentifier::Binary => Ppid::Binary,
            PayloadProtocolIdentifier::StringEmpty => Ppid::TextEmpty,
            PayloadProtocolIdentifier::BinaryEmpty => Ppid::BinaryEmpty,
            PayloadProtocolIdentifier::Unknown => Ppid::Other,
        };
        Some((ppid, octets.into()))
    }
    /// Makes sure that a stream exists. `false` while its reset has not ended.
    pub(crate) fn open(&mut self, id: u16) -> bool {
        self.association.stream(id).is_ok()
            || self.association.open_stream(id, PayloadProtocolIdentifier::Binary).is_ok()
    }
    /// How the messages that follow are sent. DCEP is always sent ordered and reliable.
    pub(crate) fn set_delivery(&mut self, id: u16, ordered: bool, reliability: Reliability) {
        let (policy, value) = match reliability {
            Reliability::Reliable => (ReliabilityType::Reliable, 0),
            Reliability::MaxRetransmits(n) => (ReliabilityType::Rexmit, u32::from(n)),
            Reliability::MaxLifetime(d) => {
                (ReliabilityType::Timed, u32::try_from(d.as_millis()).unwrap_or(u32::MAX))
            }
        };
        if let Ok(mut stream) = self.association.stream(id) {
            // Fails only for a stream that is not there.
            let _ = stream.set_reliability_params(!ordered, policy, value);
        }
    }
    /// Queues a message. `false` if the stream takes none.
    pub(crate) fn write(&mut self, id: u16, ppid: Ppid, message: &[u8]) -> bool {
        let ppid = match ppid {
            Ppid::Dcep => PayloadProtocolIdentifier::Dcep,
            Ppid::Text => PayloadProtocolIdentifier::String,
            Ppid::Binary => PayloadProtocolIdentifier::Binary,
            Ppid::TextEmpty => PayloadProtocolIdentifier::StringEmpty,
            Ppid::BinaryEmpty => PayloadProtocolIdentifier::BinaryEmpty,
            Ppid::Other => return false,
        };
        self.association.stream(id).is_ok_and(|mut stream| stream.write_with_ppi(message, ppid).is_ok())
    }
    /// Octets queued or in flight on a stream, DCEP's included.
    pub(crate) fn buffered(&mut self, id: u16) -> usize {
        self.association.stream(id).ok().and_then(|stream| stream.buffered_amount().ok()).unwrap_or(0)
    }
    /// Resets our side of a stream once all that was sent on it is acknowledged (RFC 8831 section 6.7).
    pub(crate) fn reset(&mut self, id: u16) -> bool {
        self.association.stream(id).is_ok_and(|mut stream| stream.close().is_ok())
    }
}

fn payload_limit(config: &AssociationConfig) -> u32 {
    // A multiple of 4, so that a full DATA chunk needs no padding beyond the limit.
    let limit = (config.packet_limit() - DATA_OVERHEAD) & !3;
    u32::try_from(limit).unwrap_or(u32::MAX)
}
