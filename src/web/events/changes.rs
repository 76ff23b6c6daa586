//! What has happened, by what was shown before and what is shown now.

use std::sync::Arc;

use super::{CallNews, Event};
use crate::call::record::{CallRecord, Direction, Part, Progress};
use crate::web::board::AccountReport;

/// Of a call.
pub fn of_call(before: Option<&CallRecord>, now: &Arc<CallRecord>) -> Vec<Event> {
    let mut events = Vec::new();
    let mut news = |news| events.push(Event::Call { news, record: Arc::clone(now) });
    let progress = before.map(|before| before.progress);
    match now.direction {
        Direction::Inbound if before.is_none() => news(CallNews::Incoming),
        Direction::Inbound => (),
        // Each attempt has a Call-ID of its own; one that has none was never made.
        Direction::Outbound => {
            let is_new = before.is_none_or(|before| before.sip_call_id != now.sip_call_id);
            if is_new && !now.sip_call_id.reveal().is_empty() {
                news(CallNews::Outgoing);
            }
        }
    }
    let changed =
        |name: &str| now.progress.name() == name && progress.is_none_or(|p| p.name() != name);
    if now.direction == Direction::Outbound && changed("ringing") {
        news(CallNews::Ringing);
    }
    if changed("early-media") {
        news(CallNews::Progress);
    }
    let is_answered = now.progress.answered_at_ms().is_some();
    if is_answered && progress.is_none_or(|p| p.answered_at_ms().is_none()) {
        news(CallNews::Answered);
        // What comes is established by its ACK, which the record does not know.
        if now.direction == Direction::Outbound {
            news(CallNews::Established);
        }
    }
    if now.is_joined && before.is_none_or(|before| !before.is_joined) {
        news(CallNews::Joined);
    }
    let attended = attendance(before, now);
    attended.into_iter().for_each(&mut news);
    events.extend(words(before, now));
    let mut news = |news| events.push(Event::Call { news, record: Arc::clone(now) });
    if matches!(now.progress, Progress::Waiting { .. }) && changed("waiting") {
        news(CallNews::Waiting);
    }
    if now.progress.is_ended() && progress.is_none_or(|p| !p.is_ended()) {
        news(CallNews::Closed);
    }
    events
}

/// Who of the firm's has come and gone. A part that has begun and ended between two looks is told as both.
fn attendance(before: Option<&CallRecord>, now: &CallRecord) -> Vec<CallNews> {
    let known = before.map_or(&[][..], CallRecord::attended);
    let parts = now.attended().iter().enumerate().map(|(index, is)| (known.get(index), is));
    parts
        .flat_map(|(was, is)| {
            let (begins, ends) = match is.part {
                Part::Listened => (CallNews::Observed, CallNews::Unobserved),
                Part::TookOver => (CallNews::TakenOver, CallNews::GivenBack),
            };
            let has_begun = was.is_none().then_some(begins);
            let was_over = was.is_some_and(|was| was.to_ms.is_some());
            let has_ended = (is.to_ms.is_some() && !was_over).then_some(ends);
            has_begun.into_iter().chain(has_ended)
        })
        .collect()
}

fn words(before: Option<&CallRecord>, now: &CallRecord) -> Vec<Event> {
    let call = now.id;
    let mut events = Vec::new();
    if let Some(text) = &now.partial
        && before.and_then(|before| before.partial.as_ref()) != Some(text)
    {
        events.push(Event::Partial { call, text: text.clone() });
    }
    let known = before.map_or(&[][..], CallRecord::turns);
    // Of the turns that were there before, only the last few may still change.
    let first = known.len().saturating_sub(4);
    for (turn, is) in now.turns().iter().enumerate().skip(first) {
        let was = known.get(turn);
        if was.is_none() && !is.caller_text.reveal().is_empty() {
            events.push(Event::Heard { call, turn, text: is.caller_text.clone() });
        }
        let was = was.map(|was| &was.reply_text);
        if was != Some(&is.reply_text) && !is.reply_text.reveal().is_empty() {
            events.push(Event::Replied { call, turn, text: is.reply_text.clone() });
        }
    }
    let known = before.map_or(0, |before| before.messages().len());
    for message in now.messages().iter().skip(known) {
        events.push(Event::Message { call, message: message.clone() });
    }
    events
}

