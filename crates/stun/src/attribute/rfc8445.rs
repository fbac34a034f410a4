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

number_attribute! {
    /// PRIORITY: the priority of the peer-reflexive candidate that the check may uncover (RFC 8445 section 7.1.1).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::Priority};
    ///
    /// let check = b"\x00\x01\x00\x08\x21\x12\xa4\x42transactions\x00\x24\x00\x04\x6e\x00\x01\xff";
    /// assert_eq!(Message::parse(check)?.get()?, Some(Priority(0x6e00_01ff)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Priority, u32, PRIORITY
}

number_attribute! {
    /// ICE-CONTROLLED: the sender is controlled; its tiebreaker (RFC 8445 section 7.1.3).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::IceControlled};
    ///
    /// let check = b"\x00\x01\x00\x0c\x21\x12\xa4\x42transactions\x80\x29\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07";
    /// assert_eq!(Message::parse(check)?.get()?, Some(IceControlled(7)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    IceControlled, u64, ICE_CONTROLLED
}

number_attribute! {
    /// ICE-CONTROLLING: the sender is controlling; its tiebreaker (RFC 8445 section 7.1.3).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::IceControlling};
    ///
    /// let check = b"\x00\x01\x00\x0c\x21\x12\xa4\x42transactions\x80\x2a\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07";
    /// assert_eq!(Message::parse(check)?.get()?, Some(IceControlling(7)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    IceControlling, u64, ICE_CONTROLLING
}

flag_attribute! {
    /// USE-CANDIDATE: the controlling agent nominates the pair (RFC 8445 section 7.1.2).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::UseCandidate};
    ///
    /// let check = b"\x00\x01\x00\x04\x21\x12\xa4\x42transactions\x00\x25\x00\x00";
    /// assert_eq!(Message::parse(check)?.get()?, Some(UseCandidate));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    UseCandidate, USE_CANDIDATE
}
