//! What came of a run.

use alloc::{format, string::String};

use crate::{Entry, Sim, Stats};

impl Sim {
    /// The counters of the network, over the whole run.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.net.log.stats
    }

    /// Keeps the latest `entries` entries of the packet log from now on, payloads included; none is kept otherwise.
    pub fn record(&mut self, entries: usize) {
        self.net.log.keep(entries);
    }

    /// The kept entries of the packet log, the oldest first. Each prints as a line.
    pub fn log(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.net.log.entries()
    }

    /// A number made of every datagram of the run: when it passed which point, its addresses, its fate, its
    /// payload. Runs that are equal have equal digests, whether or not a record is kept.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.net.log.digest()
    }

    /// One line that says how to see this run again.
    ///
    /// ```
    /// # use ginnel_netsim::Sim;
    /// let sim = Sim::new(7).named("two agents, ten per cent loss");
    /// assert_eq!(
    ///     sim.reproduce(),
    ///     "reproduce: scenario \"two agents, ten per cent loss\", seed 7; at 0ns, digest cbf29ce484222325"
    /// );
    /// ```
    #[must_use]
    pub fn reproduce(&self) -> String {
        let Self { scenario, seed, net, .. } = self;
        format!(
            "reproduce: scenario {scenario:?}, seed {seed}; at {}, digest {:016x}",
            net.now,
            self.digest()
        )
    }
}
