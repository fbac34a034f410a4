//! The `ginnel` program: WebRTC from the command line.
//!
//! Without a subcommand it runs `demo`: a web page, a STUN server and a WebRTC peer that answers the page.

#![forbid(unsafe_code)]

mod connect;
mod demo;
mod host;
mod inspect;
mod serve;
mod turn_load;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// WebRTC outside the browser.
#[derive(Parser)]
#[command(name = "ginnel", version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: demo::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a page that connects your browser to a WebRTC peer in this program (the default)
    Demo(demo::Options),
    /// Offer a connection to a peer that answers at URL, check an echo over it, and report the times
    Connect(connect::Options),
    /// Explain octets: what a message says, whether it is sound, whether a password made it
    Inspect(inspect::Options),
    /// Run a STUN and TURN server: relay for those who cannot reach each other
    Serve(serve::Options),
    /// Put a TURN server under load, and tell its latency, loss and throughput
    TurnLoad(turn_load::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Command::Serve(options)) = &cli.command {
        // It sets up logs of its own.
        return finish(serve::run(options));
    }
    let filter = EnvFilter::try_from_env("GINNEL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match cli.command {
        None => wait_for(demo::run(cli.demo)),
        Some(Command::Demo(options)) => wait_for(demo::run(options)),
        Some(Command::Connect(options)) => wait_for(connect::run(options)),
        Some(Command::Inspect(options)) => finish(inspect::run(options)),
        Some(Command::TurnLoad(options)) => wait_for(turn_load::run(options)),
        Some(Command::Serve(options)) => finish(serve::run(&options)),
    }
}

/// Runs what needs sockets and time.
fn wait_for(work: impl Future<Output = Result<(), String>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the async runtime does not start: {error}")),
    };
    let outcome = runtime.block_on(work);
    // A request of ours that nobody answers must not keep the program.
    runtime.shutdown_background();
    finish(outcome)
}

fn finish(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => fail(&sentence),
    }
}

/// Every failure is one sentence that says what, where, and what to do.
fn fail(sentence: &str) -> ExitCode {
    eprintln!("ginnel: {sentence}");
    ExitCode::FAILURE
}
