//! The caller speaks over us: what stops us, what does not, and what goes on.

use super::*;
use crate::base::limits;

/// A phrase of ours: long enough to be spoken over.
const PHRASE_FRAMES: usize = 60;

/// A call in which we are saying the greeting: two sentences, and nothing is asked that a word could
/// answer.
fn greeting() -> Desk {
    let manner = Manner::plain(LanguageCode::ENGLISH);
    let mut desk = Desk::take_with(&settings(), manner, Some(OFFER), PHRASE_FRAMES).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    live(&mut desk, 800, false);
    assert_eq!(desk.played.len(), 1);
    desk
}

/// As `run`, with an audio thread that tells what it has silenced.
fn live(desk: &mut Desk, ms: u64, speech: bool) {
    for _ in 0..ms / FRAME_MS {
        let before = desk.silenced;
        desk.tick(speech);
        if let Some(&(utterance, frames)) = desk.played.last()
            && desk.silenced > before
        {
            let through = desk.silenced;
            desk.input(Input::Silenced { through, utterance, frames });
        }
    }
}

fn heard_as(desk: &mut Desk, text: &'static str) {
    desk.texts = VecDeque::from([text]);
}

/// Frames of everything that was played.
fn frames_played(desk: &Desk) -> u32 {
    desk.played.iter().map(|(_, frames)| frames).sum()
}

fn whole_greeting() -> u32 {
    let mut desk = greeting();
    live(&mut desk, 8_000, false);
    desk.played[0].1
}

#[test]
fn a_backchannel_does_not_stop_us_and_is_no_turn() {
    for text in ["Mm-hm.", "Okay.", "Uh-huh.", "Yeah."] {
        let mut desk = greeting();
        heard_as(&mut desk, text);
        live(&mut desk, 320, true);
        live(&mut desk, 7_000, false);
        assert_eq!(desk.silenced, UtteranceId(0), "{text}");
        assert_eq!(desk.played[0], (UtteranceId(1), whole_greeting()), "{text}");
        assert_eq!(desk.replies().len(), 1, "{text}: {:?}", desk.replies());
    }
}

#[test]
fn after_a_cough_or_a_long_backchannel_we_go_on_where_we_were() {
    for text in ["", "Yeah, okay, right."] {
        let mut desk = greeting();
        heard_as(&mut desk, text);
        live(&mut desk, 560, true);
        assert_eq!(desk.silenced, UtteranceId(1), "it stopped us");
        let heard = frames_played(&desk);
        live(&mut desk, 600, false);
        assert_eq!(desk.played.last().unwrap().0, UtteranceId(2), "and we went on");
        live(&mut desk, 6_000, false);
        let again = i64::from(frames_played(&desk)) - i64::from(whole_greeting());
        assert!((7..=46).contains(&again), "{again} frames of {heard} were said again");
        assert_eq!(desk.replies().len(), 1, "{:?}", desk.replies());
        assert!(!desk.call.record().turns()[0].interrupted);
    }
}

#[test]
fn a_turn_over_our_voice_is_answered_and_what_we_were_saying_is_given_up() {
    let mut desk = greeting();
    heard_as(&mut desk, "What is your address?");
    live(&mut desk, 460, true);
    assert_eq!(desk.silenced, UtteranceId(1));
    let frames = frames_played(&desk);
    live(&mut desk, 1_600, false);
    assert!(desk.replies().last().unwrap().contains("Harbour Road"), "{:?}", desk.replies());
    assert!(desk.call.record().turns()[0].interrupted);
    assert_eq!(desk.played[0].1, frames, "nothing more of the greeting");
    assert_eq!(desk.played[1].0, UtteranceId(2), "the reply is what comes next");
}

#[test]
fn a_word_that_is_no_backchannel_stops_us_as_soon_as_it_is_understood() {
    let mut desk = greeting();
    heard_as(&mut desk, "Stop.");
    live(&mut desk, 240, true);
    assert_eq!(desk.silenced, UtteranceId(0));
    live(&mut desk, 160, false);
    assert_eq!(desk.silenced, UtteranceId(1));
}

#[test]
fn what_was_not_understood_stops_us_only_if_it_was_long() {
    let unclear = |ms: u64| {
        let mut desk = greeting();
        heard_as(&mut desk, "Purple rain");
        desk.doubted = "Purple rain";
        desk.engine = Engine::Slow;
        live(&mut desk, ms, true);
        desk
    };
    assert_eq!(unclear(300).silenced, UtteranceId(0));
    assert_eq!(unclear(900).silenced, UtteranceId(1));
}

