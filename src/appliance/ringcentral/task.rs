//! The task of one account: its service with its sockets, its file and its clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::gateway::{Happening, Line};
use super::{Ask, News, What};
use crate::appliance::llm::http::Server;
use crate::base::limits;
use crate::trunk::ringcentral::{Answer, Body, Input, Output, Request, Service};

/// For one request, connection and answer together.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The longest that is slept: the clock of timers need not be exact.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

fn now() -> Instant {
    Instant::now()
}

/// Runs until the net loop has gone, or has said that it is the end and the session is given back.
pub(super) async fn run(
    service: Service,
    ask: Ask,
    section: usize,
    mut inputs: mpsc::Receiver<Input>,
    news: mpsc::Sender<News>,
) {
    let kept = ask.kept.read();
    let mut task = Task { service, ask, section, news, out: None, line: None };
    let mut deadline = match task.give(Input::Start(kept)).await {
        Some(deadline) => deadline,
        None => return,
    };
    let mut is_stopped = false;
    while !(is_stopped && task.out.is_none()) {
        let next = tokio::select! {
            input = inputs.recv() => match input {
                Some(input) => input,
                None => return,
            },
            answer = answered(&mut task.out) => Input::Answered(answer),
            happening = happens(&mut task.line) => match happening {
                Happening::Opened => Input::GatewayOpened,
                Happening::Frame(text) => Input::Frame(text.into_revealed()),
                Happening::Closed { retry_after_s } => {
                    task.line = None;
                    Input::GatewayClosed { retry_after_s }
                }
            },
            () = sleep_until(deadline) => Input::Timeout,
        };
        is_stopped |= matches!(next, Input::Stop);
        deadline = match task.give(next).await {
            Some(deadline) => deadline,
            None => return,
        };
    }
}

struct Task {
    service: Service,
    ask: Ask,
    section: usize,
    news: mpsc::Sender<News>,
    /// The request that is out.
    out: Option<JoinHandle<Option<Answer>>>,
    line: Option<Line>,
}

impl Task {
    /// One input with all that comes of it, and the next deadline. `None`: the net loop has gone.
    async fn give(&mut self, input: Input) -> Option<Option<Instant>> {
        self.service.handle(now(), input);
        loop {
            let what = match self.service.poll_output() {
                Output::Timeout(at) => return Some(at),
                Output::Send(request) => {
                    let server = Arc::clone(&self.ask.server);
                    self.out = Some(tokio::spawn(exchange(server, request)));
                    continue;
                }
                Output::Connect(url) => {
                    let is_local = self.ask.settings.is_local;
                    self.line = Some(Line::open(url, self.ask.tls.clone(), is_local));
                    continue;
                }
                Output::Frame(frame) => {
                    self.line.iter().for_each(|line| line.send(frame.reveal().clone()));
                    continue;
                }
                Output::CloseGateway => {
                    self.line = None;
                    continue;
                }
                Output::Provisioned { provision, is_new } => {
                    if is_new {
                        self.ask.kept.write(&provision);
                    }
                    What::Provisioned(provision)
                }
                Output::Party(party) => What::Party(party),
                Output::Controlled { ticket, outcome } => What::Controlled { ticket, outcome },
                Output::Faults(faults) => What::Faults(faults),
                Output::Events(has_events) => What::Events(has_events),
                Output::Dropped(dropped) => What::Dropped(dropped),
            };
            self.news.send(News { section: self.section, what }).await.ok()?;
        }
    }
}

/// To the request that is out, if there is one.
async fn answered(out: &mut Option<JoinHandle<Option<Answer>>>) -> Option<Answer> {
    let Some(asked) = out else { return std::future::pending().await };
    let answer = asked.await.ok().flatten();
    *out = None;
    answer
}

async fn happens(line: &mut Option<Line>) -> Happening {
    match line {
        Some(line) => line.next().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    let latest = now() + LONGEST_SLEEP;
    tokio::time::sleep_until(deadline.map_or(latest, |at| at.min(latest)).into()).await;
}

async fn exchange(server: Arc<Server>, request: Request) -> Option<Answer> {
    tokio::time::timeout(ANSWER_WITHIN, exchanged(&server, request)).await.ok().flatten()
}

async fn exchanged(server: &Server, request: Request) -> Option<Answer> {
    let (kind, text) = match &request.body {
        Body::None => (None, String::new()),
        Body::Json(text) => (Some("application/json"), text.reveal().clone()),
        Body::Form(text) => (Some("application/x-www-form-urlencoded"), text.reveal().clone()),
    };
    let mut made = hyper::Request::builder()
        .method(request.verb.name())
        .uri(&request.path)
        .header(HOST, server.host())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "attendant");
    if let Some(kind) = kind {
        made = made.header(CONTENT_TYPE, kind);
    }
    if let Some(authorization) = &request.authorization {
        let mut value = HeaderValue::try_from(authorization.reveal()).ok()?;
        value.set_sensitive(true);
        made = made.header(AUTHORIZATION, value);
    }
    let made = made.body(Full::new(Bytes::from(text))).ok()?;
    let connection = server.connect(CONNECT_WITHIN).await.ok()?;
    let answer = connection.exchange(made).await.ok()?;
    let retry_after_s = answer.retry_after_s().map(|s| u32::try_from(s).unwrap_or(u32::MAX));
    let status = answer.status();
    let body = answer.whole().await.ok()?;
    let body = if body.len() <= limits::RINGCENTRAL_BODY_BYTES { body } else { Vec::new() };
    Some(Answer { status, retry_after_s, body })
}
