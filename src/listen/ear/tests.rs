//! The ear with scripted scores, then with the real detector in front of it.

use super::*;
use crate::base::patience::Patience;
use crate::base::pcm::samples_to_ms;
use crate::codec::g711::Law;
use crate::codec::{Resampler, signal};
use crate::listen::{Ours, Vad};

/// A score for each kind of frame.
const SPEECH: VadScore = VadScore { speech: 0.9, tonal: false, voiced: true };
const QUIET: VadScore = VadScore { speech: 0.1, tonal: false, voiced: true };
const TONE: VadScore = VadScore { speech: 0.7, tonal: true, voiced: false };

/// An ear, its clock, and all that it has said. The samples of frame `n` are all `n`.
struct Trial {
    ear: Ear,
    start: Instant,
    frames: u32,
    said: Vec<(u64, Output)>,
}

impl Trial {
    #[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
    fn new() -> Self {
        // What is tested here are the rules, at times of their own.
        let settings =
            Settings { speculate_after_ms: 100, close_complete_ms: 140, ..Settings::default() };
        let ear = Ear::new(settings);
        Self { ear, start: Instant::now(), frames: 0, said: Vec::new() }
    }

    fn now_ms(&self) -> u64 {
        u64::from(self.frames) * FRAME_MS
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn handle(&mut self, input: Input) {
        self.ear.handle(self.at(self.now_ms()), input);
        loop {
            match self.ear.poll_output() {
                Output::Timeout(_) => break,
                output => self.said.push((self.now_ms(), output)),
            }
        }
    }

    fn frame(&mut self, frame: Frame, score: VadScore, lost: bool) {
        self.frames += 1;
        self.handle(Input::Frame { frame, score, lost });
    }

    fn feed(&mut self, score: VadScore, ms: u64) {
        for _ in 0..ms / FRAME_MS {
            let frame = Frame([self.frames as i16; FRAME_SAMPLES]);
            self.frame(frame, score, false);
        }
    }

    fn hint(&mut self, thought: Completeness) {
        let (segment, revision) = self.last_decode();
        self.handle(Input::Hint { segment, revision, thought });
    }

    fn decodes(&self) -> Vec<&Transcribe> {
        let outputs = self.said.iter();
        outputs
            .filter_map(|(_, output)| match output {
                Output::Decode(request) => Some(request),
                _ => None,
            })
            .collect()
    }

    fn last_decode(&self) -> (SegmentId, u32) {
        let decodes = self.decodes();
        let last = decodes.last().expect("something was decoded");
        (last.segment, last.revision)
    }

    /// The names of what was said, with their times.
    fn told(&self) -> Vec<(u64, &'static str)> {
        self.said.iter().map(|(at, output)| (*at, name(output))).collect()
    }

    fn count(&self, wanted: &str) -> usize {
        self.said.iter().filter(|(_, output)| name(output) == wanted).count()
    }
}

fn name(output: &Output) -> &'static str {
    match output {
        Output::SpeechStarted { .. } => "started",
        Output::Decode(_) => "decode",
        Output::Resumed { .. } => "resumed",
        Output::Cut { .. } => "cut",
        Output::Closed { .. } => "closed",
        Output::Dismissed { .. } => "dismissed",
        Output::Timeout(_) => "timeout",
    }
}

