//! Channels (RFC 8656 section 12): numbers from 0x4000 on, each for one peer at a time.
//!
//! ```text
//!  free --ChannelBind--> asking --success--> bound for 600 s --after 540 s--> asking ...
//!                          |  \--refused--> free
//!                          \--no answer: the server may have it--> expiring
//!  bound --unbound by the user--> expiring --600 s after the last request, and 300 s more--> free
//! ```
//!
//! A number that expires can be had again by its peer at any time, and by another one only when it is free: the five
//! minutes of section 12.

use alloc::vec::Vec;
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::Instant;
use ginnel_stun::{
    Method,
    attribute::{self, XorPeerAddress},
    client::{RequestId, StartError},
};

use super::{
    Client,
    event::{Event, FailureReason, PeerError},
    state::{After, Purpose},
};
use crate::ChannelNumber;

/// RFC 8656 section 12: *lasts for 10 minutes*.
pub(super) const LIFETIME: Duration = Duration::from_secs(600);
/// RFC 8656 section 12: *MUST wait 5 minutes after the channel binding expires*.
const REUSE: Duration = Duration::from_secs(300);
/// How long before its end a channel is refreshed: time for all seven sendings.
const MARGIN: Duration = Duration::from_secs(60);
/// How long to wait after a refresh that failed in passing.
const RETRY: Duration = Duration::from_secs(5);
/// RFC 8656 section 12: 0x4000 to 0x4FFF.
const NUMBERS: usize = 0x1000;

/// One channel.
#[derive(Debug)]
struct Channel {
    peer: SocketAddr,
    /// Nobody has given it up.
    wanted: bool,
    asking: Option<(RequestId, Instant)>,
    /// Until when the server surely has it.
    until: Option<Instant>,
    /// Until when the server may have it: no request was sent later than ten minutes before.
    expires: Option<Instant>,
    due: Instant,
    told: bool,
}
impl Channel {
    fn is_bound(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }
    fn may_be_asked_for(&self, now: Instant) -> bool {
        self.asking.is_some() || self.expires.is_some_and(|at| at > now)
    }
    /// When the number and the peer are free for others.
    fn free_at(&self) -> Option<Instant> {
        self.expires.map(|at| at + REUSE)
    }
}

/// Whether a ChannelBind is on its way, which brings the permission too, and may have done so already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vouched(pub(super) bool);

