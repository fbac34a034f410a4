//! The body of the fuzz target `turn_server`: octets are read by position as a script of requests, data, time, refused sockets
//! and revoked users, of moving clients and of connections to peers, played to one TURN server. After each step what came
//! back is compared with a model of allocations, permissions, channels, tickets and connections that knows the RFCs' rules
//! and nothing of the tables.

mod model;
mod moves;
mod streams;
mod world;

use world::World;

/// The input, taken from the front. Past its end everything is zero.
pub(super) struct Script<'a>(pub(super) &'a [u8]);
impl<'a> Script<'a> {
    fn octet(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }
    fn below(&mut self, n: u8) -> usize {
        usize::from(self.octet() % n)
    }
    /// The first, three times of four: so that scripts of chance get on.
    fn mostly(&mut self, usual: usize, other: usize) -> usize {
        if self.below(4) == 0 { other } else { usual }
    }
    fn octets(&mut self, n: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        front
    }
}

/// Steps of one script at the most: more show nothing new.
const STEPS_MAX: usize = 400;

/// Plays `data` to a server.
///
/// # Panics
///
/// When an invariant is broken, or the model disagrees.
pub fn run(data: &[u8]) {
    let mut script = Script(data);
    let mut world = World::new();
    for _ in 0..STEPS_MAX {
        if script.0.is_empty() {
            break;
        }
        world.step(&mut script);
        world.look();
    }
    world.end();
}
