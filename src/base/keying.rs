//! Keys of encrypted sound (SRTP, RFC 3711): what signalling agrees on and the media works with.

use std::fmt;

use zeroize::Zeroize;

use super::Entropy;

/// How packets are encrypted and authenticated, by the names of RFC 4568 and RFC 7714.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpSuite {
    AesCm128HmacSha1_80,
    /// Tags of 4 bytes on RTP; those on RTCP have 10.
    AesCm128HmacSha1_32,
    AeadAes128Gcm,
}

impl SrtpSuite {
    pub const ALL: [Self; 3] =
        [Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32, Self::AeadAes128Gcm];

    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| name.eq_ignore_ascii_case(suite.name()))
    }

    /// Bytes of a master salt.
    pub const fn salt_bytes(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
            Self::AeadAes128Gcm => 12,
        }
    }

    /// Bytes of a master key and its salt.
    pub const fn key_and_salt_bytes(self) -> usize {
        KEY_BYTES + self.salt_bytes()
    }
}

const KEY_BYTES: usize = 16;
const SALT_BYTES: usize = 14;

/// A master key of one suite, followed by its master salt. It does not print, and its memory is
/// wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKey {
    key: [u8; KEY_BYTES],
    /// A shorter salt is followed by zeros, as key derivation wants it (RFC 7714 section 11).
    salt: [u8; SALT_BYTES],
}

impl SrtpKey {
    /// `None` when `bytes` are not as many as the suite's key and salt have.
    pub fn new(suite: SrtpSuite, bytes: &[u8]) -> Option<Self> {
        if bytes.len() != suite.key_and_salt_bytes() {
            return None;
        }
        let (key, given) = bytes.split_first_chunk()?;
        let mut salt = [0; SALT_BYTES];
        salt.get_mut(..given.len())?.copy_from_slice(given);
        Some(Self { key: *key, salt })
    }

    pub fn random(suite: SrtpSuite, entropy: &mut Entropy) -> Self {
        let mut bytes = [0; KEY_BYTES + SALT_BYTES];
        for byte in &mut bytes {
            *byte = (entropy.next_u32() >> 24) as u8;
        }
        let fitting = bytes.get(..suite.key_and_salt_bytes()).unwrap_or_default();
        let key = Self::new(suite, fitting).expect("as many bytes as the suite has");
        bytes.zeroize();
        key
    }

    pub const fn key(&self) -> &[u8; KEY_BYTES] {
        &self.key
    }

    /// The salt, with zeros after one that is shorter.
    pub const fn salt(&self) -> &[u8; SALT_BYTES] {
        &self.salt
    }
}

impl Drop for SrtpKey {
    fn drop(&mut self) {
        self.key.zeroize();
        self.salt.zeroize();
    }
}

impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(private)")
    }
}

/// The keys of both directions of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keying {
    pub suite: SrtpSuite,
    /// Ours: of what we send.
    pub tx: SrtpKey,
    /// The peer's: of what comes.
    pub rx: SrtpKey,
}

/// How one stream is protected; `H` is what is known of a handshake that brings the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Protection<H> {
    /// Not at all.
    #[default]
    Plain,
    /// Under keys that signalling has carried (SDES).
    Keys(Keying),
    /// Under keys that come by DTLS, later than what was agreed.
    Handshake(H),
}

impl<H> Protection<H> {
    /// The keys that signalling has carried.
    pub const fn keying(&self) -> Option<&Keying> {
        match self {
            Self::Keys(keying) => Some(keying),
            Self::Plain | Self::Handshake(_) => None,
        }
    }

    pub const fn handshake(&self) -> Option<&H> {
        match self {
            Self::Handshake(handshake) => Some(handshake),
            Self::Plain | Self::Keys(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_length_of_its_suite_and_does_not_print() {
        for suite in SrtpSuite::ALL {
            assert_eq!(SrtpSuite::from_name(suite.name()), Some(suite));
            let bytes: Vec<u8> = (1..=suite.key_and_salt_bytes() as u8).collect();
            let key = SrtpKey::new(suite, &bytes).unwrap();
            assert_eq!(key.key()[..], bytes[..16]);
            assert_eq!(key.salt()[..suite.salt_bytes()], bytes[16..]);
            assert!(key.salt()[suite.salt_bytes()..].iter().all(|byte| *byte == 0));
            assert_eq!(format!("{key:?}"), "(private)");
            assert_eq!(SrtpKey::new(suite, &bytes[1..]), None);
            assert_eq!(SrtpKey::new(suite, &[bytes, vec![0]].concat()), None);
        }
    }

    #[test]
    fn random_keys_differ() {
        let mut entropy = Entropy::new([1; 32]);
        let [a, b] = [0, 1].map(|_| SrtpKey::random(SrtpSuite::AeadAes128Gcm, &mut entropy));
        assert!(a.key() != b.key() && a.salt() != b.salt());
    }
}
