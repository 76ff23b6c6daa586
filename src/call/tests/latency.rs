//! The parts of a gap in whole calls, beside a gap that the test measures by itself.

use super::model::{QUESTION, desk as desk_with_model, tokens};
use super::*;
use crate::call::latency::Latency;
use crate::call::record::Turn;

/// What the parts may leave unexplained.
const UNEXPLAINED_MS: u32 = 20;

fn last_turn(desk: &Desk) -> Turn {
    let turns = desk.call.record().turns();
    turns.iter().rfind(|turn| !turn.caller_text.reveal().is_empty()).expect("a turn").clone()
}

/// The parts, after looking at them against the audio thread's own gap.
fn explained(turn: &Turn) -> Latency {
    let (latency, wire_gap_ms) = (turn.latency.unwrap(), turn.wire_gap_ms.unwrap());
    let unexplained = wire_gap_ms.abs_diff(latency.sum_ms());
    assert!(unexplained <= UNEXPLAINED_MS, "{wire_gap_ms} ms is not {latency:?}");
    latency
}

fn near(part_ms: u32, wanted_ms: u32) -> bool {
    part_ms.abs_diff(wanted_ms) <= UNEXPLAINED_MS
}

#[test]
fn packets_that_wait_are_jitter_and_the_silence_after_them_is_the_end_of_the_turn() {
    let mut desk = Desk::talking();
    desk.jitter = Duration::from_millis(60);
    desk.run(1_000, false);
    desk.says("What are your opening hours?");
    let turn = last_turn(&desk);
    let latency = explained(&turn);
    assert_eq!(latency.jitter_ms, 60, "{latency:?}");
    assert!(near(latency.endpoint_ms, turn.endpoint_ms), "{latency:?}");
    assert_eq!((latency.decode_ms, latency.think_ms, latency.voice_ms), (0, 0, 0), "{latency:?}");
    assert_eq!((turn.model_ms, turn.voice_ms), (None, None), "it was on the shelf");
}

#[test]
fn a_text_that_comes_after_the_turn_is_closed_is_decoding() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.engine = Engine::Slow;
    desk.texts.push_back("What are your opening hours?");
    desk.run(500, true);
    desk.run(1_200, false);
    desk.engine = Engine::Up;
    desk.run(500, false);
    let latency = explained(&last_turn(&desk));
    assert!(near(latency.endpoint_ms + latency.decode_ms, 1_220), "{latency:?}");
    assert!(latency.decode_ms > 600, "{latency:?}");
}

#[test]
fn a_voice_that_is_not_ready_when_the_turn_closes_is_voice() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.voice_takes = Duration::from_millis(700);
    desk.says("My order number is 4729.");
    desk.run(1_000, false);
    let turn = last_turn(&desk);
    let latency = explained(&turn);
    assert!(latency.voice_ms > 200, "{latency:?}");
    assert!(turn.voice_ms.is_some_and(|ms| near(ms, 700)), "{:?}", turn.voice_ms);
}

#[test]
fn a_model_that_takes_its_time_is_thinking() {
    let mut desk = desk_with_model(vec![tokens("Not that I know. They are shy and live alone.")]);
    desk.says(QUESTION);
    desk.run(3_000, false);
    let turn = last_turn(&desk);
    let latency = explained(&turn);
    assert!(turn.model_ms.is_some_and(|ms| near(ms, 150)), "{:?}", turn.model_ms);
    assert!(turn.gap_ms.is_some_and(|ms| near(ms, latency.sum_ms())), "{latency:?}");
}

#[test]
fn a_sound_after_the_turn_that_passes_for_speech_leaves_nothing_unexplained() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.engine = Engine::Slow;
    desk.texts.push_back("What are your opening hours?");
    desk.run(500, true);
    desk.run(900, false);
    desk.tick(true);
    desk.run(60, false);
    desk.engine = Engine::Up;
    desk.run(500, false);
    let latency = explained(&last_turn(&desk));
    assert_eq!(latency.endpoint_ms, 0, "{latency:?}");
}

#[test]
fn a_gap_begins_with_the_last_sound_and_not_with_the_detectors_last_speech() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.texts.push_back("What are your opening hours?");
    desk.run(500, true);
    // The detector still hears speech in what is silence already.
    desk.loudness = 3;
    desk.run(80, true);
    desk.run(1_000, false);
    let turn = last_turn(&desk);
    let gap_ms = turn.gap_ms.unwrap();
    let latency = turn.latency.unwrap();
    assert!(latency.endpoint_ms >= turn.endpoint_ms + 80, "{latency:?}");
    assert!(gap_ms >= 200, "{gap_ms} ms");
    // A voice that is as quiet throughout has a gap, too.
    desk.texts.clear();
    desk.says("What is your address?");
    assert!(last_turn(&desk).gap_ms.is_some_and(|ms| ms >= 120), "{:?}", last_turn(&desk));
}
