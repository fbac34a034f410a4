//! What a URI and the application's transports leave to be done: the checks and the table of RFC 5928 section 3, with RFC
//! 7350 section 4.6.2, and RFC 8489 section 8.1 for STUN.

use alloc::{format, vec::Vec};
use core::net::IpAddr;

use ginnel_core::{Alpn, HostName, Transport};

use super::{ResolveError, ResolverConfig, record};
use crate::uri::{DEFAULT_PORT, DEFAULT_PORT_SECURE, Host, Scheme, Uri};

/// Where the search begins.
pub(super) enum Start {
    /// RFC 5928 section 3, step 1.
    Address(IpAddr),
    /// Step 2.
    Port(HostName),
    /// Step 3, where the URI has a transport, and step 5, which is all there is for STUN.
    Srv(HostName),
    /// Step 4.
    Naptr(HostName),
}

/// What stays the same during a search.
pub(super) struct Plan {
    pub(super) scheme: Scheme,
    /// The port that is written.
    pub(super) port: Option<u16>,
    /// For all steps but 4, in the application's order.
    pub(super) transports: Vec<Transport>,
    /// For step 4: a domain may offer `turn:` users TLS (RFC 5928 section 4.1).
    pub(super) for_naptr: Vec<Transport>,
    pub(super) server_name: Option<HostName>,
    /// RFC 5780 section 5.1: of servers for NAT behaviour discovery.
    nat_behavior: bool,
}

impl Plan {
    pub(super) fn new(uri: &Uri<'_>, config: &ResolverConfig) -> Result<(Self, Start), ResolveError> {
        let scheme = uri.scheme();
        let (mut transports, mut for_naptr) = (Vec::new(), Vec::new());
        let asked = match uri.transport() {
            None => None,
            Some(written) => Some(written.over(scheme.is_secure()).ok_or(ResolveError::UnknownTransport)?),
        };
        if let Some(asked) = asked {
            if !config.transports.contains(&asked) {
                return Err(ResolveError::Unsupported(asked));
            }
            transports.push(asked);
        } else {
            for &transport in &config.transports {
                // RFC 5928 takes UDP and TCP away from secure URIs. RFC 7065 section 3.2 takes the secure transports away
                // from the others, where no NAPTR record says otherwise: their SRV names and ports are not known.
                let fits = is_secure(transport) == scheme.is_secure();
                if fits && !transports.contains(&transport) {
                    transports.push(transport);
                }
                if (fits || is_secure(transport)) && !for_naptr.contains(&transport) {
                    for_naptr.push(transport);
                }
            }
        }
        let mut plan = Self {
            scheme,
            port: uri.port(),
            transports,
            for_naptr,
            server_name: None,
            nat_behavior: config.nat_behavior,
        };
        let start = plan.start(uri, config)?;
        let none_left = match start {
            Start::Naptr(_) => plan.for_naptr.is_empty(),
            _ => plan.transports.is_empty(),
        };
        if none_left { Err(ResolveError::NoTransport) } else { Ok((plan, start)) }
    }

    fn start(&mut self, uri: &Uri<'_>, config: &ResolverConfig) -> Result<Start, ResolveError> {
        let name = match uri.host() {
            Host::Ipv4(ip) => return self.address(IpAddr::V4(ip), config),
            Host::Ipv6(ip) => return self.address(IpAddr::V6(ip).to_canonical(), config),
            Host::Name(name) => name.host_name().map_err(ResolveError::Name)?,
        };
        self.server_name = Some(name);
        Ok(if uri.port().is_some() {
            Start::Port(name)
        } else if uri.transport().is_none() && self.scheme.is_turn() {
            Start::Naptr(name)
        } else {
            Start::Srv(name)
        })
    }

    /// Without a name, `stuns:` is refused (RFC 8489 section 8.1), and so is DTLS (RFC 7350 section 4.6.1). What is left is
    /// `turns:` over TLS, whose certificate may hold the address.
    fn address(&mut self, ip: IpAddr, config: &ResolverConfig) -> Result<Start, ResolveError> {
        if !record::can_be_a_server(ip) {
            return Err(ResolveError::Address(ip));
        }
        let on = if ip.is_ipv4() { config.ipv4 } else { config.ipv6 };
        if !on {
            return Err(ResolveError::Family);
        }
        self.server_name = config.server_name;
        if self.scheme.is_secure() && self.server_name.is_none() && !self.transports.is_empty() {
            self.transports.retain(|&transport| self.scheme.is_turn() && transport == Transport::Tls);
            if self.transports.is_empty() {
                return Err(ResolveError::AddressWithoutName);
            }
        }
        Ok(Start::Address(ip))
    }

    /// The port, where neither the URI nor an SRV record has one.
    pub(super) fn port_for(&self, transport: Transport) -> u16 {
        match self.port {
            Some(port) => port,
            None if is_secure(transport) => DEFAULT_PORT_SECURE,
            None => DEFAULT_PORT,
        }
    }
    /// What to offer by ALPN: a `turn:` URI may lead to TLS by NAPTR.
    pub(super) fn alpn(&self, transport: Transport) -> Option<Alpn> {
        let secured = if self.scheme.is_turn() { Scheme::Turns } else { Scheme::Stuns };
        if is_secure(transport) { secured.alpn() } else { None }
    }
    /// The name of the SRV records of the service: `_service._proto.name` (RFC 2782). `None` where there is no such service, or
    /// it would be longer than names are.
    pub(super) fn service(&self, transport: Transport, host: HostName) -> Option<HostName> {
        let service = match self.scheme {
            // RFC 5780 section 9.2 has no such service over DTLS.
            Scheme::Stun | Scheme::Stuns if self.nat_behavior && transport == Transport::Dtls => return None,
            Scheme::Stun if self.nat_behavior => "stun-behavior",
            Scheme::Stuns if self.nat_behavior => "stun-behaviors",
            scheme => scheme.as_str(),
        };
        format!("_{service}._{}.{host}", protocol(transport)).parse().ok()
    }
}

/// Whether TLS or DTLS is in it.
pub(super) const fn is_secure(transport: Transport) -> bool {
    matches!(transport, Transport::Tls | Transport::Dtls)
}

/// The protocol in the name of an SRV record (RFC 2782; RFC 7350 sections 3 and 4.6 for DTLS).
const fn protocol(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp | Transport::Dtls => "udp",
        Transport::Tcp | Transport::Tls => "tcp",
    }
}
