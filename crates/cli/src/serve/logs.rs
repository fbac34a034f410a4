//! Logs on standard error: lines of text or of JSON, and a filter that can change.

use std::io::IsTerminal as _;

use tracing_subscriber::{
    EnvFilter, Registry, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

use super::config::Settings;

/// Changes what is logged.
#[derive(Debug)]
pub(super) struct Filter(reload::Handle<EnvFilter, Registry>);

impl Filter {
    /// Begins to log.
    pub(super) fn install(settings: &Settings) -> Self {
        let (filter, handle) = reload::Layer::new(EnvFilter::new(&settings.log));
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let registry = tracing_subscriber::registry().with(filter);
        // A second subscriber is refused: the tests of this program are the only ones to try.
        let _ = match settings.log_json {
            true => registry.with(lines.json().flatten_event(true)).try_init(),
            false => registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init(),
        };
        Self(handle)
    }

    /// Logs by these settings from now on.
    pub(super) fn set(&self, settings: &Settings) {
        let _ = self.0.reload(EnvFilter::new(&settings.log));
    }
}
