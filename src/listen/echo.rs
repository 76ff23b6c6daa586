//! Our own voice that comes back: told from the caller's, frame by frame.
//!
//! ```text
//!  played ─▶ 8 kHz ─▶ 0.6 s of history ┐                       ┌ the path's gain in each band
//!  heard  ─▶ 8 kHz ─▶ correlation ─ delay ─▶ spectra, aligned ─┴▶ more than the echo explains?
//! ```
//!
//! Correlation at 2 kHz over every delay finds where in what was played the heard sound lies: a
//! delay that holds is an echo path. With both spectra aligned by it, the quotient of their powers
//! is the path's gain, tracked in each band. What stands above gain times played is somebody else,
//! also while both talk. The phase is not needed, so that neither codecs nor a jitter buffer that
//! stretches sound undo it; a canceller would have to learn its filter anew each time.

use super::spectrum::{BANDS, Spectra, WINDOW};
use crate::base::pcm::{FRAME_SAMPLES, Frame};
use crate::codec::dot::dot;

/// Samples of a frame at 8 kHz, at which spectra are compared.
const NARROW: usize = FRAME_SAMPLES / 2;
/// Samples of a frame at 2 kHz, at which delays are searched: pitch and first formant.
const LOW: usize = FRAME_SAMPLES / 8;
/// Frames within which our voice may come back: 600 ms. 300 ms on the way, and what both ends'
/// jitter buffers add.
const REACH_FRAMES: usize = 30;
/// Delays that are searched, 0.5 ms apart.
const LAGS: usize = REACH_FRAMES * LOW;
const PLAYED: usize = REACH_FRAMES * NARROW + WINDOW;
const PLAYED_LOW: usize = LAGS + LOW;

/// What remains of a frame's correlation with each later frame: a memory of 150 ms.
const MEMORY: f32 = 0.87;
/// Weight of frames from which on a correlation means something: 3 frames.
const ENOUGH: f32 = 2.2;
/// Weight of frames from which on a path that was not found is not there: 6 frames.
const DISBELIEF: f32 = 4.0;
/// Mean correlation from which on a delay is an echo path. Unrelated voices reach 0.45.
const FOUND: f32 = 0.58;
/// A known path moves where another delay correlates so much better: a pitch period away it is
/// nearly as good.
const BETTER: f32 = 1.15;

/// Power (mean square) below which a frame holds nothing: -60 dBFS.
const QUIET: f32 = 32.8 * 32.8;
/// Sound stands out from the noise by this factor of power: 6 dB.
const STANDS_OUT: f32 = 4.0;
/// Most noise that is believed in: -50 dBFS in one band, -40 dBFS in all.
const LOUDEST_NOISE: f32 = 104.0 * 104.0;
const LOUDEST_FLOOR: f32 = 328.0 * 328.0;
/// Growth of the noise with each frame that is louder, as a factor of power: 2 dB a second.
const NOISE_RISE: f32 = 1.01;

/// Where the gain of an unknown path starts, and the bounds of every path's, in dB.
const UNKNOWN_DB: f32 = -3.0;
const HIGHEST_DB: f32 = 6.0;
const LOWEST_DB: f32 = -60.0;
/// How far an unknown path's gain falls with each loud frame that is like nothing played, in dB.
const DISBELIEF_DB: f32 = 3.0;
/// Share of the way to a higher and to a lower measurement that a gain goes with each frame. Within a
/// band each harmonic has a gain of its own: what counts is the highest, not the mean.
const LEARN_UP: f32 = 0.3;
const LEARN_DOWN: f32 = 0.04;
/// The same to either side while a path is new or not known.
const LEARN_NEW: f32 = 0.15;
/// Farthest measurements that are taken as they are, in dB: beyond them somebody else speaks.
const FARTHEST_DB: [f32; 2] = [-20.0, 3.0];
/// A band holds somebody else from so far above the expected echo, in dB.
const ABOVE_DB: f32 = 4.0;
/// The same while a path is new, and its gain no more than a guess.
const ABOVE_NEW_DB: f32 = 8.0;
/// A path is new for so many frames.
const NEW_FRAMES: u32 = 15;
/// Share of the heard power that the echo does not explain in a frame with somebody else.
const UNEXPLAINED: f32 = 0.25;
/// Somebody who spoke in two of so many frames still does: between syllables echo is all there is.
const HELD: u32 = 0b1_1111;
/// An echo is heard where this share of the power is expected to be one.
const AUDIBLE: f32 = 0.1;
/// The echo of a room dies away by so much with each frame, as a factor of power (-9 dB).
const TAIL: f32 = 0.125;

