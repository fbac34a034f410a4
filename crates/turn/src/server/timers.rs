//! When each allocation expires: a heap that knows where everything lies in it.
//!
//! The next to expire is its first element, so asking for the next wake-up costs one read however many there are; a refresh
//! moves one element, in O(log n). Children are four to a node: fewer levels, and they share a cache line and a half.

use alloc::vec::Vec;

use ginnel_core::Instant;

/// Children of a node.
const ARITY: usize = 4;
/// Of what is not in the heap.
const NOWHERE: u32 = u32::MAX;

/// Numbered things, by when they are due.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: Vec<(Instant, u32)>,
    /// Where each number lies in the heap.
    places: Vec<u32>,
}
impl Timers {
    /// The first to be due.
    #[inline]
    pub(super) fn next(&self) -> Option<(Instant, u32)> {
        self.heap.first().copied()
    }
    /// Sets when a number is due, or that it is not.
    pub(super) fn set(&mut self, number: u32, at: Option<Instant>) {
        let index = number as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, NOWHERE);
        }
        let place = self.places[index];
        match (at, place) {
            (None, NOWHERE) => {}
            (None, place) => self.remove(place as usize),
            (Some(at), NOWHERE) => {
                self.heap.push((at, number));
                self.up(self.heap.len() - 1);
            }
            (Some(at), place) => {
                let place = place as usize;
                let before = self.heap[place].0;
                self.heap[place].0 = at;
                if at < before { self.up(place) } else { self.down(place) }
            }
        }
    }
    fn remove(&mut self, place: usize) {
        let (_, number) = self.heap.swap_remove(place);
        self.places[number as usize] = NOWHERE;
        if let Some(&(_, moved)) = self.heap.get(place) {
            self.places[moved as usize] = place as u32;
            self.up(place);
            self.down(self.places[moved as usize] as usize);
        }
    }
    fn up(&mut self, mut place: usize) {
        let element = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if self.heap[parent] <= element {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, element);
    }
    fn down(&mut self, mut place: usize) {
        let element = self.heap[place];
        loop {
            let first = place * ARITY + 1;
            let children = first..(first + ARITY).min(self.heap.len());
            let Some(least) = children.min_by_key(|&child| self.heap[child]) else { break };
            if element <= self.heap[least] {
                break;
            }
            self.put(place, self.heap[least]);
            place = least;
        }
        self.put(place, element);
    }
    fn put(&mut self, place: usize, element: (Instant, u32)) {
        self.heap[place] = element;
        self.places[element.1 as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use core::time::Duration;

    use ginnel_core::Seed;

    use super::*;

    #[test]
    fn it_says_what_a_map_says() {
        let mut rng = Seed::new([7; 32]).into_rng();
        let (mut timers, mut model) = (Timers::default(), BTreeMap::new());
        for _ in 0..20_000 {
            let number = rng.below(100) as u32;
            if rng.below(3) == 0 {
                timers.set(number, None);
                model.remove(&number);
            } else {
                let at = Instant::EPOCH + Duration::from_millis(rng.below(1_000));
                timers.set(number, Some(at));
                model.insert(number, at);
            }
            let first = model.iter().map(|(&number, &at)| (at, number)).min();
            assert_eq!(timers.next(), first);
            assert_eq!(timers.heap.len(), model.len());
        }
    }
}
