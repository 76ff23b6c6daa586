//! `/api/trials`: the owner tries the box. It calls itself, registers a line anew, speaks a sentence, sends a word to who is
//! told what happens.
//!
//! What takes long is answered at once, and what came of it is shown by `/api/live`. Of each kind there is one at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::access::{Buckets, Caller, Rate, now};
use super::board::AccountReport;
use super::command::Command;
use super::dialling::{busy, json_body};
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with};
use crate::appliance::canary;
use crate::appliance::clock::unix_ms;
use crate::base::pcm::SAMPLE_RATE_HZ;
use crate::base::{Private, limits};
use crate::speech::protocol::{Failure, Phrase};
use crate::speech::voice::{ESPEAK, SLT};
use crate::store::wav;

/// What is tried.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TrialKind)]
pub(super) enum What {
    /// The box calls itself, asks a question and measures.
    Call,
    /// An account registers now, or its server is asked.
    Line,
    /// A webhook or, by the name `e-mail`, the owner's mailbox is sent something.
    Receiver,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TrialOrder)]
pub(super) struct Wanted {
    what: What,
    /// Of the line or the receiver, as `/health` has it.
    #[schema(max_length = 100)]
    name: Option<String>,
}

/// What is to be spoken.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VoiceTrial)]
pub(super) struct WantedVoice {
    /// As `speech.voice` has it: `slt`, `espeak:ru`, or the name of a neural voice.
    #[schema(min_length = 1, max_length = 100)]
    voice: String,
    /// The language of calls, as in `en`.
    #[schema(min_length = 2, max_length = 16)]
    language: String,
    #[schema(min_length = 1, max_length = 300)]
    text: String,
}

/// A trial, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Trial {
    what: What,
    name: Option<String>,
    /// `running`, `well` or `failed`.
    state: &'static str,
    begun_at_ms: u64,
    /// In English; empty while it runs.
    told: String,
    /// Of a call: until the greeting, and until its question was answered.
    greeted_ms: Option<u64>,
    answered_ms: Option<u64>,
}

/// Of each kind and name the last.
#[derive(Serialize, ToSchema)]
#[schema(as = Trials)]
pub(super) struct Shown {
    trials: Vec<Trial>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Trials {
    /// Where the box calls itself; `None`: nobody can be called without a certificate.
    own: Option<Private<String>>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    begun: Buckets<()>,
    /// Newest first.
    all: Vec<Trial>,
    /// Ends the call of our own with the program.
    calling: Option<mpsc::Sender<()>>,
    is_speaking: bool,
}

/// A voice speaks as long as somebody waits for it.
#[derive(Debug)]
struct Speaking(Arc<Trials>);

impl Drop for Speaking {
    fn drop(&mut self) {
        self.0.known().is_speaking = false;
    }
}

impl Trials {
    pub fn new(own: Option<Private<String>>) -> Self {
        let rate = Rate { burst: limits::TRIALS_BURST, per_second: limits::TRIALS_PER_SECOND };
        let begun = Buckets::new(rate, 1);
        let known = Known { begun, all: Vec::new(), calling: None, is_speaking: false };
        Self { own, known: Mutex::new(known) }
    }

