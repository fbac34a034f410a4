//! The body of the fuzz target `ice_agent`: a script of commands and packets against one agent, with its invariants checked
//! after each step. The packets are garbage, or checks and answers that are right but for what the script says.

use core::{net::SocketAddr, time::Duration};

use ginnel_core::{
    Buffer, Handled, Instant, Io, Notice, Packet, Path, Receive, Request, Seed, Transmit, Transport, settle,
};
use ginnel_stun::{
    Class, IntegrityKey, Message, MessageWriter, Method, TransactionId,
    attribute::{
        ErrorCode, IceControlled, IceControlling, Priority, UseCandidate, Username, XorMappedAddress,
    },
};

use crate::{Agent, AgentConfig, Candidate, Credentials, Event, Role, State};

const UFRAG: &str = "peer";
const PASSWORD: &str = "0123456789012345678901";
const MAX_STEPS: usize = 400;

/// What the agent did outwardly.
#[derive(Default)]
struct Outside {
    port: u16,
    last: Option<(Path, TransactionId)>,
    sent: u32,
}
impl Io<Event> for Outside {
    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
        self.sent += 1;
        if let Ok(message) = Message::parse(packet.bytes())
            && message.class() == Class::Request
        {
            self.last = Some((transmit.path, message.transaction_id()));
        }
    }
    fn request(&mut self, request: Request) -> Option<Notice> {
        let Request::Bind { ticket, ip, .. } = request else { return None };
        self.port += 1;
        Some(Notice::Opened { ticket, result: Ok((ip, self.port).into()) })
    }
    fn event(&mut self, _: Event) {}
}

/// Runs one script.
///
/// # Panics
/// When an invariant does not hold.
pub fn run(data: &[u8]) {
    let mut script = data.iter().copied();
    let role = if script.next().unwrap_or(0) & 1 == 0 { Role::Controlling } else { Role::Controlled };
    let config = AgentConfig::new(role).with_max_pairs(12).with_stun_server(([198, 51, 100, 1], 3478).into());
    let mut agent = Agent::new(config, Seed::new([9; 32]));
    let mut outside = Outside::default();
    let mut now = Instant::EPOCH;
    let mut steps = 0;
    while let (Some(op), true) = (script.next(), steps < MAX_STEPS) {
        steps += 1;
        let arg = script.next().unwrap_or(0);
        step(&mut agent, &mut outside, now, op, arg, &mut script);
        let mut buffer: Buffer = [0; 2048];
        let wake = settle(&mut agent, now, &mut buffer, &mut outside);
        check(&agent, now, wake.map(|wake| wake.at));
        if op & 0x80 != 0
            && let Some(wake) = wake
        {
            now = wake.at;
        }
        now += Duration::from_millis(u64::from(op >> 4 & 7) * u64::from(arg));
        let mut buffer: Buffer = [0; 2048];
        settle(&mut agent, now, &mut buffer, &mut outside);
    }
}

fn check(agent: &Agent, now: Instant, wake: Option<Instant>) {
    assert!(wake.is_none_or(|at| at > now), "asks for now for ever");
    let pairs = agent.pairs();
    assert!(pairs.len() <= 12);
    assert!(agent.remote_candidates().count() <= 100);
    assert!(agent.local_candidates().count() <= 64);
    assert!(pairs.iter().filter(|pair| pair.selected).count() <= 1);
    assert!(pairs.iter().all(|pair| pair.valid || !pair.nominated));
    let usable = matches!(agent.state(), State::Connected | State::Disconnected);
    assert_eq!(usable, agent.selected().is_some(), "{:?}", agent.state());
}

