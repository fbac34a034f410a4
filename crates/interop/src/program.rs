//! The `ginnel` program and the examples as child processes.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Output, Stdio},
    time::{Duration, Instant},
};

use crate::Namespace;

/// Where the program was built.
#[derive(Debug)]
pub struct Program;

impl Program {
    /// The release build that `cargo xtask test` makes.
    ///
    /// # Panics
    /// If it was not built.
    #[must_use]
    pub fn path() -> PathBuf {
        let path = target().join("release/ginnel");
        assert!(path.is_file(), "{} is missing: cargo build --release --package ginnel-cli", path.display());
        path
    }

    /// An example of `ginnel-stun`, as `cargo test` builds it.
    ///
    /// # Panics
    /// If it was not built.
    #[must_use]
    pub fn example(name: &str) -> PathBuf {
        let path = target().join("debug/examples").join(name);
        assert!(
            path.is_file(),
            "{} is missing: cargo build --package ginnel-stun --examples",
            path.display()
        );
        path
    }

    /// Runs `ginnel connect URL ...` to its end.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn connect(namespace: &Namespace, url: &str, more: &[&str]) -> Output {
        let mut command = namespace.command(Self::path());
        command.arg("connect").arg(url).args(more).stdin(Stdio::null());
        command.output().expect("ginnel connect starts")
    }
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from)
}

/// A running `ginnel demo`; killed when dropped.
#[derive(Debug)]
pub struct Demo {
    child: Child,
    output: BufReader<ChildStdout>,
    url: String,
}

impl Demo {
    /// Starts it and waits until it has said where it listens.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(namespace: &Namespace, more: &[&str]) -> Self {
        let mut command = namespace.command(Program::path());
        command.arg("demo").args(more).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("ginnel demo starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let url = read_url(&mut output);
        Self { child, output, url }
    }

    /// The address that it printed, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it as Ctrl-C would; its exit status and the rest of what it printed.
    ///
    /// # Panics
    /// If it does not end within ten seconds.
    pub fn interrupt(&mut self) -> (std::process::ExitStatus, String) {
        self.signal("-INT");
        let deadline = Instant::now() + Duration::from_secs(10);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "ginnel demo does not end on SIGINT");
            std::thread::yield_now();
        };
        let mut rest = String::new();
        let _ = self.output.read_to_string(&mut rest);
        (status, rest)
    }

    /// Ends it at once and without a word to anyone, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn signal(&self, name: &str) {
        // `ip netns exec` becomes the program, so the child's id is the program's.
        let id = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args([name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "no signal can be sent: is procps installed?");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_url(output: &mut impl BufRead) -> String {
    let mut said = String::new();
    loop {
        let mut line = String::new();
        let n = output.read_line(&mut line).expect("its output can be read");
        assert!(n > 0, "ginnel demo ended early; it said:\n{said}");
        said.push_str(&line);
        if let Some(at) = line.find("http://") {
            return line[at..]
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .trim_end_matches('/')
                .to_string();
        }
    }
}
