//! One packet under one session key: encrypted and authenticated, or checked and decrypted.
//!
//! Which packet it is, and whether it may come, others decide. A packet that is refused is left as
//! it came.

use aes::Aes128;
use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes128Gcm, KeyInit};
use ctr::Ctr128BE;
use ctr::cipher::{InnerIvInit, StreamCipher, StreamCipherCoreWrapper};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use zeroize::Zeroize;

use super::Fault;
use crate::base::SrtpSuite;

/// Bytes at the beginning of an RTCP packet that are not encrypted.
pub(super) const RTCP_CLEAR_BYTES: usize = 8;
/// E and index of SRTCP.
const WORD_BYTES: usize = 4;
/// The flag E of that word: encrypted.
const ENCRYPTED: u32 = 1 << 31;
const GCM_TAG_BYTES: usize = 16;
/// What HMAC-SHA1 gives, of which a tag is the beginning.
const SHA1_BYTES: usize = 20;

/// Keys for one protocol of one direction; wiped when they go.
#[derive(Default)]
pub(super) struct SessionKey {
    pub(super) cipher: [u8; 16],
    pub(super) auth: [u8; SHA1_BYTES],
    pub(super) salt: [u8; 14],
}

impl Drop for SessionKey {
    fn drop(&mut self) {
        self.cipher.zeroize();
        self.auth.zeroize();
        self.salt.zeroize();
    }
}

pub(super) enum Transform {
    /// AES in counter mode, then HMAC-SHA1 over what came of it.
    CounterMode {
        cipher: Aes128,
        auth: Hmac<Sha1>,
        salt: [u8; 14],
        tag_bytes: usize,
    },
    Gcm {
        cipher: Aes128Gcm,
        salt: [u8; 12],
    },
}

impl Transform {
    pub(super) fn new(suite: SrtpSuite, keys: &SessionKey, tag_bytes: usize) -> Self {
        match suite {
            SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AesCm128HmacSha1_32 => Self::CounterMode {
                cipher: Aes128::new(&keys.cipher.into()),
                auth: <Hmac<Sha1> as Mac>::new_from_slice(&keys.auth)
                    .expect("HMAC takes a key of any length"),
                salt: keys.salt,
                tag_bytes,
            },
            SrtpSuite::AeadAes128Gcm => {
                let mut salt = [0; 12];
                salt.iter_mut().zip(keys.salt).for_each(|(place, byte)| *place = byte);
                Self::Gcm { cipher: Aes128Gcm::new(&keys.cipher.into()), salt }
            }
        }
    }

    /// Protects the packet in the first `length` bytes of `buffer`, whose first `clear` bytes are its
    /// header. Returns its new length; `None` when there is no room.
    pub(super) fn seal_rtp(
        &self,
        buffer: &mut [u8],
        (clear, length): (usize, usize),
        (ssrc, index): (u32, u64),
    ) -> Option<usize> {
        match self {
            Self::CounterMode { cipher, auth, salt, tag_bytes } => {
                let whole = buffer.get_mut(..length + tag_bytes)?;
                let (packet, tag) = whole.split_at_mut(length);
                keystream(cipher, salt, ssrc, index).apply_keystream(packet.get_mut(clear..)?);
                write_tag(auth, packet, &rollover(index), tag);
            }
            Self::Gcm { cipher, salt } => {
                let whole = buffer.get_mut(..length + GCM_TAG_BYTES)?;
                let (header, rest) = whole.split_at_mut_checked(clear)?;
                let (payload, place) = rest.split_at_mut_checked(length.checked_sub(clear)?)?;
                let nonce = rtp_nonce(salt, ssrc, index);
                let tag = cipher.encrypt_in_place_detached(&nonce.into(), header, payload).ok()?;
                place.copy_from_slice(&tag);
            }
        }
        Some(length + self.tag_bytes())
    }

