//! All codecs of one call slot, made at start: which one a call uses is known only when it comes.

use super::{Codec, CodecError, Decoder, Encoder, EncoderSettings};

/// One encoder and one decoder of each codec; about 60 KiB, nearly all of it Opus.
pub struct CodecSet {
    opus: Pair,
    g722: Pair,
    pcmu: Pair,
    pcma: Pair,
    l16: Pair,
}

struct Pair {
    tx: Encoder,
    rx: Decoder,
}

impl Pair {
    fn new(codec: Codec) -> Result<Self, CodecError> {
        Ok(Self { tx: Encoder::new(codec, EncoderSettings::default())?, rx: Decoder::new(codec)? })
    }
}

impl CodecSet {
    pub fn new() -> Result<Self, CodecError> {
        Ok(Self {
            opus: Pair::new(Codec::Opus)?,
            g722: Pair::new(Codec::G722)?,
            pcmu: Pair::new(Codec::Pcmu)?,
            pcma: Pair::new(Codec::Pcma)?,
            l16: Pair::new(Codec::L16)?,
        })
    }

    /// RT safe.
    pub fn encoder(&mut self, codec: Codec) -> &mut Encoder {
        &mut self.pair(codec).tx
    }

    /// RT safe.
    pub fn decoder(&mut self, codec: Codec) -> &mut Decoder {
        &mut self.pair(codec).rx
    }

    /// Forgets the last call, so that nothing of it is heard in the next. RT safe.
    pub fn reset(&mut self) {
        for codec in Codec::ALL {
            let pair = self.pair(codec);
            pair.tx.reset();
            pair.rx.reset();
        }
    }

    fn pair(&mut self, codec: Codec) -> &mut Pair {
        match codec {
            Codec::Opus => &mut self.opus,
            Codec::G722 => &mut self.g722,
            Codec::Pcmu => &mut self.pcmu,
            Codec::Pcma => &mut self.pcma,
            Codec::L16 => &mut self.l16,
        }
    }
}
