//! A subscription whose events come to our address by HTTP: made, renewed before it ends, looked at, and
//! made anew once the platform has given our address up.
//!
//! ```text
//! Listing ─ ours of before: deleted ─▶ Creating ─▶ Active ─ renew, look ─▶ Active
//!                                         ▲           └ blacklisted, or gone: deleted ─┐
//!                                         └──── at once, or Waiting where it was soon ◀┘
//! ```
//!
//! A blacklisted subscription never comes back by itself. One that is given up again soon is made anew after a
//! wait that grows, for each costs the platform deliveries that come to nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::control::is_id;
use super::refusal::Refusal;
use super::request::{Body, Request};
use crate::base::Private;

const PATH: &str = "/restapi/v1.0/subscription";
/// What is asked for; the answer says what it is.
const EXPIRES_S: u64 = 604_800;
/// The shortest time that is believed.
const LEAST_S: u64 = 10;
/// The part of its time after which it is renewed.
const RENEW_AT: f64 = 0.8;
/// The wait after a failure, doubled up to the most.
const BACK_OFF: Duration = Duration::from_secs(30);
const BACK_OFF_MOST: Duration = Duration::from_secs(600);
/// A subscription that has been active for so long works: what failed before it counts no more.
const STAYED: Duration = BACK_OFF_MOST;

/// Where events are to come, and how it is looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub address: Private<String>,
    /// The word that shows who sends them.
    pub token: Private<String>,
    /// How often it is looked at whether it was blacklisted: nobody tells.
    pub look_every: Duration,
}

