//! A stage that hangs: the caller never has a dead line.

use super::*;

/// Longer than the longest silence that is promised, with the caller's own speech and end in it.
const DEAD_LINE: Duration = Duration::from_secs(9);

impl Desk {
    /// The longest silence since `from`, up to now.
    fn longest_silence(&self, from: Instant) -> Duration {
        let sounded = self.sounded.iter().copied().filter(|at| *at > from);
        let (mut last, mut longest) = (from, Duration::ZERO);
        for at in sounded.chain([self.now]) {
            longest = longest.max(at.saturating_duration_since(last));
            last = at;
        }
        longest
    }

    /// The same of another text than before.
    fn says_next(&mut self, text: &'static str) {
        self.texts.clear();
        self.says(text);
    }

    fn last_reply(&self) -> String {
        self.replies().pop().unwrap_or_default()
    }
}

#[test]
fn a_text_that_does_not_come_is_filled_given_up_and_then_the_call_goes_on_by_keys() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.engine = Engine::Slow;
    let from = desk.now;
    desk.run(500, true);
    desk.run(6_000, false);
    assert_eq!(desk.last_reply(), "One moment, please.");
    desk.run(8_000, false);
    assert!(desk.last_reply().contains("did not catch"), "{:?}", desk.replies());
    assert_eq!(desk.stalled, [Stage::Words]);
    desk.run(500, true);
    desk.run(14_000, false);
    assert!(desk.last_reply().contains("You can use the keys"), "{:?}", desk.replies());
    assert_eq!(desk.stalled, [Stage::Words; 2]);
    // Keys need no engine.
    desk.input(Input::Media(MediaEvent::Digit { digit: '2', duration: Duration::from_millis(80) }));
    desk.run(3_000, false);
    assert!(desk.last_reply().contains("Harbour Road"), "{:?}", desk.replies());
    assert!(desk.longest_silence(from) < DEAD_LINE, "{:?}", desk.longest_silence(from));
    // And nobody is kept for ever.
    desk.run(60_000, false);
    assert_eq!(desk.ending(), Some(Cause::Silence));
}

#[test]
fn words_that_come_again_are_heard_again() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.engine = Engine::Slow;
    for _ in 0..2 {
        desk.run(500, true);
        desk.run(14_000, false);
    }
    assert!(desk.last_reply().contains("You can use the keys"), "{:?}", desk.replies());
    desk.work.clear();
    desk.engine = Engine::Up;
    desk.says_next("What is your address?");
    assert!(desk.last_reply().contains("Harbour Road"), "{:?}", desk.replies());
    desk.says_next("What are your opening hours?");
    assert!(desk.last_reply().contains("8 am"), "{:?}", desk.replies());
}

#[test]
fn a_text_that_is_only_late_is_answered_after_the_filler() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.engine = Engine::Slow;
    desk.texts.push_back("What is your address?");
    desk.run(500, true);
    desk.run(7_000, false);
    assert_eq!(desk.last_reply(), "One moment, please.");
    desk.engine = Engine::Up;
    desk.run(2_000, false);
    assert!(desk.last_reply().contains("Harbour Road"), "{:?}", desk.replies());
    assert_eq!(desk.stalled, []);
}

/// What has to be spoken anew, as it has a value.
const SPOKEN: [&str; 2] = ["Track my order.", "4729"];

#[test]
fn a_voice_that_does_not_come_is_filled_and_its_place_taken_by_what_is_rendered() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.voice_takes = Duration::from_secs(3_600);
    desk.says_next(SPOKEN[0]);
    let from = desk.now;
    desk.says_next(SPOKEN[1]);
    desk.run(8_000, false);
    assert_eq!(desk.stalled, [Stage::Sound]);
    assert!(desk.longest_silence(from) < DEAD_LINE, "{:?}", desk.longest_silence(from));
    // Another one: from then on nothing is asked of the voice for a while.
    desk.says_next("no");
    desk.says_next(SPOKEN[1]);
    desk.run(10_000, false);
    let asked = desk.spoken.len();
    assert!(desk.stalled.len() >= 2, "{:?}", desk.stalled);
    desk.says_next("What is your address?");
    desk.says_next(SPOKEN[0]);
    desk.says_next(SPOKEN[1]);
    assert_eq!(desk.spoken.len(), asked, "{:?}", desk.spoken);
    assert!(desk.longest_silence(from) < DEAD_LINE, "{:?}", desk.longest_silence(from));
    assert_eq!(desk.ending(), None);
}

