//! Whether a call came out as its scenario wants it. Pure.

use std::time::Duration;

use regex::Regex;

use super::caller::{CallLog, Closing};
use super::far_end::{FarMessage, Words};
use super::scenario::{End, MessageWanted, Scenario};
use super::script::{Performed, Verdict, What};
use crate::sip::EndCause;

/// One thing that was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// As a sentence.
    pub wanted: String,
    /// What came instead; `None` if it came as wanted.
    pub instead: Option<String>,
}

impl Outcome {
    pub(super) fn is_met(&self) -> bool {
        self.instead.is_none()
    }

    fn new(wanted: String, met: bool, instead: impl FnOnce() -> String) -> Self {
        Self { wanted, instead: (!met).then(instead) }
    }
}

/// What is known after a call.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub log: &'a CallLog,
    /// The greeting's words, then those of each act's reply.
    pub words: &'a [Words],
    /// `None` where the far end's record is not known.
    pub messages: Option<&'a [FarMessage]>,
}

/// Every wish of the scenario, in the order of its file; expectations of a single reply stand with
/// the turns ([`expectations`]).
pub(super) fn outcomes(scenario: &Scenario, known: &Known<'_>) -> Vec<Outcome> {
    let Known { log, words, messages } = known;
    let wanted = &scenario.wanted;
    let mut all = vec![every_turn(scenario, log)];
    for (at, turn) in scenario.turns.iter().enumerate() {
        let Some(limit) = turn.stops_within else { continue };
        let mut acts = log.acts.iter().filter(|act| act.what == What::Turn(at));
        let after = acts.find_map(|act| act.exchange.stopped_after());
        let wanted = format!("turn {} stops the other end within {} s", at + 1, seconds(limit));
        all.push(Outcome::new(wanted, after.is_some_and(|after| after <= limit), || match after {
            Some(after) => format!("it went on for {} s", seconds(after)),
            None => "it did not stop, or was not speaking".to_owned(),
        }));
    }
    if let Some(end) = wanted.end {
        all.push(ended_by(end, log.closing));
    }
    if let Some(limit) = wanted.longest_silence {
        let longest = log.longest_quiet;
        let wanted = format!("nobody is silent for more than {} s", seconds(limit));
        all.push(Outcome::new(wanted, longest <= limit, || format!("{} s", seconds(longest))));
    }
    let replies: Vec<&str> = words.iter().map(|words| words.reply.as_str()).collect();
    let replies = replies.join(" ");
    for pattern in &wanted.never {
        let found = pattern.find(&replies);
        let wanted = format!("the other end never says {:?}", pattern.as_str());
        all.push(Outcome::new(wanted, found.is_none(), || {
            format!("it said {:?}", found.map_or("", |found| found.as_str()))
        }));
    }
    if let (Some(wanted), Some(left)) = (&wanted.messages, messages) {
        all.push(messages_left(wanted, left));
    }
    all
}

fn every_turn(scenario: &Scenario, log: &CallLog) -> Outcome {
    let made = log.acts.iter().filter_map(|act| match act.what {
        What::Turn(turn) => Some(turn + 1),
        What::Whenever(_) => None,
    });
    let made = made.max().unwrap_or(0);
    let wanted = "every turn is made".to_owned();
    Outcome::new(wanted, log.verdict == Verdict::Complete, || {
        let why = match log.verdict {
            Verdict::GaveUp => "then the caller gave up",
            Verdict::TooLong => "then the longest time was over",
            Verdict::Complete | Verdict::BrokenOff => "then the call was over",
        };
        format!("{made} of {}, {why}", scenario.turns.len())
    })
}

fn ended_by(wanted: End, closing: Closing) -> Outcome {
    let by = match closing {
        Closing::Ended(EndCause::ByPeer) => Some(End::Desk),
        Closing::Ended(EndCause::ByUs) => Some(End::Caller),
        _ => None,
    };
    let name = |end| match end {
        End::Desk => "the other end",
        End::Caller => "the caller",
    };
    Outcome::new(format!("{} hangs up", name(wanted)), by == Some(wanted), || match by {
        Some(by) => format!("{} did", name(by)),
        None => "the call was lost".to_owned(),
    })
}

