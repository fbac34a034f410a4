//! Typed attributes, one file for each family of RFCs.
//!
//! An attribute is a *lens* on the text of its line: [`Attribute::parse`] reads the value without allocating, and
//! `Display` writes `name:value` as it stands after `a=`. [`crate::Session::parse`] runs [`check`] over every line, so
//! what stands in a parsed session can be read as its type.
//!
//! Left out: attributes that only other applications of SDP use. They are kept as text, in their place.

use crate::error::ValueError;
use core::fmt;

mod candidate;
mod cursor;
mod dtls;
mod extmap;
mod feedback;
mod format;
mod grouping;
mod ice;
mod msid;
mod rtcp;
mod sctp;
mod simulcast;
mod ssrc;
#[cfg(test)]
mod tests;

pub use candidate::{Candidate, CandidateAddress, CandidateKind, CandidateTransport, Refusal, TcpType};
pub use dtls::{Digest, Fingerprint, Setup, TlsId};
pub use extmap::{ExtMap, ExtMapAllowMixed};
pub use feedback::{Feedback, FeedbackTarget};
pub use format::{Direction, Fmtp, MaxPtime, Parameters, Ptime, RtpMap};
pub use grouping::{BundleOnly, Group, Mid};
pub use ice::{EndOfCandidates, IceLite, IceOptions, IcePwd, IceUfrag};
pub use msid::{Msid, MsidSemantic};
pub use rtcp::{Rtcp, RtcpMux, RtcpMuxOnly, RtcpRsize};
pub use sctp::{MaxMessageSize, SctpInit, SctpMap, SctpPort};
pub use simulcast::{Rid, RidDirection, Simulcast, SimulcastAlternatives};
pub use ssrc::{Ssrc, SsrcGroup};

/// An attribute with a grammar. `Display` writes `name` or `name:value`, without the `a=`.
pub trait Attribute<'a>: Sized + fmt::Display {
    /// The name, as it is written.
    const NAME: &'static str;

    /// Reads what stands after the colon; for a property attribute that is nothing.
    fn parse(value: &'a str) -> Result<Self, ValueError>;
}

/// Whether `value` is well formed for the attribute `name`. Unknown attributes always are (RFC 8866 section 5.13:
/// they are ignored).
///
/// ```
/// use ginnel_sdp::attribute::check;
/// assert!(check("sctp-port", "5000").is_ok());
/// assert!(check("sctp-port", "70000").is_err());
/// assert!(check("x-of-tomorrow", "anything").is_ok());
/// ```
pub fn check(name: &str, value: &str) -> Result<(), ValueError> {
    fn as_type<'a, A: Attribute<'a>>(value: &'a str) -> Result<(), ValueError> {
        A::parse(value).map(drop)
    }
    match name {
        Mid::NAME => as_type::<Mid<'_>>(value),
        Group::NAME => as_type::<Group<'_>>(value),
        BundleOnly::NAME => as_type::<BundleOnly>(value),
        IceUfrag::NAME => as_type::<IceUfrag<'_>>(value),
        IcePwd::NAME => as_type::<IcePwd<'_>>(value),
        IceOptions::NAME => as_type::<IceOptions<'_>>(value),
        IceLite::NAME => as_type::<IceLite>(value),
        EndOfCandidates::NAME => as_type::<EndOfCandidates>(value),
        Candidate::NAME => as_type::<Candidate<'_>>(value),
        Fingerprint::NAME => as_type::<Fingerprint<'_>>(value),
        Setup::NAME => as_type::<Setup>(value),
        TlsId::NAME => as_type::<TlsId<'_>>(value),
        SctpPort::NAME => as_type::<SctpPort>(value),
        MaxMessageSize::NAME => as_type::<MaxMessageSize>(value),
        SctpInit::NAME => as_type::<SctpInit<'_>>(value),
        SctpMap::NAME => as_type::<SctpMap<'_>>(value),
        RtpMap::NAME => as_type::<RtpMap<'_>>(value),
        Fmtp::NAME => as_type::<Fmtp<'_>>(value),
        Ptime::NAME => as_type::<Ptime>(value),
        MaxPtime::NAME => as_type::<MaxPtime>(value),
        Feedback::NAME => as_type::<Feedback<'_>>(value),
        ExtMap::NAME => as_type::<ExtMap<'_>>(value),
        ExtMapAllowMixed::NAME => as_type::<ExtMapAllowMixed>(value),
        Rtcp::NAME => as_type::<Rtcp<'_>>(value),
        RtcpMux::NAME => as_type::<RtcpMux>(value),
        RtcpMuxOnly::NAME => as_type::<RtcpMuxOnly>(value),
        RtcpRsize::NAME => as_type::<RtcpRsize>(value),
        Msid::NAME => as_type::<Msid<'_>>(value),
        MsidSemantic::NAME => as_type::<MsidSemantic<'_>>(value),
        Ssrc::NAME => as_type::<Ssrc<'_>>(value),
        SsrcGroup::NAME => as_type::<SsrcGroup<'_>>(value),
        Rid::NAME => as_type::<Rid<'_>>(value),
        Simulcast::NAME => as_type::<Simulcast<'_>>(value),
        _ => Direction::check(name, value),
    }
}

/// A property attribute: a name that says everything. The macro only spares the same ten lines for each.
macro_rules! property {
    ($(#[$doc:meta])* $name:ident, $text:literal, $clause:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name;

        impl Attribute<'_> for $name {
            const NAME: &'static str = $text;

            fn parse(value: &str) -> Result<Self, ValueError> {
                if value.is_empty() { Ok($name) } else { Err(ValueError::new(0, "no value", $clause)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($text)
            }
        }
    };
}
use property;
