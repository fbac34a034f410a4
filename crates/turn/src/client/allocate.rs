//! Making an allocation (RFC 8656 sections 7.1, 7.3 and 7.4; RFC 6156 section 4, RFC 8016 section 3.1).
//!
//! ```text
//!  success --addresses as asked for--> allocated
//!          --others, or none---------> deleted, failed (section 7.3: MUST)
//!  405, 420 for DONT-FRAGMENT -------> again at once, without it
//!  437 ------------------------------> again from another socket, three in all; then failed
//!  all else -------------------------> failed, or, while recovering, again later
//! ```

use alloc::boxed::Box;
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{Instant, NoRoom};
use ginnel_stun::{
    Message, MessageWriter, Method,
    attribute::{
        AdditionalAddressFamily, AddressErrorCode, AddressFamily, Attribute as _, AttributeType,
        DontFragment, EvenPort, Lifetime, MobilityTicket, RequestedAddressFamily, RequestedTransport,
        ReservationToken, UnknownAttributes, XorMappedAddress, XorRelayedAddress,
    },
    client::StartError,
};
use zeroize::Zeroizing;

use super::{
    Client,
    config::{Families, RelayPort, RelayTransport},
    event::{Allocated, Event, FailureReason, Feature, RelayedAddresses},
    requests::Answer,
    state::{After, Allocation, Purpose, State},
};

/// RFC 8656 section 7.4, on 437: *SHOULD try three different client transport addresses*.
const CLIENT_ADDRESSES: u32 = 3;
/// RFC 8656 section 7.3: how long a family is not asked for after ADDRESS-ERROR-CODE 508.
const FAMILY_WAIT: Duration = Duration::from_secs(60);
/// The longest ticket that is kept: with it and the credentials, a Refresh is to fit 548 octets (RFC 8016 section 3.1.2).
const TICKET_MAX: usize = 256;

/// What an Allocate request asks for.
#[derive(Clone, Copy, Debug)]
struct Wish {
    transport: RequestedTransport,
    families: Families,
    port: RelayPort,
    dont_fragment: bool,
    mobility: bool,
    lifetime: Option<Lifetime>,
}
impl Wish {
    fn write<'p, 'b>(self, open: MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom> {
        let mut open = open.attribute(&self.transport)?;
        if let Some(lifetime) = &self.lifetime {
            open = open.attribute(lifetime)?;
        }
        open = match self.families {
            Families::Default => open,
            Families::Ipv4 => open.attribute(&RequestedAddressFamily(AddressFamily::Ipv4))?,
            Families::Ipv6 => open.attribute(&RequestedAddressFamily(AddressFamily::Ipv6))?,
            Families::Both => open.attribute(&AdditionalAddressFamily(AddressFamily::Ipv6))?,
        };
        open = match self.port {
            RelayPort::Any => open,
            RelayPort::Even => open.attribute(&EvenPort { reserve_next: false })?,
            RelayPort::EvenAndNext => open.attribute(&EvenPort { reserve_next: true })?,
            RelayPort::Reserved(token) => open.attribute(&token)?,
        };
        if self.dont_fragment {
            open = open.attribute(&DontFragment)?;
        }
        if self.mobility { open.attribute(&MobilityTicket(&[])) } else { Ok(open) }
    }
}

impl Client {
    /// Asks for an allocation on the path that there is.
    pub(super) fn allocate(&mut self, now: Instant) {
        let Some(line) = self.line else { return self.open(now) };
        let wish = Wish {
            transport: match self.config.relay {
                RelayTransport::Udp => RequestedTransport::UDP,
                RelayTransport::Tcp => RequestedTransport::TCP,
            },
            families: self.setup.families(now, self.config.families),
            port: self.config.port,
            dont_fragment: self.setup.dont_fragment,
            mobility: self.setup.mobility,
            lifetime: self.config.lifetime.map(in_seconds),
        };
        self.state = State::Allocating;
        self.credential = self.config.credential.clone();
        match self.ask(now, line.path, Method::ALLOCATE, Purpose::Allocate, move |open| wish.write(open)) {
            Ok(_) => {}
            Err(error) => self.on_attempt_failed(now, FailureReason::NotStarted(error)),
        }
    }

    pub(super) fn on_allocate_answer(&mut self, now: Instant, answer: &Answer<'_>) {
        self.on_redirected(answer.path.remote);
        let Some(code) = answer.error else { return self.on_allocated(now, answer) };
        match code {
            405 if self.setup.mobility => {
                self.setup.mobility = false;
                self.without(now, Feature::Mobility, code);
            }
            420 if self.setup.dont_fragment && names(&answer.message, AttributeType::DONT_FRAGMENT) => {
                self.setup.dont_fragment = false;
                self.without(now, Feature::DontFragment, code);
            }
            437 => self.on_mismatch(now),
            code => self.on_attempt_failed(now, FailureReason::of_code(code)),
        }
    }
    /// Over UDP, the answer to a request that the transaction layer has sent on comes from another server.
    fn on_redirected(&mut self, remote: SocketAddr) {
        let Some(line) = self.line.as_mut().filter(|line| line.path.remote != remote) else { return };
        line.path.remote = remote;
        self.setup.server.address = remote;
        self.events.push_back(Event::Redirected { server: self.setup.server });
    }
    fn without(&mut self, now: Instant, feature: Feature, code: u16) {
        self.events.push_back(Event::Unsupported { feature, error: Some(code) });
        self.allocate(now);
    }
    /// RFC 8656 section 7.4: the five-tuple is in use.
    fn on_mismatch(&mut self, now: Instant) {
        self.setup.mismatches += 1;
        let another = self.line.is_some_and(|line| line.own) && self.setup.mismatches < CLIENT_ADDRESSES;
        if !another {
            self.setup.mismatches = 0;
            return self.on_attempt_failed(now, FailureReason::AllocationMismatch);
        }
        self.release_line();
        let reason = FailureReason::AllocationMismatch;
        self.events.push_back(Event::Retrying { reason, after: Duration::ZERO });
        self.open(now);
    }

