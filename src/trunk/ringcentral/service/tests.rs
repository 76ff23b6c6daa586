//! An account at the platform, with time as an input.

use serde_json::json;

use super::*;

struct Desk {
    service: Service,
    now: Instant,
    outputs: Vec<Output>,
}

const PHONE: &str = r#"{"device":{"id":"8"},"sipInfo":[{"username":"1720*115","password":"p",
    "authorizationId":"80","domain":"sip.ringcentral.com","outboundProxy":"sip1:8083"}]}"#;

impl Desk {
    fn new(mode: Mode, events: Events) -> Self {
        let private = |text: &str| Private::new(text.to_owned());
        let settings = Settings {
            application: Application {
                client_id: "box".to_owned(),
                secret: Some(private("hush")),
                jwt: private("jwt"),
            },
            mode,
            events,
            filters: vec!["/f".to_owned()],
            is_local: false,
        };
        let service = Service::new(settings, Entropy::new([3; 32]));
        Self { service, now: Instant::now(), outputs: Vec::new() }
    }

    fn give(&mut self, input: Input) {
        self.service.handle(self.now, input);
        loop {
            match self.service.poll_output() {
                Output::Timeout(_) => break,
                output => self.outputs.push(output),
            }
        }
    }

    /// The request that is out; a sign-in is answered by itself.
    fn sent(&mut self) -> String {
        let sent = |output: &Output| matches!(output, Output::Send(_));
        let at = self.outputs.iter().position(sent).expect("a request");
        let Output::Send(request) = self.outputs.remove(at) else { unreachable!() };
        if request.path == "/restapi/oauth/token" {
            self.answer(200, "{\"access_token\":\"A\",\"expires_in\":3600}");
            return self.sent();
        }
        format!("{request:?}")
    }

    fn answer(&mut self, status: u16, body: &str) {
        let body = body.as_bytes().to_vec();
        self.give(Input::Answered(Some(Answer { status, retry_after_s: None, body })));
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.give(Input::Timeout);
    }

    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }
}

fn faults(outputs: &[Output]) -> Vec<String> {
    let all = outputs.iter().rev();
    let mut told = all.filter_map(|output| match output {
        Output::Faults(told) => Some(told.clone()),
        _ => None,
    });
    told.next().unwrap_or_default()
}

#[test]
fn what_was_kept_is_used_at_once_and_asked_for_only_when_it_is_believed_no_more() {
    let mut desk = Desk::new(Mode::WebPhone, Events::Off);
    desk.give(Input::Start(None));
    assert_eq!(desk.sent(), "POST /restapi/v1.0/client-info/sip-provision");
    desk.answer(200, PHONE);
    let outputs = desk.take();
    let [Output::Provisioned { provision, is_new: true }] = outputs.as_slice() else {
        panic!("{outputs:?}")
    };
    let mut again = Desk::new(Mode::WebPhone, Events::Off);
    again.give(Input::Start(Some(provision.clone())));
    assert!(matches!(again.take().as_slice(), [Output::Provisioned { is_new: false, .. }]));
    again.give(Input::Disbelieved);
    again.give(Input::Disbelieved);
    assert!(again.sent().ends_with("sip-provision"));
    again.answer(200, PHONE);
    again.take();
    again.give(Input::Disbelieved);
    assert!(again.outputs.is_empty(), "not again within ten minutes");
    let other = Desk::new(Mode::Device, Events::Off);
    let mut other = other;
    other.give(Input::Start(Some(provision.clone())));
    assert_eq!(other.sent(), "GET /restapi/v1.0/account/~/extension/~/device");
}

#[test]
fn a_missing_permission_is_told_until_it_is_there() {
    let mut desk = Desk::new(Mode::WebPhone, Events::Off);
    desk.give(Input::Start(None));
    desk.sent();
    desk.answer(
        403,
        r#"{"errorCode":"InsufficientPermissions","errors":[{"errorCode":"CMN-401",
        "permissionName":"VoipCalling"}]}"#,
    );
    let told = faults(&desk.take());
    assert!(told[0].starts_with("it cannot be provisioned: ") && told[0].contains("VoipCalling"));
    desk.wait(29);
    assert!(desk.outputs.is_empty());
    desk.wait(1);
    desk.sent();
    desk.answer(200, PHONE);
    let outputs = desk.take();
    assert!(outputs.iter().any(|output| matches!(output, Output::Provisioned { .. })));
    assert!(faults(&outputs).is_empty());
}

