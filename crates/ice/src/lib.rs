#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod agent;
mod candidate;
mod checklist;
mod credentials;
mod foundation;
#[doc(hidden)]
pub mod fuzz;
pub mod mdns;
mod pair;
mod priority;

pub use agent::{
    AddLocalIpError, Agent, AgentConfig, Event, FailureReason, MAX_STUN_SERVERS, PairFailure, PairReport,
    PairStatus, Role, SelectedPair, SendError, SocketLost, State, Stats, TA,
};
pub use candidate::{
    COMPONENT, Candidate, CandidateAddress, CandidateError, CandidateKind, CandidateTransport, TcpType,
};
pub use credentials::{Credentials, CredentialsError};
pub use priority::{candidate as candidate_priority, pair as pair_priority};
