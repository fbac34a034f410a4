//! A real browser, driven through one scenario by the scripts in `js/`.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};

use crate::Namespace;

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    /// Debian's `chromium`.
    Chromium,
    /// Debian's `firefox-esr`.
    Firefox,
}

impl Browser {
    /// Its name for the scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }

    /// Why it cannot be used on this machine for a scenario with a relay, if it cannot: whom it trusts is told by `certutil`.
    #[must_use]
    pub fn missing_for_relays(self) -> Option<String> {
        self.missing().or_else(|| crate::missing("/usr/bin/certutil"))
    }

    /// Why it cannot be used on this machine, if it cannot.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        let program = match self {
            Self::Chromium => "/usr/bin/chromium",
            Self::Firefox => "/usr/bin/firefox-esr",
        };
        if let Some(why) = crate::missing(program) {
            return Some(why);
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|dir| dir.join("node").is_file()) {
            return Some(
                "node is not installed (as root on Debian, `cargo xtask test` installs it)".to_string(),
            );
        }
        if !scripts().join("node_modules").is_dir() {
            return Some(
                "the node packages are not installed (`cargo xtask test` installs them)".to_string(),
            );
        }
        None
    }

    /// Runs a scenario to its end and returns what the browser saw.
    ///
    /// # Panics
    /// If the scenario failed; the message holds the reason and the page's console.
    #[must_use]
    pub fn run(self, namespace: &Namespace, url: &str, scenario: &Scenario) -> Value {
        let mut options = scenario.options(url);
        options["browser"] = json!(self.name());
        let mut command = namespace.command("node");
        command.arg("browser.mjs").arg(options.to_string()).current_dir(scripts());
        // Firefox runs only as the owner of its HOME.
        command.env("HOME", "/root").stdin(Stdio::null());
        let output = command.output().expect("node starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().last().unwrap_or_default();
        let seen: Value = serde_json::from_str(line).unwrap_or_else(|e| {
            panic!("{}: {e}: {text}\n{}", self.name(), String::from_utf8_lossy(&output.stderr))
        });
        assert!(seen.get("error").is_none(), "{}: {seen:#}", self.name());
        seen
    }
}

fn scripts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("js")
}

/// What the browser is to do.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    page: bool,
    media: bool,
    mdns: bool,
    dtls12: bool,
    hold: u32,
    denied: bool,
    leave: bool,
    relay: Option<Relay>,
    screenshots: Vec<Screenshot>,
}

/// A TURN server, of which everything must take a relay.
#[derive(Clone, Debug)]
struct Relay {
    uri: String,
    credential: (String, String),
    authority: PathBuf,
}

/// A picture of the connected page.
#[derive(Clone, Debug)]
pub struct Screenshot {
    /// Where it goes: a PNG.
    pub path: PathBuf,
    /// `light` or `dark`.
    pub theme: &'static str,
    /// Width and height of the window, in CSS pixels.
    pub size: (u32, u32),
}

impl Scenario {
    /// The HTTP contract, spoken by a script: data echo of every kind.
    #[must_use]
    pub fn contract() -> Self {
        Self::default()
    }

    /// The demo page, used as a person would.
    #[must_use]
    pub fn page() -> Self {
        Self { page: true, ..Self::default() }
    }

    /// With camera and microphone.
    #[must_use]
    pub fn with_media(self) -> Self {
        Self { media: true, ..self }
    }

    /// On the page: asks for the camera and is refused it (Chromium only).
    #[must_use]
    pub fn with_camera_denied(self) -> Self {
        Self { denied: true, ..self }
    }

    /// On the page: closes the tab at the end, instead of pressing Disconnect.
    #[must_use]
    pub fn leave(self) -> Self {
        Self { leave: true, ..self }
    }

    /// With host addresses hidden behind `.local` names.
    #[must_use]
    pub fn with_mdns(self) -> Self {
        Self { mdns: true, ..self }
    }

    /// With the browser capped at DTLS 1.2 (Firefox only: Chromium has no switch for it).
    #[must_use]
    pub fn with_dtls12(self) -> Self {
        Self { dtls12: true, ..self }
    }

    /// By a relay alone (`iceTransportPolicy: 'relay'`), of the server at this URI (RFC 7065), for whose certificate the one
    /// in the file `authority` vouches.
    #[must_use]
    pub fn through(self, uri: &str, user: &str, password: &str, authority: &Path) -> Self {
        let credential = (user.to_string(), password.to_string());
        let relay = Relay { uri: uri.to_string(), credential, authority: authority.to_path_buf() };
        Self { relay: Some(relay), ..self }
    }

    /// Whether the browser's offer must hold `.local` names. (Permission to use the camera lifts the hiding.)
    #[must_use]
    pub fn hides_addresses(&self) -> bool {
        self.mdns && !self.media
    }

    /// Stay connected for so many seconds, then count again.
    #[must_use]
    pub fn hold(self, seconds: u32) -> Self {
        Self { hold: seconds, ..self }
    }

    /// Take a picture of the connected page.
    #[must_use]
    pub fn screenshot(mut self, screenshot: Screenshot) -> Self {
        self.screenshots.push(screenshot);
        self
    }

    fn options(&self, url: &str) -> Value {
        let shots: Vec<Value> = self
            .screenshots
            .iter()
            .map(|s| json!({ "path": s.path, "theme": s.theme, "width": s.size.0, "height": s.size.1 }))
            .collect();
        let ice = self.relay.as_ref().map(|Relay { uri, credential: (user, password), .. }| {
            json!([{ "urls": uri, "username": user, "credential": password }])
        });
        json!({
            "ice": ice,
            "authority": self.relay.as_ref().map_or(Path::new(""), |relay| &relay.authority),
            "url": url,
            "scenario": if self.page { "page" } else { "contract" },
            "media": self.media,
            "mdns": self.mdns,
            "dtls": if self.dtls12 { "1.2" } else { "" },
            "hold": self.hold,
            "denied": self.denied,
            "leave": self.leave,
            "screenshots": shots,
            "deadline": 60 + self.hold,
        })
    }
}
