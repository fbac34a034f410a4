//! FINGERPRINT (RFC 8489 sections 7 and 14.7): tells STUN from what shares its port. It is no protection.
//!
//! ```text
//!  0               2               4                               8
//! +---------------+---------------+-------------------------------+
//! | 0x8028        | 4             | CRC-32 of all before ^ "STUN" |
//! +---------------+---------------+-------------------------------+
//! ```

/// What became of the check of a FINGERPRINT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use]
pub enum Fingerprint {
    /// There is none.
    Absent,
    /// It is right.
    Ok,
    /// It is wrong: the octets are another protocol's, or damaged. RFC 8489 section 6.3: discard silently.
    Bad,
}

/// RFC 8489 section 14.7: the octets "STUN", so that another protocol's CRC-32 is not taken for ours.
const XOR: u32 = 0x5354_554E;

/// The value of a FINGERPRINT behind `before`, whose length field counts the FINGERPRINT already.
pub(crate) fn compute(before: &[u8]) -> [u8; 4] {
    (crc32fast::hash(before) ^ XOR).to_be_bytes()
}

/// A received message ends with its FINGERPRINT, so its length field is as it must be.
pub(crate) fn check(before: &[u8], value: &[u8]) -> Fingerprint {
    if value == compute(before) { Fingerprint::Ok } else { Fingerprint::Bad }
}
