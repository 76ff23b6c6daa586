//! Secrets: from systemd's credentials, else from the environment, else from what the owner has set at the page,
//! never from the configuration.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::Command;

use super::paths::Paths;
use crate::base::Private;
use crate::store::whole;

/// The variables of the environment that hold secrets and have fixed names.
const VARIABLES: [&str; 6] =
    [LLM_KEY, TURN_PASSWORD, AGENT_KEY, OWN_TOKEN, RECORDINGS_KEY, MAIL_PASSWORD];
const LLM_KEY: &str = "ATTENDANT_LLM_KEY";
pub const TURN_PASSWORD: &str = "ATTENDANT_TURN_PASSWORD";
const AGENT_KEY: &str = "ATTENDANT_ELEVENLABS_KEY";
/// The key that recordings are encrypted with.
pub const RECORDINGS_KEY: &str = "ATTENDANT_RECORDINGS_KEY";
/// The password of the owner's mailbox.
pub const MAIL_PASSWORD: &str = "ATTENDANT_MAIL_PASSWORD";
/// Whom `attendant call` calls, where its command line says so by `IN_ENVIRONMENT`.
pub const CALL_TARGET: &str = "ATTENDANT_CALL_TARGET";
pub const IN_ENVIRONMENT: &str = "-";
/// The token that the command line shows to a running box.
const OWN_TOKEN: &str = "ATTENDANT_TOKEN";

/// The variables of lookups begin with this.
const LOOKUP: &str = "ATTENDANT_LOOKUP_";
/// Those of accounts.
const ACCOUNT: &str = "ATTENDANT_ACCOUNT_";
/// Those of RingCentral's extensions.
const RINGCENTRAL: &str = "ATTENDANT_RINGCENTRAL_";
/// Those of the HTTP interface's tokens.
const TOKEN: &str = "ATTENDANT_TOKEN_";
/// Those of bridges.
const BRIDGE: &str = "ATTENDANT_BRIDGE_";
/// Those of webhooks.
const WEBHOOK: &str = "ATTENDANT_WEBHOOK_";

/// What systemd gave to this process alone, and every secret, is kept from a program that it starts.
pub fn withhold(program: &mut Command) {
    let own = ["NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY"].map(OsString::from);
    for name in variables().into_iter().chain(own) {
        program.env_remove(name);
    }
}

/// Every variable of the environment that holds a secret.
pub fn variables() -> Vec<OsString> {
    let is_secret = |name: &OsString| {
        let name = name.to_string_lossy();
        let all = [LOOKUP, ACCOUNT, RINGCENTRAL, TOKEN, WEBHOOK, BRIDGE];
        all.iter().any(|prefix| name.starts_with(prefix))
    };
    let named = std::env::vars_os().map(|(name, _)| name).filter(is_secret);
    VARIABLES.iter().map(OsString::from).chain(named).collect()
}

/// The secret of this name: systemd's credential, else the environment's variable (`variable`), else what was set at the
/// page; trimmed.
///
/// | name | whose |
/// |---|---|
/// | `account_NAME`, `ringcentral_NAME_jwt`, `ringcentral_NAME_secret` | where the box is called |
/// | `token`, `token_NAME`, `webhook_NAME`, `bridge_NAME`, `lookup_NAME` | programs |
/// | `llm_key`, `elevenlabs_key`, `turn`, `mail_password` | servers |
/// | `recordings_key` | recordings |
pub fn secret(name: &str) -> io::Result<Option<Private<String>>> {
    match find(name, &variable(name), |name| std::env::var_os(name))? {
        Some(secret) => Ok(Some(secret)),
        None => of_page(&Paths::here(), name),
    }
}

/// Where a secret is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Credential,
    Environment,
    Page,
    None,
}

impl Origin {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Environment => "environment",
            Self::Page => "page",
            Self::None => "none",
        }
    }

    /// Of the secret of this name; one that cannot be read, or is empty, is none.
    pub fn of(paths: &Paths, name: &str) -> Self {
        Self::among(paths, name, |variable| std::env::var_os(variable))
    }

    fn among(paths: &Paths, name: &str, environment: impl Fn(&str) -> Option<OsString>) -> Self {
        match () {
            () if matches!(of_systemd(name, &environment), Ok(Some(_))) => Self::Credential,
            () if of_variable(&variable(name), &environment).is_some() => Self::Environment,
            () if matches!(of_page(paths, name), Ok(Some(_))) => Self::Page,
            () => Self::None,
        }
    }
}