#[test]
fn a_pause_closes_or_resumes_by_its_length_the_thought_and_the_question() {
    use Completeness::{Complete, Doubtful, Incomplete, Probable, Unclear, Unknown};
    use Expectation::{Anything, Digits, YesNo};
    // What is known 80 ms after the decode was asked for, what was asked, the question's own
    // patience, and the longest pause that the caller may make without losing the floor.
    let table = [
        (Complete, Anything, None, 160),
        (Complete, Digits, None, 160),
        (Complete, YesNo, None, 160),
        (Probable, Anything, None, 280),
        (Probable, Digits, None, 280),
        (Unknown, YesNo, None, 280),
        (Unknown, Anything, None, 480),
        (Unknown, Digits, None, 780),
        (Unclear, Anything, None, 280),
        (Unclear, YesNo, None, 280),
        (Unclear, Digits, None, 780),
        (Unclear, Anything, Some(1_000), 980),
        (Doubtful, Anything, None, 880),
        (Doubtful, YesNo, None, 880),
        (Incomplete, Anything, None, 1_480),
        (Incomplete, YesNo, None, 1_480),
        (Incomplete, Digits, None, 1_480),
        (Complete, Anything, Some(1_000), 160),
        (Probable, Digits, Some(1_000), 280),
        (Unknown, Anything, Some(1_000), 980),
        (Unknown, Digits, Some(400), 380),
        (Incomplete, Anything, Some(1_000), 1_480),
        (Incomplete, Digits, Some(1_600), 1_580),
        (Unknown, Anything, Some(60_000), limits::PAUSE_MS - 20),
    ];
    let unknown = table.map(|(thought, answer, own_ms, longest_ms)| {
        (thought, answer, Patience { unknown_ms: own_ms, ..Patience::default() }, longest_ms)
    });
    let each = Patience {
        complete_ms: Some(300),
        probable_ms: Some(400),
        unknown_ms: Some(600),
        doubtful_ms: Some(700),
        incomplete_ms: Some(1_000),
    };
    let own = [
        (Complete, Anything, each, 280),
        (Probable, Digits, each, 380),
        (Unknown, Digits, each, 580),
        (Doubtful, YesNo, each, 680),
        (Incomplete, Digits, each, 980),
    ];
    for (thought, answer, patience, longest_ms) in unknown.into_iter().chain(own) {
        let awaited = Awaited { answer, patience };
        for pause_ms in (120..=2_200).step_by(20) {
            let mut trial = Trial::new();
            trial.handle(Input::Expect(awaited));
            trial.feed(QUIET, 500);
            trial.feed(SPEECH, 600);
            let text_after_ms = pause_ms.min(180);
            trial.feed(QUIET, text_after_ms);
            if text_after_ms == 180 {
                trial.hint(thought);
            }
            trial.feed(QUIET, pause_ms - text_after_ms);
            trial.feed(SPEECH, 400);
            let label = format!("{thought:?} {awaited:?} {pause_ms} ms: {:?}", trial.told());
            let goes_on = pause_ms <= longest_ms;
            assert_eq!(trial.count("closed"), usize::from(!goes_on), "{label}");
            assert_eq!(trial.count("resumed"), usize::from(goes_on), "{label}");
            assert_eq!(trial.count("started"), if goes_on { 1 } else { 2 }, "{label}");
        }
    }
}

/// How long the ear waits in this trial for the end of a new utterance, milliseconds.
fn wait_of(trial: &mut Trial, thought: Completeness) -> u64 {
    trial.feed(QUIET, 3_000);
    trial.feed(SPEECH, 600);
    trial.feed(QUIET, 180);
    let (before, from) = (trial.count("closed"), trial.now_ms());
    trial.hint(thought);
    while trial.count("closed") == before {
        trial.feed(QUIET, FRAME_MS);
    }
    180 + trial.now_ms() - from
}

#[test]
fn a_caller_who_paused_and_went_on_is_waited_for_longer_where_more_may_come() {
    use Completeness::{Complete, Incomplete, Probable, Unknown};
    let mut trial = Trial::new();
    assert_eq!(wait_of(&mut trial, Unknown), 500);
    trial.feed(QUIET, 3_000);
    trial.feed(SPEECH, 600);
    trial.feed(QUIET, 180);
    trial.hint(Incomplete);
    trial.feed(QUIET, 620);
    trial.feed(SPEECH, 600);
    trial.feed(QUIET, 180);
    trial.hint(Complete);
    assert_eq!(trial.count("closed"), 2, "a pause of 800 ms was within the second");
    let after = [Complete, Probable, Unknown, Incomplete].map(|t| wait_of(&mut trial, t));
    // Of the 800 ms an eighth is forgotten with each utterance; a quarter more is waited for.
    assert_eq!(after, [180, 300, 680, 1_500]);
    trial.ear.reset();
    assert_eq!(wait_of(&mut trial, Unknown), 500, "another call, another caller");
}

