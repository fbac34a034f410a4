//! What ICE says besides candidates: RFC 8839 section 5, `end-of-candidates` of RFC 8840.

use super::cursor::{Cursor, is_ice_char};
use super::{Attribute, property};
use crate::error::ValueError;
use core::fmt;

/// RFC 8839 section 5.4: the user name fragment, 4 to 256 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IceUfrag<'a>(pub &'a str);

/// RFC 8839 section 5.4: the password, 22 to 256 characters. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IcePwd<'a>(pub &'a str);

impl fmt::Debug for IcePwd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IcePwd(..)")
    }
}

/// RFC 8839 section 5.6: the options, separated by single spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IceOptions<'a>(pub &'a str);

impl<'a> IceOptions<'a> {
    /// The options one by one.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.split([' ', ',']).filter(|option| !option.is_empty())
    }

    /// RFC 8840 section 4.1.1: `trickle`.
    #[must_use]
    pub fn trickle(&self) -> bool {
        self.iter().any(|option| option == "trickle")
    }
}

fn ice_string<'a>(value: &'a str, min: usize, expected: &'static str) -> Result<&'a str, ValueError> {
    const CLAUSE: &str = "RFC 8839 section 5.4";
    let mut cursor = Cursor::new(value, CLAUSE);
    let text = cursor.word(is_ice_char, &[], expected)?;
    cursor.done()?;
    if (min..=256).contains(&text.len()) { Ok(text) } else { Err(ValueError::new(0, expected, CLAUSE)) }
}

impl<'a> Attribute<'a> for IceUfrag<'a> {
    const NAME: &'static str = "ice-ufrag";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        ice_string(value, 4, "4 to 256 letters, digits, + or /").map(IceUfrag)
    }
}

impl<'a> Attribute<'a> for IcePwd<'a> {
    const NAME: &'static str = "ice-pwd";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        ice_string(value, 22, "22 to 256 letters, digits, + or /").map(IcePwd)
    }
}

impl<'a> Attribute<'a> for IceOptions<'a> {
    const NAME: &'static str = "ice-options";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        const CLAUSE: &str = "RFC 8839 section 5.6";
        // The grammar has ice-chars only; `google-ice` and `rtp+ecn` are on the wire, so a token passes. libdatachannel and
        // libjuice put a comma between options (`ice2,trickle`), and no option has one in its name.
        let allowed = |octet: u8| matches!(octet, b' ' | b',') || super::cursor::is_token(octet);
        match value.bytes().position(|octet| !allowed(octet)) {
            Some(at) => Err(ValueError::new(at, "ICE options, separated by spaces", CLAUSE)),
            None if value.trim().is_empty() => Err(ValueError::new(0, "at least one ICE option", CLAUSE)),
            None => Ok(IceOptions(value)),
        }
    }
}

impl fmt::Display for IceUfrag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ice-ufrag:{}", self.0)
    }
}

impl fmt::Display for IcePwd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ice-pwd:{}", self.0)
    }
}

impl fmt::Display for IceOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ice-options:{}", self.0)
    }
}

property!(
    /// RFC 8839 section 5.3: the writer is a lite implementation.
    IceLite,
    "ice-lite",
    "RFC 8839 section 5.3"
);
property!(
    /// RFC 8840 section 8.2: no more candidates will come.
    EndOfCandidates,
    "end-of-candidates",
    "RFC 8840 section 8.2"
);
