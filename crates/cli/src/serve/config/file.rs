//! The file: TOML, flat, with the keys of the flags.

use std::{fmt, ops::Range, path::PathBuf};

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::{
    keys::{KEYS, Key, Kind},
    layer::{Given, Layer},
    mistake::{Mistake, Place, nearest},
};

/// A configuration file as it was read. Secrets may stand in it.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: Zeroizing<String>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.path).finish()
    }
}

impl Source {
    /// What it sets. Everything that is wrong with it is found at once.
    pub(crate) fn layer(&self, mistakes: &mut Vec<Mistake>) -> Layer {
        let mut layer = Layer::default();
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        for error in &errors {
            let end = self.text.len();
            let span = error.span().unwrap_or(end..end);
            mistakes.push(Mistake::new(&Place::File(span), format!("this is no TOML: {}", error.message())));
        }
        if !errors.is_empty() {
            // What stands behind a syntax error may not be what was meant.
            return layer;
        }
        for (name, value) in table.get_ref() {
            let place = Place::File(name.span());
            let Some(key) = Key::named(name.get_ref()) else {
                mistakes.push(unknown(&place, name.get_ref(), value.get_ref()));
                continue;
            };
            match values(key, value.get_ref(), &value.span()) {
                Ok(given) => layer.set(key, given),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        layer
    }

    /// The mistake with its line: what a compiler would print.
    pub(super) fn point(
        &self,
        f: &mut fmt::Formatter<'_>,
        span: &Range<usize>,
        sentence: &str,
    ) -> fmt::Result {
        let start = span.start.min(self.text.len());
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let number = before.matches('\n').count() + 1;
        let line = self.text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        let marked = self.text.get(start..span.end.min(line_start + line.len())).unwrap_or_default();
        let marks = marked.chars().count().max(1);
        writeln!(f, "{}:{number}:{}: {sentence}", self.path.display(), column + 1)?;
        let width = number.to_string().len();
        let (shown, rest) = self.shown(number, line);
        writeln!(f, "  {number} | {}{rest}", shown.replace('\t', " "))?;
        match column < shown.chars().count() || rest.is_empty() {
            true => write!(f, "  {:width$} | {:column$}{}", "", "", "^".repeat(marks)),
            false => write!(f, "  {:width$} |", ""),
        }
    }

    /// What of a line may be shown to whoever reads the log: nothing of a value whose key holds secrets, or is none and was
    /// meant to be such perhaps. A value of several lines belongs to the key above it, and the `=` of a value is none behind a
    /// key.
    fn shown<'l>(&self, number: usize, line: &'l str) -> (&'l str, &'static str) {
        const HIDDEN: &str = "(not shown: it may be a secret)";
        let owner = self.text.lines().take(number).filter_map(key_of).last();
        let value = line.split_once('=').map_or(line, |it| it.1);
        let names_a_secret = KEYS.iter().any(|key| key.is_secret() && value.contains(key.name));
        let may_be_shown = match owner.map(Key::named) {
            None => !line.contains('=') && !names_a_secret,
            Some(key) => key.is_some_and(|key| !key.is_secret()) && !names_a_secret,
        };
        match key_of(line) {
            _ if may_be_shown => (line, ""),
            // What is no key may be a secret that has lost its quotes, with the padding that Base64 ends in.
            Some(key) if Key::named(key).is_some() || nearest(key).is_some() => {
                (line.find('=').and_then(|at| line.get(..=at)).unwrap_or_default(), HIDDEN)
            }
            _ => ("", HIDDEN),
        }
    }
}

/// The key that a line begins with, as TOML has keys.
fn key_of(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    let bare = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let quoted = |quote| key.strip_prefix(quote)?.strip_suffix(quote);
    let key = quoted('"').or_else(|| quoted('\'')).unwrap_or(key);
    (!key.is_empty() && bare(key)).then_some(key)
}

fn unknown(place: &Place, name: &str, value: &DeValue<'_>) -> Mistake {
    let advice = match nearest(name) {
        _ if value.is_table() => "the file has no sections: write its keys without a [heading]".to_string(),
        Some(near) => format!("did you mean `{near}`?"),
        None => "`ginnel serve --help` lists the keys, without their dashes".to_string(),
    };
    Mistake::new(place, format!("there is no key `{name}`: {advice}"))
}

fn values(key: &'static Key, value: &DeValue<'_>, span: &Range<usize>) -> Result<Vec<Given>, Mistake> {
    match value {
        DeValue::Array(array) if key.is_list() => {
            array.iter().map(|item| scalar(key, item.get_ref(), item.span())).collect()
        }
        value => Ok(vec![scalar(key, value, span.clone())?]),
    }
}

fn scalar(key: &'static Key, value: &DeValue<'_>, span: Range<usize>) -> Result<Given, Mistake> {
    let text = match (key.kind, value) {
        (Kind::Switch, DeValue::Boolean(value)) => value.to_string(),
        (Kind::One, DeValue::Integer(value)) if value.radix() == 10 => value.as_str().to_string(),
        (Kind::One | Kind::Many | Kind::Secrets, DeValue::String(value)) => value.to_string(),
        (kind, other) => {
            let wanted = match kind {
                Kind::One => "a string or a number",
                Kind::Many | Kind::Secrets => "a list of strings, such as [\"...\", \"...\"]",
                Kind::Switch => "true or false, without quotes",
            };
            let found = other.type_str();
            let sentence = format!("`{}` has a value of the type {found}: give it {wanted}", key.name);
            return Err(Mistake::new(&Place::File(span), sentence));
        }
    };
    Ok(Given::new(text, Place::File(span)))
}