#[test]
fn who_goes_on_right_after_the_end_was_cut_off_and_is_not_again() {
    use Completeness::{Complete, Unknown};
    for (rest_after_ms, expected_ms) in [(420, 660), (800, 500)] {
        let mut trial = Trial::new();
        trial.feed(SPEECH, 600);
        trial.feed(QUIET, 180);
        trial.hint(Complete);
        trial.feed(QUIET, rest_after_ms);
        trial.feed(SPEECH, 600);
        trial.feed(QUIET, 1_000);
        // The pause was of so long and 180 ms. An eighth is forgotten, a quarter more is waited for, in
        // whole frames.
        assert_eq!(wait_of(&mut trial, Unknown), expected_ms, "{rest_after_ms}");
    }
}

#[test]
fn an_utterance_is_told_in_order_with_exact_times() {
    let mut trial = Trial::new();
    trial.feed(QUIET, 1_000);
    trial.feed(SPEECH, 600);
    trial.feed(QUIET, 120);
    trial.hint(Completeness::Complete);
    trial.feed(QUIET, 200);
    let started = Output::SpeechStarted { segment: SegmentId(1), at: trial.at(1_000) };
    assert_eq!(trial.said[0], (1_080, started));
    assert_eq!(trial.told()[1..], [(1_700, "decode"), (1_740, "closed")]);
    let closed = Output::Closed {
        segment: SegmentId(1),
        revision: 1,
        speech_ms: 600,
        ended_at: trial.at(1_600),
        is_endless: false,
    };
    assert_eq!(trial.said[2].1, closed);
    // 200 ms before the first speech, the speech, 100 ms after it.
    let audio = &trial.decodes()[0].audio;
    assert_eq!(audio.len(), ms_to_samples(900));
    assert_eq!((audio[0], audio[audio.len() - 1]), (40, 84));
}

#[test]
fn a_late_hint_closes_at_once_and_a_stale_one_does_nothing() {
    let mut trial = Trial::new();
    trial.feed(QUIET, 300);
    trial.feed(SPEECH, 400);
    trial.feed(QUIET, 300);
    let (segment, revision) = trial.last_decode();
    trial.feed(SPEECH, 200);
    trial.feed(QUIET, 300);
    trial.handle(Input::Hint { segment, revision, thought: Completeness::Complete });
    assert_eq!(trial.count("closed"), 0);
    trial.hint(Completeness::Complete);
    assert_eq!(trial.told().last(), Some(&(1_500, "closed")));
    assert_eq!(trial.last_decode().1, 2);
}

#[test]
fn a_question_for_one_word_shortens_a_pause_that_has_begun() {
    let mut trial = Trial::new();
    trial.feed(SPEECH, 400);
    trial.feed(QUIET, 400);
    assert_eq!(trial.count("closed"), 0);
    trial.handle(Input::Expect(Expectation::YesNo.into()));
    assert_eq!(trial.count("closed"), 1);
}

#[test]
fn the_first_syllable_is_kept_even_at_the_very_start_of_the_call() {
    for lead_ms in [0, 20, 100, 200, 400, 3_000] {
        let mut trial = Trial::new();
        trial.feed(QUIET, lead_ms);
        trial.feed(SPEECH, 300);
        trial.feed(QUIET, 120);
        let first = i64::from(trial.decodes()[0].audio[0]);
        let expected = (lead_ms / FRAME_MS) as i64 - 10;
        assert_eq!(first, expected.max(0), "{lead_ms}");
    }
    // A first syllable whose score hesitates: every frame of it is there.
    let mut trial = Trial::new();
    trial.feed(QUIET, 600);
    for score in [SPEECH, QUIET, SPEECH, QUIET, SPEECH, SPEECH, SPEECH] {
        trial.feed(score, 20);
    }
    trial.feed(SPEECH, 100);
    trial.feed(QUIET, 120);
    assert_eq!(trial.decodes()[0].audio[0], 30 - 10);
}

