//! `ginnel serve`: a STUN and TURN server for the Internet.
//!
//! The protocol is the machine of `ginnel_turn`, the sockets are the driver's; here is what is around them:
//!
//! | | |
//! |---|---|
//! | `config` | what it is told, and every mistake in that, with its place |
//! | `plan`, `sockets` | the addresses of this host, and the ports of the listeners |
//! | `machine`, `fleet`, `app` | the settings in the machine's words; a thread for each shard; what it says is logged |
//! | `control`, `course` | signals: drain, reload, end; the certificate's files; a shard that ends by itself |
//! | `http`, `metrics` | `/healthz` and `/metrics` |
//! | `logs`, `privacy` | what is logged, and what is not |

mod app;
mod config;
mod control;
mod course;
mod fleet;
mod host;
mod http;
mod logs;
mod machine;
mod metrics;
mod notify;
mod options;
mod plan;
mod privacy;
mod sockets;

use std::io::Write as _;

use config::identity;
pub(crate) use options::Options;

/// Runs until a signal ends it, or says what holds, or what is wrong with it.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let sources = options.sources(|name| std::env::var(name).ok())?;
    if options.print {
        say(&sources.print());
    }
    let settings = sources.resolve().map_err(|mistakes| mistakes.to_string())?;
    // Before they are read: what comes after is new.
    let watch = settings.identity.as_ref().map(identity::Watch::new);
    let tls = settings.read_identity()?;
    // It starts all the same: UDP and TCP need none.
    if let Some(files) = settings.identity.as_ref().filter(|_| tls.as_ref().is_some_and(identity::is_past)) {
        eprintln!("warning: {}: {}", files.cert.display(), identity::PAST);
    }
    if let Some(sentence) = settings.about_ports() {
        eprintln!("warning: {sentence}");
    }
    if options.print {
        return Ok(());
    }
    if options.check {
        say("The configuration is sound.\n");
        return Ok(());
    }
    control::run(sources, settings, tls, watch)
}

/// To standard output. Whoever read it may have gone: that ends nothing.
fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}
