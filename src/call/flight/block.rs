//! The file as blocks: what is whole in it, and where it ends.
//!
//! ```text
//!  "ATNDFLT" version(1) │ block │ block │ …
//!  block: length(4, little-endian) check(8) payload
//! ```
//! The check is the beginning of the SHA-256 of the block's number and its payload, so a block that
//! was changed, doubled, left out or cut is found. A file that ends within a block is whole up to
//! there: so a recording ends when the program is killed.

use sha2::{Digest, Sha256};

use super::FlightError;
use crate::base::limits;

const MAGIC: &[u8; 7] = b"ATNDFLT";
/// Of the whole format; a change of anything in it is another version.
pub(super) const VERSION: u8 = 4;
const HEAD_BYTES: usize = 4 + 8;

/// The beginning of a file.
pub(super) fn beginning() -> Vec<u8> {
    MAGIC.iter().copied().chain([VERSION]).collect()
}

/// A block of the file; `number` counts from 0.
pub(super) fn block(number: u64, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut block = Vec::with_capacity(HEAD_BYTES + payload.len());
    block.extend_from_slice(&length.to_le_bytes());
    block.extend_from_slice(&check(number, payload));
    block.extend_from_slice(payload);
    block
}

fn check(number: u64, payload: &[u8]) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update(number.to_le_bytes());
    hash.update(payload);
    first_eight(&hash.finalize())
}

/// A number that stands for some bytes.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(first_eight(&Sha256::digest(bytes)))
}

fn first_eight(hash: &[u8]) -> [u8; 8] {
    hash.first_chunk().copied().unwrap_or_default()
}

/// The payloads of the whole blocks, and where a block was cut.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    pub(super) payloads: Vec<&'a [u8]>,
    /// Byte at which the last, incomplete block begins.
    pub(super) cut_at: Option<usize>,
}

/// # Errors
/// For what is no flight record, one of another version, or a block that was changed.
pub(super) fn blocks(file: &[u8]) -> Result<Blocks<'_>, FlightError> {
    let rest = file.strip_prefix(MAGIC).ok_or(FlightError::NoRecord)?;
    let (version, mut rest) = rest.split_first().ok_or(FlightError::NoRecord)?;
    if *version != VERSION {
        return Err(FlightError::Version { found: *version, known: VERSION });
    }
    let mut payloads = Vec::new();
    let at = |rest: &[u8]| file.len() - rest.len();
    while !rest.is_empty() {
        let Some((head, after)) = rest.split_at_checked(HEAD_BYTES) else { break };
        let (length, wanted) = head.split_at(4);
        let length = u32::from_le_bytes(length.try_into().unwrap_or_default()) as usize;
        if length > limits::FLIGHT_BLOCK_BYTES {
            return Err(FlightError::Block { number: payloads.len(), at: at(rest) });
        }
        let Some((payload, after)) = after.split_at_checked(length) else { break };
        if check(payloads.len() as u64, payload) != wanted {
            return Err(FlightError::Block { number: payloads.len(), at: at(rest) });
        }
        payloads.push(payload);
        rest = after;
    }
    let cut_at = (!rest.is_empty()).then(|| at(rest));
    Ok(Blocks { payloads, cut_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(payloads: &[&[u8]]) -> Vec<u8> {
        let blocks = payloads.iter().zip(0..).map(|(payload, number)| block(number, payload));
        beginning().into_iter().chain(blocks.flatten()).collect()
    }

    #[test]
    fn blocks_come_back_and_a_cut_file_is_whole_up_to_its_last_block() {
        let file = file(&[b"head", b"", b"one more"]);
        let read = blocks(&file).unwrap();
        assert_eq!((read.payloads, read.cut_at), (vec![&b"head"[..], b"", b"one more"], None));
        for length in 8..file.len() {
            let cut = blocks(&file[..length]).unwrap();
            let whole = [8, 24, 36].iter().filter(|end| **end <= length).count();
            assert_eq!(cut.payloads.len() + 1, whole, "at {length}");
            assert_eq!(cut.cut_at.is_some(), ![8, 24, 36].contains(&length), "at {length}");
        }
        assert!((0..8).all(|length| blocks(&file[..length]).is_err()));
    }

    #[test]
    fn a_block_that_was_changed_doubled_or_left_out_is_told() {
        let whole = file(&[b"head", b"a block", b"another"]);
        for at in 24..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            // A length that is longer looks like a file that was cut.
            let read = blocks(&changed);
            assert!(read.is_err() || read.is_ok_and(|read| read.payloads.len() < 3), "at {at}");
        }
        let out = [&whole[..24], &whole[43..]].concat();
        assert!(matches!(blocks(&out), Err(FlightError::Block { number: 1, at: 24 })));
        let other = [MAGIC.as_slice(), &[9]].concat();
        assert!(matches!(blocks(&other), Err(FlightError::Version { found: 9, .. })));
    }
}
