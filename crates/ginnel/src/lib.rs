#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub use ginnel_core as core;
pub use ginnel_datachannel as datachannel;
pub use ginnel_driver as driver;
pub use ginnel_dtls_srtp as dtls_srtp;
pub use ginnel_ice as ice;
pub use ginnel_peer as peer;
pub use ginnel_rtp as rtp;
pub use ginnel_sdp as sdp;
#[cfg(feature = "smol")]
pub use ginnel_smol as smol;
pub use ginnel_stun as stun;
#[cfg(feature = "tokio")]
pub use ginnel_tokio as tokio;
pub use ginnel_turn as turn;
