//! A relay of a few lines, with the authentication of RFC 8656 section 5: what a TURN server asks of an authenticator.

use alloc::{collections::BTreeMap, sync::Arc};

use super::*;

/// How many allocations a user may have.
const QUOTA: usize = 2;

struct Relay {
    auth: Authenticator,
    /// Of each client, whose it is.
    allocations: BTreeMap<Path, Arc<User>>,
}
impl Relay {
    fn new(config: AuthConfig) -> Self {
        let config = config.with_nonce_period(Duration::from_secs(60)).with_challenge_limit(None);
        Self { auth: Authenticator::new(config, Seed::new([7; 32])), allocations: BTreeMap::new() }
    }
    /// A datagram of a client, answered in place. False: nothing is sent now.
    fn handle(&mut self, now: Instant, path: Path, packet: &mut Packet<'_>) -> bool {
        let Ok(message) = Message::parse(packet.bytes()) else { return false };
        let known = self.allocations.get(&path);
        let verdict = self.auth.check_known(now, path, &message, known);
        let (method, id) = (message.method(), message.transaction_id());
        self.obey(path, verdict, method, id, packet)
    }
    /// What the back end answered.
    fn poll(&mut self, now: Instant, packet: &mut Packet<'_>) -> bool {
        let Some((path, verdict)) = self.auth.poll_answered(now, packet) else { return false };
        let message = Message::parse(packet.bytes()).unwrap();
        let (method, id) = (message.method(), message.transaction_id());
        self.obey(path, verdict, method, id, packet)
    }
    fn obey(
        &mut self,
        path: Path,
        verdict: Verdict,
        method: Method,
        id: crate::TransactionId,
        packet: &mut Packet<'_>,
    ) -> bool {
        let genuine = match verdict {
            Verdict::Authenticated(genuine) => genuine,
            Verdict::Refused(refusal) => return self.auth.refuse(&refusal, packet).is_ok(),
            Verdict::LookingUp(_) | Verdict::Discarded => return false,
        };
        let user = genuine.user();
        let error = match (self.allocations.get(&path), method) {
            (Some(owner), _) if owner != user => Some(ErrorCode::new(441, "").unwrap()),
            (None, Method::ALLOCATE)
                if self.allocations.values().filter(|it| *it == user).count() >= QUOTA =>
            {
                Some(ErrorCode::new(486, "").unwrap())
            }
            (None, Method::ALLOCATE) => self.allocations.insert(path, Arc::clone(user)).and(None),
            (None, _) => Some(ErrorCode::new(437, "").unwrap()),
            (Some(_), _) => None,
        };
        packet.clear();
        let class = if error.is_some() { Class::Error } else { Class::Success };
        let open = MessageWriter::new(packet, class, method, id).unwrap();
        let open = match &error {
            Some(error) => open.attribute(error).unwrap(),
            None => open,
        };
        genuine.seal(open).unwrap().finish();
        true
    }
}

fn client(port: u16) -> Path {
    Path { remote: ([192, 0, 2, 1], port).into(), ..path() }
}
/// The error code, 0 for success, `None` for silence; and the answer.
fn say(relay: &mut Relay, now: u64, path: Path, ask: Ask<'_>) -> Option<(u16, Vec<u8>)> {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    ask.write(&mut packet).unwrap();
    relay.handle(at(now), path, &mut packet).then(|| read(&packet, ask))
}
fn read(packet: &Packet<'_>, ask: Ask<'_>) -> (u16, Vec<u8>) {
    let answer = Message::parse(packet.bytes()).unwrap();
    assert_eq!((answer.method(), answer.transaction_id()), (ask.method, ask.id));
    let code = answer.get::<ErrorCode<'_>>().unwrap().map_or(0, |it| it.code());
    // Whatever is said to who is known bears his key, errors too.
    if !matches!(code, 400 | 401 | 438) {
        assert_eq!(answer.integrity(ask.key.unwrap().0), Integrity::Ok);
    }
    (code, packet.bytes().to_vec())
}
fn challenged(relay: &mut Relay, now: u64, path: Path) -> Vec<u8> {
    let (code, answer) = say(relay, now, path, Ask { method: Method::ALLOCATE, ..Ask::default() }).unwrap();
    assert_eq!(code, 401);
    nonce_of(&answer)
}
fn of(method: Method, ask: Ask<'_>) -> Ask<'_> {
    Ask { method, ..ask }
}

#[test]
fn allocations_belong_to_users_and_outlive_nonces_and_end_with_their_user() {
    let mut relay = Relay::new(long_term());
    for name in ["user", "other"] {
        relay.auth.add_user(User::long_term(name, REALM, PASSWORD).unwrap()).unwrap();
    }
    let (key, others) = (sha256("user"), sha256("other"));
    let code = |said: Option<(u16, Vec<u8>)>| said.unwrap().0;
    let nonces: Vec<_> = (0..3).map(|n| challenged(&mut relay, 0, client(n + 1))).collect();
    // Two allocations, and no third.
    for (n, want) in [(0, 0), (1, 0), (2, 486)] {
        let allocate = of(Method::ALLOCATE, modern(&nonces[n], &key));
        assert_eq!(code(say(&mut relay, 1, client(n as u16 + 1), allocate)), want);
    }
    let refresh = of(Method::REFRESH, modern(&nonces[0], &key));
    assert_eq!(code(say(&mut relay, 2, client(1), refresh)), 0);
    assert_eq!(code(say(&mut relay, 2, client(3), Ask { nonce: Some(&nonces[2]), ..refresh })), 437);
    // RFC 8656 section 5: somebody else, who is known too.
    let somebody = Ask { username: Some("other"), ..of(Method::REFRESH, modern(&nonces[0], &others)) };
    assert_eq!(code(say(&mut relay, 3, client(1), somebody)), 441);
    // The nonce expires, and the allocation does not.
    let (stale, answer) = say(&mut relay, 200, client(1), refresh).unwrap();
    assert_eq!(stale, 438);
    let fresh = nonce_of(&answer);
    let permission = of(Method::CREATE_PERMISSION, modern(&fresh, &key));
    assert_eq!(code(say(&mut relay, 200, client(1), permission)), 0);
    // Whoever is removed is nobody at once.
    relay.auth.remove_user("user");
    assert_eq!(code(say(&mut relay, 201, client(1), permission)), 401);
}

#[test]
fn a_back_end_is_asked_once_for_each_allocation() {
    let mut relay = Relay::new(long_term().with_look_up(LookUp::ByEvent { max_waiting: 8 }));
    let key = sha256("user");
    let nonce = challenged(&mut relay, 0, client(1));
    let allocate = of(Method::ALLOCATE, modern(&nonce, &key));
    assert!(say(&mut relay, 0, client(1), allocate).is_none());
    let Some(AuthEvent::LookUp { ticket, .. }) = relay.auth.poll_event() else { panic!("no event") };
    assert!(relay.auth.answer(ticket, Some(User::long_term("user", REALM, PASSWORD).unwrap())));
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    assert!(relay.poll(at(1), &mut packet));
    assert_eq!(read(&packet, allocate).0, 0);
    for method in [Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND] {
        assert_eq!(say(&mut relay, 2, client(1), of(method, modern(&nonce, &key))).unwrap().0, 0);
    }
    assert_eq!(relay.auth.poll_event(), None);
    // Taken back: the relay forgets whom it knew, and asks again.
    relay.allocations.clear();
    assert!(say(&mut relay, 3, client(1), of(Method::REFRESH, modern(&nonce, &key))).is_none());
    assert!(relay.auth.poll_event().is_some());
}
