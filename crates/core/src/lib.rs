//! The contract that every Ginnel machine keeps.
//!
//! A *machine* is one protocol as a pure state machine. It opens no socket, reads no clock and holds no thread.
//! A *driver* owns the sockets and the clock, and moves bytes between them and one machine. A machine may own
//! other machines and be their driver in turn: that is how the layers of a peer connection stack.
//!
//! # The verbs
//!
//! | kind | verb | who calls it, and when |
//! |---|---|---|
//! | tell | [`Machine::handle_input`] | the driver, for each datagram or stream frame |
//! | tell | [`Machine::handle_timeout`] | the driver, once the wake-up has come |
//! | tell | [`Machine::handle_notice`] | the driver, with news of sockets and streams |
//! | tell | [`Machine::close`] | the user, to end politely |
//! | ask | [`Machine::poll_transmit`] | what to send, written into the caller's buffer |
//! | ask | [`Machine::poll_request`] | which sockets and streams to open or release: for the driver |
//! | ask | [`Machine::poll_event`] | what happened: for the user |
//! | ask | [`Machine::poll_timeout`], [`Machine::is_closed`] | pure |
//!
//! Commands of one machine (`send`, `add_remote`, ...) are inherent methods. A command that can start something takes
//! `now`; one that reads takes `&self`.
//!
//! # The rules
//!
//! 1. **Tell, then settle.** After any tell or command call [`settle`], or do as it does: drain transmits, requests and
//!    events, and fire the timer while it is due. Draining early, twice or in part changes nothing.
//! 2. **Only `handle_timeout` fires timers.** `poll_transmit` writes what is already due, and takes `now` to stamp it.
//!    A machine may ask to be woken *now* (a command made something due); after `handle_timeout(now)` and a drain it
//!    must ask for later, or for nothing. Timers wake at or after their instant, never before.
//! 3. **Nothing returned borrows.** Bytes stay in the caller's buffer; the machine moves the edges of a [`Packet`] and
//!    says in a small plain value what the bytes now are. So the caller may call any method, of this machine or another,
//!    between receiving data and using it: forwarding a packet to a second peer is one call on the same buffer.
//! 4. **Events before data.** What an input caused is older than the data it returned: poll events first, then use it.
//! 5. **Answers go where the questions were.** A machine that can answer at once writes over the input and returns
//!    [`Handled::Send`]. There is no queue of answers, so nothing for a flood to fill.
//! 6. **User data is sent at once.** `fn send(&mut self, now, packet: &mut Packet<'_>) -> Result<Transmit, SendError>`
//!    protects and wraps in place. It first checks everything that can fail, through all layers, and only then
//!    changes the packet: after `Err` the packet and the cipher state are as they were. It need not wait for a drain, and
//!    overtakes control packets that are not drained yet. What must be kept for retransmission (messages) is copied into the
//!    machine instead, `send_message(&mut self, now, &[u8]) -> Result<(), SendError>`: `Full` is back-pressure,
//!    and an event says when there is room again.
//! 7. **Sessions have no addresses.** A layer that rides on another's path (DTLS, SCTP, SRTP) is not a `Machine`:
//!    it has the same verbs on `&mut Packet` alone, `poll_transmit` returns `bool`, and its owner supplies the path. Where one
//!    datagram holds several payloads, `poll_data(&mut Packet) -> bool` yields them until false, written over it.
//! 8. **An owner never lends its inner machine mutably,** except to a closure after which it looks at what has come of it:
//!    otherwise events wait unseen in the inner machine.
//! 9. **The network makes no `Err`.** Bytes that are not mine are `Foreign` and untouched; bytes that are mine and bad are
//!    `Consumed` and counted. `Result` is for the caller's own mistakes and for back-pressure.
//! 10. **Closing is top down.** `close` says goodbye in the upper layer, and once that is drained in the one below.
//!     A closed machine has said so in one last event, polls `None` everywhere, calls every input `Foreign`.
//!     Dropping a machine is legal at any time, and impolite.
//! 11. **Counters are `fn stats(&self) -> Stats`,** a plain `Copy` struct of `u64`, one for each machine.
#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![forbid(unsafe_code)]

mod drive;
#[cfg(feature = "std")]
mod epoch;
mod framing;
mod machine;
mod packet;
mod path;
mod receive;
mod resource;
mod seed;
mod time;

pub use drive::{Io, receive, settle};
#[cfg(feature = "std")]
pub use epoch::Epoch;
pub use framing::{Frame, Framing};
pub use machine::Machine;
pub use packet::{ANSWER, Buffer, HEADROOM, NoRoom, Packet};
pub use path::{Ecn, Path, Transmit, Transport};
pub use receive::{Handled, Receive};
pub use resource::{Notice, Port, Refused, Request, Ticket};
pub use seed::{Rng, Seed};
pub use time::{Instant, Wake};