#[test]
fn short_answers_count_and_clicks_do_not() {
    // Speech, and what comes of it.
    let table: [(u64, &[&str]); 6] = [
        (20, &[]),
        (60, &[]),
        (80, &["started", "dismissed"]),
        (100, &["started", "decode", "closed"]),
        (160, &["started", "decode", "closed"]),
        (300, &["started", "decode", "closed"]),
    ];
    for (speech_ms, expected) in table {
        let mut trial = Trial::new();
        trial.feed(QUIET, 500);
        trial.feed(SPEECH, speech_ms);
        trial.feed(QUIET, 1_000);
        let names: Vec<_> = trial.told().iter().map(|(_, name)| *name).collect();
        assert_eq!(names, expected, "{speech_ms} ms");
    }
}

#[test]
fn a_click_in_a_pause_neither_resumes_nor_prolongs_it_for_ever() {
    let mut trial = Trial::new();
    trial.feed(SPEECH, 400);
    trial.feed(QUIET, 200);
    trial.feed(SPEECH, 40);
    trial.feed(QUIET, 500);
    assert_eq!(trial.count("resumed"), 0);
    assert_eq!(trial.told().last(), Some(&(900, "closed")));
    // A click at the very end of the pause is waited for, and speech after it resumes.
    let mut trial = Trial::new();
    trial.feed(SPEECH, 400);
    trial.feed(QUIET, 460);
    trial.feed(SPEECH, 200);
    assert_eq!((trial.count("closed"), trial.count("resumed")), (0, 1));
    // Ticking is not speech and the utterance ends.
    let mut trial = Trial::new();
    trial.feed(SPEECH, 400);
    for _ in 0..50 {
        trial.feed(QUIET, 20);
        trial.feed(SPEECH, 20);
    }
    assert_eq!(trial.told().iter().find(|(_, name)| *name == "closed"), Some(&(1_200, "closed")));
}

#[test]
fn no_frame_is_heard_in_two_utterances() {
    let mut trial = Trial::new();
    trial.feed(SPEECH, 400);
    trial.feed(QUIET, 120);
    trial.hint(Completeness::Complete);
    trial.feed(QUIET, 60);
    trial.feed(SPEECH, 400);
    trial.feed(QUIET, 600);
    let decodes = trial.decodes();
    let (first, second) = (&decodes[0].audio, &decodes[1].audio);
    assert_eq!(decodes[1].segment, SegmentId(2));
    // The silence between may be in both; the speech, frames 0 to 19, is in the first alone.
    assert!(second[0] >= 20, "{}", second[0]);
    assert!(first[first.len() - 1] < 29);
    assert_eq!(trial.count("closed"), 2);
}

#[test]
fn a_long_utterance_is_cut_at_its_quiet_points_without_losing_a_sample() {
    let mut trial = Trial::new();
    trial.feed(QUIET, 400);
    let total_ms = 27_000;
    for n in 0..(total_ms / FRAME_MS) as i16 {
        // Loud, but for 60 ms at 9 and at 18 seconds; the low bits tell the place.
        let is_quiet = (450..453).contains(&n) || (900..903).contains(&n);
        let mark = if is_quiet { n % 16 } else { 16_000 + n };
        trial.frame(Frame([mark; FRAME_SAMPLES]), SPEECH, false);
    }
    trial.feed(QUIET, 600);
    let finals: Vec<Vec<i16>> = (1..=3)
        .map(|segment| {
            let decodes = trial.decodes();
            let of_segment = decodes.iter().rfind(|d| d.segment == SegmentId(segment));
            of_segment.expect("each segment is decoded").audio.clone()
        })
        .collect();
    assert_eq!(finals[0].len(), ms_to_samples(200 + 9_000 + 30));
    assert!(finals[1].len().abs_diff(ms_to_samples(9_000)) <= FRAME_SAMPLES);
    assert!(finals.iter().all(|audio| samples_to_ms(audio.len()) <= limits::UTTERANCE_MS));
    let whole = finals.concat();
    assert_eq!(samples_to_ms(whole.len()), 200 + total_ms + 100);
    let speech = &whole[ms_to_samples(200)..];
    for n in 0..(total_ms / FRAME_MS) as usize {
        let sample = speech[n * FRAME_SAMPLES + 7];
        assert!(sample == 16_000 + n as i16 || sample == n as i16 % 16, "frame {n}: {sample}");
    }
    assert_eq!(trial.count("cut"), 2);
    let Some((_, Output::Closed { segment, revision, speech_ms, .. })) = trial.said.last() else {
        panic!("{:?}", trial.told());
    };
    assert_eq!((*segment, *revision, *speech_ms), (SegmentId(3), 1, total_ms));
}

