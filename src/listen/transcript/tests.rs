use super::notes::without_notes;
use super::*;

fn recognition(text: &str, probability: f32, no_speech: f32) -> Recognition {
    Recognition { no_speech, ..Recognition::evenly(text, probability) }
}

/// Of a text that the model is sure of.
fn heard(text: &str) -> Heard {
    taken(&recognition(text, 0.999, 0.001))
}

/// However much speech there was.
fn taken(recognition: &Recognition) -> Heard {
    read(recognition, None).heard
}

fn text_of(heard: &Heard) -> &str {
    match heard {
        Heard::Words { text, .. } => text.reveal(),
        Heard::Nothing => "(nothing)",
        Heard::Unclear => "(unclear)",
    }
}

fn confidence_of(heard: &Heard) -> f32 {
    match heard {
        Heard::Words { confidence, .. } => *confidence,
        Heard::Nothing | Heard::Unclear => panic!("no words"),
    }
}

fn words_of(heard: &Heard) -> Vec<&str> {
    match heard {
        Heard::Words { text, words, .. } => {
            words.iter().map(|word| &text.reveal()[word.range.clone()]).collect()
        }
        Heard::Nothing | Heard::Unclear => Vec::new(),
    }
}

#[test]
fn annotations_are_nothing_or_unclear_and_words_beside_them_stay() {
    let nothing = ["", " . ", "[BLANK_AUDIO]", "(silence)", "*coughs*", "♪ la la la ♪", "♪♪♪"];
    for text in nothing.into_iter().chain(["[ Music ]", "(door closes", "<|nospeech|>", "..."]) {
        assert_eq!(heard(text), Heard::Nothing, "{text}");
    }
    for text in ["[INAUDIBLE]", "(speaking in foreign language)", "[unintelligible] ."] {
        assert_eq!(heard(text), Heard::Unclear, "{text}");
    }
    let kept = [
        (" Hello there. [BLANK_AUDIO]", "Hello there."),
        ("[INAUDIBLE] order four five", "order four five"),
        ("call (555) 0100 please", "call 555 0100 please"),
        ("what's up", "what's up"),
        ("one [unclear] three", "one three"),
    ];
    for (text, plain) in kept {
        assert_eq!(text_of(&heard(text)), plain, "{text}");
    }
}

#[test]
fn words_beside_speech_that_was_not_understood_are_kept_and_no_surer_than_a_guess() {
    let table: [(&str, &[&str]); 4] = [
        ("one [unclear] three", &["one", "", "three"]),
        ("[INAUDIBLE] order four", &["", "order", "four"]),
        ("order four (speaking).", &["order", "four", ""]),
        ("order [noise] four", &["order", "four"]),
    ];
    for (text, words) in table {
        let found = heard(text);
        assert_eq!(words_of(&found), words, "{text}");
        let is_incomplete = words.contains(&"");
        assert_eq!(confidence_of(&found) <= INCOMPLETE, is_incomplete, "{text}");
        let Heard::Words { words, .. } = &found else { panic!() };
        let missing = words.iter().filter(|word| word.range.is_empty());
        assert!(missing.into_iter().all(|word| word.confidence == INCOMPLETE), "{text}");
    }
}

#[test]
fn subtitles_are_nothing_and_fillers_only_in_doubt() {
    assert_eq!(heard("Thanks for watching!"), Heard::Nothing);
    assert_eq!(text_of(&heard("Thank you.")), "Thank you.");
    assert_eq!(taken(&recognition("Thank you.", 0.2, 0.4)), Heard::Nothing);
    assert_eq!(taken(&recognition("My order please", 0.2, 0.9)), Heard::Nothing);
    assert_eq!(taken(&recognition("My order please", 0.001, 0.2)), Heard::Unclear);
    assert_eq!(text_of(&taken(&recognition("My order please", 0.999, 0.9))), "My order please");
}

