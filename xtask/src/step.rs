//! One command as a step: quiet while it goes well, its whole output when it does not.
//!
//! A step prints one line when it starts and finishes that line with the time it took. Where the output is worth
//! reading as it comes (a test runner's own progress), use [`Step::shown`].

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Why a chore failed, as a sentence.
pub(crate) type Failure = String;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Where chores keep what they make: logs, installed tools.
pub(crate) fn scratch() -> PathBuf {
    let dir = target_dir().join("xtask");
    let _ = std::fs::create_dir_all(&dir);
    dir
}

/// Cargo's target folder, wherever the caller put it.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Whether this is CI, where a missing peer is a failure and not a skip.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|v| v == "true" || v == "1")
}

/// Whether a program of this name is on the PATH.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// A command with a name for people.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    command: Command,
    limit: Option<Duration>,
}

impl Step {
    /// `words[0]` is the program; it runs in the workspace's root.
    pub(crate) fn new(name: &str, words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(root()).stdin(Stdio::null());
        Self { name: name.to_string(), command, limit: None }
    }

    /// `cargo ...` with the toolchain that runs this program.
    pub(crate) fn cargo(name: &str, words: &[&str]) -> Self {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
        Self::new(name, &[&[cargo.as_str()], words].concat())
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, key: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Removes an environment variable.
    pub(crate) fn without_env(mut self, key: &str) -> Self {
        self.command.env_remove(key);
        self
    }

    /// Runs somewhere else than in the root.
    pub(crate) fn within(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Ends the command after this long and calls that a failure.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Runs it quietly: output goes to a log, which is printed only on failure.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        let started = Instant::now();
        let log = scratch().join(format!("{}.log", self.name.replace([' ', '/', ':'], "-")));
        let file = File::create(&log).map_err(|e| format!("cannot write {}: {e}", log.display()))?;
        let copy = file.try_clone().map_err(|e| format!("cannot write {}: {e}", log.display()))?;
        self.command.stdout(file).stderr(copy);
        eprint!("  {:<34}", self.name);
        let status = self.wait()?;
        eprintln!(
            "{} {:>6.1} s",
            if status.success() { "ok  " } else { "FAIL" },
            started.elapsed().as_secs_f32()
        );
        if status.success() {
            return Ok(());
        }
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        eprintln!("{text}");
        Err(format!("{} ({status})", self.name))
    }

    /// Runs it with its output shown as it comes.
    pub(crate) fn shown(mut self) -> Result<(), Failure> {
        eprintln!("  {}", self.name);
        let status = self.wait()?;
        if status.success() { Ok(()) } else { Err(format!("{} ({status})", self.name)) }
    }

    fn wait(&mut self) -> Result<ExitStatus, Failure> {
        let started = Instant::now();
        let program = self.command.get_program().to_string_lossy().into_owned();
        let cannot = |e| format!("cannot run {program}: {e}");
        let Some(limit) = self.limit else { return self.command.status().map_err(cannot) };
        let mut child = self.command.spawn().map_err(cannot)?;
        loop {
            if let Some(status) = child.try_wait().map_err(|e| format!("{}: {e}", self.name))? {
                return Ok(status);
            }
            if started.elapsed() > limit {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{}: not done after {} s", self.name, limit.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// A heading between groups of steps.
pub(crate) fn heading(text: &str) {
    eprintln!("\n{text}");
}
