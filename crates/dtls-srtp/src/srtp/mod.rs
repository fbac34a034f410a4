//! SRTP and SRTCP (RFC 3711) with the profiles of WebRTC (RFC 5764, RFC 7714), in place on [`ginnel_core::Packet`].
//!
//! A [`Sender`] protects, a [`Receiver`] verifies; each is made from the [`MasterKey`] of its direction and serves every source
//! (SSRC) of it, RTP and RTCP. They are codecs with a memory, not machines: no time, no events. The memory is one index and one
//! replay window for each source, and grows only by packets that were authenticated, up to [`Config::max_sources`]. A packet of
//! a known source costs no allocation.
//!
//! Left out so far: master key identifiers, key derivation rates other than zero, encrypted header extensions (RFC 6904) and
//! Cryptex (RFC 9335), profiles with short tags.

mod config;
mod crypto;
mod header;
mod index;
mod key;
mod lifetime;
mod profile;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;

pub use config::{Config, MAX_RTCP_OVERHEAD, MAX_RTP_OVERHEAD};
pub use key::{MasterKey, WrongKeyLength};
pub use lifetime::KeyUse;
pub use profile::Profile;
pub use receiver::{Receiver, ReceiverStats, Rejected};
pub use sender::{ProtectError, Sender, SenderStats};