#[test]
fn words_that_are_likely_by_themselves_are_kept_however_unsure_the_whole_is() {
    let with = |text: &str, doubted: usize| {
        let mut recognition = recognition(text, 0.95, 0.01);
        recognition.words[..doubted].iter_mut().for_each(|word| word.probability = 0.02);
        taken(&recognition)
    };
    let message = (0..60).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ");
    for (text, doubted) in [("um order 4729", 1), (&message, 0), (&message, 9)] {
        let found = with(text, doubted);
        assert_eq!(text_of(&found), text);
        assert!(confidence_of(&found) < GUESS, "{text}");
    }
    assert_eq!(with("um uh order 4729", 2), Heard::Unclear);
    assert_eq!(with("order", 1), Heard::Unclear);
}

#[test]
fn repetitions_that_nobody_says_are_taken_out_and_halve_the_confidence() {
    let cases = [
        ("thank you thank you thank you", "thank you", true),
        ("Thank you. Thank you. Thank you. Thank", "Thank you.", true),
        ("I want to I want to I want to I want to go", "I want to go", true),
        ("wait wait wait wait wait there", "wait there", true),
        ("no no no no", "no no no no", false),
        ("yes yes", "yes yes", false),
        ("five five five one two one two one two", "five five five one two one two one two", false),
        ("0 0 0 0 0 0 0", "0 0 0 0 0 0 0", false),
    ];
    for (text, expected, is_repeated) in cases {
        let found = heard(text);
        assert_eq!(text_of(&found), expected, "{text}");
        let whole = confidence::utterance(&recognition(text, 0.999, 0.001));
        let share = if is_repeated { 0.5 } else { 1.0 };
        assert!((confidence_of(&found) - share * whole).abs() < 1e-6, "{text}");
        let Heard::Words { words, .. } = &found else { panic!() };
        let doubted = words.iter().any(|word| word.confidence <= 0.5);
        assert_eq!(doubted, is_repeated, "{text}");
        assert_eq!(words_of(&found).len(), expected.split(' ').count(), "{text}");
    }
    assert_eq!(heard(&"thank you ".repeat(20)), Heard::Unclear);
    assert_eq!(heard(&"0 ".repeat(60)), Heard::Unclear);
}

#[test]
fn a_long_text_is_cut_between_two_words() {
    let text: Vec<String> = (0..400).map(|n| format!("wört{n}")).collect();
    let found = heard(&text.join(" "));
    let kept = text_of(&found);
    assert!(kept.chars().count() <= limits::TRANSCRIPT_CHARS);
    assert!(text.join(" ").starts_with(kept));
    assert!(text.contains(&kept.rsplit(' ').next().unwrap().to_owned()));
    assert_eq!(words_of(&found).join(" "), kept);
}

#[test]
fn each_word_keeps_its_own_confidence_whatever_is_taken_out_before_it() {
    // As the engine gives it: a span for each digit.
    let text = " [noise] Order 47, (um) né.";
    let place = |word: &str| u32::try_from(text.find(word).unwrap()).unwrap();
    let span = |word: &str, probability| {
        let start = place(word);
        WordSpan { start, end: start + u32::try_from(word.len()).unwrap(), probability }
    };
    let words = vec![
        span("noise", 0.9),
        span("Order", 0.99),
        span("4", 0.98),
        span("7", 0.97),
        span("um", 0.5),
        span("né", 0.96),
    ];
    let private = Private::new(text.to_owned());
    let recognition = Recognition::evenly("", 0.9);
    let found = taken(&Recognition { text: private, words, ..recognition });
    assert_eq!(text_of(&found), "Order 47, né.");
    assert_eq!(words_of(&found), ["Order", "4", "7", "né"]);
    let Heard::Words { words, .. } = &found else { panic!() };
    let confidences: Vec<f32> = words.iter().map(|word| word.confidence).collect();
    assert_eq!(confidences, [0.99, 0.98, 0.97, 0.96].map(confidence::word));
}

fn part(text: &str, confidence: f32) -> Heard {
    let plain = without_notes(text);
    let chunks = chunks(&plain, &Recognition::evenly(text, 0.9).words);
    words_heard(chunks, confidence)
}

