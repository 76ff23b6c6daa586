//! A flood from strangers while five callers talk: no gap in what the callers hear, and nothing of the
//! flood is left behind.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::folder::Folder;
use support::{counters, peers, wait};

const CALLS: usize = 5;
/// All callers have heard the greeting by then.
const TALKING: Duration = Duration::from_secs(20);
/// Each request goes out when it is due; one that is late goes out with the next.
const PER_SECOND: u32 = 2_000;
const FLOOD: Duration = Duration::from_secs(10);
/// Addresses of the strangers; every other request comes from the first of them.
const STRANGERS: u16 = 250;
/// A transaction of an answered request lives 32 s (RFC 3261, timers H and J).
const SETTLE: Duration = Duration::from_secs(60);
/// Of some two minutes of sound in all, on a machine whose callers want processor time, too.
const CONCEALED_MS: u64 = 500;
/// What the tables hold at their limits, with the room that the allocator keeps.
const PEAK_KIB: u64 = 128 * 1_024;
const REST_KIB: u64 = 48 * 1_024;

const CALLER: &str = "
about = \"Asks, listens, and is patient\"
[[turn]]
say = \"hello\"
[[turn]]
wait_s = 12
[[turn]]
say = \"what are your opening hours\"
[[turn]]
wait_s = 10
hang_up_s = 0
";

#[test]
fn strangers_who_ask_2000_times_a_second_are_not_heard_in_five_calls() {
    if !peers::is_installed("espeak-ng", "espeak-ng") {
        return;
    }
    let appliance = Setup::default().calls_max(5).start();
    let folder = Folder::new("callers");
    let script = folder.write("caller.toml", CALLER);
    let callers: Vec<Child> = (0..CALLS).map(|_| call(&appliance, &script)).collect();
    wait::until("all calls are up", TALKING, || {
        (appliance.live_calls() == CALLS as u64).then_some(())
    });
    let before = counters::resident_kib(appliance.pid());
    let peak = AtomicU64::new(before);
    let received = metric(&appliance, "attendant_sip_requests_total");
    let sent = std::thread::scope(|scope| {
        let flood = scope.spawn(|| flood(appliance.sip));
        while !flood.is_finished() {
            peak.fetch_max(counters::resident_kib(appliance.pid()), Ordering::Relaxed);
            assert!(appliance.get("/health").is_some(), "the page answers");
            std::thread::sleep(Duration::from_millis(500));
        }
        flood.join().unwrap()
    });
    let received = metric(&appliance, "attendant_sip_requests_total") - received;
    let (held, peak) = (metric(&appliance, HELD), peak.into_inner());
    println!("{sent} sent, {received} read; {held} transactions held; KiB {before}, peak {peak}");
    assert!(received > 0.9 * f64::from(sent), "the flood reached the box");
    assert!(peak < before + PEAK_KIB, "KiB {before}, peak {peak}");
    let mut concealed_ms = 0;
    for caller in callers {
        let output = caller.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rtp = &report["rtp"];
        println!("{rtp}");
        assert_eq!(report["turns"].as_array().unwrap().len(), 4, "{report:#}");
        assert!(rtp["packets_received"].as_u64().unwrap() > 50 * 20, "{report:#}");
        assert_eq!(rtp["packets_lost"], 0, "{report:#}");
        concealed_ms += rtp["concealed_ms"].as_u64().unwrap();
    }
    assert!(concealed_ms < CONCEALED_MS, "{concealed_ms} ms were made up");
    // The callers' own BYEs are remembered for a while, too.
    wait::until("nothing of the flood is held", SETTLE, || {
        (metric(&appliance, HELD) <= CALLS as f64).then_some(())
    });
    let after = counters::resident_kib(appliance.pid());
    println!("KiB after it {after}; {}", appliance.api("/health")["audio"]);
    assert!(after < before + REST_KIB, "KiB {before}, after {after}");
    let answered = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &appliance.uri(), "--max-seconds", "10"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&answered.stdout);
    assert!(told.contains("answered after"), "{told}");
}

const HELD: &str = "attendant_sip_held{what=\"transactions\"}";

fn metric(appliance: &Appliance, name: &str) -> f64 {
    let text = appliance.text("/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().parse().unwrap()
}

fn call(appliance: &Appliance, script: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &appliance.uri(), "--max-seconds", "90", "--json", "--script"])
        .arg(script)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Sends for the length of the flood and says how much.
fn flood(to: SocketAddr) -> u32 {
    let strangers: Vec<UdpSocket> = (1..=STRANGERS)
        .map(|n| {
            let [high, low] = n.to_be_bytes();
            let socket = UdpSocket::bind((Ipv4Addr::new(127, 9, high, low), 0)).unwrap();
            // What is answered is not read: a full socket drops it.
            socket.set_nonblocking(true).unwrap();
            socket
        })
        .collect();
    let begun = Instant::now();
    let mut sent = 0;
    while begun.elapsed() < FLOOD {
        let due = begun.elapsed().as_millis() as u32 * PER_SECOND / 1_000;
        for n in sent..due {
            let from = if n % 2 == 0 { 0 } else { n as usize / 2 % strangers.len() };
            let _ = strangers[from].send_to(request(n, to, &strangers[from]).as_bytes(), to);
        }
        sent = sent.max(due);
        std::thread::sleep(Duration::from_millis(1));
    }
    sent
}

/// A third of each method, none twice.
fn request(n: u32, to: SocketAddr, from: &UdpSocket) -> String {
    let own = from.local_addr().unwrap();
    let method = ["INVITE", "REGISTER", "OPTIONS"][n as usize % 3];
    let body = match method {
        "INVITE" => format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio 9000 RTP/AVP 0\r\n",
            ip = own.ip()
        ),
        _ => String::new(),
    };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:desk@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKflood{n};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:flood@{own}>;tag=f{n}\r\nTo: <sip:desk@{to}>\r\n\
         Call-ID: flood-{n}@{own}\r\nCSeq: 1 {method}\r\nContact: <sip:flood@{own}>\r\n{kind}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
