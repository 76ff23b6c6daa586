//! Who may vouch for a server: the authorities inside the program, or the owner's own.

use std::env;
use std::path::{Path, PathBuf};

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::base::limits;
use crate::store::bounded::{self, ReadError};

/// The file of certificates to believe instead of those inside the program, as OpenSSL names it.
pub const CERTIFICATES: &str = "SSL_CERT_FILE";

/// Authorities whose certificates are believed.
#[derive(Clone, Debug, Default)]
pub struct Roots(Option<RootCertStore>);

/// The owner's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NoCertificates {
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    #[error("it holds no certificate in PEM that can be read")]
    None,
}

impl Roots {
    /// Those of this process's environment, with the file's name beside what is wrong with it.
    pub fn here() -> Result<Self, (PathBuf, NoCertificates)> {
        match env::var_os(CERTIFICATES).map(PathBuf::from) {
            Some(path) => Self::of_file(&path).map_err(|error| (path, error)),
            None => Ok(Self::default()),
        }
    }

    /// What stands in the file that no certificate is, is passed over, as in lists of a system.
    pub fn of_file(path: &Path) -> Result<Self, NoCertificates> {
        let pem = bounded::bytes(path, limits::CERTIFICATES_BYTES)?;
        let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
        let mut store = RootCertStore::empty();
        let (added, _) = store.add_parsable_certificates(certificates);
        if added == 0 { Err(NoCertificates::None) } else { Ok(Self(Some(store))) }
    }

    pub fn store(self) -> RootCertStore {
        let own = || RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        self.0.unwrap_or_else(own)
    }
}