#[test]
fn segments_join_without_the_full_stop_that_was_none() {
    let parts = [part("I would like to.", 0.5), Heard::Nothing, part("order a pallet.", 0.5)];
    let joined = join(&parts);
    assert_eq!(text_of(&joined), "I would like to order a pallet.");
    assert_eq!(confidence_of(&joined), 0.25);
    assert_eq!(words_of(&joined), ["I", "would", "like", "to", "order", "a", "pallet"]);
    assert_eq!(join(&[Heard::Nothing, Heard::Unclear]), Heard::Unclear);
    assert_eq!(join(&[Heard::Nothing]), Heard::Nothing);
    assert_eq!(join([]), Heard::Nothing);
}

#[test]
fn an_utterance_with_a_part_that_was_not_understood_is_never_believed_as_complete() {
    let (one, two) = (|| part("My number is 47.", 0.9), || part("and 29", 0.9));
    let table: [(Vec<Heard>, &str, &[&str]); 4] = [
        (
            vec![one(), Heard::Unclear, two()],
            "My number is 47 and 29",
            &["My", "number", "is", "47", "", "and", "29"],
        ),
        (vec![Heard::Unclear, two()], "and 29", &["", "and", "29"]),
        (vec![one(), Heard::Unclear], "My number is 47.", &["My", "number", "is", "47", ""]),
        (
            vec![one(), Heard::Nothing, two()],
            "My number is 47 and 29",
            &["My", "number", "is", "47", "and", "29"],
        ),
    ];
    for (parts, text, words) in table {
        let joined = join(&parts);
        assert_eq!((text_of(&joined), words_of(&joined)), (text, words.to_vec()));
        assert_eq!(confidence_of(&joined) <= INCOMPLETE, words.contains(&""), "{text}");
    }
    // What was a guess before stays below it.
    let weak = join(&[part("47", 0.05), Heard::Unclear]);
    assert_eq!(confidence_of(&weak), 0.05);
}

const fn voiced(speech_ms: u64) -> Evidence {
    Evidence { speech_ms, is_voiced: true }
}

#[test]
fn one_word_without_a_voice_is_a_coughs_and_several_were_whispered() {
    let breath = Evidence { is_voiced: false, ..voiced(600) };
    for (text, is_heard) in [
        ("4.", false),
        ("yes", false),
        ("mm (cough)", false),
        ("47", true),
        ("yes please", true),
        ("", false),
    ] {
        let recognition = Recognition { words: spans_of(text), ..recognition(text, 0.99, 0.0) };
        let reading = read(&recognition, Some(breath));
        assert_eq!(matches!(reading.heard, Heard::Words { .. }), is_heard, "{text}");
        assert!(is_heard || reading.heard == Heard::Nothing, "{text}");
        let counts: Vec<_> = reading.guards.counts().map(|(guard, _)| guard).collect();
        assert_eq!(counts.contains(&Guard::Breath), !is_heard && !text.is_empty(), "{text}");
        assert_eq!(read(&recognition, None), read(&recognition, Some(voiced(600))), "{text}");
    }
}

/// As the engine gives them: a digit is a word.
fn spans_of(text: &str) -> Vec<WordSpan> {
    if text.chars().all(|c| c.is_ascii_digit()) {
        return spans(text);
    }
    Recognition::evenly(text, 0.99).words
}

fn guards_of(text: &str, probability: f32, no_speech: f32, speech_ms: u64) -> Vec<Guard> {
    let reading = read(&recognition(text, probability, no_speech), Some(voiced(speech_ms)));
    reading.guards.counts().map(|(guard, _)| guard).collect()
}

