//! Sequence numbers of 16 bits as positions that never wrap (RFC 3550 section 5.1, RFC 3711 section 3.3.1).

/// Turns sequence numbers into positions: the nearest to the highest so far, in either direction.
///
/// ```
/// use ginnel_rtp::SequenceUnwrapper;
///
/// let mut unwrapper = SequenceUnwrapper::new();
/// let last = unwrapper.unwrap(65_535);
/// assert_eq!(unwrapper.unwrap(0), last + 1);
/// assert_eq!(unwrapper.unwrap(65_534), last - 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceUnwrapper {
    highest: Option<u64>,
}

impl SequenceUnwrapper {
    /// Where the first sequence number is put: one cycle up, so that what was overtaken by the first has a place too.
    pub const ORIGIN: u64 = 1 << 16;

    /// One that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { highest: None }
    }

    /// The position of `sequence_number`, which becomes the highest if it is above it.
    pub fn unwrap(&mut self, sequence_number: u16) -> u64 {
        let position = self.peek(sequence_number);
        self.highest = Some(self.highest.map_or(position, |highest| highest.max(position)));
        position
    }

    /// The position of `sequence_number`, without having seen it.
    #[must_use]
    pub fn peek(&self, sequence_number: u16) -> u64 {
        match self.highest {
            None => Self::ORIGIN + u64::from(sequence_number),
            // The distance as a signed number: half of the circle lies ahead, half behind.
            Some(highest) => {
                let distance = sequence_number.wrapping_sub(highest as u16) as i16;
                highest.saturating_add_signed(i64::from(distance))
            }
        }
    }

    /// The highest position so far.
    #[must_use]
    pub const fn highest(&self) -> Option<u64> {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_overtaken_by_the_first_has_a_place() {
        let mut unwrapper = SequenceUnwrapper::new();
        assert_eq!(unwrapper.unwrap(3), SequenceUnwrapper::ORIGIN + 3);
        assert_eq!(unwrapper.unwrap(65_533), SequenceUnwrapper::ORIGIN - 3);
        assert_eq!(unwrapper.highest(), Some(SequenceUnwrapper::ORIGIN + 3));
    }

    proptest! {
        #[test]
        fn positions_follow_any_walk_of_small_steps(steps in proptest::collection::vec(-2000i64..4000, 1..300)) {
            let mut unwrapper = SequenceUnwrapper::new();
            let (mut position, mut highest) = (SequenceUnwrapper::ORIGIN + 40_000, 0);
            unwrapper.unwrap(position as u16);
            for step in steps {
                position = position.max(highest).saturating_add_signed(step);
                highest = highest.max(position);
                prop_assert_eq!(unwrapper.unwrap(position as u16), position);
            }
        }
    }
}
