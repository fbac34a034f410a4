//! A network namespace: one machine with one LAN interface, and nothing behind it.
//!
//! The veth pair has both ends inside: a browser gathers only on an interface that is up, has an address and leads
//! somewhere, and mDNS needs one that can do multicast.

use std::{
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

/// A namespace that is removed when dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one, or says why it cannot be made (not root, no `ip`).
    ///
    /// # Errors
    /// A sentence.
    pub fn new() -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ginnel-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        ip(&["netns", "add", &name])?;
        let made = Self { name };
        let commands: [&[&str]; 8] = [
            &["link", "set", "lo", "up"],
            &["link", "add", "lan0", "type", "veth", "peer", "name", "lan1"],
            &["address", "add", "10.99.0.1/24", "dev", "lan0"],
            // Without nodad the address is tentative for a second or two, and a browser that starts then misses it.
            &["address", "add", "fd99::1/64", "dev", "lan0", "nodad"],
            &["link", "set", "lan0", "up"],
            &["link", "set", "lan1", "up"],
            &["route", "add", "default", "via", "10.99.0.2"],
            &["-6", "route", "add", "default", "via", "fd99::2"],
        ];
        for words in commands {
            ip(&[&["-n", &made.name], words].concat())?;
        }
        Ok(made)
    }

    /// Loses `percent` of all UDP datagrams inside, from now on, by a rule of the kernel's packet filter.
    ///
    /// # Errors
    /// A sentence.
    pub fn lose(&self, percent: u8) -> Result<(), String> {
        let rule = format!(
            "table inet loss {{\n chain input {{\n type filter hook input priority 0\n \
             meta l4proto udp numgen random mod 100 < {percent} counter drop\n }}\n }}\n"
        );
        let output = self.command("nft").arg(rule).output().map_err(|e| format!("nft: {e}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("nft: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// A command that will run inside.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = ip(&["netns", "delete", &self.name]);
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