/// Whose voice a frame may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voices {
    /// The caller's, if there is any, perhaps above our own.
    Theirs,
    /// No voice, or not known yet: it may be our own for the first time.
    Neither,
    /// Our own and no other.
    Ours,
}

/// The echo detector of one incoming leg: 34 KiB, without an allocation of its own.
pub struct EchoDetector {
    spectra: Spectra,
    played: [f32; PLAYED],
    played_low: [f32; PLAYED_LOW],
    heard: [f32; WINDOW],
    /// From 8 to 2 kHz.
    low_of_played: Lowpass,
    low_of_heard: Lowpass,
    /// Decaying sum of each delay's correlations, and that of their weights.
    correlation: [f32; LAGS],
    weight: f32,
    path: Option<Path>,
    /// Upper bound of the gain while no path is known.
    unknown_db: f32,
    /// Frames since we played anything.
    silent_frames: usize,
    /// Frames since we began, with pauses shorter than the reach.
    speaking_frames: usize,
    /// The last frames, the newest in the lowest bit: 1 is somebody else beside a known path.
    theirs: u32,
    /// Of the frame that was judged last, the share of the power that may be our echo.
    share: f32,
    /// Expected echo of the frame before, by band.
    tail: [f32; BANDS],
    /// The line's noise by band, as mean squares, and that of all together.
    noise: [f32; BANDS],
    floor: f32,
}

/// A known way back.
#[derive(Clone, Copy)]
struct Path {
    /// In samples at 2 kHz.
    lag: usize,
    gain_db: [f32; BANDS],
    /// Frames from which the gain was learnt.
    frames: u32,
}

impl Default for EchoDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl EchoDetector {
    pub fn new() -> Self {
        Self {
            spectra: Spectra::new(),
            played: [0.0; PLAYED],
            played_low: [0.0; PLAYED_LOW],
            heard: [0.0; WINDOW],
            low_of_played: Lowpass::new(),
            low_of_heard: Lowpass::new(),
            correlation: [0.0; LAGS],
            weight: 0.0,
            path: None,
            unknown_db: UNKNOWN_DB,
            silent_frames: REACH_FRAMES + 1,
            speaking_frames: 0,
            theirs: 0,
            share: 0.0,
            tail: [0.0; BANDS],
            noise: [LOUDEST_NOISE; BANDS],
            floor: LOUDEST_FLOOR,
        }
    }

    /// Back to the state of a new call. RT safe.
    pub fn reset(&mut self) {
        self.played.fill(0.0);
        self.played_low.fill(0.0);
        self.heard.fill(0.0);
        self.low_of_played = Lowpass::new();
        self.low_of_heard = Lowpass::new();
        self.path = None;
        self.unknown_db = UNKNOWN_DB;
        self.silent_frames = REACH_FRAMES + 1;
        self.noise = [LOUDEST_NOISE; BANDS];
        self.floor = LOUDEST_FLOOR;
        self.rest();
    }

    /// Takes what leaves in this tick, after [`Self::judge`]. RT safe.
    pub fn played(&mut self, frame: &Frame) {
        let narrow = halved(frame);
        let low = self.low_of_played.take(&narrow);
        self.played.copy_within(NARROW.., 0);
        self.played[PLAYED - NARROW..].copy_from_slice(&narrow);
        self.played_low.copy_within(LOW.., 0);
        self.played_low[PLAYED_LOW - LOW..].copy_from_slice(&low);
        let is_silent = dot(&narrow, &narrow) < QUIET * NARROW as f32;
        self.silent_frames = if is_silent { self.silent_frames.saturating_add(1) } else { 0 };
    }

