//! Strangers say hello by DTLS to every media port, as fast as they can, while calls begin.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::net::{Ipv4Addr, UdpSocket};
use std::ops::RangeInclusive;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::visitor::{self, Manner, Visitor};
use support::wait;

const AT_ONCE: usize = 4;
const ROUNDS: usize = 5;
/// Calls of pages, and lines of the box, a fifth of which are no page's.
const VISITS: u32 = 200;
const LINES: u16 = 8;
/// Each page has connected and heard as much of the greeting by then, also on a machine with other work.
const VISIT: Duration = Duration::from_secs(60);
const LOUD_PACKETS: u32 = 10;
/// Between two rounds of the spray over all ports: a few hundred hellos a second for each.
const ROUND: Duration = Duration::from_millis(4);
/// A spray that has passed all ports once or more; how fast it is, is the machine's, and printed.
const LEAST_HELLOS: u64 = 1_000;
/// The spray ends by itself after so many.
const MOST_HELLOS: u64 = 1_000_000;

/// A ClientHello with TLS_NULL_WITH_NULL_NULL, as the attack has it.
fn hello() -> Vec<u8> {
    let body = [&[0xFE, 0xFD][..], &[9; 32], &[0, 0, 0, 2, 0, 0, 1, 0]].concat();
    let length = (body.len() as u32).to_be_bytes();
    let content = [&[1][..], &length[1..], &[0, 0, 0, 0, 0], &length[1..], &body].concat();
    let head = [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0];
    [&head[..], &(content.len() as u16).to_be_bytes(), &content].concat()
}

fn media_ports(appliance: &Appliance) -> RangeInclusive<u16> {
    let text = std::fs::read_to_string(appliance.config()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("ports = \"")).unwrap();
    let (first, last) = line.trim_end_matches('"').split_once('-').unwrap();
    first.parse().unwrap()..=last.parse().unwrap()
}

/// Each port in turn, without a pause between them.
fn spray(ports: &RangeInclusive<u16>, is_over: &AtomicBool, sent: &AtomicU64) {
    let sockets: Vec<UdpSocket> =
        (0..8).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    let hello = hello();
    let mut turn = 0;
    while !is_over.load(Ordering::Relaxed) && sent.load(Ordering::Relaxed) < MOST_HELLOS {
        for port in ports.clone() {
            turn += 1;
            let socket: &UdpSocket = &sockets[turn % sockets.len()];
            // Where nobody is yet, the kernel says so.
            if socket.send_to(&hello, (Ipv4Addr::LOCALHOST, port)).is_ok() {
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
        std::thread::sleep(ROUND);
    }
}

/// Ends the spray, also where a call has failed.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The report of a call with keys by a handshake.
fn call(appliance: &Appliance) -> Value {
    let made = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &appliance.uri(), "--json", "--max-seconds", "3"])
        .args(["--srtp", "required", "--srtp-keys", "dtls"])
        .output()
        .unwrap();
    serde_json::from_slice(&made.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&made.stderr)))
}

#[test]
fn calls_begin_as_ever_while_strangers_say_hello_to_every_port() {
    let appliance = Setup::default().start();
    let ports = media_ports(&appliance);
    let (is_over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(|| spray(&ports, &is_over, &sent));
        for _ in 0..ROUNDS {
            let calls: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| call(&appliance))).collect();
            for report in calls.into_iter().map(|call| call.join().unwrap()) {
                assert!(report["srtp"].is_string(), "{report}");
                let received = report["rtp"]["packets_received"].as_u64().unwrap();
                assert!(received > 50, "{report}");
            }
        }
    });
    let a_second = sent.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    println!(
        "{} of {} connected, {a_second:.0} hellos a second",
        AT_ONCE * ROUNDS,
        AT_ONCE * ROUNDS
    );
    assert!(sent.load(Ordering::Relaxed) >= LEAST_HELLOS, "nobody sprayed");
}

/// One page: connected, with sound, and told of the end. Gives how long that took, up to the keys and up to the sound.
fn visit(appliance: &Appliance, number: u32) -> [Duration; 2] {
    let began = Instant::now();
    let manner = Manner { is_client: number.is_multiple_of(2), ..Manner::default() };
    let mut visitor = Visitor::call(appliance.web, number, manner).expect("the call is taken");
    assert!(visitor.until(VISIT, Visitor::is_secure), "{number}: no keys: {visitor:?}");
    let secured = began.elapsed();
    let has_heard = |visitor: &Visitor| visitor.loud >= LOUD_PACKETS;
    assert!(visitor.until(VISIT, has_heard), "{number}: no sound: {visitor:?}");
    let heard = began.elapsed();
    assert_eq!((visitor.forged, visitor.asks("DELETE")), (0, 200), "{number}");
    assert!(visitor.until(VISIT, |visitor| visitor.is_closed), "{number}: not told of the end");
    [secured, heard]
}

#[test]
fn two_hundred_of_two_hundred_pages_connect_and_hear_under_the_spray() {
    let appliance = Setup::default().calls_max(LINES).start();
    let ports = media_ports(&appliance);
    let (is_over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let took = Mutex::new(Vec::new());
    let began = Instant::now();
    std::thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(|| spray(&ports, &is_over, &sent));
        visitor::some_at_once(0..VISITS, usize::from(LINES) / 2, |number| {
            let one = visit(&appliance, number);
            took.lock().unwrap().push(one);
        });
    });
    let all = began.elapsed();
    let took = took.into_inner().unwrap();
    let a_second = sent.load(Ordering::Relaxed) as f64 / all.as_secs_f64();
    let slowest = [0, 1].map(|at| took.iter().map(|one| one[at]).max().unwrap());
    println!(
        "{} of {VISITS} in {all:?}; the slowest had keys after {:?}, sound after {:?}; {a_second:.0} hellos a second",
        took.len(),
        slowest[0],
        slowest[1]
    );
    assert_eq!(took.len(), VISITS as usize);
    assert!(sent.load(Ordering::Relaxed) >= LEAST_HELLOS, "nobody sprayed");
    wait::until("all lines are free", VISIT, || (appliance.live_calls() == 0).then_some(()));
}
