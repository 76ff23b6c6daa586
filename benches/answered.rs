//! Who answered: what is taken for what, how soon, and how exactly a machine's beep is found.
//!
//! The rows of the table are what is true, the columns what was said last. Of a person the first
//! verdict counts, for we speak then; of a machine whether it is known before its beep is over. With words
//! means that a recogniser gives all words that were said until half a second ago, every 0.6 s.

mod corpus;

use std::time::{Duration, Instant};

use attendant::base::pcm::{FRAME_MS, FRAME_SAMPLES, Frame};
use attendant::listen::answered::{Answered, Settings, Verdict};
use attendant::listen::{Ours, Vad};

use crate::stopwatch::percentile;
use crate::table::{Table, Target};
use corpus::{Item, LINES, Making};

const VERDICTS: [Verdict; 11] = [
    Verdict::Person,
    Verdict::Machine,
    Verdict::Screening,
    Verdict::Fax,
    Verdict::Silence,
    Verdict::Ringback,
    Verdict::Busy,
    Verdict::Congestion,
    Verdict::SpecialInformation,
    Verdict::Continuous,
    Verdict::Announcement,
];
/// Words come this often, and so long after they were said.
const PARTIAL_MS: usize = 600;
const RECOGNITION_MS: usize = 500;

/// What was said of one item.
struct Outcome {
    /// All verdicts with their times, in milliseconds.
    told: Vec<(Verdict, usize)>,
    /// Ends of beeps.
    beeps_ms: Vec<usize>,
}

impl Outcome {
    /// The one that counts.
    fn verdict(&self, item: &Item) -> Option<(Verdict, usize)> {
        let mut told = self.told.iter().copied();
        match item.truth {
            Verdict::Person => told
                .find(|(verdict, _)| !matches!(verdict, Verdict::Ringback | Verdict::Silence))
                .or(self.told.last().copied()),
            Verdict::SpecialInformation => told.next(),
            _ => told.next_back(),
        }
    }
}

pub fn measure(table: &mut Table) {
    let (mut making, mut remarks) = (Making::default(), Remarks::default());
    for line in LINES {
        let items = making.items(line);
        for has_words in [false, true] {
            let outcomes = outcomes(&items, &Settings::default(), has_words);
            let words = if has_words { "with words" } else { "by sound alone" };
            table.section(&format!(
                "who answered, {} answers, {words}, {}",
                items.len(),
                line.name
            ));
            confusion(table, &items, &outcomes, &mut remarks);
            times(table, &items, &outcomes);
            if !has_words {
                beeps(table, &items, &outcomes, &mut remarks);
            }
        }
    }
    lengths(table, &making.items(LINES[0]));
    remarks.0.into_iter().for_each(|remark| table.remark(remark));
}

/// Mistakes, each once however many lines it was made on.
#[derive(Default)]
struct Remarks(Vec<String>);

impl Remarks {
    fn add(&mut self, remark: String) {
        if !self.0.contains(&remark) {
            self.0.push(remark);
        }
    }
}

fn outcomes(items: &[Item], settings: &Settings, has_words: bool) -> Vec<Outcome> {
    items.iter().map(|item| listen(item, settings, has_words)).collect()
}

/// What another longest greeting of a person would cost.
fn lengths(table: &mut Table, items: &[Item]) {
    table.section(
        "who answered, by sound alone: the first verdict at other lengths that make a machine",
    );
    for long_ms in [2_400, 2_800, 3_200, 3_600, 4_200, 5_000] {
        let settings = Settings { long_ms, ..Settings::default() };
        let outcomes = outcomes(items, &settings, false);
        let wrong = |truth: Verdict, said: Verdict| {
            let first = |outcome: &Outcome| {
                let mut told = outcome.told.iter().map(|(verdict, _)| *verdict);
                told.find(|verdict| *verdict != Verdict::Silence)
            };
            let of_truth = items.iter().zip(&outcomes).filter(|(item, _)| item.truth == truth);
            let wrong = of_truth.clone().filter(|(_, outcome)| first(outcome) == Some(said));
            format!("{} of {}", wrong.count(), of_truth.count())
        };
        let people = wrong(Verdict::Person, Verdict::Machine);
        let machines = wrong(Verdict::Machine, Verdict::Person);
        let words = format!("people as machines: {people}, machines as people: {machines}");
        table.note(&format!("{long_ms} ms"), &words);
    }
}

/// One row for each truth.
fn confusion(table: &mut Table, items: &[Item], outcomes: &[Outcome], remarks: &mut Remarks) {
    for truth in VERDICTS {
        let of_truth: Vec<(&Item, &Outcome)> =
            items.iter().zip(outcomes).filter(|(item, _)| item.truth == truth).collect();
        if of_truth.is_empty() {
            continue;
        }
        let said = |wanted: Option<Verdict>| {
            let is_it = |(item, outcome): &&(&Item, &Outcome)| {
                outcome.verdict(item).map(|(verdict, _)| verdict) == wanted
            };
            of_truth.iter().filter(is_it).count()
        };
        let columns = VERDICTS.iter().map(|verdict| (Some(*verdict), verdict.name()));
        let columns = columns.chain([(None, "nothing")]);
        let counts: Vec<String> = columns
            .map(|(verdict, name)| (said(verdict), name))
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        table.note(&format!("{} ({})", truth.name(), of_truth.len()), &counts.join(", "));
        for (item, outcome) in of_truth {
            let verdict = outcome.verdict(item);
            if verdict.map(|(verdict, _)| verdict) != Some(truth) {
                let said = verdict.map_or("nothing", |(verdict, _)| verdict.name());
                remarks.add(format!("{}: {said}, of: {}", truth.name(), item.name));
            }
        }
    }
}

