//! A relay over sockets: what one hop of a datagram costs its server in time of the processor, on loopback.
//!
//! Every contender is asked the same by the same load: datagrams of so many octets, of so many clients, in windows so small
//! that nothing has to be lost. Time is that of the server's threads alone, as the kernel counts it (`schedstat`), divided
//! by the hops that arrived. A hop is one datagram received and one sent: from a client to its peer, or back. There are two
//! floors, which look at nothing: the echo sends back what comes, in batches by `recvmmsg` and `sendmmsg`; the forwarder has
//! a socket for each flow besides, as every relay must, so that of its calls only those at the listener are batches.

mod coturn;
mod floor;
mod forwarder;
mod load;
mod ours;

use std::{cell::RefCell, fs, net::SocketAddr, rc::Rc};

use crate::contest::{Group, VOID};
use load::{Load, Shape};

/// What the load asks of: where it is, whose threads are counted, and how many hops one round trip takes there.
pub(crate) trait Server {
    fn at(&self) -> SocketAddr;
    /// The folders below `/proc` of its threads.
    fn threads(&self) -> Vec<String>;
    /// Whether it relays to peers; else it sends back.
    fn relays(&self) -> bool;
    /// Where a relay that is no TURN server relays for these two; a TURN server is asked by its protocol.
    fn open(&self, client: SocketAddr, peer: SocketAddr) -> Option<SocketAddr> {
        let _ = (client, peer);
        None
    }
}

/// Nanoseconds that the threads of a server have had the processor.
fn spent(server: &dyn Server) -> u64 {
    let of = |folder: &String| {
        let text = fs::read_to_string(format!("{folder}/schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    server.threads().iter().filter_map(of).sum()
}

type Start = fn() -> Option<Box<dyn Server>>;
/// A server and its load, once it was started.
type Running = Rc<RefCell<Option<(Box<dyn Server>, Load)>>>;

/// Many flows at each number of clients, and runs to one destination, in two sizes.
#[must_use]
pub fn groups() -> Vec<Group> {
    // Servers of groups that are done live on, with a socket for each relay: the usual 1,024 files are too few for all.
    let _ = ginnel_tokio::shards::raise_file_limit();
    let contenders: [(&str, Start); 4] = [
        ("ginnel", ours::start),
        ("floor: batched echo", floor::start),
        ("floor: forwarder, a socket for each flow", forwarder::start),
        ("coturn", coturn::start),
    ];
    let mut groups = Vec::new();
    for size in [200, 1_200] {
        let flows = [1, 10, 100, 1_000].map(|clients| Shape { clients, size, burst: 1 });
        for shape in flows.into_iter().chain([Shape { clients: 1, size, burst: 32 }]) {
            let mut group = Group::new(format!("sockets/{shape}"));
            for (name, start) in contenders {
                // What is not installed does not take part.
                if name == "coturn" && !coturn::is_there() {
                    continue;
                }
                // It takes flows, each from its own socket, one at a time.
                if shape.burst > 1 && name.contains("forwarder") {
                    continue;
                }
                let running = Running::default();
                group = group.with_part(name, move |times, _| {
                    let mut running = running.borrow_mut();
                    let (server, load) = running.get_or_insert_with(|| {
                        let server = start().expect("the server starts");
                        let load = Load::new(&*server, shape);
                        (server, load)
                    });
                    measure(&**server, load, times)
                });
            }
            groups.push(group);
        }
    }
    groups
}

/// The time of so many hops.
fn measure(server: &dyn Server, load: &mut Load, times: u64) -> u64 {
    // At least so many: the clock of the kernel is not finer.
    let wanted = times.max(2_000);
    let before = (spent(server), load.arrived, load.lost);
    while load.arrived - before.1 < wanted && load.lost - before.2 <= wanted {
        load.round();
    }
    let (hops, lost) = ((load.arrived - before.1).max(1), load.lost - before.2);
    if lost > 0 {
        eprintln!("{lost} datagrams lost of {}", hops + lost);
    }
    // What loses one in twenty does not do the same work as the others.
    if lost * 20 > hops {
        return times * VOID;
    }
    (spent(server) - before.0) * times / hops
}
