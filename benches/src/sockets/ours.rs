//! Ours: the server machine in the driver, on tokio, in a thread of its own.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::mpsc,
    thread,
};

use ginnel_core::{Epoch, Instant, Port, Seed, Transport};
use ginnel_stun::auth::{AuthConfig, User};
use ginnel_tokio::App;
use ginnel_turn::server::{Event, Listener, RelayAddress, Server as Relay, ServerConfig, policy::PeerFilter};

use super::{
    Server,
    load::{PASSWORD, USER},
};

struct Ours {
    at: SocketAddr,
    thread: String,
}

impl Server for Ours {
    fn at(&self) -> SocketAddr {
        self.at
    }
    fn threads(&self) -> Vec<String> {
        vec![self.thread.clone()]
    }
    fn relays(&self) -> bool {
        true
    }
}

/// The folder of this thread.
pub(super) fn this_thread() -> String {
    format!("/proc/self/task/{}", rustix::thread::gettid().as_raw_nonzero())
}

struct Nobody;
impl App<Relay> for Nobody {
    fn event(&mut self, _: Instant, _: &mut Relay, _: Event) {}
}

pub(super) fn start() -> Option<Box<dyn Server>> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
            // The address is in the configuration, so it is looked up first, and another may have it by now.
            let bound = (0..16).find_map(|_| {
                let at = std::net::UdpSocket::bind((ip, 0)).ok()?.local_addr().ok()?;
                let mut driver = ginnel_tokio::driver(Epoch::start(), machine(at));
                driver.bind(ip, Port::Exact(at.port())).ok().map(|at| (at, driver))
            });
            let (at, mut driver) = bound.expect("a port");
            let _ = tell.send((at, this_thread()));
            // As shards run it: the driver measures its turns itself.
            tokio::task::unconstrained(driver.run(&mut Nobody)).await;
        });
    });
    let (at, thread) = told.recv().ok()?;
    Some(Box::new(Ours { at, thread }))
}

fn machine(at: SocketAddr) -> Relay {
    let realm = "ginnel.test";
    // All clients of the load come from one address, in no time.
    let auth = AuthConfig::long_term(realm).expect("a realm").with_challenge_limit(None);
    let config = ServerConfig::new(auth)
        .with_listener(Listener::new(Transport::Udp, at))
        .with_relay(RelayAddress::new(at.ip()))
        .with_peers(PeerFilter::default().with_allowed("127.0.0.0/8".parse().expect("a range")));
    // Servers of earlier groups live on with their relays: with one seed for all, each would ask for the others' ports first.
    let mut seed = [7; 32];
    seed[..2].copy_from_slice(&at.port().to_be_bytes());
    let mut relay = Relay::new(config, Seed::new(seed));
    relay.add_user(User::long_term(USER, realm, PASSWORD).expect("plain words")).expect("room");
    relay
}
