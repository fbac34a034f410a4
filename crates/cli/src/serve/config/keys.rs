//! Every key there is: what it takes, what it stands at, what is said of it. Flags, environment, file, `--print-config` and the
//! help are all made from this one table, so that they cannot differ.

/// One thing that can be set.
#[derive(Debug)]
pub(crate) struct Key {
    /// In the file; with two dashes in front it is the flag.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What stands for its value in the help.
    pub(crate) value: &'static str,
    pub(crate) heading: &'static str,
    /// A sentence without its full stop, as clap has it.
    pub(crate) help: &'static str,
    pub(crate) absent: Absent,
    pub(crate) reload: Reload,
}

/// How many values it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    One,
    /// Any number. A source that gives some replaces those of the sources below it: they are never mixed.
    Many,
    /// `true` or `false`; as a flag also alone, which is `true`.
    Switch,
    /// Any number, and never printed.
    Secrets,
}

/// What holds if nobody says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// This value.
    Is(&'static str),
    /// No value; and what that comes to.
    Unset(&'static str),
}

/// When a change of the file takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    /// On SIGHUP.
    Live,
    /// When the program is started again.
    Restart,
}

impl Key {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }
    /// The name of its environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("GINNEL_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }
    pub(crate) const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secrets)
    }
    pub(crate) const fn is_list(&self) -> bool {
        matches!(self.kind, Kind::Many | Kind::Secrets)
    }
}

use Absent::{Is, Unset};
use Kind::{Many, One, Secrets, Switch};
use Reload::{Live, Restart};

const LISTENING: &str = "Listening";
const RELAYING: &str = "Relaying";
const WHO: &str = "Who may relay";
const LIMITS: &str = "Limits";
const OPERATION: &str = "Operation";

const fn key(
    heading: &'static str,
    name: &'static str,
    kind: Kind,
    value: &'static str,
    absent: Absent,
    reload: Reload,
    help: &'static str,
) -> Key {
    Key { name, kind, value, heading, help, absent, reload }
}

