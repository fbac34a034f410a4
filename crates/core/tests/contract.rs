//! The contract at work: a client, a relay around it, and the loop that drives both. Read as timelines.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use ginnel_core::{
    Handled, HostName, HostNameError, IcmpError, Instant, Io, Machine, Notice, Packet, Path, Port, Receive,
    Refused, Request, Ticket, Transmit, Wake, machine, receive, settle,
};

fn addr(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A STUN-like transaction on the schedule of RFC 8489 section 6.2.1.
#[derive(Debug)]
struct Client {
    path: Path,
    id: u8,
    due: bool,
    attempt: u8,
    at: Option<Instant>,
    events: VecDeque<&'static str>,
    done: bool,
}

impl Client {
    fn new(path: Path, id: u8) -> Self {
        Self { path, id, due: true, attempt: 0, at: None, events: VecDeque::new(), done: false }
    }

    fn end(&mut self, why: &'static str) {
        self.events.push_back(why);
        (self.done, self.due, self.at) = (true, false, None);
    }

    fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled {
        if self.done || input.path != self.path || input.packet.bytes() != [0x80, self.id] {
            return Handled::Foreign;
        }
        self.end("mapped");
        Handled::Consumed
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.at.is_none_or(|at| at > now) {
            return;
        }
        if self.attempt == 7 {
            self.end("timed out");
        } else {
            (self.due, self.at) = (true, None);
        }
    }

    fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        if !self.due {
            return None;
        }
        let wait = if self.attempt == 6 { ms(8000) } else { ms(500 << self.attempt) };
        (self.due, self.attempt, self.at) = (false, self.attempt + 1, Some(now + wait));
        packet.write(&[0x00, self.id]).ok()?;
        Some(Transmit::to(self.path))
    }

    fn poll_event(&mut self) -> Option<&'static str> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Wake> {
        Some(Wake::new(self.at?, "client: retransmit"))
    }

    fn close(&mut self, _: Instant) {
        if !self.done {
            self.end("closed");
        }
    }

    fn is_closed(&self) -> bool {
        self.done
    }
}
machine!(impl [] Client { Event = &'static str; Data = (); });

/// A relay around any machine: no range arithmetic, no copy.
#[derive(Debug)]
struct Relayed<M> {
    inner: M,
    server: Path,
    relayed: SocketAddr,
    peer: SocketAddr,
}

impl<M: Machine> Relayed<M> {
    fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<M::Data> {
        if input.path != self.server {
            return Handled::Foreign;
        }
        let Some([0x40, 1, _, _]) = input.packet.take() else { return Handled::Consumed };
        input.path = Path::udp(self.relayed, self.peer);
        match self.inner.handle_input(now, input) {
            Handled::Send(_) => self.wrap(&mut input.packet).map_or(Handled::Consumed, Handled::Send),
            // What was not the inner machine's was this one's all the same: it came through the relay.
            Handled::Foreign => Handled::Consumed,
            other => other,
        }
    }

    fn wrap(&self, packet: &mut Packet<'_>) -> Option<Transmit> {
        let [high, low] = u16::try_from(packet.len()).ok()?.to_be_bytes();
        packet.prepend([0x40, 1, high, low]).ok()?;
        Some(Transmit::to(self.server))
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.inner.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        let _ = self.inner.poll_transmit(now, packet)?;
        self.wrap(packet)
    }

    fn poll_event(&mut self) -> Option<M::Event> {
        self.inner.poll_event()
    }

    fn poll_timeout(&self) -> Option<Wake> {
        self.inner.poll_timeout()
    }

    fn close(&mut self, now: Instant) {
        self.inner.close(now);
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
}
machine!(impl [M: Machine] Relayed<M> { Event = M::Event; Data = M::Data; });

/// Wants one socket, then says where it is.
#[derive(Debug, Default)]
struct Opener {
    asked: bool,
    outcome: Option<Result<SocketAddr, Refused>>,
    told: bool,
    news: VecDeque<Result<SocketAddr, Refused>>,
}

impl Opener {
    fn handle_input(&mut self, _: Instant, _: &mut Receive<'_>) -> Handled<u32> {
        self.news.push_back(Err(Refused::TimedOut));
        Handled::Data(7)
    }

    fn handle_notice(&mut self, _: Instant, notice: Notice) {
        if let Notice::Opened { ticket: Ticket(9), result } = notice {
            self.outcome = Some(result);
        }
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_request(&mut self) -> Option<Request> {
        (!std::mem::replace(&mut self.asked, true)).then_some(Request::Bind {
            ticket: Ticket(9),
            ip: [10, 0, 0, 1].into(),
            port: Port::Any,
        })
    }

    fn poll_transmit(&mut self, _: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        let Some(Ok(local)) = self.outcome else { return None };
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        packet.write(b"here").ok()?;
        Some(Transmit::to(Path::udp(local, addr("192.0.2.1:1"))))
    }

    fn poll_event(&mut self) -> Option<Result<SocketAddr, Refused>> {
        self.news.pop_front()
    }

    fn poll_timeout(&self) -> Option<Wake> {
        None
    }

    fn close(&mut self, _: Instant) {}

    fn is_closed(&self) -> bool {
        false
    }
}
machine!(impl [] Opener { Event = Result<SocketAddr, Refused>; Data = u32; } [requests]);

/// What came out, in order.
#[derive(Debug)]
struct Log<E> {
    sent: Vec<(Path, Vec<u8>)>,
    events: Vec<E>,
    /// How many packets it still takes.
    room: usize,
    /// What every request is answered with.
    answer: Option<Result<SocketAddr, Refused>>,
    /// What happened, one letter each: `s`ent, `r`equest, `e`vent.
    order: String,
}

impl<E> Default for Log<E> {
    fn default() -> Self {
        Self { sent: Vec::new(), events: Vec::new(), room: usize::MAX, answer: None, order: String::new() }
    }
}

impl<E> Io<E> for Log<E> {
    fn ready(&self) -> bool {
        self.room > 0
    }

    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
        self.room -= 1;
        self.order.push('s');
        self.sent.push((transmit.path, packet.bytes().to_vec()));
    }

    fn request(&mut self, request: Request) -> Option<Notice> {
        self.order.push('r');
        let Request::Bind { ticket, .. } = request else { return None };
        self.answer.map(|result| Notice::Opened { ticket, result })
    }

    fn event(&mut self, event: E) {
        self.order.push('e');
        self.events.push(event);
    }
}

const LOCAL: &str = "10.0.0.1:1";
const SERVER: &str = "192.0.2.1:3478";

fn direct() -> Path {
    Path::udp(addr(LOCAL), addr(SERVER))
}

#[test]
fn rfc8489_schedule_through_a_relay() {
    let (peer, relayed) = (addr("198.51.100.7:9"), addr("192.0.2.1:50000"));
    let inner = Client::new(Path::udp(relayed, peer), 7);
    let mut machine = Relayed { inner, server: direct(), relayed, peer };
    let (mut io, mut buf, mut now, mut at) = (Log::default(), [0; 2048], Instant::EPOCH, Vec::new());
    loop {
        let before = io.sent.len();
        let wake = settle(&mut machine, now, &mut buf, &mut io);
        at.extend((io.sent.len() > before).then_some(now.since_epoch().as_millis()));
        let Some(wake) = wake else { break };
        assert_eq!(wake.why, "client: retransmit");
        now = wake.at;
    }
    assert_eq!(at, [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(now.to_string(), "39.5s");
    assert!(io.sent.iter().all(|sent| *sent == (direct(), vec![0x40, 1, 0, 2, 0, 7])));
    assert_eq!(io.events, ["timed out"]);
}

#[test]
fn foreign_is_untouched_and_the_next_takes_it() {
    let mut all = [Client::new(direct(), 1), Client::new(direct(), 2)];
    let mut buf = [0; 2048];
    buf[64..66].copy_from_slice(&[0x80, 2]);
    let mut input = Receive::new(direct(), Packet::received(&mut buf, 64..66).unwrap());
    let handled =
        all.iter_mut().map(|m| m.handle_input(Instant::EPOCH, &mut input)).find(|h| *h != Handled::Foreign);
    assert_eq!(handled, Some(Handled::Consumed));
    // It can be an object.
    let machine: &mut dyn Machine<Event = &'static str, Data = ()> = &mut all[1];
    assert_eq!(machine.poll_event(), Some("mapped"));
    assert!(machine.is_closed() && machine.poll_timeout().is_none());
}

#[test]
fn a_closed_machine_says_so_once_and_then_nothing() {
    let mut machine = Client::new(direct(), 1);
    machine.close(Instant::EPOCH);
    machine.close(Instant::EPOCH);
    let mut io = Log::default();
    assert_eq!(settle(&mut machine, Instant::EPOCH, &mut [0; 2048], &mut io), None);
    assert_eq!((io.events, io.sent.len()), (vec!["closed"], 0));
}

#[test]
fn a_notice_that_comes_at_once_is_drained_in_the_same_settle() {
    let local = addr("10.0.0.1:40000");
    let mut io = Log { answer: Some(Ok(local)), ..Log::default() };
    let mut machine = Opener::default();
    assert_eq!(settle(&mut machine, Instant::EPOCH, &mut [0; 2048], &mut io), None);
    assert_eq!(io.order, "rs");
    assert_eq!(io.sent, [(Path::udp(local, addr("192.0.2.1:1")), b"here".to_vec())]);
}

#[test]
fn a_notice_that_comes_later_is_drained_then() {
    let mut io = Log::default();
    let mut machine = Opener::default();
    settle(&mut machine, Instant::EPOCH, &mut [0; 2048], &mut io);
    assert_eq!(io.order, "r");
    let (ticket, result) = (Ticket(9), Ok(addr("10.0.0.1:40000")));
    Machine::handle_notice(&mut machine, Instant::EPOCH, Notice::Opened { ticket, result });
    settle(&mut machine, Instant::EPOCH, &mut [0; 2048], &mut io);
    assert_eq!(io.order, "rs");
}

#[test]
fn rule_4_events_come_before_data() {
    let (mut io, mut buf) = (Log::default(), [0; 2048]);
    let mut input = Receive::new(direct(), Packet::received(&mut buf, 64..65).unwrap());
    let data = receive(&mut Opener::default(), Instant::EPOCH, &mut input, &mut io);
    // When the data is in the caller's hand, the event has been told already.
    assert_eq!((data, io.order.as_str(), io.events), (Some(7), "e", vec![Err(Refused::TimedOut)]));
}

#[test]
fn receive_sends_the_answer_from_the_same_buffer() {
    /// Answers everything with one octet more.
    #[derive(Debug)]
    struct Echo;
    impl Echo {
        fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled {
            match input.packet.append(b"!") {
                Ok(()) => Handled::Send(Transmit::to(input.path)),
                Err(_) => Handled::Consumed,
            }
        }
        fn handle_timeout(&mut self, _: Instant) {}
        fn poll_transmit(&mut self, _: Instant, _: &mut Packet<'_>) -> Option<Transmit> {
            None
        }
        fn poll_event(&mut self) -> Option<()> {
            None
        }
        fn poll_timeout(&self) -> Option<Wake> {
            None
        }
        fn close(&mut self, _: Instant) {}
        fn is_closed(&self) -> bool {
            false
        }
    }
    machine!(impl [] Echo { Event = (); Data = (); });

    let (mut io, mut buf) = (Log::default(), [0; 2048]);
    buf[64..66].copy_from_slice(b"hi");
    let mut input = Receive::new(direct(), Packet::received(&mut buf, 64..66).unwrap());
    assert_eq!(receive(&mut Echo, Instant::EPOCH, &mut input, &mut io), None);
    assert_eq!(io.sent, [(direct(), b"hi!".to_vec())]);
}

#[test]
fn a_driver_without_room_loses_nothing() {
    let mut machine = Client::new(direct(), 1);
    let (mut io, mut buf) = (Log { room: 0, ..Log::default() }, [0; 2048]);
    // Nothing can be taken: nothing is written, and no attempt is used up.
    assert_eq!(settle(&mut machine, Instant::EPOCH, &mut buf, &mut io), None);
    assert_eq!((io.sent.len(), machine.attempt), (0, 0));
    io.room = 1;
    let wake = settle(&mut machine, Instant::EPOCH, &mut buf, &mut io);
    assert_eq!((io.sent.len(), wake.map(|w| w.at)), (1, Some(Instant::EPOCH + ms(500))));
    // Full again when the timer is due: the wake-up stays in the past until there is room.
    let late = Instant::EPOCH + ms(700);
    assert_eq!(settle(&mut machine, late, &mut buf, &mut io), wake);
    io.room = 1;
    assert_eq!(settle(&mut machine, late, &mut buf, &mut io).map(|w| w.at), Some(late + ms(1000)));
}

#[test]
#[cfg(debug_assertions)]
#[should_panic = "rule 2: a machine asks for `now` for ever"]
fn rule_2_is_checked_in_debug_builds() {
    /// Never satisfied.
    #[derive(Debug)]
    struct Restless;
    impl Restless {
        fn handle_input(&mut self, _: Instant, _: &mut Receive<'_>) -> Handled {
            Handled::Foreign
        }
        fn handle_timeout(&mut self, _: Instant) {}
        fn poll_transmit(&mut self, _: Instant, _: &mut Packet<'_>) -> Option<Transmit> {
            None
        }
        fn poll_event(&mut self) -> Option<()> {
            None
        }
        fn poll_timeout(&self) -> Option<Wake> {
            Some(Wake::new(Instant::EPOCH, "restless"))
        }
        fn close(&mut self, _: Instant) {}
        fn is_closed(&self) -> bool {
            false
        }
    }
    machine!(impl [] Restless { Event = (); Data = (); });

    settle(&mut Restless, Instant::EPOCH, &mut [0; 2048], &mut Log::default());
}

#[test]
fn tickets_nest() {
    let ticket = Ticket(5).nest(2).unwrap().nest(9).unwrap();
    assert_eq!(ticket.unnest().0, 9);
    assert_eq!(ticket.unnest().1.unnest(), (2, Ticket(5)));
    assert_eq!(Ticket(1 << 56).nest(0), None);
    assert_eq!(Ticket((1 << 56) - 1).nest(255), Some(Ticket(u64::MAX)));
    // Seven levels around a ticket of one octet, and not an eighth.
    let deepest = (0..7).fold(Ticket(255), |t, n| t.nest(n).unwrap());
    assert_eq!(deepest.nest(7), None);
}

#[test]
fn time_saturates() {
    let last = Instant::from_epoch(Duration::MAX);
    assert_eq!(last + ms(1), last);
    assert_eq!(Instant::EPOCH.saturating_since(last), Duration::ZERO);
    let mut now = Instant::EPOCH;
    now += ms(1500);
    assert_eq!((format!("{now}"), format!("{now:?}")), ("1.5s".into(), "t+1.5s".into()));
}

#[test]
fn of_two_wakes_at_once_one_is_always_the_same() {
    let (a, b) = (Wake::new(Instant::EPOCH, "a"), Wake::new(Instant::EPOCH, "b"));
    assert_eq!(Wake::soonest([Some(b), Some(a)]), Wake::soonest([Some(a), Some(b)]));
}

#[test]
fn hard_errors_are_those_of_rfc1122() {
    let hard = |error: IcmpError| error.is_hard();
    // RFC 1122 section 4.2.3.9, RFC 8445 section 19.2: destination unreachable, codes 2 to 4.
    assert_eq!((0..=15).filter(|code| hard(IcmpError::v4(3, *code, 0))).collect::<Vec<_>>(), [2, 3, 4]);
    assert!(
        (0..=255)
            .filter(|kind| *kind != 3)
            .all(|kind| (0..=15).all(|code| !hard(IcmpError::v4(kind, code, 0))))
    );
    // RFC 4443 section 3: port unreachable, packet too big, unrecognized next header.
    assert_eq!((0..=7).filter(|code| hard(IcmpError::v6(1, *code, 0))).collect::<Vec<_>>(), [4]);
    assert!(hard(IcmpError::v6(2, 0, 1_280)) && hard(IcmpError::v6(4, 1, 0)));
    assert!(
        !hard(IcmpError::v6(3, 0, 0)) && !hard(IcmpError::v6(4, 0, 0)) && !hard(IcmpError::v6(128, 4, 0))
    );
    // RFC 8656 section 18.13: data is the MTU, or zero.
    for kind in 0..=255 {
        for code in 0..=15 {
            let (v4, v6) = (IcmpError::v4(kind, code, 1_400), IcmpError::v6(kind, code, 1_400));
            assert_eq!(v4.data, if (kind, code) == (3, 4) { 1_400 } else { 0 });
            assert_eq!(v6.data, if kind == 2 { 1_400 } else { 0 });
            assert_eq!((v4.mtu().unwrap_or(0), v6.mtu().unwrap_or(0)), (v4.data, v6.data));
        }
    }
    assert_eq!(IcmpError::v6(2, 0, 1_280).to_string(), "ICMPv6 type 2 code 0 (too big)");
    assert_eq!(IcmpError::v4(12, 0, 0).to_string(), "ICMP type 12 code 0");
}

#[test]
fn host_names_are_what_tls_can_send() {
    let parse = |text: &str| text.parse::<HostName>();
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
    for good in
        ["localhost", "a", "xn--bcher-kva.example", "a-b.c", "1.example", "_sip.example", "1a", &longest]
    {
        assert_eq!(parse(good).map(|name| name.to_string()).as_deref(), Ok(good));
        assert_eq!(parse(&format!("{good}.")), parse(good), "a dot at the end is not sent");
    }
    assert_eq!(longest.len(), 253);
    assert_eq!(parse("EXAMPLE.org"), parse("example.ORG"));
    let refused = [
        ("", HostNameError::Empty),
        (".", HostNameError::Empty),
        ("a..b", HostNameError::Label { at: 2 }),
        (".a", HostNameError::Label { at: 0 }),
        ("ab.-c", HostNameError::Label { at: 3 }),
        ("ab-.c", HostNameError::Label { at: 0 }),
        ("a b", HostNameError::Octet { at: 1 }),
        ("b\u{fc}cher.example", HostNameError::Octet { at: 1 }),
        ("a\0b", HostNameError::Octet { at: 1 }),
        ("*.example", HostNameError::Octet { at: 0 }),
        ("192.0.2.1", HostNameError::Address),
        ("2130706433", HostNameError::Address),
        ("127.1", HostNameError::Address),
        ("::1", HostNameError::Address),
        ("example.org:443", HostNameError::Octet { at: 11 }),
    ];
    for (bad, why) in refused {
        assert_eq!(parse(bad), Err(why), "{bad}");
        assert!(!why.to_string().is_empty());
    }
    assert_eq!(parse(&format!("{longest}b")), Err(HostNameError::TooLong));
    assert_eq!(parse(&format!("{label}a.b")), Err(HostNameError::Label { at: 0 }));
    assert_eq!(format!("{:?}", parse("a.b").unwrap()), "HostName(a.b)");
}
