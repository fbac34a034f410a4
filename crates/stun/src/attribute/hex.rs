//! How octets are serialised (feature `serde`): as text that people can read and compare with a dump.

use core::fmt;

use serde::{Deserializer, Serializer, de};

/// Two digits for each octet.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);
impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// How many octets there are, and not which: they are a secret.
pub(super) struct Count<'a>(pub(super) &'a [u8]);
impl fmt::Display for Count<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.0.len())
    }
}

/// For `serde(with)`, of octets whose number is fixed; and for `serde(serialize_with)` of any octets.
pub(super) fn serialize<S: Serializer>(octets: impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Hex(octets.as_ref()))
}
/// Takes exactly `2 * N` digits.
pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
    deserializer: D,
) -> Result<[u8; N], D::Error> {
    struct Digits<const N: usize>;
    impl<const N: usize> de::Visitor<'_> for Digits<N> {
        type Value = [u8; N];
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} hexadecimal digits", 2 * N)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; N], E> {
            let refused = || E::invalid_value(de::Unexpected::Str(text), &self);
            let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(refused()) };
            let pairs: &[[u8; 2]; N] = pairs.try_into().map_err(|_| refused())?;
            let mut octets = [0; N];
            for (octet, digits) in octets.iter_mut().zip(pairs) {
                let digit = |digit: u8| char::from(digit).to_digit(16).ok_or_else(refused);
                // Two digits make an octet.
                *octet = (digit(digits[0])? << 4 | digit(digits[1])?) as u8;
            }
            Ok(octets)
        }
    }
    deserializer.deserialize_str(Digits)
}
