//! The section `[sip.tls]`: our certificate, and whom we believe.

use std::path::{Path, PathBuf};

use super::checked::{Check, path};
use super::file;
use super::values::allowed;

/// The files of our certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// In PEM: ours first, then those that vouch for it.
    pub certificate: PathBuf,
    /// In PEM: PKCS #8, PKCS #1 or SEC1, without a password.
    pub key: PathBuf,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// `None`: nobody can connect to us by TLS.
    pub own: Option<CertificateFiles>,
    /// `None`: those inside the program.
    pub authorities: Option<PathBuf>,
}

impl Tls {
    pub(super) fn resolve(&mut self, folder: &Path) {
        let own = self.own.iter_mut().flat_map(|own| [&mut own.certificate, &mut own.key]);
        own.chain(&mut self.authorities).for_each(|path| *path = folder.join(&*path));
    }
}

pub(super) fn tls(file: &file::SipTls, is_listening: bool, check: &mut Check<'_>) -> Option<Tls> {
    let own = match (path(&file.certificate), path(&file.key)) {
        (Some(certificate), Some(key)) => Some(CertificateFiles { certificate, key }),
        (None, None) if is_listening => {
            let fault = allowed("a file, since sip.listen has tls");
            check.take::<()>("sip.tls.certificate", &file.certificate, fault)?;
            None
        }
        (None, None) => None,
        (certificate, _) => {
            let missing = if certificate.is_some() { "key" } else { "certificate" };
            let fault = allowed("a certificate and its key, or neither");
            check.take::<()>(&format!("sip.tls.{missing}"), "", fault)?;
            None
        }
    };
    Some(Tls { own, authorities: path(&file.authorities) })
}
