//! The certificate and its key: files, and what they hold.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use ginnel::{core::Alpn, driver::ServerTls};
use zeroize::Zeroizing;

/// Where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdentityFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl IdentityFiles {
    /// Reads both, and sees that they can be used.
    pub(crate) fn read(&self) -> Result<ServerTls, String> {
        let read = |what: &str, path: &Path| {
            std::fs::read(path)
                .map_err(|error| format!("{}: the {what} cannot be read: {error}", path.display()))
        };
        let cert = read("certificate", &self.cert)?;
        let key = Zeroizing::new(read("private key", &self.key)?);
        ServerTls::from_pem(&cert, &key, &[Alpn::TURN, Alpn::NAT_DISCOVERY]).map_err(|error| {
            format!(
                "{} with {}: {error}; both must be PEM, and belong together",
                self.cert.display(),
                self.key.display()
            )
        })
    }

    /// When they were changed last, as far as the system tells.
    pub(crate) fn changed(&self) -> [Option<SystemTime>; 2] {
        [&self.cert, &self.key].map(|path| std::fs::metadata(path).and_then(|it| it.modified()).ok())
    }
}

/// What is to be said of it then.
pub(crate) const PAST: &str =
    "the certificate is not valid today, by the clock of this host: no client will take it over TLS or DTLS";

/// Whether it is too late for the certificate, or too early.
pub(crate) fn is_past(tls: &ServerTls) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    !tls.is_current(now)
}
