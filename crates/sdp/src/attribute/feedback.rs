//! RTCP feedback: `rtcp-fb` (RFC 4585 section 4.2, RFC 5104 section 7.1).

use super::Attribute;
use super::cursor::Cursor;
use crate::error::ValueError;
use core::fmt;

/// Which payload types an `rtcp-fb` line speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeedbackTarget {
    /// `*`: all of the section.
    All,
    /// One of them.
    PayloadType(u8),
}

/// One kind of feedback that the writer can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Feedback<'a> {
    /// For which payload types.
    pub target: FeedbackTarget,
    /// `nack`, `nack pli`, `ccm fir`, `transport-cc`, ...: everything after the target.
    pub value: &'a str,
}

impl<'a> Attribute<'a> for Feedback<'a> {
    const NAME: &'static str = "rtcp-fb";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 4585 section 4.2");
        let target = if cursor.take(b'*') {
            FeedbackTarget::All
        } else {
            FeedbackTarget::PayloadType(cursor.number(127, "a payload type, 0 to 127, or *")? as u8)
        };
        cursor.space()?;
        let value = cursor.rest();
        cursor.token("a kind of feedback")?;
        Ok(Feedback { target, value })
    }
}

impl fmt::Display for Feedback<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.target {
            FeedbackTarget::All => write!(f, "rtcp-fb:* {}", self.value),
            FeedbackTarget::PayloadType(payload_type) => write!(f, "rtcp-fb:{payload_type} {}", self.value),
        }
    }
}
