//! Draws from a generator, in the shapes that a network needs.

use core::time::Duration;

use ginnel_core::{Rng, Seed};

/// A generator with the few questions that links and hosts ask of chance.
#[derive(Debug)]
pub(crate) struct Dice(Rng);

/// All that chance says of one datagram on one link. It is drawn whole for each datagram, so that changing one parameter
/// of a link leaves the fate of the later datagrams as it was in everything else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Throw {
    /// Against [`Link::loss`](crate::Link::loss).
    pub(crate) loss: u32,
    /// Against [`Link::duplication`](crate::Link::duplication).
    pub(crate) duplication: u32,
    /// Against [`Link::reordering`](crate::Link::reordering).
    pub(crate) reordering: u32,
    /// How much of [`Link::jitter`](crate::Link::jitter).
    pub(crate) jitter: u32,
}

impl Dice {
    pub(crate) fn new(seed: Seed) -> Self {
        Self(seed.into_rng())
    }

    pub(crate) fn throw(&mut self) -> Throw {
        Throw { loss: self.word(), duplication: self.word(), reordering: self.word(), jitter: self.word() }
    }

    pub(crate) fn word(&mut self) -> u32 {
        u32::from_le_bytes(self.0.octets())
    }
}

/// Whether a draw falls within a probability of 0.0 to 1.0.
pub(crate) fn within(draw: u32, probability: f64) -> bool {
    f64::from(draw) < probability * 4_294_967_296.0
}

/// The share of `whole` that a draw stands for: from nothing up to nearly all of it, in nanoseconds.
pub(crate) fn share(draw: u32, whole: Duration) -> Duration {
    let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    let part = (u128::from(nanos) * u128::from(draw)) >> 32;
    Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
}
