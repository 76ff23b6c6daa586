use super::*;
use crate::base::Entropy;

fn to_engine() -> Vec<ToEngine> {
    let request = RequestId(7);
    let phrase = Phrase {
        language: "pt-br".to_owned(),
        voice: "slt".to_owned(),
        text: Private::new("Olá, até já.".to_owned()),
        is_known: true,
    };
    vec![
        ToEngine::Hello { version: VERSION },
        ToEngine::Transcribe {
            request,
            lane: 3,
            wish: DecodeWish::default(),
            audio: Private::new(vec![i16::MIN, 0, 1]),
        },
        ToEngine::Transcribe {
            request,
            lane: 0,
            wish: DecodeWish {
                languages: [LanguageCode::new("ru").unwrap(), LanguageCode::ENGLISH].to_vec(),
                urgency: Urgency::Partial,
                hint: Hint::new(["opening hours", "да"]),
            },
            audio: Private::new(Vec::new()),
        },
        ToEngine::Cancel { request },
        ToEngine::Speak { request, phrase },
        ToEngine::Ping { nonce: u64::MAX },
    ]
}

fn turn_report() -> TurnReport {
    TurnReport { name: "smart-turn-v3.2".to_owned(), fault: Some("no library".to_owned()) }
}

fn reports() -> Vec<VoiceReport> {
    let report = |name: &str, device: &str, fault: Option<&str>| VoiceReport {
        name: name.to_owned(),
        device: device.to_owned(),
        fault: fault.map(str::to_owned),
    };
    vec![report("a:p227", "cuda", None), report("/b.onnx", "", Some("it is no graph"))]
}

fn from_engine() -> Vec<FromEngine> {
    let request = RequestId(u64::MAX);
    let transcript = Transcript {
        recognition: Recognition {
            ending: 0.5,
            no_speech: 0.25,
            goes_on: Some(0.75),
            ..Recognition::evenly(" four fünf 6.", 0.75)
        },
        decode_ms: 61,
        detected: LanguageCode::new("ru").map(|language| Detected { language, probability: 0.5 }),
    };
    let ready = Ready {
        device: "cpu (no GPU found)".to_owned(),
        model: "starter-en".to_owned(),
        model_sha256: [9; 32],
        window_ms: 10_240,
        lanes: 5,
        decoders: 2,
        voices: vec!["slt".to_owned(), "espeak".to_owned()],
        languages: vec![LanguageCode::ENGLISH],
        neural: reports(),
        turn: Some(turn_report()),
        load_ms: 40,
        warm_ms: 200,
    };
    let mut all = vec![
        FromEngine::Ready(ready),
        FromEngine::Mismatch { version: 2 },
        FromEngine::Text { request, transcript },
        FromEngine::Audio { request, offset: 320, samples: Private::new(vec![5; 320]) },
        FromEngine::Spoken { request, samples: 640 },
        FromEngine::Cancelled { request },
        FromEngine::Pong { nonce: 1, waiting: 4 },
        FromEngine::Voices(reports()),
        FromEngine::Turn(turn_report()),
    ];
    all.extend(FAILURES.map(|(_, failure)| FromEngine::Failed { request, failure }));
    all
}

fn round_trip<M: Message + PartialEq + std::fmt::Debug>(messages: &[M]) -> Vec<u8> {
    let mut bytes = Vec::new();
    messages.iter().for_each(|message| message.encode(&mut bytes));
    let mut inbox = Inbox::default();
    let mut decoded = Vec::new();
    for piece in bytes.chunks(3) {
        inbox.push(piece);
        while let Some(message) = inbox.take::<M>().unwrap() {
            decoded.push(message);
        }
    }
    assert_eq!(decoded, messages);
    bytes
}

#[test]
fn every_message_survives_the_socket_however_it_is_cut() {
    round_trip(&to_engine());
    round_trip(&from_engine());
}

#[test]
fn a_message_that_is_too_long_is_refused_before_it_is_collected() {
    let mut inbox = Inbox::default();
    let length = u32::try_from(limits::ENGINE_MESSAGE_BYTES).unwrap() + 1;
    inbox.push(&length.to_le_bytes());
    let longest = limits::ENGINE_MESSAGE_BYTES + 1;
    assert_eq!(inbox.take::<ToEngine>(), Err(ProtocolError::TooLong(longest)));
}

