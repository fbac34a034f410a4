//! The sending side: RFC 3711 sections 3.3 and 3.4, steps of the sender.
//!
//! The replay check of a receiver is made here too: an index that went out once never goes out again, for a second packet
//! under the same keystream would give away both.

use ginnel_core::Packet;

use super::crypto::Backend;
use super::header::{RTCP_HEADER, RtpHeader, rtcp_ssrc};
use super::index::{Freshness, RTCP_INDEX_END, Sources, estimate};
use super::key::{MasterKey, PacketId, SessionKeys};
use super::lifetime::{KeyUse, Lifetime};
use super::{Config, Profile};

/// Protects what goes out. One for each direction and master key.
///
/// ```
/// use ginnel_core::{Buffer, Packet};
/// use ginnel_dtls_srtp::srtp::{Config, MasterKey, Profile, Receiver, Sender};
///
/// let key = MasterKey::new(Profile::AeadAes128Gcm, &[7; 16], &[9; 12])?;
/// let mut sender = Sender::new(&key, Config::default());
/// let mut receiver = Receiver::new(&key, Config::default());
///
/// let mut buf: Buffer = [0; 2048];
/// let mut packet = Packet::empty(&mut buf);
/// let rtp = [0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 42, b'h', b'i'];
/// packet.append(&rtp).unwrap();
/// sender.protect_rtp(&mut packet).unwrap();
/// assert_eq!(packet.len(), rtp.len() + Profile::AeadAes128Gcm.rtp_overhead());
/// receiver.unprotect_rtp(&mut packet).unwrap();
/// assert_eq!(packet.bytes(), rtp);
/// # Ok::<(), ginnel_dtls_srtp::srtp::WrongKeyLength>(())
/// ```
#[derive(Debug)]
pub struct Sender {
    rtp: SessionKeys<Backend>,
    rtcp: SessionKeys<Backend>,
    pub(super) rtp_sources: Sources,
    pub(super) rtcp_sources: Sources,
    pub(super) lifetime: Lifetime,
    stats: SenderStats,
}
impl Sender {
    /// A context that has sent nothing yet. A master key must never have two of them.
    #[must_use]
    pub fn new(key: &MasterKey, config: Config) -> Self {
        Self::from_session_keys(SessionKeys::rtp(key), SessionKeys::rtcp(key), config)
    }
    pub(super) fn from_session_keys(
        rtp: SessionKeys<Backend>,
        rtcp: SessionKeys<Backend>,
        config: Config,
    ) -> Self {
        Self {
            rtp,
            rtcp,
            rtp_sources: Sources::new(config.window, config.max_sources),
            rtcp_sources: Sources::new(config.window, config.max_sources),
            lifetime: Lifetime::default(),
            stats: SenderStats::default(),
        }
    }

    /// Encrypts an RTP packet in place and appends its tag.
    ///
    /// # Errors
    /// [`ProtectError`]; packet and state are then as they were.
    pub fn protect_rtp(&mut self, packet: &mut Packet<'_>) -> Result<(), ProtectError> {
        let header = RtpHeader::parse(packet.bytes()).ok_or(ProtectError::NotRtp)?;
        if !packet.has_room(0, self.profile().rtp_overhead()) {
            return Err(ProtectError::NoRoom);
        }
        if self.lifetime.of_rtp() == KeyUse::Exhausted {
            return Err(ProtectError::KeyExhausted);
        }
        let ssrc = header.ssrc;
        let slot = self.rtp_sources.find(ssrc);
        let highest = slot.and_then(|slot| self.rtp_sources.highest(slot));
        let index = match estimate(highest, header.sequence_number) {
            Some(index) => index,
            None if highest.is_some_and(|highest| highest >> 16 > 0) => {
                return Err(ProtectError::KeyExhausted);
            }
            None => return Err(ProtectError::BeforeFirst),
        };
        match slot {
            Some(slot) if self.rtp_sources.check(slot, index) != Freshness::Fresh => {
                return Err(ProtectError::IndexUsed);
            }
            None if self.rtp_sources.is_full() => return Err(ProtectError::TooManySources),
            _ => {}
        }
        let roc = ((index >> 16) as u32).to_be_bytes();
        // RFC 7714 section 8.2: in GCM the rollover counter is in the nonce alone.
        let suffix: &[u8] = if self.profile().is_aead() { &[] } else { &roc };
        let (head, body) = packet.bytes_mut().split_at_mut(header.len);
        let tag = self.rtp.seal(PacketId { ssrc, index }, head, body, suffix);
        packet.append(tag.as_slice()).map_err(|_| ProtectError::NoRoom)?;
        self.rtp_sources.accept(slot, ssrc, index);
        self.lifetime.rtp += 1;
        self.stats.rtp += 1;
        Ok(())
    }

