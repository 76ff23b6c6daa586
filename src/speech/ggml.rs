//! Reads the outline of a Whisper file in the ggml format before whisper.cpp may see it. Pure.
//!
//! The C++ parser trusts sizes and aborts the process on what it does not expect. This one follows
//! every length to the end of the file, so that a cut or damaged file is a plain error with its
//! place. It cannot see a changed weight: that is what a pinned SHA-256 is for.

/// "ggml", little-endian.
const MAGIC: u32 = 0x6767_6d6c;
/// whisper.cpp writes to the ids of its special tokens without asking: the last is above this.
const LEAST_VOCABULARY: u32 = 51_864;
const MOST_VOCABULARY: u32 = 60_000;
/// An entry of the encoder's context is 20 ms.
const CONTEXT_ENTRY_MS: u32 = 20;

/// What the head of the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    pub vocabulary: u32,
    pub audio_context: u32,
    pub tensors: u32,
}

impl Outline {
    /// Longest audio that the model hears at once.
    pub const fn window_ms(&self) -> u32 {
        self.audio_context * CONTEXT_ENTRY_MS
    }
}

/// What is wrong with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutlineError {
    #[error("it is not a Whisper model in the ggml format")]
    NotGgml,
    #[error("it ends in the middle of its {0}")]
    Truncated(&'static str),
    #[error("its {0} is out of range")]
    OutOfRange(&'static str),
}

/// Follows the file from its magic to its last tensor.
pub fn outline(file: &[u8]) -> Result<Outline, OutlineError> {
    let mut rest = Rest { bytes: file, part: "head" };
    if rest.u32() != Ok(MAGIC) {
        return Err(OutlineError::NotGgml);
    }
    let vocabulary = rest.within("vocabulary size", LEAST_VOCABULARY, MOST_VOCABULARY)?;
    let audio_context = rest.within("audio context", 64, 3_000)?;
    rest.within("audio width", 32, 4_096)?;
    rest.within("audio heads", 1, 64)?;
    rest.within("audio layers", 1, 64)?;
    rest.within("text context", 16, 4_096)?;
    rest.within("text width", 32, 4_096)?;
    rest.within("text heads", 1, 64)?;
    rest.within("text layers", 1, 64)?;
    let mels = rest.within("number of mel bands", 1, 256)?;
    rest.within("weight type", 0, 10_000)?;

    rest.part = "mel filters";
    let filter_mels = rest.within("mel filters", mels, mels)?;
    let spectrum = rest.within("mel filters", 1, 4_096)?;
    rest.skip(4 * u64::from(filter_mels) * u64::from(spectrum))?;

    rest.part = "vocabulary";
    for _ in 0..rest.within("vocabulary", 1, vocabulary)? {
        let length = rest.within("vocabulary", 0, 1_024)?;
        rest.skip(u64::from(length))?;
    }

    rest.part = "weights";
    let mut tensors = 0;
    while !rest.bytes.is_empty() {
        rest.tensor()?;
        tensors += 1;
    }
    if tensors == 0 {
        return Err(OutlineError::Truncated("weights"));
    }
    Ok(Outline { vocabulary, audio_context, tensors })
}

/// What has not been read yet.
struct Rest<'a> {
    bytes: &'a [u8],
    part: &'static str,
}

impl Rest<'_> {
    fn u32(&mut self) -> Result<u32, OutlineError> {
        let head = self.bytes.split_first_chunk::<4>();
        let (head, rest) = head.ok_or(OutlineError::Truncated(self.part))?;
        self.bytes = rest;
        Ok(u32::from_le_bytes(*head))
    }

    fn within(&mut self, name: &'static str, least: u32, most: u32) -> Result<u32, OutlineError> {
        let value = self.u32()?;
        let fits = (least..=most).contains(&value);
        if fits { Ok(value) } else { Err(OutlineError::OutOfRange(name)) }
    }

    fn skip(&mut self, length: u64) -> Result<(), OutlineError> {
        let length = usize::try_from(length).ok();
        let rest = length.and_then(|length| self.bytes.get(length..));
        self.bytes = rest.ok_or(OutlineError::Truncated(self.part))?;
        Ok(())
    }

    fn tensor(&mut self) -> Result<(), OutlineError> {
        let dimensions = self.within("number of dimensions", 1, 4)?;
        let name = self.within("length of a name", 1, 256)?;
        let kind = self.u32()?;
        let mut elements = 1_u64;
        for _ in 0..dimensions {
            elements *= u64::from(self.within("size of a tensor", 1, 1 << 20)?);
            if elements > 1 << 40 {
                return Err(OutlineError::OutOfRange("size of a tensor"));
            }
        }
        let (bytes, block) = block_of(kind).ok_or(OutlineError::OutOfRange("weight type"))?;
        self.skip(u64::from(name))?;
        self.skip(elements.div_ceil(block) * bytes)
    }
}

/// Bytes and elements of a block of a ggml type.
const fn block_of(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 => (4, 1),
        1 => (2, 1),
        2 => (18, 32),
        3 => (20, 32),
        6 => (22, 32),
        7 => (24, 32),
        8 => (34, 32),
        10 => (84, 256),
        11 => (110, 256),
        12 => (144, 256),
        13 => (176, 256),
        14 => (210, 256),
        _ => return None,
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A file with a right outline and one small tensor, which is no use as a model.
    pub fn small_file() -> Vec<u8> {
        let mut words = vec![MAGIC, LEAST_VOCABULARY, 512, 128, 2, 4, 128, 128, 2, 2, 80, 7];
        words.extend([80, 1]);
        words.extend([0; 80]);
        words.extend([2, 0, 0]);
        words.extend([2, 4, 8, 32, 2]);
        let mut file: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        file.extend_from_slice(b"name");
        file.extend_from_slice(&[0; 68]);
        file
    }

    #[test]
    fn the_outline_of_a_whole_file_is_read() {
        let outline = outline(&small_file()).unwrap();
        assert_eq!((outline.tensors, outline.window_ms()), (1, 10_240));
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_refused() {
        let file = small_file();
        for length in 0..file.len() {
            // Cut exactly before its tensors it has none, which is refused as well.
            assert!(outline(&file[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(outline(&file[..file.len() - 1]), Err(OutlineError::Truncated("weights")));
    }

    #[test]
    fn damage_to_the_outline_is_found_without_a_panic() {
        assert_eq!(outline(b"RIFF1234"), Err(OutlineError::NotGgml));
        let file = small_file();
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0xff;
            let _ = outline(&damaged);
        }
        let mut small = file;
        small[4..8].copy_from_slice(&50_000_u32.to_le_bytes());
        assert_eq!(outline(&small), Err(OutlineError::OutOfRange("vocabulary size")));
    }
}