    /// Judges what is heard in this tick. Costs next to nothing while nothing of ours can come
    /// back. RT safe.
    pub fn judge(&mut self, frame: &Frame) -> Voices {
        let narrow = halved(frame);
        let low = self.low_of_heard.take(&narrow);
        self.heard.copy_within(NARROW.., 0);
        self.heard[WINDOW - NARROW..].copy_from_slice(&narrow);
        if !self.is_about() {
            self.rest();
            return Voices::Theirs;
        }
        self.speaking_frames = self.speaking_frames.saturating_add(1);
        let power = dot(&narrow, &narrow) / NARROW as f32;
        let floor = if power < self.floor { power } else { self.floor * NOISE_RISE };
        self.floor = floor.min(LOUDEST_FLOOR);
        if power >= QUIET && power > STANDS_OUT * self.floor {
            self.correlate(&low);
            self.find_path();
        }
        match self.path {
            Some(path) => self.compare(path),
            None => self.compare_unknown(power),
        }
    }

    /// We speak, or have so lately that it may still come back. RT safe.
    pub const fn is_about(&self) -> bool {
        self.silent_frames <= REACH_FRAMES
    }

    /// Of the frame that was judged last, the share of the power that may be our echo, 0 to 1. RT safe.
    pub const fn share(&self) -> f32 {
        self.share
    }

    /// Nothing of ours is on the way; what is known of the path stays.
    fn rest(&mut self) {
        self.share = 0.0;
        self.speaking_frames = 0;
        self.theirs = 0;
        self.tail = [0.0; BANDS];
        if self.weight > 0.0 {
            self.correlation.fill(0.0);
            self.weight = 0.0;
        }
    }

    /// Adds this frame's correlation with what was played at every delay.
    fn correlate(&mut self, low: &[f32; LOW]) {
        let own = dot(low, low);
        if own <= 0.0 {
            return;
        }
        self.weight = self.weight * MEMORY + 1.0;
        let newest = &self.played_low[LAGS..];
        let mut energy = dot(newest, newest);
        let least = 0.1 * QUIET * LOW as f32;
        for (lag, sum) in self.correlation.iter_mut().enumerate() {
            let start = LAGS - lag;
            let window = &self.played_low[start..start + LOW];
            let is_sound = energy > least;
            let alike = if is_sound { dot(low, window) / (own * energy).sqrt() } else { 0.0 };
            *sum = *sum * MEMORY + alike;
            let (enters, leaves) = (self.played_low[start - 1], self.played_low[start + LOW - 1]);
            energy = (energy + enters * enters - leaves * leaves).max(0.0);
        }
    }

    fn find_path(&mut self) {
        if self.weight < ENOUGH {
            return;
        }
        let sums = self.correlation.iter().map(|sum| sum.abs()).enumerate();
        let Some((lag, sum)) = sums.max_by(|a, b| a.1.total_cmp(&b.1)) else { return };
        if sum < FOUND * self.weight {
            return;
        }
        let known = self.path.map(|path| self.correlation_near(path.lag));
        match (&mut self.path, known) {
            (Some(path), Some(known)) if sum > BETTER * known => path.lag = lag,
            (Some(_), _) => (),
            (None, _) => {
                let gain_db = [self.unknown_db.max(UNKNOWN_DB); BANDS];
                self.path = Some(Path { lag, gain_db, frames: 0 });
            }
        }
    }

    /// The highest sum within 1 ms of this delay.
    fn correlation_near(&self, lag: usize) -> f32 {
        let near = self.correlation.get(lag.saturating_sub(2)..(lag + 3).min(LAGS));
        near.unwrap_or_default().iter().fold(0.0, |highest, sum| highest.max(sum.abs()))
    }

