//! Recorded calls made again: many of them, with other settings, and from files that were harmed.

use super::model::{QUESTION, tokens};
use super::*;
use crate::base::Entropy;
use crate::call::flight::{Certainty, Flight, FlightError, NewTurn, Pair, what_if};
use crate::call::media::Report;
use crate::call::record::Turn;
use crate::converse::llm::{Event, Fault};

const SAYINGS: [&str; 8] = [
    "What are your opening hours?",
    "What is your address?",
    "I want to track my order.",
    "My order number is 4729.",
    "Yes.",
    "No, thank you.",
    QUESTION,
    "I would like to leave a message.",
];

/// Words that are no longer those of the utterance before.
fn says(desk: &mut Desk, text: &'static str) {
    desk.texts.clear();
    desk.says(text);
}

/// A call that goes as chance has it: words, coughs, keys, noise, an engine that dies, a model that
/// answers or fails, hold, late packets.
fn a_call(seed: u8) -> Desk {
    let mut chance = Entropy::new([seed; 32]);
    let mut one_of = |count: u32| chance.next_u32() % count;
    let mut settings = settings();
    settings.converse.has_model = one_of(2) == 0;
    let mut desk = Desk::take(&settings, Some(OFFER)).unwrap();
    desk.model.script = vec![
        tokens("Not that I know. They are shy and live alone."),
        vec![Event::Failed(Fault::Stalled)],
    ];
    desk.jitter = Duration::from_millis(u64::from(one_of(60)));
    desk.voice_takes = Duration::from_millis(u64::from(one_of(500)));
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    for _ in 0..3 + one_of(4) {
        match one_of(8) {
            0 => desk.input(Input::Media(MediaEvent::Digit {
                digit: char::from(b'0' + one_of(10) as u8),
                duration: Duration::from_millis(90),
            })),
            1 => desk.run(u64::from(one_of(200)), true),
            2 => {
                desk.engine = Engine::Down;
                desk.input(Input::EngineLost);
                says(&mut desk, "lost");
                desk.engine = Engine::Up;
                desk.input(Input::EngineBack);
            }
            3 => desk.input(Input::Report(Report { jitter_ms: 1.5, ..Report::default() })),
            _ => says(&mut desk, SAYINGS[one_of(8) as usize]),
        }
        desk.run(u64::from(one_of(3_000)), false);
    }
    if one_of(2) == 0 {
        desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
    } else {
        desk.input(Input::HangUp(Cause::ShuttingDown));
        desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByUs });
    }
    desk
}

#[test]
fn fifty_recorded_calls_decide_the_same_again() {
    let mut decisions = 0;
    for seed in 0..50 {
        let mut desk = a_call(seed);
        let start = desk.start + Duration::from_secs(77);
        // Another clock than the one that it was recorded by.
        let flight = Flight::read(desk.flight(), start).unwrap();
        let replayed = flight.replay().unwrap();
        assert_eq!(replayed.difference, None, "call {seed}");
        assert!(replayed.inputs > 50 && replayed.frames > 5, "call {seed}: {replayed:?}");
        decisions += replayed.decisions;
    }
    assert!(decisions > 50 * 20, "{decisions}");
}

#[test]
fn a_program_that_decides_otherwise_is_told_at_the_first_difference() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.says("What are your opening hours?");
    let start = desk.start;
    let mut flight = Flight::read(desk.flight(), start).unwrap();
    flight.head_mut().set("listen.speculate_after_ms", "160").unwrap();
    let difference = flight.replay().unwrap().difference.unwrap();
    let (recorded, replayed) = (difference.recorded.reveal(), difference.replayed.reveal());
    assert!(recorded.contains("transcribe"), "{recorded}");
    assert_eq!(replayed, "(nothing)");
    assert!(difference.at > Duration::from_millis(1_500), "{difference:?}");
}

const KEYS: [&str; 2] =
    ["QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk", "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNk"];

/// An offer with this key.
fn encrypted(key: &str) -> String {
    format!("{OFFER}a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}|2^31\r\n")
}

