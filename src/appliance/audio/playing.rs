//! The playout ring of a place as its media's source of sound: fade, silencing, ends of utterances.
//!
//! Invariant: one tick has one end at most, and while an end could not be told nothing is taken from
//! the ring, so that every utterance's end reaches the net thread, in their order.

use std::sync::atomic::{AtomicU32, Ordering};

use rtrb::Consumer;

use crate::appliance::rings::AudioEventKind;
use crate::base::UtteranceId;
use crate::base::pcm::Frame;
use crate::call::media::{Played, Playout, fade};
use crate::speak::PlayoutFrame;

/// Frames over which a silenced utterance fades: 40 ms.
const FADE_FRAMES: u32 = 2;

/// How far the utterance that is being played has come.
#[derive(Debug, Default)]
pub(super) struct Voice {
    speaking: Option<Speaking>,
    /// An end for which there was no room in the ring of events.
    pub(super) untold: Option<AudioEventKind>,
}

#[derive(Clone, Copy, Debug)]
struct Speaking {
    utterance: UtteranceId,
    frames: u32,
    /// Frames of the fade that have been played.
    faded: u32,
}

/// The playout ring as a source of sound, with fade and silencing.
pub(super) struct Source<'a> {
    pub(super) voice: &'a mut Voice,
    pub(super) ring: &'a mut Consumer<PlayoutFrame>,
    pub(super) silenced: &'a AtomicU32,
}

impl Playout for Source<'_> {
    fn next(&mut self, out: &mut Frame) -> Played {
        if self.voice.untold.is_some() {
            return Played::Nothing;
        }
        let silenced = UtteranceId(self.silenced.load(Ordering::Acquire));
        self.discard(silenced);
        match self.voice.speaking {
            Some(speaking) if speaking.utterance <= silenced => {
                self.fade_out(speaking, silenced, out)
            }
            // One tick tells of one end.
            _ if self.voice.untold.is_some() => Played::Nothing,
            _ => self.speak(out),
        }
    }
}

