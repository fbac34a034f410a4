//! How `dimpl` is set up, for all associations of a driver.
//!
//! The library has a cookie of its own, which is bound to no address, and each endpoint that could check one is state already.
//! Here the cookie is the driver's, made and checked before there is an endpoint. That endpoint is then shown the exchange as it
//! was, since its count of messages goes on from there; and where it would compute its cookie, it is given ours.

use std::{cell::Cell, sync::Arc, time::Duration};

use dimpl::{
    Config, Dtls, DtlsCertificate, HashAlgorithm,
    crypto::{CryptoProvider, HmacProvider, aws_lc_rs},
};
use ginnel_core::{HostName, Refused};
use rustls::{
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::hello::COOKIE;

/// RFC 6347 section 4.2.4.1 says 1 s; half of that is what STUN waits first.
const FIRST_RTO: Duration = Duration::from_millis(500);
/// Of a flight; it ends sooner where the handshake has no more time.
const RETRIES: usize = 6;
/// Datagrams of a handshake. What is beyond fits most paths only in fragments.
const MTU: usize = 1_200;
/// Records that wait to be put in order, and that may have to be sent again.
const QUEUE: usize = 24;

/// What all associations of a driver have in common.
#[derive(Debug)]
pub(crate) struct Library {
    config: Arc<Config>,
    /// Who a client is, if a server must know: nobody.
    anonymous: Option<DtlsCertificate>,
}

impl Library {
    pub(crate) fn new(handshake: Duration) -> Option<Self> {
        let provider = CryptoProvider { hmac_provider: &Cookies, ..aws_lc_rs::default_provider() };
        let config = Config::builder()
            .mtu(MTU)
            .max_queue_rx(QUEUE)
            .max_queue_tx(QUEUE)
            .require_client_certificate(false)
            .use_server_cookie(true)
            .flight_start_rto(FIRST_RTO)
            .flight_retries(RETRIES)
            .handshake_timeout(handshake.clamp(FIRST_RTO, Duration::from_secs(60)))
            .with_crypto_provider(provider)
            .build();
        Some(Self { config: Arc::new(config.ok()?), anonymous: None })
    }

    pub(crate) fn client(&mut self, now: std::time::Instant) -> Option<Dtls> {
        if self.anonymous.is_none() {
            self.anonymous = dimpl::certificate::generate_self_signed_certificate().ok();
        }
        let mut library = Dtls::new_12(Arc::clone(&self.config), self.anonymous.clone()?, now);
        library.set_active(true);
        Some(library)
    }

    /// `certificate` has been [checked](usable).
    pub(crate) fn server(&self, certificate: DtlsCertificate, now: std::time::Instant) -> Dtls {
        Dtls::new_12(Arc::clone(&self.config), certificate, now)
    }
}

/// Whether the library can be a server with that: an ECDSA key (it knows no other), of P-256 or P-384.
pub(crate) fn usable(certificate: Vec<u8>, private_key: Vec<u8>) -> Option<DtlsCertificate> {
    let keys = aws_lc_rs::default_provider().key_provider;
    keys.load_private_key(&private_key).ok()?;
    Some(DtlsCertificate { certificate, private_key })
}

// ---- the cookie

thread_local! {
    /// What the library is to take for its own cookie, and of which client, while it is shown the exchange.
    static GIVEN: Cell<Option<([u8; 32], [u8; COOKIE])>> = const { Cell::new(None) };
}

/// Lets the library work while a client with this random has this cookie.
///
/// The provider of a library is `'static`, shared by all its endpoints and told nothing of them, so this goes past it. Nothing
/// but the cookie is ever an HMAC over the 32 octets of the random alone: the key derivation hashes a label and both randoms.
pub(crate) fn with_cookie<T>(random: [u8; 32], cookie: [u8; COOKIE], work: impl FnOnce() -> T) -> T {
    /// Takes it back, also where the work panics.
    struct Given;
    impl Drop for Given {
        fn drop(&mut self) {
            GIVEN.set(None);
        }
    }
    GIVEN.set(Some((random, cookie)));
    let _given = Given;
    work()
}

/// HMAC as the library has it, but for the cookie.
#[derive(Debug)]
struct Cookies;

impl HmacProvider for Cookies {
    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        data: &[u8],
        out: &mut [u8],
    ) -> Result<usize, dimpl::CryptoError> {
        if let (Some((random, cookie)), Some(place)) = (GIVEN.get(), out.get_mut(..COOKIE))
            && hash == HashAlgorithm::SHA256
            && data == random
        {
            place.copy_from_slice(&cookie);
            return Ok(COOKIE);
        }
        aws_lc_rs::default_provider().hmac_provider.hmac(hash, key, data, out)
    }
}

// ---- certificates of servers

/// Judges the certificate of a server.
#[derive(Debug)]
pub(crate) struct Verify {
    verifier: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl Verify {
    pub(crate) fn new(
        verifier: Arc<WebPkiServerVerifier>,
        host: Option<HostName>,
        remote: std::net::IpAddr,
    ) -> Result<Self, Refused> {
        let name = match &host {
            Some(host) => ServerName::try_from(host.as_str()).map_err(|_| Refused::Untrusted)?.to_owned(),
            None => ServerName::from(remote),
        };
        Ok(Self { verifier, name })
    }

    pub(crate) fn trusts(&self, certificate: &[u8]) -> bool {
        let certificate = CertificateDer::from(certificate);
        self.verifier.verify_server_cert(&certificate, &[], &self.name, &[], UnixTime::now()).is_ok()
    }
}
