//! The server: ours, or one with the faults that servers of RFC 5780 have.

use core::net::{IpAddr, SocketAddr};

use ginnel_core::{Handled, Instant, Packet, Path, Receive, Seed, Transmit, Wake};

use crate::{
    BindingServer, DiscoveryAddresses, ServerConfig,
    attribute::*,
    auth::{AuthConfig, User},
    message::{Class, Message, Method},
    writer::MessageWriter,
};

/// What is wrong with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing: it is [`BindingServer`].
    None,
    /// Nothing, and it asks for the credential of `user`.
    Authenticates,
    /// It has one address, says so, and refuses CHANGE-REQUEST with 420, as section 6 has it.
    OneAddress,
    /// It names another address that is this one.
    OtherIs(SocketAddr),
    /// Its second address answers nobody.
    SecondAddressDown,
    /// It answers CHANGE-REQUEST from where it was asked.
    IgnoresChange,
    /// It answers CHANGE-REQUEST not at all.
    DeafToChange,
    /// It refuses RESPONSE-PORT and PADDING with 420.
    FewAttributes,
    /// It answers to the port that asked.
    IgnoresResponsePort,
    /// It answers RESPONSE-PORT not at all.
    DeafToResponsePort,
    /// It sends no MAPPED-ADDRESS, and no PADDING.
    Terse,
    /// It says that it sees this.
    Sees(SocketAddr),
    /// Seven of eight datagrams from elsewhere than its first endpoint are lost.
    LosesElsewhere,
    /// It answers everything with this error.
    Always(u16),
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) ips: [IpAddr; 2],
    pub(super) fault: Fault,
    ours: BindingServer,
}
pub(super) const PORTS: [u16; 2] = [3478, 3479];

/// What a request wants.
struct Wish {
    id: crate::TransactionId,
    change: Option<ChangeRequest>,
    port: Option<u16>,
    padding: Option<Padding>,
}

impl Server {
    pub(super) fn new(ips: [IpAddr; 2], fault: Fault) -> Self {
        let primary = SocketAddr::new(ips[0], PORTS[0]);
        let addresses = DiscoveryAddresses::new(primary, SocketAddr::new(ips[1], PORTS[1])).unwrap();
        let mut config =
            ServerConfig::default().with_discovery(crate::DiscoverySupport::TwoAddresses(addresses));
        if fault == Fault::Authenticates {
            config = config.with_credentials(Some(AuthConfig::long_term("example.org").unwrap()));
        }
        let mut ours = BindingServer::new(config, Seed::new([9; 32]));
        if fault == Fault::Authenticates {
            ours.add_user(User::long_term("user", "example.org", "pass").unwrap()).unwrap();
        }
        Self { ips, fault, ours }
    }
    fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled {
        if let Fault::None | Fault::Authenticates = self.fault {
            return self.ours.handle_input(now, input);
        }
        let Ok(message) = Message::parse(input.packet.bytes()) else { return Handled::Foreign };
        if message.class() != Class::Request || message.method() != Method::BINDING {
            return Handled::Foreign;
        }
        let wish = Wish {
            id: message.transaction_id(),
            change: message.get().unwrap(),
            port: message.get::<ResponsePort>().unwrap().map(|it| it.0),
            padding: message.get().unwrap(),
        };
        let silent = match self.fault {
            Fault::SecondAddressDown => {
                input.path.local.ip() == self.ips[1] || wish.change.is_some_and(|it| it.ip)
            }
            Fault::DeafToChange => wish.change.is_some(),
            Fault::DeafToResponsePort => wish.port.is_some(),
            Fault::LosesElsewhere => {
                let elsewhere =
                    wish.change.is_some() || input.path.local != SocketAddr::new(self.ips[0], PORTS[0]);
                elsewhere && !input.packet.bytes()[8].is_multiple_of(8)
            }
            _ => false,
        };
        if silent {
            return Handled::Consumed;
        }
        let path = input.path;
        match self.refusal(&wish) {
            Some(error) => refuse(&mut input.packet, wish.id, error),
            None => return self.answer(input, &wish),
        }
        Handled::Send(Transmit::to(path))
    }
    fn refusal(&self, wish: &Wish) -> Option<u16> {
        match self.fault {
            Fault::Always(code) => Some(code),
            Fault::OneAddress if wish.change.is_some() => Some(420),
            Fault::FewAttributes if wish.port.is_some() || wish.padding.is_some() => Some(420),
            _ if wish.port.is_some() && wish.padding.is_some() => Some(400),
            _ => None,
        }
    }
    fn answer(&self, input: &mut Receive<'_>, wish: &Wish) -> Handled {
        let Path { local, remote, .. } = input.path;
        let change = wish.change.filter(|_| self.fault != Fault::IgnoresChange);
        let change = change.unwrap_or(ChangeRequest { ip: false, port: false });
        let other = SocketAddr::new(
            if local.ip() == self.ips[0] { self.ips[1] } else { self.ips[0] },
            if local.port() == PORTS[0] { PORTS[1] } else { PORTS[0] },
        );
        let from = SocketAddr::new(
            if change.ip { other.ip() } else { local.ip() },
            if change.port { other.port() } else { local.port() },
        );
        let port = wish.port.filter(|_| self.fault != Fault::IgnoresResponsePort);
        let to = SocketAddr::new(remote.ip(), port.unwrap_or(remote.port()));
        let seen = if let Fault::Sees(seen) = self.fault { seen } else { remote };
        let mut open = MessageWriter::new(&mut input.packet, Class::Success, Method::BINDING, wish.id)
            .and_then(|open| open.attribute(&XorMappedAddress(seen)))
            .and_then(|open| open.attribute(&ResponseOrigin(from)))
            .unwrap();
        if self.fault != Fault::Terse {
            open = open.attribute(&MappedAddress(remote)).unwrap();
        }
        open = match self.fault {
            Fault::OneAddress => open,
            Fault::OtherIs(other) => open.attribute(&OtherAddress(other)).unwrap(),
            _ => open.attribute(&OtherAddress(other)).unwrap(),
        };
        if let Some(padding) = wish.padding.filter(|_| self.fault != Fault::Terse) {
            open = open.attribute(&padding).unwrap();
        }
        open.finish();
        Handled::Send(Transmit::to(Path::udp(from, to)))
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn poll_transmit(&mut self, _: Instant, _: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
    fn poll_event(&mut self) -> Option<()> {
        None
    }
    fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    fn close(&mut self, _: Instant) {}
    fn is_closed(&self) -> bool {
        false
    }
}
ginnel_core::machine!(impl [] Server { Event = (); Data = (); });

fn refuse(packet: &mut Packet<'_>, id: crate::TransactionId, code: u16) {
    let error = ErrorCode::new(code, "").unwrap();
    MessageWriter::new(packet, Class::Error, Method::BINDING, id)
        .and_then(|open| open.attribute(&error))
        .and_then(|open| open.attribute(&UnknownAttributes::new(&[AttributeType::CHANGE_REQUEST])))
        .unwrap()
        .finish();
}
