//! `/api/updates`: newer versions of a system that is updated as a whole.
//!
//! ```text
//!  page ─▶ held until its time, and until no call is up ─▶ update-request ─▶ a unit of the system, as root
//!  page ◀─ /api/live ◀──────────────────────────────────── update.json ◀───┘
//! ```
//!
//! Both files lie in the runtime folder. Nothing here may change the system: what is asked for is one of three words. Where
//! nobody has written `update.json` the system takes no updates so, and its package manager does.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::Caller;
use super::board::Board;
use super::dialling::json_body;
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with};
use crate::appliance::clock::{self, unix_ms};
use crate::appliance::config;
use crate::base::limits;
use crate::store::{bounded, whole};

const REQUEST: &str = "update-request";
const TOLD: &str = "update.json";
/// Whether what is held may go is looked at this often.
const LOOK: Duration = Duration::from_secs(2);
const DAY_MINUTES: u32 = 24 * 60;
/// States in which an update may begin.
const AT_REST: [&str; 3] = ["none", "available", "failed"];

/// What is wanted. The words are those of the file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UpdateWish)]
pub(super) enum Wish {
    /// Whether there is something newer.
    Check,
    /// To have it, and to start with it.
    Install,
    /// To start with what was before.
    Rollback,
}

impl Wish {
    const fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Install => "install",
            Self::Rollback => "rollback",
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UpdateWhen)]
enum When {
    /// As soon as no call is up.
    Now,
    /// At `updates.at`, and then as soon as no call is up.
    Later,
}

/// What is to be done, and when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateOrder)]
pub(super) struct Wanted {
    wish: Wish,
    when: Option<When>,
}

/// What the system tells of its updates.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
struct Told {
    state: String,
    current: String,
    available: String,
    percent: u8,
    message: String,
}

/// How updates are.
#[derive(Clone, Debug, Serialize, PartialEq, Eq, ToSchema)]
#[schema(as = Updates)]
pub(super) struct Shown {
    /// Of the program.
    version: &'static str,
    /// The system is updated as a whole, from here; false: by its package manager.
    is_possible: bool,
    /// `none`, `checking`, `available`, `installing`, `waiting-for-restart` or `failed`; `unknown` where it is not possible.
    state: String,
    /// The version of the system that runs.
    current: String,
    /// One that is newer; empty: none is known.
    available: String,
    percent: u8,
    /// In English.
    message: String,
    /// What is asked for as soon as it may be.
    held: Option<Held>,
    /// By themselves, once a day.
    is_automatic: bool,
    /// `HH:MM` by the box's clock.
    at: String,
}

/// What waits for its time, or for the last call's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UpdateHeld)]
pub(super) struct Held {
    wish: Wish,
    /// Unix milliseconds; it waits for the calls that are up then.
    not_before_ms: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Updates {
    folder: PathBuf,
    schedule: config::Updates,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    held: Option<Held>,
    /// The day on which the last one began by itself.
    begun: Option<i64>,
}

impl Updates {
    pub fn new(folder: &Path, schedule: config::Updates) -> Self {
        Self { folder: folder.to_owned(), schedule, waiting: Mutex::default() }
    }

    pub fn shown(&self) -> Shown {
        let told = self.told();
        let is_possible = told.is_some();
        let Told { state, current, available, percent, message } = told.unwrap_or_default();
        let at = self.schedule.at;
        Shown {
            version: env!("CARGO_PKG_VERSION"),
            is_possible,
            state: if is_possible { state } else { "unknown".to_owned() },
            current,
            available,
            percent: percent.min(100),
            message,
            held: self.waiting().held,
            is_automatic: self.schedule.automatic,
            at: format!("{:02}:{:02}", at / 60, at % 60),
        }
    }

    /// `None`: nobody tells anything here, or what is told makes no sense.
    fn told(&self) -> Option<Told> {
        let text = bounded::text(&self.folder.join(TOLD), limits::UPDATE_TOLD_BYTES).ok()?;
        serde_json::from_str(&text).ok()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, wish: Wish, not_before_ms: u64) {
        self.waiting().held = Some(Held { wish, not_before_ms });
    }

    /// Lets go what may go now. A look for something newer disturbs no call.
    fn look(&self, now: Moment, calls: usize) {
        let mut waiting = self.waiting();
        let is_its_hour = now.minute >= self.schedule.at && waiting.begun != Some(now.day);
        if self.schedule.automatic && is_its_hour && waiting.held.is_none() {
            waiting.begun = Some(now.day);
            // A box that was off at that time waits for the next.
            let is_late = now.minute >= self.schedule.at.saturating_add(60);
            let may_begin = self.told().is_some_and(|told| AT_REST.contains(&told.state.as_str()));
            if may_begin && !is_late {
                let (wish, not_before_ms) = (Wish::Install, now.unix_ms);
                waiting.held = Some(Held { wish, not_before_ms });
            }
        }
        let Some(held) = waiting.held else { return };
        let may_go = held.not_before_ms <= now.unix_ms && (held.wish == Wish::Check || calls == 0);
        if !may_go {
            return;
        }
        waiting.held = None;
        tracing::info!(wish = held.wish.word(), "updates: asked of the system");
        let written = whole::write(&self.folder.join(REQUEST), held.wish.word().as_bytes());
        if let Err(error) = written {
            tracing::error!(%error, "updates: the request cannot be written");
        }
    }
}

/// When it is.
#[derive(Clone, Copy, Debug)]
struct Moment {
    unix_ms: u64,
    day: i64,
    /// After midnight.
    minute: u32,
}

impl Moment {
    fn now() -> Self {
        Self { unix_ms: unix_ms(), day: clock::now().day, minute: clock::minute_of_day() }
    }

