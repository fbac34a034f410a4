//! When streams, listeners and full sockets are looked at for what is overdue: one alarm for each, at most.
//!
//! An alarm is not moved for every octet. It goes off when something may be due, and is set anew if nothing is; so it is set
//! once in an idle time, and no message pays for it.

use std::collections::BTreeSet;

use ginnel_core::Instant;

#[derive(Debug, Default)]
pub(crate) struct Alarms {
    by_time: BTreeSet<(Instant, usize)>,
}

impl Alarms {
    /// The first of them.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    #[cfg(feature = "testing")]
    pub(crate) fn len(&self) -> usize {
        self.by_time.len()
    }

    /// Sees to it that this number's alarm, which is set to `alarm`, goes off no later than `at`.
    pub(crate) fn set(&mut self, number: usize, alarm: &mut Option<Instant>, at: Option<Instant>) {
        let Some(at) = at else { return };
        if alarm.is_some_and(|alarm| alarm <= at) {
            return;
        }
        self.clear(number, alarm);
        self.by_time.insert((at, number));
        *alarm = Some(at);
    }

    pub(crate) fn clear(&mut self, number: usize, alarm: &mut Option<Instant>) {
        if let Some(at) = alarm.take() {
            self.by_time.remove(&(at, number));
        }
    }

    /// Whose alarm goes off. It has none then.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<usize> {
        let first = *self.by_time.first()?;
        (first.0 <= now).then(|| {
            self.by_time.remove(&first);
            first.1
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_alarm_goes_off_once_and_no_later_than_it_must() {
        let at = |ms| Instant::from_epoch(Duration::from_millis(ms));
        let (mut alarms, mut one, mut two) = (Alarms::default(), None, None);
        alarms.set(1, &mut one, Some(at(50)));
        alarms.set(2, &mut two, Some(at(40)));
        alarms.set(1, &mut one, Some(at(60))); // later: stays
        alarms.set(1, &mut one, Some(at(30))); // earlier: moves
        alarms.set(2, &mut two, None);
        assert_eq!((one, two, alarms.next()), (Some(at(30)), Some(at(40)), Some(at(30))));
        assert_eq!(alarms.pop(at(29)), None);
        assert_eq!([alarms.pop(at(50)), alarms.pop(at(50)), alarms.pop(at(50))], [Some(1), Some(2), None]);
        alarms.set(3, &mut one.take(), Some(at(70)));
        alarms.clear(3, &mut Some(at(70)));
        assert_eq!(alarms.next(), None);
    }
}
