//! Programs bring calls by HTTP and WebSocket, as a telephone bridge does: they are greeted, understood,
//! interrupted, cut off and taken up again.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use attendant::codec::Resampler;
use serde_json::{Value, json};
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::folder::Folder;
use support::sound::{self, Sound};
use support::websocket::{Client, Format};
use support::{keyed, peers, wait};

const SOON: Duration = Duration::from_secs(10);

/// A recording of the repository's, at 16 kHz.
fn recording(name: &str) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audio").join(name);
    let Sound { rate_hz, samples } = sound::read_wav(&path).unwrap();
    let mut wide = vec![0; samples.len() * 2];
    let count = Resampler::new(rate_hz, 16_000).process(&samples, &mut wide);
    wide.truncate(count);
    wide
}

fn announce(appliance: &Appliance, call_id: &str) -> (u16, Value) {
    let body = json!({ "callId": call_id, "from": "+15550100", "to": "+15550123" });
    appliance.send("POST", "/api/handle-webphone-call", Some(&body)).unwrap()
}

fn url(appliance: &Appliance, call_id: &str) -> String {
    let (status, answer) = announce(appliance, call_id);
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["callId"], &answer["status"]), (&json!(call_id), &json!("ready")));
    answer["audio_url"].as_str().unwrap().to_owned()
}

fn record(appliance: &Appliance, client: &Client) -> Value {
    let id = client.told("started")[0]["call"].as_str().unwrap().to_owned();
    appliance.api(&format!("/api/calls/{id}"))
}

fn ended(appliance: &Appliance, client: &Client) -> Value {
    wait::until("the record is complete", SOON, || {
        let record = record(appliance, client);
        (record["state"] == "ended").then_some(record)
    })
}

/// Media sockets of the box that others than this machine reach, as the kernel lists them (proc(5), /proc/net/udp):
/// none, where the box has a call by WebSocket and no other.
fn reachable_sockets(appliance: &Appliance) -> Vec<String> {
    let config = std::fs::read_to_string(appliance.config()).unwrap();
    let ports = config.lines().find_map(|line| line.strip_prefix("ports = \"")).unwrap();
    let (first, last) = ports.trim_end_matches('"').split_once('-').unwrap();
    let ports: std::ops::RangeInclusive<u16> = first.parse().unwrap()..=last.parse().unwrap();
    let list = |name: &str| {
        std::fs::read_to_string(format!("/proc/{}/net/{name}", appliance.pid())).unwrap_or_default()
    };
    let local = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    let all = [list("udp"), list("udp6")];
    let sockets = all.iter().flat_map(|text| text.lines().skip(1)).filter_map(local);
    let of_media = sockets.filter(|at| {
        let port = at.rsplit(':').next().and_then(|port| u16::from_str_radix(port, 16).ok());
        port.is_some_and(|port| ports.contains(&port))
    });
    let of_media: Vec<String> = of_media.collect();
    assert!(of_media.len() >= 2, "RTP and RTCP: {of_media:?}");
    // 127.0.0.1 as a number of this machine's byte order.
    let near = format!("{:08X}:", u32::from_ne_bytes([127, 0, 0, 1]));
    of_media.into_iter().filter(|at| !at.starts_with(&near)).collect()
}

/// The box has said something and is silent.
fn wait_for_silence(client: &Client) {
    wait::until("it falls silent", Duration::from_secs(30), || {
        let silent = client.silent_for();
        (Duration::from_millis(700)..Duration::from_secs(20)).contains(&silent).then_some(())
    });
}

