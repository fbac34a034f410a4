//! A host: its interfaces and its sockets.

use alloc::{collections::BTreeMap, vec::Vec};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ginnel_core::{Port, Refused, Seed};

use crate::{NetworkId, dice::Dice};

/// The dynamic ports (RFC 6335 section 6), which `Port::Any` and `Port::Even` draw from.
const DYNAMIC_PORTS: core::ops::RangeInclusive<u16> = 49_152..=65_535;

/// Where a socket on every address of this family and port is bound.
pub(crate) fn everywhere(local: SocketAddr) -> SocketAddr {
    let ip = match local.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, local.port())
}

#[derive(Debug)]
pub(crate) struct Host {
    /// Each address is an interface of its own, and hangs on one network.
    pub(crate) interfaces: Vec<(IpAddr, NetworkId)>,
    /// Which node has bound what.
    sockets: BTreeMap<SocketAddr, usize>,
    /// Which nodes have joined which groups, the latest last.
    groups: Vec<(SocketAddr, usize)>,
    dice: Dice,
}

impl Host {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { interfaces: Vec::new(), sockets: BTreeMap::new(), groups: Vec::new(), dice: Dice::new(seed) }
    }

    pub(crate) fn network_of(&self, ip: IpAddr) -> Option<NetworkId> {
        self.interfaces.iter().find(|(own, _)| *own == ip).map(|(_, network)| *network)
    }

    /// Opens a socket for `node`, or joins it to a group.
    pub(crate) fn bind(&mut self, node: usize, ip: IpAddr, port: Port) -> Result<SocketAddr, Refused> {
        if ip.is_multicast() {
            return self.join(node, ip, port);
        }
        if !self.has(ip) {
            return Err(Refused::NotPermitted);
        }
        let sockets = core::mem::take(&mut self.sockets);
        // On every address, a port is taken by a socket on any; on one, by a socket on it or on every one.
        let free = |port: u16| {
            let wish = SocketAddr::new(ip, port);
            let same = |other: &SocketAddr| other.port() == port && other.is_ipv4() == ip.is_ipv4();
            match ip.is_unspecified() {
                true => !sockets.keys().any(same),
                false => !sockets.contains_key(&wish) && !sockets.contains_key(&everywhere(wish)),
            }
        };
        let chosen = self.free_port(port, free);
        self.sockets = sockets;
        let local = SocketAddr::new(ip, chosen?);
        self.sockets.insert(local, node);
        Ok(local)
    }

    /// Whether the host has this address, or one of its family where it means every one.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        if ip.is_unspecified() { self.has_family(ip) } else { self.network_of(ip).is_some() }
    }

    /// A port as it is wished for, of those that are free.
    pub(crate) fn free_port(&mut self, port: Port, free: impl Fn(u16) -> bool) -> Result<u16, Refused> {
        let (first, step) = match port {
            Port::Exact(0) => return Err(Refused::NotPermitted),
            Port::Exact(port) => return if free(port) { Ok(port) } else { Err(Refused::InUse) },
            Port::Any => (self.dice.word(), 1),
            Port::Even => (self.dice.word() & !1, 2),
        };
        let count = u32::from(*DYNAMIC_PORTS.end() - *DYNAMIC_PORTS.start()) + 1;
        (0..count)
            .step_by(step)
            .map(|offset| first.wrapping_add(offset) % count)
            .filter_map(|offset| u16::try_from(u32::from(*DYNAMIC_PORTS.start()) + offset).ok())
            .find(|port| free(*port))
            .ok_or(Refused::InUse)
    }

    fn has_family(&self, ip: IpAddr) -> bool {
        self.interfaces.iter().any(|(own, _)| own.is_ipv4() == ip.is_ipv4())
    }

    fn join(&mut self, node: usize, ip: IpAddr, port: Port) -> Result<SocketAddr, Refused> {
        let Port::Exact(port @ 1..) = port else { return Err(Refused::NotPermitted) };
        let group = SocketAddr::new(ip, port);
        if self.groups.contains(&(group, node)) {
            return Err(Refused::InUse);
        }
        self.groups.push((group, node));
        Ok(group)
    }

    /// Closes what `node` has opened; what is not its own stays.
    pub(crate) fn release(&mut self, node: usize, local: SocketAddr) {
        if self.sockets.get(&local) == Some(&node) {
            self.sockets.remove(&local);
        }
        self.groups.retain(|joined| *joined != (local, node));
    }

    pub(crate) fn release_all(&mut self, node: usize) {
        self.sockets.retain(|_, owner| *owner != node);
        self.groups.retain(|(_, owner)| *owner != node);
    }

    pub(crate) fn has_open(&self, node: usize, local: SocketAddr) -> bool {
        let everywhere = self.network_of(local.ip()).and_then(|_| self.sockets.get(&everywhere(local)));
        self.sockets.get(&local).or(everywhere) == Some(&node) || self.groups.contains(&(local, node))
    }

    /// Who hears a datagram to `destination`, and which address it has there. What is sent to no socket's address, but
    /// to the port of a group, is for the member that joined last: its socket is bound to that port on every address.
    pub(crate) fn listeners(&self, destination: SocketAddr) -> Vec<(usize, SocketAddr)> {
        if destination.ip().is_multicast() {
            return self
                .groups
                .iter()
                .filter(|(group, _)| *group == destination)
                .map(|(g, n)| (*n, *g))
                .collect();
        }
        if let Some(node) =
            self.sockets.get(&destination).or_else(|| self.sockets.get(&everywhere(destination)))
        {
            return [(*node, destination)].into();
        }
        let same = |group: &SocketAddr| {
            group.port() == destination.port() && group.is_ipv4() == destination.is_ipv4()
        };
        self.groups.iter().rev().find(|(group, _)| same(group)).map(|(g, n)| (*n, *g)).into_iter().collect()
    }

    pub(crate) fn hears_group(&self, group: SocketAddr) -> bool {
        self.groups.iter().any(|(joined, _)| *joined == group)
    }

    /// Takes an interface away; returns the sockets that went with it and their nodes.
    pub(crate) fn remove_interface(&mut self, ip: IpAddr) -> Vec<(usize, SocketAddr)> {
        self.interfaces.retain(|(own, _)| *own != ip);
        let lost: Vec<_> =
            self.sockets.iter().filter(|(local, _)| local.ip() == ip).map(|(l, n)| (*n, *l)).collect();
        self.sockets.retain(|local, _| local.ip() != ip);
        lost
    }
}
