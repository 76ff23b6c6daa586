//! Session keys from a master key (RFC 3711 section 4.3).

use aes::Aes128;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use zeroize::Zeroize;

use super::transform::{SessionKey, Transform};
use crate::base::{SrtpKey, SrtpSuite};

/// What protects the packets of one direction.
pub(super) struct Session {
    pub(super) rtp: Transform,
    pub(super) rtcp: Transform,
}

impl Session {
    /// RT safe.
    pub(super) fn new(suite: SrtpSuite, master: &SrtpKey) -> Self {
        let tag_bytes = match suite {
            SrtpSuite::AesCm128HmacSha1_32 => 4,
            SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AeadAes128Gcm => 10,
        };
        Self {
            rtp: Transform::new(suite, &session_key(master, 0), tag_bytes),
            // Of RTCP also under the suite with short tags (RFC 4568 section 6.2.2).
            rtcp: Transform::new(suite, &session_key(master, 3), 10),
        }
    }
}

/// The three keys from the label `first` on.
pub(super) fn session_key(master: &SrtpKey, first: u8) -> SessionKey {
    let mut keys = SessionKey::default();
    derive(master, first, &mut keys.cipher);
    derive(master, first + 1, &mut keys.auth);
    derive(master, first + 2, &mut keys.salt);
    keys
}

/// Fills `out` with the key of `label`: AES in counter mode, from the label on the salt.
fn derive(master: &SrtpKey, label: u8, out: &mut [u8]) {
    let mut counter = [0; 16];
    for (place, salt) in counter.iter_mut().zip(master.salt()) {
        *place = *salt;
    }
    // The label stands before the 48 bits of an index that is always 0 here.
    counter[7] ^= label;
    out.fill(0);
    Ctr128BE::<Aes128>::new(master.key().into(), &counter.into()).apply_keystream(out);
    counter.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::srtp::tests::bytes;

    /// RFC 3711 appendix B.3.
    #[test]
    fn keys_are_derived_as_in_the_rfcs_example() {
        let master = bytes("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
        let master = SrtpKey::new(SrtpSuite::AesCm128HmacSha1_80, &master).unwrap();
        let keys = session_key(&master, 0);
        assert_eq!(keys.cipher[..], bytes("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(keys.salt[..], bytes("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(keys.auth[..], bytes("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }
}
