//! The parser: scheme, host, port and transport, each cut off the front of what is left.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{
    Extension, Host, RegName, Scheme, TransportParam, URI_LEN_MAX, Uri, UriError, UriErrorReason as Reason,
    host::hex,
};

/// RFC 1035 section 2.3.4: 255 octets on the wire, so 253 as text: without the first length and the root.
const NAME_MAX: usize = 253;

pub(super) fn uri(text: &str) -> Result<Uri<'_>, UriError> {
    if text.len() > URI_LEN_MAX {
        // The offset is one at which the text can be cut, as all offsets are.
        let front = (0..=URI_LEN_MAX).rev().find(|&at| text.is_char_boundary(at));
        return fail(front.unwrap_or_default(), Reason::TooLong);
    }
    let mut rest = Rest { text, offset: 0 };
    let scheme = scheme(&mut rest)?;
    refuse_other_forms(&rest)?;
    let host = host(&mut rest)?;
    let port = port(&mut rest)?;
    let transport = transport(&mut rest, scheme)?;
    match rest.first() {
        None => Ok(Uri { scheme, host, port, transport }),
        // Only a transport reads on to its end, so something else stopped it.
        Some(b'/' | b'#') => fail(rest.offset, Reason::Path),
        Some(_) if transport.is_some() => fail(rest.offset, Reason::TransportCharacter),
        Some(_) => fail(rest.offset, Reason::PortCharacter),
    }
}

/// What has not been read yet, and where that is.
struct Rest<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Rest<'a> {
    fn first(&self) -> Option<u8> {
        self.text.bytes().next()
    }
    /// Cuts off the longest front of octets, all ASCII, of which `good` is true.
    fn take_while(&mut self, good: impl Fn(u8) -> bool) -> &'a str {
        let end = self.text.bytes().position(|octet| !octet.is_ascii() || !good(octet));
        self.take(end.unwrap_or(self.text.len()))
    }
    /// Cuts off `n` octets, if a character ends there.
    fn take(&mut self, n: usize) -> &'a str {
        let (front, behind) = self.text.split_at_checked(n).unwrap_or((self.text, ""));
        self.text = behind;
        self.offset += front.len();
        front
    }
    fn take_if(&mut self, octet: u8) -> bool {
        let found = self.first() == Some(octet);
        if found {
            self.take(1);
        }
        found
    }
}

fn fail<T>(offset: usize, reason: Reason) -> Result<T, UriError> {
    Err(UriError { offset, reason })
}

/// RFC 3986 section 3.1: in letters of either case.
fn scheme(rest: &mut Rest<'_>) -> Result<Scheme, UriError> {
    let name = rest.take_while(|octet| octet != b':');
    let scheme = Scheme::ALL.into_iter().find(|scheme| name.eq_ignore_ascii_case(scheme.as_str()));
    match scheme {
        Some(scheme) if rest.take_if(b':') => Ok(scheme),
        _ => fail(0, Reason::Scheme),
    }
}

/// What people write who know other URIs. The grammar would refuse it anyway, with less of a reason.
fn refuse_other_forms(rest: &Rest<'_>) -> Result<(), UriError> {
    if rest.text.starts_with("//") {
        return fail(rest.offset, Reason::Hierarchical);
    }
    let authority = rest.text.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some(at) = authority.find('@') {
        return fail(rest.offset + at, Reason::UserInfo);
    }
    match authority.find(':') {
        Some(first) if !authority.starts_with('[') && authority[first + 1..].contains(':') => {
            fail(rest.offset, Reason::Unbracketed)
        }
        _ => Ok(()),
    }
}

fn host<'a>(rest: &mut Rest<'a>) -> Result<Host<'a>, UriError> {
    let start = rest.offset;
    if rest.take_if(b'[') {
        return ip_literal(rest);
    }
    let name = reg_name(rest)?;
    if name.is_empty() {
        return fail(start, Reason::NoHost);
    }
    match rest.first() {
        None | Some(b':' | b'?' | b'/' | b'#') => {}
        Some(octet) if octet.is_ascii() => return fail(rest.offset, Reason::HostCharacter),
        Some(_) => return fail(rest.offset, Reason::HostNotAscii),
    }
    // RFC 3986 section 3.2.2: what reads as an address is one.
    if let Ok(ip) = name.parse::<Ipv4Addr>() {
        return Ok(Host::Ipv4(ip));
    }
    let name = RegName(name);
    // A final dot, which makes a name absolute, takes no octet on the wire that is not there without it.
    let absolute = usize::from(name.as_str().ends_with('.'));
    if name.octets().count() - absolute > NAME_MAX {
        return fail(start, Reason::HostTooLong);
    }
    Ok(Host::Name(name))
}