/// All of them: a slot for each number that was ever used, and the peers in order.
#[derive(Debug, Default)]
pub(super) struct Channels {
    slots: Vec<Option<Channel>>,
    by_peer: Vec<(SocketAddr, u16)>,
}
impl Channels {
    #[inline]
    fn slot_of(&self, peer: SocketAddr) -> Option<u16> {
        let at = self.by_peer.binary_search_by(|(other, _)| other.cmp(&peer)).ok()?;
        self.by_peer.get(at).map(|(_, slot)| *slot)
    }
    fn get(&self, slot: u16) -> Option<&Channel> {
        self.slots.get(usize::from(slot))?.as_ref()
    }
    fn get_mut(&mut self, slot: u16) -> Option<&mut Channel> {
        self.slots.get_mut(usize::from(slot))?.as_mut()
    }
    /// The channel to send to this peer through.
    #[inline]
    pub(super) fn bound(&self, now: Instant, peer: SocketAddr) -> Option<ChannelNumber> {
        let slot = self.slot_of(peer)?;
        if self.get(slot)?.is_bound(now) { number(slot) } else { None }
    }
    /// Whom the server names by this number: it may use it as soon as it was asked for (RFC 8656 section 12).
    #[inline]
    pub(super) fn peer(&self, now: Instant, channel: ChannelNumber) -> Option<(SocketAddr, Vouched)> {
        let it = self.get(channel.number() - ChannelNumber::MIN.number())?;
        it.may_be_asked_for(now).then_some((it.peer, Vouched(it.asking.is_some())))
    }
    pub(super) fn len(&self) -> usize {
        self.by_peer.len()
    }
    fn has_room_for(&self, peer: SocketAddr, max: usize) -> bool {
        self.slot_of(peer).is_some() || self.len() < max.min(NUMBERS)
    }
    /// Enters a peer, or wants its channel again.
    fn want(&mut self, now: Instant, peer: SocketAddr, max: usize) -> Result<(), PeerError> {
        if let Some(it) = self.slot_of(peer).and_then(|slot| self.get_mut(slot)) {
            if !core::mem::replace(&mut it.wanted, true) {
                // Given up before: it is bound anew, to the same number.
                (it.told, it.due) = (false, now);
            }
            return Ok(());
        }
        if !self.has_room_for(peer, max) {
            return Err(PeerError::TooMany);
        }
        let slot = match self.slots.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.slots.push(None);
                self.slots.len() - 1
            }
        };
        let fresh =
            Channel { peer, wanted: true, asking: None, until: None, expires: None, due: now, told: false };
        if let (Some(place), Ok(slot)) = (self.slots.get_mut(slot), u16::try_from(slot)) {
            *place = Some(fresh);
            let (Ok(at) | Err(at)) = self.by_peer.binary_search_by(|(other, _)| other.cmp(&peer));
            self.by_peer.insert(at, (peer, slot));
        }
        Ok(())
    }
    fn remove(&mut self, slot: u16) {
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            *place = None;
        }
        self.by_peer.retain(|(_, other)| *other != slot);
    }
    fn each(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.slots.iter_mut().flatten()
    }
    pub(super) fn forget(&mut self, of: impl Fn(SocketAddr) -> bool) {
        for it in self.each().filter(|it| of(it.peer)) {
            it.wanted = false;
        }
    }
    /// Takes out what nobody may have any more.
    fn sweep(&mut self, now: Instant) {
        self.keep(|it| it.wanted || it.asking.is_some() || it.free_at().is_some_and(|free| free > now));
    }
    /// Keeps what `stays` says yes to, of the peer and whether it is wanted.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(SocketAddr, bool) -> bool) {
        self.keep(|it| stays(it.peer, it.wanted));
    }
    fn keep(&mut self, mut stays: impl FnMut(&Channel) -> bool) {
        let slots = &mut self.slots;
        self.by_peer.retain(|(_, slot)| {
            let Some(place) = slots.get_mut(usize::from(*slot)) else { return false };
            let stays = place.as_ref().is_some_and(&mut stays);
            if !stays {
                *place = None;
            }
            stays
        });
    }
    /// Bindings are of an allocation: the next one begins with none (RFC 8656 section 12). But a request that is late may
    /// yet find the next one, which has the same five-tuple: so a number that may have been asked for stays its peer's.
    pub(super) fn allocation_gone(&mut self, now: Instant) {
        self.keep(|it| it.wanted || it.may_be_asked_for(now));
        for it in self.each() {
            it.expires = it.may_be_asked_for(now).then(|| now + LIFETIME);
            (it.asking, it.until, it.due, it.told) = (None, None, Instant::EPOCH, false);
        }
    }
    /// The requests that were on their way are not any more; the server may have heard them.
    pub(super) fn ask_again(&mut self, now: Instant) {
        for it in self.each().filter(|it| it.asking.is_some()) {
            (it.asking, it.due) = (None, now);
            it.expires = it.expires.max(Some(now + LIFETIME));
        }
    }
    /// When something is next to be done that is not waiting for room already.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let of = |it: &Channel| {
            let due = (it.wanted && it.asking.is_none()).then_some(it.due);
            let end = if it.wanted { None } else { it.free_at() };
            [due, end]
        };
        self.slots.iter().flatten().flat_map(of).flatten().filter(|&at| at > now).min()
    }
    /// The first that is to be asked for now.
    fn due(&self, now: Instant) -> Option<(u16, SocketAddr)> {
        let asks = |it: &Channel| it.wanted && it.asking.is_none() && it.due <= now;
        let at = self.slots.iter().position(|it| it.as_ref().is_some_and(asks))?;
        let slot = u16::try_from(at).ok()?;
        Some((slot, self.get(slot)?.peer))
    }
    fn asked_by(&self, request: RequestId) -> Option<u16> {
        let by = |it: &Channel| it.asking.is_some_and(|(other, _)| other == request);
        let at = self.slots.iter().position(|it| it.as_ref().is_some_and(by))?;
        u16::try_from(at).ok()
    }
}
fn number(slot: u16) -> Option<ChannelNumber> {
    ChannelNumber::new(ChannelNumber::MIN.number().checked_add(slot)?)
}

