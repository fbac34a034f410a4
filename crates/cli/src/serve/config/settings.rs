//! What holds, in types, once all of it has been judged together.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use ginnel::{
    driver::ServerTls,
    stun::auth::{AuthConfig, User},
    turn::rest::SECRETS_MAX,
};
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

use super::{
    identity::IdentityFiles,
    layer::Layer,
    mistake::{Mistake, Place},
    range::Range,
    read::{Placed, Reader},
    value::{self, External},
};

/// STUN and TURN over UDP and TCP (RFC 8656 section 4).
pub(crate) const PORT: u16 = 3478;
/// STUN and TURN inside TLS and DTLS.
pub(crate) const TLS_PORT: u16 = 5349;
/// RFC 8656 section 3.2: the default lifetime, below which there is no use in limiting it.
const LIFETIME: Duration = Duration::from_secs(600);
/// RFC 8656 section 7.2: ports that relays should not have begin at 0 and end here.
const WELL_KNOWN: u16 = 1023;
/// Users whose keys are kept in the memory of each shard.
pub(crate) const USERS_MAX: usize = 100_000;
/// Clients are dealt out to the shards by chance, and each shard has a part of the ports: those of 256 or more fill evenly
/// enough that none is full before three quarters of all are taken.
const PORTS_PER_SHARD: usize = 256;
/// One user may have this part of the ports unless something else is said: what is left is for others.
const PART_OF_USER: usize = 4;
/// However few ports there are.
const LEAST_OF_USER: usize = 100;

/// What the server is to do. Lists are in the order in which they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// None: on every address of the host.
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) tls_listen: Vec<SocketAddr>,
    pub(crate) dtls_listen: Vec<SocketAddr>,
    pub(crate) identity: Option<IdentityFiles>,
    /// None: as many as the listening addresses give.
    pub(crate) relays: Vec<IpAddr>,
    pub(crate) externals: Vec<External>,
    pub(crate) ports: RangeInclusive<u16>,
    pub(crate) allow: Vec<Range>,
    pub(crate) deny: Vec<Range>,
    pub(crate) tcp_relay: bool,
    pub(crate) mobility: bool,
    pub(crate) realm: String,
    pub(crate) users: Vec<StaticUser>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) separator: char,
    pub(crate) stun_only: bool,
    pub(crate) max_allocations: Option<u32>,
    pub(crate) max_allocations_per_user: Option<u32>,
    /// That was not said, and follows from the ports.
    pub(crate) user_takes_part_of_ports: bool,
    /// Octets a second.
    pub(crate) bandwidth: Option<u64>,
    pub(crate) bandwidth_per_user: Option<u64>,
    pub(crate) max_lifetime: Duration,
    /// Answers a second to strangers of one source.
    pub(crate) challenge_rate: u32,
    pub(crate) max_streams: u32,
    pub(crate) max_streams_per_source: u32,
    pub(crate) stream_idle: Duration,
    pub(crate) alternates: Vec<SocketAddr>,
    pub(crate) drain_time: Duration,
    pub(crate) metrics: Option<SocketAddr>,
    /// None: one for each core.
    pub(crate) shards: Option<u32>,
    pub(crate) log: String,
    pub(crate) log_json: bool,
    pub(crate) log_personal: bool,
}

/// What is shared with whoever gives out credentials. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) Zeroizing<String>);

/// Somebody whose password is in the configuration.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StaticUser {
    pub(crate) name: String,
    pub(crate) password: Secret,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
impl fmt::Debug for StaticUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticUser(..)")
    }
}

