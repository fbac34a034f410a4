//! Packet indices: the estimate of RFC 3711 section 3.3.1, and the replay windows of section 3.3.2 for many sources.
//!
//! A source's state comes into being only by [`Sources::accept`], which callers reach with authenticated packets alone.

extern crate alloc;
use alloc::vec::Vec;

/// RFC 3711 section 9.2: the index of SRTP has 48 bits and is never used twice.
pub(crate) const RTP_INDEX_END: u64 = 1 << 48;
/// RFC 3711 section 9.2: the index of SRTCP has 31 bits.
pub(crate) const RTCP_INDEX_END: u64 = 1 << 31;

/// The index of a packet with `sequence_number`, from the highest index of its source: the one that lies nearest. `None` if
/// that one lies before the first packet under this key, or behind the last that the key allows.
pub(crate) const fn estimate(highest: Option<u64>, sequence_number: u16) -> Option<u64> {
    let Some(highest) = highest else { return Some(sequence_number as u64) };
    let (roc, newest) = (highest >> 16, highest & 0xFFFF);
    let seq = sequence_number as u64;
    let roc = if newest < 0x8000 {
        if seq > newest + 0x8000 {
            match roc.checked_sub(1) {
                Some(roc) => roc,
                None => return None,
            }
        } else {
            roc
        }
    } else if newest - 0x8000 > seq {
        roc + 1
    } else {
        roc
    };
    let index = roc << 16 | seq;
    if index < RTP_INDEX_END { Some(index) } else { None }
}

/// What a window says of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Not seen yet.
    Fresh,
    /// Seen.
    Replayed,
    /// Further behind the newest than the window reaches: it cannot be told.
    TooOld,
}

/// The highest index and the replay window of each source, found by SSRC. Bounded: a source beyond the bound is refused, and
/// none is forgotten, for a forgotten source would accept its old packets again (and a sender reuse its keystream).
#[derive(Debug)]
pub(crate) struct Sources {
    /// Sorted by SSRC; `slot` counts in the order of appearance.
    by_ssrc: Vec<(u32, usize)>,
    highest: Vec<u64>,
    /// `stride` words of bitmap for each slot. Index `i` is bit `i` modulo the window's size.
    bitmaps: Vec<u64>,
    stride: usize,
    max: usize,
}
impl Sources {
    /// `window` is rounded up to a multiple of 64 and to at least [`MIN_WINDOW`].
    pub(crate) const fn new(window: usize, max: usize) -> Self {
        let window = if window < MIN_WINDOW { MIN_WINDOW } else { window };
        Self {
            by_ssrc: Vec::new(),
            highest: Vec::new(),
            bitmaps: Vec::new(),
            stride: window.div_ceil(64),
            max,
        }
    }
    /// Where `ssrc` is, if it is known.
    pub(crate) fn find(&self, ssrc: u32) -> Option<Slot> {
        let place = self.by_ssrc.binary_search_by_key(&ssrc, |&(ssrc, _)| ssrc).ok()?;
        self.by_ssrc.get(place).map(|&(_, slot)| Slot(slot))
    }
    pub(crate) fn highest(&self, slot: Slot) -> Option<u64> {
        self.highest.get(slot.0).copied()
    }
    /// Whether a source that is not known yet would be refused.
    pub(crate) const fn is_full(&self) -> bool {
        self.by_ssrc.len() >= self.max
    }
    pub(crate) const fn len(&self) -> usize {
        self.by_ssrc.len()
    }
    /// Asks, and changes nothing.
    pub(crate) fn check(&self, slot: Slot, index: u64) -> Freshness {
        let Some(highest) = self.highest(slot) else { return Freshness::Fresh };
        if index > highest {
            return Freshness::Fresh;
        }
        if highest - index >= self.window() {
            return Freshness::TooOld;
        }
        let (word, bit) = self.place(slot, index);
        match self.bitmaps.get(word) {
            Some(bits) if bits & bit != 0 => Freshness::Replayed,
            _ => Freshness::Fresh,
        }
    }
    /// Notes that `index` has been used; a new source gets its slot here. Refuses nothing but a source too many.
    pub(crate) fn accept(&mut self, slot: Option<Slot>, ssrc: u32, index: u64) {
        let Some(slot) = slot.or_else(|| self.insert(ssrc, index)) else { return };
        let Some(highest) = self.highest(slot) else { return };
        if index > highest {
            self.advance(slot, highest, index);
        }
        let (word, bit) = self.place(slot, index);
        if let Some(bits) = self.bitmaps.get_mut(word) {
            *bits |= bit;
        }
    }
    fn insert(&mut self, ssrc: u32, index: u64) -> Option<Slot> {
        let place = self.by_ssrc.binary_search_by_key(&ssrc, |&(ssrc, _)| ssrc).err()?;
        if self.is_full() {
            return None;
        }
        let slot = self.highest.len();
        self.by_ssrc.insert(place, (ssrc, slot));
        self.highest.push(index);
        self.bitmaps.resize(self.bitmaps.len() + self.stride, 0);
        Some(Slot(slot))
    }
    /// Moves the window up to `index`: the bits that it newly covers are cleared.
    fn advance(&mut self, slot: Slot, highest: u64, index: u64) {
        if index - highest >= self.window() {
            let words = slot.0 * self.stride..(slot.0 + 1) * self.stride;
            self.bitmaps.get_mut(words).into_iter().flatten().for_each(|bits| *bits = 0);
        } else {
            for passed in highest + 1..=index {
                let (word, bit) = self.place(slot, passed);
                if let Some(bits) = self.bitmaps.get_mut(word) {
                    *bits &= !bit;
                }
            }
        }
        if let Some(newest) = self.highest.get_mut(slot.0) {
            *newest = index;
        }
    }
    const fn window(&self) -> u64 {
        self.stride as u64 * 64
    }
    const fn place(&self, slot: Slot, index: u64) -> (usize, u64) {
        let bit = index % self.window();
        (slot.0 * self.stride + (bit / 64) as usize, 1 << (bit % 64))
    }
    /// For tests at the ends of the index space: as if every index up to `index` had been used.
    #[cfg(test)]
    pub(crate) fn pretend(&mut self, ssrc: u32, index: u64) {
        let slot = self.find(ssrc);
        self.accept(slot, ssrc, index);
    }
}

/// Where a source is in [`Sources`]. Slots are never freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(usize);

/// RFC 3711 section 3.3.2: a window is at least 64 wide.
const MIN_WINDOW: usize = 64;
