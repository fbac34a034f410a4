//! The nonce cookie and the STUN Security Features (RFC 8489 sections 9.2 and 18.1).
//!
//! ```text
//!  0                                   9               13
//! +-----------------------------------+---------------+-----------------------
//! | "obMatJos2"                       | base64, 24 bits| the rest of the nonce
//! +-----------------------------------+---------------+-----------------------
//!                                       bit 0, the leftmost: Password algorithms
//!                                       bit 1: Username anonymity
//! ```
//!
//! A server says in front of its nonces which features it has, because nonces are protected by message integrity and the
//! attributes of an error are not: whoever strips a feature off on the way shows himself (section 9.2.1).
//!
//! Sections 9.2 and 18.1 and the exchange of RFC 8656 section 20 count bits from the most significant one, and so are
//! they written. The vector of RFC 8489 appendix B.1 counts them from the other side, as an erratum has it and as some
//! servers do. No bit has a meaning in both ways of counting, so both are read.

/// RFC 8489 section 9.2: what the nonces of servers begin with that know that RFC.
const MAGIC: &[u8; 9] = b"obMatJos2";
/// RFC 8489 section 18.1: bit 0, Password algorithms; the same with bits counted from the other side, which is only read.
const PASSWORD_ALGORITHMS: (u32, u32) = (1 << 23, 1 << 0);
/// RFC 8489 section 18.1: bit 1, Username anonymity; and from the other side.
const USERNAME_ANONYMITY: (u32, u32) = (1 << 22, 1 << 1);
/// RFC 4648 section 4, table 1.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The security features that a server announces in the first 13 octets of its nonces.
///
/// ```
/// use ginnel_stun::auth::SecurityFeatures;
///
/// let features = SecurityFeatures::default().with_password_algorithms(true);
/// assert_eq!(&features.cookie(), b"obMatJos2gAAA");
/// assert_eq!(SecurityFeatures::parse(b"obMatJos2gAAAand more"), Some(features));
/// assert_eq!(SecurityFeatures::parse(b"f//499k954d6OL34oL9FSTvy64sA"), None); // a server of RFC 5389
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SecurityFeatures {
    /// Bit 0, *Password algorithms*: the server sends PASSWORD-ALGORITHMS with its challenges.
    pub password_algorithms: bool,
    /// Bit 1, *Username anonymity*: the client is to send USERHASH instead of USERNAME.
    pub username_anonymity: bool,
}

impl SecurityFeatures {
    /// RFC 8489 section 9.2: octets of the nonce cookie.
    pub const COOKIE_LEN: usize = 13;

    /// With PASSWORD-ALGORITHMS announced, or not.
    #[must_use]
    pub const fn with_password_algorithms(mut self, announced: bool) -> Self {
        self.password_algorithms = announced;
        self
    }
    /// With USERHASH asked for, or not.
    #[must_use]
    pub const fn with_username_anonymity(mut self, asked: bool) -> Self {
        self.username_anonymity = asked;
        self
    }

    /// The features in front of `nonce`; `None` if it does not begin with a nonce cookie. Bits that are not assigned are
    /// ignored.
    #[must_use]
    pub fn parse(nonce: &[u8]) -> Option<Self> {
        let (cookie, _) = nonce.split_first_chunk::<{ Self::COOKIE_LEN }>()?;
        let digits = cookie.strip_prefix(MAGIC)?;
        let bits = digits.iter().try_fold(0, |bits, &digit| Some(bits << 6 | digit_value(digit)?))?;
        Some(Self {
            password_algorithms: bits & (PASSWORD_ALGORITHMS.0 | PASSWORD_ALGORITHMS.1) != 0,
            username_anonymity: bits & (USERNAME_ANONYMITY.0 | USERNAME_ANONYMITY.1) != 0,
        })
    }

    /// The nonce cookie: what the nonces of a server with these features begin with.
    #[must_use]
    pub fn cookie(self) -> [u8; Self::COOKIE_LEN] {
        let mut bits = 0;
        if self.password_algorithms {
            bits |= PASSWORD_ALGORITHMS.0;
        }
        if self.username_anonymity {
            bits |= USERNAME_ANONYMITY.0;
        }
        let [m0, m1, m2, m3, m4, m5, m6, m7, m8] = *MAGIC;
        let [d0, d1, d2, d3] = [18, 12, 6, 0].map(|shift| base64_digit(bits >> shift));
        [m0, m1, m2, m3, m4, m5, m6, m7, m8, d0, d1, d2, d3]
    }
}

/// The base64 digit of the low six bits.
pub(super) const fn base64_digit(bits: u32) -> u8 {
    BASE64[(bits & 0x3F) as usize]
}

/// What a base64 digit stands for.
pub(super) const fn digit_value(digit: u8) -> Option<u32> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    } as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SecurityFeatures; 4] = [
        SecurityFeatures { password_algorithms: false, username_anonymity: false },
        SecurityFeatures { password_algorithms: true, username_anonymity: false },
        SecurityFeatures { password_algorithms: false, username_anonymity: true },
        SecurityFeatures { password_algorithms: true, username_anonymity: true },
    ];

    #[test]
    fn rfc8489_18_1_bits_count_from_the_leftmost() {
        let cookies: [&[u8]; 4] = [b"obMatJos2AAAA", b"obMatJos2gAAA", b"obMatJos2QAAA", b"obMatJos2wAAA"];
        for (features, cookie) in ALL.into_iter().zip(cookies) {
            assert_eq!(features.cookie(), cookie);
            assert_eq!(SecurityFeatures::parse(cookie), Some(features));
        }
    }

    #[test]
    fn bits_counted_from_the_other_side_are_read_and_not_written() {
        let cookies: [&[u8]; 4] = [b"obMatJos2AAAA", b"obMatJos2AAAB", b"obMatJos2AAAC", b"obMatJos2AAAD"];
        for (features, cookie) in ALL.into_iter().zip(cookies) {
            assert_eq!(SecurityFeatures::parse(cookie), Some(features));
        }
    }

    #[test]
    fn bits_that_are_not_assigned_are_ignored() {
        assert_eq!(SecurityFeatures::parse(b"obMatJos2P//8"), Some(SecurityFeatures::default()));
        assert_eq!(SecurityFeatures::parse(b"obMatJos2////"), Some(ALL[3]));
    }

    #[test]
    fn rfc8489_b_1_and_rfc8656_20_are_read() {
        let anonymity = SecurityFeatures::default().with_username_anonymity(true);
        assert_eq!(SecurityFeatures::parse(b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"), Some(anonymity));
        let algorithms = SecurityFeatures::default().with_password_algorithms(true);
        assert_eq!(SecurityFeatures::parse(b"obMatJos2gAAAadl7W7PeDU4hKE72jda"), Some(algorithms));
    }

    #[test]
    fn what_is_no_cookie_has_no_features() {
        for nonce in
            [&b""[..], b"obMatJos2", b"obMatJos2AAA", b"obMatJos2AA=A", b"obMatJos2AA A", b"obmatJos2AAAA"]
        {
            assert_eq!(SecurityFeatures::parse(nonce), None);
        }
    }

    #[test]
    fn every_digit_is_what_it_stands_for() {
        for value in 0..64 {
            assert_eq!(digit_value(base64_digit(value)), Some(value));
        }
        let digits = (0..=255).filter(|&octet| digit_value(octet).is_some()).count();
        assert_eq!(digits, 64);
    }
}
