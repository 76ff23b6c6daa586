//! What a program of the owner's wants of calls that are up, and what it is told that no record shows.

use std::time::Instant;

use super::Switchboard;
use crate::base::{CallId, Private};
use crate::call::record::{Direction, Progress};
use crate::call::{self, TransferTo, Wish};
use crate::converse::people::HANDSET;
use crate::sip::message::{BadEscape, Uri};
use crate::sip::{self, ReferNews, ReferTo};
use crate::web::{CallNews, Control, Controlled, Event, NotPlaced, TransferStep};

/// What was told of a call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    is_confirmed: bool,
    is_held: bool,
}

impl Told {
    /// Whether the other end holds us, by what is agreed from here on.
    pub(super) fn hold(&mut self, output: &call::Output) -> Option<CallNews> {
        let call::Output::ApplyMedia(plan) = output else { return None };
        let is_held = !plan.sends;
        let was_held = std::mem::replace(&mut self.is_held, is_held);
        (was_held != is_held).then_some(match is_held {
            true => CallNews::Held,
            false => CallNews::Resumed,
        })
    }
}

/// A transfer by the other end begins.
pub(super) fn begun(call: CallId, command: &sip::Command) -> Option<Event> {
    let sip::Command::Refer { to, .. } = command else { return None };
    let to = match to {
        ReferTo::Uri(to) | ReferTo::Number(to) => Some(to.clone()),
        // Whom we have called before; that was told.
        ReferTo::Leg(_) => return None,
    };
    Some(Event::Transfer { call, step: TransferStep::Begun, to })
}

/// A transfer by the other end came to nothing, or the other end wants one of us.
pub(super) fn failed(call: CallId, event: &sip::Event) -> Option<Event> {
    let (step, to) = match event {
        sip::Event::Refer { news: ReferNews::Failed(_), .. } => (TransferStep::Failed, None),
        _ => return None,
    };
    Some(Event::Transfer { call, step, to })
}

/// Digits of what may be an extension of a telephone system, and costs nobody anything.
const EXTENSION_DIGITS: usize = 4;

impl Switchboard {
    /// The ACK of a call that came.
    pub(super) fn confirmed(&mut self, id: CallId) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let record = line.call.record();
        let is_new = record.direction == Direction::Inbound
            && matches!(record.progress, Progress::Active { .. })
            && !line.told.is_confirmed;
        if is_new {
            line.told.is_confirmed = true;
            let record = line.shown();
            self.parts.board.tell(Event::Call { news: CallNews::Established, record });
        }
    }

    pub(super) fn control(&mut self, now: Instant, id: CallId, control: Control) -> Controlled {
        let is_up = |line: &super::Line| !line.call.record().progress.is_ended();
        if !self.lines.get(&id).is_some_and(is_up) {
            return Controlled::NotUp;
        }
        let wish = match control {
            Control::Wish(wish) => wish,
            Control::Transfer(to) => match self.target(to.reveal()) {
                Ok(to) => Wish::Transfer(to),
                Err(why) => return Controlled::NotThere(why),
            },
        };
        if !self.lines.get(&id).is_some_and(|line| line.call.can(&wish)) {
            return Controlled::NotNow;
        }
        self.call(now, id, call::Input::Wish(wish));
        Controlled::Done
    }

    /// A number is one that the owner lets the box call: it may be at the owner's cost.
    pub(super) fn target(&self, text: &str) -> Result<TransferTo, NotPlaced> {
        if let Some(name) = text.strip_prefix(HANDSET) {
            return match self.parts.visits.handsets.is_there(name) {
                true => Ok(TransferTo::Uri(Private::new(text.to_owned()))),
                false => Err(NotPlaced::Wrong("to: there is no such handset".to_owned())),
            };
        }
        if text.starts_with("sip:") || text.starts_with("sips:") {
            let uri = Uri::parse(text)
                .filter(|_| !text.chars().any(|c| c.is_control() || "<>\"".contains(c)))
                .ok_or_else(|| NotPlaced::Wrong("to: this is no SIP URI".to_owned()))?;
            // Who has our call may call it at the owner's cost, too.
            let number = number_in(&uri).map_err(|BadEscape| {
                NotPlaced::Wrong("to: the user part of this SIP URI has a bad escape".to_owned())
            })?;
            if let Some(number) = number {
                self.parts.dialler.number(&number)?;
            }
            return Ok(TransferTo::Uri(Private::new(text.to_owned())));
        }
        let number = self.parts.dialler.number(text.strip_prefix("tel:").unwrap_or(text))?;
        Ok(TransferTo::Number(Private::new(number.reveal().to_owned())))
    }
}

/// The number that the user part of an address is, if it may cost something: with more digits than an extension
/// has, without parameters of its own (RFC 3261 section 19.1.6).
pub(super) fn number_in(uri: &Uri) -> Result<Option<String>, BadEscape> {
    let Some(user) = uri.user_as_read()? else { return Ok(None) };
    let user = user.split(';').next().unwrap_or_default().trim();
    let digits = user.chars().filter(char::is_ascii_digit).count();
    let is_plain = user.chars().all(|c| c.is_ascii_digit() || "+-.()*#%/ \u{a0}".contains(c));
    let is_number = is_plain && (digits > EXTENSION_DIGITS || user.starts_with('+'));
    Ok(is_number.then(|| user.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_known_in_an_address_and_an_extension_is_none() {
        let number = |user: &str| {
            let uri = Uri::parse(&format!("sip:{user}@trunk.example")).unwrap();
            number_in(&uri)
        };
        for (user, expected) in [
            ("+1900", "+1900"),
            ("19005550100", "19005550100"),
            ("+1-900-555-0100", "+1-900-555-0100"),
            ("118118", "118118"),
            ("19005550100;phone-context=x", "19005550100"),
            ("+19005550100:secret", "+19005550100"),
            ("%2B19005550100", "+19005550100"),
            ("%2b1%39005550100", "+19005550100"),
            ("%31%39005550100", "19005550100"),
            ("%2B1%20900%205550100", "+1 900 5550100"),
            ("%20%2B19005550100", "+19005550100"),
            ("+19005550100%3Bisub=1", "+19005550100"),
        ] {
            assert_eq!(number(user).unwrap().as_deref(), Some(expected), "{user}");
        }
        for user in ["101", "anna", "4711", "anna19005550100", "%61nna", "%34711"] {
            assert_eq!(number(user), Ok(None), "{user}");
        }
        for user in ["%2", "%zz19005550100", "%+119005550100", "19005550100%00", "%ff19005550100"] {
            assert_eq!(number(user), Err(BadEscape), "{user}");
        }
        assert_eq!(number_in(&Uri::parse("sip:trunk.example").unwrap()), Ok(None));
        let tel = Uri::parse("tel:%2B19005550100").unwrap();
        assert_eq!(number_in(&tel).unwrap().as_deref(), Some("+19005550100"));
    }
}