    /// Encrypts an RTCP compound in place and appends its tag and its index.
    ///
    /// # Errors
    /// [`ProtectError`]; packet and state are then as they were.
    pub fn protect_rtcp(&mut self, packet: &mut Packet<'_>) -> Result<(), ProtectError> {
        let ssrc = rtcp_ssrc(packet.bytes()).ok_or(ProtectError::NotRtp)?;
        if !packet.has_room(0, self.profile().rtcp_overhead()) {
            return Err(ProtectError::NoRoom);
        }
        let slot = self.rtcp_sources.find(ssrc);
        // Section 3.4: the index is zero before the first packet, and counts before each.
        let index = slot.and_then(|slot| self.rtcp_sources.highest(slot)).unwrap_or(0) + 1;
        if self.lifetime.of_rtcp() == KeyUse::Exhausted || index >= RTCP_INDEX_END {
            return Err(ProtectError::KeyExhausted);
        }
        if slot.is_none() && self.rtcp_sources.is_full() {
            return Err(ProtectError::TooManySources);
        }
        // Section 3.4: the E flag, which says that the packet is encrypted, and the index.
        let word = (1 << 31 | index as u32).to_be_bytes();
        let (head, body) = packet.bytes_mut().split_at_mut(RTCP_HEADER);
        let tag = self.rtcp.seal(PacketId { ssrc, index }, head, body, &word);
        // RFC 7714 section 9: the tag belongs to the ciphertext, so the word follows it; in RFC 3711 it comes first.
        let (first, second) =
            if self.profile().is_aead() { (tag.as_slice(), &word[..]) } else { (&word[..], tag.as_slice()) };
        packet.append(first).and_then(|()| packet.append(second)).map_err(|_| ProtectError::NoRoom)?;
        self.rtcp_sources.accept(slot, ssrc, index);
        self.lifetime.rtcp += 1;
        self.stats.rtcp += 1;
        Ok(())
    }

    /// For tests near the end of a key: as if so many RTP packets had been sent.
    #[cfg(all(test, feature = "dtls"))]
    pub(crate) fn pretend_used(&mut self, rtp: u64) {
        self.lifetime.rtp = rtp;
    }
    /// The profile.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.rtp.profile()
    }
    /// How far the key has been used: RFC 3711 section 9.2 ends it at 2^48 RTP or 2^31 RTCP packets.
    #[must_use]
    pub fn key_use(&self) -> KeyUse {
        self.lifetime.worst()
    }
    /// What has been done.
    #[must_use]
    pub const fn stats(&self) -> SenderStats {
        SenderStats {
            rtp_sources: self.rtp_sources.len() as u64,
            rtcp_sources: self.rtcp_sources.len() as u64,
            ..self.stats
        }
    }
}

/// Counters of a [`Sender`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// RTP packets protected.
    pub rtp: u64,
    /// RTCP packets protected.
    pub rtcp: u64,
    /// Sources of RTP that have state.
    pub rtp_sources: u64,
    /// Sources of RTCP that have state.
    pub rtcp_sources: u64,
}

/// Why a packet was not protected. Nothing has changed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtectError {
    /// The packet has no header of version 2, or one that reaches past its end.
    #[error("the packet is no RTP or RTCP")]
    NotRtp,
    /// Tag and index do not fit: leave [`Profile::rtp_overhead`] or [`Profile::rtcp_overhead`] octets.
    #[error("there is no room behind the packet for its tag")]
    NoRoom,
    /// A packet with this sequence number went out, or may have: it lies behind the window.
    #[error("the sequence number was used already, or is too old to tell")]
    IndexUsed,
    /// The sequence number lies before the first that this source sent under this key.
    #[error("the sequence number lies before the first of its source")]
    BeforeFirst,
    /// The context keeps state of as many sources as it may: raise [`Config::max_sources`].
    #[error("there are too many sources under one key")]
    TooManySources,
    /// The key has protected all that it may: a new DTLS association is needed.
    #[error("the key has protected all that it may")]
    KeyExhausted,
}
