//! What single tones in a row mean: special information tones, and fax machines.

use super::steady::{Segment, Steady};

/// Three tones one after the other say that an announcement follows why the call cannot be put through
/// (ITU-T E.180/Q.35 section 4): 950, 1,400 and 1,800 Hz, 330 ms each. North America shifts them by up to
/// 50 Hz and shortens some to 274 ms, to say more.
const STEPS_HZ: [f32; 3] = [950.0, 1_400.0, 1_800.0];
const STEP_TOLERANCE_HZ: f32 = 56.0;
/// 140 to 600 ms.
const STEP_FRAMES: std::ops::RangeInclusive<u32> = 7..=30;
/// Frames between two of them: 30 ms, and what `Steady` takes to see an end.
const STEP_GAP: u32 = 8;

/// A calling fax machine (ITU-T T.30 section 4.2): 1,100 Hz within 38 Hz, 0.5 s within 15 %, each 3.5 s.
const CALLING_HZ: f32 = 1_100.0;
const CALLING_TOLERANCE_HZ: f32 = 42.0;
const CALLING_FRAMES: std::ops::RangeInclusive<u32> = 20..=30;
/// A called one (T.30 section 4.1) or a modem (V.25, V.8): 2,100 Hz within 15 Hz, 2.6 to 4 s.
const CALLED_HZ: f32 = 2_100.0;
const CALLED_TOLERANCE_HZ: f32 = 20.0;
/// 0.6 s of it are enough: no beep is so high.
const CALLED_FRAMES: u32 = 30;

/// The steps of a special information tone.
#[derive(Debug)]
pub(super) struct SpecialInformation {
    state: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Nothing,
    /// So many steps were heard, the last one so many frames ago.
    Heard {
        steps: usize,
        ago: u32,
    },
}

impl SpecialInformation {
    pub const fn new() -> Self {
        Self { state: Step::Nothing }
    }

    /// Whether the third tone is there with this frame. RT safe.
    pub fn frame(&mut self, ended: Option<&Segment>, steady: &Steady) -> bool {
        if let Step::Heard { ago, .. } = &mut self.state {
            *ago += 1;
        }
        let is_step = |segment: &Segment, step: usize| {
            segment.is_around(STEPS_HZ[step], STEP_TOLERANCE_HZ)
                && STEP_FRAMES.contains(&segment.frames)
        };
        if let Some(segment) = ended {
            let next = match self.state {
                Step::Heard { steps, ago } if ago <= STEP_GAP + segment.frames => steps,
                Step::Heard { .. } | Step::Nothing => 0,
            };
            self.state = if next < 2 && is_step(segment, next) {
                Step::Heard { steps: next + 1, ago: 0 }
            } else if is_step(segment, 0) {
                Step::Heard { steps: 1, ago: 0 }
            } else {
                Step::Nothing
            };
        }
        let Some(current) = steady.current() else { return false };
        let is_last = current.frames == *STEP_FRAMES.start() && steady.missing() == 0;
        match self.state {
            Step::Heard { steps: 2, ago } if ago <= STEP_GAP + current.frames => {
                is_last && is_step(&current, 2)
            }
            Step::Heard { .. } | Step::Nothing => false,
        }
    }
}

/// Whether a fax machine or a modem is heard. `is_first` says that nobody has spoken before: a beep
/// after a greeting may be at 1,100 Hz, too. RT safe.
pub(super) fn is_fax(ended: Option<&Segment>, steady: &Steady, is_first: bool) -> bool {
    let is_calling = |segment: &Segment| {
        segment.is_around(CALLING_HZ, CALLING_TOLERANCE_HZ)
            && CALLING_FRAMES.contains(&segment.frames)
    };
    let is_called = |segment: Segment| {
        segment.is_around(CALLED_HZ, CALLED_TOLERANCE_HZ) && segment.frames >= CALLED_FRAMES
    };
    is_first && ended.is_some_and(is_calling) || steady.current().is_some_and(is_called)
}
