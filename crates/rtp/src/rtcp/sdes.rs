//! Source descriptions and goodbyes (RFC 3550 sections 6.5 and 6.6).

use super::{RawRtcp, word};
use crate::{ParseError, Reason};

/// RFC 3550 section 6.5.1: the canonical name.
pub(super) const CNAME: u8 = 1;

/// A source description.
#[derive(Clone, Copy, Debug)]
pub struct SourceDescription<'a> {
    count: u8,
    body: &'a [u8],
}

impl<'a> SourceDescription<'a> {
    pub(super) fn parse(raw: RawRtcp<'a>) -> Result<Self, ParseError> {
        let mut rest = raw.body;
        for _ in 0..raw.count {
            let offset = raw.body.len() - rest.len();
            rest = Chunk::split(rest).ok_or(ParseError::new(offset, Reason::ItemPastEnd))?.1;
        }
        Ok(Self { count: raw.count, body: raw.body })
    }

    /// One chunk for each source.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk<'a>> + use<'a> {
        let mut rest = self.body;
        (0..self.count).map_while(move |_| {
            let (chunk, behind) = Chunk::split(rest)?;
            rest = behind;
            Some(chunk)
        })
    }
}

/// What is said of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The source.
    pub ssrc: u32,
    items: &'a [u8],
}

/// One thing that is said of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// What it is: 1 for CNAME, 15 for MID (RFC 9143 section 15.1).
    pub kind: u8,
    /// Its text, which should be UTF-8.
    pub text: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// A chunk ends with one null octet or more, up to the next word.
    fn split(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let ssrc = word(octets, 0).ok()?;
        let all = octets.get(4..)?;
        let mut end = 0;
        while *all.get(end)? != 0 {
            end += 2 + usize::from(*all.get(end + 1)?);
        }
        // The SSRC took one word, so words of the items are words of the packet.
        let behind = all.get((end + 1).next_multiple_of(4)..)?;
        Some((Self { ssrc, items: all.get(..end)? }, behind))
    }

    /// The items, in the order of the packet.
    pub fn items(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let mut rest = self.items;
        core::iter::from_fn(move || {
            let (head, behind) = rest.split_first_chunk::<2>()?;
            let (text, behind) = behind.split_at_checked(usize::from(head[1]))?;
            rest = behind;
            Some(Item { kind: head[0], text })
        })
    }

    /// The canonical name, which ties the streams of one clock together.
    #[must_use]
    pub fn cname(&self) -> Option<&'a [u8]> {
        self.items().find(|item| item.kind == CNAME).map(|item| item.text)
    }
}

/// Sources that leave.
#[derive(Clone, Copy, Debug)]
pub struct Goodbye<'a> {
    sources: &'a [[u8; 4]],
    reason: Option<&'a [u8]>,
}

impl<'a> Goodbye<'a> {
    pub(super) fn parse(raw: RawRtcp<'a>) -> Result<Self, ParseError> {
        let (sources, reason) = raw
            .body
            .split_at_checked(4 * usize::from(raw.count))
            .ok_or(ParseError::new(0, Reason::CountPastEnd))?;
        let reason = match reason.split_first() {
            None => None,
            Some((len, text)) => Some(
                text.get(..usize::from(*len))
                    .ok_or(ParseError::new(4 * usize::from(raw.count), Reason::ReasonPastEnd))?,
            ),
        };
        Ok(Self { sources: sources.as_chunks().0, reason })
    }

    /// Who leaves.
    pub fn sources(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.sources.iter().map(|octets| u32::from_be_bytes(*octets))
    }

    /// Why, in words that should be UTF-8.
    #[must_use]
    pub const fn reason(&self) -> Option<&'a [u8]> {
        self.reason
    }
}
