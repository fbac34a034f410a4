//! One command as a step: quiet while it goes well, the end of its output when it does not.
//!
//! A step prints one line when it starts and finishes that line with the time it took. Where the output is worth
//! reading as it comes (a test runner's own progress), use [`Step::shown`].

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Why a chore failed, as a sentence.
pub(crate) type Failure = String;

/// How much of a failed step's output is printed; the rest is in its log.
const SHOWN_LINES: usize = 150;
/// Below so much free space a failure may be the disk's: linking the tests takes more.
const SHORT_MEGABYTES: u64 = 1_024;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Where chores keep what they make: logs, measurements.
pub(crate) fn scratch() -> PathBuf {
    let dir = target_dir().join("xtask");
    let _ = std::fs::create_dir_all(&dir);
    dir
}

/// Cargo's target folder, wherever the caller put it.
pub(crate) fn target_dir() -> PathBuf {
    chosen_target_dir().unwrap_or_else(|| root().join("target"))
}

/// The target folder of the environment, if there is one. Absolute: steps run elsewhere than the caller.
pub(crate) fn chosen_target_dir() -> Option<PathBuf> {
    let dir = std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty())?;
    std::path::absolute(dir).ok()
}

/// Whether this is CI, where a missing peer is a failure and not a skip.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|v| v == "true" || v == "1")
}

/// Whether a program of this name is on the PATH; of a full path, whether it is there.
pub(crate) fn on_path(program: &str) -> bool {
    // Joined to a folder, a full path replaces it.
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// What a program prints, or nothing where it is missing or fails.
pub(crate) fn output_of(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).current_dir(root()).stderr(Stdio::null()).output();
    let output = output.ok().filter(|output| output.status.success());
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string()).unwrap_or_default()
}

/// The cargo of the toolchain that runs this program.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string())
}

/// A heading between groups of steps.
pub(crate) fn heading(text: &str) {
    eprintln!("\n{text}");
}

/// The line of a check that runs inside this program.
pub(crate) fn report(name: &str, wrong: &[String]) -> Result<(), Failure> {
    eprintln!("  {name:<36}{}", if wrong.is_empty() { "ok" } else { "FAIL" });
    for line in wrong {
        eprintln!("    {line}");
    }
    match wrong.len() {
        0 => Ok(()),
        n => Err(format!("{name} ({n} found)")),
    }
}

/// A command with a name for people.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    command: Command,
}

impl Step {
    /// `words[0]` is the program; it runs in the workspace's root.
    pub(crate) fn new(name: &str, words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(root()).stdin(Stdio::null());
        if let Some(dir) = chosen_target_dir() {
            command.env("CARGO_TARGET_DIR", dir);
        }
        Self { name: name.to_string(), command }
    }

    /// `cargo ...` with the toolchain that runs this program.
    pub(crate) fn cargo(name: &str, words: &[&str]) -> Self {
        Self::new(name, &[&[cargo().as_str()], words].concat())
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

    /// Runs it quietly and returns what it printed: output goes to a log, whose end is shown on failure.
    pub(crate) fn run(mut self) -> Result<String, Failure> {
        let (log, started) = self.begin()?;
        let status = self.command.status().map_err(|e| self.cannot(&e))?;
        self.end(&log, started, status)
    }

    /// As [`Step::run`], but ends the command and all that it started after this long, and returns `None` then.
    pub(crate) fn run_within(mut self, limit: Duration) -> Result<Option<String>, Failure> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut self.command, 0);
        let (log, started) = self.begin()?;
        let mut child = self.command.spawn().map_err(|e| self.cannot(&e))?;
        loop {
            match child.try_wait().map_err(|e| self.cannot(&e))? {
                Some(status) => return self.end(&log, started, status).map(Some),
                None if started.elapsed() > limit => break,
                None => std::thread::sleep(Duration::from_millis(100)),
            }
        }
        end_group(&mut child);
        eprintln!("ended after {} s", limit.as_secs());
        Ok(None)
    }

    /// Runs it with its output shown as it comes.
    pub(crate) fn shown(mut self) -> Result<(), Failure> {
        eprintln!("  {}", self.name);
        let status = self.command.status().map_err(|e| self.cannot(&e))?;
        if status.success() { Ok(()) } else { Err(format!("{} ({status})", self.name)) }
    }

    fn begin(&mut self) -> Result<(PathBuf, Instant), Failure> {
        let log = scratch().join(format!("{}.log", self.name.replace(|c: char| !c.is_alphanumeric(), "-")));
        let file = File::create(&log).and_then(|file| Ok((file.try_clone()?, file)));
        let (file, copy) = file.map_err(|e| format!("cannot write {}: {e}", log.display()))?;
        self.command.stdout(file).stderr(copy);
        eprint!("  {:<36}", self.name);
        let _ = std::io::stderr().flush();
        Ok((log, Instant::now()))
    }

    fn end(&self, log: &Path, started: Instant, status: ExitStatus) -> Result<String, Failure> {
        let verdict = if status.success() { "ok  " } else { "FAIL" };
        eprintln!("{verdict} {:>6.1} s", started.elapsed().as_secs_f32());
        let text = std::fs::read(log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        if status.success() {
            return Ok(text);
        }
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(SHOWN_LINES);
        for line in &lines[from..] {
            eprintln!("    {line}");
        }
        if let Some(left) = free_megabytes(log).filter(|left| *left < SHORT_MEGABYTES) {
            eprintln!("    {left} MB are free on this disk: that may be why");
        }
        Err(format!("{} ({status}); its whole output is in {}", self.name, log.display()))
    }

    fn cannot(&self, error: &std::io::Error) -> Failure {
        format!("{}: cannot run {}: {error}", self.name, self.command.get_program().to_string_lossy())
    }
}

/// What is free on the disk of this file. A full one leaves even the log of what failed empty.
fn free_megabytes(file: &Path) -> Option<u64> {
    let told = output_of(&["df", "-Pm", &file.to_string_lossy()]);
    told.lines().last()?.split_whitespace().nth(3)?.parse().ok()
}

/// Ends a child and its own children, such as the compilers of a cargo.
fn end_group(child: &mut Child) {
    if cfg!(unix) {
        let group = format!("-{}", child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_step_that_takes_too_long_ends_with_all_that_it_started() {
        let step = Step::new("too long", &["sh", "-c", "sleep 60 & echo $!; wait"]);
        assert_eq!(step.run_within(Duration::from_millis(300)), Ok(None));
        let log = std::fs::read_to_string(scratch().join("too-long.log")).unwrap();
        // Gone, or dead and not yet collected.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", log.trim())).unwrap_or_default();
        assert!(log.trim().parse::<u32>().is_ok() && !stat.contains(") S "), "{log} {stat}");
    }

    #[test]
    fn a_failure_is_told_and_so_is_what_was_printed() {
        let failure = Step::new("fails", &["cargo", "no-such-command"]).run().unwrap_err();
        assert!(failure.starts_with("fails (exit status: 101)"), "{failure}");
        assert!(Step::new("works", &["cargo", "--version"]).run().unwrap().starts_with("cargo "));
        assert!(Step::new("absent", &["no-such-program"]).run().is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_free_on_a_disk_is_known() {
        assert!(free_megabytes(&scratch()).is_some());
        assert_eq!(free_megabytes(Path::new("/proc/self/no-such-file")), None);
    }
}
