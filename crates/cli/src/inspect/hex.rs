//! Octets written as hexadecimal digits, as people and programs write them: `0001 0058`, `00:01`, `0x00, 0x01`, `\x00\x01`.

use std::fmt;

/// What is not hexadecimal, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HexError {
    /// Octets from the front of the text.
    pub(crate) offset: usize,
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in octets.
    pub(crate) column: usize,
    reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Character(u8),
    OddDigits,
}

/// Reads a text of hexadecimal digits into `octets`, which is emptied first. Digits stand in groups of pairs; between groups
/// may be spaces, newlines, colons, commas, hyphens and quotes, and in front of each `0x` or `\x`.
pub(crate) fn decode(text: &[u8], octets: &mut Vec<u8>) -> Result<(), HexError> {
    octets.clear();
    let mut high = None;
    let mut at = 0;
    while let Some(&character) = text.get(at) {
        let next = text.get(at + 1);
        if let Some(digit) = digit(character) {
            if high.is_none() && character == b'0' && matches!(next, Some(b'x' | b'X')) {
                at += 2;
                continue;
            }
            high = match high {
                None => Some(digit),
                Some(high) => {
                    octets.push(high << 4 | digit);
                    None
                }
            };
        } else if high.is_some() {
            // A separator in the middle of an octet: half of it is missing.
            let reason =
                if is_separator(character) { Reason::OddDigits } else { Reason::Character(character) };
            return Err(error(text, at, reason));
        } else if character == b'\\' && matches!(next, Some(b'x' | b'X')) {
            at += 2;
            continue;
        } else if !is_separator(character) {
            return Err(error(text, at, Reason::Character(character)));
        }
        at += 1;
    }
    match high {
        None => Ok(()),
        Some(_) => Err(error(text, text.len(), Reason::OddDigits)),
    }
}

const fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}

const fn is_separator(character: u8) -> bool {
    character.is_ascii_whitespace() || matches!(character, b':' | b',' | b'-' | b'"' | b'\'')
}

fn error(text: &[u8], offset: usize, reason: Reason) -> HexError {
    let before = &text[..offset];
    let line_start = before.iter().rposition(|&character| character == b'\n').map_or(0, |at| at + 1);
    let line = 1 + before.iter().filter(|&&character| character == b'\n').count();
    HexError { offset, line, column: 1 + offset - line_start, reason }
}

/// What is wrong, without the place.
impl fmt::Display for HexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::Character(character) => {
                write!(f, "'{}' is not a hexadecimal digit", character.escape_ascii())
            }
            Reason::OddDigits => f.write_str("half an octet: hexadecimal digits come in pairs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<u8>, HexError> {
        let mut octets = vec![9];
        decode(text.as_bytes(), &mut octets).map(|()| octets)
    }

    #[test]
    fn what_people_write_is_read() {
        for text in [
            "00010aff",
            "00 01 0A fF",
            "00:01:0a:ff",
            "0x00, 0x01, 0x0a, 0xff",
            "0x00010aff",
            "\\x00\\x01\\x0a\\xff",
            " 0001\r\n\t0aff\n",
            "\"00-01-0a-ff\"",
            "0x0001 0x0aff",
        ] {
            assert_eq!(read(text), Ok(vec![0, 1, 10, 255]), "{text}");
        }
        assert_eq!(read(""), Ok(vec![]));
    }

    #[test]
    fn what_is_not_hexadecimal_has_its_place() {
        for (text, offset, line, column, reason) in [
            ("0g", 1, 1, 2, Reason::Character(b'g')),
            ("00 01\n0a zz", 9, 2, 4, Reason::Character(b'z')),
            ("000", 3, 1, 4, Reason::OddDigits),
            ("0 00", 1, 1, 2, Reason::OddDigits),
            ("00\n0", 4, 2, 2, Reason::OddDigits),
            ("0x0 0x1", 3, 1, 4, Reason::OddDigits),
            ("\\n", 0, 1, 1, Reason::Character(b'\\')),
        ] {
            assert_eq!(read(text), Err(HexError { offset, line, column, reason }), "{text}");
        }
    }
}
