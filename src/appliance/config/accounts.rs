//! The sections `[[accounts]]` and `[inbound]`: where the box registers, and who may call it.

use std::time::Duration;

use super::agent::wish;
use super::checked::{Check, Sip};
use super::file;
use super::tls::{self, AccountTls};
use super::values::{Allowed, allowed, within};
use crate::base::handshake::IceSide;
use crate::base::{Private, limits};
use crate::sdp::{OfferedKeys, Srtp};
use crate::sip::message::{Host, host_and_port};
use crate::sip::{Network, Transport};
use crate::trunk::Referrals;
use crate::trunk::dialling::NumberPlan;

/// Often a telephone number, and a fault goes to the log.
const HIDDEN: &str = "(not shown)";
const NAME_CHARS: usize = 40;
const USER_CHARS: usize = 64;
const REALM_CHARS: usize = 255;
const PREFIX_CHARS: usize = 8;
/// Servers of one account.
const PROXIES: usize = 8;
/// Entries of `inbound.from`.
const NETWORKS: usize = 256;

/// A server as it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub host: Host,
    /// `None`: as the name's records say, else the usual one.
    pub port: Option<u16>,
}

/// One section `[[accounts]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub name: String,
    /// The registrar, whose host is the domain of the account.
    pub server: Place,
    /// The one that is written, or those that its name's records may choose from, in our order.
    pub transports: Vec<Transport>,
    pub user: Private<String>,
    /// Who we are to the server, where that is not `user`.
    pub auth_user: Option<Private<String>>,
    pub realm: Option<String>,
    pub registers: bool,
    pub number_prefix: String,
    /// With its plus.
    pub caller_id: Option<Private<String>>,
    /// Where requests go in place of `server`; empty: there.
    pub proxies: Vec<Place>,
    pub expires_s: u32,
    pub keep_alive: Duration,
    /// `None`: as for all calls.
    pub srtp: Option<Srtp>,
    /// The same.
    pub keys: Option<OfferedKeys>,
    /// Whether a remote agent holds its calls; `None`: as playbook and configuration say.
    pub agent: Option<bool>,
    /// The same.
    pub ice: Option<IceSide>,
    pub tls: AccountTls,
}

/// Who may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Inbound {
    pub anyone: bool,
    /// The servers of the accounts.
    pub accounts: bool,
    pub networks: Vec<Network>,
    /// Whom callers may have us call in their place.
    pub refer: Referrals,
}

pub(super) fn accounts(
    sections: &[file::Account],
    sip: Option<&Sip>,
    check: &mut Check<'_>,
) -> Option<Vec<Account>> {
    if sections.len() > limits::ACCOUNTS {
        let fault = allowed::<()>(format!("at most {} sections", limits::ACCOUNTS));
        check.take("accounts", sections.len(), fault);
    }
    let accounts: Vec<Option<Account>> =
        sections.iter().map(|section| one(section, sip, check)).collect();
    for (index, section) in sections.iter().enumerate() {
        if sections.iter().take(index).any(|other| other.name == section.name) {
            let key = format!("accounts.{}.name", section.name);
            check.take(&key, &section.name, allowed::<()>("each once"));
        }
    }
    accounts.into_iter().collect()
}

