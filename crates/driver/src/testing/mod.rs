//! The tests of the loop, which every runtime runs: `ginnel_driver::loop_tests!(Tokio, block_on)`.
//!
//! They use real sockets and real time, wait for things to happen and never for time to pass, and fail after
//! [`PATIENCE`].

#[cfg(feature = "dtls")]
mod dtls;
mod icmp;
mod joined;
mod node;
#[cfg(feature = "relay")]
mod relay;
#[cfg(feature = "tls")]
mod secure;
#[cfg(feature = "dtls")]
mod shards;
mod storm;
mod streams;

use std::{
    future::{Future, poll_fn},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    task::Poll,
    time::Duration,
};

use ginnel_core::{Epoch, Instant, Machine, Path, Port, Receive, Refused, Transmit};
use ginnel_netsim::toy::{Echo, Event, Ping};

#[cfg(feature = "dtls")]
pub use dtls::*;
pub use icmp::*;
pub use joined::*;
#[cfg(feature = "relay")]
pub use relay::*;
#[cfg(feature = "tls")]
pub use secure::*;
#[cfg(feature = "dtls")]
pub use shards::*;
pub use storm::{Mark, Storm};
pub use streams::*;

use crate::{App, Driver, Interfaces, Runtime, Timer, interfaces};

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Makes one test of each function below, for a runtime and the function that runs a future on it.
#[macro_export]
macro_rules! loop_tests {
    ($runtime:expr, $block_on:expr) => {
        $crate::loop_tests!(@ $runtime, $block_on;
            pings_come_back_in_their_time
            pings_come_back_over_ipv6
            dropping_the_loop_loses_nothing
            user_data_is_sent_at_once
            what_cannot_be_bound_is_refused
            released_sockets_are_free_again
            a_flood_starves_neither_timer_nor_neighbours
            a_wake_up_that_never_comes_hurts_nobody
            runs_of_datagrams_cross_whole
            a_group_is_heard_by_all_its_members
        );
    };
    (@ $runtime:expr, $block_on:expr; $($test:ident)*) => {
        $(#[test]
        fn $test() {
            $block_on($crate::testing::ends($runtime, $crate::testing::$test($runtime)));
        })*
    };
}

/// Runs a test, which has so long, however often it is patient.
pub async fn ends(runtime: impl Runtime, test: impl Future<Output = ()>) {
    within(&runtime, 6 * PATIENCE, test).await;
}

/// Where nobody listens, and the system puts nobody who does not ask for it.
fn nobody() -> SocketAddr {
    // All of 127.0.0.0/8 is this host on Linux alone.
    let ip = if cfg!(target_os = "linux") { Ipv4Addr::new(127, 0, 0, 5) } else { Ipv4Addr::LOCALHOST };
    SocketAddr::new(ip.into(), 1)
}

/// Keeps what it is told, and closes its machine when it has as much data as it wants.
#[derive(Debug)]
struct Keep<M: Machine> {
    events: Vec<M::Event>,
    data: Vec<(M::Data, Path, usize)>,
    enough: usize,
}
impl<M: Machine> Keep<M> {
    fn new(enough: usize) -> Self {
        Self { events: Vec::new(), data: Vec::new(), enough }
    }
}
impl<M: Machine> App<M> for Keep<M> {
    fn event(&mut self, _: Instant, _: &mut M, event: M::Event) {
        self.events.push(event);
    }
    fn data(
        &mut self,
        now: Instant,
        machine: &mut M,
        data: M::Data,
        input: &mut Receive<'_>,
    ) -> Option<Transmit> {
        self.data.push((data, input.path, input.packet.len()));
        if self.data.len() == self.enough {
            machine.close(now);
        }
        None
    }
}

/// The first of two futures that is done; both are polled each time.
async fn race<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> Result<A, B> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| match (a.as_mut().poll(cx), b.as_mut().poll(cx)) {
        (Poll::Ready(a), _) => Poll::Ready(Ok(a)),
        (_, Poll::Ready(b)) => Poll::Ready(Err(b)),
        _ => Poll::Pending,
    })
    .await
}

