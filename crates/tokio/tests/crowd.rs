//! A driver with thousands of sockets, as a relay has: it works for those that have something, and for no other.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use ginnel_core::{Epoch, Handled, Instant, Packet, Port, Receive, Transmit, Wake, machine};
use ginnel_tokio::{App, Driver, shards::raise_file_limit};
use tokio::net::UdpSocket;

/// Sockets, where so many files may be open; with some left for the test.
const SOCKETS: u64 = 4_000;
const SPARE: u64 = 200;
/// Of these, so many hear something.
const ASKED: usize = 5;
/// For an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// So often.
const ROUNDS: usize = 20;

/// Sends back what comes.
#[derive(Debug, Default)]
struct Mirror;
impl Mirror {
    fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled {
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

/// Asks each of these, and hears the answers, while the driver runs.
async fn ask(driver: &mut Driver<Mirror>, asker: &UdpSocket, asked: &[SocketAddr]) {
    let exchange = async {
        for at in asked {
            asker.send_to(b"question", at).await.expect("loopback takes it");
        }
        let mut buf = [0; 16];
        for _ in asked {
            let answer = tokio::time::timeout(PATIENCE, asker.recv_from(&mut buf)).await;
            let (len, from) = answer.expect("it comes").expect("an answer");
            assert!(asked.contains(&from) && buf[..len] == *b"question");
        }
    };
    let mut app = Nobody;
    tokio::select! {
        () = driver.run(&mut app) => unreachable!("it is never closed"),
        () = exchange => {}
    }
}

#[test]
fn a_turn_works_only_for_sockets_that_have_something() {
    let limit = raise_file_limit().expect("the system says");
    let sockets = SOCKETS.min(limit.saturating_sub(SPARE));
    assert!(sockets > 500, "{limit} open files are too few to see anything");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut driver = ginnel_tokio::driver(Epoch::start(), Mirror);
        let ip = |number: u64| {
            // Ports of one address are not enough for very many; and none is taken from the tests beside this.
            let last = u8::try_from(40 + number / 20_000).expect("few addresses");
            if cfg!(target_os = "linux") { Ipv4Addr::new(127, 0, 0, last) } else { Ipv4Addr::LOCALHOST }
        };
        let bind = |number| driver.bind(IpAddr::V4(ip(number)), Port::Any).expect("a port");
        let all: Vec<SocketAddr> = (0..sockets).map(bind).collect();
        let asker = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        let asked: Vec<_> = all.iter().step_by(all.len() / ASKED).copied().take(ASKED).collect();
        // Each is looked at when it is new.
        for _ in 0..100 {
            let before = driver.stats().looks;
            ask(&mut driver, &asker, &asked).await;
            if driver.stats().looks <= before + 2 * ASKED as u64 {
                break;
            }
        }
        let before = driver.stats();
        for _ in 0..ROUNDS {
            ask(&mut driver, &asker, &asked).await;
        }
        let after = driver.stats();
        let (looks, came) = (after.looks - before.looks, after.received - before.received);
        assert_eq!(came, (ROUNDS * ASKED) as u64);
        assert!(looks >= came.div_ceil(32) && looks <= 2 * came, "{looks} looks for {came} datagrams");
        assert_eq!(driver.locals().count() as u64, sockets);
    });
}
