//! What the ear's settings may be, for whoever takes them from outside: the configuration, `--set` of a
//! replay, the head of a flight record.

use serde_json::Value;

use crate::base::limits;
use crate::listen;

/// Whether the setting `name` of [`listen::Settings`] may be `value`; if not, what it may be.
///
/// # Errors
/// The range, as in `20 to 400`. A name that is none of them may be nothing.
pub fn check(name: &str, value: f64) -> Result<(), String> {
    let range = limits::LISTEN_RANGES.iter().find(|(known, ..)| *known == name);
    let Some((_, least, most)) = range else { return Err("no such setting".to_owned()) };
    match (*least..=*most).contains(&value) {
        true => Ok(()),
        false => Err(format!("{least} to {most}")),
    }
}

/// The first setting that may not be what it is, and what it may be.
pub fn first_fault(settings: &listen::Settings) -> Option<(String, String)> {
    let all = serde_json::to_value(settings).unwrap_or_default();
    let all = all.as_object().into_iter().flatten();
    let mut faults = all.filter_map(|(name, value)| {
        let value = value.as_f64().unwrap_or(f64::NAN);
        check(name, value).err().map(|allowed| (name.clone(), allowed))
    });
    faults.next()
}

/// The settings with other values for some of them, by their names; each must have been checked.
/// `None` if one is not of its type.
pub fn with(changes: impl IntoIterator<Item = (String, Value)>) -> Option<listen::Settings> {
    let mut all = serde_json::to_value(listen::Settings::default()).ok()?;
    for (name, value) in changes {
        *all.get_mut(&name)? = value;
    }
    serde_json::from_value(all).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Instant;

    use super::*;
    use crate::base::pcm::{FRAME_SAMPLES, Frame};
    use crate::listen::{Ear, Input, Output, VadScore};

    #[test]
    fn every_setting_has_its_range_once_and_the_default_is_within_it() {
        let all = serde_json::to_value(listen::Settings::default()).unwrap();
        let names: BTreeSet<&str> = all.as_object().unwrap().keys().map(String::as_str).collect();
        let ranges: Vec<&str> = limits::LISTEN_RANGES.iter().map(|(name, ..)| *name).collect();
        assert_eq!(ranges.iter().copied().collect::<BTreeSet<_>>(), names);
        assert_eq!(ranges.len(), names.len());
        assert_eq!(first_fault(&listen::Settings::default()), None);
    }

    #[test]
    fn what_is_outside_is_told_with_its_range() {
        assert_eq!(check("onset_ms", 20.0), Ok(()));
        for value in [19.0, 401.0, -1.0, 1e18, f64::NAN] {
            assert_eq!(check("onset_ms", value), Err("20 to 400".to_owned()));
        }
        assert_eq!(check("speech_threshold", 1.0), Err("0.05 to 0.95".to_owned()));
        assert!(check("other", 1.0).is_err());
        let odd = listen::Settings { tail_ms: 10_001, ..listen::Settings::default() };
        assert_eq!(first_fault(&odd), Some(("tail_ms".to_owned(), "0 to 1000".to_owned())));
    }

    #[test]
    fn an_ear_at_either_end_of_every_range_hears_an_utterance_out() {
        for is_highest in [false, true] {
            let value = |range: &(&str, f64, f64)| {
                let end = if is_highest { range.2 } else { range.1 };
                if range.0 == "speech_threshold" {
                    Value::from(end)
                } else {
                    Value::from(end as u64)
                }
            };
            let changes = limits::LISTEN_RANGES.iter();
            let settings = with(changes.map(|range| (range.0.to_owned(), value(range)))).unwrap();
            assert_eq!(first_fault(&settings), None);
            let mut ear = Ear::new(settings);
            let mut now = Instant::now();
            let mut is_closed = false;
            // 12 s of speech, so that it is cut, and silence beyond the longest wait.
            for number in 0..1_000 {
                now += std::time::Duration::from_millis(20);
                let speech = if number < 600 { 1.0 } else { 0.0 };
                let score = VadScore { speech, ..VadScore::default() };
                let frame = Frame([100; FRAME_SAMPLES]);
                ear.handle(now, Input::Frame { frame, score, lost: false });
                loop {
                    match ear.poll_output() {
                        Output::Timeout(_) => break,
                        Output::Closed { .. } => is_closed = true,
                        Output::Decode(decode) => {
                            assert!(decode.audio.len() as u64 <= limits::UTTERANCE_MS * 16);
                        }
                        _ => {}
                    }
                }
            }
            assert!(is_closed);
        }
    }
}
