//! Shards, each in a thread of its own with a runtime of its own: see [`ginnel_driver::shards`].

use std::{io, sync::Arc, sync::mpsc::sync_channel, thread};

use ginnel_core::Machine;
use tokio::{runtime::Builder, task::unconstrained};

pub use ginnel_driver::shards::{Answer, NotTold, PostStats, ShardApp, raise_file_limit};
use ginnel_driver::shards::{Seat, seats};

use crate::{Driver, Tokio};

/// What speaks to one shard, from any thread.
pub type Handle<M> = ginnel_driver::shards::Handle<Tokio, M>;

/// Shards that run. Dropped, they run on: [`close`](Self::close) ends them.
#[derive(Debug)]
pub struct Shards<M: Machine> {
    handles: Vec<Handle<M>>,
    posts: Vec<Arc<PostStats>>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// Starts so many threads, each with a runtime of its own, in which `make` makes a driver with its sockets
/// ([`Driver::bind_shared`](ginnel_driver::Driver::bind_shared)) and the application above it. They are started one after the
/// other, so a port that the first was given can be asked for by the others. The limit of open files is raised as far as it goes.
///
/// A shard ends when its machine is closed.
///
/// # Errors
/// What `make` says, or that the system has no thread left: those that were started are closed then.
pub fn start<M, A, E, F>(count: usize, make: F) -> Result<Shards<M>, E>
where
    M: Machine + 'static,
    A: ShardApp<M> + 'static,
    E: From<io::Error> + Send + 'static,
    F: Fn(usize) -> Result<(Driver<M>, A), E> + Send + Sync + 'static,
{
    // It may be all that is needed already.
    let _ = raise_file_limit();
    let make = Arc::new(make);
    let (seats, handles) = seats(count);
    let mut shards = Shards { handles, posts: Vec::new(), threads: Vec::new() };
    for seat in seats {
        shards.posts.push(seat.post_stats());
        if let Err(error) = shards.start_one(seat, Arc::clone(&make)) {
            shards.close();
            // Their addresses are free again then. One that has panicked has ended too.
            let _ = shards.join();
            return Err(error);
        }
    }
    Ok(shards)
}

impl<M: Machine + 'static> Shards<M> {
    fn start_one<A, E, F>(&mut self, mut seat: Seat<Tokio, M>, make: Arc<F>) -> Result<(), E>
    where
        A: ShardApp<M> + 'static,
        E: From<io::Error> + Send + 'static,
        F: Fn(usize) -> Result<(Driver<M>, A), E> + Send + Sync + 'static,
    {
        let (report, reported) = sync_channel(1);
        let name = format!("ginnel-shard-{}", seat.index());
        let thread = thread::Builder::new().name(name).spawn(move || {
            let runtime = match Builder::new_current_thread().enable_io().enable_time().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(report.send(Err(error.into()))),
            };
            runtime.block_on(async {
                match make(seat.index()) {
                    Ok((mut driver, mut app)) => {
                        let _ = report.send(Ok(()));
                        // The driver measures its turns itself.
                        unconstrained(seat.run(&mut driver, &mut app)).await;
                    }
                    Err(error) => drop(report.send(Err(error))),
                }
            });
        });
        self.threads.push(thread?);
        // A thread that panics reports nothing.
        reported.recv().unwrap_or_else(|_| Err(io::Error::other("the shard has panicked").into()))
    }

    /// What speaks to each, the first in front.
    #[must_use]
    pub fn handles(&self) -> &[Handle<M>] {
        &self.handles
    }

    /// What each has handed over, and was handed.
    #[must_use]
    pub fn posts(&self) -> &[Arc<PostStats>] {
        &self.posts
    }

    /// Closes the machines of all. They may have last words; [`join`](Self::join) waits for those.
    pub fn close(&self) {
        self.handles.iter().for_each(Handle::close);
    }

    /// Whether one has ended: closed, or by a panic. Its sockets are closed then, the system deals its senders out among the
    /// others, and those go on without what it had.
    #[must_use]
    pub fn any_ended(&self) -> bool {
        self.threads.iter().any(thread::JoinHandle::is_finished)
    }

    /// Waits until all have ended. Not in a thread that a runtime runs in.
    ///
    /// # Errors
    /// When one has panicked: what the first of them said.
    pub fn join(self) -> thread::Result<()> {
        self.threads.into_iter().map(thread::JoinHandle::join).fold(Ok(()), Result::and)
    }
}
