//! What of a transceiver signaling knows: RFC 8829 section 3.4.1.

use super::{MediaKind, Sending};
use crate::attribute::Direction;
use alloc::string::String;

/// Names a transceiver of one negotiator. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransceiverId(pub(super) u32);

/// One audio or video section to be: what we would like of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transceiver {
    /// Its name.
    pub id: TransceiverId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What we would like; what was agreed is in [`super::NegotiatedSection::direction`].
    pub direction: Direction,
    /// What we send, once that is known.
    pub sending: Option<Sending>,
    /// It will not be used again; its section may be.
    pub stopped: bool,
    /// A remote offer made it.
    pub remote_made: bool,
    pub(super) association: Option<(usize, String)>,
}

impl Transceiver {
    /// The mid of its section, once it has one.
    #[must_use]
    pub fn mid(&self) -> Option<&str> {
        self.association.as_ref().map(|(_, mid)| mid.as_str())
    }

    /// The index of its section, once it has one.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.association.as_ref().map(|(index, _)| *index)
    }
}
