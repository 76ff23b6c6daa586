//! What a call was like, for people and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::caller::{CallLog, Closing};
use super::far_end::{FarGap, Words};
use super::judge::{Expected, Outcome, expectations};
use super::scenario::{Act, Scenario};
use super::script::{Exchange, Performed, Verdict, What};
use crate::sip::EndCause;

/// Columns of the words in the printed conversation.
const WIDTH: usize = 60;

/// Where the far end's words are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Nowhere,
    FarEnd,
    /// Our own ears; what the far end understood is not known.
    Ears,
}

/// Joins what was asked for, what was measured and what was said.
#[derive(Debug)]
pub(super) struct Report<'a> {
    scenario: &'a Scenario,
    log: &'a CallLog,
    source: Source,
    /// The greeting's, then each act's.
    words: &'a [Words],
    /// The greeting's, then each turn's.
    expected: Vec<Vec<Expected>>,
    /// Of a script's call as a whole.
    outcomes: Vec<Outcome>,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        log: &'a CallLog,
        (source, words): (Source, &'a [Words]),
        outcomes: Vec<Outcome>,
    ) -> Self {
        let expected = expectations(scenario, &log.acts, words);
        Self { scenario, log, source, words, expected, outcomes }
    }

    /// Every expectation of a reply was met, and every wish of the script.
    pub(super) fn is_as_expected(&self) -> bool {
        self.expected.iter().flatten().all(|expected| expected.met)
            && self.outcomes.iter().all(Outcome::is_met)
    }

    fn act(&self, performed: &Performed) -> Option<&'a Act> {
        match performed.what {
            What::Turn(turn) => self.scenario.turns.get(turn).map(|turn| &turn.act),
            What::Whenever(at) => self.scenario.whenever.get(at).map(|reflex| &reflex.act),
        }
    }

    fn gaps(&self) -> Vec<i64> {
        let acts = self.log.acts.iter();
        let mut gaps: Vec<i64> =
            acts.filter_map(|done| gap_ms(self.act(done)?, &done.exchange)).collect();
        gaps.sort_unstable();
        gaps
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let log = self.log;
        if !self.scenario.about.is_empty() {
            line(&mut text, "about", &self.scenario.about, None);
        }
        if let (Some(delay), Some(codec)) = (log.answer_delay, log.codec) {
            let _ = writeln!(text, "answered after {} ms, {}", delay.as_millis(), codec.name());
            let delay = log.greeting.gap_ms().map(|ms| format!("{ms} ms after ACK"));
            self.reply(&mut text, 0, &log.greeting, delay);
            self.missed(&mut text, 0);
        }
        for (at, done) in log.acts.iter().enumerate() {
            let Some(act) = self.act(done) else { continue };
            line(&mut text, "caller", &described(act), None);
            let heard = self.words.get(at + 1).map_or("", |words| words.heard.as_str());
            if self.source == Source::FarEnd {
                line(&mut text, "heard", heard, None);
            }
            let gap = gap_ms(act, &done.exchange).map(|ms| match ms {
                0.. => format!("gap {ms} ms{}", self.there(at + 1)),
                _ => format!("gap {ms} ms, cut off"),
            });
            self.reply(&mut text, at + 1, &done.exchange, gap);
            if let Some(turn) = self.last_of_turn(at) {
                self.missed(&mut text, turn + 1);
            }
        }
        for Outcome { wanted, instead } in &self.outcomes {
            if let Some(instead) = instead {
                line(&mut text, "missed", &format!("{wanted}: {instead}"), None);
            }
        }
        text.push_str(&self.summary());
        text
    }

    /// The turn to which the act belongs, if that turn ends with it.
    fn last_of_turn(&self, at: usize) -> Option<usize> {
        let turn_of = |at: usize| {
            let acts = self.log.acts.get(..=at)?;
            acts.iter().rev().find_map(|done| match done.what {
                What::Turn(turn) => Some(turn),
                What::Whenever(_) => None,
            })
        };
        turn_of(at).filter(|turn| turn_of(at + 1) != Some(*turn))
    }

    fn missed(&self, text: &mut String, at: usize) {
        for expected in self.expected.get(at).into_iter().flatten().filter(|e| !e.met) {
            line(text, "missed", &format!("--expect {:?}", expected.pattern), None);
        }
    }

    fn reply(&self, text: &mut String, at: usize, exchange: &Exchange, note: Option<String>) {
        let reply = self.words.get(at).map_or("", |words| words.reply.as_str());
        let said = match (reply, reply_ms(exchange)) {
            ("", Some(ms)) => format!("({:.1} s of speech)", ms as f64 / 1_000.0),
            ("", None) if exchange.reply_from.is_some() => "(speech)".to_owned(),
            ("", None) => "(nothing)".to_owned(),
            (words, _) => words.to_owned(),
        };
        line(text, "desk", &said, note.as_deref());
    }

    /// The same gap as the far end has it, with the parts that took time.
    fn there(&self, at: usize) -> String {
        let Some(gap) = self.words.get(at).and_then(|words| words.gap.as_ref()) else {
            return String::new();
        };
        let parts = gap.parts.iter().filter(|(_, ms)| *ms > 0);
        let parts: Vec<String> = parts.map(|(name, ms)| format!("{name} {ms}")).collect();
        format!(" (there {}: {})", gap.gap_ms, parts.join(" + "))
    }

    fn summary(&self) -> String {
        let gaps = self.gaps();
        let turns = self.scenario.turns.len();
        let made = (0..turns).filter(|turn| self.is_made(*turn)).count();
        let mut text = format!("{made} of {turns} turns");
        if let (Some(median), Some(high)) = (percentile(&gaps, 50), percentile(&gaps, 95)) {
            let _ = write!(text, ", gap median {median} ms, 95th percentile {high} ms");
        }
        let _ = writeln!(text, "; {}", ending(self.log).2);
        if !self.outcomes.is_empty() {
            let verdict = if self.is_as_expected() { "as expected" } else { "not as expected" };
            let _ = writeln!(text, "{verdict}");
        }
        text
    }

    fn is_made(&self, turn: usize) -> bool {
        self.log.acts.iter().any(|done| done.what == What::Turn(turn))
    }

    pub(super) fn json(&self) -> Value {
        let log = self.log;
        let gaps = self.gaps();
        let rtp = &log.rtp;
        let (by, cause, _) = ending(log);
        let made = log.acts.iter().enumerate().filter_map(|(at, done)| {
            Some(self.turn(Some(at + 1), done.what, self.act(done)?, &done.exchange))
        });
        let unmade = self.scenario.turns.iter().enumerate().filter(|(at, _)| !self.is_made(*at));
        let unmade = unmade
            .map(|(at, turn)| self.turn(None, What::Turn(at), &turn.act, &Exchange::default()));
        let turns: Vec<Value> = made.chain(unmade).collect();
        let outcomes: Vec<Value> = self
            .outcomes
            .iter()
            .map(|o| json!({ "wanted": o.wanted, "met": o.is_met(), "instead": o.instead }))
            .collect();
        json!({
            "about": self.scenario.about,
            "answered": log.answer_delay.is_some(),
            "sip_call_id": log.sip_call_id,
            "codec": log.codec.map(|codec| codec.name()),
            "srtp": log.srtp.map(|suite| suite.name()),
            "answer_delay_ms": log.answer_delay.map(millis),
            "greeting_delay_ms": log.greeting.gap_ms(),
            "greeting": self.said(0, |words| &words.reply),
            "greeting_ms": reply_ms(&log.greeting),
            "greeting_expected": self.expectations(0),
            "turns": turns,
            "gap_median_ms": percentile(&gaps, 50),
            "gap_p95_ms": percentile(&gaps, 95),
            "lasted_ms": millis(log.lasted),
            "complete": log.verdict == Verdict::Complete,
            "longest_silence_ms": millis(log.longest_quiet),
            "as_expected": self.is_as_expected(),
            "outcomes": outcomes,
            "ending": { "by": by, "cause": cause },
            "rtp": {
                "packets_sent": rtp.sent,
                "packets_received": rtp.received,
                "packets_lost": rtp.lost,
                "packets_late": rtp.late,
                "packets_duplicated": rtp.duplicate,
                "packets_foreign": rtp.foreign,
                "jitter_ms": rtp.jitter_ms,
                "concealed_ms": rtp.concealed_ms,
                "delay_ms": rtp.delay_ms,
                "round_trip_ms": rtp.rtt_ms,
                "peer_loss": rtp.peer_loss,
                "srtp_failed": rtp.srtp_failed,
                "srtp_replayed": rtp.srtp_replayed,
            },
        })
    }

    /// `at` counts the words of acts; none for one that was not performed.
    fn turn(&self, at: Option<usize>, what: What, act: &Act, exchange: &Exchange) -> Value {
        let (kind, said) = match act {
            Act::Say(speech) => ("say", speech.text.clone()),
            Act::Play(path) => ("play", path.display().to_string()),
            Act::Press(keys) => ("dtmf", keys.clone()),
            Act::Sound(kind, _) => ("sound", format!("{kind:?}").to_lowercase()),
            Act::Wait(_) => ("wait", String::new()),
        };
        let heard = match (self.source, at) {
            (Source::FarEnd, Some(at)) => self.said(at, |words| &words.heard),
            _ => Value::Null,
        };
        let turn = match what {
            What::Turn(turn) => Some(turn + 1),
            What::Whenever(_) => None,
        };
        let millis = |duration: std::time::Duration| millis(duration);
        json!({
            "turn": turn,
            "kind": kind,
            "said": said,
            "spoken": exchange.spoken.is_some(),
            "heard": heard,
            "reply": at.map_or(Value::Null, |at| self.said(at, |words| &words.reply)),
            "gap_ms": gap_ms(act, exchange),
            "far_end": at
                .and_then(|at| self.words.get(at))
                .and_then(|words| words.gap.as_ref())
                .map(far_gap),
            "reply_ms": reply_ms(exchange),
            "stopped_after_ms": exchange.stopped_after().map(millis),
            "expected": turn.map_or(json!([]), |turn| self.expectations(turn)),
        })
    }

    fn said(&self, at: usize, which: impl Fn(&Words) -> &String) -> Value {
        match self.source {
            Source::Nowhere => Value::Null,
            Source::FarEnd | Source::Ears => {
                self.words.get(at).map_or(Value::Null, |words| which(words).as_str().into())
            }
        }
    }

    fn expectations(&self, at: usize) -> Value {
        let list = self.expected.get(at).map(Vec::as_slice).unwrap_or_default();
        list.iter().map(|e| json!({ "pattern": e.pattern, "met": e.met })).collect()
    }
}

