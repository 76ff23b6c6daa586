//! Cuts recognised text into normalised words, keeping how they were written and which sentence
//! they stood in.

/// Words taken from one utterance; ten seconds of fast speech have about 50.
pub const TOKENS: usize = 120;

/// A word as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Lower case, without punctuation, contractions resolved: `where's` gives `where` and `is`.
    pub word: String,
    /// As written, for names and messages; empty for the second half of a contraction.
    pub written: String,
    /// Sentence in the utterance, counted from 0.
    pub sentence: usize,
}

/// Words that carry no meaning and may stand anywhere, also inside a number.
const FILLERS: [&str; 12] =
    ["um", "uh", "er", "erm", "hm", "hmm", "mm", "mhm", "ah", "eh", "uhm", "ehm"];

/// Splits `text`. Bracketed remarks of the recogniser (`[BLANK_AUDIO]`, `(music)`) and fillers are
/// dropped, so that no words are left where none were spoken.
pub fn tokenise(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut sentence = 0;
    for chunk in without_remarks(text).split_whitespace() {
        let ends = chunk.ends_with(['.', '?', '!', '…']) && !is_abbreviation(chunk);
        push_chunk(&mut tokens, chunk, sentence);
        if tokens.len() >= TOKENS {
            tokens.truncate(TOKENS);
            break;
        }
        if ends {
            sentence += 1;
        }
    }
    tokens
}

/// The normalised words with one space between.
pub fn joined(tokens: &[Token]) -> String {
    let words: Vec<&str> = tokens.iter().map(|t| t.word.as_str()).collect();
    words.join(" ")
}

/// The words as they were written.
pub fn written(tokens: &[Token]) -> String {
    let words: Vec<&str> =
        tokens.iter().map(|t| t.written.as_str()).filter(|w| !w.is_empty()).collect();
    words.join(" ")
}

fn without_remarks(text: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' if depth > 0 => {
                depth -= 1;
                kept.push(' ');
            }
            '*' | '♪' | '<' | '>' => kept.push(' '),
            '\u{2019}' | '\u{2018}' | '`' if depth == 0 => kept.push('\''),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

fn is_abbreviation(chunk: &str) -> bool {
    let lower = chunk.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    matches!(lower.as_str(), "mr." | "mrs." | "ms." | "dr." | "st." | "a.m." | "p.m." | "no.")
}

fn push_chunk(tokens: &mut Vec<Token>, chunk: &str, sentence: usize) {
    let chunk = chunk.trim_matches(|c: char| !c.is_alphanumeric() && c != '+');
    let lower = chunk.to_lowercase();
    let time_like = lower.contains(':');
    let parts: Vec<&str> = if time_like {
        vec![chunk]
    } else {
        chunk.split(['-', '–', '—', '/']).flat_map(split_commas).collect()
    };
    for part in parts {
        push_word(tokens, part, sentence);
    }
}

/// `1,234` and `47,29` are digits with a comma; `yes,please` is two words.
fn split_commas(part: &str) -> Vec<&str> {
    part.split([',', '.', '\u{2026}']).collect()
}

fn push_word(tokens: &mut Vec<Token>, part: &str, sentence: usize) {
    let written = part.trim_matches(|c: char| !c.is_alphanumeric() && c != '+');
    let word = written.to_lowercase();
    if word.is_empty() || FILLERS.contains(&word.as_str()) {
        return;
    }
    let words = expand(&word);
    for (index, word) in words.into_iter().enumerate() {
        let written = if index == 0 { written.to_owned() } else { String::new() };
        tokens.push(Token { word, written, sentence });
    }
}

