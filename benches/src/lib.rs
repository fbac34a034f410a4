//! What ours, the floors and the rivals are measured doing: one place, so that all get the same octets, and so that time and
//! allocations are measured on the same work.

pub mod contest;
#[cfg(target_os = "linux")]
pub mod sockets;
pub mod srtp;
pub mod stun;
pub mod turn;

/// Nanoseconds that this thread has had the processor: the probe of the benchmarks that measure time. What else the machine
/// does is not in it, but for caches and clock rates.
#[cfg(unix)]
#[must_use]
pub fn timed() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
/// Nanoseconds since the first call: the probe of the benchmarks that measure time.
#[cfg(not(unix))]
#[must_use]
pub fn timed() -> u64 {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed().as_nanos() as u64
}
