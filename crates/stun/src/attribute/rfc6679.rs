//! The attribute by which ICE finds out whether a path carries marks of congestion (RFC 6679 section 7.2.2).
//!
//! ```text
//!  ECN-CHECK   0x802D   4 octets: 29 zero bits, ECF (2 bits), V
//! ```

use ginnel_core::Ecn;

use crate::{
    attribute::{Attribute, AttributeType, Malformed},
    message::TransactionId,
};

/// ECN-CHECK: asks how a request was marked when it arrived, and says so in the response (RFC 6679 section 7.2.2).
///
/// ```
/// use ginnel_core::Ecn;
/// use ginnel_stun::{Message, attribute::EcnCheck};
///
/// let response = b"\x01\x01\x00\x08\x21\x12\xa4\x42transactions\x80\x2d\x00\x04\x00\x00\x00\x05";
/// assert_eq!(Message::parse(response)?.get()?, Some(EcnCheck { echo: Some(Ecn::Ect0) }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EcnCheck {
    /// The mark of the request, in its response; `None` in a request, and where the responder could not tell.
    pub echo: Option<Ecn>,
}
/// RFC 6679 section 7.2.2: V, whether the echo is valid.
const VALID: u8 = 1;
impl Attribute<'_> for EcnCheck {
    const TYPE: AttributeType = AttributeType::ECN_CHECK;
    #[inline]
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        let &[_, _, _, last] = value else { return Err(Malformed::Length) };
        let mark = match last >> 1 & 0b11 {
            0b00 => Ecn::NotEct,
            0b01 => Ecn::Ect1,
            0b10 => Ecn::Ect0,
            _ => Ecn::Ce,
        };
        Ok(Self { echo: (last & VALID != 0).then_some(mark) })
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        4
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        let last = match self.echo {
            None => 0,
            Some(Ecn::NotEct) => VALID,
            Some(Ecn::Ect1) => 0b01 << 1 | VALID,
            Some(Ecn::Ect0) => 0b10 << 1 | VALID,
            Some(Ecn::Ce) => 0b11 << 1 | VALID,
        };
        out.copy_from_slice(&[0, 0, 0, last]);
    }
}
#[cfg(feature = "serde")]
impl serde::Serialize for EcnCheck {
    /// The two bits of the mark as a number, or nothing.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bits = self.echo.map(|mark| match mark {
            Ecn::NotEct => 0b00_u8,
            Ecn::Ect1 => 0b01,
            Ecn::Ect0 => 0b10,
            Ecn::Ce => 0b11,
        });
        bits.serialize(serializer)
    }
}
