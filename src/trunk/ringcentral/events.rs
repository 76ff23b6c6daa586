//! Telephony-session events: read, put into their order, and what each means for a call.
//!
//! Deliveries come twice and out of order, and each tells only the parties that have changed: what is not above the
//! highest sequence of its party is dropped. Invariant: at most `limits::RINGCENTRAL_SESSIONS` are remembered, the
//! longest unheard of goes first, each with `limits::RINGCENTRAL_PARTIES`.

use std::time::Instant;

use serde_json::Value;

use super::control::is_id;
use crate::base::{Private, limits};

/// The ids of a call at the REST interface, as INVITEs and responses carry them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiIds {
    pub session: String,
    pub party: String,
}

impl ApiIds {
    /// Of `P-Rc-Api-Ids`: two pairs in any order.
    pub fn parse(header: &str) -> Option<Self> {
        let value = |wanted: &str| {
            header.split([';', ',']).find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                let value = value.trim();
                (name.trim().eq_ignore_ascii_case(wanted) && is_id(value)).then(|| value.to_owned())
            })
        };
        Some(Self { session: value("session-id")?, party: value("party-id")? })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Inbound,
    Outbound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Setup,
    Proceeding,
    Answered,
    Hold,
    Voicemail,
    /// Over, or gone to somebody else.
    Over,
    /// Parked, fax and whatever else there may be.
    Other,
}

/// Where a party is, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyStatus {
    pub standing: Standing,
    pub reason: String,
}

/// What is new of one party. `Debug` shows no number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyNews {
    pub session: String,
    pub party: String,
    pub direction: Direction,
    pub status: PartyStatus,
    /// Whom the call goes to.
    pub to: Private<Option<String>>,
    /// The Call-ID of the call's own dialog, where the subscription asks for it.
    pub sip_call_id: Private<Option<String>>,
}

/// What the news of our own party of a call that we make says of whom we call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody has picked up.
    Answered,
    Busy,
    NoAnswer,
    /// Somebody does not want it, and would not want it again.
    Declined,
    /// A mailbox has it.
    Machine,
    /// Nobody can be reached there.
    Failed,
}

impl PartyNews {
    /// Whether it rings at somebody of ours.
    pub fn rings(&self) -> bool {
        self.direction == Direction::Inbound && self.status.standing == Standing::Proceeding
    }

    /// `None`: not decided yet.
    pub fn verdict(&self) -> Option<Verdict> {
        let PartyStatus { standing, reason } = &self.status;
        match standing {
            Standing::Answered | Standing::Hold => Some(Verdict::Answered),
            Standing::Voicemail => Some(Verdict::Machine),
            Standing::Setup | Standing::Proceeding | Standing::Other => None,
            Standing::Over => Some(match reason.as_str() {
                "TargetBusy" => Verdict::Busy,
                "NoAnswer" | "Timeout" | "Cancelled" => Verdict::NoAnswer,
                "Rejected" => Verdict::Declined,
                "Voicemail" => Verdict::Machine,
                _ => Verdict::Failed,
            }),
        }
    }
}

struct Known {
    session: String,
    /// The highest sequence of each.
    parties: Vec<(String, u64)>,
    heard_at: Instant,
}

impl Known {
    /// Whether this is newer than what was heard of the party.
    fn is_new(&mut self, party: &str, sequence: u64) -> bool {
        match self.parties.iter_mut().find(|(known, _)| known == party) {
            Some((_, last)) if sequence <= *last => return false,
            Some((_, last)) => *last = sequence,
            None => {
                if self.parties.len() == limits::RINGCENTRAL_PARTIES {
                    self.parties.remove(0);
                }
                self.parties.push((party.to_owned(), sequence));
            }
        }
        true
    }
}

/// What was not taken, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    pub stale: u64,
    pub unreadable: u64,
}

/// See the module.
#[derive(Default)]
pub struct Sessions {
    known: Vec<Known>,
    dropped: Dropped,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sessions({}, {:?})", self.known.len(), self.dropped)
    }
}

