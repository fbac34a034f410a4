//! One message, looked at from all sides: what both forms of output are made of.

use ginnel::stun::{
    Class, Fingerprint, HEADER_LEN, Integrity, IntegrityAlgorithm, Message, ParseError,
    attribute::{AttributeType, PasswordAlgorithm},
};
use serde::Serialize;

use super::{
    key::{Keys, Tried},
    value::{self, Hex, Value},
};

/// A message. The names of its fields are those of the JSON object, and stay.
#[derive(Debug, Serialize)]
pub(super) struct Account<'a> {
    /// `request`, `indication`, `success` or `error`.
    pub(super) class: &'static str,
    /// The name of the method, or its number in hexadecimal digits.
    pub(super) method: String,
    /// In hexadecimal digits.
    pub(super) transaction_id: String,
    /// Octets of the message, header included.
    pub(super) length: usize,
    /// In order.
    pub(super) attributes: Vec<Attribute<'a>>,
    /// `ok`, `bad` or `absent`.
    pub(super) fingerprint: &'static str,
    /// `ok`, `bad`, `absent` or `unchecked`.
    pub(super) integrity: &'static str,
    /// Which attribute the integrity is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) integrity_by: Option<&'static str>,
    /// Which key made it, where it is `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) integrity_key: Option<&'static str>,
}

/// One attribute.
#[derive(Debug, Serialize)]
pub(super) struct Attribute<'a> {
    /// Its number.
    #[serde(rename = "type")]
    pub(super) kind: u16,
    /// Its name in the registry, or null.
    pub(super) name: Option<&'static str>,
    /// Octets from the front of the message to its header.
    pub(super) offset: usize,
    /// Octets of its value.
    pub(super) length: usize,
    /// What it means, or null where it is malformed or not known.
    pub(super) value: Option<Value<'a>>,
    /// Its octets.
    pub(super) hex: Hex<'a>,
    /// Whether a message with it has to be refused by who does not know it; only where it is not known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comprehension: Option<&'static str>,
    /// What is wrong with its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// Whether it is to be ignored, because it stands behind message integrity (RFC 8489 sections 14.5 and 14.6).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) ignored: bool,
}

impl<'a> Account<'a> {
    /// Looks at whole octets of one message.
    pub(super) fn new(octets: &'a [u8], rfc3489: bool, keys: &Keys) -> Result<Self, ParseError> {
        let message = if rfc3489 { Message::parse_or_rfc3489(octets)? } else { Message::parse(octets)? };
        let (integrity, tried) = integrity(&message, keys);
        let by_google = message.integrity_algorithm().is_none();
        Ok(Self {
            class: match message.class() {
                Class::Request => "request",
                Class::Indication => "indication",
                Class::Success => "success",
                Class::Error => "error",
            },
            method: method(&message),
            transaction_id: message.transaction_id().to_string(),
            length: octets.len(),
            attributes: attributes(&message),
            fingerprint: match message.fingerprint() {
                Fingerprint::Ok => "ok",
                Fingerprint::Bad => "bad",
                Fingerprint::Absent => "absent",
            },
            integrity,
            integrity_by: match message.integrity_algorithm() {
                Some(IntegrityAlgorithm::Sha256) => AttributeType::MESSAGE_INTEGRITY_SHA256.name(),
                Some(_) => AttributeType::MESSAGE_INTEGRITY.name(),
                None if integrity == "absent" => None,
                None => AttributeType::GOOG_MESSAGE_INTEGRITY_32.name().filter(|_| by_google),
            },
            integrity_key: tried,
        })
    }
}

fn method(message: &Message<'_>) -> String {
    let number = message.method().number();
    let name = message.method().to_string();
    if name.starts_with("Method(") { format!("0x{number:03x}") } else { name }
}

/// Every attribute, those too that are to be ignored.
fn attributes<'a>(message: &Message<'a>) -> Vec<Attribute<'a>> {
    let mut seen = message.attributes().map(|raw| raw.offset).peekable();
    let (octets, mut offset, mut list) = (message.octets(), HEADER_LEN, Vec::new());
    // The parser has seen that every attribute lies within the message.
    while let Some((header, rest)) = octets.get(offset..).and_then(<[u8]>::split_first_chunk::<4>) {
        let kind = AttributeType(u16::from_be_bytes([header[0], header[1]]));
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let Some(octets) = rest.get(..length) else { break };
        let decoded = value::decode(kind, octets, message.transaction_id());
        let comprehension = if kind.is_comprehension_required() { "required" } else { "optional" };
        list.push(Attribute {
            kind: kind.0,
            name: kind.name(),
            offset,
            length,
            hex: Hex(octets),
            comprehension: decoded.is_none().then_some(comprehension),
            error: decoded.as_ref().and_then(|decoded| decoded.as_ref().err()).map(ToString::to_string),
            value: decoded.and_then(Result::ok),
            ignored: seen.next_if_eq(&offset).is_none(),
        });
        offset += 4 + length.next_multiple_of(4);
    }
    list
}

/// RFC 8489 section 14.6: the least that HMAC-SHA256 may be truncated to. Whether it may be is a matter of the usage, which
/// one message does not show.
const SHA256_LEN_MIN: usize = 16;

/// Whether the integrity is good, and which key made it.
fn integrity(message: &Message<'_>, keys: &Keys) -> (&'static str, Option<&'static str>) {
    let google = message.integrity_algorithm().is_none();
    if google && !message.has(AttributeType::GOOG_MESSAGE_INTEGRITY_32) {
        return ("absent", None);
    }
    if keys.is_empty() {
        return ("unchecked", None);
    }
    // RFC 8489 section 9.2.4: a request says by PASSWORD-ALGORITHM how its key was made. A response does not, and neither does
    // the request of appendix B.1, whose key is of SHA-256: so where nothing is said both are tried, and which it was is shown.
    let algorithm = message.get::<PasswordAlgorithm<'_>>().ok().flatten().map(|chosen| chosen.algorithm());
    for Tried { key, name, algorithm: of } in keys.iter() {
        let told_otherwise = matches!((algorithm, of), (Some(told), Some(of)) if told != *of);
        let good = if google {
            message.goog_integrity_32(key)
        } else {
            message.integrity_truncated(key, SHA256_LEN_MIN)
        };
        if !told_otherwise && good == Integrity::Ok {
            return ("ok", Some(name));
        }
    }
    ("bad", None)
}
