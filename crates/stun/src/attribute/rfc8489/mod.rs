//! The attributes of STUN itself (RFC 8489 section 14).
//!
//! ```text
//!  MAPPED-ADDRESS       0x0001   here         an address in the plain shape
//!  USERNAME             0x0006   text.rs
//!  ERROR-CODE           0x0009   error.rs
//!  UNKNOWN-ATTRIBUTES   0x000A   error.rs
//!  REALM                0x0014   text.rs
//!  NONCE                0x0015   text.rs
//!  PASSWORD-ALGORITHM   0x001D   algorithm.rs
//!  USERHASH             0x001E   here         32 octets: SHA-256 of user name ":" realm
//!  XOR-MAPPED-ADDRESS   0x0020   here         an address in the XOR shape
//!  PASSWORD-ALGORITHMS  0x8002   algorithm.rs
//!  ALTERNATE-DOMAIN     0x8003   text.rs
//!  SOFTWARE             0x8022   text.rs
//!  ALTERNATE-SERVER     0x8023   here         an address in the plain shape
//! ```
//!
//! Elsewhere: MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, which are computed, never chosen.

mod algorithm;
mod error;
pub(super) mod text;

use core::net::SocketAddr;

use sha2::{Digest, Sha256};

pub use algorithm::{Algorithm, PasswordAlgorithm, PasswordAlgorithms};
pub use error::{ErrorCode, UnknownAttributes};
pub use text::{AlternateDomain, Nonce, Realm, Software, Username};

use crate::{
    attribute::{
        Attribute, AttributeType, Malformed,
        address::{PLAIN, address_attribute, veil},
        array_attribute,
    },
    message::TransactionId,
};

address_attribute! {
    /// MAPPED-ADDRESS: where the request came from, for clients of RFC 3489 (RFC 8489 section 14.1).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::MappedAddress};
    ///
    /// let success = b"\x01\x01\x00\x0c\x21\x12\xa4\x42transactions\x00\x01\x00\x08\x00\x01\x80\x55\xc0\x00\x02\x01";
    /// assert_eq!(Message::parse(success)?.get()?, Some(MappedAddress("192.0.2.1:32853".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    MappedAddress, MAPPED_ADDRESS, |_| PLAIN
}
address_attribute! {
    /// XOR-MAPPED-ADDRESS: where the request came from (RFC 8489 section 14.2).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::XorMappedAddress};
    ///
    /// let success = b"\x01\x01\x00\x0c\x21\x12\xa4\x42transactions\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43";
    /// assert_eq!(Message::parse(success)?.get()?, Some(XorMappedAddress("192.0.2.1:32853".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    XorMappedAddress, XOR_MAPPED_ADDRESS, veil
}
address_attribute! {
    /// ALTERNATE-SERVER: who to ask instead (RFC 8489 section 14.15). To be believed only where message integrity has
    /// been checked (section 14.8).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::AlternateServer};
    ///
    /// let error = b"\x01\x11\x00\x0c\x21\x12\xa4\x42transactions\x80\x23\x00\x08\x00\x01\x0d\x96\xc0\x00\x02\x07";
    /// assert_eq!(Message::parse(error)?.get()?, Some(AlternateServer("192.0.2.7:3478".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    AlternateServer, ALTERNATE_SERVER, |_| PLAIN
}

array_attribute! {
    /// USERHASH: the user, unnamed (RFC 8489 section 14.4).
    ///
    /// ```
    /// use ginnel_stun::attribute::UserHash;
    ///
    /// let user = UserHash::of("\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}", "example.org");
    /// assert_eq!(user.0[..4], [0x4a, 0x3c, 0xf3, 0x8f]); // RFC 8489 appendix B.1
    /// ```
    UserHash, 32, USERHASH
}
impl UserHash {
    /// The hash of a user name and a realm, both prepared with OpaqueString.
    #[must_use]
    pub fn of(username: &str, realm: &str) -> Self {
        let hash = Sha256::new().chain_update(username).chain_update(":").chain_update(realm);
        Self(hash.finalize().into())
    }
}