fn one(section: &file::Account, sip: Option<&Sip>, check: &mut Check<'_>) -> Option<Account> {
    let key = |name: &str| format!("accounts.{}.{name}", section.name);
    let name = check.take(&key("name"), &section.name, account_name(&section.name));
    let server = check.take(&key("server"), &section.server, place(&section.server));
    let transports = transports(&section.transport, sip);
    let transports = check.take(&key("transport"), &section.transport, transports);
    let user = check.take(&key("user"), HIDDEN, user(&section.user));
    let auth_user = match section.auth_user.as_str() {
        "" => Ok(None),
        text if text.len() <= USER_CHARS && !text.chars().any(char::is_control) => {
            Ok(Some(Private::new(text.to_owned())))
        }
        _ => allowed(format!("at most {USER_CHARS} bytes")),
    };
    let auth_user = check.take(&key("auth_user"), HIDDEN, auth_user);
    let realm = match section.realm.as_str() {
        "" => Ok(None),
        text if text.len() <= REALM_CHARS && !text.contains(['"', '\\', '\r', '\n']) => {
            Ok(Some(text.to_owned()))
        }
        _ => allowed(format!("at most {REALM_CHARS} bytes without quotes")),
    };
    let realm = check.take(&key("realm"), &section.realm, realm);
    let proxies = match section.proxies.len() {
        0..=PROXIES => section.proxies.iter().map(|text| place(text)).collect(),
        _ => allowed(format!("at most {PROXIES}")),
    };
    let proxies = check.take(&key("proxies"), &section.proxies, proxies);
    let number_prefix = number_prefix(&section.number_prefix);
    let number_prefix = check.take(&key("number_prefix"), &section.number_prefix, number_prefix);
    let caller_id = caller_id(&section.caller_id);
    let caller_id = check.take(&key("caller_id"), HIDDEN, caller_id);
    let expires_s = within(section.expires_s, 60, 86_400);
    let expires_s = check.take(&key("expires_s"), section.expires_s, expires_s);
    let keep_alive = match (section.keep_alive_s, section.registers) {
        (0, false) => Ok(0),
        (0, true) => allowed("10 to 300; 0 only with registers = false"),
        (seconds, _) => within(seconds, 10, 300),
    };
    let keep_alive = keep_alive.map(|seconds| Duration::from_secs(seconds.into()));
    let keep_alive = check.take(&key("keep_alive_s"), section.keep_alive_s, keep_alive);
    let srtp = match section.srtp.as_str() {
        "" => Ok(None),
        text => Srtp::try_from(text).map(Some),
    };
    let srtp = check.take(&key("srtp"), &section.srtp, srtp);
    let agent = check.take(&key("agent"), &section.agent, wish(&section.agent));
    let keys = match section.keys.as_str() {
        "" => Ok(None),
        text => OfferedKeys::try_from(text).map(Some),
    };
    let keys = check.take(&key("keys"), &section.keys, keys);
    let ice = match section.ice.as_str() {
        "" => Ok(None),
        text => IceSide::try_from(text).map(Some),
    };
    let ice = check.take(&key("ice"), &section.ice, ice);
    let prefix = format!("accounts.{}", section.name);
    let tls = tls::of_account(section, &prefix, transports.as_deref(), check);
    Some(Account {
        name: name?,
        server: server?,
        transports: transports?,
        user: user?,
        auth_user: auth_user?,
        realm: realm?,
        registers: section.registers,
        number_prefix: number_prefix?,
        caller_id: caller_id?,
        proxies: proxies?,
        expires_s: expires_s?,
        keep_alive: keep_alive?,
        srtp: srtp?,
        agent: agent?,
        keys: keys?,
        ice: ice?,
        tls: tls?,
    })
}

/// An answer comes to an address that is listened on, and so do the calls; by TLS and WebSocket they come over our
/// own connection.
fn transports(text: &str, sip: Option<&Sip>) -> Result<Vec<Transport>, Allowed> {
    let is_there = |transport: Transport| {
        let is_listening =
            sip.is_none_or(|sip| sip.listen.iter().any(|listen| listen.transport == transport));
        is_listening || transport.comes_back()
    };
    if text.is_empty() {
        let all = [Transport::Udp, Transport::Tcp, Transport::Tls];
        return Ok(all.into_iter().filter(|transport| is_there(*transport)).collect());
    }
    // Its words are written small.
    let known = Transport::from_token(text).filter(|known| known.uri_token() == text);
    match known {
        Some(transport) if is_there(transport) => Ok(vec![transport]),
        Some(_) => allowed("one that sip.listen has an address for"),
        None => allowed("udp, tcp, tls, ws or wss, or empty"),
    }
}

pub(super) fn account_name(text: &str) -> Result<String, Allowed> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match (1..=NAME_CHARS).contains(&text.len()) && text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => allowed(format!("1 to {NAME_CHARS} small letters, digits and underscores")),
    }
}

