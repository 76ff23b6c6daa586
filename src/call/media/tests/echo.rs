//! Our own sound that a telephone sends back, through both ends' codecs and jitter buffers.

use std::collections::VecDeque;

use super::line::{A, B, Kept, SETTINGS, TICK, address, plan};
use super::*;

/// Bursts of noise, as long as syllables, at about -20 dBFS.
struct Bursts {
    state: u32,
    frames: u32,
}

impl Playout for Bursts {
    fn next(&mut self, out: &mut Frame) -> Played {
        self.frames += 1;
        for sample in &mut out.0 {
            self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (self.state >> 16) as i16 / 6;
        }
        if self.frames % 11 < 8 { Played::Voice(UtteranceId(1)) } else { silent(out) }
    }
}

fn silent(out: &mut Frame) -> Played {
    *out = Frame::SILENCE;
    Played::Nothing
}

/// Says what it is given.
struct Mouth(Frame);

impl Playout for Mouth {
    fn next(&mut self, out: &mut Frame) -> Played {
        *out = self.0;
        Played::Voice(UtteranceId(1))
    }
}

/// Levels of what we hear in the last second of three: our own at -12 dB, so many ticks late, or
/// the caller's.
fn heard_dbfs(late: usize, is_echo: bool) -> Vec<f32> {
    let start = Instant::now();
    let mut ours = Media::new(SETTINGS, Entropy::new([1; 32]));
    let mut phone = Media::new(SETTINGS, Entropy::new([2; 32]));
    ours.start(start, &plan(Codec::Pcmu, 20, B));
    phone.start(start, &plan(Codec::Pcmu, 20, A));
    let mut on_the_way = VecDeque::from(vec![Frame::SILENCE; late]);
    let (mut voice, mut caller) = (Bursts { state: 1, frames: 0 }, Bursts { state: 9, frames: 5 });
    let mut levels = Vec::new();
    for tick in 0..150 {
        let moment = Moment { now: start + TICK * tick, ntp: 0 };
        let (mut kept, mut returned) = (Kept::default(), Kept::default());
        ours.tick(moment, &mut voice, &mut kept);
        for (path, _, bytes) in &kept.out {
            let from = address(A);
            let datagram = Datagram { path: *path, from, arrived: moment.now, bytes };
            phone.handle_datagram(datagram, &mut Kept::default());
        }
        let mut said = on_the_way.pop_front().unwrap_or(Frame::SILENCE);
        if !is_echo {
            caller.next(&mut said);
        }
        said.0.iter_mut().for_each(|sample| *sample /= 4);
        phone.tick(moment, &mut Mouth(said), &mut returned);
        on_the_way.push_back(returned.heard.last().map_or(Frame::SILENCE, |heard| heard.frame));
        for (path, _, bytes) in &returned.out {
            let datagram = Datagram { path: *path, from: address(B), arrived: moment.now, bytes };
            ours.handle_datagram(datagram, &mut Kept::default());
        }
        if tick >= 100 {
            levels.extend(kept.heard.iter().map(|heard| heard.frame.level_dbfs()));
        }
    }
    levels
}

#[test]
fn our_own_sound_that_comes_back_is_lowered_and_the_callers_is_not() {
    for late in [2, 7, 14] {
        let echo = heard_dbfs(late, true);
        let loud = echo.iter().filter(|level| **level > -45.0).count();
        assert!(loud <= 5, "{late} ticks late: {echo:?}");
    }
    let theirs = heard_dbfs(2, false);
    assert!(theirs.iter().filter(|level| **level > -40.0).count() > 25, "{theirs:?}");
}