    /// RFC 8656 section 7.3.
    fn on_allocated(&mut self, now: Instant, answer: &Answer<'_>) {
        let (Some(line), message) = (self.line, &answer.message) else { return };
        let relayed = relayed_in(message);
        let wanted = self.setup.families(now, self.config.families);
        let refused = message.get::<AddressErrorCode<'_>>().ok().flatten();
        let mapped = message.get::<XorMappedAddress>().ok().flatten();
        let lifetime = message.get::<Lifetime>().ok().flatten().map(Lifetime::duration);
        let (Some(XorMappedAddress(mapped)), Some(lifetime), Some(_)) =
            (mapped, lifetime.filter(|it| !it.is_zero()), relayed.iter().next())
        else {
            return self.delete(now, After::Fail(FailureReason::IncompleteSuccess));
        };
        let expected = match wanted {
            Families::Default | Families::Both => true,
            Families::Ipv4 => relayed.ipv4.is_some(),
            Families::Ipv6 => relayed.ipv6.is_some(),
        };
        if !expected {
            return self.delete(now, After::Fail(FailureReason::UnexpectedFamily));
        }
        let refused = refused.map(|it| (it.family, it.error.code()));
        if let Some((family, code)) = refused {
            // 440 MUST NOT be asked for again, after 508 a minute passes first.
            self.setup.without = Some((family, (code != 440).then_some(now + FAMILY_WAIT)));
        }
        let ticket = if self.setup.mobility { ticket_in(message) } else { None };
        if self.setup.mobility && ticket.is_none() {
            self.events.push_back(Event::Unsupported { feature: Feature::Mobility, error: None });
        }
        let reservation = message.get::<ReservationToken>().ok().flatten();
        let given = Allocated {
            relayed,
            mapped,
            lifetime,
            path: line.path,
            reservation,
            refused,
            movable: ticket.is_some(),
        };
        self.state = State::Allocated(Box::new(Allocation {
            given,
            expires: answer.since + lifetime,
            dont_fragment: self.setup.dont_fragment,
            ticket,
            moving: None,
            old: None,
            failed: 0,
        }));
        (self.recovery, self.setup.mismatches) = (None, 0);
        self.stats.allocations += 1;
        self.keep_until(now, answer.since, lifetime);
        self.events.push_back(Event::Allocated(given));
        self.forget_unreachable();
    }
}

/// What is left unsaid of a lifetime is less than a second.
fn in_seconds(lifetime: Duration) -> Lifetime {
    Lifetime(u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX))
}
/// The first usable relayed address of each family.
fn relayed_in(message: &Message<'_>) -> RelayedAddresses {
    let mut relayed = RelayedAddresses::default();
    let addresses = message.attributes().filter(|raw| raw.kind == AttributeType::XOR_RELAYED_ADDRESS);
    for raw in addresses {
        let Ok(XorRelayedAddress(address)) = XorRelayedAddress::parse(raw.value, message.transaction_id())
        else {
            continue;
        };
        if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
            continue;
        }
        let place = if address.is_ipv4() { &mut relayed.ipv4 } else { &mut relayed.ipv6 };
        place.get_or_insert(address);
    }
    relayed
}
/// RFC 8016 section 3.1.3. One that is empty or too long is none.
pub(super) fn ticket_in(message: &Message<'_>) -> Option<Zeroizing<Box<[u8]>>> {
    let MobilityTicket(octets) = message.get::<MobilityTicket<'_>>().ok().flatten()?;
    let usable = !octets.is_empty() && octets.len() <= TICKET_MAX;
    usable.then(|| Zeroizing::new(octets.into()))
}
fn names(error: &Message<'_>, kind: AttributeType) -> bool {
    let unknown = error.get::<UnknownAttributes<'_>>().ok().flatten();
    unknown.is_some_and(|unknown| unknown.iter().any(|other| other == kind))
}
impl FailureReason {
    /// Whether it may be otherwise in a while.
    pub(super) const fn may_pass(&self) -> bool {
        use ginnel_core::Refused;
        use ginnel_stun::client::FailureReason as Stun;
        match self {
            Self::Socket(refused) => !matches!(refused, Refused::Unsupported | Refused::Untrusted),
            Self::Transaction(reason) => matches!(
                reason,
                Stun::TimedOut(_)
                    | Stun::Unreachable(_)
                    | Stun::SocketLost
                    | Stun::TooManyStaleNonces
                    | Stun::Alternate(_)
            ),
            Self::NotStarted(error) => matches!(error, StartError::TooMany | StartError::TooManyToServer),
            Self::SocketLost
            | Self::AllocationMismatch
            | Self::QuotaReached
            | Self::InsufficientCapacity
            | Self::Expired
            | Self::OutOfSync => true,
            Self::Refused(code) => *code >= 500,
            _ => false,
        }
    }
}