fn expand(word: &str) -> Vec<String> {
    let whole = match word {
        "can't" | "cannot" => "can not",
        "won't" => "will not",
        "let's" => "let us",
        "wanna" => "want to",
        "gonna" => "going to",
        "gotta" => "have to",
        "yeah" | "yep" | "yup" | "ya" => "yes",
        "nope" | "nah" => "no",
        "okay" | "ok" => "okay",
        "thanks" => "thanks",
        "a" | "an" => "a",
        "e" if word.len() == 1 => "e",
        _ => "",
    };
    if !whole.is_empty() {
        return whole.split(' ').map(str::to_owned).collect();
    }
    let endings = [
        ("n't", "not"),
        ("'re", "are"),
        ("'m", "am"),
        ("'ve", "have"),
        ("'ll", "will"),
        ("'d", "would"),
    ];
    for (ending, meaning) in endings {
        if let Some(stem) = word.strip_suffix(ending)
            && !stem.is_empty()
        {
            return vec![stem.to_owned(), meaning.to_owned()];
        }
    }
    match word.strip_suffix("'s") {
        Some(stem) if is_before_is(stem) => vec![stem.to_owned(), "is".to_owned()],
        Some(stem) if !stem.is_empty() => vec![stem.to_owned()],
        _ => vec![word.to_owned()],
    }
}

/// Words after which `'s` means `is`; elsewhere it is a possessive.
fn is_before_is(stem: &str) -> bool {
    let stems = [
        "where",
        "what",
        "when",
        "who",
        "how",
        "that",
        "it",
        "there",
        "here",
        "he",
        "she",
        "name",
        "number",
        "this",
        "which",
        "everything",
        "order",
    ];
    stems.contains(&stem)
}

/// Words too common to tell one wish from another.
pub fn is_common(word: &str) -> bool {
    const COMMON: &str = "a the is are am was were be been do does did to of in on at for from with \
        it this that these those my your our i you we me us he she they him her and or but so \
        please would will could can should may might have has had just some any there here like \
        want need get got hello hi hey yes okay well now then as if about tell know say let sir \
        madam thanks thank very much really also";
    COMMON.split_ascii_whitespace().any(|common| common == word)
}

/// Words after which a sentence goes on: a thought that ends so is not finished.
pub fn is_dangling(word: &str) -> bool {
    const DANGLING: &str = "a the my your our their his her this and or but because if so to of in \
        on at for from with by about is are was were am be would will could can should want need \
        like have has i we they which who where when what than as until between into \
        number order's called named double triple plus dot st mr mrs";
    DANGLING.split_ascii_whitespace().any(|dangling| dangling == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_plain_words() {
        let table = [
            ("Where's my package?", "where is my package"),
            ("I\u{2019}d like to cancel, please!", "i would like to cancel please"),
            ("No, I can't.", "no i can not"),
            ("[BLANK_AUDIO]", ""),
            ("(wind blowing) um, uh", ""),
            ("4-7-2-9", "4 7 2 9"),
            ("forty-seven", "forty seven"),
            ("1,234", "1 234"),
            ("At 3:30 p.m.", "at 3:30 p m"),
            ("3 o'clock.", "3 o'clock"),
            ("The firm's address", "the firm address"),
            ("Yeah. Nope.", "yes no"),
            ("  ", ""),
            ("...", ""),
        ];
        for (text, expected) in table {
            assert_eq!(joined(&tokenise(text)), expected, "{text}");
        }
    }

    #[test]
    fn sentences_are_counted_and_abbreviations_do_not_end_one() {
        let sentences: Vec<usize> =
            tokenise("Hello. This is Mr. Brown. Bye.").iter().map(|t| t.sentence).collect();
        assert_eq!(sentences, [0, 1, 1, 1, 1, 2]);
    }

    #[test]
    fn the_written_form_is_kept_for_names_and_messages() {
        assert_eq!(written(&tokenise("It's Anna O'Brien, here")), "It's Anna O'Brien here");
    }

    #[test]
    fn a_flood_of_words_is_cut() {
        assert_eq!(tokenise(&"word ".repeat(5_000)).len(), TOKENS);
    }
}
