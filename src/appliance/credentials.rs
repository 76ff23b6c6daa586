//! Secrets: from systemd's credentials folder, else from the environment, never from a file of ours.
//!
//! A credential `ringcentral-jwt` is the file of that name in `$CREDENTIALS_DIRECTORY`, else the
//! variable `ATTENDANT_RINGCENTRAL_JWT`.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use crate::base::{Private, limits};

#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("cannot read the credential {name}")]
    Unreadable { name: String, source: io::Error },
    #[error("the credential {name} is longer than {} bytes", limits::CREDENTIAL_BYTES)]
    TooLong { name: String },
    #[error("the credential {name} is not UTF-8 text")]
    NotText { name: String },
}

/// The secret called `name`, without a newline at its end; `None` when nobody has given it.
pub fn read(name: &str) -> Result<Option<Private<String>>, CredentialError> {
    read_from(|variable| std::env::var_os(variable), name)
}

fn read_from(
    variable: impl Fn(&str) -> Option<OsString>,
    name: &str,
) -> Result<Option<Private<String>>, CredentialError> {
    let bytes = match variable("CREDENTIALS_DIRECTORY") {
        Some(folder) => match std::fs::read(PathBuf::from(folder).join(name)) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => {
                return Err(CredentialError::Unreadable { name: name.to_owned(), source });
            }
        },
        None => None,
    };
    let in_environment = || {
        let variable_name = name.replace('-', "_").to_ascii_uppercase();
        variable(&format!("ATTENDANT_{variable_name}")).map(OsString::into_encoded_bytes)
    };
    let Some(bytes) = bytes.or_else(in_environment) else {
        return Ok(None);
    };
    if bytes.len() > limits::CREDENTIAL_BYTES {
        return Err(CredentialError::TooLong { name: name.to_owned() });
    }
    let mut text =
        String::from_utf8(bytes).map_err(|_| CredentialError::NotText { name: name.to_owned() })?;
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    Ok(Some(Private::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_in(variables: &[(&str, &str)], name: &str) -> Option<String> {
        let find = |wanted: &str| {
            variables.iter().find(|(n, _)| *n == wanted).map(|(_, value)| OsString::from(value))
        };
        read_from(find, name).unwrap().map(Private::into_revealed)
    }

    #[test]
    fn the_folder_comes_before_the_environment() {
        let folder = std::env::temp_dir().join(format!("credentials-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("sip-password"), "from the folder\n").unwrap();
        let variables = [
            ("CREDENTIALS_DIRECTORY", folder.to_str().unwrap()),
            ("ATTENDANT_SIP_PASSWORD", "from the environment"),
            ("ATTENDANT_OTHER", "other"),
        ];
        assert_eq!(read_in(&variables, "sip-password").as_deref(), Some("from the folder"));
        assert_eq!(read_in(&variables, "other").as_deref(), Some("other"));
        assert_eq!(read_in(&variables, "missing"), None);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_secret_is_not_in_the_error() {
        let long = "x".repeat(limits::CREDENTIAL_BYTES + 1);
        let error = read_from(|_| Some(long.clone().into()), "token").unwrap_err();
        assert!(!error.to_string().contains("xx"), "{error}");
    }
}
