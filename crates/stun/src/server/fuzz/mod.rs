//! The body of the fuzz target `stun_server`: octets are read by position as a configuration and a script of requests, honest
//! and not, look-ups, time and changes of keys, played to one Binding server. After each step what came back is compared
//! with a model that knows the rules and nothing of the code, and with the limits of `SECURITY.md`.

mod model;
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
    fn below(&mut self, n: u8) -> u8 {
        self.octet() % n
    }
    fn flag(&mut self) -> bool {
        self.octet() & 1 == 1
    }
    fn octets(&mut self, n: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        front
    }
}

/// Plays `data` to a server.
///
/// # Panics
///
/// When an invariant is broken, or the model disagrees.
pub fn run(data: &[u8]) {
    let mut script = Script(data);
    let mut world = World::new(&mut script);
    while !script.0.is_empty() {
        world.step(&mut script);
    }
    world.end();
}
