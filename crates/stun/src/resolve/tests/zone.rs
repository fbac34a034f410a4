//! A DNS in a text: the figures of the RFCs as they are, and a search through them.

use std::{
    collections::BTreeMap,
    format,
    net::{Ipv4Addr, Ipv6Addr},
    string::{String, ToString},
    vec::Vec,
};

use ginnel_core::{Instant, Seed, Transport, check::Checked};

use super::super::*;

/// Records by name and kind, each as the words behind its type.
#[derive(Clone, Debug, Default)]
pub(super) struct Zone(BTreeMap<(String, RecordKind), Vec<Vec<String>>>);

impl Zone {
    /// Reads lines of `name.` and `IN TYPE ...`.
    pub(super) fn new(text: &str) -> Self {
        let (mut zone, mut owner) = (Self::default(), String::new());
        for line in text.lines() {
            let words: Vec<String> =
                line.split_whitespace().map(|word| word.trim_matches('"').to_string()).collect();
            match &words[..] {
                [] => {}
                [name] => owner = name.trim_end_matches('.').to_string(),
                [_in, kind, rest @ ..] => {
                    let kind = [RecordKind::Naptr, RecordKind::Srv, RecordKind::A, RecordKind::Aaaa]
                        .into_iter()
                        .find(|known| known.to_string() == *kind)
                        .expect("a kind of records");
                    zone.0.entry((owner.clone(), kind)).or_default().push(rest.to_vec());
                }
            }
        }
        zone
    }

    pub(super) fn records(&self, name: &str, kind: RecordKind) -> Vec<Record<'_>> {
        let lines = self.0.get(&(name.to_string(), kind)).map_or(&[][..], Vec::as_slice);
        lines.iter().map(|words| record(kind, words)).collect()
    }
}

fn record(kind: RecordKind, words: &[String]) -> Record<'_> {
    let number = |i: usize| words[i].parse().unwrap();
    match kind {
        RecordKind::Naptr => Record::Naptr(Naptr {
            order: number(0),
            preference: number(1),
            flags: &words[2],
            services: &words[3],
            regexp: &words[4],
            replacement: &words[5],
        }),
        RecordKind::Srv => {
            Record::Srv(Srv { priority: number(0), weight: number(1), port: number(2), target: &words[3] })
        }
        RecordKind::A => Record::A(words[0].parse::<Ipv4Addr>().unwrap()),
        RecordKind::Aaaa => Record::Aaaa(words[0].parse::<Ipv6Addr>().unwrap()),
    }
}

/// What a search came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) candidates: Vec<Candidate>,
    pub(super) questions: Vec<String>,
    pub(super) failures: Vec<String>,
    pub(super) finished: Option<Finished>,
}

impl Outcome {
    /// As the tables of the RFCs have it.
    pub(super) fn table(&self) -> Vec<String> {
        self.candidates.iter().map(|c| format!("{} {}", c.transport, c.address)).collect()
    }
}

pub(super) const TLS_TCP_UDP: [Transport; 3] = [Transport::Tls, Transport::Tcp, Transport::Udp];

pub(super) fn config(transports: &[Transport]) -> ResolverConfig {
    ResolverConfig::default().with_transports(transports)
}

/// Asks the zone, whose answers all come at once.
pub(super) fn search(uri: &str, config: &ResolverConfig, zone: &Zone) -> Result<Outcome, ResolveError> {
    search_with(uri, config, zone, 7)
}

pub(super) fn search_with(
    uri: &str,
    config: &ResolverConfig,
    zone: &Zone,
    seed: u8,
) -> Result<Outcome, ResolveError> {
    let uri = Uri::parse(uri).expect("a URI");
    let resolver = Resolver::new(Instant::EPOCH, &uri, config, Seed::new([seed; 32]))?;
    let mut resolver = Checked::new(resolver);
    let mut outcome = Outcome::default();
    while let Some(event) = ginnel_core::Machine::poll_event(&mut resolver) {
        assert_eq!(outcome.finished, None, "{event:?} comes after the end");
        match event {
            Event::Question(question) => {
                outcome.questions.push(question.to_string());
                let records = zone.records(question.name.as_str(), question.kind);
                resolver.get_mut().answer(Instant::EPOCH, question.ticket, Ok(&records));
            }
            Event::Candidate(candidate) => outcome.candidates.push(candidate),
            Event::Failed(failure) => outcome.failures.push(failure.to_string()),
            Event::Finished(finished) => outcome.finished = Some(finished),
        }
    }
    assert!(resolver.get().is_closed());
    Ok(outcome)
}
