use std::collections::{BTreeMap, BTreeSet};

use super::exposition::{Exposition, Kind};
use super::*;
use crate::base::{CallId, Private};
use crate::call::Mos;
use crate::call::ending::Cause;
use crate::call::one_way::{OneWay, Side, Why};
use crate::call::record::{CallRecord, Direction, Progress, Turn};
use crate::web::{AccountReport, AudioFigures};

type Labels = BTreeMap<String, String>;

/// One family as it was read.
#[derive(Debug, Default)]
struct Read {
    kind: String,
    samples: Vec<(String, Labels, f64)>,
}

/// Reads the text format 0.0.4, and refuses whatever Prometheus' own reader would.
fn parse(text: &str) -> Result<BTreeMap<String, Read>, String> {
    let (mut families, mut helped) = (BTreeMap::<String, Read>::new(), BTreeSet::new());
    let mut seen = BTreeSet::new();
    let mut current = String::new();
    if !text.ends_with('\n') {
        return Err("the last line has no end".into());
    }
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, _) = rest.split_once(' ').ok_or("HELP without words")?;
            if !helped.insert(name.to_owned()) {
                return Err(format!("a second HELP of {name}"));
            }
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or("TYPE without a type")?;
            if !["counter", "gauge", "histogram"].contains(&kind) {
                return Err(format!("an unknown type: {kind}"));
            }
            let read = Read { kind: kind.into(), samples: Vec::new() };
            if !helped.contains(name) || families.insert(name.to_owned(), read).is_some() {
                return Err(format!("TYPE of {name} stands wrong"));
            }
            current = name.to_owned();
        } else {
            let (name, labels, value) = sample(line)?;
            let family = families.get_mut(&current).ok_or("a sample of no family")?;
            let base = match family.kind.as_str() {
                "histogram" => ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|suffix| name.strip_suffix(suffix))
                    .ok_or(format!("{name} in a histogram"))?,
                _ => name.as_str(),
            };
            if base != current || !seen.insert((name.clone(), labels.clone())) {
                return Err(format!("{name} stands wrong, or twice"));
            }
            family.samples.push((name, labels, value));
        }
    }
    families.values().try_for_each(check)?;
    Ok(families)
}

fn sample(line: &str) -> Result<(String, Labels, f64), String> {
    let end = line.find(['{', ' ']).ok_or("a line of one word")?;
    let name = &line[..end];
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
        return Err(format!("a name: {name}"));
    }
    let (mut labels, mut rest) = (Labels::new(), &line[end..]);
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").ok_or("a label without a value")?;
            let mut value = String::new();
            let mut chars = after.char_indices();
            let closing = loop {
                match chars.next().ok_or("a value without an end")? {
                    (at, '"') => break at,
                    (_, '\\') => match chars.next().ok_or("an escape without an end")?.1 {
                        'n' => value.push('\n'),
                        c @ ('\\' | '"') => value.push(c),
                        c => return Err(format!("an escape: {c}")),
                    },
                    (_, c) => value.push(c),
                }
            };
            if labels.insert(label.to_owned(), value).is_some() {
                return Err(format!("{label} twice"));
            }
            rest = &after[closing + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').ok_or("labels without an end")?;
    }
    let value = rest.strip_prefix(' ').ok_or("no space before the value")?;
    let value = value.parse::<f64>().map_err(|_| format!("a value: {value}"))?;
    Ok((name.to_owned(), labels, value))
}

/// A histogram's buckets grow up to `+Inf`, which is its count.
fn check(family: &Read) -> Result<(), String> {
    if family.kind != "histogram" {
        return Ok(());
    }
    let mut series = BTreeMap::<Labels, Vec<(f64, f64)>>::new();
    let mut counts = BTreeMap::<Labels, f64>::new();
    for (name, labels, value) in &family.samples {
        let mut labels = labels.clone();
        let le = labels.remove("le");
        match (name.rsplit('_').next(), le) {
            (Some("bucket"), Some(le)) => {
                let le = le.replace("+Inf", "inf").parse().map_err(|_| format!("le {le}"))?;
                series.entry(labels).or_default().push((le, *value));
            }
            (Some("count"), None) => drop(counts.insert(labels, *value)),
            (Some("sum"), None) => (),
            _ => return Err(format!("{name}: le stands wrong")),
        }
    }
    for (labels, buckets) in series {
        let grows = buckets.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1);
        let last = buckets.last().copied();
        let count = counts.get(&labels).copied();
        if !grows || last != count.map(|count| (f64::INFINITY, count)) {
            return Err(format!("buckets: {buckets:?}, count {count:?}"));
        }
    }
    Ok(())
}

fn record(id: u64, cause: Cause) -> CallRecord {
    let mut record =
        CallRecord::new(CallId(id), Direction::Inbound, "sip:5550100@example.net".into(), 1_000);
    record.progress =
        Progress::Ended { answered_at_ms: Some(1_100), ended_at_ms: 9_000, ending: cause.into() };
    record.rtp.packets_received = 400;
    record.rtp.packets_lost = 3;
    record.rtp.mos_incoming = Some(Mos { last: 4.4, worst: 3.2 });
    record.one_way = Some(OneWay { side: Side::Incoming, why: Why::PrivateAddress });
    record.push_turn(Turn {
        caller_text: Private::new("are you open today".into()),
        gap_ms: Some(180),
        ..Turn::default()
    });
    record
}

