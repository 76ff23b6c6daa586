//! The pause corpus: how soon a turn ends, and how often too soon, by our rule and by plain ones.
//!
//! The real call, ear, playbook and recogniser run on a clock that moves by a frame with each frame,
//! so hours of callers take minutes and a busy machine changes nothing: a decode takes the processor
//! time that it took. Plain rules are those of most systems: so much silence ends a turn.

mod corpus;
mod desk;
pub mod recogniser;

use attendant::listen::Settings;

use crate::stopwatch::percentile;
use crate::table::{Table, Target};
use corpus::{Item, Kind, Making};
use desk::{Desk, Outcome};
use recogniser::Ears;

/// Our silences, times this: the curve.
const SCALES: [f64; 5] = [0.6, 0.8, 1.0, 1.4, 2.0];
/// Slower answers are named.
const SLOW_MS: u128 = 400;
/// Silence that ends every turn, by a plain rule.
const PLAIN_MS: [u64; 4] = [200, 350, 500, 800];

pub fn measure(table: &mut Table) {
    let mut ears = Ears::open();
    let items = corpus::items(Making::Read);
    table.section(&format!("pause corpus: {} utterances, simulated time", items.len()));
    for scale in SCALES {
        let outcomes = outcomes(&items, &scaled(scale), &mut ears);
        rule(table, &format!("ours x {scale}"), &outcomes);
        if scale == 1.0 {
            ours(table, &items, &outcomes);
        }
    }
    plain_rules(table, &items, &mut ears);
    let unseen = corpus::unseen();
    table.section(&format!("sentences that the rule was not made with: {}", unseen.len()));
    let ours = outcomes(&unseen, &Settings::default(), &mut ears);
    rule(table, "ours", &ours);
    kinds(table, &unseen, &ours);
    plain_rules(table, &unseen, &mut ears);
    let joined = corpus::items(Making::Joined);
    table.section(&format!("parts read one by one, each like a sentence: {}", joined.len()));
    let ours = outcomes(&joined, &Settings::default(), &mut ears);
    rule(table, "ours", &ours);
    kinds(table, &joined, &ours);
    plain_rules(table, &joined, &mut ears);
    let decode = percentile(ears.decode_ms.clone(), 50);
    table.figure("decode, processor time, median", decode, "ms", Target::None);
}

fn plain_rules(table: &mut Table, items: &[Item], ears: &mut Ears) {
    for silence_ms in PLAIN_MS {
        let outcomes = outcomes(items, &plain(silence_ms), ears);
        rule(table, &format!("plain rule of {silence_ms} ms"), &outcomes);
    }
}

fn outcomes(items: &[Item], settings: &Settings, ears: &mut Ears) -> Vec<Outcome> {
    items
        .iter()
        .map(|item| Desk::asked(item.asked, settings, ears).hears(&item.sound, ears))
        .collect()
}

/// One point of the curve.
fn rule(table: &mut Table, name: &str, outcomes: &[Outcome]) {
    let gaps: Vec<f64> = outcomes.iter().filter_map(Outcome::gap_ms).collect();
    let [median, high] = [50, 95].map(|percent| percentile(gaps.clone(), percent));
    let [median, high] =
        [median, high].map(|ms| ms.map_or("none".to_owned(), |ms| format!("{ms:.0}")));
    let cut = share(outcomes, |outcome| matches!(outcome, Outcome::CutOff { .. }));
    let lost = share(outcomes, |outcome| matches!(outcome, Outcome::Lost));
    let words = format!("gap {median} / {high} ms, cut off {cut:.1} %, unanswered {lost:.1} %");
    table.note(name, &words);
}

/// The promises, at the setting that the box has.
fn ours(table: &mut Table, items: &[Item], outcomes: &[Outcome]) {
    let gaps: Vec<f64> = outcomes.iter().filter_map(Outcome::gap_ms).collect();
    table.figure("gap, median", percentile(gaps.clone(), 50), "ms", Target::AtMost(200.0));
    table.figure("gap, 95th percentile", percentile(gaps, 95), "ms", Target::AtMost(400.0));
    let cut = share(outcomes, |outcome| matches!(outcome, Outcome::CutOff { .. }));
    table.figure("cut off", Some(cut), "%", Target::AtMost(5.0));
    kinds(table, items, outcomes);
    for (item, outcome) in items.iter().zip(outcomes) {
        match outcome {
            Outcome::Answered { gap } if gap.as_millis() > SLOW_MS => {
                table.remark(format!("answered after {} ms: {}", gap.as_millis(), item.name));
            }
            Outcome::Answered { .. } => (),
            Outcome::CutOff { heard } => {
                table.remark(format!("cut off after \"{heard}\": {}", item.name));
            }
            Outcome::Lost => table.remark(format!("unanswered: {}", item.name)),
        }
    }
}

fn kinds(table: &mut Table, items: &[Item], outcomes: &[Outcome]) {
    for kind in Kind::ALL {
        let of_kind = items.iter().zip(outcomes).filter(|(item, _)| item.kind == kind);
        let of_kind: Vec<Outcome> = of_kind.map(|(_, outcome)| outcome.clone()).collect();
        rule(table, &format!("  {} ({})", kind.name(), of_kind.len()), &of_kind);
    }
}

fn share(outcomes: &[Outcome], is_meant: impl Fn(&Outcome) -> bool) -> f64 {
    100.0 * outcomes.iter().filter(|outcome| is_meant(outcome)).count() as f64
        / outcomes.len().max(1) as f64
}

/// Ours with every silence longer or shorter by `scale`, in whole frames.
fn scaled(scale: f64) -> Settings {
    let of = |ms: u64| ((ms as f64 * scale / 20.0).round() * 20.0) as u64;
    let ours = Settings::default();
    Settings {
        close_complete_ms: of(ours.close_complete_ms),
        close_probable_ms: of(ours.close_probable_ms),
        close_yes_no_ms: of(ours.close_yes_no_ms),
        close_unknown_ms: of(ours.close_unknown_ms),
        close_unclear_ms: of(ours.close_unclear_ms),
        close_doubtful_ms: of(ours.close_doubtful_ms),
        close_incomplete_ms: of(ours.close_incomplete_ms),
        close_digits_ms: of(ours.close_digits_ms),
        close_digits_incomplete_ms: of(ours.close_digits_incomplete_ms),
        ..ours
    }
}

/// The same silence whatever was said.
fn plain(silence_ms: u64) -> Settings {
    Settings {
        close_complete_ms: silence_ms,
        close_probable_ms: silence_ms,
        close_yes_no_ms: silence_ms,
        close_unknown_ms: silence_ms,
        close_unclear_ms: silence_ms,
        close_doubtful_ms: silence_ms,
        longest_pace_ms: 0,
        close_incomplete_ms: silence_ms,
        close_digits_ms: silence_ms,
        close_digits_incomplete_ms: silence_ms,
        ..Settings::default()
    }
}