#[test]
fn a_record_of_an_encrypted_call_has_no_key_and_decides_the_same() {
    let mut desk = Desk::take(&settings(), Some(&encrypted(KEYS[0]))).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.run(500, false);
    let by = sip::OfferBy::Invite;
    let offer = Some(encrypted(KEYS[1]).into_bytes());
    desk.sip(sip::Event::OfferReceived { leg: LEG, offer, by });
    assert!(desk.call.record().srtp.is_some());
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
    let mut secrets: Vec<String> = KEYS.map(str::to_owned).to_vec();
    for command in &desk.commands {
        let (sip::Command::Answer { sdp, .. } | sip::Command::AcceptOffer { sdp, .. }) = command
        else {
            continue;
        };
        let text = String::from_utf8(sdp.clone()).unwrap();
        let (_, after) = text.split_once("inline:").expect("a key of ours");
        secrets.push(after.split("\r\n").next().unwrap().to_owned());
    }
    assert_eq!(secrets.len(), 4);
    let start = desk.start;
    let file = desk.flight().to_vec();
    let text = String::from_utf8_lossy(&file);
    for secret in secrets {
        let numbers: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
        assert!(!text.contains(&secret[..8]) && !text.contains(&numbers[..8].join(",")));
    }
    assert!(text.contains("AES_CM_128_HMAC_SHA1_80 inline:AAAA"));
    let replayed = Flight::read(&file, start).unwrap().replay().unwrap();
    assert_eq!(replayed.difference, None);
}

#[test]
fn a_record_takes_a_fraction_of_its_sound() {
    let mut desk = Desk::talking();
    desk.run(30_000, false);
    let bytes = desk.flight().len();
    let head = 200_000;
    assert!(bytes < head + 30 * 16_000, "{bytes} bytes for 30 s of 32,000 each");
}

#[test]
fn a_call_that_was_killed_is_replayed_up_to_its_last_whole_block() {
    let mut desk = a_call(7);
    let start = desk.start;
    let file = desk.flight().to_vec();
    let whole = Flight::read(&file, start).unwrap().replay().unwrap();
    for share in [6, 8, 9] {
        let flight = Flight::read(&file[..file.len() * share / 10], start).unwrap();
        assert!(!flight.is_whole);
        let replayed = flight.replay().unwrap();
        assert_eq!(replayed.difference, None);
        assert!(replayed.inputs < whole.inputs);
    }
}

#[test]
fn files_that_were_cut_or_changed_give_errors_and_never_a_panic() {
    let mut desk = a_call(3);
    let start = desk.start;
    let file = desk.flight().to_vec();
    for length in (0..file.len()).step_by(file.len() / 200) {
        if let Ok(flight) = Flight::read(&file[..length], start) {
            assert_eq!(flight.replay().unwrap().difference, None, "at {length}");
        }
    }
    let mut chance = Entropy::new([9; 32]);
    for _ in 0..200 {
        let mut changed = file.clone();
        let at = chance.next_u32() as usize % changed.len();
        changed[at] = changed[at].wrapping_add(1 + chance.next_u32() as u8 % 255);
        let read = Flight::read(&changed, start);
        // Only a longer length looks like a file that was cut.
        assert!(read.is_err() || read.is_ok_and(|flight| flight.cut_at.is_some()), "at {at}");
    }
    assert_eq!(Flight::read(b"RIFF....WAVE", start).err(), Some(FlightError::NoRecord));
}

