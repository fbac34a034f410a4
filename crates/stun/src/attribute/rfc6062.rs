//! The attribute of TURN over TCP (RFC 6062 section 6.2).
//!
//! ```text
//!  CONNECTION-ID   0x002A   4 octets   which connection between the server and a peer
//! ```

use crate::{
    attribute::{Attribute, AttributeType, Malformed, number_attribute},
    message::TransactionId,
};

number_attribute! {
    /// CONNECTION-ID: which connection of an allocation over TCP (RFC 6062 section 6.2.1).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::ConnectionId};
    ///
    /// let connect = b"\x01\x0a\x00\x08\x21\x12\xa4\x42transactions\x00\x2a\x00\x04\x00\x00\x30\x39";
    /// assert_eq!(Message::parse(connect)?.get()?, Some(ConnectionId(12345)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ConnectionId, u32, CONNECTION_ID
}
