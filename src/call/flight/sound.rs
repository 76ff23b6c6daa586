//! Sound without loss in fewer bytes: a fixed polynomial predictor of order 0 to 3, whose
//! errors are written in a Rice code (as in FLAC, RFC 9639 sections 9.2.5 and 9.2.7).
//!
//! Pieces of [`PIECE`] samples are coded by themselves, so that each is as short as it can be and
//! a damaged one harms no other.

use super::FlightError;
use super::bytes::{Reader, Writer};

/// 20 ms.
const PIECE: usize = 320;
/// Orders of the predictor.
const ORDERS: usize = 4;
/// An error with a longer unary part is written as it is.
const ESCAPE: u32 = 24;
/// Bits of an error: third differences of 16 bits, with a sign.
const ERROR_BITS: u32 = 20;

pub(super) fn write(writer: &mut Writer, samples: &[i16]) {
    writer.number(samples.len() as u64);
    for piece in samples.chunks(PIECE) {
        write_piece(writer, piece);
    }
}

/// `most`: samples that may come.
pub(super) fn read(reader: &mut Reader<'_>, most: usize) -> Result<Vec<i16>, FlightError> {
    let count = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
    if count > most {
        return Err(FlightError::Malformed("a sound is longer than any"));
    }
    let mut samples = Vec::new();
    while samples.len() < count {
        read_piece(reader, PIECE.min(count - samples.len()), &mut samples)?;
    }
    Ok(samples)
}

/// What the predictor of this order expects after the last three samples, the newest first.
const fn expected(order: usize, last: [i32; 3]) -> i32 {
    let [a, b, c] = last;
    match order {
        0 => 0,
        1 => a,
        2 => 2 * a - b,
        _ => 3 * a - 3 * b + c,
    }
}

fn errors(order: usize, piece: &[i16]) -> impl Iterator<Item = u32> + '_ {
    let mut last = [0; 3];
    piece.iter().map(move |sample| {
        let sample = i32::from(*sample);
        let error = sample - expected(order, last);
        last = [sample, last[0], last[1]];
        ((error << 1) ^ (error >> 31)) as u32
    })
}

fn write_piece(writer: &mut Writer, piece: &[i16]) {
    let sum = |order| errors(order, piece).map(u64::from).sum::<u64>();
    let (order, sum) =
        (0..ORDERS).map(|order| (order, sum(order))).min_by_key(|(_, s)| *s).unwrap_or((0, 0));
    // The mean's size is near the best parameter.
    let mean = sum / piece.len().max(1) as u64;
    let parameter = (u64::BITS - mean.leading_zeros()).saturating_sub(1).min(15);
    writer.byte((order as u8) << 4 | parameter as u8);
    let mut bits = BitWriter { writer, pending: 0, count: 0 };
    for error in errors(order, piece) {
        let unary = error >> parameter;
        if unary >= ESCAPE {
            bits.ones(ESCAPE);
            bits.push(error, ERROR_BITS);
        } else {
            bits.ones(unary);
            bits.push(0, 1);
            bits.push(error & ((1 << parameter) - 1), parameter);
        }
    }
    bits.finish();
}

fn read_piece(
    reader: &mut Reader<'_>,
    count: usize,
    samples: &mut Vec<i16>,
) -> Result<(), FlightError> {
    let kind = reader.byte()?;
    let (order, parameter) = (usize::from(kind >> 4), u32::from(kind & 15));
    if order >= ORDERS {
        return Err(FlightError::Malformed("a sound of an unknown kind"));
    }
    let mut bits = BitReader { reader, pending: 0, count: 0 };
    let mut last = [0; 3];
    for _ in 0..count {
        let mut unary = 0;
        while unary < ESCAPE && bits.take(1)? == 1 {
            unary += 1;
        }
        let error = match unary {
            ESCAPE => bits.take(ERROR_BITS)?,
            _ => unary << parameter | bits.take(parameter)?,
        };
        let error = (error >> 1) as i32 ^ -((error & 1) as i32);
        let sample = i16::try_from(expected(order, last) + error)
            .map_err(|_| FlightError::Malformed("a sound beyond 16 bits"))?;
        last = [sample.into(), last[0], last[1]];
        samples.push(sample);
    }
    Ok(())
}

struct BitWriter<'a> {
    writer: &'a mut Writer,
    pending: u64,
    count: u32,
}

impl BitWriter<'_> {
    fn ones(&mut self, count: u32) {
        self.push((1 << count) - 1, count);
    }

    /// The lowest `count` bits of `value`, the highest of them first; 32 at most.
    fn push(&mut self, value: u32, count: u32) {
        self.pending = self.pending << count | u64::from(value);
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            self.writer.byte((self.pending >> self.count) as u8);
        }
        self.pending &= (1 << self.count) - 1;
    }

    fn finish(mut self) {
        if self.count > 0 {
            self.push(0, 8 - self.count);
        }
    }
}

struct BitReader<'a, 'b> {
    reader: &'a mut Reader<'b>,
    pending: u64,
    count: u32,
}

impl BitReader<'_, '_> {
    fn take(&mut self, count: u32) -> Result<u32, FlightError> {
        while self.count < count {
            self.pending = self.pending << 8 | u64::from(self.reader.byte()?);
            self.count += 8;
        }
        self.count -= count;
        let value = self.pending >> self.count;
        self.pending &= (1 << self.count) - 1;
        Ok(value as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Entropy;

    fn there_and_back(samples: &[i16]) -> usize {
        let mut writer = Writer::default();
        write(&mut writer, samples);
        let mut reader = Reader(&writer.0);
        assert_eq!(read(&mut reader, samples.len()).unwrap(), samples);
        assert!(reader.is_empty());
        writer.0.len()
    }

    #[test]
    fn every_sound_comes_back_to_the_bit() {
        let mut entropy = Entropy::new([3; 32]);
        let noise: Vec<i16> = (0..1_000).map(|_| entropy.next_u32() as i16).collect();
        let extremes = [i16::MIN, i16::MAX].repeat(200);
        let steps: Vec<i16> = (0..700).map(|at| if at % 90 < 45 { i16::MIN } else { 9 }).collect();
        for samples in [&[][..], &[5], &noise, &extremes, &steps, &[0; 320], &[-1; 321]] {
            there_and_back(samples);
        }
    }

    #[test]
    fn a_voice_takes_fewer_bytes_than_it_has_and_silence_hardly_any() {
        let voice: Vec<i16> = (0..16_000)
            .map(|at| {
                let t = f64::from(at) / 16_000.0;
                let tone = |hz: f64| (t * hz * std::f64::consts::TAU).sin();
                (2_000.0 * tone(180.0) + 900.0 * tone(720.0) + 300.0 * tone(2_100.0)) as i16
            })
            .collect();
        let bytes = there_and_back(&voice);
        assert!(3 * bytes < 4 * voice.len(), "{bytes} for {} samples of two", voice.len());
        assert!(there_and_back(&[0; 16_000]) < 2_100);
    }

    #[test]
    fn what_is_no_sound_is_an_error() {
        for bytes in [&[1, 0x40][..], &[200, 1, 0], &[1, 0x0f, 0xff], &[0xff; 9], &[5]] {
            assert!(read(&mut Reader(bytes), 1_000).is_err(), "{bytes:?}");
        }
    }
}