fn value(read: &BTreeMap<String, Read>, family: &str, wanted: &[(&str, &str)]) -> Option<f64> {
    let is_it = |labels: &Labels| {
        wanted.iter().all(|(name, value)| labels.get(*name).is_some_and(|is| is == value))
    };
    let base = family.trim_end_matches("_bucket").trim_end_matches("_sum");
    let samples = &read.get(base).or(read.get(family))?.samples;
    samples.iter().find(|(name, labels, _)| name == family && is_it(labels)).map(|found| found.2)
}

#[test]
fn the_board_is_read_by_a_strict_reader() {
    let board = Board::default();
    parse(&text(&board)).unwrap();
    board.update_call(record(1, Cause::HungUp));
    board.update_call(record(2, Cause::Goodbye));
    let mut live = record(3, Cause::HungUp);
    live.progress = Progress::Active { answered_at_ms: 5 };
    board.update_call(live);
    board.set_audio(AudioFigures {
        late_counts: [7; 10],
        late_sum_us: 9,
        ..AudioFigures::default()
    });
    let mut figures = SipFigures::default();
    figures.counters.requests = 12;
    figures.held.transactions = 40;
    board.set_sip(figures);
    board.set_accounts(vec![AccountReport {
        name: "office \"5550199\"".into(),
        state: "registered",
        since_ms: None,
        until_ms: Some(5),
        status: None,
        reason: None,
    }]);
    let text = text(&board);
    let read = parse(&text).unwrap();
    let ended = "attendant_calls_ended_total";
    for (family, labels, expected) in [
        (ended, &[("cause", "hung-up"), ("by", "caller"), ("direction", "inbound")][..], 1.0),
        (ended, &[("cause", "goodbye"), ("by", "us")], 1.0),
        ("attendant_calls", &[("state", "active"), ("direction", "inbound")], 1.0),
        ("attendant_rtp_received_packets_total", &[], 1_200.0),
        ("attendant_rtp_lost_packets_total", &[], 9.0),
        ("attendant_gap_seconds_bucket", &[("le", "0.15")], 0.0),
        ("attendant_gap_seconds_bucket", &[("le", "0.2")], 3.0),
        ("attendant_call_worst_mos_bucket", &[("side", "incoming"), ("le", "3.6")], 2.0),
        ("attendant_call_worst_mos_bucket", &[("side", "incoming"), ("le", "3.1")], 0.0),
        ("attendant_one_way_calls_total", &[("why", "private-address")], 2.0),
        ("attendant_audio_tick_lateness_seconds_bucket", &[("le", "+Inf")], 70.0),
        ("attendant_sip_requests_total", &[], 12.0),
        ("attendant_sip_held", &[("what", "transactions")], 40.0),
        ("attendant_accounts", &[("state", "registered")], 1.0),
        ("attendant_accounts", &[("state", "failing")], 0.0),
        ("attendant_takes_calls", &[], 0.0),
    ] {
        assert_eq!(value(&read, family, labels), Some(expected), "{family} {labels:?}\n{text}");
    }
    for private in ["5550100", "5550199", "office", "example", "today"] {
        assert!(!text.contains(private), "{private}:\n{text}");
    }
}

#[test]
fn labels_and_help_are_escaped() {
    let mut out = Exposition::default();
    out.family("a", Kind::Gauge, "one\\two\nthree").sample(&[("b", "x\"y\\z\n")], 1);
    let text = out.into_text();
    assert!(text.starts_with("# HELP a one\\\\two\\nthree\n"), "{text}");
    let read = parse(&text).unwrap();
    assert_eq!(read["a"].samples[0].1["b"], "x\"y\\z\n");
}

#[test]
fn the_reader_is_strict() {
    let head = "# HELP a words\n# TYPE a counter\n";
    let histogram = "# HELP a words\n# TYPE a histogram\n";
    for wrong in [
        format!("{head}a 1"),
        format!("{head}a{{b=\"c}} 1\n"),
        format!("{head}a one\n"),
        format!("{head}b 1\n"),
        format!("{head}a 1\na 2\n"),
        format!("{head}{head}a 1\n"),
        "a 1\n".to_owned(),
        format!(
            "{histogram}a_bucket{{le=\"1\"}} 2\na_bucket{{le=\"+Inf\"}} 1\na_sum 1\na_count 1\n"
        ),
        format!("{histogram}a_bucket{{le=\"1\"}} 2\na_sum 1\na_count 2\n"),
    ] {
        assert!(parse(&wrong).is_err(), "{wrong}");
    }
    parse(&format!("{head}a{{b=\"c\",d=\"e\"}} 1.5\n")).unwrap();
}
