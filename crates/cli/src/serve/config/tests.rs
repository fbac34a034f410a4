//! Precedence, mistakes and their places, and what is printed.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Command, FromArgMatches as _};

use super::{
    keys::{Absent, KEYS, Kind},
    *,
};
use crate::serve::options::Options;

/// What these flags, variables and this file say together.
fn sources(flags: &[&str], variables: &[(&str, &str)], file: &str) -> Sources {
    let command = <Options as clap::Args>::augment_args(Command::new("serve").no_binary_name(true));
    let options = Options::from_arg_matches(&command.try_get_matches_from(flags).unwrap()).unwrap();
    let variable =
        |name: &str| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_string());
    let mut sources = options.sources(variable).unwrap();
    sources.file = Some(Source { path: PathBuf::from("ginnel.toml"), text: file.to_string().into() });
    sources
}

/// The file, and a user so that somebody could relay.
fn file(text: &str) -> Result<Settings, String> {
    sources(&["--user", "u:p"], &[], text).resolve().map_err(|mistakes| mistakes.to_string())
}

fn mistakes(text: &str) -> String {
    file(text).unwrap_err()
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_user_alone_is_a_configuration() {
    let settings = sources(&["--user", "alice:open:sesame"], &[], "").resolve().unwrap();
    assert_eq!((settings.users.len(), settings.users[0].name.as_str()), (1, "alice"));
    assert_eq!(*settings.users[0].password.0, "open:sesame", "the first colon divides");
    assert!(settings.listen.is_empty() && settings.relays.is_empty() && settings.identity.is_none());
    assert_eq!((settings.realm.as_str(), settings.ports), ("ginnel", 49_152..=65_535));
    assert!(settings.mobility && settings.tcp_relay && !settings.stun_only && !settings.log_personal);
    assert_eq!(
        (settings.max_lifetime, settings.drain_time),
        (Duration::from_secs(3_600), Duration::from_secs(60))
    );
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let text = "realm = 'file'\nports = '1000-1999'\nmax-streams = 7\nuser = ['file:p']\n";
    let variables = [("GINNEL_REALM", "environment"), ("GINNEL_PORTS", "2000-2999")];
    let settings = sources(&["--realm", "flag"], &variables, text).resolve().unwrap();
    assert_eq!((settings.realm.as_str(), settings.ports, settings.max_streams), ("flag", 2000..=2999, 7));
}

#[test]
fn a_list_replaces_the_one_below_it() {
    let text = "listen = ['192.0.2.1:1', '192.0.2.1:2']\n";
    let variables = [("GINNEL_LISTEN", "192.0.2.2:1 192.0.2.2:2"), ("GINNEL_USER", "a:b")];
    let of = |flags: &[&str], variables: &[(&str, &str)]| {
        sources(flags, variables, text).resolve().unwrap().listen
    };
    assert_eq!(of(&["--user", "a:b"], &[]), addresses(&["192.0.2.1:1", "192.0.2.1:2"]));
    assert_eq!(of(&[], &variables), addresses(&["192.0.2.2:1", "192.0.2.2:2"]));
    let flags = ["--listen", "192.0.2.3:1", "--listen", "192.0.2.3:2"];
    assert_eq!(of(&flags, &variables), addresses(&["192.0.2.3:1", "192.0.2.3:2"]));
}

#[test]
fn an_empty_variable_is_none() {
    let variables = [("GINNEL_SECRET", ""), ("GINNEL_REALM", "  "), ("GINNEL_USER", "a:b")];
    let settings = sources(&[], &variables, "").resolve().unwrap();
    assert_eq!((settings.realm.as_str(), settings.secrets.len()), ("ginnel", 0));
}

#[test]
fn switches_stand_alone_as_flags() {
    assert!(sources(&["--stun-only"], &[], "").resolve().unwrap().stun_only);
    let settings = sources(&["--mobility=false", "--user", "a:b"], &[("GINNEL_TCP_RELAY", "false")], "");
    let settings = settings.resolve().unwrap();
    assert!(!settings.mobility && !settings.tcp_relay);
}

#[test]
fn ports_that_are_left_out_are_the_usual_ones() {
    let text = "listen = ['192.0.2.1', '2001:db8::1', '[2001:db8::2]']\ntls-listen = ['192.0.2.1']\n\
                cert = 'c'\nkey = 'k'\nalternate-server = ['198.51.100.9']\n";
    let settings = file(text).unwrap();
    assert_eq!(settings.listen, addresses(&["192.0.2.1:3478", "[2001:db8::1]:3478", "[2001:db8::2]:3478"]));
    assert_eq!(settings.tls_listen, addresses(&["192.0.2.1:5349"]));
    assert_eq!(settings.alternates, addresses(&["198.51.100.9:3478"]));
}

#[test]
fn times_rates_and_limits_have_units() {
    let text = "max-lifetime = '2h'\nstream-idle = 90\ndrain-time = '1d'\nbandwidth = '2M'\n\
                bandwidth-per-user = 'none'\nmax-allocations = 1000\nmax-allocations-per-user = '10'\n";
    let settings = file(text).unwrap();
    let seconds = [settings.max_lifetime, settings.stream_idle, settings.drain_time].map(|it| it.as_secs());
    assert_eq!(seconds, [7_200, 90, 86_400]);
    assert_eq!((settings.bandwidth, settings.bandwidth_per_user), (Some(2_000_000), None));
    assert_eq!((settings.max_allocations, settings.max_allocations_per_user), (Some(1_000), Some(10)));
}

/// One user is not to have all ports, unless that is meant.
#[test]
fn one_user_has_a_part_of_the_ports_unless_more_is_said() {
    let most = |text: &str| file(text).unwrap().max_allocations_per_user;
    assert_eq!(most(""), Some(4_096), "a quarter of 16,384");
    assert_eq!(most("ports = '1024-65535'"), Some(16_128));
    assert_eq!(most("ports = '20000-20009'"), Some(100));
    assert_eq!(most("max-allocations-per-user = 'none'"), None);
    assert_eq!(most("max-allocations-per-user = 20000"), Some(20_000));
}

/// Each shard has a part of the ports, and refuses clients when that is taken.
#[test]
fn shards_are_as_many_as_the_ports_are_enough_for() {
    let count = |text: &str, cores| file(text).unwrap().shard_count(cores);
    assert_eq!((count("", 1), count("", 16), count("", 200)), (1, 16, 64));
    assert_eq!((count("ports = '1024-65535'", 200), count("ports = '20000-20255'", 8)), (128, 1));
    assert_eq!((count("ports = '20000-20511'", 8), count("ports = '20000-20000'", 8)), (2, 1));
    // Who says how many has them, if each has a pair.
    assert_eq!(count("ports = '20000-20009'\nshards = 5", 1), 5);
    assert_eq!(count("ports = '20001-20001'\nshards = 1", 1), 1);
    for text in ["ports = '20000-20009'\nshards = 6", "ports = '20001-20010'\nshards = 5"] {
        let said = mistakes(text);
        assert!(said.starts_with("ginnel.toml:2:10") && said.contains("more --ports"), "{said}");
    }
    let stun = sources(&["--stun-only", "--ports", "1-2", "--shards", "9"], &[], "").resolve().unwrap();
    assert_eq!(stun.shard_count(1), 9, "nothing is relayed");
}

/// Each mistake alone: where it is found, and what is said of it.
#[test]
fn every_mistake_says_where_it_is_and_what_to_do() {
    let cases = [
        ("lissten = ['192.0.2.1']", "1:1", "did you mean `listen`?"),
        ("[server]\nlisten = []", "1:2", "no sections"),
        ("quux = 1", "1:1", "--help"),
        ("\n  deny-peer = ['10.0.0.0/8', '10.0.0.0/40']", "2:30", "0 to 32"),
        ("listen = ['example.org']", "1:11", "names are not looked up"),
        ("listen = [3478]", "1:11", "list of strings"),
        ("listen = '224.0.0.1'", "1:10", "multicast"),
        ("realm = true", "1:9", "a string or a number"),
        ("realm = ''", "1:9", "such as example.org"),
        ("mobility = 'yes'", "1:12", "without quotes"),
        ("ports = '2000-1000'", "1:9", "write 1000-2000"),
        ("ports = '0-1000'", "1:9", "1 to 65535"),
        ("bandwidth = '1k'", "1:13", "less than one packet"),
        ("bandwidth = '8Mbit'", "1:13", "octets a second"),
        ("max-lifetime = '1m'", "1:16", "at least 10m"),
        ("max-lifetime = 'soon'", "1:16", "30s, 10m, 2h or 1d"),
        ("max-allocations = 0", "1:19", "from 1"),
        ("secret-separator = '::'", "1:20", "one character"),
        ("shards = 1000", "1:10", "more than 128"),
        ("log = 'info,a=b=c'", "1:7", "no filter"),
        ("log-format = 'xml'", "1:14", "neither text nor json"),
        ("cert = 'chain.pem'", "1:8", "--key FILE"),
        ("key = 'key.pem'", "1:7", "--cert FILE"),
        ("tls-listen = ['192.0.2.1']", "1:15", "--cert FILE and --key FILE"),
        ("dtls-listen = '192.0.2.1'", "1:15", "--cert FILE and --key FILE"),
        ("listen = ['192.0.2.1', '192.0.2.1:3478']", "1:24", "192.0.2.1:3478 is there already"),
        ("listen = '192.0.2.1'\nmetrics = '192.0.2.1:3478'", "2:11", "over TCP"),
        ("relay-address = ['192.0.2.1', '192.0.2.2']", "1:31", "one of each"),
        ("relay-address = '0.0.0.0'", "1:17", "no address of a host"),
        (
            "relay-address = '192.0.2.1'\nexternal-address = '203.0.113.1/192.0.2.2'",
            "2:20",
            "--relay-address 192.0.2.2",
        ),
        ("external-address = ['203.0.113.1', '203.0.113.2']", "1:36", "203.0.113.2/PRIVATE"),
        ("external-address = '203.0.113.1/::1'", "1:20", "not of one family"),
        ("listen = '192.0.2.1'\nalternate-server = '192.0.2.1'", "2:20", "in a circle"),
        ("alternate-server = ['192.0.2.1', '192.0.2.2']", "1:34", "one of each"),
        ("alternate-server = '0.0.0.0'", "1:20", "nobody can be sent"),
        ("stun-only = true", "", "leave out --user"),
        (
            "secret = ['1','2','3','4','5','6','7','8','9','10','11','12','13','14','15','16','17']",
            "1:82",
            "16 secrets",
        ),
        ("realm = 'a'\nrealm = 'b'", "2:1", "no TOML"),
        ("realm = 'a", "1:", "no TOML"),
    ];
    for (text, at, told) in cases {
        let said = mistakes(text);
        let place = if at.is_empty() { String::new() } else { format!("ginnel.toml:{at}") };
        assert!(said.starts_with(&place), "{text}\n{said}");
        assert!(said.contains(told), "{text}\n{said}");
        assert_eq!(
            said.matches("ginnel.toml:").count(),
            usize::from(!at.is_empty()),
            "one alone: {text}\n{said}"
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_line() {
    let text = "# a comment\nports = 'many'\ndeny-peer = [\n  '10.0.0.1/8',\n]\nmobilty = true\n";
    let told = "\
ginnel.toml:6:1: there is no key `mobilty`: did you mean `mobility`?
  6 | mobilty =(not shown: it may be a secret)
    | ^^^^^^^
ginnel.toml:4:3: `deny-peer`: \"10.0.0.1/8\" has bits behind its prefix: write 10.0.0.0/8, or 10.0.0.1 alone
  4 |   '10.0.0.1/8',
    |   ^^^^^^^^^^^^
ginnel.toml:2:9: `ports`: \"many\" is no range of ports: write one such as 49152-65535; ports are 1 to 65535
  2 | ports = 'many'
    |         ^^^^^^";
    let said = mistakes(text);
    let (mut said, mut told): (Vec<_>, Vec<_>) = (said.lines().collect(), told.lines().collect());
    said.sort_unstable();
    told.sort_unstable();
    assert_eq!(said, told);
}

#[test]
fn a_line_that_holds_a_secret_is_not_shown_whatever_is_wrong_with_it() {
    for text in [
        // A comma is missing, and what looks like a key is the secret.
        "secret = [\n  \"c2VjcmV0LW9uZQ==\"\n  \"hunter2secret=\",\n]\n",
        "user = [\n  'a:b'\n  'bob:hunter2=x'\n]\n",
        "realm = 'x', secret = ['hunter2']\n",
        "secrets hunter2 = 1\n",
        "secret: hunter2\n",
        "secret = 'hunter2\n",
        "secret = ['ok', 7, 'hunter2']\n",
        "secret = [\n  hunter2==,\n]\n",
        "secret = 'one'\nhunter2==\n",
        "secret =\n  hunter2=\n",
    ] {
        let said = mistakes(text);
        assert!(said.contains("ginnel.toml:") && !said.contains("hunter2"), "{text}\n{said}");
    }
}

#[test]
fn a_reload_leaves_users_their_part_of_the_ports_there_are() {
    let running = file("user = ['a:b']").unwrap();
    let reloaded = |text: &str| {
        let read = file(text).unwrap();
        (read.max_allocations_per_user, read.with_what_stays(&running).max_allocations_per_user)
    };
    assert_eq!(running.max_allocations_per_user, Some(4_096));
    assert_eq!(reloaded("user = ['a:b']\nports = '20000-20999'"), (Some(250), Some(4_096)));
    assert_eq!(reloaded("user = ['a:b']\nmax-allocations-per-user = 7"), (Some(7), Some(7)));
}

#[test]
fn mistakes_of_flags_and_variables_are_named_by_them() {
    let said = sources(&["--deny-peer", "nobody"], &[("GINNEL_PORTS", "1"), ("GINNEL_USER", "a:b")], "")
        .resolve()
        .unwrap_err()
        .to_string();
    assert!(said.contains("--deny-peer: \"nobody\" is no range"), "{said}");
    assert!(said.contains("GINNEL_PORTS: \"1\" is no range of ports"), "{said}");
}

#[test]
fn a_server_that_nobody_could_use_is_refused() {
    let said = sources(&[], &[], "").resolve().unwrap_err().to_string();
    assert!(said.contains("--user NAME:PASSWORD or --secret SECRET"), "{said}");
    let said = mistakes("secret = ''");
    assert!(said.contains("the secret is empty"), "{said}");
}

#[test]
fn users_who_could_never_be_authenticated_are_refused() {
    for (user, told) in [
        ("alice", "NAME:PASSWORD"),
        (":p", "NAME:PASSWORD"),
        ("alice:", "NAME:PASSWORD"),
        ("a:1\", \"a:2", "of this name already"),
    ] {
        let text = format!("user = [\"{user}\"]");
        let said = sources(&[], &[], &text).resolve().unwrap_err().to_string();
        assert!(said.contains(told) && said.matches("ginnel.toml:").count() == 1, "{user}: {said}");
    }
}

/// A log is read by more people than a configuration.
#[test]
fn no_secret_is_in_any_message() {
    let texts = [
        "user = ['alice-hunter2']",
        "user = [\n  'alice-hunter2',\n]",
        "user = [ 'alice:hunter2', ",
        "secret = [5, 'hunter2']",
        "secret = ['hunter2'",
        "usr = ['alice:hunter2']",
        "passwords = ['hunter2']",
        "user = { name = 'alice', password = 'hunter2' }",
        "secret = ['a'] hunter2",
    ];
    for text in texts {
        let found = sources(&[], &[], text).resolve().unwrap_err();
        assert!(!found.to_string().contains("hunter2"), "{text}\n{found}");
        assert!(!format!("{found:?}").contains("hunter2"), "{text}");
    }
    let flags = ["--user", "alice:hunter2", "--secret", "hunter2"];
    let found = sources(&flags, &[], "");
    let settings = found.resolve().unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert!(!found.print().contains("hunter2"), "{}", found.print());
    assert!(found.print().contains("user = [\"alice:(hidden)\"]  # --user"), "{}", found.print());
}

#[test]
fn what_is_printed_says_the_same_as_what_was_given() {
    let text = "listen = ['192.0.2.1:3478', '192.0.2.2']\nmax-streams = 12\nmobility = false\n\
                bandwidth = '500k'\nallow-peer = ['10.0.0.0/8']\nrealm = \"a b\"\n";
    let given = sources(&["--secret", "s", "--ports", "1000-2000"], &[("GINNEL_LOG", "debug")], text);
    let printed = given.print();
    for line in [
        "listen = [\"192.0.2.1:3478\", \"192.0.2.2\"]  # ginnel.toml:1",
        "ports = \"1000-2000\"  # --ports",
        "log = \"debug\"  # GINNEL_LOG",
        "max-lifetime = \"1h\"  # default",
        "# tls-listen is not set: nowhere",
    ] {
        assert!(printed.lines().any(|it| it == line), "{line}\n{printed}");
    }
    let again = sources(&[], &[], &printed).resolve().unwrap();
    let mut expected = given.resolve().unwrap();
    expected.secrets.clone_from(&again.secrets); // hidden
    assert_eq!(again, expected);
}

#[test]
fn strings_of_any_kind_can_be_printed() {
    let settings = |text: &str| sources(&["--user", "a:b"], &[], text);
    let odd = settings("cert = \"a\\\"b\\\\c\\u0007\\nd\"\nkey = 'k'\n");
    assert_eq!(settings(&odd.print()).resolve().unwrap().identity, odd.resolve().unwrap().identity);
}

#[test]
fn the_table_is_in_order() {
    let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KEYS.len(), "each name once");
    for key in KEYS {
        assert!(key.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", key.name);
        assert!(!key.help.ends_with('.'), "clap has no full stops: {}", key.name);
        if matches!(key.absent, Absent::Is(_)) {
            assert!(!key.is_list(), "{}", key.name);
        }
        let flag = match key.kind {
            Kind::Switch => vec![format!("--{}=true", key.name)],
            _ => vec![format!("--{}", key.name), "x".to_string()],
        };
        let flag: Vec<_> = flag.iter().map(String::as_str).collect();
        assert!(sources(&flag, &[], "").flags.get(key).is_some(), "{}", key.name);
    }
}

/// The file that operators copy: with every line in force it is sound, and it leaves out no key.
#[test]
fn the_example_has_every_key_and_can_be_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ginnel.toml");
    let example = std::fs::read_to_string(path).unwrap();
    let is_key = |line: &str| {
        line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    let in_force: String = example
        .lines()
        .map(|line| if is_key(line) { &line[1..] } else { line })
        .flat_map(|line| [line, "\n"])
        .collect();
    let layers = sources(&[], &[], &in_force);
    layers.resolve().unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let (layers, _) = layers.layers();
    for key in KEYS {
        let given = read::given(&layers, key).unwrap_or_else(|| panic!("the example lacks `{}`", key.name));
        // Where the text says what holds by default, it is what does.
        if let Absent::Is(default) = key.absent {
            assert_eq!(*given[0].text, default, "{}", key.name);
        }
    }
}
