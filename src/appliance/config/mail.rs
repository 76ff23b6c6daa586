//! The section `[mail]`: where e-mail about what callers leave goes.

use serde::{Deserialize, Serialize};

use super::checked::Check;
use super::values::{Allowed, allowed};
use crate::appliance::webhooks::mail::Security;
use crate::base::Private;
use crate::base::address::is_loopback;
use crate::sip::message::{Host, host_and_port};

/// Addresses that it goes to.
const MOST: usize = 16;
const ADDRESS_CHARS: usize = 254;

/// As it is written.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// `HOST` or `HOST:PORT` of a server for SMTP. Empty: no e-mail is sent.
    pub server: String,
    /// `tls` (from the beginning, port 465), `starttls` (port 587) or, on the box only, `none` (port 25).
    pub security: String,
    /// The name there; its password is the credential `mail_password`. Empty: none is asked for.
    pub user: String,
    /// From whom.
    pub from: String,
    /// To whom, up to 16.
    pub to: Vec<String>,
    /// What was left is in it, and not only that something was.
    pub words: bool,
}

impl Default for File {
    fn default() -> Self {
        Self {
            server: String::new(),
            security: "tls".to_owned(),
            user: String::new(),
            from: String::new(),
            to: Vec::new(),
            words: true,
        }
    }
}

/// As it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub user: Option<String>,
    pub from: Private<String>,
    pub to: Vec<Private<String>>,
    pub words: bool,
}

pub(super) fn mail(file: &File, check: &mut Check<'_>) -> Option<Option<Mail>> {
    if file.server.is_empty() {
        return Some(None);
    }
    let security = match file.security.as_str() {
        "tls" => Ok((Security::Tls, 465)),
        "starttls" => Ok((Security::StartTls, 587)),
        "none" => Ok((Security::None, 25)),
        _ => allowed("tls, starttls or none"),
    };
    let security = check.take("mail.security", &file.security, security);
    let is_plain = security.is_some_and(|(security, _)| security == Security::None);
    let server = match host_and_port(&file.server) {
        Some((host, port)) if !is_plain || is_loopback(&bare(&host)) => Ok((bare(&host), port)),
        _ => allowed("HOST or HOST:PORT; without TLS only 127.0.0.1, [::1] or localhost"),
    };
    let server = check.take("mail.server", &file.server, server);
    let from = check.take("mail.from", "...", address(&file.from));
    let to = match file.to.len() {
        1..=MOST => file.to.iter().map(|to| address(to)).collect(),
        _ => allowed(format!("1 to {MOST} addresses")),
    };
    let to = check.take("mail.to", "...", to);
    let ((security, usual), (host, port)) = (security?, server?);
    Some(Some(Mail {
        host,
        port: port.unwrap_or(usual),
        security,
        user: (!file.user.is_empty()).then(|| file.user.clone()),
        from: from?,
        to: to?,
        words: file.words,
    }))
}

/// Without the brackets of an IPv6 address.
fn bare(host: &Host) -> String {
    host.to_string().trim_matches(['[', ']']).to_owned()
}

/// A name, an at sign and a domain; the rest is for the servers to say.
fn address(text: &str) -> Result<Private<String>, Allowed> {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>,;\"".contains(c);
    match text.rsplit_once('@') {
        Some((user, domain))
            if !user.is_empty()
                && domain.contains('.')
                && text.len() <= ADDRESS_CHARS
                && text.chars().all(is_plain) =>
        {
            Ok(Private::new(text.to_owned()))
        }
        _ => allowed("an address as in desk@firm.example"),
    }
}