    pub fn shown(&self) -> Shown {
        Shown { trials: self.known().all.clone() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_begin(known: &mut Known) -> Result<(), Problem> {
        known.begun.take(now(), &()).map_err(|again_in| {
            let seconds = u32::try_from(again_in.as_secs()).unwrap_or(u32::MAX);
            Problem::new(Kind::TooOften, "too many trials").retry_after(seconds.max(1))
        })
    }

    fn begin_speaking(self: &Arc<Self>) -> Result<Speaking, Problem> {
        let mut known = self.known();
        if known.is_speaking {
            return Err(Problem::new(Kind::Conflict, "one runs already"));
        }
        Self::may_begin(&mut known)?;
        known.is_speaking = true;
        Ok(Speaking(Arc::clone(self)))
    }

    fn begin(&self, what: What, name: Option<&str>) -> Result<(), Problem> {
        let mut known = self.known();
        if known.all.iter().any(|trial| trial.what == what && trial.state == "running") {
            return Err(Problem::new(Kind::Conflict, "one of this kind runs already"));
        }
        Self::may_begin(&mut known)?;
        known.all.retain(|trial| trial.what != what || trial.name.as_deref() != name);
        known.all.truncate(limits::TRIALS_SHOWN - 1);
        let trial = Trial {
            what,
            name: name.map(str::to_owned),
            state: "running",
            begun_at_ms: unix_ms(),
            told: String::new(),
            greeted_ms: None,
            answered_ms: None,
        };
        known.all.insert(0, trial);
        Ok(())
    }

    fn end(&self, what: What, change: impl FnOnce(&mut Trial)) {
        let mut known = self.known();
        let running =
            known.all.iter_mut().find(|trial| trial.what == what && trial.state == "running");
        if let Some(trial) = running {
            change(trial);
        }
    }

    /// In words: a fault, or none.
    fn end_with(&self, what: What, fault: Result<String, String>) {
        self.end(what, |trial| {
            (trial.state, trial.told) = match fault {
                Ok(told) => ("well", told),
                Err(fault) => ("failed", fault),
            };
        });
    }
}

async fn call(trials: Arc<Trials>, target: Private<String>) {
    let (stop, stopped) = mpsc::channel();
    trials.known().calling = Some(stop);
    let (told, answer) = oneshot::channel();
    let thread = std::thread::Builder::new().name("trial".to_owned());
    let begun = thread.spawn(move || told.send(canary::once(&target, &stopped)));
    let found = match begun {
        Ok(_) => answer.await.ok().flatten(),
        Err(_) => None,
    };
    let Some(found) = found else {
        return trials.end_with(What::Call, Err("it was broken off".to_owned()));
    };
    trials.end(What::Call, |trial| {
        trial.told = found.told();
        trial.state = if found.fault.is_none() { "well" } else { "failed" };
        let figure = |ms| found.fault.is_none().then_some(ms);
        (trial.greeted_ms, trial.answered_ms) =
            (figure(found.greeted_ms), figure(found.answered_ms));
    });
}

/// What an account's report says of it, in words.
fn of_line(report: Option<AccountReport>) -> Result<String, String> {
    let report = report.ok_or("there is no such account any more")?;
    let reason = report.reason.unwrap_or_default();
    match report.state {
        "registered" => Ok("it is registered".to_owned()),
        "open" if reason.is_empty() => Ok("its server answers".to_owned()),
        "open" => Ok(reason),
        _ if reason.is_empty() => Err("it came to no end".to_owned()),
        _ => Err(reason),
    }
}

async fn line(interface: Interface, name: String) {
    let (told, answer) = oneshot::channel();
    let asked = interface.commands.try_send(Command::TryLine { name, told });
    let outcome = match asked {
        Err(_) => Err("the program has too much to do".to_owned()),
        Ok(()) => match timeout(limits::TRIAL_LINE_TIME, answer).await {
            Ok(report) => of_line(report.ok()),
            Err(_) => Err("its server gave no answer".to_owned()),
        },
    };
    interface.trials.end_with(What::Line, outcome);
}

async fn receiver(interface: Interface, name: String) {
    let outcome = match interface.board.try_receiver(&name) {
        Some(answer) => match answer.await {
            Ok(None) => Ok("it was taken".to_owned()),
            Ok(Some(fault)) => Err(fault),
            Err(_) => Err("it was broken off".to_owned()),
        },
        None => Err("there is no such receiver any more".to_owned()),
    };
    interface.trials.end_with(What::Receiver, outcome);
}

/// Something is tried.
#[utoipa::path(
    post,
    path = "/api/trials",
    summary = "Try a call of the box to itself, a line, or who is told what happens",
    description = "What comes of it stands in `/api/trials`, and comes by `/api/live`.",
    request_body = Wanted,
    responses(
        (status = 202, description = "It runs", body = Shown),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 403, description = "There is no password yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no line or receiver of this name", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "One of this kind runs already, or it is not possible here", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn begin(
    caller: Caller,
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    caller.proven()?;
    let body = json_body(&headers, body)?;
    let text = "an object with what (call, line or receiver) and, but for a call, name";
    let wrong = || Problem::new(Kind::Wrong, text);
    let Wanted { what, name } = serde_json::from_slice(&body).map_err(|_| wrong())?;
    let trials = Arc::clone(&interface.trials);
    match (what, name) {
        (What::Call, None) => {
            let target = trials.own.clone().ok_or_else(|| {
                let text =
                    "sip.listen has no address without TLS, at which the box could call itself";
                Problem::new(Kind::Conflict, text)
            })?;
            trials.begin(what, None)?;
            tokio::spawn(call(Arc::clone(&trials), target));
        }
        (What::Line, Some(name)) => {
            let is_known = interface.board.accounts().iter().any(|account| account.name == name);
            if !is_known {
                return Err(Problem::new(Kind::NotFound, "there is no line of this name"));
            }
            trials.begin(what, Some(&name))?;
            tokio::spawn(line(interface, name));
        }
        (What::Receiver, Some(name)) => {
            let is_known = interface.board.webhooks().iter().any(|receiver| receiver.name == name);
            if !is_known {
                return Err(Problem::new(Kind::NotFound, "there is no receiver of this name"));
            }
            trials.begin(what, Some(&name))?;
            tokio::spawn(receiver(interface, name));
        }
        _ => return Err(wrong()),
    }
    Ok(json_with(StatusCode::ACCEPTED, &trials.shown()))
}

/// What came of them.
#[utoipa::path(
    get,
    path = "/api/trials",
    summary = "What came of trials since the start",
    responses((status = 200, description = "Newest first", body = Shown))
)]
pub(super) async fn look(State(Interface { trials, .. }): State<Interface>) -> Response {
    json_with(StatusCode::OK, &trials.shown())
}

/// A sentence in a voice.
#[utoipa::path(
    post,
    path = "/api/trials/voice",
    summary = "A sentence in a voice that the engine has",
    request_body = WantedVoice,
    responses(
        (status = 200, description = "WAV, 16 kHz, one channel", body = Vec<u8>, content_type = "audio/wav"),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 403, description = "There is no password yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "One runs already, or this voice does not speak here", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn voice(
    caller: Caller,
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    caller.proven()?;
    let body = json_body(&headers, body)?;
    let text = "an object with voice, language, and text of 1 to 300 characters";
    let wrong = || Problem::new(Kind::Wrong, text);
    let WantedVoice { voice, language, text } =
        serde_json::from_slice(&body).map_err(|_| wrong())?;
    let fits = (1..=limits::TRIAL_TEXT_CHARS).contains(&text.trim().chars().count())
        && !text.chars().any(char::is_control)
        && language.len() <= 16
        && voice.len() <= 100;
    if !fits {
        return Err(wrong());
    }
    let speaking = interface.trials.begin_speaking()?;
    let spoken = speak(&interface, phrase(&voice, language, text)).await;
    drop(speaking);
    let sound = wav::mono(SAMPLE_RATE_HZ, &spoken?);
    Ok(([(CONTENT_TYPE, "audio/wav")], sound).into_response())
}

async fn speak(interface: &Interface, phrase: Phrase) -> Result<Vec<i16>, Problem> {
    let (told, answer) = oneshot::channel();
    interface.commands.try_send(Command::TryVoice { phrase, told }).map_err(|_| busy())?;
    match timeout(limits::TRIAL_VOICE_TIME, answer).await {
        Ok(Ok(Ok(samples))) if !samples.is_empty() => Ok(samples),
        Ok(Ok(Ok(_))) => Err(Problem::new(Kind::Conflict, "the voice says nothing of it")),
        Ok(Ok(Err(failure))) => Err(mute(failure)),
        Ok(Err(_)) | Err(_) => Err(busy()),
    }
}

fn mute(failure: Failure) -> Problem {
    Problem::new(Kind::Conflict, format!("this voice does not speak here now: {failure}"))
}

/// As the engine names voices.
fn phrase(voice: &str, language: String, text: String) -> Phrase {
    let (voice, language) = match voice.strip_prefix("espeak:") {
        Some(of) => (ESPEAK.to_owned(), of.to_owned()),
        None if voice == SLT => (SLT.to_owned(), "en".to_owned()),
        None => (voice.to_owned(), language),
    };
    Phrase { language, voice, text: Private::new(text), is_known: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_kind_runs_at_a_time_and_they_are_few() {
        let trials = Trials::new(None);
        trials.begin(What::Call, None).unwrap();
        assert!(trials.begin(What::Call, None).is_err(), "one runs");
        trials.begin(What::Line, Some("office")).unwrap();
        trials.end_with(What::Call, Err("nothing was heard".to_owned()));
        trials.end_with(What::Line, Ok("it is registered".to_owned()));
        let shown = trials.shown().trials;
        let told: Vec<_> = shown.iter().map(|trial| (trial.state, &*trial.told)).collect();
        assert_eq!(told, [("well", "it is registered"), ("failed", "nothing was heard")]);
        let again = (0..limits::TRIALS_BURST).take_while(|_| {
            let may = trials.begin(What::Call, None).is_ok();
            trials.end_with(What::Call, Ok(String::new()));
            may
        });
        assert_eq!(again.count(), limits::TRIALS_BURST as usize - 2);
        assert_eq!(trials.shown().trials.len(), 2, "the newest of each");
    }

    #[test]
    fn whoever_gives_up_waiting_for_a_voice_leaves_room_for_the_next() {
        let trials = Arc::new(Trials::new(None));
        let first = trials.begin_speaking().unwrap();
        assert!(trials.begin_speaking().is_err(), "one runs");
        drop(first);
        assert!(trials.begin_speaking().is_ok());
    }

    #[test]
    fn a_line_is_well_where_calls_can_come() {
        let report = |state, reason: &str| AccountReport {
            name: "office".to_owned(),
            state,
            since_ms: None,
            until_ms: None,
            status: None,
            reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()),
        };
        assert!(of_line(Some(report("registered", ""))).is_ok());
        assert!(of_line(Some(report("open", ""))).is_ok());
        let failing = of_line(Some(report("failing", "its server does not answer")));
        assert_eq!(failing.unwrap_err(), "its server does not answer");
        assert!(of_line(None).is_err());
    }
}
