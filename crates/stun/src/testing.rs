//! What the tests of several modules share: the messages of RFC 5769, and a writer by hand for what ours refuses to write.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::{
    attribute::AttributeType,
    message::{Class, Method, TransactionId, message_type},
};

/// RFC 5769 section 2: the password of the first three messages.
pub(crate) const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
/// RFC 5769 section 2: their transaction ID.
pub(crate) const ID: TransactionId = TransactionId::new(*b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae");

/// RFC 5769 section 2.1.
pub(crate) const REQUEST: &[u8] = b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x10STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
    \x00\x06\x00\x09evtj:h6vY\x20\x20\x20\
    \x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\
    \x80\x28\x00\x04\xe5\x7a\x3b\xcf";
/// RFC 5769 section 2.2.
pub(crate) const RESPONSE_IPV4: &[u8] =
    b"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x0btest vector\x20\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\
    \x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7\
    \x80\x28\x00\x04\xc0\x7d\x4c\x96";
/// RFC 5769 section 2.3.
pub(crate) const RESPONSE_IPV6: &[u8] =
    b"\x01\x01\x00\x48\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x0btest vector\x20\x00\x20\x00\x14\x00\x02\xa1\x47\
    \x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9\
    \x00\x08\x00\x14\xa3\x82\x95\x4e\x4b\xe6\x7b\xf1\x17\x84\xc9\x7c\x82\x92\xc2\x75\xbf\xe3\xed\x41\
    \x80\x28\x00\x04\xc8\xfb\x0b\x4c";
/// RFC 5769 section 2.4.
pub(crate) const REQUEST_LONG_TERM: &[u8] =
    b"\x00\x01\x00\x60\x21\x12\xa4\x42\x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e\
    \x00\x06\x00\x12\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9\x00\x00\
    \x00\x15\x00\x1cf//499k954d6OL34oL9FSTvy64sA\x00\x14\x00\x0bexample.org\x00\
    \x00\x08\x00\x14\xf6\x70\x24\x65\x6d\xd6\x4a\x3e\x02\xb8\xe0\x71\x2e\x85\xc9\xa2\x8c\xa8\x96\x66";
/// RFC 8489 appendix B.1, with the length and the HMAC of its erratum.
pub(crate) const REQUEST_SHA256: &[u8] =
    b"\x00\x01\x00\x88\x21\x12\xa4\x42\x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e\
    \x00\x1e\x00\x20\x4a\x3c\xf3\x8f\xef\x69\x92\xbd\xa9\x52\xc6\x78\x04\x17\xda\x0f\
    \x24\x81\x94\x15\x56\x9e\x60\xb2\x05\xc4\x6e\x41\x40\x7f\x17\x04\
    \x00\x15\x00\x29obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA\x00\x00\x00\x00\x14\x00\x0bexample.org\x00\
    \x00\x1c\x00\x20\x23\x41\x12\xfb\xd4\xe2\x7f\x98\x3e\xb4\x03\x28\x36\xf9\x98\x21\
    \x6f\x5b\x23\xf8\xd9\x27\x75\x3f\xbc\x4f\x88\x2b\xfb\xdf\x0d\xec";
/// RFC 5769 section 2.4: `<U+30DE><U+30C8><U+30EA><U+30C3><U+30AF><U+30B9>`.
pub(crate) const MATRIX: &str = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";

/// A message put together octet by octet.
pub(crate) struct ByHand(Vec<u8>);
impl ByHand {
    pub(crate) fn new(class: Class, method: Method) -> Self {
        let mut octets = message_type(class, method).to_be_bytes().to_vec();
        octets.extend(b"\0\0\x21\x12\xa4\x42");
        octets.extend(ID.octets());
        Self(octets)
    }
    pub(crate) fn binding() -> Self {
        Self::new(Class::Request, Method::BINDING)
    }
    /// An attribute, padded with octets that are not zero.
    pub(crate) fn with(mut self, kind: AttributeType, value: &[u8]) -> Self {
        self.0.extend(kind.0.to_be_bytes());
        self.0.extend((value.len() as u16).to_be_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0xAA);
        let length = (self.0.len() - 20) as u16;
        self.0[2..4].copy_from_slice(&length.to_be_bytes());
        self
    }
    /// MESSAGE-INTEGRITY, computed apart from the crate's own code.
    pub(crate) fn with_sha1(self, password: &str) -> Self {
        let mut mac = Hmac::<Sha1>::new_from_slice(password.as_bytes()).unwrap();
        let before = self.0.len();
        let message = self.with(AttributeType::MESSAGE_INTEGRITY, &[0; 20]);
        mac.update(&message.0[..before]);
        let Self(mut octets) = message;
        octets[before + 4..].copy_from_slice(&mac.finalize().into_bytes());
        Self(octets)
    }
    /// FINGERPRINT, bit by bit: another way than the crate's.
    pub(crate) fn with_fingerprint(self) -> Self {
        let before = self.0.len();
        let Self(mut octets) = self.with(AttributeType::FINGERPRINT, &[0; 4]);
        let crc = octets[..before].iter().fold(u32::MAX, |crc, &octet| {
            (0..8)
                .fold(crc ^ u32::from(octet), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
        });
        octets[before + 4..].copy_from_slice(&(!crc ^ 0x5354_554E).to_be_bytes());
        Self(octets)
    }
    /// Writes over octets, to say what is not so.
    pub(crate) fn set(&mut self, at: usize, octets: &[u8]) {
        self.0[at..at + octets.len()].copy_from_slice(octets);
    }
    pub(crate) fn octets(self) -> Vec<u8> {
        self.0
    }
}
