//! The client against a stand-in server on loopback. Nothing here measures time; what is awaited is
//! awaited as an event, and where patience is to run out it is short.

mod warming;

use super::stand_in::{Asked, DONE, Reply, StandIn, parts, says, warmed};
use super::*;
use crate::converse::llm::{Fields, Finish, Message, Switch};

const CALL: CallId = CallId(1);
/// A test that waits for longer has failed.
const LONGEST: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(60);

fn settings(stand_in: &StandIn, protocol: Protocol) -> Settings {
    let (host, port) = (stand_in.address.ip().to_string(), stand_in.address.port());
    Settings {
        address: Address { tls: false, host, port, prefix: String::new() },
        key: Some(Private::new("secret".into())),
        roots: Roots::default(),
        model: Model {
            protocol,
            name: "stand-in".into(),
            keep_alive_s: -1,
            context: None,
            thinks: false,
            may_think: false,
            switch: Switch::Both,
            fields: Fields::default(),
            calls_tools: true,
        },
        at_once: 1,
        patience: Patience::default(),
    }
}

fn chat() -> Chat {
    let text = Private::new("Hello?".to_owned());
    Chat { messages: vec![Message::Caller(text)], tools: Vec::new(), most_tokens: 20 }
}

/// A client whose warm-up is over.
struct Desk {
    llm: Llm,
    events: mpsc::Receiver<ModelEvent>,
    stand_in: StandIn,
}

impl Desk {
    /// `script` gets the requests after the warm-up, numbered from 0.
    async fn with(
        change: impl FnOnce(&mut Settings),
        script: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let stand_in = StandIn::start(move |asked, number| match number {
            0 => warmed(),
            number => script(asked, number - 1),
        })
        .await;
        let mut settings = settings(&stand_in, Protocol::Ollama);
        change(&mut settings);
        let (llm, events) = Llm::start(settings, chat());
        let mut desk = Self { llm, events, stand_in };
        desk.is_warmed().await;
        desk
    }

    /// The warm-up is over, and nobody waits for its slot.
    async fn is_warmed(&mut self) {
        let is_free = |desk: &Self| desk.llm.shared.slots.available_permits() > 0;
        self.until(|desk| desk.stand_in.asked().len() == 1 && is_free(desk)).await;
    }

    async fn new(script: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(|_| (), script).await
    }

    async fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        let waited = async {
            while !is_so(self) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONGEST, waited).await.expect("it comes about");
    }

    /// The health is known a moment after the answer's end.
    async fn knows(&self, fault: Option<Fault>) {
        let mut health = self.llm.health();
        let known = health.wait_for(|known| *known == fault);
        tokio::time::timeout(LONGEST, known).await.expect("it is known").expect("it is watched");
    }

    async fn next(&mut self) -> Event {
        let event = tokio::time::timeout(LONGEST, self.events.recv()).await.expect("an event");
        let event = event.expect("the client is there");
        assert!(self.llm.takes(&event));
        event.event
    }

    /// All events of one answer.
    async fn asks(&mut self, work: u32) -> Vec<Event> {
        self.llm.ask(CALL, WorkId(work), chat());
        let mut events = Vec::new();
        while !events.last().is_some_and(Event::is_end) {
            events.push(self.next().await);
        }
        events
    }
}

fn text(text: &str) -> Event {
    Event::Text(Private::new(text.to_owned()))
}

fn failed(fault: Fault) -> Vec<Event> {
    vec![Event::Failed(fault)]
}

#[tokio::test]
async fn an_answer_comes_in_parts_and_the_request_is_the_protocols() {
    let mut desk = Desk::new(|_, _| parts([&says("Hel"), &says("lo."), DONE])).await;
    assert_eq!(desk.asks(1).await, [text("Hel"), text("lo."), Event::Done(Finish::Stop)]);
    let asked = desk.stand_in.asked();
    assert_eq!(asked[0].path, "/api/chat");
    assert!(asked[0].body.contains("\"num_predict\":1,") && asked[1].body.contains("20"));
    assert!(asked[1].head.to_lowercase().contains("authorization: bearer secret"));
    assert!(desk.llm.open.is_empty());
}

