//! A message after the tone: who hears what, when it ends, and what follows.

use super::*;

fn playbook(then: &str) -> Playbook {
    let text = Playbook::logistics().source().replace("then = \"hang_up\"", then);
    Playbook::parse(&text).unwrap()
}

/// The caller has asked for the tape and is told of the tone.
fn desk_with(then: &str) -> Desk {
    let settings = Settings { tongues: Tongues::only(playbook(then)), ..settings() };
    let mut desk = Desk::take(&settings, Some(OFFER)).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.run(1_000, false);
    desk.press('8');
    desk.run(3_000, false);
    desk
}

fn desk() -> Desk {
    desk_with("then = \"hang_up\"")
}

impl Desk {
    pub(super) fn press(&mut self, digit: char) {
        let duration = Duration::from_millis(100);
        self.input(Input::Media(MediaEvent::DigitBegun));
        self.input(Input::Media(MediaEvent::Digit { digit, duration }));
    }

    fn begun(&self) -> bool {
        matches!(self.tapes.first(), Some(Tape::Begin(_)))
    }

    fn taped(&self) -> usize {
        self.tapes.iter().filter(|tape| matches!(tape, Tape::Sound(_))).count()
    }

    fn tape_end(&self) -> Option<bool> {
        self.tapes.iter().find_map(|tape| match tape {
            Tape::End { is_spoken } => Some(*is_spoken),
            _ => None,
        })
    }

    /// The tone was heard to its end.
    pub(super) fn hears_the_tone(&mut self) {
        self.input(Input::Tape(TapeNews::Ready));
        self.run(460, false);
    }

    fn said(&self, words: &str) -> bool {
        self.replies().iter().any(|reply| reply.contains(words))
    }
}

#[test]
fn the_tape_runs_after_announcement_and_tone_and_ends_with_silence() {
    let mut desk = desk();
    assert!(desk.begun() && desk.said("after the tone"), "{:?}", desk.replies());
    desk.run(200, false);
    assert_eq!(desk.taped(), 0, "nothing before the disk is ready");
    let sounded = desk.sounded.len();
    desk.hears_the_tone();
    assert!((19..=20).contains(&(desk.sounded.len() - sounded)), "a tone of 0.4 s");
    assert!(desk.taped() <= 4, "not the tone");
    let texts = desk.work.len();
    desk.run(3_000, true);
    desk.run(1_000, false);
    desk.run(2_000, true);
    assert_eq!(desk.work.len(), texts, "nothing of it is recognised");
    assert!((298..=304).contains(&desk.taped()), "{}", desk.taped());
    desk.run(4_900, false);
    assert_eq!(desk.tape_end(), None);
    desk.run(200, false);
    assert_eq!(desk.tape_end(), Some(true));
    assert!(desk.said("Your message is saved"));
    desk.run(5_000, false);
    assert_eq!(desk.ending(), Some(Cause::Goodbye));
}

#[test]
fn the_hash_key_ends_it_and_other_keys_do_not() {
    let mut desk = desk();
    desk.hears_the_tone();
    desk.run(1_000, true);
    for (key, end) in [('5', None), ('#', Some(true))] {
        desk.press(key);
        assert_eq!(desk.tape_end(), end, "{key}");
    }
    assert!(desk.said("Your message is saved"));
}

#[test]
fn who_hangs_up_has_left_the_message_and_who_says_nothing_none() {
    let mut desk = desk();
    desk.hears_the_tone();
    desk.run(1_000, true);
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
    assert_eq!(desk.tape_end(), Some(true));
    assert_eq!(desk.ending(), Some(Cause::HungUp));
    let mut desk = self::desk();
    desk.hears_the_tone();
    desk.run(8_700, false);
    assert_eq!(desk.tape_end(), None, "time to collect oneself");
    desk.run(500, false);
    assert_eq!(desk.tape_end(), Some(false));
    assert!(desk.said("did not hear a message"));
}