pub(super) fn number_prefix(text: &str) -> Result<String, Allowed> {
    let fits = |c: char| c.is_ascii_digit() || "+*#".contains(c);
    match text.len() <= PREFIX_CHARS && text.chars().all(fits) {
        true => Ok(text.to_owned()),
        false => allowed(format!("+, digits, or empty, at most {PREFIX_CHARS} characters")),
    }
}

fn user(text: &str) -> Result<Private<String>, Allowed> {
    let is_plain = |c: char| c.is_ascii_graphic() && !"<>\"@:;?,\\%".contains(c);
    match (1..=USER_CHARS).contains(&text.len()) && text.chars().all(is_plain) {
        true => Ok(Private::new(text.to_owned())),
        false => allowed(format!(
            "what stands before the @ of the account's address, at most {USER_CHARS} letters and digits"
        )),
    }
}

/// As E.164 has it, for nothing else is certain to be understood everywhere.
pub(super) fn caller_id(text: &str) -> Result<Option<Private<String>>, Allowed> {
    match text {
        "" => Ok(None),
        text => match NumberPlan::default().normalise(text) {
            Ok(number) if text.starts_with('+') => {
                Ok(Some(Private::new(number.reveal().to_owned())))
            }
            _ => allowed("a number with + and country code, as in +49 30 123456, or empty"),
        },
    }
}

fn place(text: &str) -> Result<Place, Allowed> {
    match host_and_port(text) {
        Some((host, port)) if port != Some(0) => Ok(Place { host, port }),
        _ => allowed("HOST or HOST:PORT, as in sip.example.net or [2001:db8::1]:5060"),
    }
}

pub(super) fn inbound(
    file: &file::Inbound,
    has_accounts: bool,
    check: &mut Check<'_>,
) -> Option<Inbound> {
    let refer = match file.refer.as_str() {
        "refuse" => Ok(Referrals::Refuse),
        "people" => Ok(Referrals::People),
        _ => allowed("refuse or people"),
    };
    let refer = check.take("inbound.refer", &file.refer, refer)?;
    let mut inbound = Inbound { anyone: false, accounts: false, networks: Vec::new(), refer };
    if file.from.is_empty() || file.from.len() > NETWORKS {
        check.take::<()>("inbound.from", &file.from, allowed(format!("1 to {NETWORKS} entries")));
        return None;
    }
    for text in &file.from {
        match text.as_str() {
            "anyone" => inbound.anyone = true,
            "accounts" if has_accounts => inbound.accounts = true,
            "accounts" => {
                let fault = allowed::<()>("a section [[accounts]] or [[ringcentral]], too");
                check.take("inbound.from", text, fault)?;
            }
            text => {
                let network = Network::parse(text).ok_or(());
                let network = network.or_else(|()| {
                    allowed("anyone, accounts, an IP address, or a network as in 192.0.2.0/24")
                });
                inbound.networks.push(check.take("inbound.from", text, network)?);
            }
        }
    }
    if inbound.anyone && file.from.len() > 1 {
        let fault = allowed::<()>("anyone alone, or a list without it");
        check.take("inbound.from", &file.from, fault)?;
    }
    Some(inbound)
}

#[cfg(test)]
mod tests {
    use super::super::from_text;
    use super::*;

    const SOUND: &str =
        "[[accounts]]\nname = \"office\"\nserver = \"sip.example.net\"\nuser = \"1001\"\n";

    fn faults(text: &str) -> String {
        from_text(text).unwrap_err().to_string()
    }

