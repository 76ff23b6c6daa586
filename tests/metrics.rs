//! The metrics of a running box against docs/metrics.md, both ways; and what the dashboard and the alert rules ask for
//! against them.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::fake_nvml::FakeNvml;
use support::phone::Phone;
use support::{sound, wait};

const SOON: Duration = Duration::from_secs(30);
/// It waits until nobody has called for a while, and for a minute after one that found no answer.
const CANARY: Duration = Duration::from_secs(180);
/// What units a name may end with, besides those of plain counts.
const UNITS: [&str; 7] = ["seconds", "bytes", "joules", "watts", "hertz", "celsius", "ratio"];
/// Of Prometheus itself and of Grafana.
const FOREIGN: [&str; 1] = ["up"];

/// What is said of a family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Family {
    kind: String,
    labels: BTreeSet<String>,
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The table of docs/metrics.md.
fn documented() -> BTreeMap<String, Family> {
    let text = read("docs/metrics.md");
    let rows = text.lines().filter(|line| line.starts_with("| `attendant_"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, what] = cells[..] else { panic!("{line}") };
        assert!(!what.is_empty(), "{line}");
        let labels = labels.split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        (name.trim_matches('`').to_owned(), Family { kind: kind.to_owned(), labels })
    };
    let all: Vec<_> = rows.map(row).collect();
    let map: BTreeMap<_, _> = all.iter().cloned().collect();
    assert_eq!(map.len(), all.len(), "a name stands twice");
    map
}

/// What a box says, and how many samples each family has.
fn scraped(text: &str) -> BTreeMap<String, (Family, usize)> {
    let mut families = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let family = Family { kind: kind.to_owned(), labels: BTreeSet::new() };
            families.insert(name.to_owned(), (family, 0));
        } else if !line.starts_with('#') {
            let end = line.find(['{', ' ']).unwrap();
            let (family, samples) = families.get_mut(base(&line[..end])).expect(line);
            *samples += 1;
            if let Some((labels, _)) = line[end..].strip_prefix('{').and_then(|l| l.split_once('}'))
            {
                let names = labels.split("\",").filter_map(|label| label.split_once('='));
                family.labels.extend(names.map(|(name, _)| name.to_owned()).filter(|n| n != "le"));
            }
        }
    }
    families
}

/// The family of a sample.
fn base(name: &str) -> &str {
    let suffixes = ["_bucket", "_sum", "_count"];
    suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

/// A box that has something to say of everything: a GPU, an agent's limits, and a call with a turn.
fn talked(fake: &FakeNvml) -> (Appliance, Phone) {
    let appliance = Setup::default()
        .with("gpu", &format!("library = \"{}\"", fake.library().display()))
        .with("agent", "backend = \"elevenlabs\"\nagent_id = \"a\"\ncalls = \"none\"")
        .env("ATTENDANT_ELEVENLABS_KEY", "k")
        .with("canary", "every_s = 60")
        // No such card is there, and that is shown.
        .with("[handset]", "name = \"desk\"\ndevice = \"plughw:CARD=Nowhere\"")
        // Nobody is there, and that is shown.
        .with(
            "[ringcentral]",
            "name = \"desk\"\nclient_id = \"c\"\nserver = \"http://127.0.0.1:1\"",
        )
        .env("ATTENDANT_RINGCENTRAL_DESK_JWT", "j")
        .env("ATTENDANT_RINGCENTRAL_DESK_SECRET", "s")
        .start();
    let mut phone = Phone::new("caller");
    phone.call(&appliance.uri(), appliance.sip);
    // After the greeting.
    phone.says(&sound::silence_ms(5_000));
    phone.says(&sound::speak("what are your opening hours"));
    wait::until("the caller is answered", Duration::from_secs(60), || {
        let call = appliance.record_of("caller")?;
        let turns = call["turns"].as_array()?;
        turns.iter().any(|turn| !turn["gap_ms"].is_null()).then_some(())
    });
    wait::until("the GPU is shown", SOON, || {
        appliance.text("/metrics").contains("attendant_gpu_state{state=\"found\"} 1").then_some(())
    });
    (appliance, phone)
}

fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample}:\n{text}")).parse().unwrap()
}