    /// Compares the spectra of what is heard and of what was played so long ago.
    fn compare(&mut self, mut path: Path) -> Voices {
        let end = PLAYED - path.lag * NARROW / LOW;
        let Some(played) = self.played.get(end - WINDOW..end) else { return Voices::Theirs };
        let (heard, played) = self.spectra.bands(&self.heard, played);
        let is_certain =
            self.weight >= ENOUGH && self.correlation_near(path.lag) > FOUND * self.weight;
        let is_new = path.frames < NEW_FRAMES;
        let above = from_db(if is_new { ABOVE_NEW_DB } else { ABOVE_DB });
        let (mut whole, mut echo, mut unexplained) = (0.0, 0.0, 0.0);
        for band in 0..BANDS {
            let (heard, played) = (heard[band], played[band]);
            let noise = self.track_noise(band, heard);
            let gain = from_db(path.gain_db[band]);
            let expected = played * gain + self.tail[band] * TAIL;
            self.tail[band] = expected;
            whole += heard;
            echo += expected;
            unexplained += (heard - (expected + noise) * above).max(0.0);
            // Of an echo that would drown in the noise nothing is learnt.
            let measured_db = to_db((heard - noise).max(1.0) / played.max(1.0));
            let by_db = measured_db - path.gain_db[band];
            let is_measured = if by_db > 0.0 {
                is_certain && heard > 2.0 * noise
            } else {
                played * gain > 2.0 * noise
            };
            if is_measured {
                let learn = match by_db > 0.0 {
                    _ if is_new => LEARN_NEW,
                    true => LEARN_UP,
                    false => LEARN_DOWN,
                };
                let step_db = learn * by_db.clamp(FARTHEST_DB[0], FARTHEST_DB[1]);
                path.gain_db[band] = (path.gain_db[band] + step_db).clamp(LOWEST_DB, HIGHEST_DB);
            }
        }
        self.share = (echo / whole.max(1.0)).min(1.0);
        path.frames = path.frames.saturating_add(1);
        self.path = Some(path);
        let is_theirs = unexplained > UNEXPLAINED * whole;
        self.theirs = (self.theirs << 1) | u32::from(is_theirs);
        let is_held = (self.theirs & HELD).count_ones() >= 2;
        if is_theirs || is_held {
            Voices::Theirs
        } else if echo < AUDIBLE * whole {
            Voices::Neither
        } else {
            Voices::Ours
        }
    }

    /// The least that a band holds, which rises slowly.
    fn track_noise(&mut self, band: usize, heard: f32) -> f32 {
        let noise = &mut self.noise[band];
        let next = if heard < *noise { 0.7 * *noise + 0.3 * heard } else { *noise * NOISE_RISE };
        *noise = next.min(LOUDEST_NOISE);
        *noise
    }

    /// Without a known path only a voice that is louder than any echo would be is believed.
    fn compare_unknown(&mut self, power: f32) -> Voices {
        let frames = self.played.chunks_exact(NARROW);
        let loudest = frames.map(|frame| dot(frame, frame)).fold(0.0, f32::max) / NARROW as f32;
        let excess_db = to_db(power.max(1.0) / loudest.max(QUIET)) - self.unknown_db;
        self.share = from_db(-excess_db).min(1.0);
        // Loud and like nothing that we played; or what we played has had the time to come back.
        if self.weight >= DISBELIEF {
            self.unknown_db -= DISBELIEF_DB;
        }
        if self.speaking_frames > REACH_FRAMES && excess_db < 0.0 {
            self.unknown_db += LEARN_NEW * excess_db;
        }
        self.unknown_db = self.unknown_db.max(LOWEST_DB);
        if excess_db > ABOVE_DB { Voices::Theirs } else { Voices::Neither }
    }
}

fn from_db(db: f32) -> f32 {
    10.0_f32.powf(db / 10.0)
}

fn to_db(power: f32) -> f32 {
    10.0 * power.log10()
}

/// A frame at 8 kHz.
fn halved(frame: &Frame) -> [f32; NARROW] {
    let (pairs, _) = frame.0.as_chunks::<2>();
    let mut narrow = [0.0; NARROW];
    for (half, pair) in narrow.iter_mut().zip(pairs) {
        *half = 0.5 * (f32::from(pair[0]) + f32::from(pair[1]));
    }
    narrow
}

/// 8 kHz to 2 kHz, where rumble is taken out and the spectrum evened a little, so that voices are
/// less alike.
struct Lowpass {
    recent: [f32; 8],
    last: f32,
}

impl Lowpass {
    const fn new() -> Self {
        Self { recent: [0.0; 8], last: 0.0 }
    }

    fn take(&mut self, narrow: &[f32; NARROW]) -> [f32; LOW] {
        let mut low = [0.0; LOW];
        let (fours, _) = narrow.as_chunks::<4>();
        for (sample, four) in low.iter_mut().zip(fours) {
            self.recent.copy_within(4.., 0);
            self.recent[4..].copy_from_slice(four);
            let [a, b, c, d, e, f, g, _] = self.recent;
            let mean = (a + 2.0 * b + 3.0 * c + 4.0 * d + 3.0 * e + 2.0 * f + g) / 16.0;
            *sample = mean - 0.8 * self.last;
            self.last = mean;
        }
        low
    }
}

#[cfg(test)]
mod tests;