/// Greeting, a question in real time, its answer, goodbye; the gap at both ends.
fn conversation(appliance: &Appliance, format: Format) {
    let name = format!("s-{format:?}");
    let client = Client::talk(&url(appliance, &name), format);
    client.wait_for("attendant", "Northgate Logistics");
    assert_eq!(
        reachable_sockets(appliance),
        Vec::<String>::new(),
        "its sound is this program's alone"
    );
    wait_for_silence(&client);
    client.say(&recording("opening-hours.wav"));
    client.wait_for("caller", "hours");
    client.wait_for("attendant", "We are open");
    let gap = wait::until("the answer is heard", SOON, || client.gap());
    wait_for_silence(&client);
    client.say(&recording("thank-you-goodbye.wav"));
    client.wait_for("attendant", "Thank you for calling");
    let told = client.wait("ended", |_| true);
    assert_eq!((&told["by"], &told["cause"]), (&json!("us"), &json!("goodbye")));
    assert!(client.closed().starts_with("1000"), "{}", client.closed());
    let record = ended(appliance, &client);
    assert_eq!((&record["codec"], &record["way"]), (&json!("L16"), &json!("websocket")));
    let turns = record["turns"].as_array().unwrap();
    let turn = turns.iter().find(|turn| turn["reply"].as_str().unwrap().contains("open"));
    let box_gap = turn.unwrap()["gap_ms"].as_u64().unwrap();
    let added = i64::try_from(gap.as_millis()).unwrap() - i64::try_from(box_gap).unwrap();
    println!(
        "{name}: gap {} ms at the client, {box_gap} ms at the box, {added} ms between",
        gap.as_millis()
    );
    let heard = Sound { rate_hz: format.rate_hz(), samples: client.sound() };
    let level = heard.speech_level_dbfs();
    assert!(level > -35.0, "{name}: {level} dBFS");
    assert!(client.told("lost").is_empty(), "{:?}", client.told("lost"));
    let rtp = &record["rtp"];
    assert_eq!((&rtp["packets_lost"], &rtp["packets_late"]), (&json!(0), &json!(0)), "{rtp}");
}

/// Speaks over the greeting, then presses keys, then marks.
fn barge_in(appliance: &Appliance) {
    let client = Client::talk(&url(appliance, "s-barge-in"), Format::Pcm8k);
    client.wait_for("attendant", "Northgate");
    let question = recording("opening-hours.wav");
    // What speaks from the beginning on was there before the call, and stops nobody.
    let spoken = usize::try_from(Format::Pcm8k.rate_hz()).unwrap() * 3 / 2;
    wait::until("it speaks", SOON, || (client.sound().len() > spoken).then_some(()));
    client.say(&question);
    let clear = client.wait("clear", |_| true);
    assert!(clear["sent_ms"].as_u64().is_some_and(|ms| ms > 0), "{clear}");
    client.wait_for("attendant", "We are open");
    client.text(&json!({ "type": "mark", "name": "asked" }));
    let mark = client.wait("mark", |mark| mark["name"] == "asked");
    assert_eq!(mark["cleared"], false);
    client.text(&json!({ "type": "nonsense" }));
    client.wait("error", |error| error["code"] == "bad-message");
    client.text(&json!({ "type": "hangup" }));
    let told = client.wait("ended", |_| true);
    assert_eq!(told["cause"], "hung-up");
    let record = ended(appliance, &client);
    assert!(record["turns"].as_array().unwrap().len() >= 2, "{record:#}");
}

/// Cut in the middle of our words and taken up again; cut again and left.
fn resumed_and_left(appliance: &Appliance) {
    let address = url(appliance, "s-resume");
    let mut client = Client::talk(&address, Format::Pcm16k);
    let started = client.wait("started", |_| true);
    client.wait_for("attendant", "Northgate");
    wait::until("it speaks", SOON, || (client.silent_for() > Duration::ZERO).then_some(()));
    client.cut();
    let before = record(appliance, &client);
    assert_eq!(Client::open(&address, Format::Pcm16k).err(), Some(403), "without the token");
    thread::sleep(Duration::from_secs(2));
    let resume = started["resume"].as_str().unwrap();
    let again = format!("{address}&resume={resume}");
    let mut client = Client::open(&again, Format::Pcm16k).unwrap();
    let resumed = client.wait("started", |_| true);
    assert_eq!((&resumed["call"], &resumed["resumed"]), (&started["call"], &json!(true)));
    assert_eq!(before["id"], resumed["call"]);
    // What it was saying goes on, and the conversation with it.
    wait_for_silence(&client);
    client.say(&recording("opening-hours.wav"));
    client.wait_for("attendant", "We are open");
    client.cut();
    let cut = Instant::now();
    let record = wait::until("it ends by itself", Duration::from_secs(60), || {
        let record = record(appliance, &client);
        (record["state"] == "ended").then_some(record)
    });
    let waited = cut.elapsed();
    assert_eq!(record["ending"]["cause"], "signalling-lost", "{record:#}");
    assert_eq!(Client::open(&again, Format::Pcm16k).err(), Some(404));
    println!("resumed after 2 s; left, it ended after {:.1} s", waited.as_secs_f32());
}

