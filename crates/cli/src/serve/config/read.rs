//! Reads typed values out of layers, and gathers mistakes instead of stopping at the first.

use super::{
    keys::{Absent, Key},
    layer::{Given, Layer},
    mistake::{Mistake, Place},
};

/// The layers, and what was found wrong with them.
#[derive(Debug)]
pub(super) struct Reader<'l> {
    pub(super) layers: &'l [Layer],
    pub(super) mistakes: Vec<Mistake>,
}

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl Reader<'_> {
    /// Where the last of its values stands, good or bad.
    pub(super) fn given_at(&self, name: &'static str) -> Place {
        let given = given(self.layers, known(name)).unwrap_or_default();
        given.last().map_or(Place::Nowhere, |given| given.place.clone())
    }

    /// A value that may be unset.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Placed<T>> {
        self.list(name, parse).pop()
    }

    /// A value that has a default.
    pub(super) fn value<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> T {
        if let Some(placed) = self.optional(name, &parse) {
            return placed.value;
        }
        let Absent::Is(default) = known(name).absent else { unreachable!("{name} has no default") };
        parse(default).expect("the table's defaults can be read")
    }

    /// All values of a list.
    pub(super) fn list<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<Placed<T>> {
        let given = given(self.layers, known(name)).unwrap_or_default();
        let mut values = Vec::new();
        for Given { text, place } in given {
            match parse(text) {
                Ok(value) => values.push(Placed { value, place: place.clone() }),
                Err(sentence) => self.mistakes.push(Mistake::new(place, named(name, place, sentence))),
            }
        }
        values
    }

    pub(super) fn mistake(&mut self, place: &Place, sentence: impl Into<String>) {
        self.mistakes.push(Mistake::new(place, sentence));
    }
}

pub(super) fn given<'l>(layers: &'l [Layer], key: &Key) -> Option<&'l [Given]> {
    layers.iter().find_map(|layer| layer.get(key))
}

fn known(name: &'static str) -> &'static Key {
    Key::named(name).unwrap_or_else(|| unreachable!("the table has no key {name}"))
}

/// Flags and variables bear the name already.
fn named(name: &str, place: &Place, sentence: String) -> String {
    match place {
        Place::File(_) => format!("`{name}`: {sentence}"),
        _ => sentence,
    }
}
