//! The body of the fuzz target `stun_uri`: the octets as a URI, and as a scenario for the resolver.

use alloc::string::ToString;

use super::{Host, URI_LEN_MAX, Uri, UriBuf};
use crate::resolve;

/// Parses `data` as a URI and prints it; plays it as a search for the servers of one.
///
/// # Panics
///
/// If an invariant does not hold.
pub fn run(data: &[u8]) {
    if let Ok(text) = core::str::from_utf8(data) {
        uri(text);
    }
    resolve::fuzz::run(data);
}

/// What parses is bounded and prints as its equal; what does not says where, within the text.
fn uri(text: &str) {
    let uri = match Uri::parse(text) {
        Ok(uri) => uri,
        Err(error) => {
            assert!(text.is_char_boundary(error.offset()), "an error lies at a character of the text");
            return;
        }
    };
    assert!(text.len() <= URI_LEN_MAX);
    if let Host::Name(name) = uri.host() {
        assert!((1..=254).contains(&name.octets().count()), "a name fits into the DNS");
    }
    let printed = uri.to_string();
    assert!(printed.len() <= text.len() + 16, "printing shortens, but for an address in the form with IPv4");
    assert_eq!(Uri::parse(&printed), Ok(uri), "what is printed is the same URI");
    assert_eq!(UriBuf::from(uri).to_string(), printed);
    assert_ne!(uri.port_or_default(), 0);
}
