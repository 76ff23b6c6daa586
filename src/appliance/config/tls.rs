//! The section `[sip.tls]` and what accounts say of TLS: our certificates, and whom we believe.

use std::path::{Path, PathBuf};

use super::checked::{Check, path};
use super::file;
use super::values::allowed;
use crate::appliance::sip_socket::Pin;
use crate::sip::Transport;

/// The files of our certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// In PEM: ours first, then those that vouch for it.
    pub certificate: PathBuf,
    /// In PEM: PKCS #8, PKCS #1 or SEC1, without a password.
    pub key: PathBuf,
}

impl CertificateFiles {
    fn resolve(&mut self, folder: &Path) {
        [&mut self.certificate, &mut self.key]
            .into_iter()
            .for_each(|path| *path = folder.join(&*path));
    }
}

/// How one account's servers are believed, and what they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountTls {
    /// The key of its servers; `None`: whoever an authority vouches for.
    pub pin: Option<Pin>,
    pub own: Option<CertificateFiles>,
}

impl AccountTls {
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.own.iter_mut().for_each(|own| own.resolve(folder));
    }

    /// Whether all accounts do it so.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// `None`: nobody can connect to us by TLS.
    pub own: Option<CertificateFiles>,
    /// `None`: those inside the program.
    pub authorities: Option<PathBuf>,
    /// Who must vouch for whoever connects to us; `None`: nobody.
    pub client_authorities: Option<PathBuf>,
}

impl Tls {
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.own.iter_mut().for_each(|own| own.resolve(folder));
        let others = [&mut self.authorities, &mut self.client_authorities];
        others.into_iter().flatten().for_each(|path| *path = folder.join(&*path));
    }
}

pub(super) fn tls(file: &file::SipTls, is_listening: bool, check: &mut Check<'_>) -> Option<Tls> {
    let keys = ["sip.tls.certificate", "sip.tls.key"];
    let own = pair(keys, [&file.certificate, &file.key], check)?;
    if own.is_none() && is_listening {
        let fault = allowed::<()>("a file, since sip.listen has tls");
        check.take("sip.tls.certificate", &file.certificate, fault)?;
    }
    let client_authorities = path(&file.client_ca);
    if client_authorities.is_some() && !is_listening {
        let fault = allowed::<()>("a file only where sip.listen has tls or wss");
        check.take("sip.tls.client_ca", &file.client_ca, fault)?;
    }
    Some(Tls { own, authorities: path(&file.authorities), client_authorities })
}

/// A certificate and its key, or neither; `keys` and `files` in this order. `None` with one alone, which is a fault.
fn pair(
    keys: [&str; 2],
    files: [&str; 2],
    check: &mut Check<'_>,
) -> Option<Option<CertificateFiles>> {
    match files.map(path) {
        [Some(certificate), Some(key)] => Some(Some(CertificateFiles { certificate, key })),
        [None, None] => Some(None),
        [certificate, _] => {
            let [of_certificate, of_key] = keys;
            let missing = if certificate.is_some() { of_key } else { of_certificate };
            let fault = allowed("a certificate and its key, or neither");
            check.take::<()>(missing, "", fault)?;
            None
        }
    }
}

/// Of one section `[[accounts]]`, whose keys begin with `prefix`.
pub(super) fn of_account(
    file: &file::Account,
    prefix: &str,
    transports: Option<&[Transport]>,
    check: &mut Check<'_>,
) -> Option<AccountTls> {
    let pin = match file.tls_pin.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).or_else(|_| {
            allowed(
                "sha256: and the 64 hexadecimal digits of the SHA-256 of the server's public key",
            )
        }),
    };
    let pin: Option<Pin> = check.take(&format!("{prefix}.tls_pin"), &file.tls_pin, pin)?;
    let keys = [&format!("{prefix}.tls_certificate"), &format!("{prefix}.tls_key")];
    let own = pair(keys.map(String::as_str), [&file.tls_certificate, &file.tls_key], check)?;
    let tls = AccountTls { pin, own };
    // Where it may go unencrypted neither would say anything.
    let is_secure = transports.is_none_or(|all| all.iter().all(|one| one.is_secure()));
    if !tls.is_usual() && !is_secure {
        let key = if tls.pin.is_some() { "tls_pin" } else { "tls_certificate" };
        let fault = allowed::<()>("only with transport = \"tls\" or \"wss\"");
        check.take(&format!("{prefix}.{key}"), "(set)", fault)?;
    }
    Some(tls)
}

#[cfg(test)]
mod tests {
    use super::super::from_text;
    use super::*;

    const ACCOUNT: &str = "[[accounts]]\nname = \"office\"\nserver = \"sip.example.net\"\n\
        user = \"1001\"\ntransport = \"tls\"\n";

    #[test]
    fn an_account_has_a_pin_and_a_certificate_of_its_own() {
        let pin = format!("sha256:{}", "0f".repeat(32));
        let keys =
            format!("tls_pin = \"{pin}\"\ntls_certificate = \"a.crt\"\ntls_key = \"a.key\"\n");
        let mut config = from_text(&format!("{ACCOUNT}{keys}")).unwrap();
        config.resolve("/etc/attendant".as_ref());
        let tls = &config.accounts[0].tls;
        assert_eq!(tls.pin, pin.parse().ok());
        assert_eq!(tls.own.as_ref().unwrap().key, Path::new("/etc/attendant/a.key"));
        assert!(from_text(ACCOUNT).unwrap().accounts[0].tls.is_usual());
        for (keys, key) in [
            ("tls_pin = \"sha256:00\"\n", "tls_pin"),
            ("tls_certificate = \"a.crt\"\n", "tls_key"),
            ("tls_key = \"a.key\"\n", "tls_certificate"),
        ] {
            let told = from_text(&format!("{ACCOUNT}{keys}")).unwrap_err().to_string();
            assert!(told.starts_with(&format!("accounts.office.{key} = ")), "{told}");
        }
        for transport in ["transport = \"tcp\"\n", ""] {
            let open = ACCOUNT.replace("transport = \"tls\"\n", transport);
            let told = from_text(&format!("{open}{keys}")).unwrap_err().to_string();
            assert!(told.contains("tls_pin") && told.contains("wss"), "{told}");
        }
    }

    #[test]
    fn callers_can_be_vouched_for_only_where_they_come_by_tls() {
        let told = from_text("[sip.tls]\nclient_ca = \"ca.crt\"\n").unwrap_err().to_string();
        assert!(told.starts_with("sip.tls.client_ca = "), "{told}");
    }
}