#[test]
fn a_box_says_what_is_documented_and_nothing_else() {
    let fake = FakeNvml::new();
    let (appliance, mut phone) = talked(&fake);
    phone.hangs_up();
    wait::until("the call has ended", SOON, || {
        appliance.text("/metrics").contains("cause=\"hung-up\"").then_some(())
    });
    let text = wait::until("the box has called itself", CANARY, || {
        let text = appliance.text("/metrics");
        Some(text).filter(|text| text.contains("attendant_canary_answer_seconds "))
    });
    // Its own call is no call of anybody's.
    let history = appliance.api("/api/history");
    assert_eq!(history["calls"].as_array().unwrap().len(), 1, "{history:#}");
    assert_eq!(appliance.api("/api/calls")["calls"].as_array().unwrap().len(), 1);
    let ended = text.lines().filter(|line| line.starts_with("attendant_calls_ended_total{"));
    let ended: Vec<&str> = ended.filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(ended, ["1"], "{text}");
    let (documented, scraped) = (documented(), scraped(&text));
    let names = |names: Vec<&String>| names.into_iter().cloned().collect::<BTreeSet<_>>();
    let (told, said) = (names(documented.keys().collect()), names(scraped.keys().collect()));
    assert_eq!(said.difference(&told).collect::<Vec<_>>(), [] as [&String; 0], "not documented");
    assert_eq!(told.difference(&said).collect::<Vec<_>>(), [] as [&String; 0], "not there");
    for (name, (family, samples)) in &scraped {
        let told = &documented[name];
        assert_eq!(family.kind, told.kind, "{name}");
        // What has not happened has no sample, and so no label.
        if *samples > 0 {
            assert_eq!(family.labels, told.labels, "{name}");
        }
        let is_total = name.ends_with("_total");
        assert_eq!(is_total, family.kind == "counter", "{name}");
        let unit = name.trim_end_matches("_total").rsplit('_').next().unwrap();
        let is_count = |unit: &str| !UNITS.iter().any(|known| unit.starts_with(&known[..4]));
        assert!(UNITS.contains(&unit) || is_count(unit), "{name}: is this a unit?");
    }
    // What a machine like this one tells nothing of, and what has not happened in one call.
    let silent: Vec<&str> = scraped
        .iter()
        .filter(|(_, (_, samples))| *samples == 0)
        .map(|(name, _)| name.as_str())
        .filter(|name| !name.starts_with("attendant_box_"))
        .collect();
    assert_eq!(
        silent,
        [
            "attendant_agent_taken_over_total",
            "attendant_gpu_last_xid",
            "attendant_one_way_calls_total",
            "attendant_sip_dropped_total",
        ],
        "\n{text}"
    );
}

#[test]
fn the_parts_of_a_gap_are_counted_and_their_sum_is_the_gap() {
    let fake = FakeNvml::new();
    let (appliance, _phone) = talked(&fake);
    let text = appliance.text("/metrics");
    let gaps = value(&text, "attendant_gap_seconds_count");
    assert!(gaps >= 1.0, "{text}");
    let mut sum = 0.0;
    for part in ["jitter", "endpoint", "decode", "think", "voice", "pacing"] {
        let of = |what: &str| format!("attendant_gap_part_seconds_{what}{{part=\"{part}\"}}");
        assert_eq!(value(&text, &of("count")), gaps, "{part}");
        sum += value(&text, &of("sum"));
    }
    let whole = value(&text, "attendant_gap_seconds_sum");
    assert!((sum - whole).abs() < 1e-6, "{sum} and {whole}");
    assert_eq!(value(&text, "attendant_stage_seconds_count{stage=\"decode\"}"), gaps);
    assert!(value(&text, "attendant_stage_seconds_sum{stage=\"decode\"}") > 0.0);
    assert_eq!(value(&text, "attendant_greeting_delay_seconds_count"), 1.0);
    // The thread beside the engine tells these with its next look.
    wait::until("the engine has told its work", SOON, || {
        let text = appliance.text("/metrics");
        let is_told = |name| value(&text, name) > 0.0;
        (is_told("attendant_heard_seconds_total") && is_told("attendant_decode_seconds_total"))
            .then_some(())
    });
    assert!(value(&text, "attendant_audio_tick_lateness_seconds_count") > 100.0);
}

/// The expressions of the rules, each with the name of its alert.
fn alerts() -> Vec<(String, String)> {
    let text = read("docs/monitoring/alerts.yml");
    let mut alerts: Vec<(String, String)> = Vec::new();
    let mut keys: Vec<&str> = Vec::new();
    let is_whole = |keys: &[&str]| {
        ["expr", "labels", "severity", "annotations", "summary"]
            .iter()
            .all(|key| keys.contains(key))
    };
    for line in text.lines().skip_while(|line| !line.trim().starts_with("rules:")).skip(1) {
        let (key, value) = line.trim().trim_start_matches("- ").split_once(':').expect(line);
        let value = value.trim();
        match key {
            "alert" => {
                assert!(alerts.is_empty() || is_whole(&keys), "{:?}", alerts.last());
                keys.clear();
                assert!(line.starts_with("      - alert: "), "{line}");
                alerts.push((value.to_owned(), String::new()));
            }
            "expr" => alerts.last_mut().unwrap().1 = value.to_owned(),
            "severity" => assert!(["warning", "critical"].contains(&value), "{line}"),
            "for" => {
                assert!(value.ends_with('m') && value[..value.len() - 1].parse::<u32>().is_ok())
            }
            // Braces begin a map in YAML where there is no quotation mark.
            "summary" => assert!(value.starts_with('"') && value.ends_with('"'), "{line}"),
            "labels" | "annotations" => assert!(value.is_empty(), "{line}"),
            _ => panic!("no key of a rule: {line}"),
        }
        keys.push(key);
    }
    assert!(is_whole(&keys), "{:?}", alerts.last());
    let names: BTreeSet<&String> = alerts.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), alerts.len(), "a name stands twice");
    alerts
}

