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

    /// When they were changed last and how long they are, as far as the system tells.
    fn stamps(&self) -> Stamps {
        [&self.cert, &self.key].map(|path| {
            let known = std::fs::metadata(path).ok()?;
            Some((known.modified().ok()?, known.len()))
        })
    }
}

type Stamps = [Option<(SystemTime, u64)>; 2];

/// Notices that the files are others.
///
/// Whoever renews a certificate writes two files, and may be found between the first and the second, or within one: what does
/// not fit together yet is read again each time, since its last octets may come within one tick of the file system's clock.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Of what was read last, and good.
    seen: Stamps,
    /// Of what was not, and has been told.
    told: Option<Stamps>,
}

impl Watch {
    /// Of files that are about to be read: what comes after that is new.
    pub(crate) fn new(files: &IdentityFiles) -> Self {
        Self { seen: files.stamps(), told: None }
    }

    /// Reads them if they are others. What is wrong with them is told once.
    pub(crate) fn look<T>(
        &mut self,
        files: &IdentityFiles,
        read: impl FnOnce() -> Result<T, String>,
    ) -> Option<Result<T, String>> {
        let stamps = files.stamps();
        if stamps == self.seen {
            return None;
        }
        let outcome = read();
        match &outcome {
            Ok(_) => *self = Self { seen: stamps, told: None },
            Err(_) if self.told == Some(stamps) => return None,
            Err(_) => self.told = Some(stamps),
        }
        Some(outcome)
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

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;

    /// The second file comes within the same tick of the clock as the first, and is as long as the old one.
    #[test]
    fn what_was_half_there_is_read_again_though_no_stamp_tells_of_the_rest() {
        let folder = std::env::temp_dir().join(format!("ginnel-watch-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let files = IdentityFiles { cert: folder.join("cert"), key: folder.join("key") };
        let write = |path: &Path, text: &str, at: u64| {
            fs::write(path, text).unwrap();
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at)).unwrap();
        };
        let read = || {
            let [cert, key] = [&files.cert, &files.key].map(|path| fs::read_to_string(path).unwrap());
            if cert == key { Ok(cert) } else { Err(format!("{cert} with {key}")) }
        };
        write(&files.cert, "one", 1);
        write(&files.key, "one", 1);
        let mut watch = Watch::new(&files);
        assert_eq!(watch.look(&files, read), None);
        write(&files.cert, "two", 2);
        assert_eq!(watch.look(&files, read), Some(Err("two with one".to_string())));
        assert_eq!(watch.look(&files, read), None, "it is told once");
        write(&files.key, "two", 1);
        assert_eq!(watch.look(&files, read), Some(Ok("two".to_string())));
        assert_eq!(watch.look(&files, read), None);
        // Longer within the same tick.
        write(&files.cert, "three", 2);
        write(&files.key, "three", 1);
        assert_eq!(watch.look(&files, read), Some(Ok("three".to_string())));
        // What was wrong, then gone, then wrong again in another way is told again.
        write(&files.key, "four", 4);
        assert_eq!(watch.look(&files, read), Some(Err("three with four".to_string())));
        write(&files.key, "five", 5);
        assert_eq!(watch.look(&files, read), Some(Err("three with five".to_string())));
        fs::remove_dir_all(folder).unwrap();
    }
}