impl Sessions {
    pub const fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// The parties of one event of which it is the newest. `event` is what a webhook or a notification brings.
    pub fn take(&mut self, now: Instant, event: &Value) -> Vec<PartyNews> {
        let Some((session, sequence, parties)) = read(event) else {
            self.dropped.unreadable += 1;
            return Vec::new();
        };
        let mut all: Vec<PartyNews> =
            parties.iter().filter_map(|party| news(&session, party)).collect();
        let known = self.of_session(now, session);
        all.retain(|news| known.is_new(&news.party, sequence));
        if all.is_empty() {
            self.dropped.stale += 1;
        }
        all
    }

    fn of_session(&mut self, now: Instant, session: String) -> &mut Known {
        let at = self.known.iter().position(|known| known.session == session);
        let at = at.unwrap_or_else(|| {
            if self.known.len() == limits::RINGCENTRAL_SESSIONS {
                let oldest = (0..self.known.len()).min_by_key(|at| self.known[*at].heard_at);
                oldest.into_iter().for_each(|at| drop(self.known.swap_remove(at)));
            }
            self.known.push(Known { session, parties: Vec::new(), heard_at: now });
            self.known.len() - 1
        });
        let known = &mut self.known[at];
        known.heard_at = now;
        known
    }
}

fn read(event: &Value) -> Option<(String, u64, Vec<Value>)> {
    let body = event.get("body")?;
    let session = body.get("telephonySessionId")?.as_str().filter(|id| is_id(id))?;
    let sequence = body.get("sequence")?.as_u64()?;
    let parties = body.get("parties")?.as_array()?;
    let parties = parties.iter().take(limits::RINGCENTRAL_PARTIES).cloned().collect();
    Some((session.to_owned(), sequence, parties))
}