    /// Checks and decrypts a packet with so many bytes of header; returns its length without the tag.
    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        clear: usize,
        (ssrc, index): (u32, u64),
    ) -> Result<usize, Fault> {
        let length = packet.len().checked_sub(self.tag_bytes()).ok_or(Fault::Malformed)?;
        let (packet, tag) = packet.split_at_mut(length);
        let (header, payload) = packet.split_at_mut_checked(clear).ok_or(Fault::Malformed)?;
        match self {
            Self::CounterMode { cipher, auth, salt, .. } => {
                check_tag(auth, [header, payload, &rollover(index)], tag)?;
                keystream(cipher, salt, ssrc, index).apply_keystream(payload);
            }
            Self::Gcm { cipher, salt } => {
                let nonce = rtp_nonce(salt, ssrc, index);
                let tag = aes_gcm::Tag::from_slice(tag);
                cipher
                    .decrypt_in_place_detached(&nonce.into(), header, payload, tag)
                    .map_err(|_| Fault::Forged)?;
            }
        }
        Ok(length)
    }

    /// As [`Self::seal_rtp`], under an index of 31 bits, which goes with the packet.
    pub(super) fn seal_rtcp(
        &self,
        buffer: &mut [u8],
        length: usize,
        (ssrc, index): (u32, u32),
    ) -> Option<usize> {
        let whole = buffer.get_mut(..length + self.rtcp_trailer())?;
        let (packet, trailer) = whole.split_at_mut(length);
        let (header, rest) = packet.split_at_mut_checked(RTCP_CLEAR_BYTES)?;
        let word = (index | ENCRYPTED).to_be_bytes();
        match self {
            Self::CounterMode { cipher, auth, salt, .. } => {
                keystream(cipher, salt, ssrc, index.into()).apply_keystream(rest);
                let (place, tag) = trailer.split_first_chunk_mut()?;
                *place = word;
                write_tag(auth, packet, &word, tag);
            }
            Self::Gcm { cipher, salt } => {
                let nonce = rtcp_nonce(salt, ssrc, index);
                let (place, last) = trailer.split_at_mut(GCM_TAG_BYTES);
                let aad = gcm_aad(header, word)?;
                let tag = cipher.encrypt_in_place_detached(&nonce.into(), &aad, rest).ok()?;
                place.copy_from_slice(&tag);
                last.copy_from_slice(&word);
            }
        }
        Some(length + self.rtcp_trailer())
    }

    /// The index that a packet says it has.
    pub(super) fn rtcp_index(&self, packet: &[u8]) -> Option<u32> {
        let after = match self {
            Self::CounterMode { tag_bytes, .. } => *tag_bytes,
            Self::Gcm { .. } => 0,
        };
        let (front, _) = packet.split_at_checked(packet.len().checked_sub(after)?)?;
        front.last_chunk().map(|word| u32::from_be_bytes(*word) & !ENCRYPTED)
    }

    /// As [`Self::open_rtp`]. A packet that is not encrypted is refused: it was not agreed that any is.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32) -> Result<usize, Fault> {
        let index = self.rtcp_index(packet).ok_or(Fault::Malformed)?;
        let length = packet.len().checked_sub(self.rtcp_trailer()).ok_or(Fault::Malformed)?;
        let (packet, trailer) = packet.split_at_mut(length);
        let (header, rest) =
            packet.split_at_mut_checked(RTCP_CLEAR_BYTES).ok_or(Fault::Malformed)?;
        let (word, tag) = match self {
            Self::CounterMode { .. } => trailer.split_at(WORD_BYTES),
            Self::Gcm { .. } => {
                let (tag, word) = trailer.split_at(GCM_TAG_BYTES);
                (word, tag)
            }
        };
        let word: [u8; WORD_BYTES] = word.first_chunk().copied().ok_or(Fault::Malformed)?;
        if u32::from_be_bytes(word) & ENCRYPTED == 0 {
            return Err(Fault::Malformed);
        }
        match self {
            Self::CounterMode { cipher, auth, salt, .. } => {
                check_tag(auth, [header, rest, &word], tag)?;
                keystream(cipher, salt, ssrc, index.into()).apply_keystream(rest);
            }
            Self::Gcm { cipher, salt } => {
                let nonce = rtcp_nonce(salt, ssrc, index);
                let aad = gcm_aad(header, word).ok_or(Fault::Malformed)?;
                let tag = aes_gcm::Tag::from_slice(tag);
                cipher
                    .decrypt_in_place_detached(&nonce.into(), &aad, rest, tag)
                    .map_err(|_| Fault::Forged)?;
            }
        }
        Ok(length)
    }

    fn tag_bytes(&self) -> usize {
        match self {
            Self::CounterMode { tag_bytes, .. } => *tag_bytes,
            Self::Gcm { .. } => GCM_TAG_BYTES,
        }
    }

    fn rtcp_trailer(&self) -> usize {
        self.tag_bytes() + WORD_BYTES
    }
}