/// In the order of the help.
#[rustfmt::skip]
pub(crate) const KEYS: &[Key] = &[
    key(LISTENING, "listen", Many, "ADDR", Unset("every address of this host, port 3478"), Restart,
        "Listen here over UDP and TCP. The port is 3478 if there is none; 0.0.0.0 and [::] stand for every address of their family. Two addresses of one family turn NAT behaviour discovery (RFC 5780) on"),
    key(LISTENING, "tls-listen", Many, "ADDR", Unset("nowhere"), Restart,
        "Listen here over TLS. The port is 5349 if there is none"),
    key(LISTENING, "dtls-listen", Many, "ADDR", Unset("nowhere"), Restart,
        "Listen here over DTLS. The port is 5349 if there is none"),
    key(LISTENING, "cert", One, "FILE", Unset("none"), Live,
        "The certificate for TLS and DTLS, and those that signed it, in PEM. Read again on SIGHUP, and when the file has changed"),
    key(LISTENING, "key", One, "FILE", Unset("none"), Live,
        "The private key of the certificate, in PEM"),

    key(RELAYING, "relay-address", Many, "IP", Unset("of each family the listening address that packets to the Internet leave from, or the first"), Restart,
        "Relay from this address of this host. At most one of each family"),
    key(RELAYING, "external-address", Many, "PUBLIC[/PRIVATE]", Unset("none"), Restart,
        "The public address that stands for a relay address of this host, which is behind a one-to-one NAT. With a slash behind it: for which"),
    key(RELAYING, "ports", One, "FROM-TO", Is("49152-65535"), Restart,
        "The ports that relays may have"),
    key(RELAYING, "allow-peer", Many, "CIDR", Unset("what is not denied"), Live,
        "Relay to these peers, although they are denied by default: 10.0.0.0/8, 10.0.0.1 or 10.0.0.1-10.0.0.9"),
    key(RELAYING, "deny-peer", Many, "CIDR", Unset("loopback, private, link-local, multicast and this host's own"), Live,
        "Never relay to these peers, whatever is allowed"),
    key(RELAYING, "tcp-relay", Switch, "BOOL", Is("true"), Restart,
        "Relay TCP connections too (RFC 6062)"),
    key(RELAYING, "mobility", Switch, "BOOL", Is("true"), Restart,
        "Let clients keep their relay when their address changes (RFC 8016)"),

    key(WHO, "realm", One, "NAME", Is("ginnel"), Restart,
        "The realm that clients are told; best the domain name of whoever runs the server"),
    key(WHO, "user", Secrets, "NAME:PASSWORD", Unset("nobody"), Live,
        "A user. On the command line every other user of the host can read the password: the environment and the file are better"),
    key(WHO, "secret", Secrets, "SECRET", Unset("none"), Live,
        "A secret that is shared with whoever gives out time-limited credentials (TURN REST). With several each is accepted, so that they can be rotated"),
    key(WHO, "secret-separator", One, "CHAR", Is(":"), Live,
        "What stands between the time and the user in the names that such credentials have"),
    key(WHO, "stun-only", Switch, "BOOL", Is("false"), Restart,
        "Run without users and secrets: STUN is answered, nobody can relay"),

    key(LIMITS, "max-allocations", One, "N", Unset("100000 in each shard, or as many as there are ports"), Live,
        "How many allocations there are at most; who comes later is sent away with 508"),
    key(LIMITS, "max-allocations-per-user", One, "N", Unset("a quarter of the ports, at least 100"), Live,
        "How many of them one user has at most, or none for no limit; one more is refused with 486. For users who are people 10 is plenty; clients of one application that share a user need as many as there are"),
    key(LIMITS, "bandwidth", One, "RATE", Unset("no limit"), Live,
        "Octets a second that each allocation may relay each way, such as 500k or 2M; what is more is dropped"),
    key(LIMITS, "bandwidth-per-user", One, "RATE", Unset("no limit"), Live,
        "The same for all allocations of one user together"),
    key(LIMITS, "max-lifetime", One, "TIME", Is("1h"), Live,
        "The longest lifetime of an allocation before it has to be refreshed, at least 10m"),
    key(LIMITS, "challenge-rate", One, "N", Is("200"), Restart,
        "How many requests a second without good credentials are answered over UDP to one IPv4 address, or to 64 bits of IPv6, by each shard; five times as many at once. Each client begins with one such"),
    key(LIMITS, "max-streams", One, "N", Is("4096"), Restart,
        "Clients over TCP and TLS, for each shard. At a time one in 32, and 128 at least, may be in a handshake of TLS or DTLS"),
    key(LIMITS, "max-streams-per-source", One, "N", Is("64"), Restart,
        "Of those from one IPv4 address, or from 64 bits of IPv6; half of them, and 32 at least, in a handshake"),
    key(LIMITS, "stream-idle", One, "TIME", Is("10m"), Restart,
        "A client over TCP or TLS that is silent for so long is cut off"),

    key(OPERATION, "alternate-server", Many, "ADDR", Unset("none"), Live,
        "Where new clients are sent while this server drains (ALTERNATE-SERVER), one of each family; without one they are told 508"),
    key(OPERATION, "drain-time", One, "TIME", Is("60s"), Live,
        "How long SIGTERM waits for allocations to end before it ends them. A second signal ends them at once"),
    key(OPERATION, "metrics", One, "ADDR", Unset("nowhere"), Restart,
        "Serve /metrics for Prometheus and /healthz here, over plain HTTP"),
    key(OPERATION, "shards", One, "N", Unset("one for each core, and for each 256 ports"), Restart,
        "How many threads relay. Each has a part of the ports"),
    key(OPERATION, "log", One, "FILTER", Is("info"), Live,
        "What is logged: error, warn, info, debug or trace, also by part, such as info,ginnel::serve=debug"),
    key(OPERATION, "log-format", One, "text|json", Is("text"), Restart,
        "How it is logged, on standard error"),
    key(OPERATION, "log-personal", Switch, "BOOL", Is("false"), Restart,
        "Log addresses and user names as they are. Otherwise a word stands for each, a different one after every start. Passwords and secrets are never logged"),
];
