//! The effective configuration, as a file that says the same.

use std::fmt::Write as _;

use super::{
    file::Source,
    keys::{Absent, KEYS, Key, Kind},
    layer::{Given, Layer},
    mistake::Place,
    read::given,
};

/// What stands for what is never printed.
const HIDDEN: &str = "(hidden)";

pub(super) fn effective(layers: &[Layer], file: Option<&Source>) -> String {
    let mut text =
        String::from("# What holds, and where it was said. Passwords and secrets are not shown.\n");
    let mut heading = "";
    for key in KEYS {
        if key.heading != heading {
            heading = key.heading;
            let _ = write!(text, "\n# {heading}\n");
        }
        let line = match (given(layers, key), key.absent) {
            (Some(given), _) => format!("{} = {}  # {}", key.name, shown(key, given), place(given, file)),
            (None, Absent::Is(default)) => {
                format!("{} = {}  # default", key.name, literal(key.kind, default))
            }
            (None, Absent::Unset(meaning)) => format!("# {} is not set: {meaning}", key.name),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn shown(key: &Key, given: &[Given]) -> String {
    let one = |given: &Given| match key.kind {
        Kind::Secrets => quoted(&match given.text.split_once(':').filter(|_| key.name == "user") {
            Some((name, _)) => format!("{name}:{HIDDEN}"),
            None => HIDDEN.to_string(),
        }),
        kind => literal(kind, &given.text),
    };
    match key.is_list() {
        true => format!("[{}]", given.iter().map(one).collect::<Vec<_>>().join(", ")),
        false => given.last().map(one).unwrap_or_default(),
    }
}

fn literal(kind: Kind, text: &str) -> String {
    match (kind, text) {
        (Kind::Switch, "true" | "false") => text.to_string(),
        (Kind::One, number) if number.parse::<u32>().is_ok_and(|n| n.to_string() == number) => {
            number.to_string()
        }
        _ => quoted(text),
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn place(given: &[Given], file: Option<&Source>) -> String {
    match (given.first().map(|given| &given.place), file) {
        (Some(Place::Flag(flag)), _) => flag.clone(),
        (Some(Place::Variable(name)), _) => name.clone(),
        (Some(Place::File(span)), Some(file)) => {
            let before = file.text.get(..span.start).unwrap_or_default();
            format!("{}:{}", file.path.display(), before.matches('\n').count() + 1)
        }
        _ => "set to nothing".to_string(),
    }
}
