//! Foundations: RFC 8445 section 5.1.1.3.
//!
//! Candidates share a foundation when their kind, the address of their base, their server's address and their transport
//! are equal. A foundation is a small number inside the agent and its decimal text outside. Those of the other side are
//! opaque words: each different word gets a number of its own, so that comparing pairs compares two integers.

use alloc::{string::String, vec::Vec};
use core::net::IpAddr;

use crate::{CandidateKind, CandidateTransport};

/// What two local candidates must have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoundationKey {
    pub(crate) kind: CandidateKind,
    pub(crate) base: IpAddr,
    pub(crate) server: Option<IpAddr>,
    pub(crate) transport: CandidateTransport,
}

/// The number of a local or remote foundation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foundation(pub(crate) u16);

/// The local side's table. It grows with kinds, addresses and servers, all of which are bounded.
#[derive(Debug, Default)]
pub(crate) struct LocalFoundations(Vec<FoundationKey>);
impl LocalFoundations {
    pub(crate) fn of(&mut self, key: FoundationKey) -> Foundation {
        let at = self.0.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.0.push(key);
            self.0.len() - 1
        });
        Foundation(at as u16)
    }
}

/// The remote side's table, bounded by the number of remote candidates.
#[derive(Debug, Default)]
pub(crate) struct RemoteFoundations {
    words: Vec<Option<String>>,
}
impl RemoteFoundations {
    pub(crate) fn of(&mut self, word: &str) -> Foundation {
        let at = self.words.iter().position(|known| known.as_deref() == Some(word)).unwrap_or_else(|| {
            self.words.push(Some(String::from(word)));
            self.words.len() - 1
        });
        Foundation(at as u16)
    }
    /// RFC 8445 section 7.3.1.3: a peer-reflexive candidate's foundation differs from all others.
    pub(crate) fn unique(&mut self) -> Foundation {
        self.words.push(None);
        Foundation((self.words.len() - 1) as u16)
    }
}
