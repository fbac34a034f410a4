//! Runs `ginnel inspect stun` as people and programs do: digits, files and standard input in, text and JSON out.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

/// RFC 5769 sections 2.1 to 2.4, and RFC 8489 appendix B.1 with its erratum.
const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff\
    80290008932ff9b151263b36000600096576746a3a6836765920202000080014\
    9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
const RESPONSE_IPV4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147\
    e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
const RESPONSE_IPV6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147\
    0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";
const REQUEST_LONG_TERM: &str = "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b9\
    00000015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341\
    0014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666";
const REQUEST_SHA256: &str = "000100882112a44278ad3433c6ad72c029da412e001e00204a3cf38fef6992bda952c6780417da0f\
    24819415569e60b205c46e41407f1704001500296f624d61744a6f7332414141\
    43662f2f3439396b39353464364f4c33346f4c394653547679363473410000000014000b6578616d706c652e6f726700001c0020\
    234112fbd4e27f983eb4032836f998216f5b23f8d927753fbc4f882bfbdf0dec";
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
const MATRIX: &str = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";

/// The program with nothing of ours in its environment.
fn ginnel(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ginnel"));
    command.args(["inspect", "stun"]).args(args).env_remove("GINNEL_STUN_PASSWORD").stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    ginnel(args).output().expect("the program runs")
}

/// With this on standard input.
fn run_with(args: &[&str], input: &[u8]) -> Output {
    let mut child = ginnel(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // Beside the reading: what the program writes must not wait for what it has still to read.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends").expect("the program reads all");
    output
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}
fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}
fn object(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(&run(&[args, &["--json"]].concat()))).expect("JSON")
}

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A file of this run's own.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).expect("a file");
    path
}

/// A Binding request with these attributes, in hexadecimal digits.
fn message(attributes: &[(u16, &str)]) -> String {
    let mut body = String::new();
    for (kind, value) in attributes {
        let length = value.len() / 2;
        write!(body, "{kind:04x}{length:04x}{value}{}", "00".repeat(length.next_multiple_of(4) - length))
            .unwrap();
    }
    format!("0001{:04x}2112a4427472616e73616374696f6e73{body}", body.len() / 2)
}

#[test]
fn rfc5769_2_1_as_text() {
    let expected = "\
Binding request, 108 octets
transaction id  b7e7a701bc34d686fa87dfae
fingerprint     ok
integrity       ok: MESSAGE-INTEGRITY, key short-term

offset    type  length  name               value
    20  0x8022      16  SOFTWARE           \"STUN test client\"
    40  0x0024       4  PRIORITY           1845494271 (type preference 110, local preference 1, component 1)
    48  0x8029       8  ICE-CONTROLLED     0x932ff9b151263b36
    60  0x0006       9  USERNAME           \"evtj:h6vY\"
    76  0x0008      20  MESSAGE-INTEGRITY  9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
   100  0x8028       4  FINGERPRINT        0xe57a3bcf
";
    assert_eq!(stdout(&run(&[REQUEST, "--password", PASSWORD])), expected);
}

#[test]
fn rfc5769_2_2_as_json() {
    let expected = json!({
        "class": "success",
        "method": "Binding",
        "transaction_id": "b7e7a701bc34d686fa87dfae",
        "length": 80,
        "attributes": [
            { "type": 0x8022, "name": "SOFTWARE", "offset": 20, "length": 11, "value": "test vector",
              "hex": "7465737420766563746f72" },
            { "type": 0x0020, "name": "XOR-MAPPED-ADDRESS", "offset": 36, "length": 8, "value": "192.0.2.1:32853",
              "hex": "0001a147e112a643" },
            { "type": 0x0008, "name": "MESSAGE-INTEGRITY", "offset": 48, "length": 20,
              "value": "2b91f599fd9e90c38c7489f92af9ba53f06be7d7",
              "hex": "2b91f599fd9e90c38c7489f92af9ba53f06be7d7" },
            { "type": 0x8028, "name": "FINGERPRINT", "offset": 72, "length": 4, "value": "0xc07d4c96",
              "hex": "c07d4c96" },
        ],
        "fingerprint": "ok",
        "integrity": "ok",
        "integrity_by": "MESSAGE-INTEGRITY",
        "integrity_key": "short-term",
    });
    assert_eq!(object(&[RESPONSE_IPV4, "--password", PASSWORD]), expected);
}