/// The variable that holds the secret of this name.
pub fn variable(name: &str) -> String {
    match name {
        "llm_key" => LLM_KEY.to_owned(),
        "turn" => TURN_PASSWORD.to_owned(),
        "elevenlabs_key" => AGENT_KEY.to_owned(),
        name => format!("ATTENDANT_{}", name.to_ascii_uppercase()),
    }
}

/// Whether a secret may have this name, whatever the configuration wants.
pub fn is_name(name: &str) -> bool {
    const WHOLE: [&str; 5] =
        ["llm_key", "turn", "elevenlabs_key", "mail_password", "recordings_key"];
    const BEGINS: [&str; 6] =
        ["lookup_", "account_", "ringcentral_", "token_", "webhook_", "bridge_"];
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let named = |begin: &&str| name.strip_prefix(*begin).is_some_and(|rest| !rest.is_empty());
    name.len() <= 64
        && name.chars().all(fits)
        && (WHOLE.contains(&name) || BEGINS.iter().any(named))
}

/// Where systemd has put the credentials of the unit, if it has.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// The folder of what the owner has set at the page, for this user only.
pub fn folder_of_page(paths: &Paths) -> PathBuf {
    paths.state().join("secrets")
}

fn of_page(paths: &Paths, name: &str) -> io::Result<Option<Private<String>>> {
    match std::fs::read_to_string(folder_of_page(paths).join(name)) {
        Ok(text) => Ok(trimmed(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Keeps it; an empty one is taken away.
pub fn set_of_page(paths: &Paths, name: &str, secret: &Private<String>) -> io::Result<()> {
    let folder = folder_of_page(paths);
    let file = folder.join(name);
    if secret.reveal().is_empty() {
        return whole::remove(&file);
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    whole::write(&file, secret.reveal().as_bytes())
}

fn find(
    name: &str,
    variable: &str,
    environment: impl Fn(&str) -> Option<OsString>,
) -> io::Result<Option<Private<String>>> {
    Ok(of_systemd(name, &environment)?.or_else(|| of_variable(variable, &environment)))
}

/// An empty one is none: the units have such for those that the owner has not given.
fn of_systemd(
    name: &str,
    environment: impl Fn(&str) -> Option<OsString>,
) -> io::Result<Option<Private<String>>> {
    let folder = environment("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    match folder.map(|folder| folder.join(name)).filter(|path| path.exists()) {
        Some(path) => Ok(trimmed(&std::fs::read_to_string(path)?)),
        None => Ok(None),
    }
}

fn of_variable(
    variable: &str,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Option<Private<String>> {
    environment(variable).and_then(|text| text.into_string().ok()).and_then(|text| trimmed(&text))
}

fn trimmed(text: &str) -> Option<Private<String>> {
    let text = text.trim();
    (!text.is_empty()).then(|| Private::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_wins_over_the_environment_and_empty_is_none() {
        let folder = std::env::temp_dir().join(format!("credentials-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("llm_key"), "from a file\n").unwrap();
        let with = |name: &str| -> Option<String> {
            let environment = |variable: &str| match variable {
                "CREDENTIALS_DIRECTORY" => Some(folder.clone().into_os_string()),
                "KEY" => Some("from the environment".into()),
                _ => Some("".into()),
            };
            let variable = if name == "nothing" { "EMPTY" } else { "KEY" };
            find(name, variable, environment).unwrap().map(Private::into_revealed)
        };
        assert_eq!(with("llm_key").as_deref(), Some("from a file"));
        assert_eq!(with("other").as_deref(), Some("from the environment"));
        assert_eq!(with("nothing"), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_empty_credential_of_the_unit_is_none_and_hides_nothing() {
        let folder = std::env::temp_dir().join(format!("origins-{}", std::process::id()));
        let paths = Paths::in_folder(&folder);
        std::fs::write(folder.join("llm_key"), "\n").unwrap();
        std::fs::write(folder.join("turn"), "secret\n").unwrap();
        let environment = |with: bool| {
            let folder = folder.clone();
            move |variable: &str| match variable {
                "CREDENTIALS_DIRECTORY" => Some(folder.clone().into_os_string()),
                LLM_KEY if with => Some("from the environment".into()),
                _ => None,
            }
        };
        assert_eq!(Origin::among(&paths, "turn", environment(false)), Origin::Credential);
        assert_eq!(Origin::among(&paths, "llm_key", environment(false)), Origin::None);
        assert_eq!(Origin::among(&paths, "llm_key", environment(true)), Origin::Environment);
        assert!(find("llm_key", LLM_KEY, environment(true)).unwrap().is_some());
        set_of_page(&paths, "llm_key", &Private::new("from the page".to_owned())).unwrap();
        assert_eq!(Origin::among(&paths, "llm_key", environment(false)), Origin::Page);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
