//! Our TURN server in a thread of the test, over the sockets of a namespace: for what `ginnel serve` has no key for, and to
//! look at the machine.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use ginnel_core::{Epoch, Framing, Handled, Instant, Port, Receive, Seed, Ticket, Transport};
use ginnel_stun::auth::{AuthConfig, User, Who};
use ginnel_tokio::{
    App, Config, Driver,
    shards::{ShardApp, Shards, start},
};
use ginnel_turn::server::{
    Event, Handover, Listener, RelayAddress, Server, ServerConfig, policy::PeerFilter,
};

use crate::{Namespace, Serve};

/// A running server of one thread; ended when dropped.
#[derive(Debug)]
pub struct Inside {
    shards: Option<Shards<Server>>,
    asked: Arc<Mutex<Vec<Ticket>>>,
}

impl Inside {
    /// The realm of its users.
    pub const REALM: &str = "ginnel.test";

    /// Starts it on this address, over UDP and TCP, at the ports of [`Serve`]. `user` with the password `pass` may relay to
    /// everybody in 10.99.0.0/24.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(
        namespace: &Namespace,
        ip: IpAddr,
        auth: impl FnOnce(AuthConfig) -> AuthConfig,
        change: impl FnOnce(ServerConfig) -> ServerConfig,
    ) -> Self {
        Self::start_with(namespace, ip, Config::default(), auth, change)
    }

    /// The same under a driver of this config.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_with(
        namespace: &Namespace,
        ip: IpAddr,
        driver: Config,
        auth: impl FnOnce(AuthConfig) -> AuthConfig,
        change: impl FnOnce(ServerConfig) -> ServerConfig,
    ) -> Self {
        let at = SocketAddr::new(ip, Serve::PORT);
        let config = ServerConfig::new(auth(AuthConfig::long_term(Self::REALM).expect("a realm")))
            .with_listener(Listener::new(Transport::Udp, at))
            .with_listener(Listener::new(Transport::Tcp, at))
            .with_relay(RelayAddress::new(ip))
            .with_peers(PeerFilter::default().with_allowed("10.99.0.0/24".parse().expect("a range")))
            .with_mobility(true)
            .with_tcp_relays(true);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let made = Mutex::new(Some((change(config), driver, Ears { asked: Arc::clone(&asked) })));
        let make = move |_| -> std::io::Result<_> {
            let (config, driver, ears) = made.lock().expect("whole").take().expect("one shard");
            let epoch = Epoch::start();
            let mut server = Server::new(config, Seed::new([8; 32]));
            server
                .add_user(User::long_term("user", Self::REALM, "pass").expect("plain words"))
                .expect("room");
            let mut driver = ginnel_tokio::driver_with(driver, epoch, server);
            let refused = |why| std::io::Error::other(format!("{why:?}"));
            driver.bind(ip, Port::Exact(at.port())).map_err(refused)?;
            driver.listen(Transport::Tcp, ip, Port::Exact(at.port()), Framing::Stun).map_err(refused)?;
            Ok((driver, ears))
        };
        // Threads are where the one is that starts them.
        Self { shards: Some(namespace.enter(|| start(1, make)).expect("it starts")), asked }
    }

    /// Asks the driver of the server.
    ///
    /// # Panics
    /// If it has ended.
    pub fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Driver<Server>) -> T + Send + 'static,
    ) -> T {
        let shards = self.shards.as_ref().expect("it runs");
        shards.handles()[0].ask(question).expect("room").wait().expect("an answer")
    }

    /// All the others that were to be looked up.
    ///
    /// # Panics
    /// If the server has panicked.
    #[must_use]
    pub fn asked(&self) -> Vec<Ticket> {
        self.asked.lock().expect("whole").clone()
    }

    /// What time it is since 1970.
    pub fn set_clock(&self, since_1970: Duration) {
        self.ask(move |driver| driver.with(|server, now| server.set_clock(now, since_1970)));
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(shards) = self.shards.take() {
            shards.close();
            let ended = shards.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

/// The one who may relay.
fn user() -> User {
    User::long_term("user", Inside::REALM, "pass").expect("plain words")
}

/// Takes what the server says. Where users are looked up, `user` is found, and whether there are others is never answered.
#[derive(Debug)]
struct Ears {
    asked: Arc<Mutex<Vec<Ticket>>>,
}

impl App<Server> for Ears {
    fn event(&mut self, _: Instant, server: &mut Server, event: Event) {
        match event {
            Event::LookUp { ticket, who: Who::Username(name) } if &*name == "user" => {
                server.answer(ticket, Some(user()));
            }
            Event::LookUp { ticket, .. } => self.asked.lock().expect("whole").push(ticket),
            _ => {}
        }
    }
}

impl ShardApp<Server> for Ears {
    fn elsewhere(&self, data: &Handover) -> Option<usize> {
        Some(data.shard.into())
    }
    fn handed_over(
        &mut self,
        now: Instant,
        server: &mut Server,
        input: &mut Receive<'_>,
    ) -> Handled<Handover> {
        server.handle_handed_over(now, input)
    }
}
