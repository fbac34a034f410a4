//! The program: started, listened to, signalled, ended with the test.

use std::{
    fmt,
    io::{BufRead, BufReader, Read, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

pub(crate) use nix::sys::signal::Signal;

/// Long enough for a busy machine; no test waits for it to pass.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// `ginnel serve` with nothing of ours in its environment.
pub(crate) fn command(args: &[&str]) -> Command {
    ginnel(&[&["serve"], args].concat())
}

/// Any command of `ginnel`, in the same way.
pub(crate) fn ginnel(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ginnel"));
    command.args(args).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GINNEL_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs it to its end: what it said, and how it ended.
pub(crate) fn run(args: &[&str]) -> Output {
    finish(command(args))
}

/// The same for any command. One that goes on is ended, and fails the test.
pub(crate) fn finish(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (said, output) = channel();
    let reader = std::thread::spawn(move || said.send(child.wait_with_output()));
    let output = output.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        // It is waited for by the reader, so the id is still its own.
        let _ = nix::sys::signal::kill(id, Signal::SIGKILL);
        panic!("{command:?} does not end")
    });
    let _ = reader.join();
    output.expect("it is our child")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A file of this test's own.
pub(crate) fn file(name: &str, content: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("a file");
    path
}

/// A running server; killed when dropped.
pub(crate) struct Serve {
    child: Child,
    lines: Receiver<String>,
    /// What it had said when it was ready.
    pub(crate) announced: Vec<String>,
    logged: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}\n{}", self.announced, self.logged())
    }
}

impl Serve {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_command(command(args))
    }

    pub(crate) fn start_command(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let (said, lines) = channel();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut errors = child.stderr.take().expect("a pipe");
        let logged = Arc::new(Mutex::new(String::new()));
        let log = Arc::clone(&logged);
        let readers = vec![
            std::thread::spawn(move || {
                for line in output.lines().map_while(Result::ok) {
                    let _ = said.send(line);
                }
            }),
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = errors.read(&mut buffer) {
                    log.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
                }
            }),
        ];
        let mut serve = Self { child, lines, announced: Vec::new(), logged, readers };
        loop {
            let line = serve.line();
            let ready = line == "ready";
            serve.announced.push(line);
            if ready {
                return serve;
            }
        }
    }

    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("it says nothing; it has said {self:?}"),
            Err(RecvTimeoutError::Disconnected) => {
                self.finish_reading();
                panic!("it has ended; it has said {self:?}")
            }
        }
    }

    /// Waits for a line of its standard output.
    pub(crate) fn wait_for(&mut self, awaited: &str) {
        while self.line() != awaited {}
    }

    /// Where it listens over `udp`, `tcp`, `tls` or `dtls`: the first such listener.
    pub(crate) fn at(&self, transport: &str) -> SocketAddr {
        self.all(&format!("listening {transport} ")).first().copied().expect("it listens there")
    }
    fn all(&self, prefix: &str) -> Vec<SocketAddr> {
        self.announced
            .iter()
            .filter_map(|line| line.strip_prefix(prefix))
            .map(|at| at.parse().unwrap())
            .collect()
    }

    /// What the HTTP side answers to a GET: the status and the body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let metrics = self.announced.iter().find_map(|line| line.strip_prefix("metrics http://"));
        let at: SocketAddr = metrics.unwrap().trim_end_matches("/metrics").parse().unwrap();
        let mut stream = TcpStream::connect(at).expect("it serves metrics");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_string())
    }

    /// The value of a metric, by its whole name with labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("there is no {name}:\n{text}")).parse().unwrap()
    }

    /// Octets of memory that it has in use.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it runs");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// What it has logged so far.
    pub(crate) fn logged(&self) -> String {
        self.logged.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(id, signal).expect("it is our child");
    }

    /// Waits for its end: how it was, and all that it logged.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        // Its end closes its output.
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {self:?}"),
            }
        }
        let status = self.child.wait().unwrap();
        self.finish_reading();
        (status, self.logged())
    }

    fn finish_reading(&mut self) {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
