//! A program that a test talks with: what it is told, what it says, how it ends, each within a time.

use std::{
    io::{Read, Write as _},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, Instant},
};

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Talk {
    child: Child,
    input: ChildStdin,
    /// What it says, and whether as an error.
    said: Receiver<(bool, Vec<u8>)>,
    output: Vec<u8>,
    errors: Vec<u8>,
}

impl Talk {
    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let input = child.stdin.take().expect("a pipe");
        let (tell, said) = channel();
        listen(child.stdout.take().expect("a pipe"), false, tell.clone());
        listen(child.stderr.take().expect("a pipe"), true, tell);
        Self { child, input, said, output: Vec::new(), errors: Vec::new() }
    }

    /// Tells it these octets.
    ///
    /// # Panics
    /// If it does not take them.
    pub fn say(&mut self, octets: &[u8]) {
        self.input.write_all(octets).expect("it listens");
        self.input.flush().expect("it listens");
    }

    /// Listens until its output is so long; whether it is in this time.
    #[must_use]
    pub fn has_said(&mut self, octets: usize, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.output.len() < octets {
            if self.listen_until(deadline).is_err() {
                return false;
            }
        }
        true
    }

    /// Listens until it ends, and says how; `None` if it goes on after this time.
    ///
    /// # Panics
    /// If it is not our child.
    #[must_use]
    pub fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.listen_until(deadline) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => return Some(self.child.wait().expect("our child")),
            }
        }
    }

    fn listen_until(&mut self, deadline: Instant) -> Result<(), RecvTimeoutError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let (error, octets) = self.said.recv_timeout(left)?;
        if error { &mut self.errors } else { &mut self.output }.extend(octets);
        Ok(())
    }

    /// Its output, as far as it was listened to.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// Its complaints, as far as they were listened to.
    #[must_use]
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.errors).into_owned()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(mut pipe: impl Read + Send + 'static, error: bool, tell: Sender<(bool, Vec<u8>)>) {
    std::thread::spawn(move || {
        let mut octets = [0; 4096];
        while let Ok(n @ 1..) = pipe.read(&mut octets) {
            if tell.send((error, octets[..n].to_vec())).is_err() {
                return;
            }
        }
    });
}
