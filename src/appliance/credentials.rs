//! Secrets: from systemd's credentials, else from the environment, never from the configuration.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use crate::base::Private;

/// The variables of the environment that hold secrets and have fixed names.
const VARIABLES: [&str; 4] = [LLM_KEY, TURN_PASSWORD, AGENT_KEY, OWN_TOKEN];
pub const LLM_KEY: &str = "ATTENDANT_LLM_KEY";
pub const TURN_PASSWORD: &str = "ATTENDANT_TURN_PASSWORD";
pub const AGENT_KEY: &str = "ATTENDANT_ELEVENLABS_KEY";
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

/// The variable that holds the secret of the lookup of this name.
pub fn lookup_variable(name: &str) -> String {
    format!("{LOOKUP}{}", name.to_ascii_uppercase())
}

/// The secret of the lookup of this name: the credential `lookup_NAME`, else its variable.
pub fn of_lookup(name: &str) -> io::Result<Option<Private<String>>> {
    secret(&format!("lookup_{name}"), &lookup_variable(name))
}

/// The variable that holds the password of the account of this name.
pub fn account_variable(name: &str) -> String {
    format!("{ACCOUNT}{}", name.to_ascii_uppercase())
}

/// The password of the account of this name: the credential `account_NAME`, else its variable.
pub fn of_account(name: &str) -> io::Result<Option<Private<String>>> {
    secret(&format!("account_{name}"), &account_variable(name))
}

/// The variable that holds a secret of the extension of this name: `jwt` or `secret`.
pub fn ringcentral_variable(name: &str, which: &str) -> String {
    format!("{RINGCENTRAL}{}_{}", name.to_ascii_uppercase(), which.to_ascii_uppercase())
}

/// A secret of the extension of this name: the credential `ringcentral_NAME_WHICH`, else its variable.
pub fn of_ringcentral(name: &str, which: &str) -> io::Result<Option<Private<String>>> {
    secret(&format!("ringcentral_{name}_{which}"), &ringcentral_variable(name, which))
}

/// The variable that holds the token of this name.
pub fn token_variable(name: &str) -> String {
    format!("{TOKEN}{}", name.to_ascii_uppercase())
}

/// The token of this name: the credential `token_NAME`, else its variable.
pub fn of_token(name: &str) -> io::Result<Option<Private<String>>> {
    secret(&format!("token_{name}"), &token_variable(name))
}

/// The token that the command line shows to a running box.
pub fn own_token() -> io::Result<Option<Private<String>>> {
    secret("token", OWN_TOKEN)
}

/// The variable that holds the secret of the webhook of this name.
pub fn webhook_variable(name: &str) -> String {
    format!("{WEBHOOK}{}", name.to_ascii_uppercase())
}

/// The secret of the webhook of this name: the credential `webhook_NAME`, else its variable.
pub fn of_webhook(name: &str) -> io::Result<Option<Private<String>>> {
    secret(&format!("webhook_{name}"), &webhook_variable(name))
}

/// What is shown to the bridge of this name: the credential `bridge_NAME`, else its variable.
pub fn of_bridge(name: &str) -> io::Result<Option<Private<String>>> {
    secret(&format!("bridge_{name}"), &format!("{BRIDGE}{}", name.to_ascii_uppercase()))
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

/// The secret that systemd calls `name`, else the environment variable `variable`, trimmed.
pub fn secret(name: &str, variable: &str) -> io::Result<Option<Private<String>>> {
    find(name, variable, |name| std::env::var_os(name))
}

fn find(
    name: &str,
    variable: &str,
    environment: impl Fn(&str) -> Option<OsString>,
) -> io::Result<Option<Private<String>>> {
    let given = environment("CREDENTIALS_DIRECTORY").map(|folder| PathBuf::from(folder).join(name));
    let text = match given.filter(|path| path.exists()) {
        Some(path) => Some(std::fs::read_to_string(path)?),
        None => environment(variable).and_then(|text| text.into_string().ok()),
    };
    let text = text.map(|text| text.trim().to_owned());
    Ok(text.filter(|text| !text.is_empty()).map(Private::new))
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
}
