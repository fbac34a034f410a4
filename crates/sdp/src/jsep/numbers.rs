//! Payload types and extension numbers of offers: what both sides know already keeps its number (RFC 3264 section 8.3.2,
//! RFC 8829 section 5.2.2), and nothing new takes it. Built anew from the descriptions in force each time.

use super::capability::CodecCapability;
use super::codec::Codec;
use super::description::{Description, Format};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

/// Which numbers mean what in this session. A bundle has one number space for all its sections (RFC 9143 section 9.1).
#[derive(Debug, Default)]
pub(super) struct Numbers {
    codecs: BTreeMap<u8, CodecCapability>,
    /// Payload types of `rtx` by what they retransmit.
    rtx: BTreeMap<u8, u8>,
    taken: BTreeSet<u8>,
    extensions: BTreeMap<String, u8>,
    extension_ids: BTreeSet<u8>,
}

/// RFC 3551 section 3 and RFC 5761 section 4: the dynamic payload types, then the unassigned ones that RTCP leaves free.
const DYNAMIC: [core::ops::RangeInclusive<u8>; 2] = [96..=127, 35..=63];

impl Numbers {
    pub(super) fn of(descriptions: &[&Description<'_>]) -> Self {
        let mut numbers = Numbers::default();
        for section in descriptions.iter().flat_map(|description| &description.sections) {
            for format in &section.formats {
                numbers.taken.insert(format.payload_type);
                match format.apt {
                    Some(apt) => {
                        numbers.rtx.entry(apt).or_insert(format.payload_type);
                    }
                    None => {
                        numbers.codecs.entry(format.payload_type).or_insert_with(|| owned(format));
                    }
                }
            }
            for extension in &section.extensions {
                if let Ok(id) = u8::try_from(extension.id) {
                    numbers.extension_ids.insert(id);
                    numbers.extensions.entry(extension.uri.into()).or_insert(id);
                }
            }
        }
        numbers
    }

    /// The payload type of a codec: the one it has, the one it prefers, or the first that is free. `None` where the peer
    /// has given all of them other meanings.
    pub(super) fn reserve(&mut self, codec: &CodecCapability, in_section: &BTreeSet<u8>) -> Option<u8> {
        let wanted = Codec::of(codec);
        let has = self
            .codecs
            .iter()
            .find(|(number, known)| Codec::of(known).same(&wanted) && !in_section.contains(number));
        if let Some((&number, _)) = has {
            return Some(number);
        }
        let preferred = codec.payload_type.filter(|number| !self.taken.contains(number));
        let number = preferred.or_else(|| self.first_free())?;
        self.taken.insert(number);
        self.codecs.insert(number, codec.clone());
        Some(number)
    }

    /// The payload type of the retransmissions of `payload_type`, if they are wanted, and there is one or one is free.
    pub(super) fn rtx_if(&mut self, wanted: bool, payload_type: u8) -> Option<u8> {
        if !wanted {
            return None;
        }
        if let Some(&number) = self.rtx.get(&payload_type) {
            return Some(number);
        }
        let number = self.first_free()?;
        self.taken.insert(number);
        self.rtx.insert(payload_type, number);
        Some(number)
    }

    fn first_free(&self) -> Option<u8> {
        DYNAMIC.into_iter().flatten().find(|number| !self.taken.contains(number))
    }

    /// The number of a header extension; beyond 14 only where headers may be mixed (RFC 8285 section 4.1.2).
    /// `None` where all have other meanings.
    pub(super) fn extension(&mut self, uri: &str, mixed: bool) -> Option<u8> {
        if let Some(&id) = self.extensions.get(uri) {
            return Some(id);
        }
        let highest = if mixed { 255 } else { 14 };
        let id = (1..=highest).filter(|id| *id != 15).find(|id| !self.extension_ids.contains(id));
        let id = id?;
        self.extension_ids.insert(id);
        self.extensions.insert(uri.into(), id);
        Some(id)
    }
}

fn owned(format: &Format<'_>) -> CodecCapability {
    let Codec { name, clock_rate, channels, parameters } = format.codec;
    CodecCapability::new(name, clock_rate, channels).with_fmtp(parameters.0)
}
