//! The flags: made from the table of keys, so that clap is only what takes them in.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, error::Error, value_parser};

use super::config::{
    Given, Layer, Place, Source, Sources,
    keys::{Absent, KEYS, Key, Kind},
};

const AFTER: &str = "\
Every flag is also a key of the file (without its dashes) and a variable of the environment (GINNEL_LISTEN, GINNEL_DENY_PEER,
...; lists are separated by white space). Flags win over the environment, the environment over the file, and a list that one
of them gives replaces the others'. Users and secrets are better kept out of the command line, which every process can read.

Signals: SIGTERM and SIGINT drain and end, a second one ends at once. SIGHUP reads the file and the certificate again; if there
is a mistake in them, it is logged and nothing changes.

Examples:
  ginnel serve --user alice:secret
  ginnel serve --config /etc/ginnel.toml --check-config
  GINNEL_SECRET=... ginnel serve --external-address 203.0.113.7 --tls-listen 0.0.0.0 --cert chain.pem --key key.pem";

/// What was said on the command line.
#[derive(Debug)]
pub(crate) struct Options {
    flags: Layer,
    config: Option<PathBuf>,
    pub(crate) print: bool,
    pub(crate) check: bool,
}

impl Options {
    /// All that was said anywhere: what else there is, is read.
    pub(crate) fn sources(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Sources, String> {
        let named = variable("GINNEL_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let file = self.config.clone().or(named).map(|path| Source::read(&path)).transpose()?;
        Ok(Sources { flags: self.flags.clone(), environment: Layer::from_environment(variable), file })
    }
}

impl Args for Options {
    fn augment_args(command: Command) -> Command {
        let switch = |name: &'static str| {
            Arg::new(name).long(name).action(ArgAction::SetTrue).help_heading("Configuration")
        };
        let command = command
            .after_help(AFTER)
            .arg(
                Arg::new("config")
                    .long("config")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help_heading("Configuration")
                    .help("Read this file, in TOML [env: GINNEL_CONFIG]"),
            )
            .arg(switch("print-config").help("Print what holds, and where it was said, and end"))
            .arg(
                switch("check-config")
                    .help("Say what is wrong with the configuration, and on which line, and end"),
            );
        KEYS.iter().map(flag).fold(command, Command::arg)
    }
    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(key: &'static Key) -> Arg {
    let default = match key.absent {
        Absent::Is(value) => value,
        Absent::Unset(meaning) => meaning,
    };
    let help = format!("{} [default: {default}] [env: {}]", key.help, key.variable());
    let flag = Arg::new(key.name).long(key.name).value_name(key.value).help(help).help_heading(key.heading);
    match key.kind {
        Kind::One => flag.action(ArgAction::Set),
        Kind::Many | Kind::Secrets => flag.action(ArgAction::Append),
        Kind::Switch => flag.num_args(0..=1).require_equals(true).default_missing_value("true"),
    }
}

impl FromArgMatches for Options {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Layer::default();
        for key in KEYS {
            let Some(values) = matches.get_many::<String>(key.name) else { continue };
            let place = Place::Flag(format!("--{}", key.name));
            flags.set(key, values.map(|value| Given::new(value, place.clone())).collect());
        }
        Ok(Self {
            flags,
            config: matches.get_one("config").cloned(),
            print: matches.get_flag("print-config"),
            check: matches.get_flag("check-config"),
        })
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
