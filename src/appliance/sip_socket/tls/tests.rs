//! Certificates that are renewed, and that cannot be used.

use rcgen::{CertifiedKey as Made, generate_simple_self_signed};

use super::*;

/// A certificate made out to desk.example, in files of one test.
pub(in crate::appliance::sip_socket) struct Files(
    pub(in crate::appliance::sip_socket) CertificateFiles,
);

impl Files {
    pub(in crate::appliance::sip_socket) fn new(test: &str) -> Self {
        let path = |end: &str| {
            let file = format!("attendant-{test}-{}.{end}", std::process::id());
            std::env::temp_dir().join(file)
        };
        let files = Self(CertificateFiles { certificate: path("crt"), key: path("key") });
        files.write();
        files
    }

    fn write(&self) {
        let Made { cert, signing_key } =
            generate_simple_self_signed(["desk.example".to_owned()]).unwrap();
        fs::write(&self.0.certificate, cert.pem()).unwrap();
        fs::write(&self.0.key, signing_key.serialize_pem()).unwrap();
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0.certificate);
        let _ = fs::remove_file(&self.0.key);
    }
}

fn shown(served: &Served) -> Vec<u8> {
    served.key.read().unwrap().cert[0].to_vec()
}

#[test]
fn a_renewed_certificate_is_shown_and_one_that_cannot_be_used_is_not() {
    let files = Files::new("tls-renewed");
    let served = Served::new(files.0.clone()).unwrap();
    let (first, state) = (shown(&served), served.state());
    files.write();
    assert_ne!(served.state(), state);
    served.read_again().unwrap();
    let second = shown(&served);
    assert_ne!(first, second);
    // Half of a renewal: the key belongs to another certificate.
    let certificate = fs::read(&files.0.certificate).unwrap();
    files.write();
    fs::write(&files.0.certificate, certificate).unwrap();
    assert!(matches!(served.read_again(), Err(CertificateFault::Refused(_))));
    assert_eq!(shown(&served), second);
}

#[test]
fn files_that_are_no_certificate_and_no_key_are_named() {
    let files = Files::new("tls-nothing");
    let whole = fs::read(&files.0.certificate).unwrap();
    fs::write(&files.0.certificate, "nothing").unwrap();
    assert!(matches!(Served::new(files.0.clone()), Err(CertificateFault::NoCertificate(_))));
    fs::write(&files.0.certificate, whole).unwrap();
    fs::write(&files.0.key, "nothing").unwrap();
    assert!(matches!(Served::new(files.0.clone()), Err(CertificateFault::NoKey(_))));
    let missing = CertificateFiles { key: "/nonexistent/key".into(), ..files.0.clone() };
    assert!(matches!(Served::new(missing), Err(CertificateFault::Unreadable { .. })));
}
