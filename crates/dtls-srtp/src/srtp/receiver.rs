//! The receiving side: RFC 3711 sections 3.3 and 3.4, steps of the receiver. Nothing is remembered of a packet before its tag
//! has been verified.

use ginnel_core::Packet;

use super::crypto::Backend;
use super::header::{RTCP_HEADER, RtpHeader, rtcp_ssrc};
use super::index::{Freshness, Slot, Sources, estimate};
use super::key::{MasterKey, PacketId, SessionKeys};
use super::{Config, Profile};

/// Verifies and decrypts what comes in. One for each direction and master key; the example is at [`super::Sender`].
#[derive(Debug)]
pub struct Receiver {
    rtp: SessionKeys<Backend>,
    rtcp: SessionKeys<Backend>,
    pub(super) rtp_sources: Sources,
    pub(super) rtcp_sources: Sources,
    stats: ReceiverStats,
}
impl Receiver {
    /// A context that has received nothing yet.
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
            stats: ReceiverStats::default(),
        }
    }

    /// Verifies an SRTP packet and decrypts it in place; its tag is cut off.
    ///
    /// # Errors
    /// [`Rejected`], which is counted too. No state has changed; the packet is as it was, but after [`Rejected::Malformed`].
    pub fn unprotect_rtp(&mut self, packet: &mut Packet<'_>) -> Result<(), Rejected> {
        let verdict = self.try_rtp(packet);
        self.stats.count_rtp(verdict);
        verdict
    }
    fn try_rtp(&mut self, packet: &mut Packet<'_>) -> Result<(), Rejected> {
        let tag_at = packet.len().checked_sub(self.profile().tag_len()).ok_or(Rejected::Malformed)?;
        let (protected, _) = packet.bytes().split_at_checked(tag_at).ok_or(Rejected::Malformed)?;
        let header = RtpHeader::parse(protected).ok_or(Rejected::Malformed)?;
        let slot = self.rtp_sources.find(header.ssrc);
        if slot.is_none() && self.rtp_sources.is_full() {
            return Err(Rejected::TooManySources);
        }
        let index = self.verify_rtp(packet, header, slot, tag_at)?;
        packet.truncate(tag_at);
        self.rtp_sources.accept(slot, header.ssrc, index);
        let payload = packet.bytes().get(header.len..).unwrap_or_default();
        header.padding_fits(payload).then_some(()).ok_or(Rejected::Malformed)
    }
    /// Finds the index under which the tag is right, and decrypts.
    fn verify_rtp(
        &self,
        packet: &mut Packet<'_>,
        header: RtpHeader,
        slot: Option<Slot>,
        tag_at: usize,
    ) -> Result<u64, Rejected> {
        let highest = slot.and_then(|slot| self.rtp_sources.highest(slot));
        let index = estimate(highest, header.sequence_number).ok_or(Rejected::OutOfReach)?;
        if let Some(slot) = slot {
            match self.rtp_sources.check(slot, index) {
                Freshness::Fresh => {}
                Freshness::Replayed => return Err(Rejected::Replayed),
                Freshness::TooOld => return Err(Rejected::TooOld),
            }
        }
        if self.open_rtp(packet, header, index, tag_at) {
            return Ok(index);
        }
        // A source that began shortly before a wrap, and whose packets up to it were lost or come late, shows itself with a
        // rollover counter of one already: RFC 3711 section 3.3.1 has no answer, so both are tried.
        let wrapped = index | 1 << 16;
        let retry = slot.is_none() && header.sequence_number < 0x8000;
        if retry && self.open_rtp(packet, header, wrapped, tag_at) {
            Ok(wrapped)
        } else {
            Err(Rejected::BadTag)
        }
    }
    fn open_rtp(&self, packet: &mut Packet<'_>, header: RtpHeader, index: u64, tag_at: usize) -> bool {
        let Some((protected, tag)) = packet.bytes_mut().split_at_mut_checked(tag_at) else { return false };
        let Some((head, body)) = protected.split_at_mut_checked(header.len) else { return false };
        let roc = ((index >> 16) as u32).to_be_bytes();
        let suffix: &[u8] = if self.profile().is_aead() { &[] } else { &roc };
        self.rtp.open(PacketId { ssrc: header.ssrc, index }, head, body, suffix, tag)
    }

    /// Verifies an SRTCP packet and decrypts it in place; index and tag are cut off.
    ///
    /// # Errors
    /// [`Rejected`], which is counted too. Nothing has changed.
    pub fn unprotect_rtcp(&mut self, packet: &mut Packet<'_>) -> Result<(), Rejected> {
        let verdict = self.try_rtcp(packet);
        self.stats.count_rtcp(verdict);
        verdict
    }
    fn try_rtcp(&mut self, packet: &mut Packet<'_>) -> Result<(), Rejected> {
        let end = packet.len().checked_sub(self.profile().rtcp_overhead()).ok_or(Rejected::Malformed)?;
        if end < RTCP_HEADER {
            return Err(Rejected::Malformed);
        }
        let ssrc = rtcp_ssrc(packet.bytes()).ok_or(Rejected::Malformed)?;
        let aead = self.profile().is_aead();
        let (protected, trailer) = packet.bytes_mut().split_at_mut_checked(end).ok_or(Rejected::Malformed)?;
        let (head, body) = protected.split_at_mut_checked(RTCP_HEADER).ok_or(Rejected::Malformed)?;
        // RFC 3711 section 3.4: word, tag. RFC 7714 section 9.3: tag, word.
        let (word, tag) = if aead {
            trailer.split_last_chunk::<4>().map(|(tag, word)| (*word, tag))
        } else {
            trailer.split_first_chunk::<4>().map(|(word, tag)| (*word, tag))
        }
        .ok_or(Rejected::Malformed)?;
        let flagged = u32::from_be_bytes(word);
        // The profiles of DTLS-SRTP encrypt both RTP and RTCP (RFC 5764 section 4.1.2), so a clear packet is not theirs.
        if flagged >> 31 == 0 {
            return Err(Rejected::NotEncrypted);
        }
        let index = u64::from(flagged & 0x7FFF_FFFF);
        let slot = self.rtcp_sources.find(ssrc);
        match slot.map(|slot| self.rtcp_sources.check(slot, index)) {
            Some(Freshness::Replayed) => return Err(Rejected::Replayed),
            Some(Freshness::TooOld) => return Err(Rejected::TooOld),
            None if self.rtcp_sources.is_full() => return Err(Rejected::TooManySources),
            _ => {}
        }
        if !self.rtcp.open(PacketId { ssrc, index }, head, body, &word, tag) {
            return Err(Rejected::BadTag);
        }
        packet.truncate(end);
        self.rtcp_sources.accept(slot, ssrc, index);
        Ok(())
    }

    /// The profile.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.rtp.profile()
    }
    /// What has been done and refused.
    #[must_use]
    pub const fn stats(&self) -> ReceiverStats {
        ReceiverStats {
            rtp_sources: self.rtp_sources.len() as u64,
            rtcp_sources: self.rtcp_sources.len() as u64,
            ..self.stats
        }
    }
}