/// Fails the test when `future` takes too long.
async fn patiently<T>(runtime: &impl Runtime, future: impl Future<Output = T>) -> T {
    within(runtime, PATIENCE, future).await
}

async fn within<T>(runtime: &impl Runtime, limit: Duration, future: impl Future<Output = T>) -> T {
    let epoch = Epoch::start();
    let mut timer = runtime.timer();
    timer.reset(epoch.to_std(Instant::EPOCH + limit));
    match race(future, poll_fn(|cx| timer.poll(cx))).await {
        Ok(done) => done,
        Err(()) => panic!("not done after {limit:?}"),
    }
}

/// Lets others run so many times.
async fn turns(mut left: u32) {
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// An echo whose socket is open.
fn echo<R: Runtime>(runtime: R) -> (Driver<R, Echo>, SocketAddr) {
    let mut driver = Driver::new(runtime, Epoch::start(), Echo::anywhere(LOCALHOST));
    driver.with(|_, _| ());
    let local = driver.machine().local().expect("the echo has a socket");
    (driver, local)
}

pub async fn pings_come_back_in_their_time<R: Runtime + Clone>(runtime: R) {
    let (mut echo, target) = echo(runtime.clone());
    let epoch = Epoch::start();
    let every = Duration::from_millis(3);
    let mut ping = Driver::new(runtime.clone(), epoch, Ping::new(LOCALHOST, target, 20, every));
    let mut app = Keep::new(20);
    let mut echoes = Keep::new(0);
    let both = race(ping.run(&mut app), echo.run(&mut echoes));
    assert_eq!(patiently(&runtime, both).await, Ok(()), "the ping closes, the echo does not");

    assert!(epoch.now() >= Instant::EPOCH + every * 19, "no timer fires early");
    assert_eq!(app.data.iter().map(|(number, ..)| *number).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    let [Event::Opened(local), Event::Closed] = app.events[..] else { panic!("{:?}", app.events) };
    assert!(app.data.iter().all(|(_, path, len)| (*path, *len) == (Path::udp(local, target), 4)));
    assert_eq!((ping.stats().sent, ping.stats().received), (20, 20));
    assert_eq!(ping.locals().count(), 0, "a closed machine has given its socket back");
    assert_eq!(echo.locals().collect::<Vec<_>>(), [target]);
}

pub async fn pings_come_back_over_ipv6<R: Runtime + Clone>(runtime: R) {
    let mut echo = Driver::new(runtime.clone(), Epoch::start(), Echo::anywhere(Ipv6Addr::LOCALHOST));
    echo.with(|_, _| ());
    let (mut app, mut echoes) = (Keep::new(3), Keep::new(0));
    let Some(target) = echo.machine().local() else {
        // This machine has no IPv6: then that is what it is told.
        echo.with(|echo, now| echo.close(now));
        patiently(&runtime, echo.run(&mut echoes)).await;
        assert!(matches!(echoes.events[..], [Event::Refused(_), Event::Closed]), "{:?}", echoes.events);
        return;
    };
    let ping = Ping::new(Ipv6Addr::LOCALHOST, target, 3, Duration::ZERO);
    let mut ping = Driver::new(runtime.clone(), Epoch::start(), ping);
    assert_eq!(patiently(&runtime, race(ping.run(&mut app), echo.run(&mut echoes))).await, Ok(()));
    let [Event::Opened(local), Event::Closed] = app.events[..] else { panic!("{:?}", app.events) };
    assert_eq!(app.data, [0, 1, 2].map(|number| (number, Path::udp(local, target), 4)));
}

pub async fn dropping_the_loop_loses_nothing<R: Runtime + Clone>(runtime: R) {
    let (mut echo, target) = echo(runtime.clone());
    let ping = Ping::new(LOCALHOST, target, 0, Duration::from_micros(200));
    let mut ping = Driver::new(runtime.clone(), Epoch::start(), ping);
    let (mut app, mut echoes) = (Keep::new(200), Keep::new(0));
    ping.with(|ping, now| ping.ping(now, 100));
    let mut dropped = 0;
    patiently(&runtime, async {
        // Each time both loops are dropped in the middle, after a few turns.
        while race(race(ping.run(&mut app), echo.run(&mut echoes)), turns(dropped % 7)).await.is_err() {
            dropped += 1;
            if dropped == 20 {
                ping.with(|ping, now| ping.ping(now, 100));
            }
        }
    })
    .await;
    assert!(dropped >= 20, "{dropped}");
    assert_eq!(app.data.iter().map(|(number, ..)| *number).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
    patiently(&runtime, ping.run(&mut app)).await; // closed already: over at once
}

pub async fn user_data_is_sent_at_once<R: Runtime + Clone>(runtime: R) {
    let (mut echo, target) = echo(runtime.clone());
    let ping = Ping::new(LOCALHOST, target, 0, Duration::ZERO);
    let mut ping = Driver::new(runtime.clone(), Epoch::start(), ping);
    ping.with(|_, _| ());
    let path = Path::udp(ping.machine().local().expect("a socket"), target);
    assert_eq!(ping.send(b"x", |_, _, _| Err::<Transmit, _>("not now")), Err("not now"));
    assert_eq!(ping.stats().sent, 0);
    let sent = ping.send(&[0, 0, 0, 7, 1, 2, 3], |_, _, _| Ok::<_, ()>(Transmit::to(path)));
    assert_eq!((sent, ping.stats().sent), (Ok(()), 1));
    let nowhere = Path::udp(target, target);
    assert_eq!(ping.send(b"x", |_, _, _| Ok::<_, ()>(Transmit::to(nowhere))), Ok(()));
    assert_eq!(ping.stats().not_open, 1);

    let mut app = Keep::new(1);
    let mut echoes = Keep::new(0);
    let both = race(ping.run(&mut app), echo.run(&mut echoes));
    assert_eq!(patiently(&runtime, both).await, Ok(()));
    assert_eq!(app.data, [(7, path, 7)]);
}

pub async fn what_cannot_be_bound_is_refused<R: Runtime + Clone>(runtime: R) {
    let (_echo, taken) = echo(runtime.clone());
    let refusal = |machine: Echo| {
        let mut driver = Driver::new(runtime.clone(), Epoch::start(), machine);
        driver.with(|_, _| ());
        driver.with(|echo, now| echo.close(now));
        driver
    };
    let cases = [
        (Echo::new(LOCALHOST, taken.port()), Refused::InUse),
        (Echo::new("203.0.113.77", 7), Refused::Unreachable),
        (Echo::anywhere("224.0.0.199"), Refused::NotPermitted),
    ];
    for (machine, why) in cases {
        let mut app = Keep::new(0);
        patiently(&runtime, refusal(machine).run(&mut app)).await;
        assert_eq!(app.events, [Event::Refused(why), Event::Closed]);
    }
}

pub async fn released_sockets_are_free_again<R: Runtime + Clone>(runtime: R) {
    let (mut first, local) = echo(runtime.clone());
    let extra = first.bind(LOCALHOST, Port::Even).expect("another socket");
    assert_eq!((extra.port() % 2, first.locals().count()), (0, 2));
    first.with(|echo, now| echo.close(now));
    assert_eq!(first.locals().collect::<Vec<_>>(), [extra]);
    let mut second = Driver::new(runtime, Epoch::start(), Echo::new(LOCALHOST, local.port()));
    second.with(|_, _| ());
    assert_eq!(second.machine().local(), Some(local));
}

pub async fn a_flood_starves_neither_timer_nor_neighbours<R: Runtime + Clone>(runtime: R) {
    // A machine that answers itself: its socket is never empty, so a loop without measure would never return.
    let storm = Storm::new(LOCALHOST, 16, 20_000, Duration::from_millis(1));
    let mut storm = Driver::new(runtime.clone(), Epoch::start(), storm);
    let mut neighbour = 0_u32;
    let counting = poll_fn(|cx| {
        neighbour += 1;
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    let mut app = Keep::new(0);
    let done = race(storm.run(&mut app), counting);
    assert_eq!(patiently(&runtime, done).await, Ok(()));
    assert!(storm.machine().answered() >= 20_000);
    assert!(storm.machine().fired() > 0, "the timer fires in the middle of a flood");
    assert!(neighbour >= 20, "{neighbour} turns for others");
}

pub async fn a_wake_up_that_never_comes_hurts_nobody<R: Runtime + Clone>(runtime: R) {
    // The second ping is due at the end of time, which no clock can name. Then one is due at once after all.
    let (mut echo, target) = echo(runtime.clone());
    let ping = Ping::new(LOCALHOST, target, 2, Duration::MAX);
    let mut ping = Driver::new(runtime.clone(), Epoch::start(), ping);
    let (mut app, mut echoes) = (Keep::new(2), Keep::new(0));
    patiently(&runtime, async {
        while app.data.is_empty() {
            let _ = race(race(ping.run(&mut app), echo.run(&mut echoes)), turns(3)).await;
        }
        let path = Path::udp(ping.machine().local().expect("a socket"), target);
        let sent = ping.send(&[0, 0, 0, 9], |_, _, _| Ok::<_, ()>(Transmit::to(path)));
        assert_eq!(sent, Ok(()));
        assert_eq!(race(ping.run(&mut app), echo.run(&mut echoes)).await, Ok(()));
    })
    .await;
    assert_eq!(app.data.iter().map(|(number, ..)| *number).collect::<Vec<_>>(), [0, 9]);
}

pub async fn runs_of_datagrams_cross_whole<R: Runtime + Clone>(runtime: R) {
    // All due at once, in one size: with segmentation offload these are a few system calls, and arrive side by side.
    let (mut echo, target) = echo(runtime.clone());
    let ping = Ping::new(LOCALHOST, target, 64, Duration::ZERO).with_size(1_000);
    let mut ping = Driver::new(runtime.clone(), Epoch::start(), ping);
    let mut app = Keep::new(64);
    let mut echoes = Keep::new(0);
    let both = race(ping.run(&mut app), echo.run(&mut echoes));
    assert_eq!(patiently(&runtime, both).await, Ok(()));
    assert_eq!(app.data.iter().map(|(number, ..)| *number).collect::<Vec<_>>(), (0..64).collect::<Vec<_>>());
    assert!(app.data.iter().all(|(.., len)| *len == 1_000));
    let stats = ping.stats();
    assert_eq!((stats.sent, stats.received, stats.send_errors, stats.dropped), (64, 64, 0, 0));
    assert!(stats.sends <= 64 && stats.receives <= 64);
}

pub async fn a_group_is_heard_by_all_its_members<R: Runtime + Clone>(runtime: R) {
    let group = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 199));
    let own = interfaces(Interfaces::default().with_loopback()).expect("interfaces");
    // Its own port for each process, so that tests of several runtimes do not hear each other.
    let port = 20_000 + u16::try_from(std::process::id() % 20_000).unwrap_or(0);
    let members = [(); 2].map(|()| {
        let mut member = Driver::new(runtime.clone(), Epoch::start(), storm::Hearer::new(group, port));
        member.with(|_, _| ());
        member
    });
    let [mut first, mut second] = members;
    let address = SocketAddr::new(group, port);
    if first.locals().count() == 0 {
        // No interface of this machine can multicast: the machine was told so.
        assert_eq!(first.machine().refused(), Some(Refused::Unreachable));
        return;
    }
    assert_eq!((first.machine().refused(), first.locals().next()), (None, Some(address)));
    first.with(|hearer, _| hearer.shout());
    let (mut one, mut other) = (Keep::new(1), Keep::new(1));
    patiently(&runtime, async {
        second.run(&mut other).await;
        first.run(&mut one).await; // its own words come back, as to every member
    })
    .await;
    for app in [one, other] {
        let [(_, path, len)] = app.data[..] else { panic!("{:?}", app.data) };
        assert_eq!((path.local, path.remote.port(), len), (address, port, 5));
        assert!(own.contains(&path.remote.ip()), "{path:?}");
    }
}
