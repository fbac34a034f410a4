//! The simulation: what it is made of. Its verbs are in the files below, by kind.

mod nodes;
mod report;
mod time;
mod topology;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::fmt;

use ginnel_core::{Buffer, Instant, Seed, Wake};

use crate::{HostId, net::Net, node::AnyNode};

/// A network of hosts, the machines on them, and a clock that jumps from one thing that happens to the next.
///
/// The same seed and the same calls give the same run, octet for octet: [`digest`](Self::digest) is one number to compare.
///
/// | kind | verbs |
/// |---|---|
/// | hosts and links | [`host`](Self::host), [`network`](Self::network), [`add_ip`](Self::add_ip), [`remove_ip`](Self::remove_ip), [`set_link`](Self::set_link), [`set_default_link`](Self::set_default_link), [`cut`](Self::cut), [`restore`](Self::restore) |
/// | machines | [`add`](Self::add), [`bind`](Self::bind), [`with`](Self::with), [`send`](Self::send), [`get`](Self::get), [`kill`](Self::kill), [`on_event`](Self::on_event), [`on_data`](Self::on_data) |
/// | time | [`now`](Self::now), [`run_for`](Self::run_for), [`run_until`](Self::run_until), [`expect`](Self::expect), [`run_idle`](Self::run_idle), [`after`](Self::after) |
/// | what came of it | [`events`](Self::events), [`timeline`](Self::timeline), [`data`](Self::data), [`stats`](Self::stats), [`record`](Self::record), [`log`](Self::log), [`digest`](Self::digest), [`reproduce`](Self::reproduce) |
/// | mischief | [`inject`](Self::inject) |
pub struct Sim {
    scenario: String,
    seed: u64,
    net: Net,
    nodes: Vec<Slot>,
    /// When which node wants to be woken; a node has one entry at most.
    wakes: BTreeSet<(Instant, usize)>,
    scripts: BTreeMap<(Instant, u64), Script>,
    scripted: u64,
    /// How much has happened since the clock last moved.
    busy: usize,
    buf: Box<Buffer>,
}

type Script = Box<dyn FnOnce(&mut Sim)>;

/// A machine's place. It stays when the machine has ended, so that what it said can still be read.
struct Slot {
    host: HostId,
    node: Box<dyn AnyNode>,
    wake: Option<Wake>,
    /// Driven: neither killed nor closed.
    alive: bool,
}

impl Sim {
    /// An empty simulation whose every chance comes from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut octets = [0; 32];
        octets[..8].copy_from_slice(&seed.to_le_bytes());
        Self {
            scenario: String::new(),
            seed,
            net: Net::new(Seed::new(octets)),
            nodes: Vec::new(),
            wakes: BTreeSet::new(),
            scripts: BTreeMap::new(),
            scripted: 0,
            busy: 0,
            buf: Box::new([0; 2048]),
        }
    }

    /// Gives the run a name, for the line that [`reproduce`](Self::reproduce)s it.
    #[must_use]
    pub fn named(mut self, scenario: &str) -> Self {
        self.scenario = scenario.into();
        self
    }

    /// A seed for a part of the test, such as a machine. Labels keep the parts apart: the same label gives the same seed.
    #[must_use]
    pub fn seed(&self, label: &str) -> Seed {
        self.net.seed.fork("test").fork(label)
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("scenario", &self.scenario)
            .field("seed", &self.seed)
            .field("now", &self.net.now)
            .field("hosts", &self.net.hosts.len())
            .field("nodes", &self.nodes.len())
            .field("stats", &self.net.log.stats)
            .finish_non_exhaustive()
    }
}

/// A failing test says how to see the failure again.
#[cfg(feature = "std")]
impl Drop for Sim {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!("{}", self.reproduce());
        }
    }
}