/// `*( unreserved / pct-encoded / sub-delims )`
fn reg_name<'a>(rest: &mut Rest<'a>) -> Result<&'a str, UriError> {
    let (start, all) = (rest.offset, rest.text);
    loop {
        rest.take_while(|octet| is_unreserved(octet) || b"!$&'()*+,;=".contains(&octet));
        if rest.first() != Some(b'%') {
            break;
        }
        match *rest.text.as_bytes() {
            [_, high, low, ..] if hex(high).is_some() && hex(low).is_some() => rest.take(3),
            _ => return fail(rest.offset, Reason::PercentEncoding),
        };
    }
    Ok(all.get(..rest.offset - start).unwrap_or_default())
}

/// `"[" ( IPv6address / IPvFuture ) "]"`, behind the bracket.
fn ip_literal<'a>(rest: &mut Rest<'_>) -> Result<Host<'a>, UriError> {
    let start = rest.offset;
    let literal = rest.take_while(|octet| octet != b']');
    if !rest.take_if(b']') {
        return fail(rest.offset, Reason::Bracket);
    }
    if literal.starts_with(['v', 'V']) {
        return fail(start, Reason::IpFuture);
    }
    if let Some(at) = literal.find('%') {
        return fail(start + at, Reason::Zone);
    }
    match literal.parse::<Ipv6Addr>() {
        Ok(_) if !matches!(rest.first(), None | Some(b':' | b'?' | b'/' | b'#')) => {
            fail(rest.offset, Reason::HostCharacter)
        }
        Ok(ip) => Ok(Host::Ipv6(ip)),
        Err(_) => fail(start, Reason::Ipv6),
    }
}

/// RFC 3986 section 3.2.3: any number of digits, and none means the default.
fn port(rest: &mut Rest<'_>) -> Result<Option<u16>, UriError> {
    if !rest.take_if(b':') {
        return Ok(None);
    }
    let start = rest.offset;
    let digits = rest.take_while(|octet| octet.is_ascii_digit());
    if !matches!(rest.first(), None | Some(b'?' | b'/' | b'#')) {
        return fail(rest.offset, Reason::PortCharacter);
    }
    if digits.is_empty() {
        return Ok(None);
    }
    match digits.parse() {
        Ok(port) if port != 0 => Ok(Some(port)),
        _ => fail(start, Reason::PortRange),
    }
}

/// RFC 7065 section 3.1, in letters of either case, as strings of ABNF are (RFC 5234 section 2.3).
fn transport<'a>(rest: &mut Rest<'a>, scheme: Scheme) -> Result<Option<TransportParam<'a>>, UriError> {
    const KEY: &str = "?transport=";
    if rest.first() != Some(b'?') {
        return Ok(None);
    }
    if !rest.text.get(..KEY.len()).is_some_and(|key| key.eq_ignore_ascii_case(KEY)) {
        return fail(rest.offset, Reason::Query);
    }
    if !scheme.is_turn() {
        return fail(rest.offset, Reason::TransportOnStun);
    }
    rest.take(KEY.len());
    let name = rest.take_while(is_unreserved);
    match name {
        "" if rest.first().is_none() => fail(rest.offset, Reason::NoTransport),
        "" => fail(rest.offset, Reason::TransportCharacter),
        _ if name.eq_ignore_ascii_case("udp") => Ok(Some(TransportParam::Udp)),
        _ if name.eq_ignore_ascii_case("tcp") => Ok(Some(TransportParam::Tcp)),
        _ => Ok(Some(TransportParam::Extension(Extension(name)))),
    }
}

/// RFC 3986 section 2.3.
fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~".contains(&octet)
}
