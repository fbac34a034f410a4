//! A short list: its first elements lie where it lies, so that the common case needs no other memory and no allocation.

use alloc::{boxed::Box, vec::Vec};

/// Elements in no order; the first `N` of them inline.
#[derive(Clone, Debug)]
pub(super) struct Few<T, const N: usize> {
    inline: [Option<T>; N],
    /// Boxed, so that a list that does not need it is two words shorter.
    #[allow(clippy::box_collection, reason = "two words are what an allocation has too much without it")]
    more: Option<Box<Vec<T>>>,
}
impl<T: Copy, const N: usize> Few<T, N> {
    pub(super) const fn new() -> Self {
        Self { inline: [None; N], more: None }
    }
    pub(super) fn len(&self) -> usize {
        self.inline.iter().flatten().count() + self.more.as_ref().map_or(0, |more| more.len())
    }
    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.inline.iter().flatten().chain(self.more.iter().flat_map(|more| more.iter()))
    }
    #[inline]
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.inline.iter_mut().flatten().chain(self.more.iter_mut().flat_map(|more| more.iter_mut()))
    }
    pub(super) fn find_mut(&mut self, is_it: impl FnMut(&&mut T) -> bool) -> Option<&mut T> {
        self.iter_mut().find(is_it)
    }
    pub(super) fn push(&mut self, value: T) {
        match self.inline.iter_mut().find(|it| it.is_none()) {
            Some(free) => *free = Some(value),
            None => self.more.get_or_insert_default().push(value),
        }
    }
    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        for slot in &mut self.inline {
            slot.take_if(|it| !keep(it));
        }
        let Some(more) = &mut self.more else { return };
        more.retain(keep);
        // What is looked at first is to be inline, and memory that is not needed is given back.
        while let Some(free) = self.inline.iter_mut().find(|it| it.is_none()) {
            match more.pop() {
                Some(value) => *free = Some(value),
                None => break,
            }
        }
        if more.is_empty() {
            self.more = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_and_go_inline_first() {
        let mut few = Few::<u8, 2>::new();
        (0..5).for_each(|n| few.push(n));
        assert_eq!(few.len(), 5);
        few.iter_mut().for_each(|n| *n *= 10);
        few.retain(|n| *n >= 30);
        assert_eq!((few.len(), few.more.is_none()), (2, true));
        let mut left: Vec<u8> = few.iter().copied().collect();
        left.sort_unstable();
        assert_eq!(left, [30, 40]);
        few.push(7);
        assert_eq!(few.iter().count(), 3);
        few.retain(|_| false);
        assert_eq!(few.len(), 0);
    }
}
