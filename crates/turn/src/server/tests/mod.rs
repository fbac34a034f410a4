//! A server without sockets: what it answers, and what it relays.

mod relaying;
mod rig;
