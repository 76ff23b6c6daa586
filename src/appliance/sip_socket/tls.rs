//! TLS under SIP (RFC 3261 section 26, RFC 5922): our certificates, and whom we believe, for each account.
//!
//! The files of the certificate are read anew when they change, as certificates are renewed every few
//! weeks; a call that is up keeps its connection. Files that cannot be used change nothing.

mod pinned;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, ServerConfig, SignatureScheme};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::appliance::config::{AccountTls, CertificateFiles};
use crate::appliance::stream;
use crate::appliance::trust::Roots;
use crate::base::limits;
use crate::sip::AccountId;
use crate::store::bounded::{self, ReadError};
pub use pinned::Pin;
use pinned::Pinned;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(60);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: ReadError },
    #[error("{}: it holds no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    #[error("{}: it holds no private key in PEM that has no password", .0.display())]
    NoKey(PathBuf),
    /// They do not belong together, or are of a kind that nobody uses any more.
    #[error("the certificate and its key cannot be used: {0}")]
    Refused(#[from] tokio_rustls::rustls::Error),
    #[error("the authorities of callers cannot be used: {0}")]
    Callers(#[from] tokio_rustls::rustls::server::VerifierBuilderError),
}

/// Both sides of TLS.
#[derive(Clone)]
pub struct Tls {
    acceptor: Option<TlsAcceptor>,
    connector: TlsConnector,
    /// Those of accounts that differ from all others.
    of_accounts: HashMap<AccountId, TlsConnector>,
    roots: Roots,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.acceptor.is_some() { "Tls(both sides)" } else { "Tls(client)" })
    }
}

impl Tls {
    /// For whoever makes connections only.
    pub fn client(roots: Roots) -> Self {
        let connector = stream::connector(roots.clone());
        Self { acceptor: None, connector, of_accounts: HashMap::new(), roots }
    }

    /// With a certificate of our own, which is looked at again each minute. Within a tokio runtime.
    ///
    /// # Errors
    /// The files cannot be used.
    ///
    /// `callers`: the authorities that must vouch for whoever connects to us; `None`: anyone may.
    pub fn with_certificate(
        self,
        files: CertificateFiles,
        callers: Option<Roots>,
    ) -> Result<Self, CertificateFault> {
        let served = Arc::new(Served::new(files)?);
        tokio::spawn(watch(Arc::clone(&served)));
        let config = ServerConfig::builder();
        let config = match callers {
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots.store())).build()?;
                config.with_client_cert_verifier(verifier)
            }
            None => config.with_no_client_auth(),
        };
        let acceptor = TlsAcceptor::from(Arc::new(config.with_cert_resolver(served)));
        Ok(Self { acceptor: Some(acceptor), ..self })
    }

    /// What this account's servers are believed by and shown. Within a tokio runtime.
    ///
    /// # Errors
    /// The files of its certificate cannot be used.
    pub fn with_account(
        mut self,
        account: AccountId,
        tls: AccountTls,
    ) -> Result<Self, CertificateFault> {
        let config = ClientConfig::builder();
        let config = match tls.pin {
            Some(pin) => {
                let provider = Arc::new(default_provider());
                let pinned = Arc::new(Pinned { pin, provider });
                config.dangerous().with_custom_certificate_verifier(pinned)
            }
            None => config.with_root_certificates(self.roots.clone().store()),
        };
        let config = match tls.own {
            Some(files) => {
                let served = Arc::new(Served::new(files)?);
                tokio::spawn(watch(Arc::clone(&served)));
                config.with_client_cert_resolver(served)
            }
            None => config.with_no_client_auth(),
        };
        self.of_accounts.insert(account, TlsConnector::from(Arc::new(config)));
        Ok(self)
    }

    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.acceptor.clone()
    }

    pub(super) fn connector(&self, account: Option<AccountId>) -> TlsConnector {
        let own = account.and_then(|account| self.of_accounts.get(&account));
        own.unwrap_or(&self.connector).clone()
    }
}

/// A certificate of ours as others are shown it.
struct Served {
    files: CertificateFiles,
    key: RwLock<Arc<CertifiedKey>>,
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Served({})", self.files.certificate.display())
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.key.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl ResolvesClientCert for Served {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.key.read().unwrap_or_else(PoisonError::into_inner)))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Served {
    fn new(files: CertificateFiles) -> Result<Self, CertificateFault> {
        let key = RwLock::new(Arc::new(read(&files)?));
        Ok(Self { files, key })
    }

    fn read_again(&self) -> Result<(), CertificateFault> {
        let new = Arc::new(read(&self.files)?);
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// What changes when the files do.
    fn state(&self) -> [Option<(u64, SystemTime)>; 2] {
        let CertificateFiles { certificate, key } = &self.files;
        [certificate, key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.len(), metadata.modified().ok()?))
        })
    }
}

async fn watch(served: Arc<Served>) {
    let mut known = served.state();
    loop {
        tokio::time::sleep(LOOK).await;
        let state = served.state();
        if state == known {
            continue;
        }
        known = state;
        match served.read_again() {
            Ok(()) => tracing::info!("{} was read again", served.files.certificate.display()),
            Err(error) => tracing::error!("a certificate stays as it was: {error}"),
        }
    }
}

fn read(files: &CertificateFiles) -> Result<CertifiedKey, CertificateFault> {
    let CertificateFiles { certificate, key } = files;
    let pem = bytes(certificate)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
    if chain.is_empty() {
        return Err(CertificateFault::NoCertificate(certificate.clone()));
    }
    let secret = PrivateKeyDer::from_pem_slice(&bytes(key)?);
    let secret = secret.map_err(|_| CertificateFault::NoKey(key.clone()))?;
    Ok(CertifiedKey::from_der(chain, secret, &default_provider())?)
}

fn bytes(path: &Path) -> Result<Vec<u8>, CertificateFault> {
    let unreadable = |source| CertificateFault::Unreadable { path: path.to_owned(), source };
    bounded::bytes(path, limits::CERTIFICATES_BYTES).map_err(unreadable)
}

#[cfg(test)]
pub(super) mod tests;
