//! The passages in SQLite's full-text index (FTS5), in memory: found by the words of a caller, best
//! first by BM25.
//!
//! A caller's words are never query syntax: each is cut out as letters and digits and quoted.

use rusqlite::{Connection, params};

use super::passages::Passage;
use crate::base::LanguageCode;

/// Words of a question that are looked for.
const WORDS: usize = 16;
/// Passages that come back.
const BEST: usize = 3;
/// A match in a heading tells more than one in the text.
const TITLE_WEIGHT: f64 = 4.0;
/// English words that say nothing about what is asked; with others BM25 does it alone.
const EMPTY: &str = " a about all an and any are at be can could did do does for from had has have \
    how i if in is it me my of on or our please so tell than that the them then there they this to \
    us was we were what when where which who why will with would you your ";

/// One folder's passages.
#[derive(Debug)]
pub struct Index {
    connection: Connection,
}

/// A passage that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub passage: Passage,
    /// Share of the words that were looked for and are in it, 0 to 1.
    pub coverage: f32,
}

impl Index {
    /// English is indexed by the stems of its words.
    pub fn build(passages: &[Passage], language: LanguageCode) -> rusqlite::Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        let stems = if language == LanguageCode::ENGLISH { "porter " } else { "" };
        connection.execute_batch(&format!(
            "CREATE VIRTUAL TABLE passages USING fts5(title, text, \
             tokenize = '{stems}unicode61 remove_diacritics 2')"
        ))?;
        let transaction = connection.transaction()?;
        {
            let mut insert =
                transaction.prepare("INSERT INTO passages (title, text) VALUES (?1, ?2)")?;
            for passage in passages {
                insert.execute(params![passage.title, passage.text])?;
            }
        }
        transaction.commit()?;
        Ok(Self { connection })
    }

    /// The best passages for these words, the best first.
    pub fn search(&self, words: &str) -> rusqlite::Result<Vec<Found>> {
        let words = terms(words);
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let mut select = self.connection.prepare(
            "SELECT rowid, title, text FROM passages WHERE passages MATCH ?1 \
             ORDER BY bm25(passages, ?2, 1.0) LIMIT ?3",
        )?;
        let query = words.join(" OR ");
        let rows = select.query_map(params![query, TITLE_WEIGHT, BEST as i64], |row| {
            let passage = Passage { title: row.get(1)?, text: row.get(2)? };
            Ok((row.get::<_, i64>(0)?, passage))
        })?;
        let mut found = Vec::new();
        for row in rows {
            let (id, passage) = row?;
            found.push(Found { passage, coverage: self.coverage(id, &words)? });
        }
        Ok(found)
    }

    fn coverage(&self, id: i64, words: &[String]) -> rusqlite::Result<f32> {
        let mut has = self
            .connection
            .prepare("SELECT 1 FROM passages WHERE rowid = ?1 AND passages MATCH ?2")?;
        let mut count = 0;
        for word in words {
            count += usize::from(has.exists(params![id, word])?);
        }
        Ok(count as f32 / words.len() as f32)
    }
}

/// The words that are looked for, each as an FTS5 string.
fn terms(words: &str) -> Vec<String> {
    let mut terms: Vec<String> = Vec::new();
    for word in words.split(|c: char| !c.is_alphanumeric()) {
        let word = word.to_lowercase();
        let quoted = format!("\"{word}\"");
        let is_empty = word.is_empty() || EMPTY.contains(&format!(" {word} "));
        if !is_empty && !terms.contains(&quoted) && terms.len() < WORDS {
            terms.push(quoted);
        }
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(language: LanguageCode) -> Index {
        let passage = |title: &str, text: &str| Passage { title: title.into(), text: text.into() };
        let passages = [
            passage("shipping, Dangerous goods", "We do not carry lithium batteries by air."),
            passage("shipping, Pallets", "A pallet may weigh up to 800 kilograms."),
            passage("prices", "A parcel of five kilograms costs nine euros. Batteries cost more."),
            passage("цены", "Посылка стоит девять евро."),
        ];
        Index::build(&passages, language).unwrap()
    }

    #[test]
    fn the_best_passage_is_found_by_its_words_and_their_forms() {
        let index = index(LanguageCode::ENGLISH);
        for (words, best) in [
            ("Do you carry lithium battery shipments?", "shipping, Dangerous goods"),
            ("how heavy may pallets be", "shipping, Pallets"),
            ("what does a parcel cost", "prices"),
            ("посылка", "цены"),
        ] {
            let found = index.search(words).unwrap();
            assert_eq!(found[0].passage.title, best, "{words}");
        }
        assert!(index.search("what can you do for me").unwrap().is_empty());
        assert!(index.search("unicorn").unwrap().is_empty());
        let sure = index.search("lithium batteries").unwrap();
        assert!(sure[0].coverage > 0.9, "{sure:?}");
        let unsure = index.search("batteries for my purple unicorn").unwrap();
        assert!(unsure[0].coverage < 0.5, "{unsure:?}");
    }

    #[test]
    fn words_are_never_query_syntax() {
        let index = index(LanguageCode::new("ru").unwrap());
        for words in [
            "\"",
            "a\" OR \"b",
            "title:prices",
            "NEAR(a b)",
            "* AND NOT (",
            "-parcel",
            "'; DROP TABLE passages; --",
            "parcel^2",
            "\u{0}",
            "{title text} : x",
            "AND OR NOT",
        ] {
            let found = index.search(words);
            assert!(found.is_ok(), "{words:?}: {found:?}");
        }
        assert_eq!(index.search("parcel").unwrap().len(), 1, "it is still there");
    }
}
