//! What the server spends while packets are sent, where it runs on the same host: the kernel counts it for each process
//! (`proc_pid_stat(5)`).

use std::{fs, time::Duration};

/// What Linux counts in, on every platform: `USER_HZ`.
const TICKS_PER_SECOND: u64 = 100;
/// Where `utime` and `stime` are behind the name of the program, counted from the state.
const USER: usize = 11;

/// The time that all threads of a process have had a processor for, in and out of the kernel.
pub(super) fn spent(process: u32) -> Result<Duration, String> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path)
        .map_err(|error| format!("what the server spends cannot be read from {path}: {error}"))?;
    parse(&text).ok_or_else(|| format!("{path} says nothing of what the server spends"))
}

fn parse(text: &str) -> Option<Duration> {
    // The name is in brackets and may hold anything, brackets too.
    let (_, behind) = text.rsplit_once(')')?;
    let mut fields = behind.split_ascii_whitespace().skip(USER);
    let mut next = || fields.next()?.parse::<u64>().ok();
    let ticks = next()? + next()?;
    Some(Duration::from_millis(ticks.checked_mul(1_000 / TICKS_PER_SECOND)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_times_are_found_behind_any_name() {
        let line = "42 (a) b (c) S 1 42 42 0 -1 4194560 111 0 0 0 250 125 7 8 20 0 1 0 3 4 5\n";
        assert_eq!(parse(line), Some(Duration::from_millis(3_750)));
        assert_eq!(parse("42 (a) S 1 2 3"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_process_that_is_not_there_is_named() {
        assert!(spent(u32::MAX).unwrap_err().contains("/proc/4294967295/stat"));
        #[cfg(target_os = "linux")]
        assert!(spent(std::process::id()).is_ok());
    }
}
