//! What a description may be at most. Every bound of this crate stands here, each with the reason for its size.
//!
//! A browser's offer with thirty video codecs and twenty sections is about 150 kB; the bounds leave room for
//! several times that and keep the work of one hostile description under a few milliseconds.

/// Octets of one description.
pub const MAX_BYTES: usize = 1 << 20;
/// Octets of one line, its ending not counted. A `candidate` line is under 300; `fmtp` with H.265 parameter sets and
/// `identity` assertions are the long ones.
pub const MAX_LINE: usize = 8 * 1024;
/// Lines of one description.
pub const MAX_LINES: usize = 20_000;
/// `m=` sections of one description. The peer connections of large conferences have a few hundred.
pub const MAX_SECTIONS: usize = 1_024;
/// Lines of one section, the session level being one. A video section of Chromium has about 150.
pub const MAX_SECTION_LINES: usize = 2_048;
/// Formats on one `m=` line: RTP has 128 payload types (RFC 3550 section 5.1), a few more are tolerated.
pub const MAX_FORMATS: usize = 256;
/// Characters of a domain name (RFC 1035 section 2.3.4: 255 octets on the wire, 253 as text).
pub const MAX_HOST_NAME: usize = 253;
/// Candidates of one description that [`crate::jsep::Negotiated`] hands on; more are counted and left out.
pub const MAX_CANDIDATES: usize = 100;
/// SSRCs of one section that [`crate::jsep::Negotiated`] hands on; more are left out.
pub const MAX_SSRCS: usize = 64;
/// Fingerprints that [`crate::jsep::Negotiated`] hands on; more are left out.
pub const MAX_FINGERPRINTS: usize = 16;
/// Header extensions of one section that the negotiation looks at, those of the session level included, which hold for
/// each section: without a bound they would be copied once for each. Browsers name about 20.
pub const MAX_EXTENSIONS: usize = 64;
