//! The folder of knowledge as one more question: its words are the caller's or the model's, its
//! answer is what the owner has written.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::{Private, limits};
use crate::converse::lookup::{LookUp, LookedUp, Lookup, Parameter, ParameterKind};
use crate::store::knowledge::{Found, Knowledge, first_sentence};

/// The name of the question.
pub const SEARCH_KNOWLEDGE: &str = "search_knowledge";
const WORDS: &str = "words";
/// What a model is told.
const PASSAGES: &str = "passages";
/// What can be said without a model.
const SENTENCE: &str = "sentence";
/// Share of the words that the passage must have whose first sentence is said unread: with fewer it
/// is about something else more often than not.
const SOUND: f32 = 0.6;
const PATIENCE: Duration = Duration::from_secs(2);

/// The question, for conversations.
pub fn search_knowledge() -> Lookup {
    let description = "Search what the firm has written down about its services, prices, rules and \
        people. Use it before you say that you do not know something about the firm.";
    Lookup {
        name: SEARCH_KNOWLEDGE.to_owned(),
        description: description.to_owned(),
        parameters: vec![Parameter { name: WORDS.to_owned(), kind: ParameterKind::Words }],
        fields: vec![PASSAGES.to_owned(), SENTENCE.to_owned()],
        changes: false,
    }
}

pub(super) async fn search(knowledge: &Knowledge, asked: &LookUp) -> LookedUp {
    let Some(words) = asked.value(WORDS) else { return LookedUp::Failed };
    let (sender, receiver) = oneshot::channel();
    // A call that is over does not wait for it.
    let answer = Box::new(move |found| drop(sender.send(found)));
    knowledge.search(Private::new(words.to_owned()), answer);
    match tokio::time::timeout(PATIENCE, receiver).await {
        Ok(Ok(Some(found))) => told(&found),
        Ok(Ok(None) | Err(_)) | Err(_) => LookedUp::Failed,
    }
}

fn told(found: &[Found]) -> LookedUp {
    let Some(best) = found.first() else { return LookedUp::NotFound };
    let passages = found.iter().map(|found| {
        let passage = &found.passage;
        format!("{}: {}", passage.title, passage.text)
    });
    let passages = passages.collect::<Vec<_>>().join("\n");
    let passages: String = passages.chars().take(limits::KNOWLEDGE_CHARS).collect();
    let mut fields = vec![(PASSAGES.to_owned(), Private::new(passages))];
    let sentence = first_sentence(&best.passage.text);
    if best.coverage >= SOUND && sentence.chars().count() <= limits::LOOK_UP_FIELD_CHARS {
        fields.push((SENTENCE.to_owned(), Private::new(sentence.to_owned())));
    }
    LookedUp::Found(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::knowledge::Passage;

    #[test]
    fn a_sentence_is_there_to_be_said_only_for_a_good_match() {
        let found = |coverage| Found {
            passage: Passage { title: "prices".into(), text: "Nine euros. More by air.".into() },
            coverage,
        };
        let fields = |outcome| match outcome {
            LookedUp::Found(fields) => fields,
            other => panic!("{other:?}"),
        };
        let sound = fields(told(&[found(0.7), found(0.1)]));
        assert_eq!(sound[1].1.reveal(), "Nine euros.");
        assert!(sound[0].1.reveal().starts_with("prices: Nine euros. More by air.\nprices: "));
        assert_eq!(fields(told(&[found(0.5)])).len(), 1);
        assert_eq!(told(&[]), LookedUp::NotFound);
    }
}