#[test]
fn lost_frames_do_not_end_an_utterance_unless_there_are_many() {
    let mut trial = Trial::new();
    trial.feed(SPEECH, 300);
    for _ in 0..3 {
        trial.frame(Frame::SILENCE, QUIET, true);
    }
    trial.feed(SPEECH, 200);
    trial.feed(QUIET, 100);
    assert_eq!(trial.told()[1..], [(660, "decode")]);
    let mut trial = Trial::new();
    trial.feed(SPEECH, 300);
    for _ in 0..60 {
        trial.frame(Frame::SILENCE, SPEECH, true);
    }
    assert_eq!(trial.count("closed"), 1);
}

#[test]
fn tones_do_not_start_an_utterance_but_a_held_vowel_does_not_end_one() {
    let mut trial = Trial::new();
    for _ in 0..20 {
        // A gated beep: the detector believes its edges.
        trial.feed(SPEECH, 60);
        trial.feed(TONE, 60);
        trial.feed(SPEECH, 100);
        trial.feed(QUIET, 100);
    }
    assert_eq!(trial.told(), []);
    trial.feed(SPEECH, 200);
    trial.feed(TONE, 260);
    trial.feed(SPEECH, 100);
    trial.feed(QUIET, 100);
    let names: Vec<_> = trial.told().iter().map(|(_, name)| *name).collect();
    assert_eq!(names, ["started", "decode"]);
    // The busy tone after the caller has hung up ends what he said.
    let mut trial = Trial::new();
    trial.feed(SPEECH, 400);
    trial.feed(TONE, 1_000);
    assert_eq!(trial.count("closed"), 1);
}

#[test]
fn when_frames_stop_the_utterance_is_closed_with_what_there_is() {
    for pause_ms in [0, 60, 200] {
        let mut trial = Trial::new();
        trial.feed(SPEECH, 400);
        trial.feed(QUIET, pause_ms);
        let deadline = trial.at(trial.now_ms() + 1_000);
        assert_eq!(trial.ear.poll_output(), Output::Timeout(Some(deadline)));
        trial.ear.handle(deadline - Duration::from_millis(1), Input::Timeout);
        assert_eq!(trial.ear.poll_output(), Output::Timeout(Some(deadline)));
        trial.ear.handle(deadline, Input::Timeout);
        trial.handle(Input::Timeout);
        let names: Vec<_> = trial.told().iter().map(|(_, name)| *name).collect();
        assert_eq!(names, ["started", "decode", "closed"], "{pause_ms}");
        assert_eq!(trial.ear.poll_output(), Output::Timeout(None));
    }
}

