//! What RESERVATION-TOKEN promises: the port above an even one, held for whoever brings the token (RFC 8656 sections 7.2 and
//! 18.10), for 30 seconds and no longer.
//!
//! Tokens are [`Tokens::reservation`](super::Tokens::reservation)'s. Whoever has one is the client that it was given to, or was
//! told it by that client; a user's name may be kept beside what is held, and compared.

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use ginnel_core::Instant;

/// RFC 8656 section 7.2: held for at least 30 seconds.
const HELD_FOR: Duration = Duration::from_secs(30);

/// Reserved things of type `T`, each under a token.
///
/// ```
/// use core::time::Duration;
/// use ginnel_core::Instant;
/// use ginnel_turn::server::policy::Reservations;
///
/// let mut held = Reservations::new(100);
/// held.hold(Instant::EPOCH, *b"8 octets", 50_001_u16)?;
/// assert_eq!(held.take(Instant::EPOCH, *b"8 octets"), Some(50_001));
/// assert_eq!(held.take(Instant::EPOCH, *b"8 octets"), None); // once
/// # Ok::<(), ginnel_turn::server::policy::TooManyReservations<u16>>(())
/// ```
#[derive(Debug)]
pub struct Reservations<T> {
    held: BTreeMap<[u8; 8], (Instant, T)>,
    /// In the order of their ends: all are held equally long. A token that was taken stays here until its end.
    ends: VecDeque<(Instant, [u8; 8])>,
    max: usize,
}

/// There are as many as there may be: 508 (Insufficient Capacity). What was to be held comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for another reservation: answer 508, and give this back")]
pub struct TooManyReservations<T>(pub T);

impl<T> Reservations<T> {
    /// Room for `max`.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { held: BTreeMap::new(), ends: VecDeque::new(), max }
    }
    /// Holds `what` under this token from now on.
    pub fn hold(&mut self, now: Instant, token: [u8; 8], what: T) -> Result<(), TooManyReservations<T>> {
        if self.ends.len() >= self.max || self.held.contains_key(&token) {
            return Err(TooManyReservations(what));
        }
        let end = now + HELD_FOR;
        self.held.insert(token, (end, what));
        self.ends.push_back((end, token));
        Ok(())
    }
    /// What is held under this token, which is then worth nothing; `None` (508) if nothing is, or its time is over.
    pub fn take(&mut self, now: Instant, token: [u8; 8]) -> Option<T> {
        self.take_if(now, token, |_| true)
    }
    /// As [`take`](Self::take), if it is for this client: else it stays for the one that it is for.
    pub fn take_if(&mut self, now: Instant, token: [u8; 8], is_for: impl FnOnce(&T) -> bool) -> Option<T> {
        let _ = self.get(now, token).filter(|what| is_for(what))?;
        self.held.remove(&token).map(|(_, what)| what)
    }
    /// What is held under this token, which stays there.
    #[must_use]
    pub fn get(&self, now: Instant, token: [u8; 8]) -> Option<&T> {
        self.held.get(&token).filter(|(end, _)| now < *end).map(|(_, what)| what)
    }
    /// Takes what is not there any more, whoever has its token: that is worth nothing from now on.
    pub fn take_where(&mut self, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let token = self.held.iter().find(|(_, (_, what))| is_it(what)).map(|(token, _)| *token)?;
        self.held.remove(&token).map(|(_, what)| what)
    }
    /// The next one whose time is over: give it back. Call it until it returns `None`.
    #[must_use = "what is not given back is lost"]
    pub fn expired(&mut self, now: Instant) -> Option<T> {
        while let Some(&(end, token)) = self.ends.front()
            && now >= end
        {
            self.ends.pop_front();
            // The token may have been used, and even be drawn again: then this is not its end.
            if self.held.get(&token).is_some_and(|(its, _)| *its == end) {
                return self.held.remove(&token).map(|(_, what)| what);
            }
        }
        None
    }
    /// When to ask [`expired`](Self::expired) next.
    #[must_use]
    pub fn next_end(&self) -> Option<Instant> {
        self.ends.front().map(|&(end, _)| end)
    }
    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }
    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
mod tests;
