//! A program that runs in the background of a test: started, waited for, ended with the test.

use std::{
    io::BufReader,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

/// How long a program may take until it is ready, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    said: Arc<Mutex<String>>,
    lines: Mutex<Receiver<String>>,
}

impl Daemon {
    /// Starts it and waits until a line of its output is the one that `ready` waits for. The rest of its output is read too,
    /// so that it never waits for a reader.
    ///
    /// # Panics
    /// If it cannot be started, ends, or says nothing of the kind in 20 seconds; with what it said instead.
    #[must_use]
    pub fn start(mut command: Command, mut ready: impl FnMut(&str) -> bool) -> Self {
        let name = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{name}: {e}"));
        let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let said = Arc::new(Mutex::new(String::new()));
        let lines = listen(output, Arc::clone(&said));
        // From here on it is ended with this.
        let started = Self { child, said, lines: Mutex::new(lines) };
        started.wait(&name, &mut ready);
        started
    }

    /// Waits for another line, of those that came after the last that was waited for.
    ///
    /// # Panics
    /// If none comes in 20 seconds.
    pub fn wait_for(&self, mut wanted: impl FnMut(&str) -> bool) {
        self.wait("the program", &mut wanted);
    }

    fn wait(&self, name: &str, wanted: &mut dyn FnMut(&str) -> bool) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if wanted(&line) => return,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("{name} is not ready; it said:\n{}", self.said()),
                Err(RecvTimeoutError::Disconnected) => panic!("{name} ended; it said:\n{}", self.said()),
            }
        }
    }

    /// Its process, which `ip netns exec` becomes.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has printed so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(output: impl std::io::BufRead + Send + 'static, said: Arc<Mutex<String>>) -> Receiver<String> {
    let (lines, read) = channel();
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            said.lock().unwrap_or_else(PoisonError::into_inner).push_str(&format!("{line}\n"));
            let _ = lines.send(line);
        }
    });
    read
}