/// Of the accounts: those that are other than they were. A renewed registration is one.
pub fn of_accounts(before: &[AccountReport], now: &[AccountReport]) -> Vec<Event> {
    let is_new = |report: &&AccountReport| !before.contains(report);
    now.iter().filter(is_new).cloned().map(Event::Account).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, Private};
    use crate::call::ending::Cause;
    use crate::call::record::Turn;
    use crate::converse::Message;
    use crate::listen::PartialText;

    fn record(direction: Direction) -> CallRecord {
        CallRecord::new(CallId(1), direction, "+4930123456".to_owned(), 1_000)
    }

    /// The events' types, as one state follows the other.
    fn told(states: &[CallRecord]) -> Vec<&'static str> {
        let mut before: Option<Arc<CallRecord>> = None;
        let mut names = Vec::new();
        for state in states {
            let now = Arc::new(state.clone());
            names.extend(of_call(before.as_deref(), &now).iter().map(Event::name));
            before = Some(now);
        }
        names
    }

    fn with(record: &CallRecord, progress: Progress) -> CallRecord {
        let mut record = record.clone();
        record.progress = progress;
        record
    }

    fn ended(answered_at_ms: Option<u64>) -> Progress {
        Progress::Ended { answered_at_ms, ended_at_ms: 9, ending: Cause::HungUp.into() }
    }

    #[test]
    fn a_call_that_comes_is_told_from_its_invite_to_its_end() {
        let first = record(Direction::Inbound);
        let active = with(&first, Progress::Active { answered_at_ms: 5 });
        let mut said = active.clone();
        said.partial =
            Some(PartialText { settled: Private::new("are you".into()), ..PartialText::default() });
        let mut heard = active.clone();
        heard.push_turn(Turn {
            caller_text: Private::new("are you open".into()),
            ..Turn::default()
        });
        let mut replied = heard.clone();
        replied.turn_mut(0).unwrap().reply_text = Private::new("We are.".into());
        let mut left = replied.clone();
        left.push_message(Message::default());
        let over = with(&left, ended(Some(5)));
        let states = [
            first.clone(),
            first,
            active.clone(),
            said.clone(),
            said,
            heard,
            replied,
            left,
            over.clone(),
            over,
        ];
        let names = [
            "call.incoming",
            "call.answered",
            "transcript.partial",
            "transcript.final",
            "reply",
            "message.left",
            "call.closed",
        ];
        assert_eq!(told(&states), names);
    }

    #[test]
    fn a_call_of_ours_is_told_with_each_attempt() {
        let first = record(Direction::Outbound);
        let named = |id: &str| {
            let mut record = first.clone();
            record.sip_call_id = Private::new(id.into());
            record
        };
        let (one, two) = (named("a"), named("b"));
        let states = [
            first.clone(),
            one.clone(),
            with(&one, Progress::Ringing),
            with(&one, Progress::Waiting { until_ms: 7 }),
            two.clone(),
            with(&two, Progress::EarlyMedia),
            with(&two, Progress::Active { answered_at_ms: 5 }),
            with(&two, ended(Some(5))),
        ];
        let names = [
            "call.outgoing",
            "call.ringing",
            "call.waiting",
            "call.outgoing",
            "call.progress",
            "call.answered",
            "call.established",
            "call.closed",
        ];
        assert_eq!(told(&states), names);
        let refused = with(&first, ended(None));
        assert_eq!(told(&[refused]), ["call.closed"]);
    }
}