fn times(table: &mut Table, items: &[Item], outcomes: &[Outcome]) {
    let of = |truth: Verdict, from: fn(&Item) -> Option<usize>| -> Vec<f64> {
        let right = items.iter().zip(outcomes).filter(|(item, _)| item.truth == truth);
        let right = right.filter_map(|(item, outcome)| {
            let (verdict, at_ms) = outcome.verdict(item)?;
            (verdict == truth).then_some(at_ms as f64 - from(item)? as f64)
        });
        right.collect()
    };
    let ended = of(Verdict::Person, |item| item.said_ms.map(|(_, end)| end));
    let begun = of(Verdict::Person, |item| item.said_ms.map(|(begin, _)| begin));
    let machine = of(Verdict::Machine, |item| item.said_ms.map(|(begin, _)| begin));
    for (name, values) in [
        ("person: after the greeting's end", ended),
        ("person: after its begin", begun),
        ("machine: after its begin", machine),
    ] {
        for percent in [50, 95] {
            let figure = percentile(values.clone(), percent);
            table.figure(&format!("{name}, {percent} %"), figure, "ms", Target::None);
        }
    }
}

fn beeps(table: &mut Table, items: &[Item], outcomes: &[Outcome], remarks: &mut Remarks) {
    let mut errors_ms = Vec::new();
    let (mut wanted, mut false_alarms) = (0, 0);
    for (item, outcome) in items.iter().zip(outcomes) {
        let last = item.beep_ended_ms.and_then(|ended_ms| {
            wanted += 1;
            // A bell goes down in noise before its end.
            let error = |at: &&usize| at.abs_diff(ended_ms);
            let found = outcome.beeps_ms.iter().min_by_key(error).filter(|at| error(at) <= 300);
            match found {
                Some(at) => errors_ms.push(*at as f64 - ended_ms as f64),
                None => remarks.add(format!("no beep found: {}", item.name)),
            }
            found
        });
        // The first ones of three are beeps, too.
        let is_early = |at: &&usize| item.beep_ended_ms.is_none_or(|ended| ended > **at + 700);
        let wrong = outcome.beeps_ms.iter().filter(|at| last != Some(*at)).filter(is_early).count();
        if wrong > 0 {
            remarks.add(format!("a beep that is none: {}", item.name));
        }
        false_alarms += wrong;
    }
    table.note("beeps found", &format!("{} of {wanted}", errors_ms.len()));
    table.figure("beeps that are none", Some(false_alarms as f64), "", Target::AtMost(0.0));
    let late: Vec<f64> = errors_ms.iter().map(|error| error.abs()).collect();
    table.figure("its end found within, 95 %", percentile(late, 95), "ms", Target::None);
}

fn listen(item: &Item, settings: &Settings, has_words: bool) -> Outcome {
    let (mut vad, mut answered) = (Vad::new(), Answered::new(settings.clone()));
    if !item.is_early {
        answered.connect();
    }
    let began = Instant::now();
    let mut outcome = Outcome { told: Vec::new(), beeps_ms: Vec::new() };
    let (frames, _) = item.sound.as_chunks::<FRAME_SAMPLES>();
    let mut last_beep = None;
    for (index, samples) in frames.iter().enumerate() {
        let at_ms = (index + 1) * FRAME_MS as usize;
        let at = began + Duration::from_millis(at_ms as u64);
        let frame = Frame(*samples);
        let score = vad.score(&frame, Ours::NONE);
        let told = answered.frame(at, &frame, score);
        outcome.told.extend(told.map(|verdict| (verdict, at_ms)));
        if answered.beep() != last_beep {
            last_beep = answered.beep();
            let ended = last_beep.map(|beep| beep.ended_at.duration_since(began).as_millis());
            outcome.beeps_ms.extend(ended.map(|ms| ms as usize));
        }
        if has_words && at_ms.is_multiple_of(PARTIAL_MS) {
            let told = answered.decide_with_text(words_until(item, at_ms));
            outcome.told.extend(told.map(|verdict| (verdict, at_ms)));
        }
    }
    outcome
}

/// Whole words that were said by then, as if they were evenly long.
fn words_until(item: &Item, at_ms: usize) -> &'static str {
    let Some((begin_ms, end_ms)) = item.said_ms else { return "" };
    let heard_ms = at_ms.saturating_sub(RECOGNITION_MS + begin_ms);
    let share = (heard_ms as f64 / (end_ms - begin_ms) as f64).min(1.0);
    if share >= 1.0 {
        return item.text;
    }
    let words = item.text.match_indices(' ').map(|(at, _)| at);
    let end = words.take_while(|at| *at as f64 <= share * item.text.len() as f64).last();
    &item.text[..end.unwrap_or(0)]
}
