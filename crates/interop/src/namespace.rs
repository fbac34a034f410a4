//! A network namespace: a machine of a test's own, for as long as the test runs.
//!
//! [`Namespace::new`] is one machine with one LAN interface, and nothing behind it: the veth pair has both ends inside,
//! since a browser gathers only on an interface that is up, has an address and leads somewhere, and mDNS needs one that can
//! do multicast. [`Namespace::empty`] has loopback alone; the networks of [`Internet`](crate::Internet) are made of these.

use std::{
    fs::File,
    io::Write as _,
    net::IpAddr,
    os::fd::AsFd as _,
    panic::resume_unwind,
    process::{Command, Output, Stdio},
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A namespace that is removed when dropped, and by a later run if this one is killed.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

/// What the names of all of them begin with; then comes the id of the process that made it.
const PREFIX: &str = "ginnel-";

impl Namespace {
    /// One with a LAN interface, or why it cannot be made (not root, no `ip`).
    ///
    /// # Errors
    /// A sentence.
    pub fn new() -> Result<Self, String> {
        let made = Self::empty()?;
        // Without nodad the address is tentative for a second or two, and a browser that starts then misses it.
        made.ip("link add lan0 type veth peer name lan1
                 address add 10.99.0.1/24 dev lan0
                 address add fd99::1/64 dev lan0 nodad
                 link set lan0 up
                 link set lan1 up
                 route add default via 10.99.0.2
                 -6 route add default via fd99::2")?;
        Ok(made)
    }

    /// One with loopback alone, or why it cannot be made (not root, no `ip`).
    ///
    /// # Errors
    /// A sentence.
    pub fn empty() -> Result<Self, String> {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(sweep);
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        ip(&["netns", "add", &name])?;
        let made = Self { name };
        made.ip("link set lo up")?;
        Ok(made)
    }

    /// Its name, for `ip netns`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Commands of `ip`, one a line, inside.
    ///
    /// # Errors
    /// A sentence.
    pub fn ip(&self, lines: &str) -> Result<(), String> {
        for line in lines.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            ip(&[&["-n", &self.name], &words[..]].concat())?;
        }
        Ok(())
    }

    /// Rules of the kernel's packet filter, as `nft -f` reads them.
    ///
    /// # Errors
    /// A sentence.
    pub fn nft(&self, rules: &str) -> Result<(), String> {
        let mut nft = self.command("nft");
        nft.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut nft = nft.spawn().map_err(|e| format!("nft: {e}"))?;
        let written = nft.stdin.take().map(|mut pipe| pipe.write_all(rules.as_bytes()));
        let output = nft.wait_with_output().map_err(|e| format!("nft: {e}"))?;
        if output.status.success() && written.is_some_and(|written| written.is_ok()) {
            return Ok(());
        }
        Err(format!("nft: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Loses `percent` of all UDP datagrams inside, from now on.
    ///
    /// # Errors
    /// A sentence.
    pub fn lose(&self, percent: u8) -> Result<(), String> {
        self.nft(&format!(
            "table inet loss {{\n chain input {{\n type filter hook input priority 0\n \
             meta l4proto udp numgen random mod 100 < {percent} counter drop\n }}\n }}\n"
        ))
    }

    /// Passes on what comes for other machines: makes a router of it.
    ///
    /// # Errors
    /// A sentence.
    pub fn forward(&self) -> Result<(), String> {
        self.enter(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"))
            .map_err(|e| format!("no forwarding in a namespace: {e}"))
    }

    /// Has programs inside find these names at these addresses.
    ///
    /// # Errors
    /// A sentence.
    pub fn hosts(&self, hosts: &[(&str, IpAddr)]) -> Result<(), String> {
        // `ip netns exec` lays what is in this folder over /etc.
        let dir = names(&self.name);
        let mut table = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        for (host, ip) in hosts {
            table.push_str(&format!("\n{ip} {host}\n"));
        }
        std::fs::create_dir_all(&dir)
            .and_then(|()| std::fs::write(format!("{dir}/hosts"), table))
            .map_err(|e| format!("no names in a namespace: {e}"))
    }

    /// A command that will run inside.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs `work` on a thread that is inside: sockets that it opens belong there, and stay there when they leave it.
    /// A panic of it is the caller's.
    ///
    /// # Panics
    /// If the thread cannot move there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let door = File::open(format!("/run/netns/{}", self.name)).expect("the namespace is there");
        let work = || {
            move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("the thread may move into the namespace");
            work()
        };
        // The name of a test's thread is the test's: what it says is reported under that.
        let thread = std::thread::current();
        let named = std::thread::Builder::new().name(thread.name().unwrap_or_default().to_string());
        std::thread::scope(|scope| {
            let inside = named.spawn_scoped(scope, work).expect("a thread can be had");
            inside.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        delete(&self.name);
    }
}

/// Where `ip netns exec` looks for the names that are known in there.
fn names(name: &str) -> String {
    format!("/etc/netns/{name}")
}

fn delete(name: &str) {
    let _ = std::fs::remove_dir_all(names(name));
    let _ = ip(&["netns", "delete", name]);
}

/// Removes what earlier runs left because they were killed, with the programs in there.
fn sweep() {
    let Ok(list) = std::fs::read_dir("/run/netns") else { return };
    for name in list.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let owner = rest.split('-').next().and_then(|id| id.parse::<u32>().ok());
        if owner.is_none_or(|id| std::path::Path::new(&format!("/proc/{id}")).exists()) {
            continue;
        }
        let orphans = Command::new("ip").args(["netns", "pids", &name]).output();
        let orphans = orphans.map(|output| output.stdout).unwrap_or_default();
        for id in String::from_utf8_lossy(&orphans).split_whitespace() {
            let _ = Command::new("kill").args(["-KILL", id]).stderr(Stdio::null()).status();
        }
        delete(&name);
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let shown = || format!("ip {}", words.join(" "));
    let Output { status, stderr, .. } =
        Command::new("ip").args(words).output().map_err(|e| format!("{}: {e}", shown()))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", shown(), String::from_utf8_lossy(&stderr).trim()))
}
