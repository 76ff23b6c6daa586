//! What the configuration and the credentials say of one account.

use std::time::Duration;

use crate::appliance::config::{self, Config, Place};
use crate::appliance::credentials;
use crate::appliance::start_error::StartError;
use crate::base::Private;
use crate::base::handshake::IceSide;
use crate::sdp::{OfferedKeys, Srtp};
use crate::sip::digest::Credentials;
use crate::sip::message::Uri;
use crate::sip::{Dialect, Transport};
use crate::trunk::{AnswerPolicy, Pace};

/// One account, ready to register.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    /// The one, or those that the records of its name may choose from, in our order.
    pub transports: Vec<Transport>,
    /// The Request-URI of its REGISTERs.
    pub registrar: Private<String>,
    pub address_of_record: Private<String>,
    pub user: Private<String>,
    /// `None` only where it does not register.
    pub credentials: Option<Credentials>,
    pub registers: bool,
    /// What stands before the country code in a number that we call.
    pub number_prefix: String,
    /// The number that we show; `None`: the account's address.
    pub caller_id: Option<Private<String>>,
    /// When a call that we make through it is answered.
    pub answer: AnswerPolicy,
    pub expires_s: u32,
    pub keep_alive: Duration,
    /// The URN of this box, for registrars that keep the way to it.
    pub instance: Option<Private<String>>,
    /// Whether calls that its servers bring are encrypted.
    pub srtp: Srtp,
    /// How calls to them bring keys; `None`: as all do.
    pub keys: Option<OfferedKeys>,
    /// Whether a remote agent holds its calls; `None`: it does not say.
    pub agent: Option<bool>,
    /// Our side of ICE with them; the same.
    pub ice: Option<IceSide>,
    /// Where its requests go, the first to be tried first.
    pub places: Vec<Place>,
    pub dialect: Dialect,
    pub pace: Pace,
    /// What else there is where it is one of RingCentral's.
    pub platform: Option<Platform>,
}

/// What an account of RingCentral's has that others have not.
#[derive(Clone, Debug)]
pub struct Platform {
    /// What it registers with is known.
    pub is_provisioned: bool,
    /// Its number among the sections `[[ringcentral]]`.
    pub section: usize,
    /// A call that comes is answered by Call Control, and not by SIP.
    pub answers_by_control: bool,
    /// Events are of the whole account.
    pub is_account_wide: bool,
    /// What becomes of a call for which there is no room.
    pub when_full: WhenFull,
}

/// What a caller gets where every line is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The platform goes on as its rules say.
    Refuse,
    Voicemail,
    Forward(Private<String>),
    /// The caller is told this text.
    Reply(Private<String>),
    /// The caller is told that we call back in so many minutes.
    CallBack {
        minutes: u16,
    },
}

/// The accounts with their passwords.
///
/// # Errors
/// If a password is missing, or its credential cannot be read.
pub fn plans(config: &Config) -> Result<Vec<Plan>, StartError> {
    let own = config.accounts.iter().map(|account| plan(account, config.media.srtp));
    let of_platform = (0..).zip(&config.ringcentral);
    let of_platform = of_platform.map(|(section, account)| Ok(Plan::awaiting(section, account)));
    own.chain(of_platform).collect()
}

fn plan(account: &config::Account, srtp: Srtp) -> Result<Plan, StartError> {
    let name = &account.name;
    let password = credentials::secret(&format!("account_{name}")).map_err(|source| {
        StartError::System { what: "cannot read the credential of an account", source }
    })?;
    if password.is_none() && account.registers {
        return Err(StartError::BadFile {
            key: "accounts",
            path: "(the configuration)".into(),
            reason: format!(
                "the password of {name} is neither the credential account_{name} nor in {}",
                credentials::variable(&format!("account_{name}"))
            ),
        });
    }
    Ok(with_password(account, srtp, password))
}

/// `srtp`: where the account does not say.
fn with_password(account: &config::Account, srtp: Srtp, password: Option<Private<String>>) -> Plan {
    let config::Account { name, server, user, .. } = account;
    let registrar = Uri::sip(None, server.host.clone(), server.port);
    let address_of_record = Uri::sip(Some(user.reveal()), server.host.clone(), None);
    let places = match account.proxies.is_empty() {
        true => vec![server.clone()],
        false => account.proxies.clone(),
    };
    Plan {
        name: name.clone(),
        transports: account.transports.clone(),
        registrar: Private::new(registrar.to_string()),
        address_of_record: Private::new(address_of_record.to_string()),
        user: user.clone(),
        credentials: password.map(|password| Credentials {
            username: account.auth_user.clone().unwrap_or_else(|| user.clone()),
            password,
            realm: account.realm.clone(),
            over: None,
        }),
        registers: account.registers,
        number_prefix: account.number_prefix.clone(),
        caller_id: account.caller_id.clone(),
        answer: AnswerPolicy::default(),
        expires_s: account.expires_s,
        keep_alive: account.keep_alive,
        instance: None,
        srtp: account.srtp.unwrap_or(srtp),
        keys: account.keys,
        agent: account.agent,
        ice: account.ice,
        places,
        dialect: Dialect::Standard,
        pace: Pace::STANDARD,
        platform: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::config::from_text;

    #[test]
    fn an_account_becomes_what_a_register_says() {
        let section =
            "[[accounts]]\nname = \"office\"\nserver = \"pbx.example.net:5070\"\nuser = \"1001\"\n";
        let plan = |rest: &str| {
            let config = from_text(&format!("{section}{rest}")).unwrap();
            let password = Some(Private::new("hush".to_owned()));
            with_password(&config.accounts[0], config.media.srtp, password)
        };
        let plain = plan("");
        assert_eq!(plain.registrar.reveal(), "sip:pbx.example.net:5070");
        assert_eq!(plain.address_of_record.reveal(), "sip:1001@pbx.example.net");
        let username = |plan: &Plan| plan.credentials.as_ref().unwrap().username.reveal().clone();
        assert_eq!(username(&plain), "1001");
        assert_eq!((plain.places[0].port, plain.srtp), (Some(5070), Srtp::Optional));
        let other = plan(
            "srtp = \"required\"\nauth_user = \"box\"\ntransport = \"tcp\"\nproxies = [\"p1\", \"p2:5080\"]\n",
        );
        assert_eq!(username(&other), "box");
        assert_eq!(other.registrar.reveal(), "sip:pbx.example.net:5070");
        assert_eq!((other.transports.as_slice(), other.places.len()), (&[Transport::Tcp][..], 2));
        assert_eq!(other.srtp, Srtp::Required);
        assert_eq!((other.places[0].port, other.places[1].port), (None, Some(5080)));
        let shown = format!("{other:?}");
        assert!(!shown.contains("hush") && !shown.contains("1001") && !shown.contains("box"));
    }
}