#[test]
fn the_longest_message_ends_though_the_caller_goes_on() {
    let mut desk = desk();
    desk.hears_the_tone();
    desk.run(179_000, true);
    assert_eq!(desk.tape_end(), None);
    desk.run(1_200, true);
    assert_eq!(desk.tape_end(), Some(true));
    assert!(desk.said("Your message is saved"));
    assert_eq!(desk.ending(), None);
}

#[test]
fn a_disk_that_takes_nothing_is_told_and_the_message_is_taken_in_conversation() {
    for answers in [true, false] {
        let mut desk = desk();
        match answers {
            true => desk.input(Input::Tape(TapeNews::Failed)),
            false => desk.run(3_100, false),
        }
        assert_eq!(desk.tape_end(), Some(false));
        assert!(desk.said("I cannot record"), "{:?}", desk.replies());
        assert!(desk.said("What is your name"), "{:?}", desk.replies());
        desk.run(3_000, false);
        desk.says("John Miller.");
        assert!(desk.said("Which number"), "{:?}", desk.replies());
    }
}

#[test]
fn a_disk_that_is_full_in_the_middle_keeps_what_there_is() {
    let mut desk = desk();
    desk.hears_the_tone();
    desk.run(2_000, true);
    desk.input(Input::Tape(TapeNews::Failed));
    assert_eq!(desk.tape_end(), Some(true));
    assert!(desk.said("I cannot record"));
}

#[test]
fn the_call_may_go_on_afterwards() {
    let mut desk = desk_with("then = \"go_on\"");
    desk.hears_the_tone();
    desk.run(1_000, true);
    desk.run(5_200, false);
    assert!(desk.said("Your message is saved"));
    desk.run(3_000, false);
    desk.says("What are your opening hours?");
    assert!(desk.said("Monday to Friday"), "{:?}", desk.replies());
}

#[test]
fn the_message_has_the_callers_number_and_its_record_replays() {
    let mut desk = desk();
    let Some(Tape::Begin(message)) = desk.tapes.first() else { panic!() };
    assert_eq!(message.topic, "leave a voice message");
    assert!(message.number.is_none(), "a name is no number");
    desk.hears_the_tone();
    desk.run(1_000, true);
    desk.run(6_000, false);
    let start = desk.start;
    let flight = Flight::read(desk.flight(), start).unwrap();
    assert_eq!(flight.replay().unwrap().difference, None);
}

#[test]
fn nothing_is_taped_while_neither_hears_the_other() {
    let mut desk = desk();
    desk.hears_the_tone();
    desk.run(1_000, true);
    let before = desk.taped();
    desk.input(Input::Wish(Wish::Mute(true)));
    desk.run(2_000, true);
    assert_eq!(desk.taped(), before);
    desk.input(Input::Wish(Wish::Mute(false)));
    desk.run(1_000, true);
    assert!((49..=51).contains(&(desk.taped() - before)), "{} {before}", desk.taped());
}

#[test]
fn a_hold_is_no_silence_that_ends_a_message() {
    let mut desk = desk();
    desk.hears_the_tone();
    desk.run(1_000, true);
    desk.run(2_000, false);
    for _ in 0..2 {
        desk.input(Input::Wish(Wish::Mute(true)));
        desk.run(100_000, false);
        assert_eq!(desk.tape_end(), None, "neither silence nor the longest message");
        desk.input(Input::Wish(Wish::Mute(false)));
    }
    desk.run(2_800, false);
    assert_eq!(desk.tape_end(), None, "the silence goes on where it was");
    desk.run(400, false);
    assert_eq!(desk.tape_end(), Some(true));
    assert!(desk.said("Your message is saved"));
}

/// The tone is not heard while the call is held, and the disk's time passes for nobody.
#[test]
fn a_hold_before_the_tone_leaves_time_for_it() {
    let mut desk = desk();
    desk.input(Input::Wish(Wish::Mute(true)));
    desk.run(10_000, false);
    desk.input(Input::Wish(Wish::Mute(false)));
    assert_eq!(desk.tape_end(), None);
    desk.hears_the_tone();
    desk.run(1_000, true);
    assert!((45..=55).contains(&desk.taped()), "{}", desk.taped());
}