fn refusals(appliance: &Appliance) {
    let address = url(appliance, "s-refused");
    // The same answer while nobody has come.
    assert_eq!(url(appliance, "s-refused"), address);
    let wrong = address.replace("token=", "token=0");
    assert_eq!(Client::open(&wrong, Format::MuLaw).err(), Some(403));
    let other = address.replace("s-refused", "s-nobody");
    assert_eq!(Client::open(&other, Format::MuLaw).err(), Some(404));
    let (status, _) = appliance.get("/audio/s-refused").unwrap();
    assert_eq!(status, 400, "no WebSocket");
    for body in [json!({}), json!({ "callId": "a/b" }), json!([])] {
        let (status, problem) =
            appliance.send("POST", "/api/handle-webphone-call", Some(&body)).unwrap();
        assert_eq!(status, 400, "{body}: {problem}");
    }
    let client = Client::open(&address, Format::MuLaw).unwrap();
    client.text(&json!({ "type": "start", "format": "mulaw", "rate": 44_100 }));
    client.wait("error", |error| error["code"] == "bad-format");
    client.text(&json!({ "type": "hangup" }));
    assert!(client.closed().starts_with("1000"), "{}", client.closed());
}

#[test]
fn programs_bring_calls_by_websocket() {
    let appliance = Setup::default().start();
    let status = appliance.api("/api/webphone/status");
    assert_eq!((&status["ready"], &status["max_calls"]), (&json!(true), &json!(5)), "{status}");
    refusals(&appliance);
    thread::scope(|scope| {
        scope.spawn(|| conversation(&appliance, Format::Pcm16k));
        scope.spawn(|| conversation(&appliance, Format::MuLaw));
        scope.spawn(|| barge_in(&appliance));
        scope.spawn(|| resumed_and_left(&appliance));
    });
    // Announced calls count as calls, until nobody comes for them; the sockets of the ones before may take a
    // moment to come back.
    for number in 0..5 {
        wait::until("a line is free", SOON, || {
            (announce(&appliance, &format!("s-many-{number}")).0 == 200).then_some(())
        });
    }
    assert_eq!(announce(&appliance, "s-many-5").0, 429);
    let status = appliance.api("/api/webphone/status");
    assert_eq!(
        (&status["ready"], &status["expected_calls"]),
        (&json!(false), &json!(5)),
        "{status}"
    );
}

/// What a bridge says first over a connection that the box has made.
fn start(call_id: &str) -> Value {
    let mut start = Format::Pcm16k.start();
    start["callId"] = call_id.into();
    start["from"] = "+15550100".into();
    start
}

fn line_is(appliance: &Appliance, state: &str) {
    wait::until(state, Duration::from_secs(30), || {
        let status = appliance.api("/api/webphone/status");
        (status["bridges"][0]["state"] == state).then_some(())
    });
}