impl Settings {
    /// What holds after a reload: what takes effect at a start alone stays as it was then.
    pub(crate) fn with_what_stays(self, running: &Self) -> Self {
        Self {
            listen: running.listen.clone(),
            tls_listen: running.tls_listen.clone(),
            dtls_listen: running.dtls_listen.clone(),
            relays: running.relays.clone(),
            externals: running.externals.clone(),
            ports: running.ports.clone(),
            // A part of the ports, where nothing else is said: of those that there are.
            max_allocations_per_user: match self.user_takes_part_of_ports {
                true => Some(most_of_user(&running.ports)),
                false => self.max_allocations_per_user,
            },
            tcp_relay: running.tcp_relay,
            mobility: running.mobility,
            realm: running.realm.clone(),
            stun_only: running.stun_only,
            challenge_rate: running.challenge_rate,
            max_streams: running.max_streams,
            max_streams_per_source: running.max_streams_per_source,
            stream_idle: running.stream_idle,
            metrics: running.metrics,
            shards: running.shards,
            log_json: running.log_json,
            log_personal: running.log_personal,
            ..self
        }
    }

    /// How many threads relay, on a host with so many cores.
    pub(crate) fn shard_count(&self, cores: usize) -> u8 {
        let room = if self.stun_only { usize::MAX } else { self.shards_with_room() };
        let wanted = self.shards.map_or(cores.min(room), |shards| shards as usize);
        u8::try_from(wanted.clamp(1, SHARDS_MAX as usize)).unwrap_or(1)
    }

    /// As many shards as the ports are enough for.
    pub(crate) fn shards_with_room(&self) -> usize {
        (self.ports.len() / PORTS_PER_SHARD).max(1)
    }

    /// What is to be said of the ports that relays have, if anything.
    pub(crate) fn about_ports(&self) -> Option<String> {
        let (first, last) = (self.ports.start(), self.ports.end());
        (*first <= WELL_KNOWN).then(|| {
            format!(
                "ports {first}-{last}: relays below 1024 look like services of this host, and RFC 8656 advises against them; \
                 49152-65535 is usual"
            )
        })
    }

    /// Reads the certificate and its key, and sees that they are good for the listeners.
    pub(crate) fn read_identity(&self) -> Result<Option<ServerTls>, String> {
        let Some(files) = &self.identity else { return Ok(None) };
        let tls = files.read()?;
        match self.dtls_listen.is_empty() || tls.is_for_dtls() {
            true => Ok(Some(tls)),
            false => Err(format!(
                "{}: DTLS takes certificates with ECDSA keys alone (P-256, P-384): take such a one, or leave out --dtls-listen",
                files.cert.display()
            )),
        }
    }

    pub(super) fn read(layers: &[Layer], mistakes: Vec<Mistake>) -> Result<Self, Vec<Mistake>> {
        let mut reader = Reader { layers, mistakes };
        let read = Self::read_all(&mut reader);
        if reader.mistakes.is_empty() { Ok(read) } else { Err(reader.mistakes) }
    }

