//! A whole message that is yet to be written: the strategy that fuzzing, property tests and the feature `arbitrary` share.

use ginnel_core::NoRoom;

use crate::{
    Class, IntegrityKey, MessageWriter, Method, Room, Sha256Len, TransactionId,
    attribute::{
        AnyAttribute,
        generate::{Generate, Source},
    },
};

/// How many attributes a draft has at most.
const ATTRIBUTES_MAX: usize = 24;

/// A message that is yet to be written.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// What it is in its transaction.
    pub class: Class,
    /// What it is about.
    pub method: Method,
    /// Seldom one of RFC 3489.
    pub transaction_id: TransactionId,
    attributes: [Option<AnyAttribute<'a>>; ATTRIBUTES_MAX],
    /// How it is protected.
    pub seal: Seal,
    /// Whether it ends with FINGERPRINT.
    pub fingerprint: bool,
}

/// How a draft is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seal {
    /// Not at all.
    None,
    /// By MESSAGE-INTEGRITY.
    Sha1,
    /// By MESSAGE-INTEGRITY-SHA256.
    Sha256(Sha256Len),
    /// By both.
    Both,
    /// By GOOG-MESSAGE-INTEGRITY-32.
    Goog32,
}

impl<'a> Draft<'a> {
    /// Its attributes, in order.
    pub fn attributes(&self) -> impl Iterator<Item = &AnyAttribute<'a>> {
        self.attributes.iter().flatten()
    }
    /// Writes it.
    pub fn write<R: Room>(&self, out: &mut R, key: &IntegrityKey) -> Result<(), NoRoom> {
        let open = MessageWriter::new(out, self.class, self.method, self.transaction_id)?;
        let open = self.attributes().try_fold(open, MessageWriter::any_attribute)?;
        match self.seal {
            Seal::None => self.end(open),
            Seal::Sha1 => self.end(open.integrity(key)?),
            Seal::Sha256(length) => self.end(open.integrity_sha256_truncated(key, length)?),
            Seal::Both => self.end(open.integrity(key)?.integrity_sha256(key)?),
            Seal::Goog32 => self.end(open.goog_integrity_32(key)?),
        }
    }
    fn end<S, R: Room>(&self, writer: MessageWriter<'_, '_, S, R>) -> Result<(), NoRoom> {
        if self.fingerprint {
            return writer.fingerprint();
        }
        writer.finish();
        Ok(())
    }
    /// How many octets it takes.
    #[must_use]
    pub fn octets(&self) -> usize {
        let seal = match self.seal {
            Seal::None => 0,
            Seal::Sha1 => 24,
            Seal::Sha256(length) => 4 + length.octets(),
            Seal::Both => 24 + 36,
            Seal::Goog32 => 8,
        };
        let attributes = self.attributes().map(|it| 4 + it.encoded_len().next_multiple_of(4)).sum::<usize>();
        crate::HEADER_LEN + attributes + seal + if self.fingerprint { 8 } else { 0 }
    }
}
impl<'a> Generate<'a> for Draft<'a> {
    fn generate(source: &mut impl Source<'a>) -> Self {
        let [shape, m0, m1] = source.array();
        let class = match shape & 3 {
            0 => Class::Request,
            1 => Class::Indication,
            2 => Class::Success,
            _ => Class::Error,
        };
        let seal = match shape >> 2 & 7 {
            0 | 1 => Seal::None,
            2 => Seal::Sha1,
            3 => Seal::Sha256(Sha256Len::WHOLE),
            4 => Seal::Both,
            5 => Seal::Goog32,
            _ => {
                let lengths =
                    [16, 20, 24, 28].map(|octets| Sha256Len::new(octets).unwrap_or(Sha256Len::WHOLE));
                Seal::Sha256(lengths[usize::from(source.octet() & 3)])
            }
        };
        let transaction_id = match shape >> 6 {
            0 => TransactionId::rfc3489(source.array()),
            _ => TransactionId::new(source.array()),
        };
        let count = usize::from(source.octet()) % (ATTRIBUTES_MAX + 1);
        let attributes =
            core::array::from_fn(|place| (place < count).then(|| AnyAttribute::generate(source)));
        Self {
            class,
            method: Method::new(u16::from_be_bytes([m0 & 0x0F, m1])).unwrap_or(Method::BINDING),
            transaction_id,
            attributes,
            seal,
            fingerprint: shape >> 5 & 1 != 0,
        }
    }
}
#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Draft<'a> {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self::generate(u))
    }
}
