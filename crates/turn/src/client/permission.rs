//! Permissions (RFC 8656 sections 9 and 10): asked for several at once, refreshed before they expire.
//!
//! ```text
//!  wanted --CreatePermission--> asking --success--> active for 300 s --after 240 s--> asking ...
//!                                 |  \--error, alone--> failed
//!                                 \--error, one of several--> asked for alone
//! ```

use alloc::vec::Vec;
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::Instant;
use ginnel_stun::{
    Method,
    attribute::XorPeerAddress,
    client::{RequestId, StartError},
};

use super::{
    Client,
    event::{Event, FailureReason, PeerError, RelayedAddresses},
    state::{Purpose, State},
};

/// RFC 8656 section 9: *MUST be 300 seconds*.
pub(super) const LIFETIME: Duration = Duration::from_secs(300);
/// How long before its end a permission is refreshed: time for all seven sendings.
const MARGIN: Duration = Duration::from_secs(60);
/// What is due so soon is refreshed along with what is due.
const ALONG: Duration = Duration::from_secs(30);
/// How long to wait after a refresh that failed in passing.
const RETRY: Duration = Duration::from_secs(5);
/// How long a permission waits for the ChannelBind that brings it too.
const FOR_CHANNEL: Duration = Duration::from_secs(2);
/// Addresses in one request: with IPv6 and long credentials they fit 548 octets (RFC 8489 section 6.1).
const TOGETHER: usize = 6;

/// One address.
#[derive(Debug)]
pub(super) struct Permission {
    ip: IpAddr,
    /// Nobody has forgotten it.
    wanted: bool,
    /// The request, and when it was first sent: the server counts from then at the earliest.
    asking: Option<(RequestId, Instant)>,
    /// Until when the server surely has it.
    until: Option<Instant>,
    /// When to ask for it.
    due: Instant,
    /// Not along with others: one of them was refused.
    alone: bool,
    /// The user knows that it is there.
    told: bool,
}
impl Permission {
    /// Whether it was there before, and is tried again: a Refresh finds out what is the matter, and if the user is not known
    /// any more the allocation is lost as a whole, which this one outlives.
    const fn is_kept_after(&self, reason: FailureReason) -> bool {
        self.told && (reason.may_pass() || reason.is_of_user())
    }
    fn is_active(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }
}