    /// The next time that the clock shows this minute.
    fn next(self, minute: u32) -> u64 {
        let minutes = (minute + DAY_MINUTES - self.minute) % DAY_MINUTES;
        self.unix_ms + u64::from(minutes) * 60_000
    }
}

/// Until the end of the web thread's runtime.
pub(super) async fn follow(updates: Arc<Updates>, board: Arc<Board>) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        updates.look(Moment::now(), board.live_calls());
    }
}

/// How updates are.
#[utoipa::path(
    get,
    path = "/api/updates",
    summary = "Whether there is a newer version, and what becomes of it",
    responses((status = 200, description = "As the system tells it", body = Shown))
)]
pub(super) async fn look(State(Interface { updates, .. }): State<Interface>) -> Response {
    json_with(StatusCode::OK, &updates.shown())
}

/// Something is to be done.
#[utoipa::path(
    post,
    path = "/api/updates",
    summary = "Look for a newer version, install it, or go back to the one before",
    description = "Installing and going back start the system anew, so they wait until no call is up; `later` waits for the time \
        of `updates.at` first.",
    request_body = Wanted,
    responses(
        (status = 202, description = "It is done as soon as it may be", body = Shown),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 403, description = "There is no password yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "This system is not updated from here", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn order(
    caller: Caller,
    State(Interface { updates, board, .. }): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    caller.proven()?;
    let body = json_body(&headers, body)?;
    let text =
        "an object with wish (check, install or rollback) and, if wanted, when (now or later)";
    let wanted: Wanted =
        serde_json::from_slice(&body).map_err(|_| Problem::new(Kind::Wrong, text))?;
    if updates.told().is_none() {
        let text = "this system is updated by its package manager, not from here";
        return Err(Problem::new(Kind::Conflict, text));
    }
    let now = Moment::now();
    let not_before_ms = match wanted.when {
        Some(When::Later) => now.next(updates.schedule.at),
        Some(When::Now) | None => now.unix_ms,
    };
    updates.hold(wanted.wish, not_before_ms);
    updates.look(now, board.live_calls());
    Ok(json_with(StatusCode::ACCEPTED, &updates.shown()))
}

/// What waits is not done.
#[utoipa::path(
    delete,
    path = "/api/updates",
    summary = "Drop what waits to be done",
    responses(
        (status = 204, description = "Nothing waits"),
        (status = 403, description = "There is no password yet", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn drop_held(
    caller: Caller,
    State(Interface { updates, .. }): State<Interface>,
) -> Result<Response, Problem> {
    caller.proven()?;
    updates.waiting().held = None;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn updates(name: &str, automatic: bool) -> Updates {
        let folder = std::env::temp_dir().join(format!("updates-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Updates::new(&folder, config::Updates { automatic, at: 180 })
    }

    fn tell(updates: &Updates, state: &str) {
        let text = format!("{{\"state\":\"{state}\",\"current\":\"1\",\"available\":\"2\"}}");
        std::fs::write(updates.folder.join(TOLD), text).unwrap();
    }

    fn asked(updates: &Updates) -> Option<String> {
        let path = updates.folder.join(REQUEST);
        let text = std::fs::read_to_string(&path).ok();
        let _ = std::fs::remove_file(path);
        text
    }

    fn at(minute: u32) -> Moment {
        Moment { unix_ms: 1_000_000 + u64::from(minute) * 60_000, day: 5, minute }
    }

    #[test]
    fn what_starts_the_system_anew_waits_for_its_time_and_for_the_last_call() {
        let updates = updates("held", false);
        assert!(!updates.shown().is_possible);
        tell(&updates, "available");
        assert_eq!((&*updates.shown().available, &*updates.shown().at), ("2", "03:00"));
        updates.hold(Wish::Install, at(120).next(180));
        updates.look(at(179), 0);
        assert_eq!(asked(&updates), None);
        updates.look(at(180), 1);
        assert_eq!(asked(&updates), None, "a call is up");
        assert_eq!(updates.shown().held.unwrap().wish, Wish::Install);
        updates.look(at(184), 0);
        assert_eq!(asked(&updates).as_deref(), Some("install"));
        assert_eq!(updates.shown().held, None);
        updates.hold(Wish::Check, 0);
        updates.look(at(185), 3);
        assert_eq!(asked(&updates).as_deref(), Some("check"), "it disturbs nobody");
        assert_eq!(at(200).next(180), at(180).unix_ms + 24 * 3_600_000);
        std::fs::remove_dir_all(&updates.folder).unwrap();
    }

    #[test]
    fn by_itself_it_begins_once_a_day_in_its_hour_and_never_in_the_middle_of_another() {
        let updates = updates("automatic", true);
        updates.look(at(180), 0);
        assert_eq!(asked(&updates), None, "it is not possible here");
        let day = |day, minute| Moment { day, ..at(minute) };
        tell(&updates, "none");
        updates.look(day(6, 179), 0);
        assert_eq!(asked(&updates), None);
        updates.look(day(6, 181), 0);
        assert_eq!(asked(&updates).as_deref(), Some("install"));
        updates.look(day(6, 182), 0);
        assert_eq!(asked(&updates), None, "once a day");
        tell(&updates, "installing");
        updates.look(day(7, 180), 0);
        tell(&updates, "none");
        updates.look(day(8, 600), 0);
        assert_eq!(asked(&updates), None, "the box was off at that time");
        std::fs::write(updates.folder.join(TOLD), "nonsense").unwrap();
        assert!(!updates.shown().is_possible);
        std::fs::remove_dir_all(&updates.folder).unwrap();
    }
}