/// Why a packet was refused.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Too short, not version 2, CSRCs or extension past the end, or (once decrypted) padding longer than the payload.
    #[error("the packet is malformed")]
    Malformed,
    /// The tag is wrong: another key, another index, or a forgery.
    #[error("the authentication tag is wrong")]
    BadTag,
    /// The index has been seen.
    #[error("the packet has been seen already")]
    Replayed,
    /// The index lies behind the replay window.
    #[error("the packet is too old to tell from a replay")]
    TooOld,
    /// The index would lie before the first or behind the last that the key allows.
    #[error("no index under this key has this sequence number")]
    OutOfReach,
    /// An SRTCP packet whose E flag says that it is in the clear.
    #[error("the packet is not encrypted, as the profile demands")]
    NotEncrypted,
    /// A new source, and the context keeps state of as many as it may.
    #[error("there are too many sources under one key")]
    TooManySources,
}

/// Counters of a [`Receiver`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    /// RTP packets accepted.
    pub rtp: u64,
    /// RTCP packets accepted.
    pub rtcp: u64,
    /// RTP or RTCP packets refused as [`Rejected::Malformed`].
    pub malformed: u64,
    /// Refused as [`Rejected::BadTag`].
    pub bad_tag: u64,
    /// Refused as [`Rejected::Replayed`].
    pub replayed: u64,
    /// Refused as [`Rejected::TooOld`] or [`Rejected::OutOfReach`].
    pub too_old: u64,
    /// Refused as [`Rejected::NotEncrypted`].
    pub not_encrypted: u64,
    /// Refused as [`Rejected::TooManySources`].
    pub too_many_sources: u64,
    /// Sources of RTP that have state.
    pub rtp_sources: u64,
    /// Sources of RTCP that have state.
    pub rtcp_sources: u64,
}
impl ReceiverStats {
    fn count_rtp(&mut self, verdict: Result<(), Rejected>) {
        match verdict {
            Ok(()) => self.rtp += 1,
            Err(why) => self.count(why),
        }
    }
    fn count_rtcp(&mut self, verdict: Result<(), Rejected>) {
        match verdict {
            Ok(()) => self.rtcp += 1,
            Err(why) => self.count(why),
        }
    }
    fn count(&mut self, why: Rejected) {
        *match why {
            Rejected::Malformed => &mut self.malformed,
            Rejected::BadTag => &mut self.bad_tag,
            Rejected::Replayed => &mut self.replayed,
            Rejected::TooOld | Rejected::OutOfReach => &mut self.too_old,
            Rejected::NotEncrypted => &mut self.not_encrypted,
            Rejected::TooManySources => &mut self.too_many_sources,
        } += 1;
    }
}
