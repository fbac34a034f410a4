#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod candidate;
mod config;
mod error;
mod event;
mod media;
mod peer;

pub use config::PeerConfig;
pub use error::{CandidateError, DescriptionError, MediaError, MessageError, OpenError};
pub use event::{Closed, ConnectionState, Data, Event, Failure, LocalCandidate, Phases};
pub use ginnel_datachannel::{ChannelCloseReason, ChannelConfig, MessageKind, Opener, Reliability};
pub use ginnel_sdp::jsep::SdpType;
pub use media::SectionIndex;
pub use peer::{ChannelId, Peer, Stats};