/// Each wanted message has one of its own, and none is left over.
fn messages_left(wanted: &[MessageWanted], left: &[FarMessage]) -> Outcome {
    let fits = |wanted: &MessageWanted, message: &FarMessage| {
        wanted
            .parts
            .iter()
            .all(|(name, pattern)| message.part(name).is_some_and(|text| pattern.is_match(text)))
    };
    // Messages are left one after the other, so they come in the order of the file.
    let met = wanted.len() == left.len() && wanted.iter().zip(left).all(|(w, m)| fits(w, m));
    let describe = |wanted: &MessageWanted| {
        let parts: Vec<String> =
            wanted.parts.iter().map(|(name, what)| format!("{name} {:?}", what.as_str())).collect();
        format!("({})", parts.join(", "))
    };
    let sentence = match wanted {
        [] => "no message is left".to_owned(),
        some => {
            let all: Vec<String> = some.iter().map(describe).collect();
            format!("messages left: {}", all.join(", "))
        }
    };
    Outcome::new(sentence, met, || {
        let all: Vec<String> = left.iter().map(shown).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    })
}

fn shown(message: &FarMessage) -> String {
    let parts: Vec<String> =
        message.parts.iter().map(|(name, text)| format!("{name} {text:?}")).collect();
    format!("({})", parts.join(", "))
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}

/// A pattern and whether a reply matched it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub pattern: String,
    pub met: bool,
}

