//! What only RFC 3489 has (its section 11.2), and what drafts on the way to RFC 5389 had: for servers that answer old
//! clients, and clients that read old servers.
//!
//! ```text
//!  RESPONSE-ADDRESS     0x0002   an address in the plain shape
//!  SOURCE-ADDRESS       0x0004   an address in the plain shape
//!  CHANGED-ADDRESS      0x0005   an address in the plain shape
//!  PASSWORD             0x0007   octets, a multiple of 4
//!  REFLECTED-FROM       0x000B   an address in the plain shape
//!  XOR-MAPPED-ADDRESS   0x8020   an address in the XOR shape
//! ```
//!
//! RFC 5389 section 18.2 reserves their numbers. All but the last must be understood, or a request is refused.

use core::{fmt, net::SocketAddr};

use crate::{
    attribute::{
        Attribute, AttributeType, Malformed,
        address::{PLAIN, address_attribute, veil},
        octets_attribute,
    },
    message::TransactionId,
};

address_attribute! {
    /// RESPONSE-ADDRESS: where the client would have the answer sent (RFC 3489 section 11.2.2). Whoever obeys is a
    /// reflector: RFC 5389 has taken it out. Here only so that it can be named.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::ResponseAddress};
    ///
    /// let request = b"\x00\x01\x00\x0c\x21\x12\xa4\x42transactions\x00\x02\x00\x08\x00\x01\x13\x88\xc0\x00\x02\x01";
    /// assert_eq!(Message::parse(request)?.get()?, Some(ResponseAddress("192.0.2.1:5000".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ResponseAddress, RESPONSE_ADDRESS, |_| PLAIN
}

address_attribute! {
    /// SOURCE-ADDRESS: where the answer was sent from (RFC 3489 section 11.2.5). Now RESPONSE-ORIGIN.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::SourceAddress};
    ///
    /// let response = b"\x01\x01\x00\x0c\x21\x12\xa4\x42transactions\x00\x04\x00\x08\x00\x01\x0d\x96\xc0\x00\x02\x01";
    /// assert_eq!(Message::parse(response)?.get()?, Some(SourceAddress("192.0.2.1:3478".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    SourceAddress, SOURCE_ADDRESS, |_| PLAIN
}

address_attribute! {
    /// CHANGED-ADDRESS: where the answer would have come from, had both IP address and port been changed (RFC 3489
    /// section 11.2.3). Now OTHER-ADDRESS.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::ChangedAddress};
    ///
    /// let response = b"\x01\x01\x00\x0c\x21\x12\xa4\x42transactions\x00\x05\x00\x08\x00\x01\x0d\x97\xc0\x00\x02\x02";
    /// assert_eq!(Message::parse(response)?.get()?, Some(ChangedAddress("192.0.2.2:3479".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ChangedAddress, CHANGED_ADDRESS, |_| PLAIN
}

address_attribute! {
    /// REFLECTED-FROM: who asked for the answer to be sent elsewhere (RFC 3489 section 11.2.11).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::ReflectedFrom};
    ///
    /// let response = b"\x01\x01\x00\x0c\x21\x12\xa4\x42transactions\x00\x0b\x00\x08\x00\x01\x13\x88\xc0\x00\x02\x01";
    /// assert_eq!(Message::parse(response)?.get()?, Some(ReflectedFrom("192.0.2.1:5000".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ReflectedFrom, REFLECTED_FROM, |_| PLAIN
}

address_attribute! {
    /// XOR-MAPPED-ADDRESS by the number that drafts of RFC 5389 gave it: some servers still send this one alone.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::XorMappedAddressDraft};
    ///
    /// let response = b"\x01\x01\x00\x0c\x21\x12\xa4\x42transactions\x80\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43";
    /// assert_eq!(Message::parse(response)?.get()?, Some(XorMappedAddressDraft("192.0.2.1:32853".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    XorMappedAddressDraft, XOR_MAPPED_ADDRESS_DRAFT, veil
}

octets_attribute! {
    /// PASSWORD: the secret of a Shared Secret response (RFC 3489 section 11.2.7). Not printed.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::Password};
    ///
    /// let response = b"\x01\x02\x00\x08\x21\x12\xa4\x42transactions\x00\x07\x00\x04abcd";
    /// assert_eq!(Message::parse(response)?.get()?, Some(Password(b"abcd")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Password, PASSWORD, hex::Count
}
