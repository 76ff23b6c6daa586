//! What a handset sounds like before anybody speaks: it rings in its country's rhythm, beeps before it answers by
//! itself, and knocks softly at whoever talks while somebody else calls.

use std::f32::consts::TAU;

use crate::base::pcm::{FRAME_MS, FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};

/// Ringing and silence by turns, in milliseconds.
pub type Cadence = &'static [u32];

/// By countries' codes (ISO 3166-1): ringing as in ITU-T E.180, supplement 2. Where a country is not here, its network
/// rings like most: a second in five.
const CADENCES: [(&[&str], Cadence); 8] = [
    (&["us", "ca"], &[2_000, 4_000]),
    (&["gb", "ie", "au", "nz", "za", "in", "hk", "sg", "my"], &[400, 200, 400, 2_000]),
    (&["fr"], &[1_500, 3_500]),
    (&["es"], &[1_500, 3_000]),
    (&["jp"], &[1_000, 2_000]),
    (&["ru", "ua", "by", "kz"], &[800, 3_200]),
    (&["se"], &[1_000, 5_000]),
    (
        &["at", "be", "ch", "cn", "cz", "de", "dk", "fi", "it", "nl", "no", "pl", "pt", "tr"],
        &[1_000, 4_000],
    ),
];

/// The two notes of the bell, and how often they change.
const NOTES_HZ: [f32; 2] = [740.0, 925.0];
const WARBLE_HZ: u32 = 16;
/// Loudness of the bell at full volume: 12 dB below full scale, as it is no voice that one wants to hear.
const BELL: f32 = 8_192.0;
/// Of beep and knock, 26 dB below full scale: in an ear.
const BEEP: f32 = 1_600.0;
const BEEP_HZ: f32 = 425.0;

/// The rhythm in which a country's telephones ring; `None`: there is no such country here.
pub fn cadence(country: &str) -> Option<Cadence> {
    let known = CADENCES.iter().find(|(countries, _)| countries.contains(&country));
    known.map(|(_, cadence)| *cadence)
}

/// Every country that has a rhythm, for whoever chooses one.
pub fn countries() -> Vec<&'static str> {
    let mut all: Vec<&str> =
        CADENCES.iter().flat_map(|(countries, _)| *countries).copied().collect();
    all.sort_unstable();
    all
}

/// A sound that is made frame by frame.
#[derive(Clone, Copy, Debug)]
pub enum Tone {
    /// The bell, until it is stopped, so loud (0 to 1).
    Ring { cadence: Cadence, volume: f32 },
    /// It answers by itself.
    Beep,
    /// Somebody else calls.
    Knock,
}

/// A tone and where it is.
#[derive(Clone, Copy, Debug)]
pub struct Sounding {
    tone: Tone,
    sample: usize,
}

impl Sounding {
    pub fn new(tone: Tone) -> Self {
        Self { tone, sample: 0 }
    }

    /// The next 20 ms; `None`: it is over.
    pub fn frame(&mut self) -> Option<Frame> {
        let mut frame = Frame::SILENCE;
        let start_ms =
            u32::try_from(self.sample as u64 * 1_000 / u64::from(SAMPLE_RATE_HZ)).ok()?;
        let pattern: Cadence = match self.tone {
            Tone::Ring { cadence, .. } => cadence,
            Tone::Beep => &[200, 100],
            Tone::Knock => &[160, 120, 160, 100],
        };
        let length: u32 = pattern.iter().sum();
        let repeats = matches!(self.tone, Tone::Ring { .. });
        if !repeats && start_ms >= length {
            return None;
        }
        let is_on = sounds(pattern, start_ms % length);
        // The frame's edges where the rhythm changes, so that nothing clicks.
        let was_on = start_ms >= FRAME_MS as u32
            && sounds(pattern, (start_ms - FRAME_MS as u32) % length)
            && (repeats || start_ms <= length);
        for (index, sample) in frame.0.iter_mut().enumerate() {
            let at = self.sample + index;
            let fade = match (was_on, is_on) {
                (true, true) => 1.0,
                (false, true) => index as f32 / FRAME_SAMPLES as f32,
                (true, false) => 1.0 - index as f32 / FRAME_SAMPLES as f32,
                (false, false) => 0.0,
            };
            *sample = (fade * self.value(at)) as i16;
        }
        self.sample += FRAME_SAMPLES;
        Some(frame)
    }

    fn value(&self, at: usize) -> f32 {
        let seconds = at as f32 / SAMPLE_RATE_HZ as f32;
        match self.tone {
            Tone::Ring { volume, .. } => {
                let note = at / (SAMPLE_RATE_HZ / WARBLE_HZ) as usize % NOTES_HZ.len();
                let tone = (TAU * NOTES_HZ[note] * seconds).sin();
                BELL * volume * (0.8 * tone + 0.2 * (TAU * 2.0 * NOTES_HZ[note] * seconds).sin())
            }
            Tone::Beep | Tone::Knock => BEEP * (TAU * BEEP_HZ * seconds).sin(),
        }
    }
}

fn sounds(pattern: &[u32], at_ms: u32) -> bool {
    let mut end = 0;
    for (index, length) in pattern.iter().enumerate() {
        end += length;
        if at_ms < end {
            return index % 2 == 0;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each 20 ms whether it sounds.
    fn rhythm(tone: Tone, frames: usize) -> Vec<bool> {
        let mut sounding = Sounding::new(tone);
        let frames = (0..frames).map_while(|_| sounding.frame());
        frames.map(|frame| frame.level_dbfs() > -60.0).collect()
    }

    #[test]
    fn it_rings_in_its_countrys_rhythm_and_for_ever() {
        for (country, on_ms) in [("de", 1_000), ("us", 2_000), ("gb", 400), ("ru", 800)] {
            let cadence = cadence(country).unwrap();
            let rhythm = rhythm(Tone::Ring { cadence, volume: 0.5 }, 1_000);
            assert_eq!(rhythm.len(), 1_000);
            let first = rhythm.iter().position(|sounds| !sounds).unwrap() as i64;
            // The fade at its end is one frame.
            assert!((first * 20 - on_ms).abs() <= 20, "{country}: {}", first * 20);
            let period = cadence.iter().sum::<u32>() as usize / 20;
            assert_eq!(rhythm[5..500 - period], rhythm[5 + period..500], "{country}");
        }
        assert!(cadence("xx").is_none() && countries().contains(&"de"));
    }

    #[test]
    fn volume_is_heard_and_nothing_is_cut_off() {
        let loudest = |volume| {
            let mut sounding = Sounding::new(Tone::Ring { cadence: &[1_000, 4_000], volume });
            let frames = (0..50).filter_map(|_| sounding.frame());
            frames.flat_map(|frame| frame.0).map(i16::unsigned_abs).max().unwrap()
        };
        assert!(loudest(1.0) < 10_000 && loudest(1.0) > 7_000);
        assert!((f32::from(loudest(0.1)) - f32::from(loudest(1.0)) / 10.0).abs() < 10.0);
        assert_eq!(loudest(0.0), 0);
    }

    #[test]
    fn beep_and_knock_are_short() {
        assert_eq!(rhythm(Tone::Beep, 100).len(), 15);
        let knock = rhythm(Tone::Knock, 100);
        let starts = knock.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        assert!(knock.len() == 27 && knock[1] && starts == 1, "{knock:?}");
    }
}