/// Any order of scores gives a story that makes sense.
#[test]
fn random_scores_never_break_the_order_of_outputs() {
    let mut state = 7_u32;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let mut trial = Trial::new();
    for _ in 0..1_500 {
        let scores = [SPEECH, SPEECH, QUIET, QUIET, TONE];
        let (score, ms) = (scores[random(5) as usize], u64::from(random(40)) * FRAME_MS);
        let is_long = random(20) == 0;
        trial.feed(score, if is_long { ms * 20 } else { ms });
        match random(12) {
            0 => trial.handle(Input::Expect(Expectation::Digits.into())),
            1 => {
                let pause_ms = Some(u64::from(random(3_000)));
                let patience = Patience { unknown_ms: pause_ms, ..Patience::default() };
                trial.handle(Input::Expect(Awaited { answer: Expectation::Anything, patience }));
            }
            2 if !trial.decodes().is_empty() => trial.hint(Completeness::Complete),
            3 if !trial.decodes().is_empty() => trial.hint(Completeness::Incomplete),
            5 => trial.frame(Frame::SILENCE, SPEECH, true),
            _ => {}
        }
    }
    let mut open: Option<SegmentId> = None;
    let (mut revision, mut decoded_now) = (0, false);
    for (_, output) in &trial.said {
        match output {
            Output::SpeechStarted { segment, .. } => {
                assert_eq!(open.replace(*segment), None);
                (revision, decoded_now) = (0, false);
            }
            Output::Decode(request) => {
                assert_eq!(open, Some(request.segment));
                assert_eq!(request.revision, revision + 1);
                assert!(samples_to_ms(request.audio.len()) <= limits::UTTERANCE_MS);
                (revision, decoded_now) = (request.revision, true);
            }
            Output::Resumed { segment, .. } => {
                assert_eq!((open, decoded_now), (Some(*segment), true));
                decoded_now = false;
            }
            Output::Cut { segment, revision: last, next } => {
                assert_eq!((open, revision), (Some(*segment), *last));
                open = Some(*next);
                (revision, decoded_now) = (0, false);
            }
            Output::Closed { segment, revision: last, .. } => {
                assert_eq!((open.take(), revision, decoded_now), (Some(*segment), *last, true));
            }
            Output::Dismissed { segment } => assert_eq!(open.take(), Some(*segment)),
            Output::Timeout(_) => unreachable!("not kept"),
        }
    }
    assert!(trial.count("closed") > 100 && trial.count("cut") > 3, "{:?}", trial.told().len());
}

/// 16 kHz sound as it comes through a telephone line.
fn through_the_telephone(pcm: &[i16]) -> Vec<i16> {
    let (mut down, mut up) = (Resampler::new(16_000, 8_000), Resampler::new(8_000, 16_000));
    let mut line = vec![0; down.max_output(pcm.len())];
    let samples = down.process(pcm, &mut line);
    for sample in &mut line {
        *sample = Law::Mu.decode(Law::Mu.encode(*sample));
    }
    let mut heard = vec![0; up.max_output(samples)];
    up.process(&line[..samples], &mut heard);
    heard
}

fn listen(pcm: &[i16]) -> Trial {
    let (mut trial, mut vad) = (Trial::new(), Vad::new());
    for samples in through_the_telephone(pcm).as_chunks::<FRAME_SAMPLES>().0 {
        let frame = Frame(*samples);
        let score = vad.score(&frame, Ours::NONE);
        trial.frame(frame, score, false);
    }
    trial
}

#[test]
fn voices_are_heard_whole_and_end_when_they_end() {
    for pitch_hz in [95.0, 120.0, 180.0, 240.0] {
        let mut pcm = signal::noise(ms_to_samples(1_000), 30.0);
        pcm.extend(signal::speech_at(16_000, ms_to_samples(1_600), pitch_hz));
        pcm.extend(signal::noise(ms_to_samples(1_000), 30.0));
        let trial = listen(&pcm);
        let names: Vec<_> = trial.told().iter().map(|(_, name)| *name).collect();
        assert_eq!(names, ["started", "decode", "closed"], "{pitch_hz} Hz");
        let Output::Closed { speech_ms, ended_at, .. } = &trial.said[2].1 else { panic!() };
        assert!((1_300..=1_720).contains(speech_ms), "{pitch_hz} Hz: {speech_ms} ms");
        let ended_ms = ended_at.duration_since(trial.start).as_millis() as u64;
        assert!(ended_ms.abs_diff(2_600) <= 80, "{pitch_hz} Hz: {ended_ms}");
        assert!(trial.decodes()[0].audio.len() >= ms_to_samples(1_800));
    }
}