impl Client {
    /// Wants a channel, and with it a permission.
    pub(super) fn want_channel(&mut self, now: Instant, peer: SocketAddr) -> Result<(), PeerError> {
        if peer.port() == 0 {
            return Err(PeerError::NoPeer);
        }
        self.channels.sweep(now);
        if !self.channels.has_room_for(peer, self.config.max_channels) {
            return Err(PeerError::TooMany);
        }
        self.want_permission(now, peer.ip(), true)?;
        self.channels.want(now, peer, self.config.max_channels)
    }
    /// Asks for what is due, as far as there is room.
    pub(super) fn pump_channels(&mut self, now: Instant) {
        self.channels.sweep(now);
        let Some(line) = self.line else { return };
        while let Some((slot, peer)) = self.channels.due(now) {
            let Some(channel) = number(slot).filter(|_| self.has_room_for_peers()) else { return };
            let asked = self.ask(now, line.path, Method::CHANNEL_BIND, Purpose::Channel, move |open| {
                open.attribute(&attribute::ChannelNumber(channel.number()))?.attribute(&XorPeerAddress(peer))
            });
            match asked {
                Ok(request) => {
                    if let Some(it) = self.channels.get_mut(slot) {
                        it.asking = Some((request, now));
                    }
                }
                Err(error @ StartError::NoRoom) => {
                    self.channel_failed(now, slot, FailureReason::NotStarted(error));
                }
                Err(_) => return,
            }
        }
    }
    /// A ChannelBind has ended (RFC 8656 section 12.3).
    pub(super) fn on_channel(
        &mut self,
        now: Instant,
        request: RequestId,
        refused: Option<FailureReason>,
        once: bool,
    ) {
        if refused == Some(FailureReason::AllocationMismatch) {
            return self.on_lost(now, FailureReason::AllocationMismatch);
        }
        let Some(slot) = self.channels.asked_by(request) else { return };
        let Some(it) = self.channels.get_mut(slot) else { return };
        let Some((_, since)) = it.asking.take() else { return };
        let (peer, was_bound) = (it.peer, it.is_bound(now));
        match refused {
            None => {
                // Counted from its sending, the server has it longer than that; from its answer, not longer than that.
                it.until = Some(since + LIFETIME);
                it.expires = Some(now + LIFETIME);
                it.due = since + (LIFETIME - MARGIN);
                let told = core::mem::replace(&mut it.told, true);
                if self.permissions.came_with_channel(now, since, peer.ip()) {
                    self.events.push_back(Event::PermissionReady { ip: peer.ip() });
                }
                if let (false, Some(channel)) = (told, number(slot)) {
                    self.events.push_back(Event::ChannelBound { peer, channel });
                }
            }
            // RFC 8656 section 12.3: what was bound is not bound any more, or otherwise.
            Some(FailureReason::BadRequest) if was_bound => self.delete(now, After::Again),
            Some(reason) => {
                // An earlier sending may have bound it.
                if !once {
                    it.expires = it.expires.max(Some(now + LIFETIME));
                }
                self.channel_failed(now, slot, reason);
            }
        }
    }
    /// What was there before is tried again if the cause may pass; all else has failed, and data goes in indications.
    fn channel_failed(&mut self, now: Instant, slot: u16, reason: FailureReason) {
        let Some(it) = self.channels.get_mut(slot) else { return };
        if it.told && (reason.may_pass() || reason.is_of_user()) {
            it.due = now + RETRY;
            return self.ask_if_alive(now);
        }
        let (peer, wanted) = (it.peer, it.wanted);
        if it.expires.is_some_and(|at| at + REUSE > now) {
            (it.wanted, it.told) = (false, false);
        } else {
            self.channels.remove(slot);
        }
        self.permissions.channel_failed(now, peer.ip());
        if wanted {
            self.events.push_back(Event::ChannelFailed { peer, reason });
        }
    }
    /// No channel of this address is kept alive any longer.
    pub(super) fn forget_channels(&mut self, ip: IpAddr) {
        self.channels.forget(|peer| peer.ip() == ip);
    }
}