    fn read_all(reader: &mut Reader<'_>) -> Self {
        let listen = reader.list("listen", |text| value::endpoint(text, PORT));
        let tls_listen = reader.list("tls-listen", |text| value::endpoint(text, TLS_PORT));
        let dtls_listen = reader.list("dtls-listen", |text| value::endpoint(text, TLS_PORT));
        let relays = reader.list("relay-address", value::ip);
        let externals = reader.list("external-address", value::external);
        let alternates = reader.list("alternate-server", |text| value::endpoint(text, PORT));
        let metrics = reader.optional("metrics", |text| value::endpoint(text, 9_641));
        judge_listeners(reader, &listen, &tls_listen, &dtls_listen, metrics.as_ref());
        judge_relays(reader, &relays, &externals);
        judge_alternates(reader, &alternates, &listen);
        let identity = identity(reader, tls_listen.first().or(dtls_listen.first()));
        let realm = reader.value("realm", realm);
        let users = users(reader, &realm);
        let secrets = values(reader.list("secret", secret));
        let stun_only = reader.value("stun-only", value::switch);
        judge_who(reader, &users, &secrets, stun_only);
        let ports = reader.value("ports", value::ports);
        let shards = reader.optional("shards", shards);
        judge_shards(reader, shards.as_ref().filter(|_| !stun_only), &ports);
        let per_user = reader.optional("max-allocations-per-user", value::limit);
        Self {
            user_takes_part_of_ports: per_user.is_none(),
            max_allocations_per_user: per_user.map_or(Some(most_of_user(&ports)), |placed| placed.value),
            shards: shards.map(|placed| placed.value),
            ports,
            listen: values(listen),
            tls_listen: values(tls_listen),
            dtls_listen: values(dtls_listen),
            identity,
            relays: values(relays),
            externals: values(externals),
            allow: values(reader.list("allow-peer", Range::parse)),
            deny: values(reader.list("deny-peer", Range::parse)),
            tcp_relay: reader.value("tcp-relay", value::switch),
            mobility: reader.value("mobility", value::switch),
            realm,
            users,
            secrets,
            separator: reader.value("secret-separator", separator),
            stun_only,
            max_allocations: limit(reader, "max-allocations", value::limit),
            bandwidth: limit(reader, "bandwidth", value::rate),
            bandwidth_per_user: limit(reader, "bandwidth-per-user", value::rate),
            max_lifetime: reader.value("max-lifetime", lifetime),
            challenge_rate: reader.value("challenge-rate", value::count),
            max_streams: reader.value("max-streams", value::count),
            max_streams_per_source: reader.value("max-streams-per-source", value::count),
            stream_idle: reader.value("stream-idle", idle),
            alternates: values(alternates),
            drain_time: reader.value("drain-time", value::time),
            metrics: metrics.map(|placed| placed.value),
            log: reader.value("log", filter),
            log_json: reader.value("log-format", format),
            log_personal: reader.value("log-personal", value::switch),
        }
    }
}

fn values<T>(placed: Vec<Placed<T>>) -> Vec<T> {
    placed.into_iter().map(|placed| placed.value).collect()
}

fn limit<T>(
    reader: &mut Reader<'_>,
    name: &'static str,
    parse: impl Fn(&str) -> Result<Option<T>, String>,
) -> Option<T> {
    reader.optional(name, parse).and_then(|placed| placed.value)
}

// ---- single values that need more than their text

fn realm(text: &str) -> Result<String, String> {
    match AuthConfig::long_term(text) {
        Ok(_) => Ok(text.to_string()),
        Err(error) => Err(format!("{error}: name a realm such as example.org")),
    }
}

fn secret(text: &str) -> Result<Secret, String> {
    match text.is_empty() {
        true => Err("the secret is empty: whoever knows that could relay".to_string()),
        false => Ok(Secret(Zeroizing::new(text.to_string()))),
    }
}

fn separator(text: &str) -> Result<char, String> {
    match *text.chars().collect::<Vec<_>>() {
        // What is a digit would be read as part of the time.
        [one] if !one.is_ascii_digit() => Ok(one),
        _ => Err(format!("\"{text}\" separates nothing: write one character that is no digit, such as :")),
    }
}

fn user(text: &str) -> Result<StaticUser, String> {
    let wrong = "a user is NAME:PASSWORD, neither of them empty";
    match text.split_once(':') {
        Some((name, password)) if !name.is_empty() && !password.is_empty() => {
            Ok(StaticUser { name: name.to_string(), password: secret(password)? })
        }
        _ => Err(wrong.to_string()),
    }
}

fn lifetime(text: &str) -> Result<Duration, String> {
    match value::time(text)? {
        time if time < LIFETIME => {
            Err(format!("{text} is shorter than the 10m that clients count on: write at least 10m"))
        }
        // What LIFETIME can say, RFC 8656 section 18.2.
        time if time.as_secs() > u32::MAX.into() => {
            Err(format!("{text} is more than LIFETIME can say: write 1d or so"))
        }
        time => Ok(time),
    }
}

fn idle(text: &str) -> Result<Duration, String> {
    match value::time(text)? {
        time if time < Duration::from_secs(1) => Err("a client needs some time: write 10m or so".to_string()),
        time => Ok(time),
    }
}

/// As many as a handed-over message can name.
const SHARDS_MAX: u32 = 128;

