//! Where octets come from: the command line, a file, standard input.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use super::hex::{self, HexError};

/// The most octets that a file with one message may have: the longest there is, written as generously as may be.
const FILE_MAX: u64 = 1 << 20;
/// The most octets of a line: the same, so that memory does not depend on the input.
pub(crate) const LINE_MAX: usize = 1 << 20;

/// Why there is no message to look at.
#[derive(Debug)]
pub(crate) struct InputError {
    /// For people.
    pub(crate) sentence: String,
    /// If the text is not hexadecimal.
    pub(crate) hex: Option<HexError>,
}

impl From<String> for InputError {
    fn from(sentence: String) -> Self {
        Self { sentence, hex: None }
    }
}

/// One message: `words` are digits, the name of a file, or `-`. With no words, standard input.
pub(crate) fn one(words: &[String]) -> Result<Vec<u8>, InputError> {
    let (text, name) = match words {
        [] => (whole(io::stdin().lock(), "standard input")?, "standard input".to_string()),
        [word] if word == "-" => (whole(io::stdin().lock(), "standard input")?, "standard input".to_string()),
        // Whatever can be read: a pipe that the shell made, too.
        [word] if Path::new(word).exists() && !Path::new(word).is_dir() => {
            (whole(open(word)?, word)?, word.clone())
        }
        words => {
            let text = words.join(" ");
            return decode(text.as_bytes(), |error| {
                let of = text.len();
                let at = of.min(error.offset + 1);
                format!("neither a file nor hexadecimal digits: {error} (character {at} of {of})")
            });
        }
    };
    // A message is not text: whatever its type, its transaction ID is random and its cookie holds 0xA4.
    if !is_text(&text) {
        return Ok(text);
    }
    decode(&text, |error| format!("{name}, line {}, column {}: {error}", error.line, error.column))
}

fn decode(text: &[u8], sentence: impl Fn(&HexError) -> String) -> Result<Vec<u8>, InputError> {
    let mut octets = Vec::new();
    match hex::decode(text, &mut octets) {
        Ok(()) => Ok(octets),
        Err(error) => Err(InputError { sentence: sentence(&error), hex: Some(error) }),
    }
}

/// A source of many lines.
pub(crate) type Lines = BufReader<Box<dyn Read>>;

/// Many lines: the name of a file, `-`, or nothing, which is standard input too.
pub(crate) fn lines(words: &[String]) -> Result<Lines, String> {
    let source: Box<dyn Read> = match words {
        [] => Box::new(io::stdin()),
        [word] if word == "-" => Box::new(io::stdin()),
        [name] => Box::new(open(name)?),
        _ => return Err("--jsonl takes the name of one file, or - for standard input".to_string()),
    };
    Ok(BufReader::with_capacity(1 << 16, source))
}

fn open(name: &str) -> Result<File, String> {
    File::open(name).map_err(|error| format!("{name} cannot be opened: {error}"))
}

fn whole(source: impl Read, name: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    source
        .take(FILE_MAX + 1)
        .read_to_end(&mut octets)
        .map_err(|error| format!("{name} cannot be read: {error}"))?;
    if octets.len() as u64 > FILE_MAX {
        return Err(format!(
            "{name} is longer than {FILE_MAX} octets, so it is not one message: --jsonl takes many"
        ));
    }
    Ok(octets)
}

fn is_text(octets: &[u8]) -> bool {
    octets.iter().all(|&octet| octet.is_ascii_graphic() || octet.is_ascii_whitespace())
}

/// Reads the next line into `line`, without its end, and keeps no more than [`LINE_MAX`] octets of it. False at the end.
pub(crate) fn next_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<Line>> {
    line.clear();
    let (mut any, mut whole) = (false, true);
    loop {
        let chunk = match source.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            break;
        }
        any = true;
        let end = chunk.iter().position(|&octet| octet == b'\n');
        let (front, used) = match end {
            Some(at) => (&chunk[..at], at + 1),
            None => (chunk, chunk.len()),
        };
        let kept = front.len().min(LINE_MAX - line.len());
        line.extend_from_slice(&front[..kept]);
        whole &= kept == front.len();
        source.consume(used);
        if end.is_some() {
            break;
        }
    }
    Ok(any.then_some(if whole { Line::Whole } else { Line::CutOff }))
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Whole,
    /// It is longer than [`LINE_MAX`].
    CutOff,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &[u8], capacity: usize) -> Vec<(Vec<u8>, Line)> {
        let mut source = BufReader::with_capacity(capacity, text);
        let (mut line, mut lines) = (Vec::new(), Vec::new());
        while let Some(end) = next_line(&mut source, &mut line).unwrap() {
            lines.push((line.clone(), end));
        }
        lines
    }

    #[test]
    fn lines_are_the_same_wherever_the_buffer_ends() {
        for capacity in 1..9 {
            let lines: Vec<_> =
                lines_of(b"ab\n\ncdefg\nh", capacity).into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, [&b"ab"[..], b"", b"cdefg", b"h"]);
        }
        assert!(lines_of(b"", 4).is_empty());
        assert_eq!(lines_of(b"\n", 4).len(), 1);
    }

    #[test]
    fn a_line_is_kept_up_to_its_bound_and_the_next_is_not_lost() {
        let mut text = vec![b'0'; LINE_MAX];
        text.push(b'\n');
        text.extend(vec![b'1'; LINE_MAX + 1]);
        text.extend(b"\n22");
        let lines = lines_of(&text, 1 << 16);
        let ends: Vec<_> = lines.iter().map(|(line, end)| (line.len(), *end)).collect();
        assert_eq!(ends, [(LINE_MAX, Line::Whole), (LINE_MAX, Line::CutOff), (2, Line::Whole)]);
    }
}
