//! Markdown cut at its headings into passages of plain words.

/// Characters of one passage: what a person says in a minute and a half.
const PASSAGE_CHARS: usize = 1_200;
const TITLE_CHARS: usize = 200;

/// Something that can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The headings above it, the file's name first.
    pub title: String,
    pub text: String,
}

/// The passages of a file in their order. What stands in fences of code is no text.
pub fn cut(name: &str, markdown: &str) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut headings: Vec<(usize, String)> = Vec::new();
    let mut text = String::new();
    let mut is_code = false;
    for line in markdown.lines() {
        let trimmed = line.trim();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            is_code = !is_code;
            continue;
        }
        if is_code {
            continue;
        }
        match heading(trimmed) {
            Some((level, title)) => {
                keep(name, &headings, &mut text, &mut passages);
                headings.retain(|(above, _)| *above < level);
                headings.push((level, plain(title)));
            }
            None if trimmed.is_empty() => text.push('\n'),
            None => {
                let words = plain(trimmed);
                if text.len() + words.len() > PASSAGE_CHARS {
                    keep(name, &headings, &mut text, &mut passages);
                }
                text.push_str(&words);
                text.push('\n');
            }
        }
    }
    keep(name, &headings, &mut text, &mut passages);
    passages
}

/// `## Delivery ##` gives 2 and `Delivery`.
fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let title = line.get(level..)?;
    let is_one = (1..=6).contains(&level) && title.starts_with([' ', '\t']);
    is_one.then(|| (level, title.trim().trim_end_matches('#').trim()))
}

fn keep(name: &str, headings: &[(usize, String)], text: &mut String, passages: &mut Vec<Passage>) {
    let words = std::mem::take(text);
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let titles = headings.iter().map(|(_, title)| title.as_str());
    let title = std::iter::once(name).chain(titles).collect::<Vec<_>>().join(", ");
    let title: String = title.chars().take(TITLE_CHARS).collect();
    // A line may be longer than a passage.
    let characters: Vec<char> = words.chars().collect();
    for part in characters.chunks(PASSAGE_CHARS).filter(|part| !part.is_empty()) {
        passages.push(Passage { title: title.clone(), text: part.iter().collect() });
    }
}

/// The words of a line: without marks of lists, quotes and emphasis, of a link its text.
fn plain(line: &str) -> String {
    let line = line.trim_start_matches(['>', ' ']);
    let line = line.strip_prefix(['-', '*', '+']).map_or(line, |rest| match rest {
        rest if rest.starts_with(' ') => rest.trim_start(),
        _ => line,
    });
    let mut words = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('[') {
        words.push_str(before.trim_end_matches('!'));
        match after.split_once("](").and_then(|(text, tail)| Some((text, tail.split_once(')')?))) {
            Some((text, (_, tail))) => {
                words.push_str(text);
                rest = tail;
            }
            None => {
                words.push_str(after);
                rest = "";
            }
        }
    }
    words.push_str(rest);
    let is_mark = |c: &char| matches!(c, '*' | '_' | '`' | '|' | '<' | '>') || c.is_control();
    words.chars().filter(|c| !is_mark(c)).collect()
}

/// The first sentence, to be said.
pub fn first_sentence(text: &str) -> &str {
    let ends = text.char_indices().filter(|(_, c)| matches!(c, '.' | '!' | '?'));
    let end = ends.map(|(at, c)| at + c.len_utf8()).find(|end| {
        // A dot within a number or an abbreviation of one letter ends no sentence.
        let after = text.get(*end..).unwrap_or_default();
        let last = text.get(..*end).unwrap_or_default().trim_end_matches(['.', '!', '?']);
        let word = last.rsplit(char::is_whitespace).next().unwrap_or_default();
        let is_abbreviation = word.contains('.') && word.contains(char::is_alphabetic);
        (after.is_empty() || after.starts_with(' ')) && word.chars().count() > 1 && !is_abbreviation
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_cut_and_name_passages() {
        let text = "Before.\n# Delivery\nWe deliver *daily*.\n\n- to [Bonn](http://x)\n## Zones ##\n\
                    > Zone 1: 24 h.\n```\n# no heading\n```\n#no heading either\n# Returns\n\n";
        let cut = cut("shipping", text);
        let shown: Vec<String> = cut.iter().map(|p| format!("{}: {}", p.title, p.text)).collect();
        assert_eq!(
            shown,
            [
                "shipping: Before.",
                "shipping, Delivery: We deliver daily. to Bonn",
                "shipping, Delivery, Zones: Zone 1: 24 h. #no heading either",
            ]
        );
    }

    #[test]
    fn a_long_text_is_cut_and_nothing_of_it_is_lost() {
        let text = format!("# A\n{}\n{}", "word ".repeat(300), "x".repeat(3_000));
        let cut = cut("a", &text);
        assert!(cut.iter().all(|passage| passage.text.chars().count() <= PASSAGE_CHARS));
        let letters: usize = cut.iter().map(|p| p.text.matches(['w', 'x']).count()).sum();
        assert_eq!(letters, 3_300);
    }

    #[test]
    fn the_first_sentence_ends_where_a_sentence_ends() {
        for (text, expected) in [
            ("We open at 8.30 a.m. on Monday. Then we close.", "We open at 8.30 a.m. on Monday."),
            ("No end", "No end"),
            ("Really? Yes.", "Really?"),
            ("", ""),
        ] {
            assert_eq!(first_sentence(text), expected);
        }
    }
}
