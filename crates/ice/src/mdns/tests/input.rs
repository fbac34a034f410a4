//! What comes in: messages, records, names; tables of hostile ones, and properties of the codec.

use proptest::prelude::*;

use super::*;

#[test]
fn rfc6762_section_6_a_response_from_another_port_is_ignored() {
    let mut host = Host::new(Config::default());
    host.resolve(NAME);
    let handled = host.deliver_on("224.0.0.251:5353", "192.0.2.7:53", &answer(NAME));
    assert_eq!((handled, host.events()), (Handled::Consumed, vec![]));
    assert_eq!(host.querier.get().stats().ignored, 1);
}

#[test]
fn rfc6762_sections_18_3_and_18_11_opcodes_and_rcodes_are_ignored() {
    let mut host = Host::new(Config::default());
    let id = host.resolve(NAME);
    for (at, bits) in [(2, 0x08), (2, 0x78), (3, 0x01), (3, 0x0f)] {
        let mut octets = answer(NAME);
        octets[at] |= bits;
        assert_eq!(host.deliver(&octets), Handled::Consumed);
    }
    assert_eq!((host.events(), host.querier.get().stats().ignored), (vec![], 4));
    // Sections 18.1 and 18.4 to 18.10: the ID, and all other flags, are ignored instead.
    let mut octets = answer(NAME);
    (octets[0], octets[1], octets[2], octets[3]) = (0xab, 0xcd, octets[2] ^ 0x07, 0xf0);
    host.hear(&octets);
    assert_eq!(host.events(), [resolved(id, NAME)]);
}

#[test]
fn queries_and_other_sockets_are_foreign_and_untouched() {
    let mut host = Host::new(Config::default());
    host.resolve(NAME);
    let query = host.io.sent[0].1.clone();
    assert_eq!(host.deliver(&query), Handled::Foreign);
    let handled = host.deliver_on("192.0.2.1:4000", "192.0.2.7:5353", &answer(NAME));
    assert_eq!((handled, host.events()), (Handled::Foreign, vec![]));
}

#[test]
fn addresses_that_no_candidate_can_have_are_ignored() {
    let mut host = Host::new(Config::default());
    let id = host.resolve(NAME);
    for bad in ["0.0.0.0", "255.255.255.255", "224.0.0.251", "::", "ff02::fb", "::ffff:0.0.0.0"] {
        host.hear(&response(&[(NAME, bad.parse().unwrap(), 120, true)]));
    }
    assert_eq!((host.events(), host.querier.get().stats().bad_addresses), (vec![], 6));
    // IPv4 in the clothes of IPv6 is IPv4.
    host.hear(&response(&[(NAME, "::ffff:192.0.2.7".parse().unwrap(), 120, true)]));
    assert_eq!(host.events(), [resolved(id, NAME)]);
}

#[test]
fn records_of_other_names_kinds_classes_and_lengths_are_passed_over() {
    let mut host = Host::new(Config::default());
    let id = host.resolve(NAME);
    host.hear(&answer(OTHER));
    let good = answer(NAME);
    let kind = good.len() - 14; // kind, class, TTL, length, four octets
    for (at, octet) in [(kind + 1, 16), (kind + 3, 3), (kind + 1, 28)] {
        let mut octets = good.clone();
        octets[at] = octet;
        host.hear(&octets);
    }
    assert_eq!((host.events(), host.querier.get().stats().responses), (vec![], 4));
    // In the additional section, and behind a record of another kind, it counts.
    let mut octets = response(&[(OTHER, PEER.into(), 120, true), (NAME, PEER.into(), 120, true)]);
    (octets[7], octets[11]) = (1, 1);
    host.hear(&octets);
    assert_eq!(host.events(), [resolved(id, NAME)]);
}

#[test]
fn names_in_answers_match_without_regard_to_case_and_through_pointers() {
    let mut host = Host::new(Config::default());
    let (a, b) = (host.resolve(NAME), host.resolve(OTHER));
    // The second name's `.local` is a pointer into the first.
    host.hear(&response(&[
        (&OTHER.to_uppercase(), PEER.into(), 120, false),
        (&NAME.to_uppercase(), PEER.into(), 120, false),
    ]));
    assert_eq!(host.events(), [resolved(a, NAME), resolved(b, OTHER)]);
}

/// Octets behind a header that counts them as this many questions and answers.
fn raw(questions: u16, answers: u16, body: &[u8]) -> Vec<u8> {
    let [q, a] = [questions, answers].map(u16::to_be_bytes);
    [&[0, 0, 0x84, 0, q[0], q[1], a[0], a[1], 0, 0, 0, 0], body].concat()
}

