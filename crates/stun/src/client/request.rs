//! What a caller asks for: the method, the credential, and on which paths the response may come.

use alloc::boxed::Box;
use core::fmt;

use ginnel_core::{NoRoom, Path};

use crate::{attribute::AttributeType, credential::Credential, message::Method, writer::MessageWriter};

/// A request that is more than a plain Binding.
///
/// ```
/// use ginnel_stun::{LongTermCredential, Method, client::Request};
///
/// let user = LongTermCredential::new("user", "pass")?;
/// let request = Request::new(Method::BINDING).with_credential(user);
/// assert_eq!(request.method(), Method::BINDING);
/// # Ok::<(), ginnel_stun::CredentialError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Request {
    pub(super) method: Method,
    pub(super) credential: Option<Credential>,
    pub(super) known: &'static [AttributeType],
    pub(super) response_paths: [Option<Path>; MAX_RESPONSE_PATHS],
    pub(super) beyond_mtu: bool,
    pub(super) stays: bool,
}
/// RFC 5780 section 7.2: a server has two addresses and two ports, so an answer may come from three more places.
pub const MAX_RESPONSE_PATHS: usize = 3;
impl Request {
    /// One of this method, without a credential.
    pub const fn new(method: Method) -> Self {
        let response_paths = [None; MAX_RESPONSE_PATHS];
        Self { method, credential: None, known: &[], response_paths, beyond_mtu: false, stays: false }
    }
    /// Authenticated (RFC 8489 section 9): the client adds USERNAME or USERHASH, REALM, NONCE, the password algorithms and
    /// message integrity, as the mechanism asks for, and checks the response.
    pub fn with_credential(mut self, credential: impl Into<Credential>) -> Self {
        self.credential = Some(credential.into());
        self
    }
    /// With the comprehension-required attributes that the caller understands in the response, beside those of RFC 8489
    /// itself, which need not be named.
    pub fn with_known(mut self, known: &'static [AttributeType]) -> Self {
        self.known = known;
        self
    }
    /// The response may also come on these paths: from the addresses that CHANGE-REQUEST asks for, or to the port that
    /// RESPONSE-PORT names (RFC 5780 sections 7.2 and 7.5). More than [`MAX_RESPONSE_PATHS`] do not compile.
    ///
    /// ```
    /// use ginnel_core::Path;
    /// use ginnel_stun::{Method, client::Request};
    ///
    /// let asked = Path::udp("192.0.2.1:5000".parse()?, "198.51.100.1:3478".parse()?);
    /// let other = Path { remote: "198.51.100.2:3479".parse()?, ..asked };
    /// let request = Request::new(Method::BINDING).with_response_paths([other]);
    /// # let _ = request;
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn with_response_paths<const N: usize>(mut self, paths: [Path; N]) -> Self {
        const { assert!(N <= MAX_RESPONSE_PATHS, "a server has three more addresses at most") };
        self.response_paths = [None; MAX_RESPONSE_PATHS];
        for (slot, path) in self.response_paths.iter_mut().zip(paths) {
            *slot = Some(path);
        }
        self
    }
    /// The request may be larger than the path's MTU: it probes for it, or for fragments (RFC 5780 section 7.6).
    pub fn beyond_mtu(mut self) -> Self {
        self.beyond_mtu = true;
        self
    }
    /// Another server has no use for it: a 300 is its answer, and is not followed, whatever
    /// [`follow_alternate`](super::ClientConfig::follow_alternate) says of the others.
    pub fn for_this_server_alone(mut self) -> Self {
        self.stays = true;
        self
    }
    /// What it asks for.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }
}

/// Adds the attributes of a request. It is kept until the transaction ends and called anew for each attempt, because an
/// attempt after a challenge or a redirection has a transaction ID of its own, which veils addresses.
pub(super) type Build =
    dyn for<'p, 'b> Fn(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom> + Send + Sync;

/// Names a request of a [`Client`](super::Client), over all the transactions that it takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);
impl RequestId {
    pub(super) const fn new(slot: u32, generation: u32) -> Self {
        Self((generation as u64) << 32 | slot as u64)
    }
    pub(super) const fn slot(self) -> u32 {
        self.0 as u32
    }
    pub(super) const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}
impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({}.{})", self.slot(), self.generation())
    }
}

/// RFC 8489 section 18.3: the comprehension-required attributes of STUN itself.
pub(crate) const KNOWN: &[AttributeType] = &[
    AttributeType::MAPPED_ADDRESS,
    AttributeType::USERNAME,
    AttributeType::ERROR_CODE,
    AttributeType::UNKNOWN_ATTRIBUTES,
    AttributeType::REALM,
    AttributeType::NONCE,
    AttributeType::PASSWORD_ALGORITHM,
    AttributeType::USERHASH,
    AttributeType::XOR_MAPPED_ADDRESS,
];

/// A builder, for the heap.
pub(super) fn boxed(
    build: impl for<'p, 'b> Fn(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom>
    + Send
    + Sync
    + 'static,
) -> Box<Build> {
    Box::new(build)
}
