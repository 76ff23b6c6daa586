//! Keys in a description: `a=crypto` lines (RFC 4568, RFC 7714 section 14).
//!
//! ```text
//!  a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:BASE64|2^31|1:4 UNENCRYPTED_SRTP
//!           tag  suite                key and salt │life │MKI  session parameters
//! ```
//!
//! A lifetime binds the one who sends under the key, so a peer's is nothing to us. A line is skipped
//! whose key has an MKI, for we send and expect none, or that wants something else which we do not do.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::description::MediaLine;
use crate::base::{Entropy, SrtpKey, SrtpSuite};

/// What our offers have, under the tags 1, 2 and 3. The first is known to every peer, some read no
/// other; the last has short tags.
const OFFERED: [SrtpSuite; 3] =
    [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AeadAes128Gcm, SrtpSuite::AesCm128HmacSha1_32];

/// Some leave the padding of a key out, or have bits in its last digit that count for nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Our master keys of one call, one for each suite: no key is used by two of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys([SrtpKey; SrtpSuite::ALL.len()]);

impl Keys {
    pub fn random(entropy: &mut Entropy) -> Self {
        Self(SrtpSuite::ALL.map(|suite| SrtpKey::random(suite, entropy)))
    }

    pub(super) fn of(&self, suite: SrtpSuite) -> &SrtpKey {
        let [long, short, gcm] = &self.0;
        match suite {
            SrtpSuite::AesCm128HmacSha1_80 => long,
            SrtpSuite::AesCm128HmacSha1_32 => short,
            SrtpSuite::AeadAes128Gcm => gcm,
        }
    }

    /// Another key for a suite whose key was in use and is no more: were it used again, packets would
    /// be encrypted as others were before.
    pub fn renew(&mut self, suite: SrtpSuite, entropy: &mut Entropy) {
        let [long, short, gcm] = &mut self.0;
        let place = match suite {
            SrtpSuite::AesCm128HmacSha1_80 => long,
            SrtpSuite::AesCm128HmacSha1_32 => short,
            SrtpSuite::AeadAes128Gcm => gcm,
        };
        *place = SrtpKey::random(suite, entropy);
    }
}

/// One `a=crypto` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Crypto {
    pub tag: u32,
    pub suite: SrtpSuite,
    pub key: SrtpKey,
}

impl Crypto {
    /// The first of a line, in the peer's order, that we can use and that `fits`.
    pub fn usable(line: MediaLine<'_>, fits: impl Fn(&Self) -> bool) -> Option<Self> {
        line.values("crypto").filter_map(Self::parse).find(fits)
    }

    pub fn offered(keys: &Keys) -> Vec<Self> {
        let suites = OFFERED.into_iter().zip(1..);
        suites.map(|(suite, tag)| Self { tag, suite, key: keys.of(suite).clone() }).collect()
    }

    /// Whether this line of an answer answers one of our offer.
    pub fn answers_ours(&self) -> bool {
        OFFERED.into_iter().zip(1..).any(|offered| offered == (self.suite, self.tag))
    }

    fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let tag = words.next().filter(|tag| tag.len() <= 9 && is_number(tag))?.parse().ok()?;
        let suite = SrtpSuite::from_name(words.next()?)?;
        let (method, parameters) = words.next()?.split_once(':')?;
        // Several keys stand with semicolons between them, and want MKIs.
        if !method.eq_ignore_ascii_case("inline") || !words.all(is_no_matter) {
            return None;
        }
        let mut parameters = parameters.split('|');
        let mut bytes = BASE64.decode(parameters.next()?).ok()?;
        let key = SrtpKey::new(suite, &bytes);
        zeroize::Zeroize::zeroize(&mut bytes);
        parameters.all(is_lifetime).then_some(Self { tag, suite, key: key? })
    }

    /// The value of the line.
    pub fn value(&self) -> String {
        let salt = self.key.salt().get(..self.suite.salt_bytes()).unwrap_or_default();
        let key = BASE64.encode([self.key.key().as_slice(), salt].concat());
        format!("{} {} inline:{key}", self.tag, self.suite.name())
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number of packets, or a power of two; some end with a bar and nothing after it.
fn is_lifetime(text: &str) -> bool {
    text.is_empty() || is_number(text.strip_prefix("2^").unwrap_or(text))
}

/// A session parameter that nobody has to do: marked so, or a hint for the size of a replay list.
fn is_no_matter(parameter: &str) -> bool {
    let hint = parameter.strip_prefix("WSH=");
    parameter.starts_with('-') || hint.is_some_and(is_number)
}

/// The same description, from which keys and ICE's passwords cannot be told: each character of theirs
/// becomes an A, which leaves it as readable or not as it was.
pub fn without_keys(description: &[u8]) -> Vec<u8> {
    let mut out = description.to_vec();
    mask_after(b"inline:", &mut out);
    mask_after(b"ice-pwd:", &mut out);
    out
}

fn mask_after(before: &[u8], out: &mut [u8]) {
    let mut at = 0;
    while let Some(rest) = out.get_mut(at..) {
        let found = rest.windows(before.len()).position(|of| of.eq_ignore_ascii_case(before));
        let Some(found) = found else { break };
        at += found + before.len();
        let key = out.iter_mut().skip(at).take_while(|byte| !b" \t\r\n|;".contains(byte));
        for byte in key {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/') {
                *byte = b'A';
            }
            at += 1;
        }
    }
}
