//! Our certificate: made at each start, signed by itself, told apart from others by its hash alone (RFC 8122).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rtc_dtls::config::{ClientAuthType, ConfigBuilder, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::{self, CryptoError, RTCCrypto, RTCCryptoProvider, RTCRandom};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as Profile;

use super::records::Cookie;
use crate::base::handshake::{Fingerprint, Fingerprints};
use crate::base::{SrtpSuite, limits};

/// What a certificate is made out to: nobody looks, and it tells nothing.
const NAME: &str = "attendant";

/// What all handshakes of this program have in common.
#[derive(Clone)]
pub struct Identity {
    certificate: Certificate,
    fingerprint: Fingerprint,
    crypto: Arc<dyn RTCCryptoProvider>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

/// The library cannot work here.
#[derive(Debug, thiserror::Error)]
#[error("no certificate for encrypted sound: {0}")]
pub struct NoIdentity(String);

impl NoIdentity {
    pub(super) fn of(error: &impl ToString) -> Self {
        Self(error.to_string())
    }
}

impl Identity {
    /// A new key of P-256 and a certificate for it. The library draws its secrets from the system.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub fn new() -> Result<Self, NoIdentity> {
        let crypto = crypto_provider::default_provider().map_err(|error| NoIdentity::of(&error))?;
        let certificate = Certificate::generate_self_signed(vec![NAME.to_owned()], crypto.crypto())
            .map_err(|error| NoIdentity::of(&error))?;
        let first = certificate.certificate.first();
        let first = first.ok_or_else(|| NoIdentity("the chain is empty".to_owned()))?;
        let fingerprint = Fingerprint::of(first);
        Ok(Self { certificate, fingerprint, crypto })
    }

    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    pub(super) fn crypto(&self) -> Arc<dyn RTCCryptoProvider> {
        Arc::clone(&self.crypto)
    }

    /// For a handshake with whom these vouch for, as a server that has asked for this cookie, or as a client;
    /// `is_refused` tells that somebody else came.
    pub(super) fn config(
        &self,
        cookie: Option<Cookie>,
        peer: &Fingerprints,
        is_refused: Arc<AtomicBool>,
    ) -> Result<Arc<HandshakeConfig>, NoIdentity> {
        let peer = peer.clone();
        let provider: Arc<dyn RTCCryptoProvider> = match cookie {
            Some(cookie) => Arc::new(WithCookie { provider: self.crypto(), cookie }),
            None => self.crypto(),
        };
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![self.certificate.clone()])
            .with_srtp_protection_profiles(PROFILES.map(|(profile, _)| profile).to_vec())
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            // Certificates are signed by nobody but themselves; the hash is looked at instead.
            .with_insecure_skip_verify(true)
            .with_verify_peer_certificate(Some(Arc::new(move |chain, _| {
                if chain.first().is_some_and(|leaf| peer.vouch_for(leaf)) {
                    return Ok(());
                }
                is_refused.store(true, Ordering::Relaxed);
                Err(std::io::Error::other("another certificate").into())
            })))
            .with_server_name(NAME.to_owned())
            .with_flight_interval(limits::HANDSHAKE_FLIGHT)
            .build(cookie.is_none(), None)
            .map_err(|error| NoIdentity::of(&error))?;
        Ok(Arc::new(config))
    }
}

/// Where the library draws its cookie, it gets one that the client knows already. Nothing else that it draws
/// is as long.
struct WithCookie {
    provider: Arc<dyn RTCCryptoProvider>,
    cookie: Cookie,
}

impl RTCCryptoProvider for WithCookie {
    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn crypto(&self) -> &dyn RTCCrypto {
        self.provider.crypto()
    }

    fn random(&self) -> &dyn RTCRandom {
        self
    }
}

impl RTCRandom for WithCookie {
    fn fill(&self, output: &mut [u8]) -> Result<(), CryptoError> {
        if output.len() == self.cookie.len() {
            output.copy_from_slice(&self.cookie);
            return Ok(());
        }
        self.provider.random().fill(output)
    }
}

/// What we can do, in the order of our preference.
const PROFILES: [(Profile, SrtpSuite); 3] = [
    (Profile::Srtp_Aead_Aes_128_Gcm, SrtpSuite::AeadAes128Gcm),
    (Profile::Srtp_Aes128_Cm_Hmac_Sha1_80, SrtpSuite::AesCm128HmacSha1_80),
    (Profile::Srtp_Aes128_Cm_Hmac_Sha1_32, SrtpSuite::AesCm128HmacSha1_32),
];

pub(super) fn suite(profile: Profile) -> Option<SrtpSuite> {
    PROFILES.iter().find(|(known, _)| *known == profile).map(|(_, suite)| *suite)
}