#[test]
fn the_box_calls_a_bridge_and_calls_it_again_whatever_becomes_of_it() {
    const TOKEN: &str = "what-the-bridge-knows";
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let appliance = Setup::default()
        .with("[bridge]", &format!("name = \"phone\"\nurl = \"ws://{address}/calls?box=7\""))
        .env("ATTENDANT_BRIDGE_PHONE", TOKEN)
        .start();
    let (mut client, asked) = Client::accepted(&listener, Format::Pcm16k);
    assert_eq!(asked.target, "/calls?box=7");
    assert_eq!(asked.authorization, format!("Bearer {TOKEN}"));
    assert_eq!(asked.subprotocol, "attendant.audio.v1");
    line_is(&appliance, "open");

    client.text(&start("s+first"));
    let started = client.wait("started", |_| true);
    // The next call can come meanwhile.
    let (spare, _) = Client::accepted(&listener, Format::Pcm16k);
    client.wait_for("attendant", "Northgate");
    client.cut();
    let (client, asked) = Client::accepted(&listener, Format::Pcm16k);
    let resume = started["resume"].as_str().unwrap();
    assert_eq!(asked.target, format!("/calls?box=7&callId=s%2Bfirst&resume={resume}"));
    let resumed = client.wait("started", |_| true);
    assert_eq!((&resumed["call"], &resumed["resumed"]), (&started["call"], &json!(true)));
    wait_for_silence(&client);
    client.say(&recording("opening-hours.wav"));
    client.wait_for("attendant", "We are open");

    // A call of this name is up: the second one is refused, and another connection waits after that.
    spare.text(&start("s+first"));
    assert_eq!(spare.wait("ended", |_| true)["cause"], "busy");
    client.text(&json!({ "type": "hangup" }));
    assert_eq!(client.wait("ended", |_| true)["cause"], "hung-up");
    let (spare, _) = Client::accepted(&listener, Format::Pcm16k);

    // It dies and comes back.
    drop((listener, spare));
    line_is(&appliance, "unreachable");
    let health = appliance.api("/health");
    assert_eq!(health["state"], "degraded", "{health}");
    assert!(
        health["reasons"].to_string().contains("bridge phone: it cannot be reached"),
        "{health}"
    );
    let listener = wait::until("its port is free", SOON, || TcpListener::bind(address).ok());
    let (client, _) = Client::accepted(&listener, Format::Pcm16k);
    line_is(&appliance, "open");
    client.text(&start("s-second"));
    client.wait_for("attendant", "Northgate");
    let log = appliance.log();
    assert!(!log.contains(TOKEN) && !log.contains("5550100") && !log.contains(resume), "{log}");
}

#[test]
fn a_caller_by_websocket_is_put_through_by_a_call_of_the_box() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    const CALLER_SAYS: &str = "My order has been lying in your depot since Tuesday morning.";
    const PERSON_SAYS: &str = "I will have it delivered to you this afternoon.";
    let folder = Folder::new("playbook");
    let mut anna = Baresip::start("anna", Ipv4Addr::LOCALHOST.into(), "udp", "PCMU/8000/1");
    // Nobody at the other end of a WebSocket could be sent on.
    let person = format!("name = \"Anna\"\naddress = \"{}\"\nby = \"refer\"", anna.uri());
    let appliance = Setup::default()
        .with("[person]", &person)
        .with("converse", &keyed::playbook(&folder))
        .start();
    let client = Client::talk(&url(&appliance, "s-put-through"), Format::Pcm16k);
    client.wait("transcript", |said| said["who"] == "attendant");
    client.text(&json!({ "type": "dtmf", "digits": keyed::PERSON }));
    anna.event("CALL_INCOMING", Duration::from_secs(60));
    anna.command("accept", "");
    anna.event("CALL_ESTABLISHED", SOON);
    anna.command("sndcode", "1");
    wait::until("the two are joined", Duration::from_secs(30), || {
        (record(&appliance, &client)["is_joined"] == true).then_some(())
    });
    let before = client.sound().len();
    client.say(&sound::speak(CALLER_SAYS));
    anna.play(&sound::speak(PERSON_SAYS));
    let spoken = Sound { rate_hz: 16_000, samples: sound::speak(PERSON_SAYS) };
    let likeness = wait::until("the caller hears the person", Duration::from_secs(30), || {
        let samples = client.sound().split_off(before);
        let heard = Sound { rate_hz: 16_000, samples };
        let likeness = sound::likeness_of_phrases(&heard, &[&spoken]);
        (likeness > 0.7).then_some(likeness)
    });
    wait::until("the caller has spoken", SOON, || client.has_said().then_some(()));
    client.text(&json!({ "type": "hangup" }));
    anna.event("CALL_CLOSED", SOON);
    let recorded = anna.recording().unwrap();
    let words = Sound { rate_hz: 16_000, samples: sound::speak(CALLER_SAYS) };
    let other = sound::likeness_of_phrases(&recorded, &[&words]);
    println!("likeness: {likeness:.3} to the caller, {other:.3} to the person");
    assert!(other > 0.7, "{other}");
}
