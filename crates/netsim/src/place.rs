//! Handles: what the simulation calls its parts.

use core::{fmt, marker::PhantomData};

/// A host of a [`Sim`](crate::Sim).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(crate) usize);

/// A network of a [`Sim`](crate::Sim): hosts that reach each other directly, behind one [`Middlebox`](crate::Middlebox).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(pub(crate) usize);

impl NetworkId {
    /// The outermost network, where [`Sim::host`](crate::Sim::host) puts hosts: the internet of the simulation.
    pub const CORE: Self = Self(0);
}

/// One end of a link: a host, or a whole network that hangs on the network at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Place {
    /// A host.
    Host(HostId),
    /// A network inside this one, at its middlebox.
    Network(NetworkId),
    /// The way out of this network, to its own middlebox.
    Gateway,
}
impl From<HostId> for Place {
    fn from(host: HostId) -> Self {
        Self::Host(host)
    }
}
impl From<NetworkId> for Place {
    fn from(network: NetworkId) -> Self {
        Self::Network(network)
    }
}

/// A machine of type `M` in a [`Sim`](crate::Sim). It is `Copy`, and outlives nothing.
pub struct NodeId<M> {
    pub(crate) index: usize,
    pub(crate) machine: PhantomData<fn() -> M>,
}
impl<M> Clone for NodeId<M> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M> Copy for NodeId<M> {}
impl<M> PartialEq for NodeId<M> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}
impl<M> Eq for NodeId<M> {}
impl<M> fmt::Debug for NodeId<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.index)
    }
}