fn news(session: &str, party: &Value) -> Option<PartyNews> {
    let id = party.get("id")?.as_str().filter(|id| is_id(id))?;
    let direction = match party.get("direction")?.as_str()? {
        "Inbound" => Direction::Inbound,
        "Outbound" => Direction::Outbound,
        _ => return None,
    };
    let status = party.get("status")?;
    let standing = match status.get("code")?.as_str()? {
        "Setup" => Standing::Setup,
        // The older word for it.
        "Proceeding" | "Ringing" => Standing::Proceeding,
        "Answered" => Standing::Answered,
        "Hold" => Standing::Hold,
        "VoiceMail" | "VoiceMailScreening" => Standing::Voicemail,
        "Disconnected" | "Gone" => Standing::Over,
        _ => Standing::Other,
    };
    let reason = status.get("reason").and_then(Value::as_str).unwrap_or_default();
    let reason = reason.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let text = |holder: &str, name: &str| {
        Private::new(party.get(holder).and_then(|h| h.get(name)?.as_str()).map(str::to_owned))
    };
    Some(PartyNews {
        session: session.to_owned(),
        party: id.to_owned(),
        direction,
        status: PartyStatus { standing, reason },
        to: text("to", "phoneNumber"),
        sip_call_id: text("sipData", "callId"),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn event(session: &str, sequence: u64, status: &Value) -> Value {
        json!({ "event": "x", "body": {
            "telephonySessionId": session, "sequence": sequence,
            "parties": [{ "id": "p-1-2", "direction": "Outbound", "status": status,
                          "to": { "phoneNumber": "+1650" } }],
        }})
    }

    #[test]
    fn each_session_counts_for_itself_and_what_is_not_new_is_dropped() {
        let (now, mut sessions) = (Instant::now(), Sessions::default());
        let status = json!({ "code": "Proceeding" });
        let mut taken = |session: &str, sequence: u64| {
            sessions.take(now, &event(session, sequence, &status)).len()
        };
        let order = [("s-a", 1, 1), ("s-a", 1, 0), ("s-a", 4, 1), ("s-a", 3, 0), ("s-b", 2, 1)];
        for (session, sequence, expected) in order {
            assert_eq!(taken(session, sequence), expected, "{session} {sequence}");
        }
        assert_eq!(sessions.dropped(), Dropped { stale: 2, unreadable: 0 });
        for foul in [json!(null), json!({}), json!({ "body": { "telephonySessionId": "../" } })] {
            assert!(sessions.take(now, &foul).is_empty());
        }
        assert_eq!(sessions.dropped().unreadable, 3);
    }

    #[test]
    fn an_event_that_comes_late_still_tells_of_the_parties_that_the_later_one_left_out() {
        let (now, mut sessions) = (Instant::now(), Sessions::default());
        let of = |sequence: u64, parties: &[(&str, &str)]| {
            let party = |(id, code): &(&str, &str)| json!({ "id": id, "direction": "Outbound", "status": { "code": code } });
            json!({ "event": "x", "body": { "telephonySessionId": "s-1", "sequence": sequence,
                "parties": parties.iter().map(party).collect::<Vec<_>>() }})
        };
        let mut taken = |event: &Value| {
            let news = sessions.take(now, event);
            news.into_iter().map(|news| (news.party, news.status.standing)).collect::<Vec<_>>()
        };
        assert_eq!(
            taken(&of(5, &[("p-2", "Proceeding")])),
            [("p-2".to_owned(), Standing::Proceeding)]
        );
        let late = of(4, &[("p-1", "Answered"), ("p-2", "Setup")]);
        assert_eq!(taken(&late), [("p-1".to_owned(), Standing::Answered)]);
        assert_eq!(taken(&late), []);
    }

    #[test]
    fn no_more_sessions_are_remembered_than_there_is_room_for() {
        let (now, mut sessions) = (Instant::now(), Sessions::default());
        let status = json!({ "code": "Setup" });
        for number in 0..limits::RINGCENTRAL_SESSIONS + 5 {
            let at = now + Duration::from_secs(u64::try_from(number).unwrap());
            sessions.take(at, &event(&format!("s-{number}"), 1, &status));
        }
        assert_eq!(sessions.known.len(), limits::RINGCENTRAL_SESSIONS);
        assert!(sessions.known.iter().all(|known| known.session != "s-0"));
    }

    #[test]
    fn a_status_is_a_verdict_once_it_decides() {
        let mut sessions = Sessions::default();
        let mut sequence = 0;
        for (code, reason, verdict) in [
            ("Setup", "", None),
            ("Proceeding", "", None),
            ("Parked", "", None),
            ("Answered", "", Some(Verdict::Answered)),
            ("VoiceMail", "", Some(Verdict::Machine)),
            ("Disconnected", "TargetBusy", Some(Verdict::Busy)),
            ("Disconnected", "NoAnswer", Some(Verdict::NoAnswer)),
            ("Disconnected", "Rejected", Some(Verdict::Declined)),
            ("Disconnected", "InvalidNumber", Some(Verdict::Failed)),
            ("Gone", "Voicemail", Some(Verdict::Machine)),
        ] {
            sequence += 1;
            let status = json!({ "code": code, "reason": reason });
            let news = sessions.take(Instant::now(), &event("s-1", sequence, &status));
            assert_eq!(news[0].verdict(), verdict, "{code} {reason}");
            assert!(!format!("{:?}", news[0]).contains("1650") && !news[0].rings());
        }
    }

    #[test]
    fn the_ids_of_a_call_are_read_in_any_order() {
        let ids = ApiIds { session: "s-a0z".to_owned(), party: "p-a0z-2".to_owned() };
        for header in ["party-id=p-a0z-2;session-id=s-a0z", " session-id=s-a0z; party-id=p-a0z-2 "]
        {
            assert_eq!(ApiIds::parse(header).as_ref(), Some(&ids), "{header}");
        }
        for header in ["", "party-id=p", "party-id=/;session-id=s-1"] {
            assert_eq!(ApiIds::parse(header), None, "{header}");
        }
    }
}
