//! A call in memory: plays what is said at once and compares it with a transcript.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::{Private, UtteranceId};
use crate::converse::*;

/// Drives one conversation under a clock of its own.
pub struct Desk {
    pub conversation: Conversation,
    pub now: Instant,
    pub said: Vec<Say>,
    pub stopped: Vec<UtteranceId>,
    pub messages: Vec<Message>,
    pub records: Vec<Record>,
    pub awaited: Awaited,
    pub asked: Vec<(AskId, llm::Chat)>,
    pub cancelled: Vec<AskId>,
    pub digits: Vec<String>,
    pub transfers: Vec<people::Address>,
    /// What each of them is told first.
    pub offers: Vec<String>,
    pub is_accepted: bool,
    pub is_given_up: bool,
    pub looked_up: Vec<lookup::LookUp>,
    pub look_ups_cancelled: usize,
    pub ended: Option<EndCause>,
    pub deadline: Option<Instant>,
}

impl Desk {
    pub fn new() -> Self {
        Self::with(Playbook::logistics(), Settings::default())
    }

    pub fn with(playbook: Playbook, settings: Settings) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test's clock needs a beginning")]
        let now = Instant::now();
        Self {
            conversation: Conversation::new(Arc::new(playbook), settings),
            now,
            said: Vec::new(),
            stopped: Vec::new(),
            messages: Vec::new(),
            records: Vec::new(),
            awaited: Expectation::Anything.into(),
            asked: Vec::new(),
            cancelled: Vec::new(),
            digits: Vec::new(),
            transfers: Vec::new(),
            offers: Vec::new(),
            is_accepted: false,
            is_given_up: false,
            looked_up: Vec::new(),
            look_ups_cancelled: 0,
            ended: None,
            deadline: None,
        }
    }

    /// Gives one input and drains; what is said stays unplayed.
    pub fn give(&mut self, input: Input) {
        self.conversation.handle(self.now, input);
        loop {
            match self.conversation.poll_output() {
                Output::Say(say) => self.said.push(say),
                Output::Stop(utterance) => self.stopped.push(utterance),
                Output::Expect(awaited) => self.awaited = awaited,
                Output::TakeMessage(message) => self.messages.push(message),
                Output::Record(record) => self.records.push(record),
                Output::Ask { ask, chat } => self.asked.push((ask, *chat)),
                Output::CancelAsk(ask) => self.cancelled.push(ask),
                Output::RecordMessage(message) => self.messages.push(*message),
                Output::SendDigits(digits) => self.digits.push(digits.into_revealed()),
                Output::Transfer(transfer) => {
                    self.transfers.push(transfer.to);
                    self.offers.push(transfer.offer.into_revealed());
                }
                Output::Accepted => self.is_accepted = true,
                Output::GiveUpTransfer => self.is_given_up = true,
                Output::LookUp(asked) => self.looked_up.push(asked),
                Output::CancelLookUp => self.look_ups_cancelled += 1,
                Output::Prepare(_) => (),
                Output::HangUp(cause) => {
                    assert_eq!(self.ended.replace(cause), None, "hung up twice");
                }
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    /// Plays everything that waits and gives the plain words.
    pub fn play(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        while !self.said.is_empty() {
            let say = self.said.remove(0);
            words.push(plain(say.text.reveal()));
            self.give(Input::Finished { utterance: say.utterance });
        }
        words
    }

    pub fn hear(&mut self, text: &str) {
        self.give(Input::CallerSpeaking);
        self.give(Input::CallerSilent { since: self.now });
        self.give(Input::Heard(Speech::certain(text)));
    }

    /// Lets time pass, firing every deadline on its way.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.deadline.filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.give(Input::Timeout);
        }
        self.now = until;
    }
}

/// Runs a transcript. Lines: `caller:`, `marked:` (see [`speech`]), `doubtful:`, `keys:`, `unclear`, `desk:` (exactly what is said next),
/// `message: topic | name | number | text | fields`, `end: cause`, `expect: what`.
pub fn transcript(script: &str) {
    let mut desk = Desk::new();
    run(&mut desk, script);
}

pub fn run(desk: &mut Desk, script: &str) {
    desk.give(Input::Connected);
    let mut said = desk.play();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (who, what) = line.split_once(':').unwrap_or((line, ""));
        let what = what.trim();
        match who {
            "desk" => {
                assert!(!said.is_empty(), "the desk was silent, expected: {what}\n{script}");
                assert_eq!(said.remove(0), what, "{script}");
            }
            "message" => {
                assert!(!desk.messages.is_empty(), "no message: {what}\n{script}");
                assert_eq!(shown(&desk.messages.remove(0)), what, "{script}");
            }
            "end" => assert_eq!(format!("{:?}", desk.ended), format!("Some({what})"), "{script}"),
            "expect" => assert_eq!(format!("{:?}", desk.awaited.answer), what, "{script}"),
            "pause" => {
                assert_eq!(format!("{:?}", desk.awaited.patience.unknown_ms), what, "{script}")
            }
            _ => {
                assert_eq!(said, Vec::<String>::new(), "said beyond the transcript, at {line}");
                assert_eq!(desk.messages, Vec::new(), "a message beyond the transcript, at {line}");
                match who {
                    "caller" => desk.hear(what),
                    "keys" => what.chars().for_each(|key| desk.give(Input::Digit(key))),
                    "wait" => {
                        desk.wait(Duration::from_secs(what.parse().expect("seconds")));
                    }
                    "unclear" => desk.give(Input::HeardUnclear),
                    "doubtful" => desk.give(Input::Heard(Speech::evenly(what, 0.1))),
                    "marked" => {
                        // A sentence is hardly surer than its least sure word.
                        let speech = speech(what);
                        let each = speech.words.iter().map(|word| word.confidence);
                        let confidence = each.fold(1.0, f32::min);
                        desk.give(Input::Heard(Speech { confidence, ..speech }));
                    }
                    other => panic!("no such line: {other}"),
                }
                said = desk.play();
            }
        }
    }
    assert_eq!(said, Vec::<String>::new(), "said beyond the transcript\n{script}");
    assert_eq!(desk.messages, Vec::new(), "a message beyond the transcript\n{script}");
}

fn shown(message: &Message) -> String {
    let text = |value: &Option<Private<String>>| {
        value.as_ref().map_or("-".to_owned(), |text| text.reveal().clone())
    };
    let fields: Vec<String> =
        message.fields.iter().map(|(name, value)| format!("{name}={}", value.reveal())).collect();
    let (name, number, words) = (text(&message.name), text(&message.number), text(&message.text));
    format!("{} | {name} | {number} | {words} | {}", message.topic, fields.join(" "))
        .trim_end()
        .to_owned()
}

/// `marked` has a confidence after each word that is not certain: `uh/0.2`; `/0.1` alone is a
/// part that was not understood.
pub fn speech(marked: &str) -> Speech {
    let (mut text, mut words) = (String::new(), Vec::new());
    for (index, piece) in marked.split(' ').enumerate() {
        let (word, confidence) = piece.split_once('/').unwrap_or((piece, "1"));
        text.push_str(if index > 0 && !word.is_empty() { " " } else { "" });
        let range = text.len()..text.len() + word.len();
        text.push_str(word);
        words.push(Word { range, confidence: confidence.parse().unwrap() });
    }
    Speech { words, ..Speech::certain(&text) }
}
