//! What is read anew by SIGHUP, `systemctl reload`: how calls are held, and what the log says.
//!
//! Ports, threads, accounts and the engine are made once. Where a key of theirs has changed nothing is taken, and the
//! keys are named: half of a configuration is none.

use std::path::{Path, PathBuf};

use super::errands::Speakers;
use super::{rendered_phrases, settings};
use crate::appliance::config::{self, Config, Log, Written};
use crate::appliance::paths::Paths;
use crate::base::LanguageCode;
use crate::call;

/// Sections and keys of which a change is taken.
const TAKEN: [&str; 8] = [
    "log",
    "listen",
    "converse",
    "handover",
    "operators.announce",
    "operators.back",
    "calls.answer_after_ms",
    "calls.max_duration_s",
];

/// Reads it.
#[derive(Debug)]
pub(super) struct Reload {
    path: Option<PathBuf>,
    models: PathBuf,
    /// As the program was started with it.
    written: Written,
}

/// What calls from now on are held by, once its phrases are rendered.
#[derive(Debug)]
pub struct Reloaded {
    pub call: call::Settings,
    pub log: Log,
    pub(super) speakers: Speakers,
    pub phrases: Vec<(LanguageCode, String)>,
}

impl Reload {
    pub(super) fn new(path: Option<&Path>, paths: &Paths) -> Self {
        let written = config::written(path).unwrap_or_default();
        Self { path: path.map(Path::to_owned), models: paths.models(), written }
    }

    /// An error says what is wrong, or which keys want the program started again.
    pub(super) fn read(&self) -> Result<Reloaded, String> {
        let path = self.path.as_deref();
        let mut config = config::load(path).map_err(|error| error.to_string())?;
        config.take_from(&self.models);
        let written = config::written(path).map_err(|error| error.to_string())?;
        let others: Vec<String> =
            self.written.differences(&written).into_iter().filter(|key| !is_taken(key)).collect();
        if !others.is_empty() {
            return Err(format!("{} is taken by a restart only", others.join(", ")));
        }
        self.reloaded(&config)
    }

    fn reloaded(&self, config: &Config) -> Result<Reloaded, String> {
        let call = settings::call(config).map_err(|error| error.to_string())?;
        let speakers = settings::speakers(config, &call.tongues);
        let phrases = rendered_phrases(&call);
        Ok(Reloaded { call, log: config.log.clone(), speakers, phrases })
    }
}

fn is_taken(key: &str) -> bool {
    TAKEN.iter().any(|taken| {
        key == *taken || key.strip_prefix(taken).is_some_and(|rest| rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::log;

    #[test]
    fn what_is_only_read_changes_nothing_yet() {
        let folder = std::env::temp_dir().join(format!("reload-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("attendant.toml");
        std::fs::write(&file, "").unwrap();
        let reload = Reload::new(Some(&file), &Paths::in_folder(&folder));
        std::fs::write(&file, "[log]\nprivate = true\n").unwrap();
        let reloaded = reload.read().unwrap();
        assert!(reloaded.log.private && !log::shows_private());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn keys_of_ports_and_engines_want_a_restart() {
        for (key, taken) in [
            ("converse.playbook", true),
            ("listen.pause_ms", true),
            ("log.level", true),
            ("log.private", true),
            ("calls.max", false),
            ("operators.announce.en", true),
            ("operators.enabled", false),
            ("sip.listen", false),
            ("listener", false),
            ("language", false),
        ] {
            assert_eq!(is_taken(key), taken, "{key}");
        }
    }
}
