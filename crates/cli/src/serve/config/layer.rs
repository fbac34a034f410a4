//! What one source sets: flags, environment or file. A layer above hides a key of those below it, with all its values.

use std::{collections::BTreeMap, fmt};

use zeroize::Zeroizing;

use super::{
    keys::{KEYS, Key},
    mistake::Place,
};

/// A value as it was written, and where. It may be a secret, so it is not printed, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) text: Zeroizing<String>,
    pub(crate) place: Place,
}

impl Given {
    pub(crate) fn new(text: impl Into<String>, place: Place) -> Self {
        Self { text: Zeroizing::new(text.into()), place }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Given").field(&self.place).finish()
    }
}

/// What one source sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layer(BTreeMap<&'static str, Vec<Given>>);

impl Layer {
    pub(crate) fn set(&mut self, key: &'static Key, values: Vec<Given>) {
        self.0.insert(key.name, values);
    }

    /// The values of a key, if this layer sets it: perhaps to none, as `listen = []` does.
    pub(crate) fn get(&self, key: &Key) -> Option<&[Given]> {
        self.0.get(key.name).map(Vec::as_slice)
    }

    /// What the environment sets. Lists are separated by white space: what has some in it belongs in the file. An empty
    /// variable is none: deployment templates leave such behind.
    pub(crate) fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut layer = Self::default();
        for key in KEYS {
            let name = key.variable();
            let Some(text) = variable(&name).map(Zeroizing::new).filter(|text| !text.trim().is_empty())
            else {
                continue;
            };
            let place = Place::Variable(name);
            let values = match key.is_list() {
                true => text.split_whitespace().map(|word| Given::new(word, place.clone())).collect(),
                false => vec![Given::new(text.trim(), place)],
            };
            layer.set(key, values);
        }
        layer
    }
}
