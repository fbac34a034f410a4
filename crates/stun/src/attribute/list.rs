//! Lists of numbers of 16 bits, 2 octets each: read from octets, or written from a slice.
//!
//! Two lists are equal when their entries are, wherever they came from.

use crate::attribute::AttributeType;

/// Entries that are read, or that are to be written.
#[derive(Clone, Copy)]
pub(super) enum Listed<'a, T> {
    /// As read: an even number of octets.
    Octets(&'a [u8]),
    /// To be written.
    Values(&'a [T]),
}
/// What an entry can be.
pub(super) trait Entry: Copy {
    fn from_number(number: u16) -> Self;
    fn number(self) -> u16;
}
impl Entry for u16 {
    fn from_number(number: u16) -> Self {
        number
    }
    fn number(self) -> u16 {
        self
    }
}
impl Entry for AttributeType {
    fn from_number(number: u16) -> Self {
        Self(number)
    }
    fn number(self) -> u16 {
        self.0
    }
}
impl<'a, T: Entry> Listed<'a, T> {
    pub(super) fn iter(&self) -> impl Iterator<Item = T> + use<'a, T> {
        let (octets, values) = match *self {
            Self::Octets(octets) => (octets, &[][..]),
            Self::Values(values) => (&[][..], values),
        };
        let read = octets.as_chunks().0.iter().map(|pair| T::from_number(u16::from_be_bytes(*pair)));
        read.chain(values.iter().copied())
    }
    pub(super) const fn encoded_len(&self) -> usize {
        match self {
            Self::Octets(octets) => octets.len(),
            Self::Values(values) => 2 * values.len(),
        }
    }
    pub(super) fn write(&self, out: &mut [u8]) {
        for (pair, entry) in out.as_chunks_mut().0.iter_mut().zip(self.iter()) {
            *pair = entry.number().to_be_bytes();
        }
    }
}

/// An attribute that is such a list, around a [`Listed`].
macro_rules! list_attribute {
    ($name:ident, $kind:ident) => {
        impl<'a> Attribute<'a> for $name<'a> {
            const TYPE: AttributeType = AttributeType::$kind;
            #[inline]
            fn parse(value: &'a [u8], _: TransactionId) -> Result<Self, Malformed> {
                if value.len().is_multiple_of(2) {
                    Ok(Self($crate::attribute::list::Listed::Octets(value)))
                } else {
                    Err(Malformed::Length)
                }
            }
            #[inline]
            fn encoded_len(&self) -> usize {
                self.0.encoded_len()
            }
            #[inline]
            fn write(&self, out: &mut [u8], _: TransactionId) {
                self.0.write(out);
            }
        }
        impl PartialEq for $name<'_> {
            fn eq(&self, other: &Self) -> bool {
                self.iter().eq(other.iter())
            }
        }
        impl Eq for $name<'_> {}
        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.iter()).finish()
            }
        }
        #[cfg(feature = "serde")]
        impl serde::Serialize for $name<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.iter())
            }
        }
    };
}
pub(super) use list_attribute;
