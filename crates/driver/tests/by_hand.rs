//! The loop, polled by hand over real sockets whose readiness the test decides.

use std::{
    fmt::Debug,
    future::Future as _,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use ginnel_core::{Ecn, Epoch, Handled, Instant, Packet, Path, Port, Receive, Transmit, Wake, machine};
use ginnel_driver::{App, Driver, Interest, Listener, Runtime, SockRef, Socket, Timer};
use ginnel_netsim::toy::{Event, Ping};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// For what loopback brings.
const PATIENCE: Duration = Duration::from_secs(20);

/// A runtime whose sockets take nothing while it is full, say first what ICMP says, and whose timers never fire.
#[derive(Clone, Debug, Default)]
struct Hand {
    full: Arc<AtomicBool>,
    /// These take nothing.
    full_at: Arc<Mutex<Vec<SocketAddr>>>,
    /// How many errors the next reads give, before what has come.
    unreachable: Arc<AtomicU32>,
    /// What is full is said to be ready, as some runtimes do after an error.
    lies: Arc<AtomicBool>,
    /// Nothing will ever be ready again.
    over: Arc<AtomicBool>,
    /// What was wrapped, by another name.
    wrapped: Arc<Mutex<Vec<UdpSocket>>>,
    /// What timers were set to.
    deadlines: Arc<Mutex<Vec<std::time::Instant>>>,
}
#[derive(Debug)]
struct HandSocket<T>(T, Hand);
#[derive(Debug)]
struct HandListener(TcpListener, Hand);
#[derive(Debug)]
struct HandTimer(Hand);

impl Runtime for Hand {
    type Socket = HandSocket<UdpSocket>;
    type Stream = HandSocket<TcpStream>;
    type Listener = HandListener;
    type Timer = HandTimer;
    fn wrap(&self, socket: UdpSocket) -> io::Result<HandSocket<UdpSocket>> {
        self.wrapped.lock().unwrap().push(socket.try_clone()?);
        Ok(HandSocket(socket, self.clone()))
    }
    fn stream(&self, stream: TcpStream) -> io::Result<HandSocket<TcpStream>> {
        Ok(HandSocket(stream, self.clone()))
    }
    fn listener(&self, listener: TcpListener) -> io::Result<HandListener> {
        Ok(HandListener(listener, self.clone()))
    }
    fn timer(&self) -> HandTimer {
        HandTimer(self.clone())
    }
}
impl<T> HandSocket<T>
where
    for<'s> SockRef<'s>: From<&'s T>,
{
    fn is_full(&self, interest: Interest) -> bool {
        let local = SockRef::from(&self.0).local_addr().ok().and_then(|local| local.as_socket());
        let listed = || self.1.full_at.lock().unwrap().iter().any(|full| Some(*full) == local);
        interest == Interest::Writable && (self.1.full.load(Ordering::Relaxed) || listed())
    }
}
impl Listener<HandSocket<TcpStream>> for HandListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(HandSocket<TcpStream>, SocketAddr)>> {
        match self.0.accept() {
            Ok((stream, remote)) => Poll::Ready(Ok((HandSocket(stream, self.1.clone()), remote))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                cx.waker().wake_by_ref(); // look again at the next poll
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
impl<T: Debug> Socket for HandSocket<T>
where
    for<'s> SockRef<'s>: From<&'s T>,
{
    fn poll_ready(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.1.over.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::Error::other("the runtime is shutting down")));
        }
        if interest == Interest::Readable {
            cx.waker().wake_by_ref(); // look again at the next poll
            return Poll::Pending;
        }
        let waits = self.is_full(interest) && !self.1.lies.load(Ordering::Relaxed);
        if waits { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
    fn try_io<O>(&self, interest: Interest, mut io: impl FnMut() -> io::Result<O>) -> io::Result<O> {
        let refused = |left: u32| left.checked_sub(1);
        if interest == Interest::Readable
            && self.1.unreachable.fetch_update(Ordering::Relaxed, Ordering::Relaxed, refused).is_ok()
        {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        if self.is_full(interest) { Err(io::ErrorKind::WouldBlock.into()) } else { io() }
    }
    fn sock_ref(&self) -> SockRef<'_> {
        SockRef::from(&self.0)
    }
}
impl Timer for HandTimer {
    fn reset(&mut self, deadline: std::time::Instant) {
        self.0.deadlines.lock().unwrap().push(deadline);
    }
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// What came, and how it was marked.
#[derive(Default)]
struct Seen(Vec<(u32, Ecn)>);
impl App<Ping> for Seen {
    fn event(&mut self, _: Instant, _: &mut Ping, _: Event) {}
    fn data(&mut self, _: Instant, _: &mut Ping, number: u32, input: &mut Receive<'_>) -> Option<Transmit> {
        self.0.push((number, input.ecn));
        None
    }
}

fn poll(driver: &mut Driver<Hand, Ping>, app: &mut Seen) -> Poll<()> {
    pin!(driver.run(app)).poll(&mut Context::from_waker(Waker::noop()))
}

/// A pinger at rest.
fn ping(hand: &Hand, to: std::net::SocketAddr) -> Driver<Hand, Ping> {
    let machine = Ping::new(LOCALHOST, to, 0, Duration::ZERO).with_size(100);
    let mut driver = Driver::new(hand.clone(), Epoch::start(), machine);
    driver.with(|_, _| ());
    driver
}

/// The numbers in what has come to a socket of the standard library.
fn numbers(socket: &UdpSocket) -> Vec<u32> {
    let mut buf = [0; 2_048];
    let mut numbers = Vec::new();
    while let Ok(len) = socket.recv(&mut buf) {
        assert!(len >= 4);
        numbers.push(u32::from_be_bytes([buf[0], buf[1], buf[2], buf[3]]));
    }
    numbers
}

/// The same of so many, which are waited for, and of what else there is.
fn so_many_numbers(socket: &UdpSocket, count: usize) -> Vec<u32> {
    // Loopback may take its time on a busy machine.
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buf = [0; 2_048];
    let mut heard = Vec::new();
    while heard.len() < count {
        let len = socket.recv(&mut buf).unwrap();
        assert!(len >= 4);
        heard.push(u32::from_be_bytes([buf[0], buf[1], buf[2], buf[3]]));
    }
    socket.set_nonblocking(true).unwrap();
    heard.extend(numbers(socket));
    heard
}

#[test]
fn what_the_system_has_no_room_for_waits_and_comes_in_order() {
    const COUNT: u32 = 100;
    let hand = Hand::default();
    let receiver = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    receiver.set_nonblocking(true).unwrap();
    let target = receiver.local_addr().unwrap();
    let (mut driver, mut app) = (ping(&hand, target), Seen::default());
    let path = Path::udp(driver.machine().local().unwrap(), target);

    hand.full.store(true, Ordering::Relaxed);
    driver.with(|ping, now| ping.ping(now, COUNT));
    assert!(poll(&mut driver, &mut app).is_pending());
    let stats = driver.stats();
    assert_eq!((stats.sent, stats.blocked, stats.dropped), (0, 1, 0));
    assert!(numbers(&receiver).is_empty());

    // User data cannot wait in the machine: it waits behind what waits already, of any size.
    let mut send = |octets: &[u8]| driver.send(octets, |_, _, _| Ok::<_, ()>(Transmit::to(path)));
    let mut datagram = [0; 100];
    datagram[..4].copy_from_slice(&1_000_u32.to_be_bytes());
    assert_eq!((send(&datagram), send(&datagram[..50])), (Ok(()), Ok(())));
    assert_eq!((driver.stats().sent, driver.stats().blocked, driver.stats().dropped), (0, 1, 0));

    hand.full.store(false, Ordering::Relaxed);
    assert!(poll(&mut driver, &mut app).is_pending());
    let expected: Vec<u32> = (0..COUNT).chain([1_000; 2]).collect();
    assert_eq!(so_many_numbers(&receiver, expected.len()), expected);
    assert_eq!((driver.stats().sent, driver.stats().dropped), (u64::from(COUNT) + 2, 0));
}

#[test]
fn a_full_socket_holds_its_machine_back_and_drops_what_cannot_wait() {
    const COUNT: u32 = 900;
    let hand = Hand::default();
    let receiver = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    receiver.set_nonblocking(true).unwrap();
    let target = receiver.local_addr().unwrap();
    let (mut driver, mut app) = (ping(&hand, target), Seen::default());
    let path = Path::udp(driver.machine().local().unwrap(), target);

    hand.full.store(true, Ordering::Relaxed);
    driver.with(|ping, now| ping.ping(now, COUNT));
    for _ in 0..10 {
        assert!(poll(&mut driver, &mut app).is_pending());
    }
    assert_eq!((driver.stats().sent, driver.stats().dropped), (0, 0), "what is not asked for is not lost");

    // 128 KiB wait at most. User data takes what is left of that, and the rest of it is dropped.
    for _ in 0..200 {
        driver.send(&[9; 1_000], |_, _, _| Ok::<_, ()>(Transmit::to(path))).unwrap();
    }
    let dropped = driver.stats().dropped;
    assert!((70..=170).contains(&dropped), "{dropped}");

    hand.full.store(false, Ordering::Relaxed);
    let (mut came, user) = (Vec::new(), u32::from_be_bytes([9; 4]));
    for _ in 0..20 {
        assert!(poll(&mut driver, &mut app).is_pending());
        came.extend(numbers(&receiver).into_iter().filter(|number| *number != user));
    }
    assert_eq!(driver.stats().sent, u64::from(COUNT) + 200 - dropped, "all of it, when there is room");
    // The receiver's own buffer has an end too.
    assert!(came.len() > 100 && came.is_sorted(), "in order: {came:?}");
    assert_eq!(driver.stats().dropped, dropped);
}

/// Passes on to each socket's own peer what comes from anywhere: a relay without any rules.
#[derive(Debug, Default)]
struct Relay(Vec<(SocketAddr, SocketAddr)>);
impl Relay {
    fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled {
        let Some(octet) = input.packet.bytes().first() else { return Handled::Consumed };
        let Some((local, peer)) = self.0.get(usize::from(*octet)) else { return Handled::Consumed };
        Handled::Send(Transmit::to(Path::udp(*local, *peer)))
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
machine!(impl [] Relay { Event = (); Data = (); });
impl App<Relay> for Nobody {
    fn event(&mut self, _: Instant, _: &mut Relay, (): ()) {}
}

#[test]
fn a_full_relay_socket_stops_no_other() {
    let hand = Hand::default();
    let mut driver = Driver::new(hand.clone(), Epoch::start(), Relay::default());
    let open = || {
        let socket = UdpSocket::bind((LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        (socket.local_addr().unwrap(), socket)
    };
    let (listener, (_, client_socket)) = (driver.bind(LOCALHOST, Port::Any).unwrap(), open());
    let peers = [open(), open()];
    let relays = [(); 2].map(|()| driver.bind(LOCALHOST, Port::Any).unwrap());
    driver.with(|relay, _| relay.0 = relays.into_iter().zip(peers.iter().map(|(peer, _)| *peer)).collect());
    hand.full_at.lock().unwrap().push(relays[0]);

    let mut heard = [0; 2];
    let mut listen = || {
        for (count, (_, peer)) in heard.iter_mut().zip(&peers) {
            *count += std::iter::from_fn(|| peer.recv(&mut [0; 2_000]).ok()).count();
        }
        heard
    };
    for _ in 0..200 {
        listen();
        for number in [0, 1] {
            client_socket.send_to(&[number; 1_000], listener).unwrap();
            assert!(pin!(driver.run(&mut Nobody)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    }
    assert_eq!(listen(), [0, 200], "{:?}", driver.stats());
    let waiting = 200 - driver.stats().dropped;
    assert!((60..=140).contains(&waiting), "what waits has a bound: {:?}", driver.stats());

    hand.full_at.lock().unwrap().clear();
    assert!(pin!(driver.run(&mut Nobody)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(driver.stats().sent, 200 + waiting, "and leaves when there is room");
    assert!(listen()[0] > 50, "{:?}", driver.stats());
}

#[test]
fn a_runtime_that_always_says_ready_is_asked_again_in_time_and_not_at_once() {
    let hand = Hand::default();
    let receiver = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    receiver.set_nonblocking(true).unwrap();
    let (mut driver, mut app) = (ping(&hand, receiver.local_addr().unwrap()), Seen::default());
    hand.full.store(true, Ordering::Relaxed);
    hand.lies.store(true, Ordering::Relaxed);
    driver.with(|ping, now| ping.ping(now, 3));
    let before = driver.stats().sends;
    assert!(poll(&mut driver, &mut app).is_pending(), "it does not spin");
    assert!(driver.stats().sends - before <= 4, "{:?}", driver.stats());
    assert_eq!(hand.deadlines.lock().unwrap().len(), 1, "and comes back");
    hand.full.store(false, Ordering::Relaxed);
    assert!(poll(&mut driver, &mut app).is_pending());
    assert_eq!(so_many_numbers(&receiver, 3), [0, 1, 2]);
}

#[test]
fn a_closed_machine_is_driven_until_its_last_words_are_out() {
    let hand = Hand::default();
    let receiver = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    receiver.set_nonblocking(true).unwrap();
    let (mut driver, mut app) = (ping(&hand, receiver.local_addr().unwrap()), Seen::default());
    driver.with(|ping, now| {
        ping.ping(now, 3);
    });
    driver.with(|ping, now| ping.close(now));
    assert_eq!(poll(&mut driver, &mut app), Poll::Ready(()));
    assert_eq!(so_many_numbers(&receiver, 3), [0, 1, 2]);
    assert_eq!(driver.locals().count(), 0);
}

#[test]
fn congestion_marks_cross_with_their_datagrams() {
    let hand = Hand::default();
    let nowhere = "127.0.0.1:9".parse().unwrap();
    let (mut left, mut right) = (ping(&hand, nowhere), ping(&hand, nowhere));
    let path = Path::udp(left.machine().local().unwrap(), right.machine().local().unwrap());
    let marks = [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce];
    for (number, ecn) in (0_u32..).zip(marks) {
        let mut transmit = Transmit::to(path);
        transmit.ecn = ecn;
        left.send(&number.to_be_bytes(), |_, _, _| Ok::<_, ()>(transmit)).unwrap();
    }
    let mut app = Seen::default();
    assert!(poll(&mut right, &mut app).is_pending());
    assert_eq!(app.0, (0..).zip(marks).collect::<Vec<_>>());
}

#[test]
fn any_number_of_icmp_errors_leaves_a_socket_open() {
    let hand = Hand::default();
    let friend = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    let (mut driver, mut app) = (ping(&hand, friend.local_addr().unwrap()), Seen::default());
    let local = driver.machine().local().unwrap();
    friend.send_to(&7_u32.to_be_bytes(), local).unwrap();
    hand.unreachable.store(10_000, Ordering::Relaxed);
    for _ in 0..10_000 / 256 + 2 {
        assert!(poll(&mut driver, &mut app).is_pending());
    }
    assert_eq!((app.0, driver.stats().receive_errors), (vec![(7, Ecn::NotEct)], 10_000));
    assert_eq!(driver.locals().collect::<Vec<_>>(), [local]);
}

#[test]
fn what_the_system_refuses_to_send_is_counted_and_nothing_ends() {
    let hand = Hand::default();
    let friend = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    friend.set_nonblocking(true).unwrap();
    let target = friend.local_addr().unwrap();
    let (mut driver, mut app) = (ping(&hand, target), Seen::default());
    let local = driver.machine().local().unwrap();
    // A port that is none, an address that is nobody's to send to from loopback, and one that answers with ICMP.
    let closed = "127.0.0.1:1".parse().unwrap();
    for remote in ["127.0.0.1:0".parse().unwrap(), "192.0.2.1:9".parse().unwrap(), closed, target] {
        let sent = driver.send(&[0; 4], |_, _, _| Ok::<_, ()>(Transmit::to(Path::udp(local, remote))));
        assert_eq!(sent, Ok(()));
        assert!(poll(&mut driver, &mut app).is_pending());
    }
    assert!(driver.stats().send_errors >= 1 && driver.stats().sent >= 2, "{:?}", driver.stats());
    assert_eq!((so_many_numbers(&friend, 1), driver.locals().count()), (vec![0], 1));
}

#[test]
fn what_waits_is_given_up_when_the_runtime_shuts_down() {
    let hand = Hand::default();
    let (mut driver, mut app) = (ping(&hand, "127.0.0.1:9".parse().unwrap()), Seen::default());
    hand.full.store(true, Ordering::Relaxed);
    driver.with(|ping, now| ping.ping(now, 1));
    hand.over.store(true, Ordering::Relaxed);
    let _ = poll(&mut driver, &mut app); // comes back
    assert_eq!((driver.stats().sent, driver.stats().send_errors), (0, 1));
    assert_eq!(driver.locals().count(), 0, "the socket is lost too");
}

/// Sends back what comes, wherever it came to.
#[derive(Debug, Default)]
struct Mirror(Vec<Path>);
impl Mirror {
    fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled {
        self.0.push(input.path);
        Handled::Send(Transmit::to(input.path))
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
machine!(impl [] Mirror { Event = (); Data = (); });

struct Nobody;
impl App<Mirror> for Nobody {
    fn event(&mut self, _: Instant, _: &mut Mirror, (): ()) {}
}

/// Asks a mirror that is on every address, at `ip`, from a socket that hears no other.
fn ask(unspecified: &str, ip: &str) {
    let mut driver = Driver::new(Hand::default(), Epoch::start(), Mirror::default());
    let Ok(bound) = driver.bind(unspecified.parse().unwrap(), Port::Any) else {
        return; // this host has no IPv6
    };
    let target = std::net::SocketAddr::new(ip.parse().unwrap(), bound.port());
    let here: IpAddr = if target.is_ipv4() { LOCALHOST } else { Ipv6Addr::LOCALHOST.into() };
    let asker = UdpSocket::bind((here, 0)).unwrap();
    asker.connect(target).unwrap();
    asker.set_read_timeout(Some(PATIENCE)).unwrap();
    for number in 0..3 {
        asker.send(&[number; 5]).unwrap();
    }
    let epoch = Epoch::start();
    while driver.machine().0.len() < 3 {
        assert!(pin!(driver.run(&mut Nobody)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(epoch.now() < Instant::EPOCH + PATIENCE, "they come");
    }
    let path = Path::udp(target, asker.local_addr().unwrap());
    assert_eq!(driver.machine().0, [path; 3], "a path is concrete");
    let mut buf = [0; 16];
    for number in 0..3 {
        assert_eq!(asker.recv(&mut buf).ok(), Some(5), "the answer comes from where the question went");
        assert_eq!(buf[..5], [number; 5]);
    }
}

#[test]
fn a_socket_on_every_address_answers_from_the_one_that_was_asked() {
    ask("0.0.0.0", "127.0.0.1");
    ask("::", "::1");
    if cfg!(target_os = "linux") {
        ask("0.0.0.0", "127.0.0.77"); // the routing would answer from 127.0.0.1
    }
}

#[test]
fn a_loop_can_be_sent_to_another_thread() {
    fn assert_send<T: Send>(_: &T) {}
    let mut driver = ping(&Hand::default(), "127.0.0.1:9".parse().unwrap());
    let mut app = Seen::default();
    assert_send(&driver.run(&mut app));
}

/// The traffic class of the next datagram, as it stands in its header.
#[cfg(target_os = "linux")]
fn class_on_the_wire(socket: &UdpSocket) -> u8 {
    use std::os::fd::AsRawFd as _;

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
    let (mut octets, mut control) = ([0; 64], nix::cmsg_space!(i32, i32));
    let mut slices = [io::IoSliceMut::new(&mut octets)];
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::empty());
    let message = message.expect("a datagram");
    let class = message.cmsgs().unwrap().find_map(|control| match control {
        ControlMessageOwned::Ipv4Tos(class) => Some(class),
        ControlMessageOwned::Ipv6TClass(class) => u8::try_from(class).ok(),
        _ => None,
    });
    class.expect("it is asked for")
}

/// RFC 8656 section 14: DF and DSCP are what the machine says of each datagram, whatever the one before had.
#[cfg(target_os = "linux")]
#[test]
fn each_datagram_has_its_code_point_and_its_mark_and_is_whole_or_not() {
    use nix::sys::socket::{setsockopt, sockopt};
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, ip_mtu_discover, ipv6_mtu_discover,
    };
    for ip in [LOCALHOST, Ipv6Addr::LOCALHOST.into()] {
        let Ok(peer) = UdpSocket::bind((ip, 0)) else { continue }; // this host has no IPv6
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let hand = Hand::default();
        let mut driver = Driver::new(hand.clone(), Epoch::start(), Mirror::default());
        let path = Path::udp(driver.bind(ip, Port::Any).unwrap(), peer.local_addr().unwrap());
        let socket = hand.wrapped.lock().unwrap().pop().unwrap();
        let is_whole = || match ip {
            IpAddr::V4(_) => ip_mtu_discover(&socket).unwrap() == Ipv4PathMtuDiscovery::PROBE,
            IpAddr::V6(_) => ipv6_mtu_discover(&socket).unwrap() == Ipv6PathMtuDiscovery::PROBE,
        };
        match ip {
            IpAddr::V4(_) => setsockopt(&peer, sockopt::IpRecvTos, &true).unwrap(),
            IpAddr::V6(_) => setsockopt(&peer, sockopt::Ipv6RecvTClass, &true).unwrap(),
        }
        assert!(is_whole(), "as the socket was opened");
        let class_of_mark = [(Ecn::NotEct, 0), (Ecn::Ect1, 1), (Ecn::Ect0, 2), (Ecn::Ce, 3)];
        for (dscp, whole) in [(0, true), (46, true), (46, false), (0, false), (10, true), (0, true)] {
            // Alone, and as runs that segmentation offload would put together.
            for width in [1, 3] {
                for (ecn, mark) in class_of_mark {
                    let mut transmit = Transmit::to(path);
                    (transmit.dscp, transmit.dont_fragment, transmit.ecn) = (dscp, whole, ecn);
                    let told =
                        (0..width).try_for_each(|_| driver.send(&[7; 20], |_, _, _| Ok::<_, ()>(transmit)));
                    assert_eq!((told, is_whole()), (Ok(()), whole));
                    for _ in 0..width {
                        assert_eq!(class_on_the_wire(&peer), dscp << 2 | mark, "{transmit:?}");
                    }
                }
            }
        }
    }
}