impl Source<'_> {
    /// Throws away silenced frames, but for those that the fade still needs. Without a fade that
    /// tells of it later, the end is told now.
    fn discard(&mut self, silenced: UtteranceId) {
        let fading = self.voice.speaking.filter(|s| s.utterance <= silenced).map(|s| s.utterance);
        while let Ok(waiting) = self.ring.peek() {
            let utterance = waiting.utterance;
            if utterance > silenced || Some(utterance) == fading {
                return;
            }
            let _ = self.ring.pop();
            if fading.is_none() {
                let through = silenced;
                self.voice.untold =
                    Some(AudioEventKind::Silenced { through, utterance, frames: 0 });
            }
        }
    }

    fn speak(&mut self, out: &mut Frame) -> Played {
        let Ok(next) = self.ring.pop() else { return Played::Nothing };
        *out = next.frame;
        let frames = match self.voice.speaking {
            Some(speaking) if speaking.utterance == next.utterance => speaking.frames + 1,
            _ => 1,
        };
        self.voice.speaking = Some(Speaking { utterance: next.utterance, frames, faded: 0 });
        if next.last {
            self.voice.speaking = None;
            self.voice.untold = Some(AudioEventKind::Finished { utterance: next.utterance });
        }
        Played::Voice(next.utterance)
    }

    fn fade_out(
        &mut self,
        mut speaking: Speaking,
        silenced: UtteranceId,
        out: &mut Frame,
    ) -> Played {
        let utterance = speaking.utterance;
        let own = self.ring.peek().ok().filter(|next| next.utterance == utterance).copied();
        if let Some(next) = own.filter(|_| speaking.faded < FADE_FRAMES) {
            let _ = self.ring.pop();
            *out = next.frame;
            let level = |done: u32| 1.0 - done as f32 / FADE_FRAMES as f32;
            fade(out, level(speaking.faded), level(speaking.faded + 1));
            speaking.faded += 1;
            speaking.frames += 1;
            self.voice.speaking = Some(speaking);
            return Played::Voice(utterance);
        }
        self.voice.speaking = None;
        self.discard(silenced);
        let (through, frames) = (silenced, speaking.frames);
        self.voice.untold = Some(AudioEventKind::Silenced { through, utterance, frames });
        // The tick in which a fade ends belongs to the next utterance already, unless that ends
        // with it: one tick tells of one end.
        match self.ring.peek() {
            Ok(next) if !next.last => self.speak(out),
            _ => Played::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtrb::{Producer, RingBuffer};

    fn frame(utterance: u32, last: bool) -> PlayoutFrame {
        let frame = Frame([1_000; crate::base::pcm::FRAME_SAMPLES]);
        PlayoutFrame { utterance: UtteranceId(utterance), frame, last }
    }

    struct Line {
        producer: Producer<PlayoutFrame>,
        ring: Consumer<PlayoutFrame>,
        voice: Voice,
        silenced: AtomicU32,
    }

    impl Line {
        fn with(frames: &[PlayoutFrame]) -> Self {
            let (mut producer, ring) = RingBuffer::new(16);
            frames.iter().for_each(|f| producer.push(*f).unwrap());
            Self { producer, ring, voice: Voice::default(), silenced: AtomicU32::new(0) }
        }

        fn tick(&mut self) -> (Played, i16, Option<AudioEventKind>) {
            let mut out = Frame::SILENCE;
            let mut source =
                Source { voice: &mut self.voice, ring: &mut self.ring, silenced: &self.silenced };
            let played = source.next(&mut out);
            (played, out.0[319], self.voice.untold.take())
        }
    }

    #[test]
    fn an_utterance_is_finished_with_its_last_frame() {
        let mut line = Line::with(&[frame(1, false), frame(1, true)]);
        assert!(matches!(line.tick(), (Played::Voice(UtteranceId(1)), 1_000, None)));
        let (_, _, ended) = line.tick();
        assert!(matches!(ended, Some(AudioEventKind::Finished { utterance: UtteranceId(1) })));
        assert!(matches!(line.tick(), (Played::Nothing, 0, None)));
    }

    #[test]
    fn a_silenced_utterance_fades_within_40_ms_and_the_next_one_follows() {
        let mut frames = vec![frame(1, false); 8];
        frames.extend([frame(2, false), frame(2, true)]);
        let mut line = Line::with(&frames);
        line.tick();
        line.silenced.store(1, Ordering::Release);
        let (_, half, _) = line.tick();
        assert!((400..=600).contains(&half), "{half}");
        let (_, end, _) = line.tick();
        assert!(end.abs() < 20, "{end}");
        let (played, _, ended) = line.tick();
        assert_eq!(played, Played::Voice(UtteranceId(2)));
        assert!(matches!(
            ended,
            Some(AudioEventKind::Silenced { utterance: UtteranceId(1), frames: 3, .. })
        ));
    }

    #[test]
    fn frames_of_a_silenced_utterance_that_come_late_are_never_heard() {
        let mut line = Line::with(&[]);
        line.silenced.store(4, Ordering::Release);
        line.producer.push(frame(4, false)).unwrap();
        line.producer.push(frame(5, true)).unwrap();
        let (played, _, ended) = line.tick();
        assert_eq!(played, Played::Nothing);
        assert!(matches!(ended, Some(AudioEventKind::Silenced { frames: 0, .. })));
        let (played, _, ended) = line.tick();
        assert_eq!(played, Played::Voice(UtteranceId(5)));
        assert!(matches!(ended, Some(AudioEventKind::Finished { utterance: UtteranceId(5) })));
    }

    #[test]
    fn a_voice_that_ran_dry_is_silenced_without_a_fade() {
        let mut line = Line::with(&[frame(1, false)]);
        line.tick();
        line.silenced.store(1, Ordering::Release);
        let (played, _, ended) = line.tick();
        assert_eq!(played, Played::Nothing);
        assert!(matches!(ended, Some(AudioEventKind::Silenced { frames: 1, .. })));
    }
}
