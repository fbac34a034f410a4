//! Authentication (RFC 8489 section 9), the server's half: what it announces, what it challenges with, what it accepts.

mod features;

pub use features::SecurityFeatures;