#[test]
fn a_device_is_found_and_read() {
    let mut desk = Desk::new(Mode::Device, Events::Off);
    desk.give(Input::Start(None));
    desk.sent();
    desk.answer(200, r#"{"records":[{"id":802,"type":"OtherPhone"}]}"#);
    assert_eq!(desk.sent(), "GET /restapi/v1.0/account/~/device/802/sip-info");
    desk.answer(
        200,
        r#"{"domain":"d","userName":"1","password":"p","authorizationId":"8",
        "outboundProxies":[{"proxyTLS":"sip20:5096"}]}"#,
    );
    assert!(matches!(desk.take().as_slice(), [Output::Provisioned { is_new: true, .. }]));
    let mut none = Desk::new(Mode::Device, Events::Off);
    none.give(Input::Start(None));
    none.sent();
    none.answer(200, "{\"records\":[]}");
    assert!(faults(&none.take())[0].contains("Existing Phone"));
}

#[test]
fn events_come_in_order_from_the_gateway_and_tell_when_they_do() {
    let mut desk = Desk::new(Mode::WebPhone, Events::Gateway);
    desk.give(Input::Start(None));
    desk.sent();
    desk.answer(200, PHONE);
    assert_eq!(desk.sent(), "POST /restapi/oauth/wstoken");
    desk.answer(200, "{\"uri\":\"wss://h/ws\",\"ws_access_token\":\"T\"}");
    assert!(desk.outputs.iter().any(|output| matches!(output, Output::Connect(_))));
    desk.give(Input::GatewayOpened);
    desk.give(Input::Frame("[{\"type\":\"ConnectionDetails\"},{}]".to_owned()));
    let frame = desk.take().into_iter().find_map(|output| match output {
        Output::Frame(text) => serde_json::from_str::<Value>(text.reveal()).ok(),
        _ => None,
    });
    let id = frame.unwrap()[0]["messageId"].clone();
    let up = json!([{ "type": "ClientRequest", "messageId": id, "status": 200 }, {}]);
    desk.give(Input::Frame(up.to_string()));
    assert!(matches!(desk.take().as_slice(), [Output::Events(true)]));
    for (sequence, stale) in [(2, 0), (2, 1), (1, 2), (3, 2)] {
        let event = json!({ "body": { "telephonySessionId": "s-1", "sequence": sequence,
            "parties": [{ "id": "p-1", "direction": "Inbound", "status": { "code": "Proceeding" } }] }});
        let frame = json!([{ "type": "ServerNotification" }, event]);
        desk.give(Input::Frame(frame.to_string()));
        match desk.take().as_slice() {
            [Output::Party(news)] => assert!(news.rings()),
            [Output::Dropped(told)] => assert_eq!(*told, Dropped { stale, unreadable: 0 }),
            outputs => panic!("{sequence}: {outputs:?}"),
        }
    }
    desk.give(Input::GatewayClosed { retry_after_s: None });
    assert!(matches!(desk.take().as_slice(), [Output::Events(false)]));
}

#[test]
fn an_action_is_told_what_came_of_it_and_a_missing_permission_is_shown() {
    let mut desk = Desk::new(Mode::WebPhone, Events::Off);
    let request = Request::get("/restapi/x");
    desk.give(Input::Control { ticket: 7, request: request.clone() });
    assert_eq!(desk.sent(), "GET /restapi/x");
    desk.answer(403, r#"{"errorCode":"CMN-408","permissionName":"CallControl"}"#);
    let outputs = desk.take();
    let told = outputs.iter().find_map(|output| match output {
        Output::Controlled { ticket: 7, outcome } => Some(outcome.clone()),
        _ => None,
    });
    assert_eq!(told, Some(Err(Refusal::User("CallControl".to_owned()))));
    assert!(faults(&outputs)[0].starts_with("calls cannot be controlled: "));
    desk.give(Input::Control { ticket: 8, request });
    desk.sent();
    desk.answer(404, "{}");
    let outputs = desk.take();
    assert!(matches!(
        outputs.as_slice(),
        [Output::Controlled { ticket: 8, outcome: Err(Refusal::Unknown) }]
    ));
}
