use super::*;
use crate::speech::flite::{Flite, Flow};

/// The starter model with one lane and one thread.
fn with_starter(test: impl FnOnce(&Whisper, &mut Recogniser<'_>, &mut WhisperState)) {
    let model = ModelSource::Starter.read().unwrap();
    let whisper = Whisper::load(&ModelSource::Starter, &model, DeviceWish::Cpu).unwrap();
    let mut lane = whisper.lane().unwrap();
    test(&whisper, &mut whisper.recogniser(1, &[LanguageCode::ENGLISH]), &mut lane);
}

pub fn spoken(text: &str) -> Vec<i16> {
    let mut audio = Vec::new();
    let mut sink = |piece: &[i16]| {
        audio.extend_from_slice(piece);
        Flow::Continue
    };
    Flite::open().unwrap().speak(text, &mut sink).unwrap();
    audio
}

fn text_of(decoded: Decoded) -> String {
    match decoded {
        Decoded::Text(transcript) => transcript.recognition.text.into_revealed(),
        other => panic!("no text but {other:?}"),
    }
}

fn languages(languages: &[LanguageCode]) -> DecodeWish {
    DecodeWish { languages: languages.to_vec(), ..DecodeWish::default() }
}

static GO_ON: AtomicBool = AtomicBool::new(false);

#[test]
fn speech_has_text_and_confidence_wherever_it_begins() {
    with_starter(|_, recogniser, lane| {
        let speech = spoken("what are your opening hours");
        let late = [vec![0; 48_000], speech.clone()].concat();
        let mut texts = Vec::new();
        for audio in [speech, late] {
            match recogniser.decode(lane, &audio, &GO_ON) {
                Decoded::Text(transcript) => {
                    let Recognition { text, words, ending, no_speech, .. } = transcript.recognition;
                    assert!(words.iter().all(|word| word.probability > 0.2), "{words:?}");
                    assert_eq!(words.len(), text.reveal().split_whitespace().count());
                    assert!(ending > 0.2 && no_speech < 0.3, "{ending} {no_speech}");
                    texts.push(text);
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(texts[0].reveal().to_lowercase().contains("hours"), "{}", texts[0].reveal());
        assert_eq!(texts[0], texts[1]);
    });
}

#[test]
fn silence_noise_and_clips_that_are_too_short_have_no_text() {
    with_starter(|_, recogniser, lane| {
        for audio in [vec![], vec![0; 1], vec![9_000; 100], vec![0; 16_000], vec![30; 80_000]] {
            assert_eq!(text_of(recogniser.decode(lane, &audio, &GO_ON)), "");
        }
    });
}

#[test]
fn what_does_not_fit_the_window_is_refused_and_not_cut() {
    with_starter(|whisper, recogniser, lane| {
        let audio = vec![1_000; whisper.window_samples() + 1];
        let refused = Decoded::Failed(Failure::TooLong);
        assert_eq!(recogniser.decode(lane, &audio, &GO_ON), refused);
    });
}

#[test]
fn a_hint_is_tokens_within_half_of_the_context_and_none_where_prompts_are_off() {
    with_starter(|whisper, recogniser, lane| {
        let hint = Hint::new(["0 1 2 3", "track a parcel"]);
        assert!(recogniser.prompt(&hint).is_empty());
        recogniser.prompts = true;
        assert!(recogniser.prompt(&Hint::default()).is_empty());
        let text = whisper.context.tokenize(" 0 1 2 3, track a parcel.", 64).unwrap();
        assert_eq!(recogniser.prompt(&hint), text);
        let long = vec!["zxqj".repeat(10); 20];
        let tokens = recogniser.prompt(&Hint::new(long.iter().map(String::as_str)));
        assert_eq!(tokens.len() as i32, whisper.context.n_text_ctx() / 2 - 1);
        // The model takes it.
        let wish = DecodeWish { hint, ..DecodeWish::default() };
        let decoded = recogniser.decode_in(lane, &spoken("one two three"), &wish, &GO_ON);
        assert!(matches!(decoded, Decoded::Text(_)), "{decoded:?}");
    });
}

#[test]
fn a_cancelled_decode_says_so_and_the_lane_goes_on() {
    with_starter(|_, recogniser, lane| {
        let audio = spoken("what are your opening hours");
        assert_eq!(recogniser.decode(lane, &audio, &AtomicBool::new(true)), Decoded::Cancelled);
        assert_ne!(text_of(recogniser.decode(lane, &audio, &GO_ON)), "");
    });
}

#[test]
fn whisper_itself_sees_the_flag_between_encoder_and_decoder() {
    with_starter(|_, recogniser, lane| {
        recogniser.samples = spoken("what are your opening hours")
            .iter()
            .map(|&sample| f32::from(sample) / 32_768.0)
            .collect();
        let flag = AtomicBool::new(true);
        let first_look = recogniser.whisper.first_look();
        let length = recogniser.samples.len();
        let parameters = recogniser.parameters_for(0, length, &flag, &first_look);
        assert!(lane.full(parameters, &recogniser.samples).is_err());
    });
}

#[test]
fn the_context_fits_the_utterance_in_steps() {
    with_starter(|whisper, _, _| {
        let entries = |ms| whisper.context_for(pcm::ms_to_samples(ms));
        assert_eq!([300, 1_000, 1_100, 3_000, 10_000].map(entries), [64, 64, 128, 192, 512]);
    });
}

#[test]
fn the_first_look_weighs_remarks_against_all_words() {
    let look = FirstLook { vocabulary: 4, remarks: &[1, 9], no_speech: AtomicU32::new(0) };
    for (logits, no_speech) in [
        ([0.0, 0.0, 0.0, 0.0], 0.25),
        ([0.0, f32::NEG_INFINITY, 0.0, 0.0], 0.0),
        ([-90.0, 90.0, f32::NEG_INFINITY, 0.0], 1.0),
        ([f32::NEG_INFINITY; 4], 0.0),
    ] {
        look.see(&logits);
        let seen = look.no_speech();
        assert!((seen - no_speech).abs() < 1e-6, "{logits:?}: {seen}");
    }
    with_starter(|whisper, recogniser, lane| {
        assert!(whisper.remarks.len() > 4);
        // Rattle: loud and soft in turn, so that it is given to the model, and no voice.
        let rattle: Vec<i16> = (0..24_000_i32)
            .map(|n| if n / 800 % 3 == 0 { ((n * 7_919) % 20_001 - 10_000) as i16 } else { 0 })
            .collect();
        let Decoded::Text(heard) = recogniser.decode(lane, &rattle, &GO_ON) else { panic!() };
        assert!(heard.recognition.no_speech > 0.5, "{}", heard.recognition.no_speech);
    });
}

/// Memory does not grow however long the engine hears. A quarter of an hour: run by name.
#[test]
#[ignore = "ten thousand decodes"]
fn ten_thousand_utterances_leave_no_memory_behind() {
    with_starter(|_, recogniser, lane| {
        let speech = spoken("one two three four five six");
        let clips: Vec<&[i16]> = speech.chunks_exact(pcm::ms_to_samples(500)).collect();
        let mut sizes = Vec::new();
        for n in 0..10_000 {
            recogniser.decode(lane, clips[n % clips.len()], &GO_ON);
            if n % 1_000 == 999 {
                sizes.push(resident_kib());
                println!("{} utterances: {} KiB", n + 1, sizes[sizes.len() - 1]);
            }
        }
        let grown = sizes[9].saturating_sub(sizes[0]);
        assert!(grown < 1_024, "grown by {grown} KiB");
    });
}

/// Processor time of a decode on one thread, and of the voice. Printed, never judged.
#[test]
#[ignore = "measures"]
fn costs() {
    with_starter(|whisper, recogniser, lane| {
        let text = "what are your opening hours, and where is my order, number four five six \
                    seven, I would like to speak to a person about my delivery please";
        let speech = spoken(text);
        println!("model: {}, {} KiB resident", whisper.device, resident_kib());
        for ms in [500, 1_000, 2_000, 3_000, 6_000] {
            let audio = &speech[pcm::ms_to_samples(200)..][..pcm::ms_to_samples(ms)];
            let cost = |_| {
                let begun = cpu_time();
                recogniser.decode(lane, audio, &GO_ON);
                cpu_time() - begun
            };
            let best = (0..10).map(cost).min().unwrap();
            println!("{ms} ms of speech: {:.1} ms", best.as_secs_f64() * 1_000.0);
        }
        for text in ["yes", "your order is on its way and will arrive tomorrow", text] {
            let begun = cpu_time();
            let mut first = None;
            let mut samples = 0;
            let mut sink = |piece: &[i16]| {
                first.get_or_insert_with(|| cpu_time() - begun);
                samples += piece.len();
                Flow::Continue
            };
            Flite::open().unwrap().speak(text, &mut sink).unwrap();
            let seconds = samples as f64 / 16_000.0;
            println!(
                "slt, {seconds:.1} s: first samples after {:.1} ms, {:.1} ms a second",
                first.unwrap().as_secs_f64() * 1_000.0,
                (cpu_time() - begun).as_secs_f64() * 1_000.0 / seconds
            );
        }
    });
}

/// What this thread has used of a core: the rest of the machine does not count.
fn cpu_time() -> std::time::Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// Resident memory of this test program.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_language_that_the_model_does_not_know_is_refused_and_not_heard_as_english() {
    with_starter(|whisper, recogniser, lane| {
        let (en, ru) = (LanguageCode::ENGLISH, LanguageCode::new("ru").unwrap());
        assert_eq!(whisper.heard_of(&[en, ru]), [en]);
        let audio = spoken("what are your opening hours");
        let refused = recogniser.decode_in(lane, &audio, &languages(&[ru]), &GO_ON);
        assert_eq!(refused, Decoded::Failed(Failure::WrongLanguage));
        // Nothing to decide: it knows one of the two.
        match recogniser.decode_in(lane, &audio, &languages(&[ru, en]), &GO_ON) {
            Decoded::Text(transcript) => assert_eq!(transcript.detected, None),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn the_likeliest_language_is_chosen_among_those_that_are_asked_for() {
    let (en, ru, de) =
        (LanguageCode::ENGLISH, LanguageCode::new("ru").unwrap(), LanguageCode::new("de").unwrap());
    let id = |language: LanguageCode| {
        usize::try_from(whisper_rs::get_lang_id(language.as_str()).unwrap()).unwrap()
    };
    let shares = |of: &[(LanguageCode, f32)]| {
        let mut shares = vec![0.0; 100];
        of.iter().for_each(|(language, share)| shares[id(*language)] = *share);
        shares
    };
    let chosen =
        |place, language, probability| Some((place, Some(Detected { language, probability })));
    let candidates = [(0, en), (2, ru)];
    let table = [
        (shares(&[(en, 0.25), (ru, 0.75)]), chosen(2, ru, 0.75)),
        // Another one is likelier, but nobody has configured it.
        (shares(&[(en, 0.3), (ru, 0.1), (de, 0.6)]), chosen(0, en, 0.75)),
        (shares(&[(en, f32::NAN), (ru, 0.5)]), chosen(2, ru, 1.0)),
        (shares(&[(de, 1.0)]), None),
        (Vec::new(), None),
    ];
    for (shares, expected) in table {
        assert_eq!(likeliest(&candidates, &shares), expected, "{shares:?}");
    }
}

#[test]
fn a_look_at_the_language_does_not_depend_on_the_decode_before() {
    with_starter(|whisper, recogniser, lane| {
        let (short, long) = (spoken("yes"), spoken("what are your opening hours on monday please"));
        let entries = |audio: &[i16]| whisper.context_for(audio.len());
        assert_ne!(entries(&short), entries(&long));
        // What the model thinks before the first word, as `lang_detect` asks it.
        let mut look = |recogniser: &mut Recogniser<'_>, before: &[i16], is_prepared: bool| {
            assert_ne!(text_of(recogniser.decode(lane, before, &GO_ON)), "");
            recogniser.samples = short.iter().map(|&s| f32::from(s) / 32_768.0).collect();
            match is_prepared {
                true => recogniser.prepare(lane).unwrap(),
                false => lane.pcm_to_mel(&recogniser.samples, 1).unwrap(),
            }
            lane.encode(0, 1).unwrap();
            lane.decode(&[whisper.context.token_sot()], 0, 1).unwrap();
            lane.get_logits().unwrap().to_vec()
        };
        let after_short = look(recogniser, &short, true);
        assert_eq!(look(recogniser, &long, true), after_short);
        assert_ne!(look(recogniser, &long, false), after_short, "what `prepare` is for");
    });
}

#[test]
fn the_starter_tells_first_words_from_a_sentence_and_its_mark_is_in_no_text() {
    with_starter(|_, recogniser, lane| {
        let table = [
            ("my order number is", " My order number is", true),
            ("where is my", " Where is my", true),
            ("what are your opening hours", " What are your opening hours?", false),
            ("can I leave a message", " Can I leave a message?", false),
        ];
        for (said, text, expected) in table {
            let Decoded::Text(transcript) = recogniser.decode(lane, &spoken(said), &GO_ON) else {
                panic!("no text of {said}")
            };
            let Recognition { text: heard, goes_on, .. } = transcript.recognition;
            let goes_on = goes_on.expect("the starter tells") > 0.5;
            assert_eq!((heard.reveal().as_str(), goes_on), (text, expected));
        }
    });
}
