//! One piece of work, and everybody who does it: the same closures are timed by criterion and counted by the counting
//! allocator, each in a pass of its own.

use std::{hint::black_box, time::Duration};

use criterion::Criterion;

/// What is measured: a number that only grows, nanoseconds or allocations. A contender reads it before and after its work.
pub type Probe = fn() -> u64;

/// What one piece of work is said to have taken, in nanoseconds, that could not be measured. None takes as long.
pub const VOID: u64 = 1_000_000_000;

/// Everybody who does one piece of work.
#[derive(Debug)]
pub struct Group {
    /// `protocol/what is done`.
    pub name: String,
    /// `ginnel`, floors (`floor: ...`) and rivals: what one of them leaves out is in its name.
    pub contenders: Vec<Contender>,
}
impl Group {
    /// A piece of work that nobody does yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), contenders: Vec::new() }
    }
    /// Adds somebody whose whole work is measured.
    #[must_use]
    pub fn with<T>(self, name: &str, mut work: impl FnMut() -> T + 'static) -> Self {
        self.with_part(name, move |times, probe| {
            let before = probe();
            for _ in 0..times {
                black_box(work());
            }
            probe() - before
        })
    }
    /// Adds somebody who measures a part of the work, done so many times, and returns what the probe said of that part.
    #[must_use]
    pub fn with_part(mut self, name: &str, work: impl FnMut(u64, Probe) -> u64 + 'static) -> Self {
        self.contenders.push(Contender { name: name.to_string(), work: Box::new(work) });
        self
    }
}

/// One who does the work.
pub struct Contender {
    /// Who.
    pub name: String,
    work: Box<dyn FnMut(u64, Probe) -> u64>,
}
impl Contender {
    /// Does the work so many times, and returns what the probe says that it took.
    pub fn run(&mut self, times: u64, probe: Probe) -> u64 {
        (self.work)(times, probe)
    }
}
impl std::fmt::Debug for Contender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Contender").field(&self.name).finish()
    }
}

/// Times everybody by [`crate::timed`].
pub fn measure(criterion: &mut Criterion, groups: Vec<Group>) {
    for group in groups {
        let mut timings = criterion.benchmark_group(&group.name);
        for mut contender in group.contenders {
            let mut warm = false;
            timings.bench_function(contender.name.clone(), |b| {
                // What it works on is made by the first run: 100,000 transactions must not pass for a slow first one. Not
                // before: who is filtered out starts no servers.
                if !std::mem::replace(&mut warm, true) {
                    contender.run(1, crate::timed);
                }
                b.iter_custom(|times| Duration::from_nanos(contender.run(times, crate::timed)));
            });
        }
        timings.finish();
    }
}