#[tokio::test]
async fn the_other_protocol_has_its_own_path_and_events() {
    let data = |json: &str| format!("data: {json}\n\n");
    let body = [
        data(r#"{"choices":[{"delta":{"content":"Yes."}}]}"#),
        data(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#),
        data("[DONE]"),
    ]
    .concat();
    let stand_in = StandIn::start(move |_, _| parts([&body])).await;
    let mut settings = settings(&stand_in, Protocol::OpenAi);
    settings.address.prefix = "/proxy".into();
    let (llm, events) = Llm::start(settings, chat());
    let mut desk = Desk { llm, events, stand_in };
    desk.is_warmed().await;
    assert_eq!(desk.asks(1).await, [text("Yes."), Event::Done(Finish::Stop)]);
    assert_eq!(desk.stand_in.asked()[0].path, "/proxy/v1/chat/completions");
}

#[tokio::test]
async fn cancelling_closes_the_connection_and_frees_the_slot() {
    let mut desk = Desk::new(|_, number| match number {
        0 => Reply::Stalls(vec![(Duration::ZERO, says("One."))]),
        _ => parts([&says("Two."), DONE]),
    })
    .await;
    desk.llm.ask(CALL, WorkId(1), chat());
    assert_eq!(desk.next().await, text("One."));
    assert!(desk.llm.cancel(CALL, WorkId(1)) && !desk.llm.cancel(CALL, WorkId(1)));
    let gone = desk.stand_in.gone.wait_for(|gone| *gone == 1);
    let gone = tokio::time::timeout(LONGEST, gone).await.map(|gone| gone.is_ok());
    assert_eq!(gone, Ok(true), "the server sees the client leave");
    assert_eq!(desk.asks(2).await[0], text("Two."));
}

#[tokio::test]
async fn a_call_that_ends_takes_what_it_asked_with_it() {
    let stalls = || Reply::Stalls(vec![(Duration::ZERO, says("One."))]);
    let mut desk = Desk::with(|settings| settings.at_once = 2, move |_, _| stalls()).await;
    desk.llm.ask(CALL, WorkId(1), chat());
    desk.llm.ask(CALL, WorkId(2), chat());
    desk.until(|desk| desk.stand_in.asked().len() == 3).await;
    desk.llm.cancel_all(CALL);
    assert!(desk.llm.open.is_empty());
    let gone = tokio::time::timeout(LONGEST, desk.stand_in.gone.wait_for(|gone| *gone == 2)).await;
    assert!(gone.is_ok());
}

#[tokio::test]
async fn what_may_pass_is_asked_again_and_what_lasts_is_not() {
    for (replies, expected, requests) in [
        (vec![Reply::Status(503), Reply::Status(503)], Ok(()), 3),
        (vec![Reply::Status(503); 5], Err(Fault::Busy), 3),
        (vec![Reply::Status(500)], Ok(()), 2),
        (vec![Reply::Status(500); 2], Err(Fault::Server(500)), 2),
        (vec![Reply::Closed], Ok(()), 2),
        (vec![Reply::Status(404); 2], Err(Fault::NoModel), 1),
        (vec![Reply::Status(400); 2], Err(Fault::Refused(400)), 1),
        (vec![Reply::Status(401); 2], Err(Fault::Key), 1),
        (vec![parts(["<html>no</html>\n"])], Err(Fault::Protocol), 1),
        (vec![parts([""])], Err(Fault::CutOff), 1),
        (vec![parts(["{\"error\":\"x\"}\n"])], Err(Fault::Told), 1),
    ] {
        let script = replies.clone();
        let mut desk = Desk::new(move |_, number| match script.get(number) {
            Some(reply) => reply.clone(),
            None => parts([&says("Yes."), DONE]),
        })
        .await;
        let events = desk.asks(1).await;
        match expected {
            Ok(()) => assert_eq!(events[0], text("Yes."), "{replies:?}"),
            Err(fault) => assert_eq!(events, failed(fault), "{replies:?}"),
        }
        assert_eq!(desk.stand_in.asked().len(), 1 + requests, "{replies:?}");
        desk.knows(expected.err()).await;
    }
}

#[tokio::test]
async fn an_answer_that_had_begun_is_not_asked_again() {
    let broken = |end: &str| parts([&says("One."), end]);
    let line = format!("{{\"x\":\"{}\"}}", "y".repeat(1024 * 1024));
    let bodies = [
        (broken("{\"error\":\"x\"}\n"), Fault::Told),
        (broken(""), Fault::CutOff),
        (broken("{oops\n"), Fault::Protocol),
        (broken(&line), Fault::TooLong),
    ];
    for (reply, fault) in bodies {
        let mut desk = Desk::new(move |_, _| reply.clone()).await;
        assert_eq!(desk.asks(1).await, [text("One."), Event::Failed(fault)]);
        assert_eq!(desk.stand_in.asked().len(), 2);
    }
}

#[tokio::test]
async fn a_server_that_is_silent_is_left_and_told_apart_by_where_it_stopped() {
    let hurried = |settings: &mut Settings| {
        settings.patience.first_token = SHORT;
        settings.patience.between_tokens = SHORT;
    };
    let mut late = Desk::with(hurried, |_, _| Reply::Stalls(Vec::new())).await;
    assert_eq!(late.asks(1).await, failed(Fault::Late));
    let begun = |_: &Asked, _: usize| Reply::Stalls(vec![(Duration::ZERO, says("One."))]);
    let mut stalled = Desk::with(hurried, begun).await;
    assert_eq!(stalled.asks(1).await, [text("One."), Event::Failed(Fault::Stalled)]);
    for desk in [&mut late, &mut stalled] {
        let gone = tokio::time::timeout(LONGEST, desk.stand_in.gone.wait_for(|gone| *gone == 1));
        assert!(gone.await.is_ok());
    }
}

#[test]
fn a_server_is_late_before_the_conversation_cancels() {
    let filler = Duration::from_millis(500);
    let conversation = limits::LLM_FILLER_AFTER + 2 * (filler + limits::LLM_AGAIN_AFTER);
    assert!(Patience::default().first_token < conversation);
    assert!(Patience::default().between_tokens < conversation);
}

#[tokio::test]
async fn a_server_that_hangs_is_left_alone_and_only_an_answer_ends_that() {
    let hurried = |settings: &mut Settings| settings.patience.first_token = SHORT;
    let mut desk = Desk::with(hurried, |_, number| match number {
        0 | 2 => Reply::Stalls(Vec::new()),
        // Busy for ever, by header and body.
        1 => Reply::Parts(vec![(SHORT / 4, "\n".to_owned()); 100]),
        _ => parts([&says("Yes."), DONE]),
    })
    .await;
    desk.knows(None).await;
    let warmed = desk.llm.shared.warm(&chat(), true).await;
    assert_eq!(warmed, Ok(warm::Looked::Idle));
    for work in 0..3 {
        assert_eq!(desk.asks(work).await, failed(Fault::Late), "{work}");
    }
    desk.knows(Some(Fault::Late)).await;
    assert_eq!(desk.asks(3).await, failed(Fault::Resting));
    assert_eq!(desk.stand_in.asked().len(), 4);
    assert_eq!(desk.llm.shared.warm(&chat(), true).await, Ok(warm::Looked::Answered));
    assert_eq!(desk.stand_in.asked().len(), 5, "a server that has failed is asked");
}

#[tokio::test]
async fn attempts_end_before_the_conversation_does_and_failing_warm_ups_count() {
    let hurried = |settings: &mut Settings| settings.patience.first_token = SHORT;
    let mut desk = Desk::with(hurried, |_, _| Reply::Status(503)).await;
    assert_eq!(desk.asks(1).await, failed(Fault::Busy));
    assert_eq!(desk.stand_in.asked().len(), 2, "no time is left for another");
    let stand_in = StandIn::start(|_, _| Reply::Status(404)).await;
    let (llm, events) = Llm::start(settings(&stand_in, Protocol::Ollama), chat());
    let mut desk = Desk { llm, events, stand_in };
    desk.knows(Some(Fault::NoModel)).await;
    assert_eq!(desk.asks(1).await, failed(Fault::Resting));
}

#[tokio::test]
async fn no_more_is_asked_at_once_than_the_server_can_do() {
    let mut desk = Desk::with(
        |settings| settings.patience.first_token = Duration::from_secs(2),
        |_, number| match number {
            0 => Reply::Stalls(vec![(Duration::ZERO, says("One."))]),
            _ => parts([&says("Two."), DONE]),
        },
    )
    .await;
    desk.llm.ask(CALL, WorkId(1), chat());
    assert_eq!(desk.next().await, text("One."));
    desk.llm.ask(CallId(2), WorkId(1), chat());
    tokio::task::yield_now().await;
    assert_eq!(desk.stand_in.asked().len(), 2, "the second waits for the slot");
    desk.llm.cancel(CALL, WorkId(1));
    assert_eq!(desk.next().await, text("Two."));
}

#[tokio::test]
async fn a_server_that_fails_again_and_again_is_left_alone() {
    let mut desk = Desk::new(|_, _| parts(["{oops\n"])).await;
    assert_eq!(desk.asks(1).await, failed(Fault::Protocol));
    assert_eq!(desk.asks(2).await, failed(Fault::Resting), "what lasts opens it at once");
    assert_eq!(desk.stand_in.asked().len(), 2);
    let nobody = |settings: &mut Settings| {
        settings.patience.connect = SHORT;
        settings.address.port = 1;
    };
    let stand_in = StandIn::start(|_, _| warmed()).await;
    let mut settings = settings(&stand_in, Protocol::Ollama);
    nobody(&mut settings);
    let (llm, events) = Llm::start(settings, chat());
    let mut desk = Desk { llm, events, stand_in };
    assert_eq!(desk.asks(1).await, failed(Fault::Unreachable));
    desk.knows(Some(Fault::Unreachable)).await;
}

#[tokio::test]
async fn a_model_that_is_still_loading_is_warmed_until_it_is_there() {
    let stand_in = StandIn::start(|_, number| match number {
        0 => Reply::Status(503),
        _ => warmed(),
    })
    .await;
    let (llm, _events) = Llm::start(settings(&stand_in, Protocol::Ollama), chat());
    let mut health = llm.health();
    let busy = tokio::time::timeout(LONGEST, health.wait_for(|fault| *fault == Some(Fault::Busy)));
    assert!(busy.await.is_ok());
    let well = tokio::time::timeout(LONGEST, health.wait_for(Option::is_none)).await;
    assert!(well.is_ok());
    assert_eq!(stand_in.asked().len(), 2);
}
