//! Streams inside TLS, by `rustls`: whom to trust, who to be, and one connection.
//!
//! `rustls` is without I/O itself, so the driver feeds it from its own reads and writes, and no runtime needs an adapter of
//! its own for TLS. What is left out: certificates of clients, and early data (RFC 8446 section 8: it can be replayed).

use std::{
    error::Error,
    fmt, io,
    io::{Read as _, Write as _},
    sync::{Arc, PoisonError, RwLock},
};

use ginnel_core::{Alpn, HostName, Refused};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

use crate::{Interest, SockRef, Socket, platform::NO_SIGNAL};

/// What `rustls` may hold that the system has not taken: one write of a full window of records.
const UNSENT: usize = 64 << 10;
/// So often one look at a stream reads records.
const READS: usize = 8;

/// Whom a stream is trusted to lead to.
///
/// Nothing is trusted by default, and the driver does not look for certificates of the operating system: hand them over, for
/// example from the crate `webpki-roots` or `rustls-native-certs`, or those of a private authority.
///
/// ```
/// # fn example(authority: &[u8]) -> Result<(), ginnel_driver::TlsError> {
/// use ginnel_driver::{ClientTls, Config};
///
/// let config = Config::default().with_client_tls(ClientTls::from_pem(authority)?);
/// # let _ = config;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    /// The same judge by itself, for DTLS.
    #[cfg(feature = "dtls")]
    verifier: Option<Arc<rustls::client::WebPkiServerVerifier>>,
}

/// Why certificates or keys cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// There is no certificate in what was given.
    NoCertificate,
    /// It is not PEM, or holds no private key where one is needed.
    Pem(rustls::pki_types::pem::Error),
    /// `rustls` cannot use the certificate or the key.
    Unusable(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("there is no certificate in it"),
            Self::Pem(error) => write!(f, "it cannot be read as PEM: {error}"),
            Self::Unusable(error) => write!(f, "the certificate or its key cannot be used: {error}"),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoCertificate => None,
            Self::Pem(error) => Some(error),
            Self::Unusable(error) => Some(error),
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    // Named here: the default of the process may be set by whatever else is linked.
    Arc::new(aws_lc_rs::default_provider())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.map_err(TlsError::Pem)
}

impl ClientTls {
    /// Trusts what these authorities have signed, given in DER.
    ///
    /// # Errors
    /// When one is none, or there are none at all.
    pub fn from_der(authorities: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, TlsError> {
        Self::trusting(authorities.into_iter().map(CertificateDer::from).collect())
    }

    /// Trusts what these authorities have signed, given in PEM, one behind another.
    ///
    /// # Errors
    /// When one is none, or there are none at all.
    pub fn from_pem(authorities: &[u8]) -> Result<Self, TlsError> {
        Self::trusting(certificates(authorities)?)
    }

    fn trusting(authorities: Vec<CertificateDer<'static>>) -> Result<Self, TlsError> {
        if authorities.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(TlsError::Unusable)?;
        }
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(TlsError::Unusable)?;
        #[cfg(feature = "dtls")]
        let verifier = {
            let roots = Arc::new(roots.clone());
            rustls::client::WebPkiServerVerifier::builder_with_provider(roots, provider()).build().ok()
        };
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
            #[cfg(feature = "dtls")]
            verifier,
        })
    }

    /// A configuration of one's own, for example with a verifier that asks the operating system. What it says of ALPN is
    /// replaced by what a request says. DTLS is refused with it, since its verifier cannot be had.
    #[must_use]
    pub fn from_config(config: ClientConfig) -> Self {
        Self {
            config: Arc::new(config),
            #[cfg(feature = "dtls")]
            verifier: None,
        }
    }

    #[cfg(feature = "dtls")]
    pub(crate) fn for_dtls(&self) -> Option<Arc<rustls::client::WebPkiServerVerifier>> {
        self.verifier.clone()
    }
}

/// Who this side is to those that open streams inside TLS: a certificate and its key, which can be replaced while a driver
/// runs. All clones are one.
///
/// ```
/// # fn example(chain: &[u8], key: &[u8]) -> Result<(), ginnel_driver::TlsError> {
/// use ginnel_core::Alpn;
/// use ginnel_driver::{Config, ServerTls};
///
/// let tls = ServerTls::from_pem(chain, key, &[Alpn::TURN])?;
/// let config = Config::default().with_server_tls(tls.clone());
/// // ... and when the certificate has been renewed:
/// tls.replace(&ServerTls::from_pem(chain, key, &[Alpn::TURN])?);
/// # let _ = config;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServerTls(Arc<RwLock<Identity>>);