/// Blocks whose checks are right and whose contents are not: what a forger would write.
#[test]
fn entries_that_were_made_up_give_errors_and_never_a_panic() {
    let mut desk = a_call(11);
    let start = desk.start;
    let file = desk.flight().to_vec();
    let mut chance = Entropy::new([5; 32]);
    let (mut read, mut refused) = (0, 0);
    for round in 0..150 {
        let forged = crate::call::flight::forged(&file, |block, payload| {
            if block == 0 || payload.is_empty() {
                return;
            }
            for _ in 0..1 + round % 5 {
                let at = chance.next_u32() as usize % payload.len();
                payload[at] = chance.next_u32() as u8;
            }
            if round % 7 == 0 {
                payload.truncate(chance.next_u32() as usize % payload.len());
            }
        });
        match Flight::read(&forged, start).map(|flight| flight.replay().is_ok()) {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0 && read + refused == 150, "{read} {refused}");
}

/// Two questions with everything after them, as recorded.
fn two_questions() -> Desk {
    let mut desk = Desk::talking();
    desk.run(1_500, false);
    says(&mut desk, "What are your opening hours?");
    desk.run(2_000, false);
    says(&mut desk, "What is your address?");
    desk.run(1_000, false);
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
    desk
}

/// The caller's turns with these settings beside the recorded ones.
fn with(desk: &mut Desk, settings: &[(&str, &str)]) -> Vec<Pair> {
    let start = desk.start;
    let flight = Flight::read(desk.flight(), start).unwrap();
    let mut head = flight.head().clone();
    settings.iter().for_each(|(key, value)| head.set(key, value).unwrap());
    what_if(&flight, &head).unwrap()
}

fn texts(pair: &Pair) -> [Option<String>; 2] {
    let text = |turn: &Turn| turn.caller_text.reveal().clone();
    [pair.before.as_ref().map(text), pair.now.as_ref().map(|new| text(&new.turn))]
}

fn gaps(pair: &Pair) -> (u32, u32) {
    let before = pair.before.as_ref().and_then(|turn| turn.gap_ms).unwrap();
    (before, pair.now.as_ref().and_then(|new| new.turn.gap_ms).unwrap())
}

#[test]
fn with_the_same_settings_everything_would_have_been_the_same() {
    let mut desk = two_questions();
    let pairs = with(&mut desk, &[]);
    assert_eq!(pairs.len(), 2);
    for pair in &pairs {
        let [before, now] = texts(pair);
        assert_eq!(before, now);
        let (before, now) = gaps(pair);
        assert!(before.abs_diff(now) <= 20, "{before} ms and {now} ms");
        assert_eq!(pair.now.as_ref().unwrap().certainty, Certainty::Recorded);
        let reply = pair.before.as_ref().unwrap().reply_text.reveal();
        assert_eq!(pair.now.as_ref().unwrap().turn.reply_text.reveal(), reply);
    }
}

#[test]
fn more_silence_at_the_end_of_a_thought_makes_gaps_as_much_longer() {
    let mut desk = two_questions();
    let [shorter, longer] =
        ["240", "440"].map(|ms| with(&mut desk, &[("listen.close_complete_ms", ms)]));
    assert_eq!((shorter.len(), longer.len()), (2, 2));
    for (shorter, longer) in shorter.iter().zip(&longer) {
        let (before, short) = gaps(shorter);
        let (same, long) = gaps(longer);
        assert_eq!(before, same);
        assert!(
            short > before && (long - short).abs_diff(200) <= 20,
            "{before}, {short}, {long} ms"
        );
        assert_eq!(longer.now.as_ref().unwrap().certainty, Certainty::Recorded);
    }
}

#[test]
fn two_turns_that_would_have_been_one_are_joined_and_marked_as_estimated() {
    let mut desk = Desk::talking();
    desk.run(1_500, false);
    desk.texts.push_back("What are your opening hours?");
    desk.run(500, true);
    desk.run(300, false);
    desk.texts.clear();
    desk.texts.push_back("What is your address?");
    desk.run(500, true);
    desk.run(1_500, false);
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
    let pairs = with(&mut desk, &[("listen.close_complete_ms", "600")]);
    let now: Vec<&NewTurn> = pairs.iter().filter_map(|pair| pair.now.as_ref()).collect();
    let words: Vec<&str> = now.iter().map(|new| new.turn.caller_text.reveal().as_str()).collect();
    assert_eq!(words, ["What are your opening hours? What is your address?"]);
    assert_eq!(now[0].certainty, Certainty::Estimated);
    assert_eq!(pairs.iter().filter(|pair| pair.before.is_some()).count(), 2);
}

#[test]
fn what_the_record_does_not_say_is_told_as_unknown() {
    let mut desk = two_questions();
    // So much more sound before the words may hold words of its own.
    let pairs = with(&mut desk, &[("listen.preroll_ms", "1000")]);
    let unknown =
        |pair: &Pair| pair.now.as_ref().is_some_and(|new| new.certainty == Certainty::Unknown);
    assert!(pairs.iter().any(unknown), "{pairs:?}");
}

#[test]
fn a_setting_of_the_ear_that_is_out_of_its_range_is_refused_with_the_range() {
    let mut desk = two_questions();
    let start = desk.start;
    let file = desk.flight().to_vec();
    let mut head = Flight::read(&file, start).unwrap().head().clone();
    for (key, value, range) in [
        ("listen.preroll_ms", "18000000000000000000", "0 to 1000"),
        ("listen.tail_ms", "10001", "0 to 1000"),
        ("listen.onset_ms", "0", "20 to 400"),
        ("listen.speech_threshold", "1.5", "0.05 to 0.95"),
    ] {
        let refused = head.set(key, value).unwrap_err().to_string();
        assert!(refused.contains(key) && refused.contains(range), "{refused}");
    }
    head.set("listen.tail_ms", "1000").unwrap();
    // Nor is one taken from a file.
    let forged = crate::call::flight::forged(&file, |number, payload| {
        if number == 0 {
            let head = String::from_utf8(payload.clone()).unwrap();
            *payload = head.replace("\"tail_ms\":100,", "\"tail_ms\":10001,").into_bytes();
        }
    });
    assert!(Flight::read(&forged, start).is_err());
}

#[test]
fn another_playbook_replies_in_its_own_words() {
    let mut desk = two_questions();
    let start = desk.start;
    let flight = Flight::read(desk.flight(), start).unwrap();
    let mut head = flight.head().clone();
    let text = Playbook::logistics().source().replace("12 Harbour Road", "7 Mill Lane");
    head.set_playbook(None, &text).unwrap();
    let pairs = what_if(&flight, &head).unwrap();
    let new = pairs.last().unwrap().now.as_ref().unwrap();
    assert!(new.turn.reply_text.reveal().contains("Mill Lane"), "{}", new.turn.reply_text.reveal());
    // The voice never said it, so how long it takes is an estimate.
    assert_eq!(new.certainty, Certainty::Estimated);
}

/// A call about an order that is in the owner's system, which answers after 400 ms.
fn about_an_order() -> Desk {
    use converse::lookup::{LookedUp, Lookup, Lookups, Parameter, ParameterKind};
    let lookups = Lookups::new(vec![Lookup {
        name: "order_status".to_owned(),
        description: String::new(),
        parameters: vec![Parameter {
            name: "number".to_owned(),
            kind: ParameterKind::Digits { min: 3, max: 12 },
        }],
        fields: vec!["status".to_owned()],
        changes: false,
    }]);
    let table = "lookup = { table = \"orders\", by = \"order\", found = \"Order {order:digits} {status}.\" }";
    let remote = "lookup = { name = \"order_status\", with = { number = \"order\" }, fields = \
        [\"status\"], found = \"It {status}.\", not_found = \"There is none.\", failed = \"I could not \
        look.\", wait = \"One moment.\" }";
    let text = Playbook::logistics().source().replace(table, remote);
    let playbook = Playbook::parse(&text).unwrap().with_lookups(lookups).unwrap();
    let settings = Settings { tongues: Tongues::only(playbook), ..settings() };
    let mut desk = Desk::take(&settings, Some(OFFER)).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.run(1_500, false);
    says(&mut desk, "Where is my order 4729?");
    desk.run(1_000, false);
    desk.texts = VecDeque::from(["Yes."]);
    desk.run(500, true);
    desk.run(600, false);
    let (id, _) = desk.looked_up.pop().expect("the system is asked");
    let status = Private::new("is in Northgate".to_owned());
    let outcome = LookedUp::Found(vec![("status".to_owned(), status)]);
    desk.input(Input::Work(WorkResult::LookedUp { id, outcome }));
    desk.run(1_500, false);
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
    desk
}

#[test]
fn the_owners_system_would_have_said_what_it_said_to_the_same_question() {
    let mut desk = about_an_order();
    let pairs = with(&mut desk, &[("listen.close_complete_ms", "240")]);
    let mut asked = pairs.iter().filter_map(|pair| pair.now.as_ref());
    let last = asked.rfind(|new| new.turn.caller_text.reveal() == "Yes.").unwrap();
    assert_eq!(last.turn.reply_text.reveal().split(". ").next(), Some("It is in Northgate"));
    assert_eq!(last.certainty, Certainty::Recorded);
}

#[test]
fn a_sound_that_is_no_longer_the_recorded_one_is_told() {
    let mut desk = Desk::talking();
    desk.run(1_500, false);
    let start = desk.start;
    let mut flight = Flight::read(desk.flight(), start).unwrap();
    flight.head_mut().change_shelf();
    let difference = flight.replay().unwrap().difference.unwrap();
    let (recorded, replayed) = (difference.recorded.reveal(), difference.replayed.reveal());
    assert!(recorded.contains("frames to play") && recorded != replayed, "{recorded}, {replayed}");
}

#[test]
fn a_setting_that_is_none_is_answered_with_those_there_are() {
    let mut desk = two_questions();
    let start = desk.start;
    let flight = Flight::read(desk.flight(), start).unwrap();
    let mut head = flight.head().clone();
    let keys = head.set("listen.close_ms", "5").unwrap_err().to_string();
    for key in ["listen.close_complete_ms", "converse.silence_ms", "calls.answer_after_ms"] {
        assert!(keys.contains(key), "{keys}");
    }
    for (key, value) in [
        ("listen.close_complete_ms", "soon"),
        ("listen.close_complete_ms", "-1"),
        ("converse.silence_ms", "[1, 2]"),
        ("listen", "{}"),
    ] {
        assert!(head.set(key, value).is_err(), "{key} = {value}");
    }
    head.set("converse.silence_ms", "[1000, 2000, 3000]").unwrap();
    head.set("media.codecs", "[\"Pcmu\"]").unwrap();
    assert!(head.set_playbook(None, "language = 5").is_err());
    assert!(head.set_playbook(LanguageCode::new("ru"), "").is_err());
}