fn shards(text: &str) -> Result<u32, String> {
    match value::count(text)? {
        n if n > SHARDS_MAX => {
            Err(format!("{n} are more than {SHARDS_MAX}: there is no use in more than there are cores"))
        }
        n => Ok(n),
    }
}

/// How many allocations one user may have if nothing is said.
fn most_of_user(ports: &RangeInclusive<u16>) -> u32 {
    // At most 65,535 ports.
    (ports.len() / PART_OF_USER).max(LEAST_OF_USER) as u32
}

fn filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_string()),
        Err(error) => {
            Err(format!("\"{text}\" is no filter: {error}; write info, or info,ginnel::serve=debug"))
        }
    }
}

fn format(text: &str) -> Result<bool, String> {
    match text {
        "text" => Ok(false),
        "json" => Ok(true),
        _ => Err(format!("\"{text}\" is neither text nor json")),
    }
}

// ---- what must fit together

fn judge_listeners(
    reader: &mut Reader<'_>,
    listen: &[Placed<SocketAddr>],
    tls: &[Placed<SocketAddr>],
    dtls: &[Placed<SocketAddr>],
    metrics: Option<&Placed<SocketAddr>>,
) {
    let mut taken = BTreeSet::new();
    let tcp = listen.iter().chain(tls).chain(metrics).map(|at| ("TCP", at));
    let udp = listen.iter().chain(dtls).map(|at| ("UDP", at));
    let mut told = Vec::new();
    for (transport, at) in tcp.chain(udp) {
        let address = at.value;
        if told.contains(&&at.place) {
            continue;
        }
        let unfit = match address.ip() {
            ip if ip.is_multicast() => Some("a multicast address"),
            IpAddr::V6(ip) if ip.is_unicast_link_local() => Some("an address of one link alone"),
            _ => None,
        };
        if let Some(what) = unfit {
            told.push(&at.place);
            reader.mistake(&at.place, format!("{} is {what}: write another one of this host", address.ip()));
        } else if address.port() != 0 && !taken.insert((transport, address)) {
            told.push(&at.place);
            let sentence =
                format!("{address} is there already, over {transport}: leave one out, or take another port");
            reader.mistake(&at.place, sentence);
        }
    }
}

fn judge_relays(reader: &mut Reader<'_>, relays: &[Placed<IpAddr>], externals: &[Placed<External>]) {
    for (number, relay) in relays.iter().enumerate() {
        if let Some(other) = relays.iter().take(number).find(|it| it.value.is_ipv4() == relay.value.is_ipv4())
        {
            let sentence = format!(
                "{} is the second of its family, after {}: give one of each",
                relay.value, other.value
            );
            reader.mistake(&relay.place, sentence);
        }
    }
    for (number, it) in externals.iter().enumerate() {
        let External { public, private } = it.value;
        let same = |other: &&Placed<External>| {
            let other = other.value;
            other.public.is_ipv4() == public.is_ipv4()
                && (other.private == private || other.private.is_none() || private.is_none())
        };
        if let Some(private) = private
            && !relays.is_empty()
            && !relays.iter().any(|relay| relay.value == private)
        {
            let sentence = format!(
                "{private} is no relay address: say --relay-address {private} too, or name one that is"
            );
            reader.mistake(&it.place, sentence);
        } else if let Some(other) = externals.iter().take(number).find(same) {
            let sentence = format!(
                "{public} would stand for the same relay address as {}: say for which, as {public}/PRIVATE",
                other.value.public
            );
            reader.mistake(&it.place, sentence);
        }
    }
}