/// A gap by the far end's clock.
fn far_gap(gap: &FarGap) -> Value {
    let parts = gap.parts.iter().map(|(name, ms)| (format!("{name}_ms"), Value::from(*ms)));
    json!({ "gap_ms": gap.gap_ms, "latency": parts.collect::<serde_json::Map<_, _>>() })
}

/// One line of the conversation, or more where the words need them.
fn line(text: &mut String, who: &str, what: &str, note: Option<&str>) {
    let rows = wrapped(what);
    for (row, words) in rows.iter().enumerate() {
        let (who, note) = if row == 0 { (who, note.unwrap_or_default()) } else { ("", "") };
        let whole = format!("{who:<8}{words:<WIDTH$}  {note}");
        let _ = writeln!(text, "{}", whole.trim_end());
    }
}

/// At least one row.
fn wrapped(what: &str) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in what.split_whitespace() {
        match rows.last_mut() {
            Some(row) if row.is_empty() => row.push_str(word),
            Some(row) if row.chars().count() + 1 + word.chars().count() <= WIDTH => {
                row.push(' ');
                row.push_str(word);
            }
            _ => rows.push(word.to_owned()),
        }
    }
    rows
}

fn described(act: &Act) -> String {
    match act {
        Act::Say(speech) => speech.text.clone(),
        Act::Play(path) => format!("(plays {})", path.display()),
        Act::Press(keys) => format!("(presses {keys})"),
        Act::Sound(kind, _) => format!("({})", format!("{kind:?}").to_lowercase()),
        Act::Wait(_) => "(waits)".to_owned(),
    }
}

