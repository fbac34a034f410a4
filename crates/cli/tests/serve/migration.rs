//! The page for operators of coturn leaves none of its options out.

use std::collections::BTreeSet;

/// What `turnserver --help` of coturn 4.6.1 names, and what it names where it was built with MongoDB and Prometheus.
const OPTIONS: &str = "
    -d --listening-device -p --listening-port --tls-listening-port --alt-listening-port --alt-tls-listening-port
    --tcp-proxy-port -L --listening-ip --aux-server --udp-self-balance -i --relay-device -E --relay-ip -X --external-ip
    --allow-loopback-peers --no-multicast-peers -m --relay-threads --min-port --max-port -v --verbose -V --Verbose -o --daemon
    --no-software-attribute -f --fingerprint -a --lt-cred-mech -z --no-auth -u --user -r --realm --check-origin-consistency
    -q --user-quota -Q --total-quota -s --max-bps -B --bps-capacity -c -b --db --userdb -e --psql-userdb --sql-userdb
    -M --mysql-userdb --secret-key-file -N --redis-userdb -O --redis-statsdb --use-auth-secret --static-auth-secret
    --no-auth-pings --no-dynamic-ip-list --no-dynamic-realms --server-name --oauth -n --cert --pkey --pkey-pwd --cipher-list
    --CA-file --ec-curve-name --dh566 --dh1066 --dh-file --no-tlsv1 --no-tlsv1_1 --no-tlsv1_2 --no-udp --no-tcp --no-tls
    --no-dtls --no-udp-relay --no-tcp-relay -l --log-file --no-stdout-log --syslog --syslog-facility --simple-log
    --new-log-timestamp --new-log-timestamp-format --log-binding --stale-nonce --max-allocate-lifetime --channel-lifetime
    --permission-lifetime -S --stun-only --no-stun --alternate-server --tls-alternate-server -C --rest-api-separator
    --max-allocate-timeout --allowed-peer-ip --denied-peer-ip --pidfile --acme-redirect --secure-stun --proc-user --proc-group
    --mobility -K --keep-address-family -A --allocation-default-address-family --no-cli --cli-ip --cli-port --cli-password
    --web-admin --web-admin-ip --web-admin-port --web-admin-listen-on-workers --server-relay --cli-max-output-sessions --ne
    --no-rfc5780 --no-stun-backward-compatibility --response-origin-only-with-rfc5780 --version -h
    --mongo-userdb --prometheus --prometheus-port --prometheus-no-username-labels";

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/migrating-from-coturn.md");
    std::fs::read_to_string(path).unwrap()
}

/// The first columns of the table, and the second ones.
fn rows(page: &str) -> Vec<(&str, &str)> {
    let (_, table) = page.split_once("## Every option").expect("the section");
    let rows = table.lines().filter_map(|line| line.strip_prefix('|')?.split_once('|'));
    rows.skip(2).collect()
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_option_of_coturn_has_its_row() {
    let page = page();
    let rows = rows(&page);
    let named: Vec<&str> =
        rows.iter().flat_map(|(option, _)| quoted(option)).filter(|it| it.starts_with('-')).collect();
    let each: BTreeSet<&str> = named.iter().copied().collect();
    assert_eq!(named.len(), each.len(), "an option has one row");
    let wanted: BTreeSet<&str> = OPTIONS.split_whitespace().collect();
    assert_eq!(each, wanted);
    for (option, here) in rows {
        assert!(here.trim_end_matches([' ', '|']).trim().len() > 1, "{option} says nothing");
    }
}

/// What the page tells operators to write can be written.
#[test]
fn every_key_that_the_page_names_is_one() {
    let page = page();
    let help = crate::program::stdout(&crate::program::run(&["--help"]));
    let flags = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    let keys: BTreeSet<&str> = flags.filter_map(|flag| flag.split('[').next()).collect();
    let short = rows(&page).into_iter().flat_map(|(_, here)| {
        // What is said to be missing names what is not ours.
        let is_missing = here.trim_start().starts_with("*no*");
        quoted(here).filter(move |_| !is_missing)
    });
    for written in short {
        let name = written.split([' ', '=']).next().unwrap_or_default().trim_start_matches("--");
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(!is_name || name == "ginnel" || keys.contains(name), "`{name}` is no key");
    }
}