fn step(
    agent: &mut Agent,
    outside: &mut Outside,
    now: Instant,
    op: u8,
    arg: u8,
    script: &mut impl Iterator<Item = u8>,
) {
    let remote: SocketAddr = ([203, 0, 113, arg & 15], 5_000).into();
    let local: SocketAddr = ([192, 0, 2, 1 + (arg >> 6)], 1 + u16::from(arg >> 6)).into();
    let path = Path::udp(local, remote);
    match op & 15 {
        0 => {
            let _ = agent.add_local_ip(now, [192, 0, 2, 1 + arg % 3].into());
        }
        1 => agent.end_of_local_ips(now),
        2 => drop(Credentials::new(UFRAG, PASSWORD).map(|c| agent.set_remote_credentials(now, c))),
        3 => {
            let candidate = Candidate::host(remote).with_priority(u32::from(arg) << 16 | 1);
            let _ = agent.add_remote_candidate(now, candidate);
        }
        4 => agent.end_of_remote_candidates(now),
        5 if arg > 200 => drop(agent.restart(now).clone()),
        6 if arg > 250 => agent.close(now),
        7 => agent.handle_notice(now, Notice::Lost { transport: Transport::Udp, local, remote: None }),
        8 | 9 => request(agent, outside, now, path, arg),
        10..=12 => answer(agent, outside, now, arg),
        13 => {
            let mut buffer: Buffer = [0; 2048];
            let mut packet = Packet::empty(&mut buffer);
            let _ = packet.append(b"data");
            let usable = agent.selected().is_some();
            assert_eq!(agent.send(now, &mut packet).is_ok(), usable);
            assert_eq!(packet.bytes(), b"data");
        }
        14 => {
            let mut buffer: Buffer = [0; 2048];
            let mut packet = Packet::empty(&mut buffer);
            for octet in script.take(usize::from(arg)) {
                let _ = packet.append(&[octet]);
            }
            input(agent, outside, now, path, packet);
        }
        _ => {}
    }
}

/// A check with the right key, unless `arg` says otherwise.
fn request(agent: &mut Agent, outside: &mut Outside, now: Instant, path: Path, arg: u8) {
    let ours = agent.local_credentials();
    let username = alloc::format!("{}:{UFRAG}", ours.ufrag);
    let key = IntegrityKey::from_octets(if arg & 16 == 0 { ours.password.as_bytes() } else { b"wrong" });
    let mut buffer: Buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    let written = (|| {
        let writer =
            MessageWriter::new(&mut packet, Class::Request, Method::BINDING, TransactionId::new([arg; 12]))
                .ok()?;
        let writer = writer.attribute(&Username::new(&username).ok()?).ok()?.attribute(&Priority(77)).ok()?;
        let tiebreaker = u64::from(arg) << 56;
        let writer = match arg & 32 {
            0 => writer.attribute(&IceControlling(tiebreaker)).ok()?,
            _ => writer.attribute(&IceControlled(tiebreaker)).ok()?,
        };
        let writer = if arg & 8 == 0 { writer } else { writer.attribute(&UseCandidate).ok()? };
        writer.integrity(&key).ok()?.fingerprint().ok()
    })();
    if written.is_some() {
        input(agent, outside, now, path, packet);
    }
}

/// An answer to the last request, right unless `arg` says otherwise.
fn answer(agent: &mut Agent, outside: &mut Outside, now: Instant, arg: u8) {
    let Some((path, transaction)) = outside.last else { return };
    let key = IntegrityKey::from_octets(if arg & 16 == 0 { PASSWORD.as_bytes() } else { b"wrong" });
    let mut buffer: Buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    let code = [487, 401, 403, 500][usize::from(arg & 3)];
    let written = (|| {
        let writer = if arg & 4 == 0 {
            let mapped = if arg & 8 == 0 { path.local } else { ([203, 0, 113, 200], 9).into() };
            MessageWriter::new(&mut packet, Class::Success, Method::BINDING, transaction)
                .ok()?
                .attribute(&XorMappedAddress(mapped))
                .ok()?
        } else {
            MessageWriter::new(&mut packet, Class::Error, Method::BINDING, transaction)
                .ok()?
                .attribute(&ErrorCode::new(code, "").ok()?)
                .ok()?
        };
        writer.integrity(&key).ok()?.fingerprint().ok()
    })();
    if written.is_some() {
        let remote = if arg & 64 == 0 { path.remote } else { ([203, 0, 113, 99], 1).into() };
        input(agent, outside, now, Path { remote, ..path }, packet);
    }
}

fn input(agent: &mut Agent, outside: &mut Outside, now: Instant, path: Path, packet: Packet<'_>) {
    let before = agent.is_closed();
    let mut receive = Receive::new(path, packet);
    match agent.handle_input(now, &mut receive) {
        Handled::Send(transmit) => {
            assert_eq!(transmit.path, path, "answers go where the questions were");
            outside.send(transmit, &mut receive.packet);
        }
        handled => assert!(!before || handled == Handled::Foreign),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[test]
    fn the_corpus_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/ice_agent");
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 10);
        for file in files {
            super::run(&std::fs::read(file).unwrap());
        }
    }
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn any_script_holds(script in proptest::collection::vec(any::<u8>(), 0..600)) {
            super::run(&script);
        }
    }
}