/// Keys have no last packet with speech, and a sound is none.
fn gap_ms(act: &Act, exchange: &Exchange) -> Option<i64> {
    match act {
        Act::Say(_) | Act::Play(_) => exchange.gap_ms(),
        Act::Press(_) | Act::Sound(..) | Act::Wait(_) => None,
    }
}

/// From the first to the last packet with speech.
fn reply_ms(exchange: &Exchange) -> Option<u64> {
    let (from, to) = (exchange.reply_from?, exchange.reply_to?);
    Some(millis(to.arrived.saturating_duration_since(from.arrived)))
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Who ended the call, why in one word, and as a sentence's end.
fn ending(log: &CallLog) -> (&'static str, String, String) {
    let plain = |by, cause: &str, text: &str| (by, cause.to_owned(), text.to_owned());
    match log.closing {
        Closing::Refused(status) => {
            let text = match status {
                // What our own timers say, too, where nothing comes at all.
                408 => "nobody answers there (408)".to_owned(),
                503 => "it is out of reach, or takes no calls now (503)".to_owned(),
                status => format!("the call was refused: {status}"),
            };
            ("far-end", format!("refused-{status}"), text)
        }
        Closing::Incompatible => {
            plain("us", "incompatible", "its session description does not fit ours")
        }
        Closing::NoKeys => plain("us", "no-keys", "the other end takes no keys"),
        Closing::NotSecured => plain("us", "not-secured", "no keys for encrypted sound came about"),
        Closing::NoMedia => plain("us", "no-media", "no sound came any more"),
        Closing::Unanswered => plain("us", "unanswered", "we hung up and heard no more"),
        Closing::Ended(EndCause::ByPeer) => plain("far-end", "hung-up", "the other end hung up"),
        Closing::Ended(EndCause::ByUs) => match log.verdict {
            Verdict::TooLong => plain("us", "too-long", "we hung up after --max-seconds"),
            Verdict::GaveUp => plain("us", "gave-up", "we gave up and hung up"),
            Verdict::Complete | Verdict::BrokenOff => plain("us", "hung-up", "we hung up"),
        },
        Closing::Ended(
            EndCause::NoAck | EndCause::Timeout | EndCause::Gone | EndCause::Unreachable,
        ) => plain("network", "lost", "the other end was lost"),
    }
}

/// By nearest rank; `sorted` rises.
pub(super) fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_go_on_below_and_the_note_stands_beside_the_first_row() {
        let mut text = String::new();
        line(&mut text, "desk", &"word ".repeat(13), Some("gap 20 ms"));
        line(&mut text, "heard", "", None);
        let first = "word ".repeat(12);
        assert_eq!(text, format!("desk    {first}  gap 20 ms\n        word\nheard\n"));
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let gaps = [10, 20, 30, 40, 1_000];
        assert_eq!(percentile(&gaps, 50), Some(30));
        assert_eq!(percentile(&gaps, 95), Some(1_000));
        assert_eq!(percentile(&[7], 50), Some(7));
        assert_eq!(percentile(&[], 50), None);
    }
}
