//! A socket for datagrams at a relay: what a program that uses a UDP socket uses instead.
//!
//! ```text
//!   the program                        a task of the runtime
//!   send_to --> [ outbound, bounded ] --> permission? --> Client --> Driver --> the relay --> peers
//!   recv_from <-- [ inbound, bounded ] <----------------- Client <-- Driver <--
//! ```
//!
//! The task belongs to the socket: it keeps the allocation, its permissions and its channels alive while the program does
//! other things, and ends when the socket is closed or dropped. Two copies are made of each datagram on its way, one into the
//! queue and one out of it, so that a program of any shape can wait for neither; whoever wants none drives a
//! [`Client`](ginnel_turn::client::Client) in a loop of its own.
//!
//! Left out: SRV and NAPTR records, which `ginnel_stun::resolve` asks for where a program has a resolver; TCP connections to
//! peers (RFC 6062), which are no datagrams; IPv6 and IPv4 in one socket where the server gives one address each time
//! (ask for both families).

mod config;
mod error;
mod peers;
mod ring;
mod shared;
mod task;
mod waiters;

use std::{
    fmt,
    future::Future,
    io,
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ginnel_core::{Epoch, Seed};
use ginnel_turn::client::{Allocated, Client, Socket as ClientSocket};

pub use config::RelayConfig;
pub use error::RelayError;
pub use shared::RelayStats;
use shared::{Phase, Shared, State, Wanted};

use crate::{Driver, Runtime, bind::route_to};

/// What a relay socket needs of a runtime beside sockets and timers.
pub trait RelayRuntime:
    Runtime<Socket: Send, Stream: Send, Listener: Send, Timer: Send> + Default + Send + 'static
{
    /// Runs this to its end beside everything else.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
    /// The addresses of a name, as the system knows them.
    fn look_up(&self, name: String, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// A datagram socket at a relay (RFC 8656), with the verbs of a UDP socket.
///
/// | like a UDP socket | what is different |
/// |---|---|
/// | [`bind`](Self::bind) | takes a relay, and returns when that has given an address |
/// | [`local_addr`](Self::local_addr) | the relayed address: where peers send to. [`mapped_addr`](Self::mapped_addr) is whom the relay sees |
/// | [`send_to`](Self::send_to), [`try_send_to`](Self::try_send_to) | the first datagram to an address asks for a permission, and waits for it in a queue |
/// | [`recv_from`](Self::recv_from), [`try_recv_from`](Self::try_recv_from) | from addresses with a permission alone: those that were sent to, or [permitted](Self::permit) |
/// | [`connect`](Self::connect), [`send`](Self::send), [`recv`](Self::recv), [`peer_addr`](Self::peer_addr) | connecting fails if the relay refuses the peer |
/// | dropping it | gives the address back, in the task behind it; [`close`](Self::close) waits for that |
///
/// All of them take `&self`, from any task, and as many at once as there are; each future may be dropped at any time, and then
/// has either done its work or nothing.
///
/// A peer that is sent to, or heard of, a few times without one gets a channel by itself. Permissions are kept for the last
/// 1,024 addresses. A server that has lost the allocation, because it was restarted, is asked for another
/// ([`RelayConfig::recover`]): meanwhile sending fails with [`RelayError::Lost`], and then `local_addr` is another.
pub struct RelaySocket<R> {
    shared: Arc<Shared>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: RelayRuntime> RelaySocket<R> {
    /// Asks the relay for an address. Where its name has several, they are tried in order.
    ///
    /// # Errors
    /// Those of looking up its name; and that of the last address that was tried: a [`RelayError`], such as
    /// [`io::ErrorKind::PermissionDenied`] for a wrong password, [`io::ErrorKind::TimedOut`] where nobody answers (which
    /// takes RFC 8489's 39.5 s over UDP).
    pub async fn bind(relay: &RelayConfig) -> io::Result<Self> {
        let addresses = match relay.name() {
            Some((name, port)) => R::default().look_up(name, port).await?,
            None => Vec::from_iter(relay.address()),
        };
        let mut outcome = Err(io::Error::new(io::ErrorKind::NotFound, "the relay's name has no address"));
        for address in addresses {
            outcome = Self::bind_at(relay, address).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// The same for the server at this address, which may be one of several that the name of the relay has: with TLS its
    /// certificate must be for the name.
    ///
    /// # Errors
    /// A [`RelayError`], as for [`bind`](Self::bind).
    pub async fn bind_at(relay: &RelayConfig, server: SocketAddr) -> io::Result<Self> {
        let socket = Self::open(relay, server)?;
        let bound = |state: &mut State| match state.phase {
            Phase::Allocated(_) => Some(Ok(())),
            Phase::Ended(why) => Some(Err(why)),
            Phase::Asked | Phase::Lost(_) => None,
        };
        socket.shared.until(Wanted::News, bound).await?;
        Ok(socket)
    }

    fn open(relay: &RelayConfig, server: SocketAddr) -> io::Result<Self> {
        let mut octets = [0; 32];
        getrandom::fill(&mut octets).map_err(io::Error::other)?;
        let runtime = R::default();
        let epoch = Epoch::start();
        let config = relay.client(server).with_socket(ClientSocket::Own(Some(route_to(server)?)));
        let client = Client::new(epoch.now(), config, Seed::new(octets));
        let driver = Driver::with_config(relay.driver.clone(), R::default(), epoch, client);
        let shared = Shared::new(relay);
        runtime.spawn(task::drive(driver, Arc::clone(&shared), relay.send_buffer));
        Ok(Self { shared, runtime: PhantomData })
    }
}

impl<R> RelaySocket<R> {
    /// Sends a datagram to a peer: returns its length when it is queued, and waits while the queue is full.
    ///
    /// # Errors
    /// A [`RelayError`]: that the relay does not reach this peer, which it may have said of a datagram before; that the
    /// allocation is lost; that the datagram is longer than 1,500 octets.
    pub async fn send_to(&self, datagram: &[u8], peer: SocketAddr) -> io::Result<usize> {
        Ok(self.shared.until(Wanted::Room, |state| state.send(peer, datagram)).await?)
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// As for [`send_to`](Self::send_to), and [`io::ErrorKind::WouldBlock`].
    pub fn try_send_to(&self, datagram: &[u8], peer: SocketAddr) -> io::Result<usize> {
        Ok(self.shared.lock().send(peer, datagram).ok_or(io::ErrorKind::WouldBlock)??)
    }

    /// Waits for a datagram: how long it is, and which peer has sent it. What does not fit into `buf` is cut off.
    ///
    /// # Errors
    /// A [`RelayError`] when there is no allocation any more, and none is asked for. What came before is received first.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Ok(self.shared.until(Wanted::Datagram, |state| state.receive(buf)).await?)
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// As for [`recv_from`](Self::recv_from), and [`io::ErrorKind::WouldBlock`].
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Ok(self.shared.lock().receive(buf).ok_or(io::ErrorKind::WouldBlock)??)
    }

    /// Has the relay relay between this address and us, and waits until it does: for whoever waits for datagrams of peers
    /// that it has sent nothing to. All ports of the address are meant (RFC 8656 section 9).
    ///
    /// # Errors
    /// A [`RelayError`]: the relay refuses it, or there is none any more.
    pub async fn permit(&self, ip: IpAddr) -> io::Result<()> {
        // What it said earlier may have changed.
        self.shared.lock().forget_refusal(ip);
        Ok(self.shared.until(Wanted::News, |state| state.permit(ip)).await?)
    }

    /// Names the one peer of [`send`](Self::send) and [`recv`](Self::recv): what comes from others is dropped from now on, and
    /// so is what came before and was not received. The peer gets a permission, which is waited for, and a channel.
    ///
    /// # Errors
    /// As for [`permit`](Self::permit).
    pub async fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        self.permit(peer.ip()).await?;
        self.shared.lock().connect(peer);
        Ok(())
    }

    /// Sends to the peer that the socket is connected to.
    ///
    /// # Errors
    /// As for [`send_to`](Self::send_to), and [`RelayError::NotConnected`].
    pub async fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        let peer = self.peer_addr()?;
        self.send_to(datagram, peer).await
    }

    /// Receives from the peer that the socket is connected to, or from any if it is not.
    ///
    /// # Errors
    /// As for [`recv_from`](Self::recv_from).
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_from(buf).await?.0)
    }

    /// The peer that the socket is connected to.
    ///
    /// # Errors
    /// [`RelayError::NotConnected`].
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.shared.lock().connected.ok_or(RelayError::NotConnected)?)
    }

    /// The relayed address, which peers send to; where there is one of each family, the IPv4 one.
    ///
    /// # Errors
    /// A [`RelayError`] when there is none, now or for ever.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let relayed = self.allocated()?.relayed;
        relayed.iter().next().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// Whom the relay sees: the address of this host, or of the NAT that it is behind.
    ///
    /// # Errors
    /// As for [`local_addr`](Self::local_addr).
    pub fn mapped_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.allocated()?.mapped)
    }

    /// Everything that the relay has said of the allocation.
    ///
    /// # Errors
    /// As for [`local_addr`](Self::local_addr).
    pub fn allocated(&self) -> io::Result<Allocated> {
        match self.shared.lock().phase {
            Phase::Allocated(allocated) => Ok(allocated),
            Phase::Lost(reason) => Err(RelayError::Lost(reason).into()),
            Phase::Ended(why) => Err(why.into()),
            Phase::Asked => Err(RelayError::NotConnected.into()),
        }
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> RelayStats {
        self.shared.lock().stats
    }

    /// Gives the address back, and waits until the relay has confirmed it or had its time for that. What was sent before
    /// still leaves. Dropping this future leaves the rest to the task behind it.
    pub async fn close(self) {
        self.shared.lock().close();
        self.shared.until(Wanted::News, |state| state.ended().map(drop)).await;
    }
}

impl<R> Drop for RelaySocket<R> {
    fn drop(&mut self) {
        self.shared.lock().close();
    }
}

impl<R> fmt::Debug for RelaySocket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelaySocket").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