    #[test]
    fn an_account_arrives_as_written() {
        let text = format!(
            "{SOUND}transport = \"tcp\"\nauth_user = \"a 1\"\nrealm = \"example\"\n\
             proxies = [\"[2001:db8::1]:5070\", \"p.example.net\"]\nexpires_s = 60\nkeep_alive_s = 10\n"
        );
        let config = from_text(&text).unwrap();
        let [account] = config.accounts.as_slice() else { panic!() };
        assert_eq!(
            account.server,
            Place { host: Host::Name("sip.example.net".into()), port: None }
        );
        assert_eq!(account.transports, [Transport::Tcp]);
        assert_eq!(account.proxies[0].port, Some(5070));
        assert_eq!(account.auth_user.as_ref().unwrap().reveal(), "a 1");
        assert_eq!((account.expires_s, account.keep_alive), (60, Duration::from_secs(10)));
        assert!(!format!("{account:?}").contains("1001"));
        let unasked = format!("{SOUND}registers = false\nkeep_alive_s = 0\n");
        assert_eq!(from_text(&unasked).unwrap().accounts[0].keep_alive, Duration::ZERO);
        let plain = from_text(SOUND).unwrap().accounts.remove(0);
        let all = [Transport::Udp, Transport::Tcp, Transport::Tls];
        assert_eq!((plain.transports.as_slice(), plain.expires_s), (&all[..], 300));
        assert_eq!((plain.realm, plain.keep_alive), (None, Duration::from_secs(25)));
    }

    #[test]
    fn one_wrong_value_in_each_key_of_an_account_is_found() {
        for (rest, key) in [
            ("transport = \"sctp\"", "transport"),
            ("transport = \"TCP\"", "transport"),
            ("auth_user = \"a\\nb\"", "auth_user"),
            ("realm = \"a\\\"b\"", "realm"),
            ("proxies = [\"a b\"]", "proxies"),
            ("proxies = \"a\"", "proxies"),
            ("expires_s = 59", "expires_s"),
            ("expires_s = 86401", "expires_s"),
            ("keep_alive_s = 9", "keep_alive_s"),
            ("keep_alive_s = 0", "keep_alive_s"),
            ("number_prefix = \"+ \"", "number_prefix"),
            ("caller_id = \"030 123456\"", "caller_id"),
            ("registers = 1", "registers"),
            ("srtp = \"yes\"", "srtp"),
            ("keys = \"zrtp\"", "keys"),
            ("password = \"x\"", "password"),
        ] {
            let told = faults(&format!("{SOUND}{rest}\n"));
            assert!(told.starts_with(&format!("accounts.office.{key} = ")), "{rest}: {told}");
        }
        for (from, to, key) in [
            ("office", "Of fice", "accounts.Of fice.name"),
            ("sip.example.net", "sip:example.net", "accounts.office.server"),
            ("sip.example.net", "h:0", "accounts.office.server"),
            ("\"1001\"", "\"\"", "accounts.office.user"),
            ("\"1001\"", "\"sip:1001@h\"", "accounts.office.user"),
        ] {
            let told = faults(&SOUND.replace(from, to));
            assert!(told.starts_with(&format!("{key} = ")), "{to}: {told}");
        }
        assert!(faults(&format!("{SOUND}{SOUND}")).contains("each once"));
        let udp_only =
            format!("[sip]\nlisten = [\"udp:0.0.0.0:5060\"]\n{SOUND}transport = \"tcp\"\n");
        assert!(faults(&udp_only).contains("sip.listen"));
        let open = udp_only.replace("transport = \"tcp\"\n", "");
        let open = from_text(&open).unwrap().accounts.remove(0);
        assert_eq!(open.transports, [Transport::Udp, Transport::Tls]);
    }

    #[test]
    fn who_may_call_is_anyone_or_a_list() {
        assert!(from_text("").unwrap().inbound.anyone);
        let list = "[inbound]\nfrom = [\"accounts\", \"192.0.2.0/24\", \"2001:db8::1\"]\n";
        let inbound = from_text(&format!("{list}{SOUND}")).unwrap().inbound;
        assert!(inbound.accounts && !inbound.anyone && inbound.networks.len() == 2);
        for wrong in [
            "[]",
            "[\"anyone\", \"192.0.2.1\"]",
            "[\"192.0.2.1/24\"]",
            "[\"sip.example.net\"]",
            "[\"accounts\"]",
        ] {
            let told = faults(&format!("[inbound]\nfrom = {wrong}\n"));
            assert!(told.starts_with("inbound.from = "), "{wrong}: {told}");
        }
    }
}