#[test]
fn no_tone_and_no_noise_starts_an_utterance() {
    let tones: [(&str, &[f32]); 10] = [
        ("DTMF 1", &[697.0, 1_209.0]),
        ("DTMF 5", &[770.0, 1_336.0]),
        ("DTMF D", &[941.0, 1_633.0]),
        ("ringback, America", &[440.0, 480.0]),
        ("busy, America", &[480.0, 620.0]),
        ("dial tone, America", &[350.0, 440.0]),
        ("ringback, Europe", &[425.0]),
        ("message beep", &[1_000.0]),
        ("fax calling", &[1_100.0]),
        ("fax answering", &[2_100.0]),
    ];
    for (label, hz) in tones {
        for peak in [8_000.0, 1_000.0] {
            // Short beeps, longer ones, then the tone for good.
            let mut pcm = signal::tones(16_000, ms_to_samples(1_800), hz, peak);
            for (n, sample) in pcm.iter_mut().enumerate() {
                let gate_ms = if n < ms_to_samples(600) { 60 } else { 100 };
                let is_off = (n / ms_to_samples(gate_ms)) % 2 == 1;
                *sample = if is_off && n < ms_to_samples(1_200) { 0 } else { *sample };
            }
            assert_eq!(listen(&pcm).told(), [], "{label}, {peak}");
        }
    }
    for peak in [10.0, 100.0, 1_000.0] {
        let told = listen(&signal::noise(ms_to_samples(2_000), peak)).told();
        assert_eq!(told, [], "noise of {peak}");
    }
}

#[test]
fn a_voice_is_three_periodic_frames_wherever_they_are() {
    const BREATH: VadScore = VadScore { voiced: false, ..SPEECH };
    let table: [(&[(VadScore, u64)], bool); 5] = [
        (&[(SPEECH, 60), (BREATH, 340)], true),
        (&[(BREATH, 340), (SPEECH, 60)], true),
        (&[(BREATH, 200), (QUIET, 140), (SPEECH, 60), (BREATH, 100)], true),
        (&[(BREATH, 180), (SPEECH, 40), (BREATH, 180)], false),
        (&[(BREATH, 1_000)], false),
    ];
    for (index, (pieces, is_voiced)) in table.into_iter().enumerate() {
        let mut trial = Trial::new();
        trial.feed(QUIET, 400);
        for (score, ms) in pieces {
            trial.feed(*score, *ms);
        }
        trial.feed(QUIET, 400);
        let last = trial.decodes().pop().unwrap();
        assert_eq!(last.evidence.is_voiced, is_voiced, "case {index}");
    }
}

#[test]
fn a_click_before_a_word_is_no_pause_of_the_caller() {
    let mut trial = Trial::new();
    trial.feed(QUIET, 400);
    trial.feed(SPEECH, 80);
    trial.feed(QUIET, 560);
    trial.feed(SPEECH, 600);
    trial.feed(QUIET, 3_000);
    assert_eq!((trial.count("dismissed"), trial.count("closed")), (1, 1));
    assert_eq!(wait_of(&mut trial, Completeness::Unknown), 500);
}

#[test]
fn speech_without_an_end_is_closed_and_the_next_begins_anew() {
    let mut trial = Trial::new();
    trial.feed(QUIET, 400);
    trial.feed(SPEECH, limits::TURN_MS + 2_000);
    let closed = trial.said.iter().find_map(|(at_ms, output)| match output {
        Output::Closed { is_endless, revision, .. } => Some((*at_ms, *is_endless, *revision)),
        _ => None,
    });
    assert_eq!(closed, Some((400 + limits::TURN_MS, true, 1)));
    assert_eq!(trial.count("started"), 2);
    let decoded: usize = trial.decodes().iter().map(|decode| decode.audio.len()).sum();
    assert!(decoded >= ms_to_samples(limits::TURN_MS - 200), "{decoded} samples");
    trial.feed(QUIET, 3_000);
    assert_eq!(trial.count("closed"), 2);
}