#[test]
fn a_voice_that_hangs_in_mid_phrase_is_filled_there_and_its_rest_replaced() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.voice_takes = Duration::from_secs(3_600);
    desk.says_next(SPOKEN[0]);
    desk.says_next(SPOKEN[1]);
    let Some((_, id)) = desk.speaking.front().copied() else { panic!("nothing is spoken") };
    let samples = Private::new(vec![5_000; 10 * FRAME_SAMPLES]);
    desk.input(Input::Work(WorkResult::Audio { id, samples }));
    desk.run(220, false);
    let (from, before) = (desk.now, desk.sounded.len());
    desk.run(2_800, false);
    assert_eq!(desk.sounded.len(), before, "the voice has a little time");
    desk.run(1_000, false);
    let filled = desk.sounded.len();
    assert!(filled > before, "a filler");
    desk.run(5_000, false);
    assert!(desk.sounded.len() > filled, "a rendered sentence");
    assert_eq!(desk.stalled, [Stage::Sound]);
    assert!(desk.longest_silence(from) < DEAD_LINE, "{:?}", desk.longest_silence(from));
}

/// Each second has packets; what is heard has this origin.
fn deaf_with(origin: Origin, seconds: u32) -> Desk {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    let mut report = media::Report::default();
    for _ in 0..seconds {
        report.received += 50;
        for _ in 0..50 {
            desk.now += Duration::from_millis(FRAME_MS);
            let score = VadScore { speech: 0.02, tonal: false, voiced: false };
            let (arrived, at, frame) = (desk.now, desk.now, Frame([0; FRAME_SAMPLES]));
            desk.input(Input::Heard(&HeardFrame { frame, score, origin, arrived, at }));
            desk.play();
            if desk.deadline.is_some_and(|at| at <= desk.now) {
                desk.input(Input::Timeout);
            }
        }
        desk.input(Input::Report(report));
    }
    desk
}

#[test]
fn who_pauses_is_heard() {
    assert_eq!(deaf_with(Origin::Pause, 8).stalled, []);
}

#[test]
fn packets_without_a_frame_of_them_lead_to_keys_and_to_goodbye() {
    let concealed = deaf_with(Origin::Concealed, 8);
    assert_eq!(concealed.stalled, [Stage::Hearing]);
    let desk = deaf_with(Origin::Nothing, 60);
    assert_eq!(desk.stalled, [Stage::Hearing]);
    assert!(desk.replies().iter().any(|said| said.contains("You can use the keys")));
    assert_eq!(desk.ending(), Some(Cause::Silence));
}

#[test]
fn what_is_never_heard_to_its_end_holds_nobody() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.texts.push_back("What is your address?");
    desk.run(500, true);
    // The audio thread takes frames and tells nothing any more.
    for _ in 0..150_000 / FRAME_MS {
        desk.now += Duration::from_millis(FRAME_MS);
        desk.run_engine();
        while desk.call.next_frame(desk.now).is_some() {}
        let score = VadScore { speech: 0.02, tonal: false, voiced: false };
        let (arrived, at) = (desk.now, desk.now);
        let frame = Frame([3; FRAME_SAMPLES]);
        desk.input(Input::Heard(&HeardFrame {
            frame,
            score,
            origin: Origin::Received,
            arrived,
            at,
        }));
        if desk.deadline.is_some_and(|at| at <= desk.now) {
            desk.input(Input::Timeout);
        }
    }
    assert!(desk.stalled.contains(&Stage::Sound), "{:?}", desk.stalled);
    assert_eq!(desk.ending(), Some(Cause::Silence));
}
