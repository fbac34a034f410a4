//! What a run has come to so far: counters that every thread adds to, and the bar that shows them.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// Counters of one thread. Nobody else writes them, so that the threads do not take the cache from each other.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Counters {
    allocated: AtomicU64,
    settled: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    octets: AtomicU64,
}

fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed) + n, Relaxed);
}

impl Counters {
    /// One more client has an allocation.
    pub(super) fn allocated(&self) {
        add(&self.allocated, 1);
    }
    /// One more client is ready, or has failed.
    pub(super) fn settled(&self) {
        add(&self.settled, 1);
    }
    /// One more packet has left.
    pub(super) fn sent(&self) {
        add(&self.sent, 1);
    }
    /// One more packet has come.
    pub(super) fn received(&self, octets: usize) {
        add(&self.received, 1);
        add(&self.octets, octets as u64);
    }
}

/// The sums of several.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) allocated: u64,
    pub(super) settled: u64,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) octets: u64,
}

impl Sums {
    pub(super) fn of<'c>(counters: impl IntoIterator<Item = &'c Counters>) -> Self {
        counters.into_iter().fold(Self::default(), |sums, of| Self {
            allocated: sums.allocated + of.allocated.load(Relaxed),
            settled: sums.settled + of.settled.load(Relaxed),
            sent: sums.sent + of.sent.load(Relaxed),
            received: sums.received + of.received.load(Relaxed),
            octets: sums.octets + of.octets.load(Relaxed),
        })
    }
}

/// The bar, on standard error; nothing where that is no terminal, or nobody wants it.
pub(super) struct Bar {
    bar: ProgressBar,
    last: Sums,
}

impl Bar {
    pub(super) fn new(shown: bool) -> Self {
        let bar = if shown { ProgressBar::new(1) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{prefix:>10} [{bar:30}] {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        Self { bar, last: Sums::default() }
    }

    /// How many clients are ready.
    pub(super) fn allocating(&self, sums: Sums, clients: u64) {
        self.bar.set_prefix("allocating");
        self.bar.set_length(clients.max(1));
        self.bar.set_position(sums.settled);
        self.bar.set_message(format!("{} of {clients} allocations", sums.allocated));
    }

    /// How far the run is, and what it does now: `tick` after it was asked last.
    pub(super) fn running(&mut self, sums: Sums, done: Duration, whole: Duration, tick: Duration) {
        let rate = |now: u64, before: u64| (now - before) as f64 / tick.as_secs_f64();
        let (sent, received) = (rate(sums.sent, self.last.sent), rate(sums.received, self.last.received));
        let bits = rate(sums.octets, self.last.octets) * 8.0;
        self.last = sums;
        self.bar.set_prefix("sending");
        self.bar.set_length(whole.as_millis().max(1) as u64);
        self.bar.set_position(done.as_millis() as u64);
        self.bar.set_message(format!(
            "{:.0} s, {sent:.0} out and {received:.0} back a second, {:.1} Mbit/s",
            done.as_secs_f64(),
            bits / 1e6
        ));
    }

    pub(super) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
