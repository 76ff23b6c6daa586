//! The files of the page, inside the program: plain modules that a browser reads as they are.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;

use super::problem::{self, Kind, Problem};
use super::routes::page_file;

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($name:literal: $kind:expr),* $(,)?) => {
        [$(($name, $kind, include_str!(concat!("page/status/", $name)))),*]
    };
}

/// Name, type and text of each.
pub(super) const FILES: [(&str, &str, &str); 31] = files![
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "main.js": SCRIPT,
    "dom.js": SCRIPT,
    "api.js": SCRIPT,
    "live.js": SCRIPT,
    "words.js": SCRIPT,
    "words-en.js": SCRIPT,
    "words-ru.js": SCRIPT,
    "format.js": SCRIPT,
    "facts.js": SCRIPT,
    "calls.js": SCRIPT,
    "overview.js": SCRIPT,
    "call.js": SCRIPT,
    "waterfall.js": SCRIPT,
    "graph.js": SCRIPT,
    "lines.js": SCRIPT,
    "machine.js": SCRIPT,
    "history.js": SCRIPT,
    "messages.js": SCRIPT,
    "campaigns.js": SCRIPT,
    "settings.js": SCRIPT,
    "labels.js": SCRIPT,
    "trials.js": SCRIPT,
    "fields.js": SCRIPT,
    "first-run.js": SCRIPT,
    "access.js": SCRIPT,
    "box.js": SCRIPT,
    "updates.js": SCRIPT,
    "log.js": SCRIPT,
    "listening.js": SCRIPT,
];

/// One of them.
#[utoipa::path(
    get,
    path = "/page/{file}",
    summary = "A file of the page",
    params(("file" = String, Path, description = "As in main.js")),
    responses(
        (status = 200, description = "Its text", content((String = "text/javascript"), (String = "text/css"), (String = "image/svg+xml"))),
        (status = 404, description = "There is no such file", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn file(name: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let found = name.ok().and_then(|Path(name)| FILES.iter().find(|(known, ..)| *known == name));
    let &(_, kind, text) = found.ok_or_else(|| Problem::new(Kind::NotFound, "no such file"))?;
    Ok(page_file(kind, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn text(name: &str) -> &'static str {
        FILES.iter().find(|(known, ..)| *known == name).unwrap().2
    }

    /// Lines `  "key": "text",` of a table.
    fn table(name: &str) -> BTreeMap<&'static str, &'static str> {
        let lines = text(name).lines().filter_map(|line| line.trim().strip_prefix('"'));
        let pairs = lines.map(|line| line.split_once("\": \"").expect(line));
        pairs.map(|(key, text)| (key, text.strip_suffix("\",").expect(text))).collect()
    }

    fn placeholders(text: &str) -> Vec<&str> {
        let mut names: Vec<&str> =
            text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    #[test]
    fn both_languages_say_the_same_things() {
        let (english, russian) = (table("words-en.js"), table("words-ru.js"));
        assert!(english.len() > 100);
        assert_eq!(english.keys().collect::<Vec<_>>(), russian.keys().collect::<Vec<_>>());
        for (key, text) in &english {
            assert_eq!(placeholders(text), placeholders(russian[key]), "{key}");
            assert!(!text.is_empty() && !russian[key].is_empty(), "{key}");
        }
        let cyrillic = |text: &str| text.chars().any(|c| ('а'..='я').contains(&c));
        let same: Vec<_> = russian.iter().filter(|(_, text)| !cyrillic(text)).collect();
        assert!(same.len() < 12, "untranslated: {same:?}");
    }

    #[test]
    fn every_word_that_is_asked_for_is_there_and_every_one_there_is_asked_for() {
        let english = table("words-en.js");
        let scripts: String = FILES
            .iter()
            .filter(|(name, kind, _)| *kind == SCRIPT && !name.starts_with("words-"))
            .map(|(.., text)| *text)
            .collect();
        for (at, call) in scripts.match_indices("t(\"") {
            let is_name = scripts[..at].ends_with(|c: char| c.is_alphanumeric() || c == '.');
            let used = scripts[at + call.len()..].split('"').next().unwrap();
            assert!(is_name || english.contains_key(used), "no words for {used}");
        }
        for key in english.keys() {
            // Some are asked for by what the box says, as in `state.ready`.
            let family = key.split_once('.').map_or(*key, |(family, _)| family);
            let asked =
                scripts.contains(&format!("\"{key}\"")) || scripts.contains(&format!("`{family}."));
            assert!(asked, "nobody asks for {key}");
        }
    }

    #[test]
    fn the_page_has_nothing_from_elsewhere_and_makes_no_markup_of_text() {
        for (name, _, text) in FILES {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for wrong in
                ["http://", "https://", "innerHTML", "outerHTML", "insertAdjacent", "eval("]
            {
                assert!(!text.contains(wrong), "{wrong} in {name}");
            }
        }
    }
}
