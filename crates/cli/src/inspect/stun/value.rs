//! What the value of an attribute means: as JSON for programs, as text for people.

use std::{borrow::Cow, fmt, net::SocketAddr};

use ginnel::stun::{TransactionId, attribute::*, auth::SecurityFeatures};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// A value that was understood.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// A string in JSON; quoted and escaped for people, since a stranger chose it.
    Text(Cow<'a, str>),
    Address(SocketAddr),
    Number(u64),
    /// A number in JSON, and hexadecimal digits for people.
    Hex(u16),
    /// Where all 64 bits count, which numbers in JSON do not hold: a string in both.
    Bits(String),
    /// It is there.
    Flag,
    Bool(bool),
    /// Hexadecimal digits; for people no more than [`SHOWN`] octets of them.
    Octets(&'a [u8]),
    Fields(Vec<(&'static str, Value<'a>)>),
    List(Vec<Value<'a>>),
    /// With a remark for people.
    Noted(Box<Value<'a>>, String),
}

/// How many octets of a value are shown to people.
const SHOWN: usize = 48;

/// Reads a value. `None` if its kind is not known here, or is known by no more than its name.
pub(super) fn decode(
    kind: AttributeType,
    value: &[u8],
    id: TransactionId,
) -> Option<Result<Value<'_>, Malformed>> {
    use AttributeType as T;
    Some(match kind {
        T::MAPPED_ADDRESS => read(value, id, |a: MappedAddress| Value::Address(a.0)),
        T::XOR_MAPPED_ADDRESS => read(value, id, |a: XorMappedAddress| Value::Address(a.0)),
        T::XOR_MAPPED_ADDRESS_DRAFT => read(value, id, |a: XorMappedAddressDraft| Value::Address(a.0)),
        T::ALTERNATE_SERVER => read(value, id, |a: AlternateServer| Value::Address(a.0)),
        T::RESPONSE_ADDRESS => read(value, id, |a: ResponseAddress| Value::Address(a.0)),
        T::SOURCE_ADDRESS => read(value, id, |a: SourceAddress| Value::Address(a.0)),
        T::CHANGED_ADDRESS => read(value, id, |a: ChangedAddress| Value::Address(a.0)),
        T::REFLECTED_FROM => read(value, id, |a: ReflectedFrom| Value::Address(a.0)),
        T::RESPONSE_ORIGIN => read(value, id, |a: ResponseOrigin| Value::Address(a.0)),
        T::OTHER_ADDRESS => read(value, id, |a: OtherAddress| Value::Address(a.0)),
        T::XOR_PEER_ADDRESS => read(value, id, |a: XorPeerAddress| Value::Address(a.0)),
        T::XOR_RELAYED_ADDRESS => read(value, id, |a: XorRelayedAddress| Value::Address(a.0)),
        T::USERNAME => read(value, id, |a: Username<'_>| text(a.as_str())),
        T::REALM => read(value, id, |a: Realm<'_>| text(a.as_str())),
        T::SOFTWARE => read(value, id, |a: Software<'_>| text(a.as_str())),
        T::ALTERNATE_DOMAIN => read(value, id, |a: AlternateDomain<'_>| text(a.as_str())),
        T::THIRD_PARTY_AUTHORIZATION => read(value, id, |a: ThirdPartyAuthorization<'_>| text(a.as_str())),
        T::NONCE => read(value, id, |a: Nonce<'_>| nonce(a.octets())),
        T::ERROR_CODE => read(value, id, |a: ErrorCode<'_>| Value::Fields(error_code(&a))),
        T::UNKNOWN_ATTRIBUTES => {
            read(value, id, |a: UnknownAttributes<'_>| Value::List(a.iter().map(named).collect()))
        }
        T::USERHASH => read(value, id, |_: UserHash| Value::Octets(value)),
        T::PASSWORD_ALGORITHM => read(value, id, |a: PasswordAlgorithm<'_>| algorithm(&a)),
        T::PASSWORD_ALGORITHMS => read(value, id, |a: PasswordAlgorithms<'_>| {
            Value::List(a.iter().map(|a| algorithm(&a)).collect())
        }),
        _ => return decode_turn(kind, value, id),
    })
}

/// TURN, and its streams (RFC 6062).
fn decode_turn(kind: AttributeType, value: &[u8], id: TransactionId) -> Option<Result<Value<'_>, Malformed>> {
    use AttributeType as T;
    Some(match kind {
        T::CHANNEL_NUMBER => read(value, id, |a: ChannelNumber| Value::Hex(a.0)),
        T::LIFETIME => read(value, id, |a: Lifetime| noted(Value::Number(a.0.into()), "seconds")),
        T::DATA => read(value, id, |a: Data<'_>| Value::Octets(a.0)),
        T::REQUESTED_ADDRESS_FAMILY => read(value, id, |a: RequestedAddressFamily| family(a.0)),
        T::ADDITIONAL_ADDRESS_FAMILY => read(value, id, |a: AdditionalAddressFamily| family(a.0)),
        T::EVEN_PORT => {
            read(value, id, |a: EvenPort| Value::Fields(vec![("reserve_next", Value::Bool(a.reserve_next))]))
        }
        T::REQUESTED_TRANSPORT => read(value, id, |a: RequestedTransport| match a {
            RequestedTransport::UDP => noted(Value::Number(a.0.into()), "UDP"),
            RequestedTransport::TCP => noted(Value::Number(a.0.into()), "TCP"),
            _ => Value::Number(a.0.into()),
        }),
        T::DONT_FRAGMENT => read(value, id, |_: DontFragment| Value::Flag),
        T::RESERVATION_TOKEN => read(value, id, |_: ReservationToken| Value::Octets(value)),
        T::ADDRESS_ERROR_CODE => read(value, id, |a: AddressErrorCode<'_>| {
            let mut fields = vec![("family", family(a.family))];
            fields.extend(error_code(&a.error));
            Value::Fields(fields)
        }),
        T::ICMP => read(value, id, |a: Icmp| {
            let number = |n: u32| Value::Number(n.into());
            Value::Fields(vec![
                ("type", number(a.kind.into())),
                ("code", number(a.code.into())),
                ("data", number(a.data)),
            ])
        }),
        T::CONNECTION_ID => read(value, id, |a: ConnectionId| Value::Bits(format!("0x{:08x}", a.0))),
        _ => return decode_others(kind, value, id),
    })
}

/// ICE, behaviour discovery, and what is not in an RFC.
fn decode_others(
    kind: AttributeType,
    value: &[u8],
    id: TransactionId,
) -> Option<Result<Value<'_>, Malformed>> {
    use AttributeType as T;
    Some(match kind {
        T::PRIORITY => read(value, id, |a: Priority| priority(a.0)),
        T::USE_CANDIDATE => read(value, id, |_: UseCandidate| Value::Flag),
        T::ICE_CONTROLLED => read(value, id, |a: IceControlled| Value::Bits(format!("0x{:016x}", a.0))),
        T::ICE_CONTROLLING => read(value, id, |a: IceControlling| Value::Bits(format!("0x{:016x}", a.0))),
        T::CHANGE_REQUEST => read(value, id, |a: ChangeRequest| {
            Value::Fields(vec![("ip", Value::Bool(a.ip)), ("port", Value::Bool(a.port))])
        }),
        T::RESPONSE_PORT => read(value, id, |a: ResponsePort| Value::Number(a.0.into())),
        T::PADDING => {
            read(value, id, |a: Padding| Value::Fields(vec![("octets", Value::Number(a.octets.into()))]))
        }
        T::ACCESS_TOKEN => read(value, id, |a: AccessToken<'_>| Value::Octets(a.0)),
        T::MOBILITY_TICKET => read(value, id, |a: MobilityTicket<'_>| Value::Octets(a.0)),
        T::TRANSACTION_TRANSMIT_COUNTER => read(value, id, |a: TransactionTransmitCounter| {
            let number = |n: u8| Value::Number(n.into());
            Value::Fields(vec![("requests", number(a.requests)), ("responses", number(a.responses))])
        }),
        T::NOMINATION => read(value, id, |a: Nomination| Value::Number(a.0.into())),
        T::NETWORK_COST => read(value, id, |a: NetworkCost| {
            let number = |n: u16| Value::Number(n.into());
            Value::Fields(vec![("network_id", number(a.network_id)), ("cost", number(a.cost))])
        }),
        T::META_DTLS_IN_STUN => read(value, id, |a: MetaDtlsInStun<'_>| Value::Octets(a.0)),
        T::META_DTLS_IN_STUN_ACKNOWLEDGEMENT => read(value, id, |a: MetaDtlsInStunAcknowledgement| {
            Value::List(a.hashes().iter().map(|hash| Value::Bits(format!("0x{hash:08x}"))).collect())
        }),
        T::MESSAGE_INTEGRITY | T::MESSAGE_INTEGRITY_SHA256 | T::GOOG_MESSAGE_INTEGRITY_32 => {
            Ok(Value::Octets(value))
        }
        T::FINGERPRINT => match value.try_into() {
            Ok(crc) => Ok(Value::Bits(format!("0x{:08x}", u32::from_be_bytes(crc)))),
            Err(_) => Err(Malformed::Length),
        },
        _ => return None,
    })
}

fn read<'a, A: Attribute<'a>>(
    value: &'a [u8],
    id: TransactionId,
    show: impl FnOnce(A) -> Value<'a>,
) -> Result<Value<'a>, Malformed> {
    A::parse(value, id).map(show)
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text.into())
}

fn noted<'a>(value: Value<'a>, note: &str) -> Value<'a> {
    Value::Noted(Box::new(value), note.into())
}

/// RFC 8489 section 9.2: a nonce may begin with what the server can do.
fn nonce(octets: &[u8]) -> Value<'_> {
    let value = Value::Text(String::from_utf8_lossy(octets));
    let Some(features) = SecurityFeatures::parse(octets) else { return value };
    let names = [
        (features.password_algorithms, "password algorithms"),
        (features.username_anonymity, "username anonymity"),
    ];
    let names: Vec<&str> = names.into_iter().filter_map(|(has, name)| has.then_some(name)).collect();
    let list = if names.is_empty() { "none".to_string() } else { names.join(", ") };
    Value::Noted(Box::new(value), format!("security features: {list}"))
}

fn error_code<'a>(error: &ErrorCode<'a>) -> Vec<(&'static str, Value<'a>)> {
    vec![("code", Value::Number(error.code().into())), ("reason", text(error.reason()))]
}

fn named(kind: AttributeType) -> Value<'static> {
    match kind.name() {
        Some(name) => noted(Value::Hex(kind.0), name),
        None => Value::Hex(kind.0),
    }
}

fn algorithm<'a>(algorithm: &PasswordAlgorithm<'a>) -> Value<'a> {
    let number = Value::Number(algorithm.algorithm().0.into());
    let number = match algorithm.algorithm() {
        Algorithm::MD5 => noted(number, "MD5"),
        Algorithm::SHA256 => noted(number, "SHA-256"),
        _ => number,
    };
    Value::Fields(vec![("algorithm", number), ("parameters", Value::Octets(algorithm.parameters()))])
}

fn family(family: AddressFamily) -> Value<'static> {
    text(match family {
        AddressFamily::Ipv4 => "IPv4",
        AddressFamily::Ipv6 => "IPv6",
    })
}

/// RFC 8445 section 5.1.2.1: the three parts of a priority.
fn priority(priority: u32) -> Value<'static> {
    let [kind, local_high, local_low, rest] = priority.to_be_bytes();
    let local = u16::from_be_bytes([local_high, local_low]);
    let note =
        format!("type preference {kind}, local preference {local}, component {}", 256 - u16::from(rest));
    Value::Noted(Box::new(Value::Number(priority.into())), note)
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Address(address) => serializer.collect_str(address),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Hex(number) => serializer.serialize_u16(*number),
            Self::Bits(bits) => serializer.serialize_str(bits),
            Self::Flag => serializer.serialize_bool(true),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Octets(octets) => Hex(octets).serialize(serializer),
            Self::Fields(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Self::List(values) => serializer.collect_seq(values),
            Self::Noted(value, _) => value.serialize(serializer),
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Address(address) => address.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Hex(number) => write!(f, "0x{number:04x}"),
            Self::Bits(bits) => f.write_str(bits),
            Self::Flag => f.write_str("yes"),
            Self::Bool(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Self::Octets(octets) => shown(octets, f),
            Self::Fields(fields) => {
                for (i, (name, value)) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{} {value}", name.replace('_', " "))?;
                }
                Ok(())
            }
            Self::List(values) => {
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
            Self::Noted(value, note) => write!(f, "{value} ({note})"),
        }
    }
}

fn shown(octets: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match octets.len() {
        0 => f.write_str("empty"),
        n if n > SHOWN => write!(f, "{}... ({n} octets)", Hex(&octets[..SHOWN])),
        _ => fmt::Display::fmt(&Hex(octets), f),
    }
}

/// Octets as hexadecimal digits.
#[derive(Debug)]
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl Hex<'_> {
    /// At most this many octets.
    pub(super) fn shown(&self) -> impl fmt::Display + '_ {
        struct Shown<'a>(&'a [u8]);
        impl fmt::Display for Shown<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                shown(self.0, f)
            }
        }
        Shown(self.0)
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for chunk in self.0.chunks(32) {
            for (pair, octet) in text.chunks_exact_mut(2).zip(chunk) {
                pair[0] = DIGITS[usize::from(octet >> 4)];
                pair[1] = DIGITS[usize::from(octet & 15)];
            }
            f.write_str(str::from_utf8(&text[..2 * chunk.len()]).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
