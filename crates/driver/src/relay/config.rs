//! Which relay a socket is to be at, and as whom.

use std::{io, net::SocketAddr, time::Duration};

use ginnel_core::{HostName, Transport};
use ginnel_stun::{
    LongTermCredential,
    uri::{RegName, Uri, UriBuf},
};
use ginnel_turn::client::{ClientConfig, Families, TurnServer};

use crate::{Config, Limits};

/// A relay, and who uses it: what a [`RelaySocket`](super::RelaySocket) is bound to.
///
/// ```
/// use ginnel_driver::RelayConfig;
///
/// let relay = RelayConfig::new("turn:turn.example.org?transport=tcp", "user", "password")?;
/// let error = RelayConfig::new("turn.example.org", "user", "password").unwrap_err();
/// assert!(error.to_string().starts_with("the address of the relay cannot be read"));
/// # let _ = relay;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RelayConfig {
    /// Where: `turn:` for UDP, and TCP with `?transport=tcp`; `turns:` for TLS, and DTLS with `?transport=udp`.
    pub uri: UriBuf,
    /// As whom.
    pub credential: LongTermCredential,
    /// Of which family the relayed address is to be. Default: the server's, which is IPv4.
    pub families: Families,
    /// For how long another allocation is asked for when the server has lost the one there was, for example because it was
    /// restarted; [`RelaySocket::local_addr`](super::RelaySocket::local_addr) changes then. Zero makes losing it the end.
    /// Default: 10 minutes.
    pub recover: Duration,
    /// Octets that wait to be received, each datagram counted with 64 more. What comes beyond is dropped and counted, as
    /// a system does with its sockets. Default: 1 MiB.
    pub receive_buffer: usize,
    /// Octets that wait to be sent, counted alike; sending waits when they are as many. As much again waits for permissions
    /// that are being asked for. Default: 128 KiB.
    pub send_buffer: usize,
    /// Whom to trust over TLS and DTLS, and limits of streams.
    pub driver: Config,
}

impl RelayConfig {
    /// The relay of this URI, for this user.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] where the URI is none of `turn:` or `turns:`, or the user name or password cannot be
    /// prepared (RFC 8265).
    pub fn new(uri: &str, username: &str, password: &str) -> io::Result<Self> {
        let credential = LongTermCredential::new(username, password)
            .map_err(|error| invalid(format!("the user name or password cannot be used: {error}")))?;
        Self::with_credential(uri, credential)
    }

    /// The relay of this URI, for whom this credential is, which may know its realm.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] where the URI is none of `turn:` or `turns:`.
    pub fn with_credential(uri: &str, credential: LongTermCredential) -> io::Result<Self> {
        let parsed = Uri::parse(uri)
            .map_err(|error| invalid(format!("the address of the relay cannot be read: {error}")))?;
        if !parsed.scheme().is_turn() {
            return Err(invalid(format!("{uri} is no relay: its URI begins with `turn:` or `turns:`")));
        }
        if parsed.transport_to_use().is_none() {
            return Err(invalid(format!("the transport of {uri} is not known: write `udp` or `tcp`")));
        }
        if let Some(Err(error)) = parsed.host().name().map(RegName::host_name) {
            return Err(invalid(format!("{} is not the name of a host: {error}", parsed.host())));
        }
        Ok(Self {
            uri: parsed.to_owned(),
            credential,
            families: Families::Default,
            recover: Duration::from_secs(600),
            receive_buffer: 1 << 20,
            send_buffer: 128 << 10,
            driver: Config::default(),
        })
    }

    /// With relayed addresses of these families.
    #[must_use]
    pub const fn with_families(mut self, families: Families) -> Self {
        self.families = families;
        self
    }
    /// With another time to come back in when the allocation was lost; zero does not try.
    #[must_use]
    pub const fn with_recover(mut self, recover: Duration) -> Self {
        self.recover = recover;
        self
    }
    /// With so many octets that wait to be received and to be sent.
    #[must_use]
    pub const fn with_buffers(mut self, receive: usize, send: usize) -> Self {
        (self.receive_buffer, self.send_buffer) = (receive, send);
        self
    }
    /// With other limits of streams, where the relay is reached by one.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { driver: self.driver.with_limits(limits), ..self }
    }
    /// Trusting these authorities over TLS and DTLS; nobody is trusted by default.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(self, tls: crate::ClientTls) -> Self {
        Self { driver: self.driver.with_client_tls(tls), ..self }
    }

    /// The name to ask the DNS for, and the port; `None` if the URI has an address.
    pub(super) fn name(&self) -> Option<(String, u16)> {
        let uri = self.uri.as_uri();
        self.host().map(|host| (host.as_str().to_string(), uri.port_or_default()))
    }

    fn host(&self) -> Option<HostName> {
        self.uri.as_uri().host().name().and_then(|name| name.host_name().ok())
    }

    /// The address in the URI, if there is one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let uri = self.uri.as_uri();
        uri.host().ip().map(|ip| SocketAddr::new(ip, uri.port_or_default()))
    }

    /// How the client asks the server that is at this address.
    pub(super) fn client(&self, address: SocketAddr) -> ClientConfig {
        let uri = self.uri.as_uri();
        let server = match uri.transport_to_use().unwrap_or(Transport::Udp) {
            Transport::Udp => TurnServer::udp(address),
            Transport::Tcp => TurnServer::tcp(address),
            Transport::Tls => TurnServer::tls(address, self.host()),
            Transport::Dtls => TurnServer::dtls(address, self.host()),
        };
        ClientConfig::new(server, self.credential.clone())
            .with_families(self.families)
            .with_recover(self.recover)
            .with_bounds(super::peers::PEERS, super::peers::PEERS, 0)
    }
}

fn invalid(sentence: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, sentence)
}