/// What it is, the octets, and where which fault is found in them.
type Row = (&'static str, Vec<u8>, Option<(usize, Fault)>);

#[test]
fn hostile_messages() {
    let tail = [0, 1, 0, 1];
    let chain: Vec<u8> = (0..40_u8).flat_map(|i| [0xc0, 12 + 2 * i.saturating_sub(1)]).collect();
    let long: Vec<u8> = (0..4).flat_map(|_| [&[63][..], &[b'a'; 63]].concat()).chain([0]).collect();
    let max: Vec<u8> = (0..3)
        .flat_map(|_| [&[63][..], &[b'a'; 63]].concat())
        .chain([61])
        .chain([b'a'; 61])
        .chain([0])
        .collect();
    let table: &[Row] = &[
        ("nothing", vec![], Some((0, Fault::Truncated))),
        ("half a header", vec![0; 11], Some((11, Fault::Truncated))),
        ("an empty message", raw(0, 0, &[]), None),
        ("counts without records", raw(0, 65_535, &[]), Some((12, Fault::Truncated))),
        ("a pointer to itself", raw(1, 0, &[&[0xc0, 12][..], &tail].concat()), Some((12, Fault::BadPointer))),
        ("a pointer ahead", raw(1, 0, &[&[0xc0, 14][..], &tail].concat()), Some((12, Fault::BadPointer))),
        ("a pointer beyond", raw(1, 0, &[&[0xff, 0xff][..], &tail].concat()), Some((12, Fault::BadPointer))),
        (
            "a pointer into the header",
            raw(1, 0, &[&[0xc0, 0][..], &tail].concat()),
            Some((12, Fault::BadPointer)),
        ),
        (
            "a loop of two",
            raw(1, 0, &[&[1, b'a', 0xc0, 12][..], &tail].concat()),
            Some((14, Fault::BadPointer)),
        ),
        ("half a pointer", raw(1, 0, &[0xc0]), Some((13, Fault::Truncated))),
        ("label kind 01", raw(1, 0, &[&[0x41][..], &tail].concat()), Some((12, Fault::BadLabel))),
        ("label kind 10", raw(1, 0, &[&[0x80][..], &tail].concat()), Some((12, Fault::BadLabel))),
        ("a label past the end", raw(1, 0, &[63, b'a']), Some((14, Fault::Truncated))),
        ("a name of 257", raw(1, 0, &[&long[..], &tail].concat()), Some((12 + 192, Fault::NameTooLong))),
        ("a name of 255", raw(1, 0, &[&max[..], &tail].concat()), None),
        ("a name without end", raw(1, 0, &[1, b'a']), Some((14, Fault::Truncated))),
        ("a chain of pointers", raw(40, 0, &chain), Some((12, Fault::BadPointer))),
        (
            "data past the end",
            raw(0, 1, &[0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3]),
            Some((26, Fault::Truncated)),
        ),
        ("octets behind the end", raw(0, 0, &[1, 2, 3]), None),
        ("too long", vec![0; MAX_MESSAGE + 1], Some((MAX_MESSAGE, Fault::TooLong))),
    ];
    let mut host = Host::new(Config::default());
    host.resolve(NAME);
    for (what, octets, fault) in table {
        let found = Message::parse(octets).err().map(|error| (error.offset(), error.fault()));
        assert_eq!(found, *fault, "{what}");
        assert_eq!(
            host.deliver(octets) == Handled::Consumed,
            fault.is_some() || octets[2] & 0x80 != 0,
            "{what}"
        );
    }
    let malformed = table.iter().filter(|row| row.2.is_some()).count() as u64;
    assert_eq!((host.events(), host.querier.get().stats().malformed), (vec![], malformed));
}

#[test]
fn a_name_may_go_through_sixteen_pointers_and_not_through_seventeen() {
    // A root label, then names that each point to the one before.
    let names = |n: usize| {
        let mut body = vec![0, 0, 1, 0, 1];
        for i in 0..n {
            let target = if i == 0 { 12 } else { 17 + 6 * (i - 1) };
            body.extend([0xc0, target as u8, 0, 1, 0, 1]);
        }
        raw(n as u16 + 1, 0, &body)
    };
    assert!(Message::parse(&names(16)).is_ok());
    assert_eq!(Message::parse(&names(17)).map_err(ParseError::fault).err(), Some(Fault::BadPointer));
}

#[test]
fn every_truncation_of_a_response_is_an_error() {
    let octets =
        response(&[(NAME, PEER.into(), 120, true), (OTHER, "2001:db8::1".parse().unwrap(), 120, true)]);
    for n in 0..octets.len() {
        assert!(Message::parse(&octets[..n]).is_err(), "{n}");
    }
    assert_eq!(Message::parse(&octets).unwrap().records().count(), 2);
}

// ---- names

#[test]
fn sec_48_hostile_names_are_refused_without_a_lookup() {
    let long = format!("{}.local", "a".repeat(250));
    let label = format!("{}.local", "a".repeat(64));
    let huge = "a".repeat(10_240);
    let table = [
        ("", NameError::NotLocal),
        ("local", NameError::NotLocal),
        ("example.org", NameError::NotLocal),
        ("192.0.2.1", NameError::NotLocal),
        ("notlocal", NameError::NotLocal),
        ("a.local.", NameError::NotLocal),
        ("é.locál", NameError::NotLocal),
        (huge.as_str(), NameError::TooLong),
        (long.as_str(), NameError::TooLong),
        (label.as_str(), NameError::LabelTooLong),
        (".local", NameError::EmptyLabel),
        ("..local", NameError::EmptyLabel),
        ("a..local", NameError::EmptyLabel),
        ("a.b.local", NameError::SeveralLabels),
        ("a b.local", NameError::BadOctet { offset: 1 }),
        ("é.local", NameError::BadOctet { offset: 0 }),
        ("a\0.local", NameError::BadOctet { offset: 1 }),
        ("printer.local", NameError::NotUuid),
        ("1f4712db-ea17-4bcf-a596-105139dfd8b.local", NameError::NotUuid),
        ("1f4712db-ea17-4bcf-a596-105139dfd8bg.local", NameError::NotUuid),
        ("1f4712db0ea17-4bcf-a596-105139dfd8bf.local", NameError::NotUuid),
    ];
    let mut host = Host::new(Config::default());
    for (name, error) in table {
        assert_eq!(host.querier.get_mut().resolve(host.now, name), Err(error), "{name}");
    }
    assert_eq!(host.settle(), None);
    assert!(host.io.requests.is_empty() && host.io.sent.is_empty() && host.events().is_empty());
}

#[test]
fn names_that_are_no_uuids_are_resolved_where_that_is_allowed() {
    let mut host = Host::new(Config::default().with_uuid_only(false));
    let id = host.resolve("printer.Local");
    host.hear(&answer("PRINTER.local"));
    assert_eq!(host.events(), [resolved(id, "printer.Local")]);
}

// ---- properties

fn label() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_-]{1,63}"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        questions in prop::collection::vec((label(), any::<bool>()), 0..4),
        records in prop::collection::vec((label(), any::<IpAddr>(), any::<u32>(), any::<bool>()), 0..4),
    ) {
        let mut buf = [0; 2048];
        let mut packet = Packet::empty(&mut buf);
        let mut writer = MessageWriter::response(&mut packet).unwrap();
        for (label, unicast) in &questions {
            let name = format!("{label}.local");
            writer.question(HostName::parse(&name).unwrap(), &[Kind::AAAA, Kind::ANY], *unicast).unwrap();
        }
        for (label, ip, ttl, flush) in &records {
            let name = format!("{label}.local");
            writer.address(HostName::parse(&name).unwrap(), *ip, *ttl, *flush).unwrap();
        }
        let message = Message::parse(packet.bytes()).unwrap();
        let read: Vec<_> = message.questions().collect();
        prop_assert_eq!(read.len(), 2 * questions.len());
        for (pair, (label, unicast)) in read.chunks(2).zip(&questions) {
            let name = format!("{label}.local");
            prop_assert!(pair.iter().all(|q| q.name.is(&name) && q.unicast == *unicast && q.class == 1));
            prop_assert_eq!((pair[0].kind, pair[1].kind), (Kind::AAAA, Kind::ANY));
            let longer = format!("{}.local", label.clone() + "x");
            prop_assert!(!pair[0].name.is(&longer) && !pair[0].name.is(label) && !pair[0].name.is("local"));
        }
        let read: Vec<_> = message.records().collect();
        prop_assert_eq!(read.len(), records.len());
        for (record, (label, ip, ttl, flush)) in read.iter().zip(&records) {
            let name = format!("{label}.LOCAL");
            prop_assert!(record.name.is(&name));
            prop_assert_eq!((record.address(), record.ttl, record.flush), (Some(*ip), *ttl, *flush));
        }
    }

    #[test]
    fn a_full_message_is_as_it_was(labels in prop::collection::vec(label(), 20..80)) {
        let mut buf = [0; 2048];
        let mut packet = Packet::empty(&mut buf);
        let mut writer = MessageWriter::query(&mut packet).unwrap();
        let mut written = 0;
        for label in &labels {
            let name = format!("{label}.local");
            if writer.question(HostName::parse(&name).unwrap(), &[Kind::A, Kind::AAAA], false).is_err() {
                break;
            }
            written += 1;
        }
        prop_assert!(packet.len() <= MAX_WRITTEN);
        prop_assert_eq!(Message::parse(packet.bytes()).unwrap().questions().count(), 2 * written);
    }

    #[test]
    fn anything_can_be_fuzzed(data in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz::run(&data);
    }

    #[test]
    fn a_damaged_response_does_no_harm(at in 0..100_usize, octet in any::<u8>()) {
        let mut octets = response(&[(NAME, PEER.into(), 120, true), (OTHER, PEER.into(), 120, true)]);
        let at = at % octets.len();
        octets[at] = octet;
        fuzz::run(&octets);
        let mut host = Host::new(Config::default());
        host.resolve(NAME);
        let _ = host.deliver(&octets);
        prop_assert!(host.events().len() <= 1);
    }
}
