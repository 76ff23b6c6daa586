//! The URN of this box, which stays the same over restarts: by it a registrar knows that a new connection
//! comes from the same telephone (RFC 5626 section 4.1).

use std::io;
use std::path::Path;

use super::{bounded, whole};
use crate::base::{Entropy, Private};

const PREFIX: &str = "urn:uuid:";
const MOST_BYTES: u64 = 256;

/// The URN that the file has, else a new one, which the file has from now on: and why it has not, if so. What is
/// damaged is replaced, since nothing is lost with it but one registration that runs out by itself.
pub fn open(path: &Path, entropy: &mut Entropy) -> (Private<String>, Option<io::Error>) {
    let known = bounded::text(path, MOST_BYTES).ok();
    if let Some(known) = known.as_deref().map(str::trim).filter(|known| is_urn(known)) {
        return (Private::new(known.to_owned()), None);
    }
    let urn = new(entropy);
    let fault = whole::write(path, format!("{urn}\n").as_bytes()).err();
    (Private::new(urn), fault)
}

/// A random UUID (RFC 9562 section 5.4).
fn new(entropy: &mut Entropy) -> String {
    let high = entropy.next_u64() & !0xF000 | 0x4000;
    let low = entropy.next_u64() & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{high:016x}{low:016x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    format!("{PREFIX}{}", parts.join("-"))
}

fn is_urn(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix(PREFIX) else { return false };
    let parts: Vec<&str> = uuid.split('-').collect();
    let lengths = parts.iter().map(|part| part.len());
    lengths.eq([8, 4, 4, 4, 12]) && parts.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_the_same_and_what_is_damaged_is_replaced() {
        let folder =
            std::env::temp_dir().join(format!("attendant-instance-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("instance");
        let mut entropy = Entropy::new([1; 32]);
        let (first, fault) = open(&path, &mut entropy);
        assert!(is_urn(first.reveal()) && fault.is_none());
        assert_eq!(&first.reveal()[PREFIX.len() + 14..][..1], "4");
        assert_eq!(open(&path, &mut entropy).0.reveal(), first.reveal());
        for damaged in ["", "urn:uuid:12", "urn:uuid:00000000-0000-4000-8000-00000000000g"] {
            std::fs::write(&path, damaged).unwrap();
            let (other, _) = open(&path, &mut entropy);
            assert!(is_urn(other.reveal()) && other.reveal() != first.reveal(), "{damaged}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
        let (urn, fault) = open(&path, &mut entropy);
        assert!(is_urn(urn.reveal()) && fault.is_some());
    }
}