/// All of them, by address.
#[derive(Debug, Default)]
pub(super) struct Permissions(Vec<Permission>);
/// What is known of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Unknown,
    Pending,
    Active,
}
impl Permissions {
    #[inline]
    fn find(&self, ip: IpAddr) -> Result<usize, usize> {
        self.0.binary_search_by(|it| it.ip.cmp(&ip))
    }
    /// Whether it may be sent to.
    #[inline]
    pub(super) fn standing(&self, now: Instant, ip: IpAddr) -> Standing {
        match self.find(ip).ok().and_then(|at| self.0.get(at)) {
            None => Standing::Unknown,
            Some(it) if it.is_active(now) => Standing::Active,
            Some(_) => Standing::Pending,
        }
    }
    /// Whether what comes from there is believed (RFC 8656 sections 11.4 and 12.6). A server may have what is asked for before
    /// its answer is here.
    #[inline]
    pub(super) fn lets_in(&self, now: Instant, ip: IpAddr) -> bool {
        let Some(it) = self.find(ip).ok().and_then(|at| self.0.get(at)) else { return false };
        it.is_active(now) || it.asking.is_some()
    }
    /// Enters an address, or wants it again. `due`: when to ask, unless it is there.
    pub(super) fn want(&mut self, due: Instant, ip: IpAddr, max: usize) -> Result<bool, PeerError> {
        match self.find(ip) {
            Ok(at) => {
                let Some(it) = self.0.get_mut(at) else { return Ok(false) };
                it.wanted = true;
                Ok(false)
            }
            Err(_) if self.0.len() >= max => Err(PeerError::TooMany),
            Err(at) => {
                let fresh = Permission {
                    ip,
                    wanted: true,
                    asking: None,
                    until: None,
                    due,
                    alone: false,
                    told: false,
                };
                self.0.insert(at, fresh);
                Ok(true)
            }
        }
    }
    fn get_mut(&mut self, ip: IpAddr) -> Option<&mut Permission> {
        let at = self.find(ip).ok()?;
        self.0.get_mut(at)
    }
    pub(super) fn forget(&mut self, ip: IpAddr) {
        if let Some(it) = self.get_mut(ip) {
            it.wanted = false;
        }
    }
    /// Whether the user has asked for it and may be told.
    pub(super) fn is_told(&self, ip: IpAddr) -> bool {
        self.find(ip).ok().and_then(|at| self.0.get(at)).is_some_and(|it| it.told)
    }
    /// It came with a ChannelBind that was first sent at `asked`. True if the user does not know yet.
    pub(super) fn came_with_channel(&mut self, now: Instant, asked: Instant, ip: IpAddr) -> bool {
        self.get_mut(ip).is_some_and(|it| it.renew(now, asked))
    }
    /// The channel did not come: it is asked for by itself.
    pub(super) fn channel_failed(&mut self, now: Instant, ip: IpAddr) {
        if let Some(it) = self.get_mut(ip)
            && it.until.is_none()
        {
            it.due = it.due.min(now);
        }
    }
    /// Nothing is asked for any more, and everything is to be.
    pub(super) fn allocation_gone(&mut self) {
        self.0.retain(|it| it.wanted);
        for it in &mut self.0 {
            (it.asking, it.until, it.due, it.told) = (None, None, Instant::EPOCH, false);
        }
    }
    /// The requests that were on their way are not any more.
    pub(super) fn ask_again(&mut self, now: Instant) {
        for it in self.0.iter_mut().filter(|it| it.asking.is_some()) {
            (it.asking, it.due) = (None, now);
        }
    }
    /// When something is next to be done that is not waiting for room already.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let of = |it: &Permission| {
            let due = (it.wanted && it.asking.is_none()).then_some(it.due);
            let end = if it.wanted { None } else { it.until };
            [due, end]
        };
        self.0.iter().flat_map(of).flatten().filter(|&at| at > now).min()
    }
    /// Takes out what nobody wants and the server has not any more.
    fn sweep(&mut self, now: Instant) {
        self.0.retain(|it| it.wanted || it.is_active(now));
    }
    /// What to ask for now: those that are due, and those that soon are.
    fn batch(&self, now: Instant) -> Batch {
        let mut batch = Batch::default();
        let asks = |it: &&Permission, by: Instant| it.wanted && it.asking.is_none() && it.due <= by;
        let Some(first) = self.0.iter().find(|it| asks(it, now)) else { return batch };
        batch.push(first.ip);
        if first.alone {
            return batch;
        }
        for it in self.0.iter().filter(|it| asks(it, now + ALONG) && !it.alone && it.ip != first.ip) {
            if it.until.is_none() && it.due > now {
                // It waits for its channel.
                continue;
            }
            if !batch.push(it.ip) {
                break;
            }
        }
        batch
    }
}
impl Permission {
    /// The server has it since `asked` at the earliest. True if the user is to be told: of the first time, and of its return
    /// after it had expired.
    fn renew(&mut self, now: Instant, asked: Instant) -> bool {
        let known = core::mem::replace(&mut self.told, true) && self.is_active(now);
        self.until = self.until.max(Some(asked + LIFETIME));
        self.due = self.due.max(asked + (LIFETIME - MARGIN));
        !known
    }
}

/// Addresses for one request.
#[derive(Clone, Copy, Debug, Default)]
struct Batch {
    ips: [Option<IpAddr>; TOGETHER],
    len: usize,
}
impl Batch {
    fn push(&mut self, ip: IpAddr) -> bool {
        let Some(place) = self.ips.get_mut(self.len) else { return false };
        *place = Some(ip);
        self.len += 1;
        true
    }
    fn iter(&self) -> impl Iterator<Item = IpAddr> + use<> {
        self.ips.into_iter().flatten()
    }
}

