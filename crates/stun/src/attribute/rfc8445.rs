//! The attributes of ICE (RFC 8445 sections 7.1 and 16.1).
//!
//! ```text
//!  PRIORITY        0x0024   4 octets   what a peer-reflexive candidate found by this check would have
//!  USE-CANDIDATE   0x0025   nothing    a flag
//!  ICE-CONTROLLED  0x8029   8 octets   tiebreaker
//!  ICE-CONTROLLING 0x802A   8 octets   tiebreaker
//! ```

use crate::{
    attribute::{Attribute, AttributeType, Malformed, flag_attribute, number_attribute},
    message::TransactionId,
};

/// PRIORITY: the priority of the peer-reflexive candidate that the check may uncover (RFC 8445 section 7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority(pub u32);
number_attribute!(Priority, u32, PRIORITY);

/// ICE-CONTROLLED: the sender is controlled; its tiebreaker (RFC 8445 section 7.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IceControlled(pub u64);
number_attribute!(IceControlled, u64, ICE_CONTROLLED);

/// ICE-CONTROLLING: the sender is controlling; its tiebreaker (RFC 8445 section 7.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IceControlling(pub u64);
number_attribute!(IceControlling, u64, ICE_CONTROLLING);

/// USE-CANDIDATE: the controlling agent nominates the pair (RFC 8445 section 7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UseCandidate;
flag_attribute!(UseCandidate, USE_CANDIDATE);