#[test]
fn what_does_not_fit_its_kind_is_refused() {
    let cases: [(&[u8], ProtocolError); 6] = [
        (&[0, 0, 0, 0], ProtocolError::Truncated),
        (&[1, 0, 0, 0, 99], ProtocolError::UnknownKind(99)),
        (&[2, 0, 0, 0, 1, 1], ProtocolError::Truncated),
        (&[4, 0, 0, 0, 1, 1, 0, 0], ProtocolError::TrailingBytes),
        // Ten samples announced, none there.
        (&[15, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0], ProtocolError::Truncated),
        // A language of 4 GiB.
        (&[13, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255], ProtocolError::BadValue),
    ];
    for (bytes, expected) in cases {
        let mut inbox = Inbox::default();
        inbox.push(bytes);
        assert_eq!(inbox.take::<ToEngine>(), Err(expected), "{bytes:?}");
    }
}

#[test]
fn a_probability_is_a_probability() {
    for wrong in [f32::NAN, -0.1, 1.5] {
        let sound = Recognition::evenly("yes please", 0.9);
        for recognition in [
            Recognition::evenly("yes please", wrong),
            Recognition { ending: wrong, ..sound.clone() },
            Recognition { no_speech: wrong, ..sound.clone() },
            Recognition { goes_on: Some(wrong), ..sound },
        ] {
            assert_eq!(sent(recognition), Err(ProtocolError::BadValue));
        }
    }
}

fn sent(recognition: Recognition) -> Result<Option<FromEngine>, ProtocolError> {
    let transcript = Transcript { recognition, decode_ms: 0, detected: None };
    let mut bytes = Vec::new();
    FromEngine::Text { request: RequestId(1), transcript }.encode(&mut bytes);
    let mut inbox = Inbox::default();
    inbox.push(&bytes);
    inbox.take()
}

#[test]
fn a_word_lies_in_its_text_and_after_the_one_before() {
    for (start, end) in [(0, 0), (3, 99), (0, 3), (5, 4), (6, 8)] {
        let mut recognition = Recognition::evenly("yes müde", 0.9);
        recognition.words[1] = WordSpan { start, end, probability: 0.5 };
        let outcome = sent(recognition);
        // What lies beyond the text is not even sent.
        let is_refused = outcome == Err(ProtocolError::BadValue);
        assert!(is_refused || (end > 8 && outcome.is_ok()), "{start} to {end}");
    }
}

#[test]
fn more_words_than_a_text_may_have_are_refused_and_never_sent() {
    let recognition = Recognition::evenly(&"a ".repeat(limits::TRANSCRIPT_WORDS + 9), 0.9);
    let Ok(Some(FromEngine::Text { transcript, .. })) = sent(recognition) else { panic!() };
    assert_eq!(transcript.recognition.words.len(), limits::TRANSCRIPT_WORDS);
    // An empty text with four thousand million words.
    let mut bytes = vec![17, 0, 0, 0, 131, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([255; 4]);
    let mut inbox = Inbox::default();
    inbox.push(&bytes);
    assert_eq!(inbox.take::<FromEngine>(), Err(ProtocolError::BadValue));
}

#[test]
fn texts_beyond_the_limit_are_cut_at_a_character() {
    let text = Private::new("ä".repeat(TEXT_BYTES));
    let (language, voice) = ("de".to_owned(), String::new());
    let phrase = Phrase { language, voice, text, is_known: false };
    let mut bytes = Vec::new();
    ToEngine::Speak { request: RequestId(1), phrase }.encode(&mut bytes);
    let mut inbox = Inbox::default();
    inbox.push(&bytes);
    let Some(ToEngine::Speak { phrase, .. }) = inbox.take().unwrap() else { panic!("not a Speak") };
    assert_eq!(phrase.text.reveal().len(), TEXT_BYTES);
}

#[test]
fn a_hundred_thousand_damaged_streams_are_read_without_a_panic() {
    let streams = [round_trip(&to_engine()), round_trip(&from_engine())];
    let mut entropy = Entropy::new([3; 32]);
    for round in 0..100_000_usize {
        let mut bytes = streams[round % 2].clone();
        for _ in 0..=entropy.next_u16() % 6 {
            let at = entropy.next_u32() as usize % bytes.len();
            match entropy.next_u16() % 4 {
                0 => bytes[at] = entropy.next_u16() as u8,
                1 => bytes[at] ^= 1 << (entropy.next_u16() % 8),
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, entropy.next_u16() as u8),
            }
        }
        let mut inbox = Inbox::default();
        inbox.push(&bytes);
        // Each stream is read as its own direction and as the other.
        if round % 4 < 2 {
            while let Ok(Some(_)) = inbox.take::<ToEngine>() {}
        } else {
            while let Ok(Some(_)) = inbox.take::<FromEngine>() {}
        }
    }
}
