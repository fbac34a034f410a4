//! What the server is told: by flags, by the environment, by a file, in this order of precedence; and what it makes of it.
//!
//! Every source is a [`Layer`] of texts, each with its place, so that values are judged in one way wherever they come from, and
//! every mistake can say where it stands. [`KEYS`](keys::KEYS) is the list of what can be set. Nothing here opens a socket, and the
//! only files that are read are the configuration and, by [`IdentityFiles`](identity::IdentityFiles), the certificate.

mod file;
pub(super) mod identity;
pub(super) mod keys;
mod layer;
mod mistake;
mod print;
pub(super) mod range;
mod read;
mod settings;
mod value;

use std::{io::Read as _, path::Path};

use keys::Key;
use zeroize::Zeroizing;

pub(crate) use file::Source;
pub(crate) use layer::{Given, Layer};
pub(crate) use mistake::{Mistakes, Place};
pub(crate) use settings::{PORT, Settings, StaticUser, USERS_MAX};
pub(crate) use value::External;

/// How long a file may be, in octets: 100,000 users fit in it.
const FILE_MAX: u64 = 16 << 20;

/// All that was said, before it is judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) flags: Layer,
    pub(crate) environment: Layer,
    pub(crate) file: Option<Source>,
}

impl Sources {
    /// Reads the file again: for SIGHUP.
    pub(crate) fn reread(&self) -> Result<Self, String> {
        let file = self.file.as_ref().map(|file| Source::read(&file.path)).transpose()?;
        Ok(Self { file, ..self.clone() })
    }

    /// What holds, or everything that is wrong with it.
    pub(crate) fn resolve(&self) -> Result<Settings, Mistakes> {
        let (layers, mistakes) = self.layers();
        Settings::read(&layers, mistakes).map_err(|list| Mistakes { list, file: self.file.clone() })
    }

    /// What holds, as a file that says the same, with where each value comes from.
    pub(crate) fn print(&self) -> String {
        print::effective(&self.layers().0, self.file.as_ref())
    }

    /// Whether another set of sources says something else of a key.
    pub(crate) fn differ(&self, other: &Self, key: &Key) -> bool {
        let texts = |sources: &Self| {
            let (layers, _) = sources.layers();
            read::given(&layers, key).map(|given| given.iter().map(|it| it.text.clone()).collect::<Vec<_>>())
        };
        texts(self) != texts(other)
    }

    /// The highest first.
    fn layers(&self) -> ([Layer; 3], Vec<mistake::Mistake>) {
        let mut mistakes = Vec::new();
        let file = self.file.as_ref().map(|file| file.layer(&mut mistakes)).unwrap_or_default();
        ([self.flags.clone(), self.environment.clone(), file], mistakes)
    }
}

impl Source {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let mut text = Zeroizing::new(String::new());
        std::fs::File::open(path)
            .and_then(|file| file.take(FILE_MAX + 1).read_to_string(&mut text))
            .map_err(|error| {
                format!(
                    "{}: the configuration cannot be read: {error}; is the path of --config right?",
                    path.display()
                )
            })?;
        if text.len() as u64 > FILE_MAX {
            return Err(format!(
                "{}: this has more than {FILE_MAX} octets, which no configuration has; is the path of --config right?",
                path.display()
            ));
        }
        Ok(Self { path: path.to_path_buf(), text })
    }
}

#[cfg(test)]
mod tests;
