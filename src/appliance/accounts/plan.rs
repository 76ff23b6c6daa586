//! What the configuration and the credentials say of one account.

use std::time::Duration;

use crate::appliance::config::{self, Config, Place};
use crate::appliance::credentials;
use crate::appliance::start_error::StartError;
use crate::base::Private;
use crate::sip::Transport;
use crate::sip::digest::Credentials;
use crate::sip::message::Uri;

/// One account, ready to register.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    pub transport: Transport,
    /// The Request-URI of its REGISTERs.
    pub registrar: Private<String>,
    pub address_of_record: Private<String>,
    pub user: Private<String>,
    pub credentials: Credentials,
    pub expires_s: u32,
    pub keep_alive: Duration,
    /// Where its requests go, the first to be tried first.
    pub places: Vec<Place>,
}

/// The accounts with their passwords.
///
/// # Errors
/// If a password is missing, or its credential cannot be read.
pub fn plans(config: &Config) -> Result<Vec<Plan>, StartError> {
    config.accounts.iter().map(plan).collect()
}

fn plan(account: &config::Account) -> Result<Plan, StartError> {
    let config::Account { name, server, user, .. } = account;
    let password = credentials::of_account(name).map_err(|source| StartError::System {
        what: "cannot read the credential of an account",
        source,
    })?;
    let password = password.ok_or_else(|| StartError::BadFile {
        key: "accounts",
        path: "(the configuration)".into(),
        reason: format!(
            "the password of {name} is neither the credential account_{name} nor in {}",
            credentials::account_variable(name)
        ),
    })?;
    let registrar = Uri::sip(None, server.host.clone(), server.port);
    let address_of_record = Uri::sip(Some(user.reveal()), server.host.clone(), None);
    let places = match account.proxies.is_empty() {
        true => vec![server.clone()],
        false => account.proxies.clone(),
    };
    Ok(Plan {
        name: name.clone(),
        transport: match account.transport {
            config::Transport::Udp => Transport::Udp,
            config::Transport::Tcp => Transport::Tcp,
        },
        registrar: Private::new(registrar.to_string()),
        address_of_record: Private::new(address_of_record.to_string()),
        user: user.clone(),
        credentials: Credentials {
            username: account.auth_user.clone().unwrap_or_else(|| user.clone()),
            password,
            realm: account.realm.clone(),
        },
        expires_s: account.expires_s,
        keep_alive: account.keep_alive,
        places,
    })
}
