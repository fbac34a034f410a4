//! `ginnel inspect stun`: one message explained, or a corpus turned into JSON line by line.

mod account;
mod key;
mod text;
mod value;

use std::io::{self, BufWriter, Write};

use clap::Args;
use ginnel::stun::{ParseError, ParseErrorReason};
use serde::Serialize;

use self::{account::Account, key::Keys};
use super::{
    hex::{self, HexError},
    input::{self, LINE_MAX, Line, Lines},
};

const EXAMPLES: &str = "\
Examples:
  ginnel inspect stun 000100002112a4427472616e73616374696f6e73
  ginnel inspect stun \"00:01:00:00 0x2112a442 7472616e73616374696f6e73\"
  ginnel inspect stun message.bin --password VOkJxbRl1RmTxUk/WvJxBt
  xxd -p message.bin | ginnel inspect stun - --json
  GINNEL_STUN_PASSWORD=secret ginnel inspect stun message.hex --user alice --realm example.org
  ginnel inspect stun --jsonl corpus.txt > corpus.jsonl

JSON (--json, and each line of --jsonl): an object with class (request, indication, success, error), method,
transaction_id, length, attributes (each with type, name, offset, length, value, hex, and where they apply comprehension,
error, ignored), fingerprint (ok, bad, absent) and integrity (ok, bad, absent, unchecked), and where there is one
integrity_by and integrity_key. What is not STUN is an object with error, offset, and unit: octet of the message, or
character of the text where that is not hexadecimal.

Exit status: 0; 1 if the message cannot be read; 2 if the options do not fit each other. With --jsonl 0, unless reading or
writing itself fails. Whoever closes the output early, as head does, has had enough: that is no failure.";

/// Which message, and how to look at it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The message in hexadecimal digits (spaces, newlines, colons, commas and 0x may stand between them), a file with the
    /// message itself or with such digits, or - for standard input (the default). Where a file has this name, it is the file
    #[arg(value_name = "HEX|FILE|-", num_args = 0..)]
    input: Vec<String>,
    /// Check the integrity with this password: of a short-term credential, or with --user and --realm of a long-term one
    /// (both MD5 and SHA-256 keys are tried, as the message has it). In the environment it is in no list of processes
    #[arg(long, env = "GINNEL_STUN_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// The user name of a long-term credential
    #[arg(long, requires = "realm", requires = "password")]
    user: Option<String>,
    /// The realm of a long-term credential
    #[arg(long, requires = "user", requires = "password")]
    realm: Option<String>,
    /// Read messages without the magic cookie too, as RFC 3489 had them
    #[arg(long)]
    rfc3489: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// Read one message in hexadecimal digits a line, and print one JSON object a line
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
}

/// What is printed for octets that are no message.
#[derive(Debug, Serialize)]
struct Refusal {
    error: String,
    offset: usize,
    unit: Unit,
}

/// What an offset counts.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Octet,
    Character,
}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        Self { error: error.reason().to_string(), offset: error.offset(), unit: Unit::Octet }
    }
}

impl From<HexError> for Refusal {
    fn from(error: HexError) -> Self {
        Self { error: error.to_string(), offset: error.offset, unit: Unit::Character }
    }
}

pub(super) fn run(options: Options) -> Result<(), String> {
    let long_term = options.user.as_deref().zip(options.realm.as_deref());
    let keys = Keys::new(options.password.as_deref(), long_term)
        .map_err(|error| format!("no key can be made of what was given: {error}"))?;
    if options.jsonl {
        let mut source = input::lines(&options.input)?;
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        return lines(&mut source, options.rfc3489, &keys, &mut out)
            .and_then(|()| out.flush())
            .or_else(unless_closed)
            .map_err(|error| format!("reading or writing lines failed: {error}"));
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let failed = |error| format!("writing failed: {error}");
    let octets = match input::one(&options.input) {
        Ok(octets) => octets,
        Err(error) => {
            if let (Some(hex), true) = (error.hex, options.json) {
                json(&Refusal::from(hex), &mut out)
                    .and_then(|()| out.flush())
                    .or_else(unless_closed)
                    .map_err(failed)?;
            }
            return Err(error.sentence);
        }
    };
    let account = Account::new(&octets, options.rfc3489, &keys);
    let written = match &account {
        Ok(account) if options.json => json(account, &mut out),
        Ok(account) => text::write(account, &keys, &mut out),
        Err(error) if options.json => json(&Refusal::from(*error), &mut out),
        Err(_) => Ok(()),
    };
    written.and_then(|()| out.flush()).or_else(unless_closed).map_err(failed)?;
    account
        .map(|_| ())
        .map_err(|error| format!("this is not a STUN message: {error}{}", hint(&octets, error)))
}

/// Whoever reads the output may stop before its end: that is no failure, and not worth a word.
fn unless_closed(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// What it may be instead, by its first octet (RFC 7983 section 7), or which option reads it.
fn hint(octets: &[u8], error: ParseError) -> &'static str {
    match octets {
        [] => "; there is not one octet",
        [0..=3, ..] if error.reason() == ParseErrorReason::NoMagicCookie => {
            "; if it is of RFC 3489, --rfc3489 reads it"
        }
        [20..=63, ..] => "; it begins like DTLS",
        [64..=79, ..] => "; it begins like ChannelData of TURN",
        [128..=191, ..] => "; it begins like RTP or RTCP",
        _ => "",
    }
}

/// A line in, a line out, whatever it holds; nothing is kept from one to the next but the room.
fn lines(source: &mut Lines, rfc3489: bool, keys: &Keys, out: &mut impl Write) -> io::Result<()> {
    let (mut line, mut octets) = (Vec::new(), Vec::new());
    loop {
        // Before it may have to wait for input, whoever waits for the output has it.
        if source.buffer().is_empty() {
            out.flush()?;
        }
        let Some(end) = input::next_line(source, &mut line)? else { return Ok(()) };
        if end == Line::CutOff {
            let error = format!("the line is longer than {LINE_MAX} characters");
            json_line(&Refusal { error, offset: LINE_MAX, unit: Unit::Character }, out)?;
        } else if let Err(error) = hex::decode(&line, &mut octets) {
            json_line(&Refusal::from(error), out)?;
        } else {
            match Account::new(&octets, rfc3489, keys) {
                Ok(account) => json_line(&account, out)?,
                Err(error) => json_line(&Refusal::from(error), out)?,
            }
        }
    }
}

fn json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    escaped(&serde_json::to_string_pretty(value)?, out)?;
    out.write_all(b"\n")
}

fn json_line(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    escaped(&serde_json::to_string(value)?, out)?;
    out.write_all(b"\n")
}

/// What JSON leaves as it is, and a terminal may obey: DEL, the controls above ASCII, and the marks that turn text round.
const fn is_obeyed(character: char) -> bool {
    matches!(character, '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes JSON with those escaped: they stand in strings alone, where an escape means the same.
fn escaped(json: &str, out: &mut impl Write) -> io::Result<()> {
    let mut rest = json;
    while let Some(at) = rest.find(is_obeyed) {
        let (front, behind) = rest.split_at(at);
        let mut characters = behind.chars();
        let number = characters.next().map_or(0, u32::from);
        write!(out, "{front}\\u{number:04x}")?;
        rest = characters.as_str();
    }
    out.write_all(rest.as_bytes())
}