#[test]
fn each_guard_is_named_and_what_needs_none_has_none() {
    let table: [(&str, f32, f32, &[Guard]); 11] = [
        ("What are your opening hours?", 0.99, 0.0, &[]),
        ("[BLANK_AUDIO]", 0.99, 0.0, &[Guard::Remark]),
        ("♪ la la ♪", 0.99, 0.0, &[Guard::Remark]),
        ("Thanks for watching!", 0.99, 0.0, &[Guard::Caption]),
        ("Thank you.", 0.2, 0.4, &[Guard::Doubt]),
        ("My order please", 0.001, 0.2, &[Guard::Guess]),
        ("thank you thank you thank you", 0.99, 0.0, &[Guard::Repetition]),
        ("(music) thank you thank you thank you", 0.99, 0.0, &[Guard::Remark, Guard::Repetition]),
        (
            "thank you thank you thank you thank you thank you thank you thank you",
            0.99,
            0.0,
            &[Guard::Loop],
        ),
        ("call (555) 0100 please", 0.99, 0.0, &[]),
        ("", 0.99, 0.0, &[]),
    ];
    for (text, probability, no_speech, guards) in table {
        assert_eq!(guards_of(text, probability, no_speech, 3_000), guards, "{text}");
    }
}

#[test]
fn captions_are_taken_out_and_what_was_said_beside_them_stays() {
    let table = [
        ("My order is late. Thanks for watching!", "My order is late."),
        ("Thank you for watching. Where is it?", "Where is it?"),
        ("Where is it? Subtitles by the Amara.org community", "Where is it?"),
        ("Субтитры сделал DimaTorzok", "(nothing)"),
        ("Продолжение следует...", "(nothing)"),
        ("Untertitel der Amara.org-Community", "(nothing)"),
        ("Thank you for watching my house.", "Thank you for watching my house."),
        ("please subscribe", "(nothing)"),
        ("Please subscribe me to the list", "Please subscribe me to the list"),
        ("[INAUDIBLE] Thanks for watching.", "(unclear)"),
    ];
    for (text, left) in table {
        assert_eq!(text_of(&heard(text)), left, "{text}");
    }
}

#[test]
fn more_words_than_can_be_said_are_not_understood() {
    // Words, speech, and whether somebody can have said them: five words a second is fast talk.
    let table = [
        (1, 100, true),
        (3, 100, true),
        (4, 100, false),
        (6, 400, true),
        (7, 400, false),
        (10, 1_000, true),
        (12, 1_000, false),
        (50, 10_000, true),
        (84, 10_000, false),
        (1, 0, true),
    ];
    for (count, speech_ms, is_possible) in table {
        let words: Vec<String> = (0..count).map(|n| format!("word{}", "x".repeat(n))).collect();
        let reading = read(&recognition(&words.join(" "), 0.999, 0.0), Some(voiced(speech_ms)));
        let is_heard = matches!(reading.heard, Heard::Words { .. });
        assert_eq!(is_heard, is_possible, "{count} in {speech_ms} ms");
        let expected = if is_possible { Heard::Nothing } else { Heard::Unclear };
        assert!(is_heard || reading.heard == expected);
    }
    // Each digit of a number counts.
    assert_eq!(guards_of("4729 4729", 0.99, 0.0, 300), [Guard::Repetition; 0]);
    let spelt = Recognition { words: spans("47294729"), ..recognition("47294729", 0.9, 0.0) };
    assert_eq!(read(&spelt, Some(voiced(300))).heard, Heard::Unclear);
    assert_ne!(read(&spelt, Some(voiced(1_600))).heard, Heard::Unclear);
}

/// A span for each character.
fn spans(text: &str) -> Vec<WordSpan> {
    let span = |start: u32| WordSpan { start, end: start + 1, probability: 0.999 };
    (0..u32::try_from(text.len()).unwrap()).map(span).collect()
}

#[test]
fn guards_are_added_up() {
    let mut all = Guards::default();
    assert!(all.is_empty());
    for text in ["(music)", "(music) Thanks for watching."] {
        all.add(read(&recognition(text, 0.9, 0.0), None).guards);
    }
    let counts: Vec<(&str, u32)> = all.counts().map(|(guard, n)| (guard.name(), n)).collect();
    assert_eq!(counts, [("remark", 2), ("caption", 1)]);
    assert!(Guard::ALL.iter().enumerate().all(|(n, guard)| *guard as usize == n));
}
