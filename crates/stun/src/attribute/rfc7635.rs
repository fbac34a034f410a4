//! The attributes of third-party authorisation, that is OAuth (RFC 7635 section 6), and the token inside.
//!
//! ```text
//!  THIRD-PARTY-AUTHORIZATION   0x802E   UTF-8: the name by which the authorisation server knows this one
//!  ACCESS-TOKEN                0x001B   the self-contained token (RFC 7635 figure 4):
//!
//!  0               2               2 + n
//! +---------------+---------------+---------------------------------------------------------------+
//! | nonce length n| nonce         | encrypted block, authenticated together with the server's name|
//! +---------------+---------------+---------------------------------------------------------------+
//!  and in the encrypted block:
//!  0               2               2 + k           10 + k          14 + k
//! +---------------+---------------+---------------+---------------+
//! | key length k  | MAC key       | timestamp     | lifetime      |
//! +---------------+---------------+---------------+---------------+
//! ```
//!
//! All lengths are checked before anything is looked at, and nothing is copied (SECURITY.md, case 25).
//! Left out: the decryption between the two, which needs the key that the server shares with the authorisation server.

use core::{fmt, time::Duration};

use crate::{
    attribute::{
        Attribute, AttributeType, Malformed, octets_attribute,
        rfc8489::text::{TEXT_READ_MAX, text_attribute},
    },
    message::TransactionId,
};

octets_attribute! {
    /// ACCESS-TOKEN: what the authorisation server gave to the client (RFC 7635 section 6.2). Opaque to the client,
    /// which sends the octets as they are; a server looks inside by [`AccessToken::sealed`]. Not printed.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::AccessToken};
    ///
    /// let request = b"\x00\x03\x00\x0c\x21\x12\xa4\x42transactions\x00\x1b\x00\x07\x00\x03iv.bo\x00";
    /// let token = Message::parse(request)?.get::<AccessToken<'_>>()?.expect("a token").sealed()?;
    /// assert_eq!((token.nonce, token.encrypted_block), (&b"iv."[..], &b"bo"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    AccessToken, ACCESS_TOKEN, hex::Count
}
impl<'a> AccessToken<'a> {
    /// The token as its outer lengths say. `Err` if the nonce would reach past the end.
    pub fn sealed(&self) -> Result<SealedToken<'a>, Malformed> {
        let (nonce, encrypted_block) = counted(self.0)?;
        Ok(SealedToken { nonce, encrypted_block })
    }
}

/// A token whose block is still encrypted (RFC 7635 section 6.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealedToken<'a> {
    /// The nonce of the AEAD (RFC 5116 section 3.2).
    pub nonce: &'a [u8],
    /// Ciphertext and tag. The associated data is the server's name, as THIRD-PARTY-AUTHORIZATION has it.
    pub encrypted_block: &'a [u8],
}

/// What was in the encrypted block of a token (RFC 7635 section 6.2).
///
/// ```
/// use ginnel_stun::attribute::{Malformed, TokenBlock};
///
/// let octets = b"\x00\x04key!\x00\x00\x00\x00\x00\x01\x7d\x00\x00\x00\x0e\x10";
/// let block = TokenBlock::parse(octets)?;
/// assert_eq!((block.mac_key, block.lifetime), (&b"key!"[..], 3600));
/// assert_eq!(block.issued().as_millis(), 1500); // since 1970: whole seconds, and 64000ths
/// assert_eq!(TokenBlock::parse(b"\xff\xffkey!"), Err(Malformed::Length));
/// # Ok::<(), Malformed>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenBlock<'a> {
    /// The key of message integrity.
    pub mac_key: &'a [u8],
    /// When it was issued: seconds since 1970 in the upper 48 bits, 64000ths of a second in the lower 16.
    pub timestamp: u64,
    /// For how many seconds it is good.
    pub lifetime: u32,
}
impl<'a> TokenBlock<'a> {
    /// Reads a block that was decrypted. `Err` unless the key ends where timestamp and lifetime begin, and these end
    /// the block.
    pub fn parse(decrypted: &'a [u8]) -> Result<Self, Malformed> {
        let (mac_key, rest) = counted(decrypted)?;
        let rest: &[u8; 12] = rest.try_into().map_err(|_| Malformed::Length)?;
        let [timestamp @ .., l0, l1, l2, l3] = *rest;
        Ok(Self {
            mac_key,
            timestamp: u64::from_be_bytes(timestamp),
            lifetime: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }
    /// [`Self::timestamp`] as time since 1970, 00:00 UTC.
    #[must_use]
    pub fn issued(&self) -> Duration {
        Duration::from_secs(self.timestamp >> 16)
            + Duration::from_secs(self.timestamp & 0xFFFF) / FRACTIONS_PER_SECOND
    }
}
/// RFC 7635 section 6.2: what the lower 16 bits of the timestamp count.
const FRACTIONS_PER_SECOND: u32 = 64_000;

/// A 16-bit length, as many octets, and what is behind them.
fn counted(octets: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (length, rest) = octets.split_first_chunk().ok_or(Malformed::Length)?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(Malformed::Length)
}

impl fmt::Debug for SealedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedToken(..)")
    }
}
impl fmt::Debug for TokenBlock<'_> {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TokenBlock");
        shown.field("timestamp", &self.timestamp).field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

text_attribute! {
    /// THIRD-PARTY-AUTHORIZATION: the server takes tokens; the name to ask the authorisation server for one
    /// (RFC 7635 section 6.1).
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::ThirdPartyAuthorization};
    ///
    /// let error = b"\x01\x13\x00\x08\x21\x12\xa4\x42transactions\x80\x2e\x00\x04turn";
    /// let name = Message::parse(error)?.get::<ThirdPartyAuthorization<'_>>()?.expect("a name");
    /// assert_eq!(name.as_str(), "turn");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ThirdPartyAuthorization, THIRD_PARTY_AUTHORIZATION, TEXT_READ_MAX + 1, usize::MAX
}