#[test]
fn once_a_question_is_being_asked_a_short_answer_stops_us_and_before_it_does_not() {
    let replying = || {
        let mut desk = greeting();
        live(&mut desk, 4_000, false);
        heard_as(&mut desk, "What are your opening hours?");
        live(&mut desk, 500, true);
        live(&mut desk, 900, false);
        desk
    };
    let mut to_its_end = replying();
    let utterance = to_its_end.played.last().unwrap().0;
    live(&mut to_its_end, 8_000, false);
    let of_reply = |(of, _): &&(UtteranceId, u32)| *of == utterance;
    let whole = to_its_end.played.iter().find(of_reply).unwrap().1;
    let asking = |share: f32| {
        let mut desk = replying();
        let until = (share * whole as f32) as u64;
        let left = until - u64::from(desk.played.last().unwrap().1);
        live(&mut desk, left * FRAME_MS, false);
        assert_eq!(desk.played.last().unwrap().0, utterance);
        heard_as(&mut desk, "Okay.");
        let before = desk.silenced;
        live(&mut desk, 260, true);
        desk.silenced > before
    };
    assert!(!asking(0.4), "we are still telling the hours");
    assert!(asking(0.85), "is there anything else?");
}

#[test]
fn what_a_model_says_meanwhile_waits_with_what_a_key_has_stopped() {
    let mut settings = settings();
    settings.converse.has_model = true;
    let manner = Manner::plain(LanguageCode::ENGLISH);
    let mut desk = Desk::take_with(&settings, manner, Some(OFFER), PHRASE_FRAMES).unwrap();
    let second = "The moon is far away and it is cold there at this time of the year.";
    desk.model.script = vec![model::tokens(&format!("Not that I know of, I am afraid. {second}"))];
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    live(&mut desk, 6_000, false);
    heard_as(&mut desk, model::QUESTION);
    live(&mut desk, 600, true);
    let greeting = desk.played.len();
    while desk.played.len() == greeting {
        live(&mut desk, FRAME_MS, false);
    }
    let first = desk.played.last().unwrap().0;
    key_down(&mut desk);
    live(&mut desk, 200, false);
    assert_eq!(desk.silenced, first, "it stopped us");
    let frames = frames_played(&desk);
    live(&mut desk, 1_500, false);
    assert_eq!(frames_played(&desk), frames, "nothing is said while it is down");
    assert!(desk.replies().last().unwrap().ends_with(second), "{:?}", desk.replies());
    live(&mut desk, 9_000, false);
    let after: Vec<UtteranceId> = desk.played[greeting..].iter().map(|(of, _)| *of).collect();
    let (pieces, again) = (after.len() as u32 - 1, after[1].0);
    let in_order = again..again + pieces;
    assert!(pieces > 1 && after[1..].iter().map(|of| of.0).eq(in_order), "{first:?} {after:?}");
}

/// A call in which somebody speaks from its first moment on.
fn spoken_into(ms: u64) -> Desk {
    let manner = Manner::plain(LanguageCode::ENGLISH);
    let mut desk = Desk::take_with(&settings(), manner, Some(OFFER), 3 * PHRASE_FRAMES).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    live(&mut desk, ms, true);
    desk
}

#[test]
fn what_was_there_before_the_call_does_not_stop_the_greeting_until_it_is_a_caller_for_sure() {
    assert_eq!(spoken_into(2_700).silenced, UtteranceId(0));
    assert_eq!(spoken_into(3_000).silenced, UtteranceId(1));
}

#[test]
fn what_was_there_before_the_call_and_is_not_understood_is_no_turn() {
    let mut desk = spoken_into(0);
    heard_as(&mut desk, "Purple");
    desk.doubted = "Purple";
    live(&mut desk, 2_500, true);
    live(&mut desk, 6_000, false);
    assert_eq!(desk.silenced, UtteranceId(0));
    assert_eq!(desk.replies().len(), 1, "{:?}", desk.replies());
}

#[test]
fn who_greets_us_first_is_answered() {
    let mut desk = spoken_into(0);
    heard_as(&mut desk, "What is your address?");
    live(&mut desk, 900, true);
    live(&mut desk, 1_600, false);
    assert!(desk.replies().last().unwrap().contains("Harbour Road"), "{:?}", desk.replies());
}

#[test]
fn a_key_stops_us_at_once() {
    let mut desk = greeting();
    let duration = Duration::from_millis(100);
    desk.input(Input::Media(MediaEvent::Digit { digit: '2', duration }));
    assert_eq!(desk.silenced, UtteranceId(1));
    assert!(desk.call.record().turns().len() > 1, "and is answered");
}

fn key_down(desk: &mut Desk) {
    desk.input(Input::Media(MediaEvent::DigitBegun));
    let &(utterance, frames) = desk.played.last().unwrap();
    desk.input(Input::Silenced { through: desk.silenced, utterance, frames });
}

#[test]
fn breath_does_not_stop_us_however_long_and_a_voice_does() {
    for (is_breath, silenced) in [(true, 0), (false, 1)] {
        let mut desk = greeting();
        desk.is_breath = is_breath;
        heard_as(&mut desk, "4.");
        live(&mut desk, 660, true);
        assert_eq!(desk.silenced, UtteranceId(silenced));
        live(&mut desk, 600, false);
        let spoken =
            desk.call.record().turns().iter().filter(|t| !t.caller_text.reveal().is_empty());
        assert_eq!(spoken.count(), usize::from(!is_breath), "a model makes words of any sound");
    }
}

