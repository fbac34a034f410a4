//! What travels between the two ends of a stream.

/// The header of a segment: TCP's (RFC 9293 section 3.1) in the few words that a simulation needs. Octets are counted from 0 in
/// each direction; the end of a direction counts as one octet behind its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) kind: Kind,
    /// Which stream of these two endpoints: an old one's segments are none of a new one's.
    pub(crate) stream: u64,
    /// The number of the first octet of the payload.
    pub(crate) seq: u64,
    /// What comes behind the payload is the end of this direction.
    pub(crate) fin: bool,
    /// All octets before this number have come.
    pub(crate) ack: u64,
    /// So many from there on are welcome.
    pub(crate) window: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A wish for a stream, with TLS in it or without.
    Syn { tls: bool },
    /// It is granted.
    SynAck,
    /// Octets, or an acknowledgement alone.
    Data,
    /// Octets or none, and an answer is wanted.
    Probe,
    /// There is no such stream, or no more; or it is not spoken there what the other end speaks.
    Reset { misunderstood: bool },
}

/// The header of TCP without options.
pub(crate) const HEADER: usize = 20;

impl Segment {
    /// For the digest of a run.
    pub(crate) fn octets(&self) -> [u8; 34] {
        let mut octets = [0; 34];
        octets[0] = match self.kind {
            Kind::Syn { tls } => u8::from(tls),
            Kind::SynAck => 2,
            Kind::Data => 3,
            Kind::Probe => 4,
            Kind::Reset { misunderstood } => 5 + u8::from(misunderstood),
        };
        octets[1] = u8::from(self.fin);
        let numbers = [self.stream, self.seq, self.ack, self.window];
        for (place, number) in octets[2..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        octets
    }
}
