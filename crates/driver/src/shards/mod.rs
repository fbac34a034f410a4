//! Several drivers of one server, one for each thread: the system deals senders out among them
//! ([`Driver::bind_shared`]), and none of them shares anything with another while it serves.
//!
//! ```text
//!            commands, questions                      commands, questions
//!   Handle ----------------------+           Handle ----------------------+
//!                                v                                        v
//!   datagrams, streams --> Seat: driver, machine   <-- parcels -->   Seat: driver, machine <-- datagrams, streams
//! ```
//!
//! What came to the wrong machine (the system knows addresses, and no tickets) is handed over: a datagram is copied into a
//! parcel, a stream is moved whole, with all that comes after. So is a DTLS association that its client has begun; its datagrams
//! come where they came, and are handed over sealed. Parcels travel in bounded queues without a lock; what does not fit is
//! dropped and counted, as the network may, and whose stream or association was to move is told goodbye. The one lock here is
//! that of the waker by which a thread that sleeps is woken.
//!
//! No thread is started here: `ginnel_tokio::shards::start` does that, and any other runtime can run
//! [`Seat::run`] in threads of its own.

mod answer;
mod bell;
mod moved;
mod post;

use std::{
    fmt,
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};

use ginnel_core::{Handled, Instant, Machine, Receive, Transmit};

pub use answer::Answer;
use bell::Bell;
pub use post::PostStats;
use post::{Kind, Parcel, Post};

pub use crate::platform::raise_file_limit;
use crate::{App, Driver, Ejected, Runtime};

/// Commands that wait for one shard.
const COMMANDS: usize = 256;
/// So many parcels are opened before the sockets have their turn,
const PARCELS_PER_TURN: usize = 64;
/// and so many commands obeyed.
const COMMANDS_PER_TURN: usize = 8;

/// The application above the machine of one shard.
pub trait ShardApp<M: Machine>: App<M> {
    /// Which shard this data is for, if it is not for the application: then the packet is handed over as it is, and if it came
    /// on a stream, the stream with it.
    fn elsewhere(&self, data: &M::Data) -> Option<usize>;

    /// One arrival that another shard has handed over: what [`Machine::handle_input`] is for others. It travels no further:
    /// what this too says is for [`elsewhere`](Self::elsewhere) is dropped and counted, and a stream stays here.
    fn handed_over(&mut self, now: Instant, machine: &mut M, input: &mut Receive<'_>) -> Handled<M::Data>;
}

type Command<R, M> = Box<dyn FnOnce(&mut Driver<R, M>) + Send>;

/// The place of one driver among several: to be taken in a thread of its own, by [`run`](Self::run).
pub struct Seat<R: Runtime, M: Machine> {
    index: usize,
    bell: Arc<Bell>,
    commands: Receiver<Command<R, M>>,
    post: Post,
}

/// What speaks to one shard, from any thread. Clones speak to the same.
pub struct Handle<R: Runtime, M: Machine> {
    index: usize,
    bell: Arc<Bell>,
    commands: SyncSender<Command<R, M>>,
}

/// So many seats, and what speaks to each.
///
/// ```
/// use ginnel_driver::{Runtime, shards};
///
/// fn four<R: Runtime, M: ginnel_core::Machine>() {
///     let (seats, handles) = shards::seats::<R, M>(4);
///     assert_eq!((seats.len(), handles.len()), (4, 4));
/// }
/// ```
#[must_use]
#[allow(clippy::type_complexity, reason = "a pair of lists is plainer than a name for it")]
pub fn seats<R: Runtime, M: Machine>(count: usize) -> (Vec<Seat<R, M>>, Vec<Handle<R, M>>) {
    let bells: Vec<_> = (0..count).map(|_| Arc::new(Bell::default())).collect();
    let (mut seats, mut handles) = (Vec::new(), Vec::new());
    for (index, (post, bell)) in Post::offices(&bells).into_iter().zip(bells).enumerate() {
        let (sender, commands) = sync_channel(COMMANDS);
        handles.push(Handle { index, bell: Arc::clone(&bell), commands: sender });
        seats.push(Seat { index, bell, commands, post });
    }
    (seats, handles)
}

/// Why a shard was not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTold {
    /// It has 256 commands to obey already: tell it later.
    Busy,
    /// It has ended.
    Gone,
}

impl fmt::Display for NotTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "the shard has too many commands to obey already: tell it later",
            Self::Gone => "the shard has ended",
        })
    }
}

impl std::error::Error for NotTold {}

impl<R: Runtime, M: Machine> Handle<R, M> {
    /// Which shard: 0 for the first.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Has this done to the driver, in its thread, between two turns of its loop. It must not block: nobody is served meanwhile.
    ///
    /// # Errors
    /// When the shard has ended, or has too much to do.
    pub fn tell(&self, command: impl FnOnce(&mut Driver<R, M>) + Send + 'static) -> Result<(), NotTold> {
        self.commands.try_send(Box::new(command)).map_err(|error| match error {
            TrySendError::Full(_) => NotTold::Busy,
            TrySendError::Disconnected(_) => NotTold::Gone,
        })?;
        self.bell.ring();
        Ok(())
    }

    /// Has the machine closed, behind the commands that it has been given. There is always room for that, however busy the shard
    /// is; one that has ended is closed.
    pub fn close(&self) {
        self.bell.close();
    }