#[test]
fn a_key_stops_us_when_it_is_pressed_and_we_go_on_if_nothing_comes_of_it() {
    let mut desk = greeting();
    live(&mut desk, 500, false);
    let before = frames_played(&desk);
    key_down(&mut desk);
    assert_eq!(desk.silenced, UtteranceId(1), "not only when it is let go");
    live(&mut desk, 1_900, false);
    assert!(frames_played(&desk) <= before + 5, "{} more", frames_played(&desk) - before);
    live(&mut desk, 1_000, false);
    assert!(frames_played(&desk) > before + 20, "the end of the key was never told");
    key_down(&mut desk);
    live(&mut desk, 100, false);
    let turns = desk.call.record().turns().len();
    desk.input(Input::Media(MediaEvent::Digit {
        digit: '2',
        duration: Duration::from_millis(100),
    }));
    live(&mut desk, 500, false);
    assert!(desk.call.record().turns().len() > turns, "and it is answered");
}

#[test]
fn what_may_not_be_interrupted_is_said_to_its_end() {
    let mut desk = greeting();
    live(&mut desk, 4_000, false);
    heard_as(&mut desk, "Thank you, goodbye.");
    live(&mut desk, 500, true);
    live(&mut desk, 700, false);
    assert!(desk.replies().last().unwrap().contains("Goodbye"), "{:?}", desk.replies());
    let (utterance, before) = *desk.played.last().unwrap();
    heard_as(&mut desk, "");
    live(&mut desk, 600, true);
    assert!(desk.silenced < utterance);
    assert_eq!(desk.played.last().unwrap().1, before + 30, "not a frame was left out");
}

#[test]
fn a_caller_who_goes_on_for_a_second_is_believed_before_the_turn_is_over() {
    let mut desk = greeting();
    heard_as(&mut desk, "");
    live(&mut desk, 1_100, true);
    assert!(desk.call.record().turns()[0].interrupted);
    live(&mut desk, 2_000, false);
    assert_eq!(desk.played.len(), 1, "it does not go on");
}

#[test]
fn a_key_tells_how_much_of_a_question_was_heard() {
    for (share, is_confirmed) in [(0.2, false), (0.9, true)] {
        let mut desk = greeting();
        live(&mut desk, 4_000, false);
        heard_as(&mut desk, "Cancel order 4729.");
        live(&mut desk, 800, true);
        live(&mut desk, 400, false);
        let whole = 60.0 * desk.replies().last().unwrap().matches(['.', '?']).count() as f32;
        let played = |desk: &Desk| desk.played.last().unwrap().1;
        while (played(&desk) as f32) < share * whole {
            live(&mut desk, FRAME_MS, false);
        }
        key_down(&mut desk);
        live(&mut desk, 100, false);
        let duration = Duration::from_millis(100);
        desk.input(Input::Media(MediaEvent::Digit { digit: '1', duration }));
        live(&mut desk, 100, false);
        let reply = desk.replies().last().unwrap().clone();
        assert_eq!(reply.contains("noted"), is_confirmed, "{share}: {reply}");
    }
}

#[test]
fn speech_without_an_end_leaves_the_keys_and_stops_us_no_more() {
    let mut desk = greeting();
    live(&mut desk, 4_000, false);
    heard_as(&mut desk, "");
    live(&mut desk, limits::TURN_MS + 500, true);
    let said = desk.replies().last().unwrap().clone();
    assert!(said.contains("too loud") && said.contains("Press 1 for"), "{said}");
    let (before, silenced) = (frames_played(&desk), desk.silenced);
    live(&mut desk, 2_000, true);
    assert_eq!((frames_played(&desk), desk.silenced), (before + 100, silenced));
    desk.input(Input::Media(MediaEvent::Digit {
        digit: '2',
        duration: Duration::from_millis(100),
    }));
    live(&mut desk, 1_000, true);
    assert!(desk.replies().last().unwrap().starts_with("You find us at"));
}

#[test]
fn once_what_had_no_end_is_over_words_are_heard_again() {
    let mut desk = greeting();
    live(&mut desk, 4_000, false);
    heard_as(&mut desk, "");
    live(&mut desk, limits::TURN_MS + 500, true);
    let is_told = |desk: &Desk| desk.replies().last().unwrap().contains("hear you again");
    // While the keys are told nobody knows, and later somebody breathes in between.
    live(&mut desk, 4_000, false);
    live(&mut desk, 12_000, true);
    live(&mut desk, 1_900, false);
    live(&mut desk, 400, true);
    assert!(!is_told(&desk), "{:?}", desk.replies());
    let waited = (0..600).position(|_| {
        live(&mut desk, FRAME_MS, false);
        is_told(&desk)
    });
    assert!(waited.is_some_and(|frames| frames >= 99), "{waited:?}: {:?}", desk.replies());
    live(&mut desk, 4_000, false);
    heard_as(&mut desk, "What is your address?");
    live(&mut desk, 600, true);
    live(&mut desk, 1_600, false);
    assert!(desk.replies().last().unwrap().contains("Harbour Road"), "{:?}", desk.replies());
}
