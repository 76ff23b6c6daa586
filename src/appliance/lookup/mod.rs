//! Asks the owner's own systems over HTTP, for a call that waits.
//!
//! ```text
//!  call ─ LookUp ─▶ a place among those at once ─▶ request made of the owner's template ─▶ LookedUp
//! ```
//!
//! Host, path and header fields are the owner's; a value of a caller's or a model's stands only where
//! the template has its name, percent-encoded, or in a JSON body. Redirects are not followed: an
//! answer comes from the configured machine or not at all. Whatever goes wrong is `Failed` to the
//! call; the log says what, without any value.

mod notes;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};

use crate::appliance::llm::Address;
use crate::appliance::llm::http::{Answer, Server};
use crate::appliance::open_work::OpenWork;
use crate::appliance::trust::Roots;
use crate::base::{CallId, Private, WorkId, limits};
use crate::converse::lookup::{LookUp, LookedUp};
use crate::store::knowledge::Knowledge;
pub use notes::{SEARCH_KNOWLEDGE, search_knowledge};
pub use request::{Method, Template};

/// Answers that wait for the net thread: it takes them at once.
const ANSWERS: usize = 64;

/// How one question is asked; in the order of the conversation's `Lookups`.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// For the log.
    pub name: String,
    pub address: Address,
    pub method: Method,
    pub target: Template,
    /// Sent as they are; the values are secrets, or may be.
    pub headers: Vec<(String, Private<String>)>,
    /// The name of each field and where it stands in the answer, an RFC 6901 pointer.
    pub fields: Vec<(String, String)>,
    /// For all of it, waiting for a place included.
    pub timeout: Duration,
}

/// What came of a question, for the call that asked.
#[derive(Debug)]
pub struct LookUpAnswer {
    pub call: CallId,
    pub work: WorkId,
    pub outcome: LookedUp,
}

/// What the net thread holds of the owner's systems.
#[derive(Debug)]
pub struct LookUps {
    shared: Arc<Shared>,
    open: OpenWork,
}

#[derive(Debug)]
struct Shared {
    asked: Vec<(Question, Server)>,
    /// Asked by the number after theirs.
    knowledge: Option<Knowledge>,
    places: Semaphore,
    answers: mpsc::Sender<LookUpAnswer>,
}

/// Why there is no answer; for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("it cannot be reached")]
    Unreachable,
    #[error("it took too long")]
    Late,
    #[error("it answered with status {0}")]
    Status(u16),
    #[error("its answer is too long")]
    TooLong,
    #[error("its answer is no JSON")]
    NotJson,
    #[error("the request cannot be made")]
    Unaskable,
}

impl LookUps {
    /// To be used within the runtime that questions shall run in.
    pub fn new(
        questions: Vec<Question>,
        roots: &Roots,
        knowledge: Option<Knowledge>,
    ) -> (Self, mpsc::Receiver<LookUpAnswer>) {
        let (answers, receiver) = mpsc::channel(ANSWERS);
        let with_server = |question: Question| {
            let server = Server::new(question.address.clone(), None, roots.clone());
            (question, server)
        };
        let shared = Shared {
            asked: questions.into_iter().map(with_server).collect(),
            knowledge,
            places: Semaphore::new(limits::LOOK_UPS_AT_ONCE),
            answers,
        };
        (Self { shared: Arc::new(shared), open: OpenWork::default() }, receiver)
    }

    pub fn ask(&mut self, call: CallId, work: WorkId, asked: LookUp) {
        self.open.begin(call, work, Arc::clone(&self.shared).answer(call, work, asked));
    }

    /// False if there is no such work.
    pub fn cancel(&mut self, call: CallId, work: WorkId) -> bool {
        self.open.cancel(call, work)
    }

    pub fn cancel_all(&mut self, call: CallId) {
        self.open.cancel_all(call);
    }

    /// Whether the answer is still wanted.
    pub fn takes(&mut self, answer: &LookUpAnswer) -> bool {
        self.open.end(answer.call, answer.work)
    }
}

impl Shared {
    async fn answer(self: Arc<Self>, call: CallId, work: WorkId, asked: LookUp) {
        let outcome = match self.asked.get(asked.lookup.0) {
            Some((question, server)) => {
                let begun = Instant::now();
                let answer =
                    tokio::time::timeout(question.timeout, self.ask(question, server, &asked));
                let outcome = answer.await.unwrap_or(Err(Fault::Late));
                let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                match &outcome {
                    Ok(_) => tracing::debug!(%call, lookup = question.name, ms, "looked up"),
                    Err(fault) => {
                        tracing::warn!(%call, lookup = question.name, ms, %fault, "not looked up");
                    }
                }
                outcome.unwrap_or(LookedUp::Failed)
            }
            None => match &self.knowledge {
                Some(knowledge) => notes::search(knowledge, &asked).await,
                None => LookedUp::Failed,
            },
        };
        // The receiver lives as long as the program.
        let _ = self.answers.send(LookUpAnswer { call, work, outcome }).await;
    }

    async fn ask(
        &self,
        question: &Question,
        server: &Server,
        asked: &LookUp,
    ) -> Result<LookedUp, Fault> {
        let _place = self.places.acquire().await.map_err(|_| Fault::Unreachable)?;
        let request: Request<Full<Bytes>> = request::of(question, asked).ok_or(Fault::Unaskable)?;
        let connection = server.connect(question.timeout).await.map_err(|_| Fault::Unreachable)?;
        let answer = connection.exchange(request).await.map_err(|_| Fault::Unreachable)?;
        match answer.status() {
            200..=299 => {
                let whole = whole(answer).await?;
                let read: Value = serde_json::from_slice(&whole).map_err(|_| Fault::NotJson)?;
                Ok(fields(&question.fields, &read))
            }
            404 | 410 => Ok(LookedUp::NotFound),
            status => Err(Fault::Status(status)),
        }
    }
}

async fn whole(mut answer: Answer) -> Result<Vec<u8>, Fault> {
    let mut whole = Vec::new();
    while let Some(part) = answer.next().await {
        whole.extend_from_slice(&part.map_err(|_| Fault::Unreachable)?);
        if whole.len() > limits::LOOK_UP_BYTES {
            return Err(Fault::TooLong);
        }
    }
    Ok(whole)
}

/// The fields that are there, as texts; without any there is nothing.
fn fields(wanted: &[(String, String)], answer: &Value) -> LookedUp {
    let text = |(name, pointer): &(String, String)| {
        let text = match answer.pointer(pointer)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let plain: String = plain.take(limits::LOOK_UP_FIELD_CHARS).collect();
        let plain = plain.trim().to_owned();
        (!plain.is_empty()).then(|| (name.clone(), Private::new(plain)))
    };
    let found: Vec<_> = wanted.iter().filter_map(text).collect();
    if found.is_empty() { LookedUp::NotFound } else { LookedUp::Found(found) }
}
