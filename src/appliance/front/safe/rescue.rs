//! What of a configuration can be read: all of it, or those sections that are sound, and what is wrong with it.

use std::path::{Path, PathBuf};

use crate::appliance::config::{self, Config};

/// What safe mode works with.
#[derive(Debug)]
pub struct Rescued {
    pub config: Config,
    /// For the owner: why this is safe mode.
    pub reasons: Vec<String>,
    /// That of the configuration file, where the owner's recording would be.
    pub(super) folder: Option<PathBuf>,
}

/// Reads the file. `ended` says how the front has ended, where that is known.
pub fn rescue(path: Option<&Path>, ended: Option<String>) -> Rescued {
    let (config, fault) = match config::load(path) {
        Ok(config) => (config, None),
        Err(error) => {
            let config = path.map(config::sound_sections).unwrap_or_default();
            (config, Some(format!("the configuration: {error}{}", left_out(path))))
        }
    };
    let reasons = ended.into_iter().chain(fault).collect();
    Rescued { config, reasons, folder: path.and_then(Path::parent).map(Path::to_owned) }
}

/// Which lines do not count, where more is wrong than one value.
fn left_out(path: Option<&Path>) -> String {
    let lines: Vec<String> = path
        .map(config::unreadable_lines)
        .unwrap_or_default()
        .iter()
        .map(usize::to_string)
        .collect();
    match lines.as_slice() {
        [] => String::new(),
        lines => format!("; without these lines the rest holds: {}", lines.join(", ")),
    }
}

/// How the front has ended, as systemd tells a unit that `OnFailure=` has started (systemd.exec(5)).
pub fn ended(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let result = variable("MONITOR_SERVICE_RESULT")?;
    let code = variable("MONITOR_EXIT_CODE").unwrap_or_default();
    let status = variable("MONITOR_EXIT_STATUS").unwrap_or_default();
    let last = match code.as_str() {
        "exited" => format!("; last with exit code {status}"),
        "killed" | "dumped" => format!("; last by the signal {status}"),
        _ => String::new(),
    };
    Some(match result.as_str() {
        "exit-code" => format!("the program cannot start{last}"),
        "watchdog" => format!("the program has hung again and again{last}"),
        // Once is no reason: it is started again.
        "signal" | "core-dump" | "start-limit-hit" => {
            format!("the program has ended again and again{last}")
        }
        other => format!("the program has ended ({other}){last}"),
    })
}

/// The same without what needs a certificate.
pub(super) fn without_tls(config: &Config) -> Config {
    let mut config = config.clone();
    config.sip.tls = Default::default();
    config.sip.listen.retain(|listen| !listen.transport.is_secure());
    config.accounts.clear();
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_the_front_has_ended_is_told_in_words() {
        let told = |variables: &'static [(&str, &str)]| {
            ended(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(told(&[]), None);
        let hit = told(&[
            ("MONITOR_SERVICE_RESULT", "core-dump"),
            ("MONITOR_EXIT_CODE", "killed"),
            ("MONITOR_EXIT_STATUS", "ABRT"),
        ]);
        assert_eq!(
            hit.as_deref(),
            Some("the program has ended again and again; last by the signal ABRT")
        );
        let exit = told(&[
            ("MONITOR_SERVICE_RESULT", "exit-code"),
            ("MONITOR_EXIT_CODE", "exited"),
            ("MONITOR_EXIT_STATUS", "78"),
        ]);
        assert_eq!(exit.as_deref(), Some("the program cannot start; last with exit code 78"));
    }
}
