//! What one direction of a link does to datagrams.

use core::time::Duration;

/// What happens to datagrams between two places, in one direction.
///
/// The default is a link of one millisecond that loses nothing. Order is kept, also under jitter (as a queue keeps it),
/// unless [`reordering`](Self::reordering) says otherwise.
///
/// ```
/// use core::time::Duration;
/// use ginnel_netsim::Link;
/// let mobile = Link::new(Duration::from_millis(60))
///     .with_jitter(Duration::from_millis(20))
///     .with_loss(0.02)
///     .with_rate(1_000_000, 30);
/// assert_eq!(mobile.queue, 30);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Link {
    /// How long every datagram takes at least.
    pub latency: Duration,
    /// Added to the latency: evenly distributed between nothing and this.
    pub jitter: Duration,
    /// The probability, 0.0 to 1.0, that a datagram is lost.
    pub loss: f64,
    /// The probability, 0.0 to 1.0, that a datagram arrives twice. The copy comes right behind its original.
    pub duplication: f64,
    /// The probability, 0.0 to 1.0, that a datagram is held back, so that later ones overtake it.
    pub reordering: f64,
    /// For how long it is then held back.
    pub reordered_by: Duration,
    /// Bits a second, IP and UDP headers included; `None` is without limit.
    pub rate: Option<u64>,
    /// How many datagrams wait for their turn where there is a [`rate`](Self::rate); what comes when it is full is lost.
    pub queue: usize,
    /// The largest IP packet in octets, headers included; what is larger is lost without a word. `None` is without limit.
    pub mtu: Option<usize>,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
            reordered_by: Duration::ZERO,
            rate: None,
            queue: 100,
            mtu: None,
        }
    }
}

impl Link {
    /// A link that does nothing worse than take `latency`.
    #[must_use]
    pub fn new(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }
    /// See [`jitter`](Self::jitter).
    #[must_use]
    pub fn with_jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }
    /// See [`loss`](Self::loss).
    #[must_use]
    pub fn with_loss(self, loss: f64) -> Self {
        Self { loss, ..self }
    }
    /// See [`duplication`](Self::duplication).
    #[must_use]
    pub fn with_duplication(self, duplication: f64) -> Self {
        Self { duplication, ..self }
    }
    /// See [`reordering`](Self::reordering) and [`reordered_by`](Self::reordered_by).
    #[must_use]
    pub fn with_reordering(self, reordering: f64, reordered_by: Duration) -> Self {
        Self { reordering, reordered_by, ..self }
    }
    /// See [`rate`](Self::rate) and [`queue`](Self::queue).
    #[must_use]
    pub fn with_rate(self, bits_per_second: u64, queue: usize) -> Self {
        Self { rate: Some(bits_per_second), queue, ..self }
    }
    /// See [`mtu`](Self::mtu).
    #[must_use]
    pub fn with_mtu(self, mtu: usize) -> Self {
        Self { mtu: Some(mtu), ..self }
    }
}