#[derive(Clone, Debug)]
struct Identity {
    config: Arc<ServerConfig>,
    alpn: Arc<[Alpn]>,
    /// The own certificate, where it is known.
    leaf: Option<CertificateDer<'static>>,
    /// The same for DTLS, if its key is one that is known there.
    #[cfg(feature = "dtls")]
    dtls: Option<dimpl::DtlsCertificate>,
}

impl ServerTls {
    /// With a chain of certificates in PEM, the own one first, and its private key in PEM. A client that asks for protocols
    /// (ALPN) must ask for one of `alpn`; one that asks for none is welcome, and so is any if `alpn` is empty.
    ///
    /// # Errors
    /// When there is no certificate or no key, or they do not fit together.
    pub fn from_pem(chain: &[u8], key: &[u8], alpn: &[Alpn]) -> Result<Self, TlsError> {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Pem)?;
        let chain = certificates(chain)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(TlsError::Unusable)?.with_no_client_auth();
        #[cfg(feature = "dtls")]
        let dtls = crate::dtls::usable(chain[0].to_vec(), key.secret_der().to_vec());
        let leaf = chain.first().cloned();
        let config = builder.with_single_cert(chain, key).map_err(TlsError::Unusable)?;
        let tls = Self::from_config(config, alpn);
        {
            let mut identity = tls.0.write().unwrap_or_else(PoisonError::into_inner);
            identity.leaf = leaf;
            #[cfg(feature = "dtls")]
            {
                identity.dtls = dtls;
            }
        }
        Ok(tls)
    }

    /// A configuration of one's own. What it says of ALPN is replaced by `alpn`.
    #[must_use]
    pub fn from_config(mut config: ServerConfig, alpn: &[Alpn]) -> Self {
        config.alpn_protocols = alpn.iter().map(|alpn| alpn.as_str().into()).collect();
        Self(Arc::new(RwLock::new(Identity {
            config: Arc::new(config),
            alpn: alpn.into(),
            leaf: None,
            #[cfg(feature = "dtls")]
            dtls: None,
        })))
    }

    /// Is `other` from now on: for streams whose handshake begins later. Those that are open stay.
    pub fn replace(&self, other: &Self) {
        let identity = other.identity();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// Whether `now`, after 1970, is within the time for which the own certificate was made. No client takes it otherwise. True
    /// if that is not known: of [`from_config`](Self::from_config).
    #[must_use]
    pub fn is_current(&self, now: std::time::Duration) -> bool {
        let Some(leaf) = self.identity().leaf else { return true };
        // The judge of clients looks at the time first; for what else he says, a client has other roots.
        let mut roots = RootCertStore::empty();
        if roots.add(leaf.clone()).is_err() {
            return true;
        }
        let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        let Ok(judge) = judge else { return true };
        let name = ServerName::from(std::net::IpAddr::from([0, 0, 0, 0]));
        let verdict = judge.verify_server_cert(&leaf, &[], &name, &[], UnixTime::since_unix_epoch(now));
        use rustls::CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
        !matches!(
            verdict,
            Err(rustls::Error::InvalidCertificate(
                Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. }
            ))
        )
    }

    /// Whether it is good for DTLS too, which takes ECDSA keys alone (P-256, P-384).
    #[cfg(feature = "dtls")]
    #[must_use]
    pub fn is_for_dtls(&self) -> bool {
        self.for_dtls().is_some()
    }

    #[cfg(feature = "dtls")]
    pub(crate) fn for_dtls(&self) -> Option<dimpl::DtlsCertificate> {
        self.identity().dtls
    }

    fn identity(&self) -> Identity {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One connection.
pub(crate) struct Session {
    connection: Connection,
    /// What may have been agreed on.
    alpn: Arc<[Alpn]>,
    /// Octets that the system has taken.
    sent: u64,
}

/// What a handshake has come to.
pub(crate) enum Handshake {
    Done,
    /// It waits for the socket.
    Waits(Interest),
    Failed(Refused),
}

impl Session {
    /// With a server of this name, or of this address.
    pub(crate) fn connect(
        tls: &ClientTls,
        host: Option<HostName>,
        remote: std::net::IpAddr,
        alpn: Option<Alpn>,
    ) -> Result<Box<Self>, Refused> {
        let name = match &host {
            Some(host) => ServerName::try_from(host.as_str()).map_err(|_| Refused::Untrusted)?.to_owned(),
            None => ServerName::from(remote),
        };
        let protocols = alpn.iter().map(|alpn| alpn.as_str().into()).collect();
        let connection = ClientConnection::new_with_alpn(Arc::clone(&tls.config), name, protocols);
        let connection = connection.map_err(|_| Refused::Handshake)?.into();
        Ok(Self::new(connection, alpn.into_iter().collect()))
    }

    /// With whoever has opened the stream.
    pub(crate) fn accept(tls: &ServerTls) -> Option<Box<Self>> {
        let Identity { config, alpn, .. } = tls.identity();
        Some(Self::new(ServerConnection::new(config).ok()?.into(), alpn))
    }

    fn new(mut connection: Connection, alpn: Arc<[Alpn]>) -> Box<Self> {
        connection.set_buffer_limit(Some(UNSENT));
        Box::new(Self { connection, alpn, sent: 0 })
    }

    /// What is spoken inside.
    pub(crate) fn alpn(&self) -> Option<Alpn> {
        let agreed = self.connection.alpn_protocol()?;
        self.alpn.iter().copied().find(|alpn| alpn.as_str().as_bytes() == agreed)
    }

    /// Goes on with the handshake, as far as the socket lets it.
    pub(crate) fn shake(&mut self, io: &impl Socket) -> Handshake {
        loop {
            match self.write_records(io) {
                Ok(true) => {}
                Ok(false) => return Handshake::Waits(Interest::Writable),
                Err(_) => return Handshake::Failed(Refused::Handshake),
            }
            if !self.connection.is_handshaking() {
                return Handshake::Done;
            }
            match self.read_records(io) {
                Ok(0) => return Handshake::Failed(Refused::Handshake),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Handshake::Waits(Interest::Readable);
                }
                Err(error) => return Handshake::Failed(why(&error)),
            }
        }
    }

    /// Reads what was said inside, without waiting. 0 is the end.
    pub(crate) fn read(&mut self, io: &impl Socket, buf: &mut [u8]) -> io::Result<usize> {
        // Records may hold nothing, as many as the peer likes: others have their turn meanwhile.
        for _ in 0..READS {
            // Nothing is decrypted while something lies here, so `rustls` holds one read of it at most.
            match self.connection.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // An end without a goodbye: what has come was whole messages, so nothing is taken for more than it is.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            if self.read_records(io)? == 0 {
                return Ok(0);
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    fn read_records(&mut self, io: &impl Socket) -> io::Result<usize> {
        let connection = &mut self.connection;
        let count = io.try_io(Interest::Readable, || connection.read_tls(&mut &*io.sock_ref()))?;
        if let Err(error) = self.connection.process_new_packets() {
            let _ = self.write_records(io); // the alert
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(count)
    }

    /// Takes some of `octets`, to be sent; 0 if those before have not left.
    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.connection.writer().write(octets)
    }

    /// Sends what is there to be sent; whether all has left.
    pub(crate) fn write_records(&mut self, io: &impl Socket) -> io::Result<bool> {
        while self.connection.wants_write() {
            let connection = &mut self.connection;
            match io.try_io(Interest::Writable, || connection.write_tls(&mut Quiet(io.sock_ref()))) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// How many octets the system has taken.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Says goodbye (RFC 8446 section 6.1), once what was written before has left.
    pub(crate) fn goodbye(&mut self) {
        self.connection.send_close_notify();
    }
}

/// Writes as streams without TLS do: a broken one is an error of the call, and no signal.
struct Quiet<'s>(SockRef<'s>);

impl io::Write for Quiet<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.send_with_flags(octets, NO_SIGNAL)
    }
    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.send_vectored_with_flags(slices, NO_SIGNAL)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why the handshake failed, as far as a machine can make use of it.
fn why(error: &io::Error) -> Refused {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Refused::Untrusted
        }
        _ => Refused::Handshake,
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}
