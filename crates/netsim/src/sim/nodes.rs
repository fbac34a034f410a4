//! Machines: adding, commanding, driving and reading them.

use alloc::{boxed::Box, vec::Vec};
use core::{marker::PhantomData, net::SocketAddr};

use ginnel_core::{
    Buffer, Ecn, HEADROOM, Instant, Machine, Notice, Packet, Path, Port, Receive, Refused, Transmit,
};

use super::Slot;
use crate::{
    Fate, HostId, NodeId, Received, Sim, ToIp,
    net::Delivery,
    node::{Node, Seat},
};

/// The largest payload of a UDP datagram over IPv6, which is the larger one.
const MAX_DATAGRAM: usize = 65_535 - 8;

impl Sim {
    /// Puts a machine on a host and settles it.
    pub fn add<M: Machine + 'static>(&mut self, host: HostId, machine: M) -> NodeId<M> {
        assert!(host.0 < self.net.hosts.len(), "no such host");
        let index = self.nodes.len();
        self.nodes.push(Slot { host, node: Box::new(Node::new(machine)), wake: None, alive: true });
        self.settle(index);
        NodeId { index, machine: PhantomData }
    }

    /// Opens a socket for a machine that asks for none itself, such as a server that is told where it listens. A multicast
    /// address joins the group. The machine is not told.
    ///
    /// # Errors
    /// As for a [`Request::Bind`](ginnel_core::Request::Bind) of its own.
    pub fn bind<M>(&mut self, node: NodeId<M>, ip: impl ToIp, port: Port) -> Result<SocketAddr, Refused> {
        let host = self.nodes[node.index].host;
        self.net.hosts[host.0].bind(node.index, ip.to_ip(), port)
    }

    /// Gives a command, and settles.
    pub fn with<M: Machine + 'static, R>(
        &mut self,
        node: NodeId<M>,
        command: impl FnOnce(&mut M, Instant) -> R,
    ) -> R {
        let now = self.net.now;
        let answer = command(&mut self.node_mut(node).machine, now);
        self.settle(node.index);
        answer
    }

    /// Sends user data: `payload` is put into a packet with room on both sides, `command` wraps it, and the outcome goes
    /// out. Then settles.
    ///
    /// # Errors
    /// What `command` says.
    ///
    /// # Panics
    /// When the payload does not fit a [`Buffer`] with its room.
    pub fn send<M: Machine + 'static, E>(
        &mut self,
        node: NodeId<M>,
        payload: &[u8],
        command: impl FnOnce(&mut M, Instant, &mut Packet<'_>) -> Result<Transmit, E>,
    ) -> Result<(), E> {
        let (now, host) = (self.net.now, self.nodes[node.index].host);
        let mut buf: Buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buf);
        assert!(packet.append(payload).is_ok(), "the payload does not fit a packet");
        let sent = command(&mut self.node_mut(node).machine, now, &mut packet)
            .map(|transmit| self.net.send(host, node.index, transmit, &mut packet));
        self.settle(node.index);
        sent
    }

    /// The machine, to look at.
    #[must_use]
    pub fn get<M: Machine + 'static>(&self, node: NodeId<M>) -> &M {
        &self.node(node).machine
    }

    /// Ends a machine as a power cut does: its sockets are gone, and it is never driven again. What it said stays
    /// readable.
    pub fn kill<M>(&mut self, node: NodeId<M>) {
        self.end(node.index, false);
    }

    /// Whether the machine is still driven: neither killed nor closed.
    #[must_use]
    pub fn is_alive<M>(&self, node: NodeId<M>) -> bool {
        self.nodes[node.index].alive
    }

    // ---- the application that lives with a machine

    /// Shows each event to an application as it happens, with the machine to command. The events are kept for
    /// [`events`](Self::events) nevertheless.
    pub fn on_event<M: Machine + 'static>(
        &mut self,
        node: NodeId<M>,
        application: impl FnMut(&mut M, Instant, &M::Event) + 'static,
    ) {
        self.node_mut(node).on_event = Some(Box::new(application));
    }

    /// Shows data to an application as it comes; what it returns is sent at once, from the same buffer. The data are kept for
    /// [`data`](Self::data) nevertheless, as they came.
    pub fn on_data<M: Machine + 'static>(
        &mut self,
        node: NodeId<M>,
        application: impl FnMut(&mut M, Instant, &M::Data, &mut Receive<'_>) -> Option<Transmit> + 'static,
    ) {
        self.node_mut(node).on_data = Some(Box::new(application));
    }

    // ---- what machines said

    /// What has happened to the machine since the last call, in order; the latest 65,536 events at most.
    pub fn events<M: Machine + 'static>(&mut self, node: NodeId<M>) -> Vec<M::Event> {
        self.timeline(node).into_iter().map(|(_, event)| event).collect()
    }

    /// The same, and when it happened.
    pub fn timeline<M: Machine + 'static>(&mut self, node: NodeId<M>) -> Vec<(Instant, M::Event)> {
        self.node_mut(node).events.drain(..).collect()
    }

    /// The data that the machine has handed up since the last call, in order; the latest 65,536 pieces at most.
    pub fn data<M: Machine + 'static>(&mut self, node: NodeId<M>) -> Vec<Received<M::Data>> {
        self.node_mut(node).data.drain(..).collect()
    }

    // ---- mischief

    /// Puts a datagram before the socket `path.local`, as if it came from `path.remote`, whoever that is: no link is in
    /// between. Where two networks have the address, it is the first made. Returns whether anybody heard it.
    pub fn inject(&mut self, path: Path, bytes: &[u8]) -> bool {
        let datagram =
            crate::Datagram::new(path.remote, path.local, ginnel_core::Ecn::NotEct, bytes.to_vec());
        let target = path.local.ip();
        let host = (0..self.net.hosts.len()).find(|host| match target.is_multicast() {
            true => self.net.hosts[*host].hears_group(path.local),
            false => self.net.hosts[*host].network_of(target).is_some(),
        });
        let Some(host) = host else {
            self.net.log.note(self.net.now, &datagram, Fate::NoRoute);
            return false;
        };
        let deliveries = self.net.deliver(HostId(host), datagram, Fate::Injected);
        let heard = !deliveries.is_empty();
        self.receive(deliveries);
        heard
    }

    // ---- driving

    pub(super) fn receive(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            match delivery {
                Delivery::Datagram { node, local, datagram } => {
                    let len = datagram.bytes.len().min(MAX_DATAGRAM);
                    let path = Path::udp(local, datagram.source);
                    self.show(node, path, datagram.ecn, &datagram.bytes[..len]);
                }
                // One message at a time: what a node makes of one may change how the next is cut.
                Delivery::Stream(key) => {
                    while let Some((node, path, message)) = self.net.next_message(key) {
                        self.show(node, path, Ecn::NotEct, &message);
                    }
                }
                Delivery::Notice(node, notice) => self.tell(node, notice),
            }
        }
    }

    /// Shows a node what has come, and settles.
    fn show(&mut self, node: usize, path: Path, ecn: Ecn, bytes: &[u8]) {
        if !self.nodes[node].alive {
            return;
        }
        let len = bytes.len();
        let mut buf = alloc::vec![0; HEADROOM + len + TAIL];
        buf[HEADROOM..HEADROOM + len].copy_from_slice(bytes);
        let Some(packet) = Packet::received(&mut buf, HEADROOM..HEADROOM + len) else { return };
        let mut input = Receive::new(path, packet);
        input.ecn = ecn;
        let (slot, net) = (&mut self.nodes[node], &mut self.net);
        slot.node.receive(Seat { net, host: slot.host, node }, &mut input);
        self.settle(node);
    }

    pub(super) fn tell(&mut self, index: usize, notice: Notice) {
        if self.nodes[index].alive {
            let (slot, net) = (&mut self.nodes[index], &mut self.net);
            slot.node.notice(Seat { net, host: slot.host, node: index }, notice);
            self.settle(index);
        }
    }

    pub(super) fn fire(&mut self, index: usize) {
        self.nodes[index].node.timeout(self.net.now);
        self.settle(index);
    }

    fn settle(&mut self, index: usize) {
        if !self.nodes[index].alive {
            return;
        }
        let (slot, net) = (&mut self.nodes[index], &mut self.net);
        let wake = slot.node.settle(Seat { net, host: slot.host, node: index }, &mut self.buf);
        let closed = slot.node.is_closed();
        if let Some(wake) = wake {
            assert!(wake.at > self.net.now, "rule 2: a machine asks for `now` for ever: {}", wake.why);
            assert!(!closed, "rule 10: a closed machine wants to be woken: {}", wake.why);
        }
        self.set_wake(index, wake);
        if closed {
            self.end(index, true);
        }
    }

    fn end(&mut self, index: usize, politely: bool) {
        self.set_wake(index, None);
        self.nodes[index].alive = false;
        let host = self.nodes[index].host;
        self.net.hosts[host.0].release_all(index);
        self.net.release_streams(index, politely);
    }

    fn set_wake(&mut self, index: usize, wake: Option<ginnel_core::Wake>) {
        if let Some(old) = core::mem::replace(&mut self.nodes[index].wake, wake) {
            self.wakes.remove(&(old.at, index));
        }
        if let Some(new) = wake {
            self.wakes.insert((new.at, index));
        }
    }

    fn node<M: Machine + 'static>(&self, id: NodeId<M>) -> &Node<M> {
        let node = self.nodes.get(id.index).and_then(|slot| slot.node.as_any().downcast_ref());
        node.unwrap_or_else(|| panic!("{id:?} is of another simulation"))
    }

    fn node_mut<M: Machine + 'static>(&mut self, id: NodeId<M>) -> &mut Node<M> {
        let node = self.nodes.get_mut(id.index).and_then(|slot| slot.node.as_any_mut().downcast_mut());
        node.unwrap_or_else(|| panic!("{id:?} is of another simulation"))
    }
}

/// Room behind what is received: with it the contract's HEADROOM + ANSWER is there for the shortest datagram, and a payload
/// of usual size can be wrapped again and sent on.
const TAIL: usize = ginnel_core::ANSWER;