/// RFC 3711 section 4.1.1.
fn keystream<'a>(
    cipher: &'a Aes128,
    salt: &[u8; 14],
    ssrc: u32,
    index: u64,
) -> Ctr128BE<&'a Aes128> {
    let [s0, s1, s2, s3] = ssrc.to_be_bytes();
    let [_, _, i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
    let mut counter = [0, 0, 0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5, 0, 0];
    counter.iter_mut().zip(salt).for_each(|(place, byte)| *place ^= byte);
    StreamCipherCoreWrapper::from_core(ctr::CtrCore::inner_iv_init(cipher, &counter.into()))
}

/// RFC 7714 section 8.1.
fn rtp_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> [u8; 12] {
    let [s0, s1, s2, s3] = ssrc.to_be_bytes();
    let [_, _, i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
    mixed(salt, [0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5])
}

/// RFC 7714 section 9.1.
fn rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> [u8; 12] {
    let [s0, s1, s2, s3] = ssrc.to_be_bytes();
    let [i0, i1, i2, i3] = index.to_be_bytes();
    mixed(salt, [0, 0, s0, s1, s2, s3, 0, 0, i0, i1, i2, i3])
}

fn mixed(salt: &[u8; 12], mut nonce: [u8; 12]) -> [u8; 12] {
    nonce.iter_mut().zip(salt).for_each(|(place, byte)| *place ^= byte);
    nonce
}

/// RFC 7714 section 9.2: the clear beginning, then E and index.
fn gcm_aad(header: &[u8], word: [u8; WORD_BYTES]) -> Option<[u8; RTCP_CLEAR_BYTES + WORD_BYTES]> {
    let [h0, h1, h2, h3, h4, h5, h6, h7] = *header.first_chunk()?;
    let [w0, w1, w2, w3] = word;
    Some([h0, h1, h2, h3, h4, h5, h6, h7, w0, w1, w2, w3])
}

/// The rollover counter, which is authenticated with a packet and not sent.
fn rollover(index: u64) -> [u8; 4] {
    ((index >> 16 & 0xFFFF_FFFF) as u32).to_be_bytes()
}

fn write_tag(auth: &Hmac<Sha1>, packet: &[u8], after: &[u8], tag: &mut [u8]) {
    let mut auth = auth.clone();
    auth.update(packet);
    auth.update(after);
    let whole: [u8; SHA1_BYTES] = auth.finalize().into_bytes().into();
    tag.iter_mut().zip(whole).for_each(|(place, byte)| *place = byte);
}

fn check_tag(auth: &Hmac<Sha1>, parts: [&[u8]; 3], tag: &[u8]) -> Result<(), Fault> {
    let mut auth = auth.clone();
    parts.iter().for_each(|part| auth.update(part));
    // In constant time.
    auth.verify_truncated_left(tag).map_err(|_| Fault::Forged)
}
