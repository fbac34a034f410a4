//! DTLS as what carries a path (RFC 7350), by `dimpl`: the library, one association, and what a client says first.

mod association;
mod hello;
mod library;

pub(crate) use association::{Association, State, Step};
pub(crate) use hello::{Alert, COOKIE, Hello, alert, number, renumber, verify_request};
pub(crate) use library::{Library, Verify, usable, with_cookie};