#[test]
fn rfc5769_2_3_has_an_ipv6_address() {
    let object = object(&[RESPONSE_IPV6, "--password", PASSWORD]);
    assert_eq!(object["attributes"][1]["value"], "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
    assert_eq!((&object["fingerprint"], &object["integrity"]), (&json!("ok"), &json!("ok")));
}

#[test]
fn rfc5769_2_4_is_made_with_a_long_term_credential() {
    let credential = ["--user", MATRIX, "--realm", "example.org", "--password", "TheMatrIX"];
    let found = object(&[&[REQUEST_LONG_TERM], &credential[..]].concat());
    assert_eq!((&found["integrity"], &found["integrity_key"]), (&json!("ok"), &json!("long-term, MD5")));
    assert_eq!(found["attributes"][0]["value"], MATRIX);
    assert_eq!(found["fingerprint"], "absent");
    let other = ["--user", "trinity", "--realm", "example.org", "--password", "TheMatrIX"];
    assert_eq!(object(&[&[REQUEST_LONG_TERM], &other[..]].concat())["integrity"], "bad");
}

#[test]
fn rfc8489_b_1_is_made_with_a_long_term_credential_of_sha256() {
    let credential = ["--user", MATRIX, "--realm", "example.org", "--password", "TheMatrIX"];
    let found = object(&[&[REQUEST_SHA256], &credential[..]].concat());
    assert_eq!((&found["integrity"], &found["integrity_key"]), (&json!("ok"), &json!("long-term, SHA-256")));
    assert_eq!(found["integrity_by"], "MESSAGE-INTEGRITY-SHA256");
}

#[test]
fn integrity_and_fingerprint_have_four_and_three_states() {
    let tampered = REQUEST.replace("6576746a", "6576746b");
    let bare = message(&[]);
    for (message, password, integrity, fingerprint) in [
        (REQUEST, None, "unchecked", "ok"),
        (REQUEST, Some(PASSWORD), "ok", "ok"),
        (REQUEST, Some("another"), "bad", "ok"),
        (&tampered, Some(PASSWORD), "bad", "bad"),
        (&bare, Some(PASSWORD), "absent", "absent"),
        (&bare, None, "absent", "absent"),
    ] {
        let mut args = vec![message];
        args.extend(password.iter().flat_map(|password| ["--password", password]));
        let object = object(&args);
        assert_eq!((&object["integrity"], &object["fingerprint"]), (&json!(integrity), &json!(fingerprint)));
    }
}

#[test]
fn a_password_may_come_by_the_environment() {
    let output = ginnel(&[REQUEST]).env("GINNEL_STUN_PASSWORD", PASSWORD).output().unwrap();
    assert!(stdout(&output).contains("integrity       ok"));
    let help = ginnel(&["--help"]).env("GINNEL_STUN_PASSWORD", "opensesame").output().unwrap();
    let help = stdout(&help);
    assert!(help.contains("GINNEL_STUN_PASSWORD") && help.contains("Examples:"));
    assert!(!help.contains("opensesame"), "the help shows no password");
}

#[test]
fn attributes_are_named_decoded_and_judged() {
    let text = stdout(&run(&[&message(&[
        (0x0009, "0000040155"),
        (0x000a, "7f01800a"),
        (0x0020, ""),
        (0x7f01, "0a0b0c"),
        (0xff00, ""),
        (0x0019, "11000000"),
        (0x0015, "6f624d61744a6f73326741414131"),
        (0x0014, "1b5b324a"),
        (0x8002, "0001000000020000"),
        (0x0013, &"ab".repeat(60)),
    ])]));
    let rows: Vec<&str> = text.lines().skip(6).collect();
    for (row, expected) in rows.iter().zip([
        "ERROR-CODE           code 401, reason \"U\"",
        "UNKNOWN-ATTRIBUTES   0x7f01; 0x800a",
        "XOR-MAPPED-ADDRESS   malformed: its length is wrong; octets: empty",
        "unknown, required    0a0b0c",
        "unknown, optional    empty",
        "REQUESTED-TRANSPORT  17 (UDP)",
        "NONCE                \"obMatJos2gAAA1\" (security features: password algorithms)",
        "REALM                \"\\u{1b}[2J\"",
        "PASSWORD-ALGORITHMS  algorithm 1 (MD5), parameters empty; algorithm 2 (SHA-256), parameters empty",
        &format!("DATA                 {}... (60 octets)", "ab".repeat(48)),
    ]) {
        assert!(row.ends_with(expected), "{row}\n{expected}");
    }
    assert_eq!(rows.len(), 10);
}

#[test]
fn unknown_and_malformed_attributes_are_told_apart_in_json() {
    let object = object(&[&message(&[(0x7f01, "0a0b0c"), (0xff00, ""), (0x0024, "00")])]);
    assert_eq!(
        object["attributes"],
        json!([
            { "type": 0x7f01, "name": null, "offset": 20, "length": 3, "value": null, "hex": "0a0b0c",
              "comprehension": "required" },
            { "type": 0xff00, "name": null, "offset": 28, "length": 0, "value": null, "hex": "",
              "comprehension": "optional" },
            { "type": 0x0024, "name": "PRIORITY", "offset": 32, "length": 1, "value": null, "hex": "00",
              "error": "its length is wrong" },
        ])
    );
}

#[test]
fn what_stands_behind_integrity_is_shown_as_ignored() {
    let integrity = "00".repeat(20);
    let digits = message(&[(0x0006, "61"), (0x0008, &integrity), (0x0006, "62"), (0x0024, "6e0001ff")]);
    let found = object(&[&digits]);
    let ignored: Vec<_> =
        found["attributes"].as_array().unwrap().iter().map(|a| a["ignored"].clone()).collect();
    assert_eq!(ignored, [Value::Null, Value::Null, json!(true), json!(true)]);
    let text = stdout(&run(&[&digits]));
    assert_eq!(text.matches("(ignored: it stands behind message integrity)").count(), 2);
}

#[test]
fn digits_may_be_written_in_many_ways() {
    let plain = object(&[REQUEST]);
    let pairs: Vec<String> = octets(REQUEST).iter().map(|octet| format!("{octet:02X}")).collect();
    for written in [pairs.join(" "), pairs.join(":"), format!("0x{}", pairs.join(", 0x")), pairs.join("\n")] {
        assert_eq!(object(&[&written]), plain);
    }
    // Words of the command line are one message.
    let words: Vec<&str> = pairs.iter().map(String::as_str).collect();
    assert_eq!(object(&words), plain);
}

#[test]
fn messages_come_from_files_and_from_standard_input() {
    let plain = stdout(&run(&[REQUEST]));
    let binary = file("inspect-request.bin", &octets(REQUEST));
    let text = file("inspect-request.hex", format!("{REQUEST}\n").as_bytes());
    for path in [&binary, &text] {
        assert_eq!(stdout(&run(&[path.to_str().unwrap()])), plain);
    }
    for input in [octets(REQUEST), REQUEST.as_bytes().to_vec()] {
        assert_eq!(stdout(&run_with(&["-"], &input)), plain);
        assert_eq!(stdout(&run_with(&[], &input)), plain);
    }
    let wrong = file("inspect-wrong.hex", b"0001\n00xx\n");
    let output = run(&[wrong.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).ends_with("line 2, column 3: 'x' is not a hexadecimal digit\n"));
}

#[test]
fn what_is_no_message_says_why_and_where() {
    let cookie = "0001000021120000";
    for (input, sentence) in [
        ("0001", "this is not a STUN message: shorter than the header (at octet 2)"),
        ("160301", "this is not a STUN message: shorter than the header (at octet 3); it begins like DTLS"),
        (
            &REQUEST.replacen("00", "80", 1),
            "this is not a STUN message: the first two bits are not zero (at octet 0); it begins like RTP or RTCP",
        ),
        (
            &format!("{cookie}{}", "00".repeat(12)),
            "this is not a STUN message: no magic cookie (at octet 4); if it is of RFC 3489, --rfc3489 reads it",
        ),
        (
            &REQUEST.replacen("0058", "0059", 1),
            "this is not a STUN message: the message length is no multiple of four (at octet 2)",
        ),
        (
            &REQUEST.replacen("0058", "005c", 1),
            "this is not a STUN message: the message length is not that of the datagram (at octet 2)",
        ),
        (
            &message(&[(0x0006, "61")]).replace("00060001", "00060005"),
            "this is not a STUN message: an attribute ends beyond the message (at octet 20)",
        ),
        (
            &message(&[(0x8028, "00000000"), (0x0006, "61")]),
            "this is not a STUN message: an attribute after FINGERPRINT (at octet 28)",
        ),
        ("00g1", "neither a file nor hexadecimal digits: 'g' is not a hexadecimal digit (character 3 of 4)"),
        (
            "001",
            "neither a file nor hexadecimal digits: half an octet: hexadecimal digits come in pairs (character 3 of 3)",
        ),
        (
            "nowhere.bin",
            "neither a file nor hexadecimal digits: 'n' is not a hexadecimal digit (character 1 of 11)",
        ),
    ] {
        let output = run(&[input]);
        assert_eq!(output.status.code(), Some(1), "{input}");
        assert_eq!(stderr(&output), format!("ginnel: {sentence}\n"));
        assert!(output.stdout.is_empty());
    }
    // As JSON the same is an object too.
    let output = run(&["0001", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object, json!({ "error": "shorter than the header", "offset": 2, "unit": "octet" }));
    let object: Value = serde_json::from_slice(&run(&["00g1", "--json"]).stdout).unwrap();
    assert_eq!(
        object,
        json!({ "error": "'g' is not a hexadecimal digit", "offset": 2, "unit": "character" })
    );
}

#[test]
fn rfc3489_messages_are_read_only_where_asked_to() {
    let old = "0001000000112233445566778899aabbccddeeff";
    assert_eq!(run(&[old]).status.code(), Some(1));
    assert_eq!(object(&[old, "--rfc3489"])["transaction_id"], "00112233445566778899aabbccddeeff");
}

#[test]
fn credentials_that_cannot_be_are_refused() {
    assert_eq!(
        run(&[REQUEST, "--user", "alice", "--password", "x"]).status.code(),
        Some(2),
        "the realm is missing"
    );
    assert_eq!(run(&[REQUEST, "--user", "alice", "--realm", "x"]).status.code(), Some(2), "the password is");
    let output = run(&[REQUEST, "--password", "b\u{fc}cher"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("ginnel: no key can be made of what was given: "));
}

#[test]
fn a_thousand_lines_give_a_thousand_objects_whatever_they_hold() {
    let mut input = Vec::new();
    for i in 0..1000 {
        match i % 5 {
            0 => input.extend(REQUEST.bytes()),
            1 => input.extend(b"00 01 zz"),
            2 => {}
            3 => input.extend([0xff, 0xfe, 0]),
            _ => input.extend(message(&[(0x0024, &format!("{i:08x}"))]).bytes()),
        }
        input.extend(if i % 2 == 0 { &b"\n"[..] } else { b"\r\n" });
    }
    let text = stdout(&run_with(&["--jsonl", "--password", PASSWORD], &input));
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(objects.len(), 1000);
    for (i, object) in objects.iter().enumerate() {
        match i % 5 {
            0 => assert_eq!((&object["integrity"], &object["length"]), (&json!("ok"), &json!(108))),
            1 => assert_eq!(
                *object,
                json!({ "error": "'z' is not a hexadecimal digit", "offset": 6, "unit": "character" })
            ),
            2 => assert_eq!(
                *object,
                json!({ "error": "shorter than the header", "offset": 0, "unit": "octet" })
            ),
            3 => assert_eq!(
                *object,
                json!({ "error": "'\\xff' is not a hexadecimal digit", "offset": 0, "unit": "character" })
            ),
            _ => assert_eq!(object["attributes"][0]["value"], i),
        }
    }
    // From a file it is the same.
    let path = file("inspect-lines.txt", &input);
    assert_eq!(stdout(&run(&["--jsonl", path.to_str().unwrap(), "--password", PASSWORD])), text);
}

#[test]
fn a_line_that_is_too_long_is_an_error_and_the_next_is_read() {
    let mut input = vec![b'0'; (1 << 20) + 1];
    input.push(b'\n');
    input.extend(REQUEST.bytes());
    let text = stdout(&run_with(&["--jsonl"], &input));
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let error = "the line is longer than 1048576 characters";
    assert_eq!(objects[0], json!({ "error": error, "offset": 1_048_576, "unit": "character" }));
    assert_eq!((objects.len(), &objects[1]["method"]), (2, &json!("Binding")));
}

#[test]
fn a_file_that_is_not_there_is_a_failure_of_jsonl() {
    let output = run(&["--jsonl", "nowhere.txt"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("ginnel: nowhere.txt cannot be opened: "));
}

#[test]
fn nothing_that_a_terminal_obeys_is_printed() {
    let hex = message(&[(0x8022, "1b5b324ac29b324ae280aee281a77f0a22")]);
    let text = stdout(&run(&[&hex]));
    assert!(text.contains(r#""\u{1b}[2J\u{9b}2J\u{202e}\u{2067}\u{7f}\n\"""#), "{text}");
    for (args, input) in [(&["--json", &hex][..], ""), (&["--jsonl"], &hex)] {
        let text = stdout(&run_with(args, input.as_bytes()));
        assert!(text.contains(r#""\u001b[2J\u009b2J\u202e\u2067\u007f\n\"""#), "{text}");
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(object["attributes"][0]["value"], "\u{1b}[2J\u{9b}2J\u{202e}\u{2067}\u{7f}\n\"");
    }
}

#[test]
fn who_closes_the_output_hears_no_complaint() {
    for args in [&["--jsonl"][..], &["--json"], &[]] {
        let mut child = ginnel(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // Closed before there is anything to print: it waits for its input.
        drop(child.stdout.take());
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(format!("{REQUEST}\n").as_bytes()).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((stderr(&output), output.status.code()), (String::new(), Some(0)), "{args:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_with_a_name_is_read_like_a_file() {
    let output = run_with(&["/dev/stdin"], REQUEST.as_bytes());
    assert!(stdout(&output).starts_with("Binding request, 108 octets\n"));
}

#[test]
fn what_has_the_name_of_a_file_is_the_file() {
    let path = file("00010000", REQUEST.as_bytes());
    let output = ginnel(&["00010000"]).current_dir(path.parent().unwrap()).output().unwrap();
    assert!(stdout(&output).starts_with("Binding request, 108 octets\n"));
}

#[test]
fn a_person_is_told_what_it_may_be_instead() {
    for (hex, hint) in [
        ("", "there is not one octet"),
        ("4000000412345678", "it begins like ChannelData of TURN"),
        ("80600001000000010000000211223344", "it begins like RTP or RTCP"),
        ("16fefd0000000000000000003601000000", "it begins like DTLS"),
        ("0101000000112233445566778899aabbccddeeff", "if it is of RFC 3489, --rfc3489 reads it"),
    ] {
        let output = run(&[hex]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).ends_with(&format!("; {hint}\n")), "{}", stderr(&output));
    }
    for (args, hint) in [
        (&[REQUEST_LONG_TERM][..], "(give --user, --realm and --password to check it)"),
        (&[REQUEST_LONG_TERM, "--password", "x"], "(there is a REALM: --user and --realm may be missing)"),
        (&[REQUEST], "(give --password to check it)"),
    ] {
        assert!(stdout(&run(args)).contains(hint), "{hint}");
    }
    let bad = stdout(&run(&[REQUEST_LONG_TERM, "--user", "u", "--realm", "r", "--password", "x"]));
    assert!(bad.contains("bad: MESSAGE-INTEGRITY\n"), "{bad}");
}
