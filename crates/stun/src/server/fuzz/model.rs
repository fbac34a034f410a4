//! What a server must answer: RFC 8489 sections 6.3.1, 9.1.3 and 9.2.4 and RFC 5780 section 6, told a second time.

use core::net::SocketAddr;

use ginnel_core::{Instant, Path, Transport};

use crate::{
    attribute::{Algorithm, PasswordAlgorithm},
    auth::{AnnouncedAlgorithms, SecurityFeatures, ask::Ask},
    integrity::IntegrityAlgorithm,
    server::{DiscoverySupport, FingerprintPolicy, ServerConfig},
};

/// Seconds that a nonce lives at the least, in the scenario.
pub(super) const PERIOD: u64 = 100;
pub(super) const REALM: &str = "example.org";

/// Which credentials a scenario has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mechanism {
    None,
    ShortTerm,
    LongTerm,
}

/// What must come back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Expected {
    /// Nothing.
    Silence,
    /// A look-up.
    LookUp,
    /// A refusal of the authenticator.
    Refusal(u16),
    /// An answer, protected by this: success, 400 or 420.
    Answer(Option<u16>, Option<IntegrityAlgorithm>),
}

/// A nonce that a server gave.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) octets: [u8; 44],
    pub(super) path: Path,
    pub(super) at: Instant,
    /// How many keys came before.
    pub(super) key: u32,
}

/// Everything of the scenario that decides.
pub(super) struct Rules<'a> {
    pub(super) config: &'a ServerConfig,
    pub(super) mechanism: Mechanism,
    pub(super) announced: AnnouncedAlgorithms,
    pub(super) by_event: bool,
    /// Whether "user" is in memory, or was found by the back end.
    pub(super) user_known: bool,
    pub(super) given: &'a [Given],
    pub(super) key: u32,
    pub(super) now: Instant,
}
/// How a request was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made<'a> {
    pub(super) ask: Ask<'a>,
    pub(super) path: Path,
    /// The password algorithm that its key is right for; `None` for a wrong key.
    pub(super) key_of: Option<Algorithm>,
}

impl Rules<'_> {
    /// `looked_up` says that the back end has answered.
    pub(super) fn expect(&self, made: &Made<'_>, looked_up: bool) -> Expected {
        if self.config.fingerprint == FingerprintPolicy::Required && !made.ask.fingerprint {
            return Expected::Silence;
        }
        match self.mechanism {
            Mechanism::None => self.answer(made, None),
            Mechanism::ShortTerm => self.short_term(made),
            Mechanism::LongTerm => self.long_term(made, looked_up),
        }
    }
    fn short_term(&self, made: &Made<'_>) -> Expected {
        let (Some(name), Some((_, algorithm))) = (made.ask.username, made.ask.key) else {
            return Expected::Refusal(400);
        };
        let genuine = cfg!(fuzzing) || made.key_of == Some(Algorithm::MD5);
        if name != "user" || !self.user_known || !genuine {
            return Expected::Refusal(401);
        }
        self.answer(made, Some(algorithm))
    }
    fn long_term(&self, made: &Made<'_>, looked_up: bool) -> Expected {
        let ask = &made.ask;
        if ask.key.is_none() {
            return Expected::Refusal(401);
        }
        let named = ask.username.is_some() || ask.userhash.is_some();
        let (true, Some(realm), Some(nonce)) = (named, ask.realm, ask.nonce) else {
            return Expected::Refusal(400);
        };
        let fresh = self.is_fresh(made.path, nonce);
        let mut algorithm = Algorithm::MD5;
        let mut reply = IntegrityAlgorithm::Sha1;
        if SecurityFeatures::parse(nonce).is_some_and(|it| it.password_algorithms) {
            match (ask.list, ask.chosen) {
                (None, None) => {}
                (Some(list), Some(chosen)) if list.contains(&chosen) && (!fresh || self.announces(list)) => {
                    (algorithm, reply) = (chosen.algorithm(), IntegrityAlgorithm::Sha256);
                }
                _ => return Expected::Refusal(400),
            }
        }
        let is_user = match (ask.username, ask.userhash) {
            (Some(name), _) => name == "user",
            (None, hash) => hash == Some(crate::attribute::UserHash::of("user", REALM)),
        };
        if self.by_event && !looked_up {
            return match (fresh, realm == REALM) {
                (false, _) => Expected::Refusal(438),
                (true, false) => Expected::Refusal(401),
                (true, true) => Expected::LookUp,
            };
        }
        let genuine = cfg!(fuzzing) || made.key_of == Some(algorithm);
        let has_key = matches!(algorithm, Algorithm::MD5 | Algorithm::SHA256);
        if !is_user || !self.user_known || realm != REALM || !has_key || !genuine {
            Expected::Refusal(401)
        } else if !fresh {
            Expected::Refusal(438)
        } else {
            self.answer(made, Some(reply))
        }
    }
    fn announces(&self, list: &[PasswordAlgorithm<'_>]) -> bool {
        match self.announced {
            AnnouncedAlgorithms::Sha256 => *list == [PasswordAlgorithm::SHA256],
            AnnouncedAlgorithms::Sha256AndMd5 => *list == [PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5],
            _ => list.is_empty(),
        }
    }
    fn is_fresh(&self, path: Path, nonce: &[u8]) -> bool {
        let period = |at: Instant| at.since_epoch().as_secs() / PERIOD;
        self.given.iter().any(|given| {
            given.octets == *nonce
                && given.path == path
                && self.key - given.key <= 1
                && period(self.now) - period(given.at) <= 1
        })
    }
    fn answer(&self, made: &Made<'_>, reply: Option<IntegrityAlgorithm>) -> Expected {
        let (ask, path) = (&made.ask, made.path);
        let discovery = self.config.discovery != DiscoverySupport::Off;
        let datagrams = path.transport == Transport::Udp;
        let can_change = datagrams && self.four().contains(&Some(path.local));
        let code = if ask.change.is_some() && !can_change
            || ask.port.is_some() && !(discovery && datagrams && self.config.response_port)
            || ask.padding.is_some() && !discovery
        {
            Some(420)
        } else if ask.port.is_some_and(|port| port.0 == 0 || ask.padding.is_some()) {
            Some(400)
        } else {
            None
        };
        Expected::Answer(code, reply)
    }
    /// RFC 5780 section 6.1: A1:P1, A1:P2, A2:P1, A2:P2.
    pub(super) fn four(&self) -> [Option<SocketAddr>; 4] {
        match self.config.discovery {
            DiscoverySupport::TwoAddresses(addresses) => addresses.all().map(Some),
            _ => [None; 4],
        }
    }
}