    /// The same as [`tell`](Self::tell), with an answer.
    ///
    /// # Errors
    /// As there.
    pub fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Driver<R, M>) -> T + Send + 'static,
    ) -> Result<Answer<T>, NotTold> {
        let (promise, answer) = answer::pair();
        self.tell(move |driver| promise.keep(question(driver)))?;
        Ok(answer)
    }
}

impl<R: Runtime, M: Machine> Clone for Handle<R, M> {
    fn clone(&self) -> Self {
        Self { index: self.index, bell: Arc::clone(&self.bell), commands: self.commands.clone() }
    }
}

impl<R: Runtime, M: Machine> fmt::Debug for Handle<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("index", &self.index).finish_non_exhaustive()
    }
}

impl<R: Runtime, M: Machine> fmt::Debug for Seat<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("index", &self.index).finish_non_exhaustive()
    }
}

impl<R: Runtime, M: Machine> Seat<R, M> {
    /// Which shard: 0 for the first.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// What was handed over, here and from here. It may be kept: it goes on counting.
    #[must_use]
    pub fn post_stats(&self) -> Arc<PostStats> {
        self.post.stats()
    }

    /// Drives the machine until it is closed: its sockets and timers, what other shards hand over, what handles tell. May be
    /// dropped at any time and called again.
    pub async fn run<A: ShardApp<M>>(&mut self, driver: &mut Driver<R, M>, app: &mut A) {
        poll_fn(|cx| {
            self.bell.register(cx.waker());
            if self.bell.take() && self.attend(driver, app) {
                self.bell.ring();
            }
            let mut sorter = Sorter { app, post: &mut self.post, handed_over: false, hops: 0 };
            let done = pin!(driver.run(&mut sorter)).poll(cx);
            while let Some(ejected) = self.post.take_failed() {
                driver.part_with(ejected);
            }
            if done.is_pending() && self.bell.has_rung() {
                cx.waker().wake_by_ref();
            }
            done
        })
        .await;
    }

    /// Obeys commands and opens parcels; whether there may be more.
    fn attend<A: ShardApp<M>>(&mut self, driver: &mut Driver<R, M>, app: &mut A) -> bool {
        let mut left = COMMANDS_PER_TURN;
        while left > 0
            && let Ok(command) = self.commands.try_recv()
        {
            command(driver);
            left -= 1;
        }
        if left > 0 && self.bell.take_closing() {
            driver.with(|machine, now| machine.close(now));
        }
        let mut parcels = PARCELS_PER_TURN;
        while parcels > 0
            && let Some(parcel) = self.post.open()
        {
            self.hand_in(driver, app, parcel);
            parcels -= 1;
        }
        left == 0 || parcels == 0
    }

    fn hand_in<A: ShardApp<M>>(&mut self, driver: &mut Driver<R, M>, app: &mut A, mut parcel: Parcel) {
        let (path, ecn, range) = (parcel.path, parcel.ecn, parcel.range.clone());
        match parcel.kind {
            Kind::Message => {}
            #[cfg(feature = "dtls")]
            Kind::Datagram { hops } => {
                let mut sorter = Sorter { app, post: &mut self.post, handed_over: false, hops };
                return driver.hand_in_datagram(path, &mut parcel.octets, range, &mut sorter);
            }
            #[cfg(not(feature = "dtls"))]
            Kind::Datagram { .. } => return,
            Kind::Refused => return self.post.forget(&path),
        }
        if let Some(stream) = parcel.stream.take() {
            self.post.forget(&path);
            if driver.adopt(stream).is_err() {
                return self.post.refuse(parcel);
            }
        }
        let mut sorter = Sorter { app, post: &mut self.post, handed_over: true, hops: 0 };
        driver.hand_in(path, ecn, &mut parcel.octets, range, &mut sorter, |sorter, now, machine, input| {
            sorter.app.handed_over(now, machine, input)
        });
    }
}

/// Sorts what the machine gives out: for the application, or for another shard.
struct Sorter<'s, A> {
    app: &'s mut A,
    post: &'s mut Post,
    /// Whether what is sorted was handed over already.
    handed_over: bool,
    /// How often a datagram of an association that has moved was.
    hops: u8,
}

impl<M: Machine, A: ShardApp<M>> App<M> for Sorter<'_, A> {
    fn event(&mut self, now: Instant, machine: &mut M, event: M::Event) {
        self.app.event(now, machine, event);
    }

    fn data(
        &mut self,
        now: Instant,
        machine: &mut M,
        data: M::Data,
        input: &mut Receive<'_>,
    ) -> Option<Transmit> {
        if let Some(shard) = self.app.elsewhere(&data) {
            // Once, and no further: else two shards that each hold the other for the right one would pass it on for ever.
            if self.handed_over {
                self.post.lose();
            } else {
                self.post.hand_over(shard, input);
            }
            return None;
        }
        self.app.data(now, machine, data, input)
    }

    fn moves(&mut self) -> bool {
        self.post.wants_stream() || self.app.moves()
    }

    fn moved(&mut self, stream: Option<Ejected>) {
        if self.post.wants_stream() { self.post.hand_over_stream(stream) } else { self.app.moved(stream) }
    }

    fn follows(&mut self, input: &Receive<'_>) -> bool {
        self.post.follow(input, self.hops) || self.app.follows(input)
    }
}
