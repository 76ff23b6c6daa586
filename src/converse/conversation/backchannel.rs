//! What people say while the other speaks, without wanting the floor.

use super::Conversation;
use crate::converse::alphabet::Speech;
use crate::converse::matching::grammar::is_one_of;
use crate::converse::matching::tokens::joined;

/// Words of one backchannel: "okay, okay, yeah, right".
const WORDS: usize = 4;

impl Conversation {
    /// Whether `speech` only shows that the caller listens ("mm-hm", "okay"). Over our voice and
    /// where nothing was asked it wants no reply.
    pub fn is_backchannel(&self, speech: &Speech) -> bool {
        let lexicon = self.playbook.lexicon();
        let tokens = lexicon.tokenise(speech.text.reveal());
        let list = lexicon.grammar().answers.backchannels;
        tokens.len() <= WORDS
            && (tokens.iter().all(|token| is_one_of(list, &token.word))
                || is_one_of(list, &joined(&tokens)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::LanguageCode;
    use crate::converse::{Playbook, Settings};

    #[test]
    fn listening_is_told_from_wanting_something() {
        let english = Arc::new(Playbook::logistics());
        let russian = LanguageCode::new("ru").and_then(Playbook::shipped).expect("a desk in it");
        let conversation = |playbook| Conversation::new(playbook, Settings::default());
        let (english, russian) = (conversation(english), conversation(Arc::new(russian)));
        for text in ["Mm-hm.", "Mhm.", "Okay.", "OK.", "Uh-huh.", "Yeah.", "Yeah, okay.", "I see."]
        {
            assert!(english.is_backchannel(&Speech::certain(text)), "{text}");
        }
        for text in ["Stop.", "No.", "Wait, okay?", "What?", "Okay, where is my order?"] {
            assert!(!english.is_backchannel(&Speech::certain(text)), "{text}");
        }
        for (text, expected) in [("Угу.", true), ("Да, да.", true), ("Стоп.", false)] {
            assert_eq!(russian.is_backchannel(&Speech::certain(text)), expected, "{text}");
        }
    }
}
