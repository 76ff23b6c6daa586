//! Netstrings (`<decimal length>:<bytes>,`): whole ones out of bytes that come in any pieces.

use crate::base::limits;

/// Digits of a length at most.
const DIGITS: usize = 9;

/// What has come and is not whole yet. At most one netstring of `limits::CTRL_TCP_BYTES` with its frame.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
}

/// Something came that is no netstring, or too long: as with baresip what is there is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Reader {
    /// Call [`Self::next`] until `None` afterwards.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole one; `None`: more bytes are needed.
    pub fn next(&mut self) -> Option<Result<Vec<u8>, Malformed>> {
        let colon = match self.buffer.iter().take(DIGITS + 1).position(|byte| *byte == b':') {
            Some(colon) => colon,
            None if self.buffer.len() > DIGITS || !self.buffer.iter().all(u8::is_ascii_digit) => {
                return Some(self.fail());
            }
            None => return None,
        };
        let Some(length) = self.buffer.get(..colon).and_then(length) else {
            return Some(self.fail());
        };
        let end = colon + 1 + length;
        match self.buffer.get(end) {
            None => None,
            Some(b',') => {
                let text = self.buffer.get(colon + 1..end).map(<[u8]>::to_vec).unwrap_or_default();
                self.buffer.drain(..=end);
                Some(Ok(text))
            }
            Some(_) => Some(self.fail()),
        }
    }

    fn fail(&mut self) -> Result<Vec<u8>, Malformed> {
        self.buffer.clear();
        Err(Malformed)
    }
}

/// No leading zero but in "0" itself.
fn length(digits: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_plain = text == "0" || !text.starts_with('0');
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let length: usize = (is_plain && is_number).then(|| text.parse().ok())??;
    (length <= limits::CTRL_TCP_BYTES).then_some(length)
}

/// One netstring.
pub fn written(text: &str) -> Vec<u8> {
    format!("{}:{text},", text.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(reader: &mut Reader) -> Vec<Result<String, Malformed>> {
        let text = |one: Vec<u8>| String::from_utf8(one).unwrap();
        std::iter::from_fn(|| reader.next()).map(|one| one.map(text)).collect()
    }

    #[test]
    fn whole_ones_come_out_of_any_pieces() {
        let bytes = [written("first, and 5:x,"), written(""), written("né")].concat();
        for size in 1..=bytes.len() {
            let mut reader = Reader::default();
            let mut got = Vec::new();
            for piece in bytes.chunks(size) {
                reader.push(piece);
                got.extend(all(&mut reader));
            }
            let wanted = ["first, and 5:x,", "", "né"].map(|text| Ok(text.to_owned()));
            assert_eq!(got, wanted, "{size}");
            assert!(reader.buffer.is_empty());
        }
    }

    #[test]
    fn what_is_none_is_thrown_away_and_the_next_one_is_read() {
        for foul in ["x:a,", "01:a,", ":a,", "1:ab", "9999999999:a", "999999:a,", "-1:a,", " 1:a,"]
        {
            let mut reader = Reader::default();
            reader.push(foul.as_bytes());
            assert_eq!(all(&mut reader), [Err(Malformed)], "{foul}");
            reader.push(&written("good"));
            assert_eq!(all(&mut reader), [Ok("good".to_owned())], "{foul}");
        }
    }
}
