//! What was said in a call, as it comes: the difference between its record now and when it was last told.

use super::control::Who;
use crate::base::Private;
use crate::call::CallRecord;

/// A piece of what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub who: Who,
    pub text: Private<String>,
    /// `false`: the caller is still speaking, and the next one of theirs replaces it.
    pub is_final: bool,
}

/// How far one listener has been told.
#[derive(Debug, Default)]
pub struct Told {
    /// Turns whose caller's words were told.
    turns: usize,
    /// Bytes of the last turn's reply that were told.
    reply_bytes: usize,
    partial: Private<String>,
}

impl Told {
    /// What is new in the record. A reply grows piece by piece, and only the last one does.
    pub fn news(&mut self, record: &CallRecord) -> Vec<Said> {
        let mut news = Vec::new();
        let last = self.turns.saturating_sub(1);
        for (number, turn) in record.turns().iter().enumerate().skip(last) {
            if number >= self.turns {
                self.turns = number + 1;
                self.reply_bytes = 0;
                self.partial = Private::default();
                news.extend(said(Who::Caller, turn.caller_text.reveal(), true));
            }
            let reply = turn.reply_text.reveal();
            // A reply that was interrupted may have been cut to what was heard.
            let new = reply.get(self.reply_bytes..).unwrap_or_default();
            news.extend(said(Who::Attendant, new, true));
            self.reply_bytes = reply.len();
        }
        let partial = record.partial.as_ref().map(|partial| {
            let words = [partial.settled.reveal().trim(), partial.rest.reveal().trim()];
            words.join(" ").trim().to_owned()
        });
        let partial = Private::new(partial.unwrap_or_default());
        if partial != self.partial {
            news.extend(said(Who::Caller, partial.reveal(), false));
            self.partial = partial;
        }
        news
    }
}

fn said(who: Who, text: &str, is_final: bool) -> Option<Said> {
    let text = text.trim();
    (!text.is_empty()).then(|| Said { who, text: Private::new(text.to_owned()), is_final })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::CallId;
    use crate::call::record::{Direction, Turn};
    use crate::listen::PartialText;

    fn texts(news: &[Said]) -> Vec<(Who, &str, bool)> {
        news.iter().map(|said| (said.who, said.text.reveal().as_str(), said.is_final)).collect()
    }

    #[test]
    fn each_piece_is_told_once_and_in_order() {
        let mut record = CallRecord::new(CallId(1), Direction::Inbound, String::new(), 0);
        let mut told = Told::default();
        assert!(told.news(&record).is_empty());
        let reply = |text: &str| Turn { reply_text: text.to_owned().into(), ..Turn::default() };
        record.push_turn(reply("Good morning."));
        assert_eq!(texts(&told.news(&record)), [(Who::Attendant, "Good morning.", true)]);
        let partial = |settled: &str, rest: &str| PartialText {
            settled: settled.to_owned().into(),
            rest: rest.to_owned().into(),
        };
        record.partial = Some(partial("what are", "your"));
        assert_eq!(texts(&told.news(&record)), [(Who::Caller, "what are your", false)]);
        assert!(told.news(&record).is_empty());
        record.partial = None;
        record
            .push_turn(Turn { caller_text: "What are your hours?".to_owned().into(), ..reply("") });
        record.turn_mut(1).unwrap().add_reply(&"We are open".to_owned().into());
        let hours =
            [(Who::Caller, "What are your hours?", true), (Who::Attendant, "We are open", true)];
        assert_eq!(texts(&told.news(&record)), hours);
        record.turn_mut(1).unwrap().add_reply(&"from eight.".to_owned().into());
        assert_eq!(texts(&told.news(&record)), [(Who::Attendant, "from eight.", true)]);
        // Cut to what was heard, and then a new turn.
        record.turn_mut(1).unwrap().reply_text = "We".to_owned().into();
        assert!(told.news(&record).is_empty());
        record.push_turn(reply("Goodbye."));
        assert_eq!(texts(&told.news(&record)), [(Who::Attendant, "Goodbye.", true)]);
    }
}
