//! What is done with what the machine of a shard says: it is logged, and the end of a drain is passed on.

use std::collections::BTreeMap;

use ginnel::{
    core::{Handled, Instant, Receive},
    driver::App,
    tokio::shards,
    turn::server::{AllocationId, Event, Handover, Server},
};
use tokio::sync::mpsc;
use tracing::{debug, info};

use super::privacy::Privacy;

/// What a shard reports to the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Its last allocation is gone.
    Drained(usize),
    /// It has ended: its machine was closed, and has said its last words; or there is something wrong with the program.
    Ended(usize),
}

/// Above the machine of one shard.
#[derive(Debug)]
pub(super) struct ShardApp {
    pub(super) shard: usize,
    pub(super) privacy: Privacy,
    pub(super) reports: mpsc::UnboundedSender<Report>,
    /// When the allocations began; as many as the machine allows.
    pub(super) since: BTreeMap<AllocationId, Instant>,
}

impl App<Server> for ShardApp {
    fn event(&mut self, now: Instant, _: &mut Server, event: Event) {
        match event {
            Event::Allocated { id, user, client, relayed, additional } => {
                self.since.insert(id, now);
                debug!(
                    shard = self.shard,
                    allocation = id.0,
                    user = self.privacy.say(&user.name()),
                    client = self.privacy.say(&client.remote),
                    transport = %client.transport,
                    %relayed,
                    additional = additional.map(tracing::field::display),
                    "allocated"
                );
            }
            Event::Moved { id, client, .. } => {
                debug!(
                    shard = self.shard,
                    allocation = id.0,
                    client = self.privacy.say(&client.remote),
                    transport = %client.transport,
                    "moved"
                );
            }
            Event::Ended { id, user, reason, stats } => {
                let since = self.since.remove(&id).unwrap_or(now);
                info!(
                    shard = self.shard,
                    allocation = id.0,
                    user = self.privacy.say(&user.name()),
                    ?reason,
                    seconds = now.saturating_since(since).as_secs(),
                    packets_to_peers = stats.to_peers.packets,
                    bytes_to_peers = stats.to_peers.octets,
                    packets_to_client = stats.to_client.packets,
                    bytes_to_client = stats.to_client.octets,
                    dropped = stats.dropped,
                    "allocation ended"
                );
            }
            Event::Drained => {
                let _ = self.reports.send(Report::Drained(self.shard));
            }
            // Users are in memory; that the machine is closed, the end of its driver says.
            _ => {}
        }
    }
}

impl shards::ShardApp<Server> for ShardApp {
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

/// A shard drops what is above its machine when it has ended, whatever ended it.
impl Drop for ShardApp {
    fn drop(&mut self) {
        let _ = self.reports.send(Report::Ended(self.shard));
    }
}