fn judge_alternates(
    reader: &mut Reader<'_>,
    alternates: &[Placed<SocketAddr>],
    listen: &[Placed<SocketAddr>],
) {
    for (number, it) in alternates.iter().enumerate() {
        let address = it.value;
        if address.ip().is_unspecified() || address.ip().is_multicast() || address.port() == 0 {
            reader.mistake(
                &it.place,
                format!("nobody can be sent to {address}: write the address of another server"),
            );
        } else if listen.iter().any(|own| own.value == address) {
            let sentence =
                format!("{address} is this server: its clients would be sent in a circle; name another");
            reader.mistake(&it.place, sentence);
        } else if alternates.iter().take(number).any(|other| other.value.is_ipv4() == address.is_ipv4()) {
            let sentence =
                format!("{address} is the second of its family: a client is told one; give one of each");
            reader.mistake(&it.place, sentence);
        }
    }
}

/// Ports are shared out in pairs, an even one and the one above (EVEN-PORT).
fn judge_shards(reader: &mut Reader<'_>, shards: Option<&Placed<u32>>, ports: &RangeInclusive<u16>) {
    let (from, to) = (u32::from(*ports.start()), u32::from(*ports.end()));
    let pairs = to.div_ceil(2) - from.div_ceil(2);
    if let Some(shards) = shards.filter(|shards| shards.value > pairs.max(1)) {
        let sentence = format!(
            "{} shards need two ports each, and {from}-{to} has not so many: leave --shards out, or give more --ports",
            shards.value
        );
        reader.mistake(&shards.place, sentence);
    }
}

fn identity(reader: &mut Reader<'_>, needed: Option<&Placed<SocketAddr>>) -> Option<IdentityFiles> {
    let path = |text: &str| Ok(PathBuf::from(text));
    let (cert, key) = (reader.optional("cert", path), reader.optional("key", path));
    match (cert, key) {
        (Some(cert), Some(key)) => Some(IdentityFiles { cert: cert.value, key: key.value }),
        (Some(cert), None) => {
            reader.mistake(&cert.place, "a certificate needs its private key: say --key FILE too");
            None
        }
        (None, Some(key)) => {
            reader.mistake(&key.place, "a private key needs its certificate: say --cert FILE too");
            None
        }
        (None, None) => {
            if let Some(at) = needed {
                let place = at.place.clone();
                reader
                    .mistake(&place, "this listener needs a certificate: say --cert FILE and --key FILE too");
            }
            None
        }
    }
}

fn users(reader: &mut Reader<'_>, realm: &str) -> Vec<StaticUser> {
    let mut names = BTreeSet::new();
    let mut users = Vec::new();
    for Placed { value, place } in reader.list("user", user) {
        // What could never authenticate anybody is a mistake of today and not of the first call.
        if let Err(error) = User::long_term(&value.name, realm, &value.password.0) {
            reader.mistake(&place, format!("the name or the password cannot be used: {error}"));
        } else if !names.insert(value.name.clone()) {
            reader.mistake(&place, "there is a user of this name already: leave one out");
        } else {
            users.push(value);
        }
    }
    users
}

fn judge_who(reader: &mut Reader<'_>, users: &[StaticUser], secrets: &[Secret], stun_only: bool) {
    let somebody = !users.is_empty() || !secrets.is_empty();
    // A user who was refused above is no reason to say that there is none.
    let tried = ["user", "secret"].into_iter().any(|name| reader.given_at(name) != Place::Nowhere);
    if users.len() > USERS_MAX {
        let place = reader.given_at("user");
        let sentence = format!("there may be {USERS_MAX} users: for more, give out credentials by --secret");
        reader.mistake(&place, sentence);
    }
    if secrets.len() > SECRETS_MAX {
        let place = reader.given_at("secret");
        let sentence =
            format!("there may be {SECRETS_MAX} secrets: leave out those that nobody uses any more");
        reader.mistake(&place, sentence);
    }
    if stun_only && somebody {
        reader.mistake(
            &Place::Nowhere,
            "with --stun-only nobody can relay: leave out --user and --secret, or --stun-only",
        );
    } else if !stun_only && !tried {
        let sentence = "nobody could relay: say --user NAME:PASSWORD or --secret SECRET, or --stun-only if that is meant";
        reader.mistake(&Place::Nowhere, sentence);
    }
}