impl Client {
    /// Wants a permission.
    pub(super) fn want_permission(
        &mut self,
        now: Instant,
        ip: IpAddr,
        with_channel: bool,
    ) -> Result<(), PeerError> {
        if self.is_ended() {
            return Err(PeerError::Closed);
        }
        if ip.is_unspecified() || ip.is_multicast() {
            return Err(PeerError::NoPeer);
        }
        if let State::Allocated(allocation) = &self.state
            && allocation.given.relayed.towards(ip).is_none()
        {
            return Err(PeerError::WrongFamily);
        }
        let due = if with_channel { now + FOR_CHANNEL } else { now };
        let fresh = self.permissions.want(due, ip, self.config.max_permissions)?;
        if !fresh && !with_channel && !self.permissions.is_told(ip) {
            self.permissions.channel_failed(now, ip);
        }
        Ok(())
    }
    /// Asks for what is due, as far as there is room.
    pub(super) fn pump_permissions(&mut self, now: Instant) {
        self.permissions.sweep(now);
        let Some(line) = self.line else { return };
        while self.has_room_for_peers() {
            let batch = self.permissions.batch(now);
            if batch.len == 0 {
                return;
            }
            // RFC 8656 section 10.1: the port is of no meaning.
            let asked =
                self.ask(now, line.path, Method::CREATE_PERMISSION, Purpose::Permissions, move |mut open| {
                    for ip in batch.iter() {
                        open = open.attribute(&XorPeerAddress(SocketAddr::new(ip, 0)))?;
                    }
                    Ok(open)
                });
            let requested = batch.iter();
            match asked {
                Ok(request) => {
                    for ip in requested {
                        if let Some(it) = self.permissions.get_mut(ip) {
                            it.asking = Some((request, now));
                        }
                    }
                }
                Err(StartError::NoRoom) if batch.len > 1 => {
                    for ip in requested {
                        if let Some(it) = self.permissions.get_mut(ip) {
                            it.alone = true;
                        }
                    }
                }
                Err(error @ StartError::NoRoom) => {
                    for ip in requested {
                        self.permission_failed(now, ip, FailureReason::NotStarted(error));
                    }
                }
                Err(_) => return,
            }
        }
    }
    /// A CreatePermission has ended.
    pub(super) fn on_permissions(
        &mut self,
        now: Instant,
        request: RequestId,
        refused: Option<FailureReason>,
    ) {
        if refused == Some(FailureReason::AllocationMismatch) {
            return self.on_lost(now, FailureReason::AllocationMismatch);
        }
        let asked = |it: &Permission| it.asking.is_some_and(|(other, _)| other == request);
        let several = self.permissions.0.iter().filter(|it| asked(it)).count() > 1;
        // Nobody else changes the order meanwhile: only what is at `at` may go.
        let mut at = 0;
        while let Some(it) = self.permissions.0.get_mut(at) {
            let (ip, since) = match it.asking {
                Some((other, since)) if other == request => (it.ip, since),
                _ => {
                    at += 1;
                    continue;
                }
            };
            it.asking = None;
            match refused {
                None => {
                    it.alone = false;
                    it.due = since;
                    if it.renew(now, since) {
                        self.events.push_back(Event::PermissionReady { ip });
                    }
                }
                // Which of them the server has refused is found out by asking for each; who may not have been heard at all
                // needs no more requests than before.
                Some(reason) if several && !(it.is_kept_after(reason) || reason.is_silence()) => {
                    (it.alone, it.due) = (true, now);
                }
                Some(reason) => self.permission_failed(now, ip, reason),
            }
            at = self.permissions.find(ip).map_or_else(|gone| gone, |found| found + 1);
        }
    }
    /// What was there before is tried again if the cause may pass; all else has failed.
    fn permission_failed(&mut self, now: Instant, ip: IpAddr, reason: FailureReason) {
        let Ok(at) = self.permissions.find(ip) else { return };
        let Some(it) = self.permissions.0.get_mut(at) else { return };
        if it.is_kept_after(reason) {
            it.due = now + RETRY;
            return self.ask_if_alive(now);
        }
        if it.is_active(now) {
            (it.wanted, it.told) = (false, false);
        } else {
            self.permissions.0.remove(at);
        }
        self.events.push_back(Event::PermissionFailed { ip, reason });
    }
    /// RFC 8656 section 10.1: what is asked for is of the families that there are relayed addresses of.
    pub(super) fn forget_unreachable(&mut self) {
        let State::Allocated(allocation) = &self.state else { return };
        let relayed: RelayedAddresses = allocation.given.relayed;
        let reason = FailureReason::PeerAddressFamilyMismatch;
        let events = &mut self.events;
        self.permissions.0.retain(|it| {
            let stays = relayed.towards(it.ip).is_some();
            if !stays && it.wanted {
                events.push_back(Event::PermissionFailed { ip: it.ip, reason });
            }
            stays
        });
        self.channels.retain(|peer, wanted| {
            let stays = relayed.towards(peer.ip()).is_some();
            if !stays && wanted {
                events.push_back(Event::ChannelFailed { peer, reason });
            }
            stays
        });
    }
}
