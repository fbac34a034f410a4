//! The attribute of mobility with TURN (RFC 8016 section 3.3).
//!
//! ```text
//!  MOBILITY-TICKET   0x8030   octets that only the server understands; empty to ask for one
//! ```

use core::fmt;

use crate::{
    attribute::{Attribute, AttributeType, Malformed, octets_attribute},
    message::TransactionId,
};

octets_attribute! {
    /// MOBILITY-TICKET: what moves an allocation to another address of its client (RFC 8016 section 3.3). Empty in
    /// an Allocate request, which asks for one. It is as good as a key to the allocation, so it is not printed.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::MobilityTicket};
    ///
    /// let refresh = b"\x01\x04\x00\x08\x21\x12\xa4\x42transactions\x80\x30\x00\x03abc\x00";
    /// let ticket = Message::parse(refresh)?.get::<MobilityTicket<'_>>()?;
    /// assert_eq!(ticket, Some(MobilityTicket(b"abc")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    MobilityTicket, MOBILITY_TICKET, hex::Count
}
