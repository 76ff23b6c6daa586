//! A server that is believed by its key alone (in the manner of RFC 7469).
//!
//! The pin is of the public key and not of the certificate, so that a renewed certificate with the same
//! key is believed. Neither authorities nor names count then: who has the key is the one that the owner
//! means, also with a certificate of its own making.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use crate::speech::model::parse_sha256;

const PREFIX: &str = "sha256:";

/// SHA-256 of a server's SubjectPublicKeyInfo.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

/// What is written is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPin;

impl FromStr for Pin {
    type Err = NoPin;

    /// `sha256:` and 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, NoPin> {
        let digits = text.strip_prefix(PREFIX).filter(|digits| digits.len() == 64);
        digits.and_then(parse_sha256).map(Self).ok_or(NoPin)
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin")
    }
}

impl Pin {
    pub(in crate::appliance::sip_socket) fn of(
        certificate: &CertificateDer<'_>,
    ) -> Result<Self, Error> {
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        Ok(Self(Sha256::digest(key.as_ref()).into()))
    }
}

/// Believes whoever has the one key.
#[derive(Debug)]
pub(super) struct Pinned {
    pub pin: Pin,
    pub provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match Pin::of(end_entity)? == self.pin {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_a_hash_in_hexadecimal_and_nothing_else() {
        let sound = format!("sha256:{}", "0aF9".repeat(16));
        assert_eq!(sound.parse::<Pin>().unwrap().0[..2], [0x0A, 0xF9]);
        let short = &sound[..sound.len() - 1];
        let long = format!("{sound}0");
        let signed = sound.replace("0aF9", "+aF9");
        for wrong in ["", "sha256:", short, &long, &signed, &sound.replace("256", "1")] {
            assert_eq!(wrong.parse::<Pin>(), Err(NoPin), "{wrong}");
        }
        assert_eq!(format!("{:?}", sound.parse::<Pin>().unwrap()), "Pin");
    }
}