/// What a request of this subscription is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    List,
    Create,
    Renew,
    Look,
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Waiting {
        until: Instant,
    },
    /// A request is out.
    Asking(Step),
    Active {
        id: String,
        renew_at: Instant,
        look_at: Instant,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Hook {
    filters: Vec<String>,
    settings: Settings,
    state: State,
    /// The id that is renewed, looked at or deleted, with the time of its renewal.
    id: Option<(String, Instant)>,
    /// Others to be deleted first.
    stale: Vec<String>,
    /// When the one in use was made.
    made_at: Option<Instant>,
    /// None is made before.
    not_before: Option<Instant>,
    failures: u32,
}

impl Hook {
    pub const fn new(now: Instant, filters: Vec<String>, settings: Settings) -> Self {
        Self {
            filters,
            settings,
            state: State::Waiting { until: now },
            id: None,
            stale: Vec::new(),
            made_at: None,
            not_before: None,
            failures: 0,
        }
    }

    /// Whether events come.
    pub const fn is_up(&self) -> bool {
        match &self.state {
            State::Active { .. } | State::Asking(Step::Renew | Step::Look) => true,
            State::Waiting { .. } | State::Asking(_) => false,
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { until } => Some(*until),
            State::Active { renew_at, look_at, .. } => Some(*renew_at.min(look_at)),
            State::Asking(_) => None,
        }
    }

    /// What is to be asked now.
    pub fn due(&mut self, now: Instant) -> Option<(Step, Request)> {
        match &self.state {
            State::Waiting { until } if *until <= now => Some(self.ask(Step::List)),
            State::Active { id, renew_at, .. } if *renew_at <= now => {
                self.id = Some((id.clone(), *renew_at));
                Some(self.ask(Step::Renew))
            }
            State::Active { id, renew_at, look_at } if *look_at <= now => {
                self.id = Some((id.clone(), *renew_at));
                Some(self.ask(Step::Look))
            }
            State::Waiting { .. } | State::Active { .. } | State::Asking(_) => None,
        }
    }

    fn ask(&mut self, step: Step) -> (Step, Request) {
        self.state = State::Asking(step);
        let id = self.id.as_ref().map(|(id, _)| id.as_str()).unwrap_or_default();
        let request = match step {
            Step::List => Request::get(PATH),
            Step::Create => Request::post(PATH, self.body()),
            Step::Renew => Request::post(format!("{PATH}/{id}/renew"), Body::None),
            Step::Look => Request::get(format!("{PATH}/{id}")),
            Step::Delete => {
                let stale = self.stale.pop();
                Request::delete(format!("{PATH}/{}", stale.unwrap_or_default()))
            }
        };
        (step, request)
    }

    fn body(&self) -> Body {
        Body::json(&json!({
            "eventFilters": self.filters,
            "expiresIn": EXPIRES_S,
            "deliveryMode": {
                "transportType": "WebHook",
                "address": self.settings.address.reveal(),
                "verificationToken": self.settings.token.reveal(),
            },
        }))
    }

    /// What came of a request; what is to be asked next, and what the owner is told if it has failed.
    pub fn answered(
        &mut self,
        now: Instant,
        step: Step,
        outcome: Result<Vec<u8>, Refusal>,
    ) -> (Option<(Step, Request)>, Option<Refusal>) {
        let answer = outcome.map(|body| serde_json::from_slice::<Value>(&body).unwrap_or_default());
        match (step, answer) {
            (Step::List, Ok(list)) => {
                self.stale = self.ours(&list);
                (self.delete_or_create(now), None)
            }
            // What cannot be deleted runs out by itself.
            (Step::Delete, _) => (self.delete_or_create(now), None),
            (Step::Create | Step::Renew | Step::Look, Ok(info)) => self.informed(now, step, &info),
            (Step::Renew | Step::Look, Err(Refusal::Unknown)) => {
                self.id = None;
                (Some(self.ask(Step::Create)), None)
            }
            (Step::Renew | Step::Look, Err(refusal)) => {
                // It lives on; it is tried again at the next look.
                self.failures = self.failures.saturating_add(1);
                let Some((id, _)) = self.id.clone() else { return self.fail(now, refusal) };
                let again = now + self.back_off();
                self.state = State::Active { id, renew_at: again, look_at: again };
                (None, Some(refusal))
            }
            (Step::List | Step::Create, Err(refusal)) => self.fail(now, refusal),
        }
    }

    fn informed(
        &mut self,
        now: Instant,
        step: Step,
        info: &Value,
    ) -> (Option<(Step, Request)>, Option<Refusal>) {
        let id = info.get("id").and_then(Value::as_str).filter(|id| is_id(id));
        let Some(id) = id.map(str::to_owned) else {
            return self.fail(now, Refusal::Unreadable("the subscription's id"));
        };
        if info.get("status").and_then(Value::as_str) == Some("Blacklisted") {
            return (Some(self.given_up(now, step, id)), Some(Refusal::GivenUp));
        }
        match (step, self.made_at) {
            (Step::Create, _) => self.made_at = Some(now),
            (_, Some(made_at)) if now >= made_at + STAYED => self.failures = 0,
            _ => {}
        }
        let seconds = info.get("expiresIn").and_then(Value::as_u64).unwrap_or(EXPIRES_S);
        let time = Duration::from_secs(seconds.clamp(LEAST_S, EXPIRES_S)).mul_f64(RENEW_AT);
        let renew_at = match (step, &self.id) {
            (Step::Look, Some((_, renew_at))) => *renew_at,
            _ => now + time,
        };
        self.state = State::Active { id, renew_at, look_at: now + self.settings.look_every };
        (None, None)
    }

    /// It is blacklisted: made anew at once if it has worked, and nothing has failed before.
    fn given_up(&mut self, now: Instant, step: Step, id: String) -> (Step, Request) {
        let has_worked = step != Step::Create && self.failures == 0;
        self.not_before = (!has_worked).then(|| now + self.back_off());
        self.failures = self.failures.saturating_add(1);
        self.stale = vec![id];
        self.id = None;
        self.ask(Step::Delete)
    }

    /// Subscriptions of ours that an earlier run has left behind.
    fn ours(&self, list: &Value) -> Vec<String> {
        let records = list.get("records").and_then(Value::as_array);
        let is_ours = |one: &&Value| {
            let address = one.get("deliveryMode").and_then(|mode| mode.get("address")?.as_str());
            address == Some(self.settings.address.reveal())
        };
        let ids = records.into_iter().flatten().filter(is_ours);
        let ids = ids.filter_map(|one| one.get("id")?.as_str().filter(|id| is_id(id)));
        ids.map(str::to_owned).collect()
    }

    /// `None`: it is waited before.
    fn delete_or_create(&mut self, now: Instant) -> Option<(Step, Request)> {
        if !self.stale.is_empty() {
            return Some(self.ask(Step::Delete));
        }
        match self.not_before.take().filter(|at| now < *at) {
            Some(until) => {
                self.state = State::Waiting { until };
                None
            }
            None => Some(self.ask(Step::Create)),
        }
    }

    fn fail(
        &mut self,
        now: Instant,
        refusal: Refusal,
    ) -> (Option<(Step, Request)>, Option<Refusal>) {
        let wait = self.back_off();
        self.failures = self.failures.saturating_add(1);
        self.state = State::Waiting { until: now + wait };
        (None, Some(refusal))
    }

    fn back_off(&self) -> Duration {
        BACK_OFF.saturating_mul(1 << self.failures.min(10)).min(BACK_OFF_MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK_EVERY: Duration = Duration::from_secs(600);

    fn hook(now: Instant) -> Hook {
        let private = |text: &str| Private::new(text.to_owned());
        let (address, token) = (private("https://box/x"), private("hush"));
        let settings = Settings { address, token, look_every: LOOK_EVERY };
        Hook::new(now, vec!["/f".to_owned()], settings)
    }

    /// Made for the first time.
    fn active(now: Instant) -> Hook {
        let mut hook = hook(now);
        hook.due(now);
        hook.answered(now, Step::List, ok("{}"));
        hook.answered(now, Step::Create, ok(ACTIVE));
        hook
    }

    fn ok(body: &str) -> Result<Vec<u8>, Refusal> {
        Ok(body.as_bytes().to_vec())
    }

    const ACTIVE: &str = "{\"id\":\"new\",\"status\":\"Active\",\"expiresIn\":1000}";
    const BLACKLISTED: &str = "{\"id\":\"new\",\"status\":\"Blacklisted\"}";

    #[test]
    fn it_cleans_up_creates_renews_and_looks() {
        let mut now = Instant::now();
        let mut hook = hook(now);
        let (step, request) = hook.due(now).unwrap();
        assert_eq!((step, format!("{request:?}")), (Step::List, format!("GET {PATH}")));
        let list = r#"{"records":[{"id":"old","deliveryMode":{"address":"https://box/x"}},
            {"id":"others","deliveryMode":{"address":"https://elsewhere"}}]}"#;
        let (next, _) = hook.answered(now, step, ok(list));
        let (step, request) = next.unwrap();
        assert_eq!(format!("{request:?}"), format!("DELETE {PATH}/old"));
        let (next, _) = hook.answered(now, step, Err(Refusal::Unknown));
        let (step, request) = next.unwrap();
        let Body::Json(body) = &request.body else { panic!() };
        assert!(step == Step::Create && body.reveal().contains("\"verificationToken\":\"hush\""));
        assert!(!hook.is_up());
        assert_eq!(hook.answered(now, step, ok(ACTIVE)), (None, None));
        assert!(hook.is_up() && hook.due(now).is_none());
        assert_eq!(hook.deadline(), Some(now + LOOK_EVERY));
        now += LOOK_EVERY;
        let (step, request) = hook.due(now).unwrap();
        assert_eq!((step, format!("{request:?}")), (Step::Look, format!("GET {PATH}/new")));
        hook.answered(now, step, ok(ACTIVE));
        now += Duration::from_secs(200);
        let (step, request) = hook.due(now).unwrap();
        let renew = format!("POST {PATH}/new/renew");
        assert_eq!((step, format!("{request:?}")), (Step::Renew, renew));
        hook.answered(now, step, ok(ACTIVE));
        assert!(hook.is_up());
    }

    #[test]
    fn what_is_blacklisted_or_gone_is_made_anew() {
        let now = Instant::now();
        for (told, path, fault) in [
            (ok(BLACKLISTED), "DELETE /new", Some(Refusal::GivenUp)),
            (Err(Refusal::Unknown), "POST ", None),
        ] {
            let mut hook = active(now);
            let later = now + LOOK_EVERY;
            let (step, _) = hook.due(later).unwrap();
            let (next, is_told) = hook.answered(later, step, told);
            let (step, request) = next.unwrap();
            assert_eq!(
                format!("{request:?}").replace(&format!("{PATH}/"), "/"),
                path.replace("POST ", &format!("POST {PATH}"))
            );
            assert!(is_told == fault && !hook.is_up());
            let next = match step {
                Step::Delete => hook.answered(later, step, ok("")).0.map(|(step, _)| step),
                _ => Some(step),
            };
            assert_eq!(next, Some(Step::Create));
            hook.answered(later, Step::Create, ok(ACTIVE));
            assert!(hook.is_up());
        }
    }

    #[test]
    fn what_is_given_up_again_and_again_is_made_less_and_less_often() {
        let mut now = Instant::now();
        let mut hook = hook(now);
        // From the first moment on: never at once.
        for wait in [30, 60, 120, 240, 480, 600, 600] {
            let (step, _) = hook.due(now).unwrap();
            assert_eq!(step, Step::List);
            hook.answered(now, step, ok("{}"));
            let (next, told) = hook.answered(now, Step::Create, ok(BLACKLISTED));
            assert_eq!(next.map(|(step, _)| step), Some(Step::Delete));
            assert_eq!(told, Some(Refusal::GivenUp));
            assert_eq!(hook.answered(now, Step::Delete, ok("")), (None, None));
            assert_eq!(hook.deadline(), Some(now + Duration::from_secs(wait)));
            assert!(hook.due(now).is_none());
            now += Duration::from_secs(wait);
        }
        // One that works for ten minutes is a new beginning.
        hook.due(now);
        hook.answered(now, Step::List, ok("{}"));
        hook.answered(now, Step::Create, ok(ACTIVE));
        now += LOOK_EVERY;
        hook.due(now);
        hook.answered(now, Step::Look, ok(ACTIVE));
        now += LOOK_EVERY;
        hook.due(now);
        hook.answered(now, Step::Look, ok(BLACKLISTED));
        let (next, _) = hook.answered(now, Step::Delete, ok(""));
        assert_eq!(next.map(|(step, _)| step), Some(Step::Create));
    }

    #[test]
    fn a_refusal_is_told_and_tried_again_later_and_later() {
        let mut now = Instant::now();
        let mut hook = hook(now);
        for wait in [30, 60, 120, 240, 480, 600, 600] {
            let (step, _) = hook.due(now).unwrap();
            let refusal = Refusal::Application("SubscriptionWebhook".to_owned());
            let (next, told) = hook.answered(now, step, Err(refusal.clone()));
            assert_eq!((next, told), (None, Some(refusal)));
            assert_eq!(hook.deadline(), Some(now + Duration::from_secs(wait)));
            now += Duration::from_secs(wait);
        }
    }
}
