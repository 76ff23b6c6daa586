//! G.711 by its formulas (ITU-T G.711 tables 1a to 2b), a sample at a time.
//!
//! Computed rather than looked up for encoding: a shift and a leading-zero count are as fast as a
//! 64 KiB table and leave the cache to the call. Decision values are the same for both signs.

/// The companding law of a G.711 leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// mu-law, PCMU.
    Mu,
    /// A-law, PCMA.
    A,
}

impl Law {
    /// The code for digital silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => 0xFF,
            Self::A => 0xD5,
        }
    }

    /// One sample to its code. RT safe.
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => encode_mu(sample),
            Self::A => encode_a(sample),
        }
    }

    /// One code to its sample. RT safe.
    pub const fn decode(self, code: u8) -> i16 {
        match self {
            Self::Mu => MU_LEVELS[code as usize],
            Self::A => A_LEVELS[code as usize],
        }
    }
}

static MU_LEVELS: [i16; 256] = levels(Law::Mu);
static A_LEVELS: [i16; 256] = levels(Law::A);

/// Added to a magnitude so that every mu-law segment starts at a power of two.
const MU_BIAS: i32 = 132;
/// The largest magnitude that mu-law can hold.
const MU_CLIP: i32 = 32_635;

const fn encode_mu(sample: i16) -> u8 {
    let value = sample as i32;
    let sign = if value < 0 { 0x80 } else { 0 };
    let magnitude = if value < 0 { -value } else { value };
    let biased = if magnitude > MU_CLIP { MU_CLIP } else { magnitude } + MU_BIAS;
    let segment = 24 - biased.leading_zeros() as i32;
    let step = (biased >> (segment + 3)) & 0x0F;
    !(sign | (segment << 4) | step) as u8
}

const fn encode_a(sample: i16) -> u8 {
    // 13 bits are all that A-law has; the negative side mirrors the positive one.
    let value = (sample as i32) >> 3;
    let (sign, magnitude) = if value >= 0 { (0x80, value) } else { (0, -value - 1) };
    let code = if magnitude < 32 {
        magnitude >> 1
    } else {
        let segment = 27 - magnitude.leading_zeros() as i32;
        (segment << 4) | ((magnitude >> segment) & 0x0F)
    };
    // Even bits are inverted on the wire.
    ((sign | code) ^ 0x55) as u8
}

const fn levels(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = match law {
            Law::Mu => decode_mu(code as u8),
            Law::A => decode_a(code as u8),
        };
        code += 1;
    }
    table
}

const fn decode_mu(code: u8) -> i16 {
    let bits = !code as i32;
    let segment = (bits >> 4) & 0x07;
    let magnitude = ((((bits & 0x0F) << 3) + MU_BIAS) << segment) - MU_BIAS;
    (if bits & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

const fn decode_a(code: u8) -> i16 {
    let bits = (code ^ 0x55) as i32;
    let (segment, step) = ((bits >> 4) & 0x07, bits & 0x0F);
    let magnitude =
        if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 264) << (segment - 1) };
    (if bits & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half the distance between two levels in the segment of `code`.
    fn half_step(law: Law, code: u8) -> i32 {
        match law {
            Law::Mu => 4 << ((!code >> 4) & 7),
            Law::A => 8 << (((code ^ 0x55) >> 4) & 7).saturating_sub(1),
        }
    }

    #[test]
    fn every_sample_is_within_half_a_step_and_both_signs_mirror_each_other() {
        for sample in -32_635..=32_635i16 {
            for law in [Law::Mu, Law::A] {
                let code = law.encode(sample);
                let error = (i32::from(law.decode(code)) - i32::from(sample)).abs();
                assert!(error <= half_step(law, code), "{law:?} {sample} {code:#x}");
            }
            assert_eq!(
                Law::Mu.decode(Law::Mu.encode(-sample)),
                -Law::Mu.decode(Law::Mu.encode(sample))
            );
            // A-law has no zero: its cells are 0..=15 and -16..=-1.
            assert_eq!(
                Law::A.decode(Law::A.encode(!sample)),
                -Law::A.decode(Law::A.encode(sample))
            );
        }
    }

    #[test]
    fn known_points_of_the_recommendation() {
        let known = [
            (Law::Mu, 0x80, 32_124),
            (Law::Mu, 0x00, -32_124),
            (Law::Mu, 0xFF, 0),
            (Law::Mu, 0xFE, 8),
            (Law::Mu, 0xEF, 132),
            (Law::A, 0xD5, 8),
            (Law::A, 0x55, -8),
            (Law::A, 0xAA, 32_256),
            (Law::A, 0x2A, -32_256),
            (Law::A, 0xC5, 264),
        ];
        for (law, code, level) in known {
            assert_eq!(law.decode(code), level, "{law:?} {code:#x}");
            assert_eq!(law.encode(level), code, "{law:?} {level}");
        }
    }

    #[test]
    fn every_code_survives_a_second_pass() {
        for code in 0..=255u8 {
            assert_eq!(Law::A.encode(Law::A.decode(code)), code);
            // mu-law has two zeros; the negative one is not sent.
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(Law::Mu.encode(Law::Mu.decode(code)), expected);
        }
    }
}
