//! Answers to those who are authenticated, written over their requests.

use alloc::boxed::Box;
use core::net::SocketAddr;

use ginnel_core::{NoRoom, Packet, Path};
use ginnel_stun::{
    Class, MessageWriter, Method,
    attribute::{
        AddressErrorCode, AddressFamily, AlternateServer, AttributeType, ConnectionId, ErrorCode, Lifetime,
        MobilityTicket, ReservationToken, Software, UnknownAttributes, XorMappedAddress, XorRelayedAddress,
    },
    auth::Authenticated,
};

use super::{Errors, asked::Head};

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// This error code, and nothing more.
    Error(u16),
    /// 420, with what is not understood.
    Unknown(Unknown),
    /// 300 (RFC 8489 section 10): another server of the client's family, and one of the other.
    TryAlternate(SocketAddr, Option<SocketAddr>),
    /// RFC 8656 section 7.2.
    Allocated(Allocated),
    /// RFC 8656 section 8.2, and RFC 8016 section 3.2.2.
    Refreshed { lifetime: u32, ticket: Option<Box<[u8]>> },
    /// RFC 6062 section 5.2.
    Connected(u32),
    /// Success, with nothing to say.
    Done,
}
/// The success response to an Allocate request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allocated {
    pub(super) relayed: [Option<SocketAddr>; 2],
    pub(super) failed: Option<(AddressFamily, u16)>,
    pub(super) lifetime: u32,
    pub(super) token: Option<[u8; 8]>,
    pub(super) ticket: Option<Box<[u8]>>,
}

/// UNKNOWN-ATTRIBUTES of a 420: the first of them, so that the answer is bounded (SECURITY.md case 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    kinds: [AttributeType; UNKNOWN_LISTED_MAX],
    count: usize,
}
/// How many attributes a 420 lists.
pub(super) const UNKNOWN_LISTED_MAX: usize = 32;
impl Default for Unknown {
    fn default() -> Self {
        Self { kinds: [AttributeType(0); UNKNOWN_LISTED_MAX], count: 0 }
    }
}
impl Unknown {
    pub(super) fn of(kind: AttributeType) -> Self {
        let mut unknown = Self::default();
        unknown.list(kind);
        unknown
    }
    pub(super) fn list(&mut self, kind: AttributeType) {
        if let Some(free) = self.kinds.get_mut(self.count) {
            *free = kind;
            self.count += 1;
        }
    }
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// An answer that leaves by `poll_transmit`.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) path: Path,
    pub(super) head: Head,
    pub(super) who: Authenticated,
    pub(super) reply: Reply,
}

impl Reply {
    /// Writes it over whatever the packet holds.
    pub(super) fn write(
        &self,
        head: Head,
        who: &Authenticated,
        client: SocketAddr,
        software: Option<&str>,
        packet: &mut Packet<'_>,
    ) -> Result<(), NoRoom> {
        let class = match self {
            Self::Error(_) | Self::Unknown(_) | Self::TryAlternate(..) => Class::Error,
            _ => Class::Success,
        };
        let open = MessageWriter::new(packet, class, head.method, head.id)?;
        let mut open = self.attributes(open, client)?;
        // RFC 8656 section 5: in all Allocate and Refresh responses.
        if let Some(Ok(software)) = software.map(Software::new)
            && (head.method == Method::ALLOCATE || head.method == Method::REFRESH)
        {
            open = open.attribute(&software)?;
        }
        let sealed = who.seal(open)?;
        if head.fingerprint {
            sealed.fingerprint()?
        } else {
            sealed.finish()
        }
        Ok(())
    }
    fn attributes<'p, 'a>(
        &self,
        open: MessageWriter<'p, 'a>,
        client: SocketAddr,
    ) -> Result<MessageWriter<'p, 'a>, NoRoom> {
        match self {
            // All codes that are written here are in range.
            Self::Error(code) => open.attribute(&ErrorCode::new(*code, "").map_err(|_| NoRoom)?),
            Self::Unknown(unknown) => open
                .attribute(&ErrorCode::UNKNOWN_ATTRIBUTE)?
                .attribute(&UnknownAttributes::new(&unknown.kinds[..unknown.count])),
            Self::TryAlternate(server, other) => {
                let open = open.attribute(&ErrorCode::TRY_ALTERNATE)?.attribute(&AlternateServer(*server))?;
                match other {
                    Some(other) => open.attribute(&AlternateServer(*other)),
                    None => Ok(open),
                }
            }
            Self::Allocated(allocated) => allocated.attributes(open, client),
            Self::Refreshed { lifetime, ticket } => {
                with_ticket(open.attribute(&Lifetime(*lifetime))?, ticket.as_deref())
            }
            Self::Connected(id) => open.attribute(&ConnectionId(*id)),
            Self::Done => Ok(open),
        }
    }
    /// Counts an error.
    pub(super) const fn count(&self, errors: &mut Errors) {
        let code = match self {
            Self::Error(code) => *code,
            Self::Unknown(_) => 420,
            Self::TryAlternate(..) => 300,
            _ => return,
        };
        *match code {
            300 => &mut errors.try_alternate_300,
            400 => &mut errors.bad_request_400,
            403 => &mut errors.forbidden_403,
            405 => &mut errors.mobility_405,
            420 => &mut errors.unknown_attribute_420,
            437 => &mut errors.allocation_mismatch_437,
            440 => &mut errors.address_family_440,
            441 => &mut errors.wrong_credentials_441,
            442 => &mut errors.transport_442,
            443 => &mut errors.peer_family_443,
            446 => &mut errors.connection_exists_446,
            447 => &mut errors.connection_failed_447,
            486 => &mut errors.quota_486,
            508 => &mut errors.capacity_508,
            _ => &mut errors.other,
        } += 1;
    }
}
impl Allocated {
    fn attributes<'p, 'a>(
        &self,
        mut open: MessageWriter<'p, 'a>,
        client: SocketAddr,
    ) -> Result<MessageWriter<'p, 'a>, NoRoom> {
        for relayed in self.relayed.into_iter().flatten() {
            open = open.attribute(&XorRelayedAddress(relayed))?;
        }
        open = open.attribute(&Lifetime(self.lifetime))?.attribute(&XorMappedAddress(client))?;
        if let Some(token) = self.token {
            open = open.attribute(&ReservationToken(token))?;
        }
        if let Some((family, code)) = self.failed {
            let error = ErrorCode::new(code, "").map_err(|_| NoRoom)?;
            open = open.attribute(&AddressErrorCode { family, error })?;
        }
        with_ticket(open, self.ticket.as_deref())
    }
}
fn with_ticket<'p, 'a>(
    open: MessageWriter<'p, 'a>,
    ticket: Option<&[u8]>,
) -> Result<MessageWriter<'p, 'a>, NoRoom> {
    match ticket {
        Some(ticket) => open.attribute(&MobilityTicket(ticket)),
        None => Ok(open),
    }
}
