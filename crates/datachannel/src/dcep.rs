//! The Data Channel Establishment Protocol on the wire (RFC 8832 section 5): OPEN and ACK.
//!
//! ```text
//! OPEN: | 0x03 | channel type 1 | priority 2 | reliability 4 | label length 2 | protocol length 2 | label | protocol |
//! ACK:  | 0x02 |
//! ```

use crate::association::{ChannelConfig, Reliability};
use core::time::Duration;

/// RFC 8832 section 8.2.1.
const OPEN: u8 = 0x03;
const ACK: u8 = 0x02;
/// RFC 8832 section 5.1: what stands before the label.
const OPEN_FIXED: usize = 12;
/// RFC 8832 section 8.2.2: the bit of the unordered channel types.
const UNORDERED: u8 = 0x80;

/// A DCEP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Open(ChannelConfig),
    Ack,
}

/// What is wrong with one, and at which offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    Truncated { offset: usize },
    UnknownMessageType,
    UnknownChannelType,
    LengthsDisagree { offset: usize },
    NotUtf8 { offset: usize },
}

impl Message {
    pub(crate) fn parse(octets: &[u8]) -> Result<Self, Malformed> {
        match octets.first() {
            None => Err(Malformed::Truncated { offset: 0 }),
            Some(&OPEN) => open(octets).map(Self::Open),
            // What follows the type of an ACK has no meaning, and does no harm.
            Some(&ACK) => Ok(Self::Ack),
            Some(_) => Err(Malformed::UnknownMessageType),
        }
    }
    pub(crate) fn write(&self) -> Vec<u8> {
        let Self::Open(config) = self else { return vec![ACK] };
        let (kind, parameter) = match config.reliability {
            Reliability::Reliable => (0, 0),
            Reliability::MaxRetransmits(n) => (1, u32::from(n)),
            Reliability::MaxLifetime(d) => (2, u32::try_from(d.as_millis()).unwrap_or(u32::MAX)),
        };
        let length = |s: &str| u16::try_from(s.len()).unwrap_or(u16::MAX);
        let (label, protocol) = (length(&config.label), length(&config.protocol));
        let mut out = Vec::with_capacity(OPEN_FIXED + usize::from(label) + usize::from(protocol));
        out.extend_from_slice(&[OPEN, if config.ordered { kind } else { kind | UNORDERED }]);
        out.extend_from_slice(&config.priority.to_be_bytes());
        out.extend_from_slice(&parameter.to_be_bytes());
        out.extend_from_slice(&label.to_be_bytes());
        out.extend_from_slice(&protocol.to_be_bytes());
        out.extend_from_slice(&config.label.as_bytes()[..usize::from(label)]);
        out.extend_from_slice(&config.protocol.as_bytes()[..usize::from(protocol)]);
        out
    }
}

fn open(octets: &[u8]) -> Result<ChannelConfig, Malformed> {
    let fixed: &[u8; OPEN_FIXED] =
        octets.first_chunk().ok_or(Malformed::Truncated { offset: octets.len() })?;
    let parameter = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
    let reliability = match fixed[1] & !UNORDERED {
        0 => Reliability::Reliable,
        // RFC 8832 has 32 bits for it, W3C's maxRetransmits 16: more is as good as that.
        1 => Reliability::MaxRetransmits(u16::try_from(parameter).unwrap_or(u16::MAX)),
        2 => Reliability::MaxLifetime(Duration::from_millis(u64::from(parameter))),
        _ => return Err(Malformed::UnknownChannelType),
    };
    let label = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
    let protocol = usize::from(u16::from_be_bytes([fixed[10], fixed[11]]));
    let end = OPEN_FIXED + label;
    if octets.len() != end + protocol {
        return Err(Malformed::LengthsDisagree { offset: 8 });
    }
    let text = |octets: &[u8], at: usize| {
        let text = core::str::from_utf8(octets);
        text.map(str::to_owned).map_err(|e| Malformed::NotUtf8 { offset: at + e.valid_up_to() })
    };
    Ok(ChannelConfig {
        label: text(&octets[OPEN_FIXED..end], OPEN_FIXED)?,
        protocol: text(&octets[end..], end)?,
        ordered: fixed[1] & UNORDERED == 0,
        reliability,
        priority: u16::from_be_bytes([fixed[2], fixed[3]]),
        negotiated: None,
    })
}
