//! What the HTTP interface is made from.

use super::super::config::Config;
use super::super::credentials;
use super::super::start_error::StartError;
use crate::web::{Access, Token};

/// Least characters of a token: 128 bits in base64. A short one can be guessed.
const LEAST_CHARS: usize = 22;

/// Who may use it. A token that is configured and not there would be a surprise in the middle of the night.
pub(super) fn access(config: &Config) -> Result<Access, StartError> {
    let tokens = config.web.tokens.iter().map(|section| {
        let name = section.name.clone();
        let secret = credentials::of_token(&name).map_err(|source| StartError::System {
            what: "cannot read the credential of a token",
            source,
        })?;
        let bad = |reason: String| StartError::BadFile {
            key: "token",
            path: "(the configuration)".into(),
            reason,
        };
        let variable = credentials::token_variable(&name);
        let secret = secret.ok_or_else(|| {
            bad(format!("{name} is neither the credential token_{name} nor in {variable}"))
        })?;
        if secret.reveal().len() < LEAST_CHARS {
            let text = format!(
                "{name} has less than {LEAST_CHARS} characters; make one by openssl rand -hex 32"
            );
            return Err(bad(text));
        }
        let (scopes, origins) = (section.scopes, section.origins.clone());
        Ok(Token { name, secret, scopes, origins })
    });
    tokens.collect::<Result<Vec<_>, _>>().map(Access::new)
}

/// Tokens that travel for everybody to read: told in the log and on the page.
pub(super) fn warnings(config: &Config) -> Option<String> {
    let is_open = !config.web.listen.ip().is_loopback();
    let text = || {
        let text = "web.listen: tokens and words go unencrypted to other machines; better let a proxy with TLS \
                    on the box ask a loopback address";
        tracing::warn!("{text}");
        text.to_owned()
    };
    is_open.then(text)
}