/// The greeting's, then each turn's, judged by all that came after the turn's first try and before
/// the next turn.
pub(super) fn expectations(
    scenario: &Scenario,
    acts: &[Performed],
    words: &[Words],
) -> Vec<Vec<Expected>> {
    let mut replies = vec![String::new(); scenario.turns.len() + 1];
    let mut owner = 0;
    let owners = std::iter::once(0).chain(acts.iter().map(|act| {
        if let What::Turn(turn) = act.what {
            owner = turn + 1;
        }
        owner
    }));
    for (owner, words) in owners.zip(words) {
        if let Some(reply) = replies.get_mut(owner) {
            reply.push_str(&words.reply);
            reply.push(' ');
        }
    }
    let judged = |patterns: &Vec<Regex>, reply: &str| {
        let judge = |what: &Regex| Expected {
            pattern: what.as_str().to_owned(),
            met: what.is_match(reply.trim_end()),
        };
        patterns.iter().map(judge).collect()
    };
    let lists = std::iter::once(&scenario.greeting).chain(scenario.turns.iter().map(|t| &t.expect));
    lists.zip(&replies).map(|(patterns, reply)| judged(patterns, reply)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::cli::call::scenario::{Act, Turn, Wanted, When, pattern};
    use crate::cli::call::script::Exchange;
    use crate::cli::call::talk::Mark;

    fn log(verdict: Verdict, closing: Closing) -> CallLog {
        CallLog {
            sip_call_id: String::new(),
            answer_delay: Some(Duration::ZERO),
            lasted: Duration::ZERO,
            srtp: None,
            codec: None,
            greeting: Exchange::default(),
            acts: Vec::new(),
            longest_quiet: Duration::from_secs(9),
            words: None,
            verdict,
            closing,
            rtp: crate::call::media::Report::default(),
            heard: Vec::new(),
            sent: Vec::new(),
        }
    }

    fn message(parts: &[(&str, &str)]) -> FarMessage {
        let part = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        FarMessage { parts: parts.iter().map(part).collect() }
    }

    fn wanted(parts: &[(&str, &str)]) -> MessageWanted {
        let part = |(name, text): &(&str, &str)| ((*name).to_owned(), pattern(text).unwrap());
        MessageWanted { parts: parts.iter().map(part).collect() }
    }

    fn missed(scenario: &Scenario, log: &CallLog, words: &[Words], left: &[FarMessage]) -> String {
        let all = outcomes(scenario, &Known { log, words, messages: Some(left) });
        let missed: Vec<String> = all.into_iter().filter_map(|outcome| outcome.instead).collect();
        missed.join("; ")
    }

    #[test]
    fn a_call_is_as_wanted_only_if_every_wish_came_true() {
        let reply = |text: &str| [Words { reply: text.to_owned(), ..Words::default() }];
        let wishes = Wanted {
            end: Some(End::Desk),
            longest_silence: Some(Duration::from_secs(10)),
            never: vec![pattern("secret").unwrap()],
            messages: Some(vec![]),
            ..Wanted::default()
        };
        let scenario = Scenario { wanted: wishes, ..Scenario::default() };
        let ended = Closing::Ended(EndCause::ByPeer);
        let good = log(Verdict::Complete, ended);
        assert_eq!(missed(&scenario, &good, &reply("goodbye"), &[]), "");
        assert_eq!(missed(&scenario, &good, &reply("a Secret"), &[]), "it said \"Secret\"");
        let by_us = log(Verdict::Complete, Closing::Ended(EndCause::ByUs));
        assert_eq!(missed(&scenario, &by_us, &reply(""), &[]), "the caller did");
        let early = log(Verdict::GaveUp, ended);
        assert_eq!(missed(&scenario, &early, &reply(""), &[]), "0 of 0, then the caller gave up");
        let silent = CallLog { longest_quiet: Duration::from_secs(12), ..good };
        assert_eq!(missed(&scenario, &silent, &reply(""), &[]), "12.0 s");
        let left = [message(&[("topic", "x")])];
        assert!(missed(&scenario, &silent, &reply(""), &left).contains("(topic \"x\")"));
    }

    #[test]
    fn a_message_with_a_wrong_number_or_one_too_many_is_not_what_was_wanted() {
        let one = [wanted(&[("topic", "message"), ("number", "^5550142$")])];
        let right = message(&[("topic", "leave a message"), ("number", "5550142")]);
        let wrong = message(&[("topic", "leave a message"), ("number", "5550143")]);
        let none = message(&[("topic", "leave a message")]);
        assert!(messages_left(&one, std::slice::from_ref(&right)).is_met());
        for left in [vec![wrong], vec![none], vec![], vec![right.clone(), right]] {
            assert!(!messages_left(&one, &left).is_met(), "{left:?}");
        }
    }

    #[test]
    fn who_speaks_on_into_an_interruption_is_found_out() {
        let start = Instant::now() + Duration::from_secs(9);
        let mark = |ms| Mark { number: 0, arrived: start + Duration::from_millis(ms) };
        let turn = Turn {
            stops_within: Some(Duration::from_secs(1)),
            ..Turn::new(When::Over(Duration::ZERO), Act::Press("1".into()))
        };
        let scenario = Scenario { turns: vec![turn], ..Scenario::default() };
        for (stopped, is_met) in [(Some(300), true), (Some(2_500), false), (None, false)] {
            let exchange = Exchange {
                audible: Some(start),
                stopped: stopped.map(mark),
                ..Exchange::default()
            };
            let what = What::Turn(0);
            let acts = vec![Performed { what, exchange, words_from: 0 }];
            let log = CallLog { acts, ..log(Verdict::Complete, Closing::Ended(EndCause::ByUs)) };
            let all = outcomes(&scenario, &Known { log: &log, words: &[], messages: None });
            assert_eq!(all[1].is_met(), is_met, "{all:?}");
        }
    }

    #[test]
    fn a_turn_is_judged_by_all_that_came_after_its_first_try() {
        let mut turn = Turn::new(When::Silence(Duration::ZERO), Act::Press("1".into()));
        turn.expect = vec![pattern("open").unwrap(), pattern("sunday").unwrap()];
        let scenario = Scenario { turns: vec![turn], ..Scenario::default() };
        let act = |what| Performed { what, exchange: Exchange::default(), words_from: 0 };
        let acts = [act(What::Turn(0)), act(What::Whenever(0)), act(What::Turn(0))];
        let words: Vec<Words> = ["We are open.", "Sorry?", "Yes.", "Open on Monday."]
            .map(|reply| Words { reply: reply.to_owned(), ..Words::default() })
            .into();
        let judged = expectations(&scenario, &acts, &words);
        let met: Vec<bool> = judged[1].iter().map(|expected| expected.met).collect();
        assert_eq!((judged[0].len(), met), (0, vec![true, false]));
    }
}