/// The expressions of the dashboard, each with the title of its panel.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read("docs/monitoring/dashboard.json")).unwrap();
    let mut ids = BTreeSet::new();
    let of = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        assert!(
            panel["datasource"]["uid"].is_string() && panel["gridPos"]["w"].is_u64(),
            "{title}"
        );
        let targets = panel["targets"].as_array().unwrap().clone();
        let expressions =
            targets.into_iter().map(|target| target["expr"].as_str().unwrap().to_owned());
        expressions.map(|expression| (title.clone(), expression)).collect::<Vec<_>>()
    };
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.iter().all(|panel| ids.insert(panel["id"].as_u64().unwrap())));
    panels.iter().flat_map(of).collect()
}

/// What is wrong with an expression: a metric that there is not, a histogram without its suffix, a label that the
/// metric does not have.
fn faults(expression: &str, documented: &BTreeMap<String, Family>) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut faults = Vec::new();
    let open = |c: char| expression.matches(c).count();
    if open('(') != open(')') || open('{') != open('}') || open('[') != open(']') {
        faults.push("a bracket is not closed".to_owned());
    }
    let mut rest = expression;
    while let Some(at) = rest.find("attendant_") {
        let name: String = rest[at..].chars().take_while(|c| is_name(*c)).collect();
        rest = &rest[at + name.len()..];
        let (family, has_suffix) = match documented.get(&name) {
            Some(family) => (family, false),
            None => match documented.get(base(&name)) {
                Some(family) if family.kind == "histogram" => (family, true),
                _ => {
                    faults.push(format!("there is no {name}"));
                    continue;
                }
            },
        };
        if (family.kind == "histogram") != has_suffix {
            faults.push(format!("{name}: a histogram is asked for by its suffix"));
        }
        let matched = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        for label in matched.map(|(labels, _)| labels.split(',')).into_iter().flatten() {
            let label = label.trim().split(['=', '!']).next().unwrap();
            if !family.labels.contains(label) && !["instance", "job", "le"].contains(&label) {
                faults.push(format!("{name} has no label {label}"));
            }
        }
        let is_counted = family.kind == "counter" || has_suffix;
        let before = &expression[..expression.len() - rest.len() - name.len()];
        let is_rated = before.ends_with("rate(") || before.ends_with("increase(");
        if is_counted && !is_rated {
            faults.push(format!("{name} only grows: rate or increase"));
        }
    }
    faults
}

#[test]
fn dashboard_and_alerts_ask_for_what_there_is() {
    let documented = documented();
    let (alerts, panels) = (alerts(), panels());
    assert!(alerts.len() >= 10 && panels.len() >= 20, "{} {}", alerts.len(), panels.len());
    for (title, expression) in alerts.iter().chain(&panels) {
        assert_eq!(faults(expression, &documented), [] as [&str; 0], "{title}: {expression}");
        let is_foreign = FOREIGN.iter().any(|name| expression.starts_with(name));
        assert!(expression.contains("attendant_") || is_foreign, "{title}: {expression}");
    }
    // Every stage of a gap can be seen.
    for name in ["gap_seconds", "gap_part_seconds", "stage_seconds", "audio_tick_lateness_seconds"]
    {
        assert!(panels.iter().any(|(_, expression)| expression.contains(name)), "{name}");
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let documented = documented();
    for (expression, fault) in [
        ("attendant_gpu_heat", "there is no attendant_gpu_heat"),
        ("rate(attendant_gap_seconds[5m])", "by its suffix"),
        ("attendant_calls_bucket", "there is no"),
        ("attendant_gpu_throttled{reason=\"heat\"}", "no label reason"),
        ("attendant_turns_total > 5", "rate or increase"),
        ("rate(attendant_turns_total[5m]", "not closed"),
    ] {
        let found = faults(expression, &documented);
        assert!(found.iter().any(|found| found.contains(fault)), "{expression}: {found:?}");
    }
}
