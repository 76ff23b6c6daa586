//! What an enemy sends: floods and mutations. The tables stay within their limits and the call that
//! is up stays up.

use std::net::IpAddr;

use super::*;
use crate::base::limits;
use crate::sip::counters::Dropped;
use crate::sip::user_agent::Occupancy;

fn assert_bounded(used: Occupancy) {
    assert!(used.legs <= limits::SIP_DIALOGS, "{used:?}");
    assert!(used.dialogs <= limits::SIP_DIALOGS, "{used:?}");
    assert!(used.transactions <= limits::SIP_TRANSACTIONS, "{used:?}");
    assert!(used.transaction_bytes <= 2 * limits::SIP_TRANSACTION_BYTES, "{used:?}");
    assert!(used.remembered <= limits::SIP_TRANSACTIONS, "{used:?}");
    assert!(used.sources <= limits::SIP_SOURCES, "{used:?}");
    assert!(used.connections <= limits::SIP_CONNECTIONS, "{used:?}");
}

/// Feeds without keeping what comes out.
fn feed(bench: &mut Bench, flow: Flow, bytes: &[u8]) -> Option<LegId> {
    bench.agent.handle(bench.now, Input::Datagram { flow, bytes });
    let mut new = None;
    loop {
        match bench.agent.poll_output() {
            Output::Event(Event::Incoming { leg, .. }) => new = Some(leg),
            Output::Timeout(_) => return new,
            _ => {}
        }
    }
}

#[test]
fn two_hundred_thousand_invites_from_ten_thousand_sources() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    let template = Script::new("INVITE").body(SDP).text();
    for n in 0..200_000_u32 {
        if n % 100 == 0 {
            bench.now += ms(1);
        }
        let [_, a, b, c] = (n % 10_000).to_be_bytes();
        let flow = Flow::udp(us(), SocketAddr::new(IpAddr::from([10, a, b, c]), 5060));
        let invite = template.replacen("z9hG4bKINVITE1", &format!("z9hG4bK{n}"), 1).replacen(
            "call-1",
            &format!("flood-{n}"),
            1,
        );
        feed(&mut bench, flow, invite.as_bytes());
        if n % 5_000 == 0 {
            assert_bounded(bench.agent.occupancy());
        }
    }
    let used = bench.agent.occupancy();
    assert_bounded(used);
    assert_eq!(used.legs, limits::SIP_DIALOGS, "as many as there may be, and no more");
    let counters = bench.agent.counters();
    assert!(counters.dropped(Dropped::DialogsFull) > 190_000);
    // In the 2 s of the flood.
    assert!((500..=1_600).contains(&counters.answered(503)), "{}", counters.answered(503));

    // The call that was up does not notice.
    bench.sent.clear();
    bench.receive(&Script::new("INFO").number(2).tagged(&tag).text());
    assert_eq!(bench.one().status(), 200);
    bench.command(Command::Bye { leg, reason: None });
    let bye = bench.take().pop().unwrap();
    bench.receive(&reply(&bye, 200, "caller", &[], ""));
    assert!(matches!(bench.take_events().last(), Some(Event::Ended { .. })));

    // And all of it goes away by itself.
    bench.pass(seconds(300));
    let used = bench.agent.occupancy();
    assert_eq!((used.legs, used.dialogs, used.transactions, used.transaction_bytes), (0, 0, 0, 0));
}

#[test]
fn a_busy_house_refuses_a_flood_and_keeps_a_quarter_for_the_calls_that_are_up() {
    let mut bench = Bench::new();
    let (_, tag) = bench.up();
    let closed = crate::sip::Admission::Closed { status: 486, retry_after_s: None };
    bench.command(Command::Admit(closed));
    let template = Script::new("INVITE").text();
    for n in 0..20_000_u32 {
        let [_, a, b, c] = n.to_be_bytes();
        let flow = Flow::udp(us(), SocketAddr::new(IpAddr::from([10, a, b, c]), 5060));
        let invite = template.replacen("z9hG4bKINVITE1", &format!("z9hG4bK{n}"), 1);
        let invite = invite.replacen("call-1", &format!("flood-{n}"), 1);
        feed(&mut bench, flow, invite.as_bytes());
    }
    let used = bench.agent.occupancy();
    assert_eq!(used.transactions, limits::SIP_TRANSACTIONS / 4 * 3);
    assert!(bench.agent.counters().dropped(Dropped::TransactionsFull) > 7_000);
    bench.sent.clear();
    bench.receive(&Script::new("BYE").number(2).tagged(&tag).text());
    assert_eq!(bench.words(), ["200"]);
}

#[test]
fn one_source_gets_its_share_and_no_answer_beyond() {
    let mut bench = Bench::new();
    let share = u64::from(limits::SIP_NEW_DIALOGS_PER_SOURCE_PER_SECOND);
    for n in 0..1_000 {
        bench.receive(&Script::new("INVITE").header("Require: x").number(n).text());
    }
    assert_eq!(bench.take().len() as u64, share);
    assert_eq!(bench.agent.counters().dropped(Dropped::SourceRate), 1_000 - share);
    bench.pass(seconds(1));
    bench.receive(&Script::new("INVITE").header("Require: x").number(2_000).text());
    assert_eq!(bench.words(), ["420"]);
}

#[test]
fn a_scanner_gets_a_few_answers_and_then_one_a_second_and_no_name() {
    let burst = limits::SIP_PROBES_PER_SOURCE_BURST as usize;
    for probe in [
        Script::new("OPTIONS"),
        Script::new("OPTIONS").tagged("x"),
        Script::new("REGISTER"),
        Script::new("BREAKFAST"),
        Script::new("BYE"),
        Script::new("CANCEL"),
        Script::new("OPTIONS").header("CSeq: x"),
    ] {
        let mut bench = Bench::new();
        // 100 a second for 10 s.
        for n in 0..1_000 {
            bench.receive(&probe.clone().number(n).text());
            bench.pass(ms(10));
        }
        let answers = bench.take();
        assert_eq!(answers.len(), burst + 9, "{}", probe.method);
        assert!(answers.iter().all(|answer| answer.header("Server").is_empty()));
        assert!(answers.iter().all(|answer| !answer.text.contains("Attendant")));
        // Neighbours are heard, and so are calls of the same source.
        let neighbour = Flow::udp(us(), "192.0.2.8:5060".parse().unwrap());
        bench.receive_over(neighbour, &Script::new("OPTIONS").text());
        assert_eq!(bench.words(), ["200"]);
        bench.receive(&Script::new("INVITE").number(2_000).body(SDP).text());
        assert_eq!(bench.words(), ["100"]);
    }
}

#[test]
fn a_peer_on_a_stream_is_who_it_says_and_may_ask_more() {
    let mut bench = Bench::over_tcp();
    for n in 0..100 {
        bench.receive(&Script::new("OPTIONS").tcp().number(n).text());
    }
    assert_eq!(bench.take().len(), 100);
}

/// A second call, from another address, so that its BYE can be tried.
fn second_call(bench: &mut Bench) -> (Flow, Script) {
    let flow = Flow::udp(us(), "192.0.2.8:5060".parse().unwrap());
    let call = |method| Script::new(method).call_id("call-2").branch(&format!("z9hG4bK2{method}"));
    bench.receive_over(flow, &call("INVITE").body(SDP).text());
    let Some(Event::Incoming { leg, .. }) = bench.take_events().pop() else { panic!() };
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let tag = bench.take().pop().unwrap().tag("To").to_owned();
    bench.receive_over(flow, &call("ACK").tagged(&tag).text());
    assert_eq!(bench.said(), ["Established"]);
    let mut bye = call("BYE").tagged(&tag);
    bye.number = 2;
    (flow, bye)
}

#[test]
fn one_call_cannot_take_the_transactions_of_the_others() {
    let mut bench = Bench::new();
    let (_, tag) = bench.up();
    let (other, other_bye) = second_call(&mut bench);
    let info = Script::new("INFO").tagged(&tag).body_of("application/dtmf", "5");
    // 1,000 a second for 40 s: digits, questions, and BYEs that end nothing.
    for n in 0..40_000_u32 {
        let script = match n % 4 {
            0 => Script::new("OPTIONS").tagged(&tag),
            1 => Script::new("BYE").tagged(&tag).header("Require: x"),
            _ => info.clone(),
        };
        bench.receive(&script.number(10 + n).text());
        bench.pass(ms(1));
        if n % 1_000 == 0 {
            let used = bench.agent.occupancy().transactions;
            let most = 32 * limits::SIP_IN_DIALOG_PER_SECOND + limits::SIP_IN_DIALOG_BURST + 10;
            assert!(used <= most as usize, "{used}");
        }
    }
    let counters = bench.agent.counters();
    assert!(counters.dropped(Dropped::CallRate) > 39_000);
    assert_eq!(counters.dropped(Dropped::TransactionsFull), 0);
    let refused: Vec<_> = bench.take().into_iter().filter(|sent| sent.status() == 503).collect();
    assert!(refused.len() > 39_000);
    assert!(refused.iter().all(|sent| !sent.header("Retry-After").is_empty()));
    // BYE gets through: from the other call, and from the one that floods.
    bench.take_events();
    bench.receive_over(other, &other_bye.text());
    assert_eq!((bench.words(), bench.said()), (vec!["200".to_owned()], vec!["Ended".to_owned()]));
    let bye = Script::new("BYE").tagged(&tag).number(100_000);
    bench.receive(&bye.text());
    assert_eq!((bench.words(), bench.said()), (vec!["200".to_owned()], vec!["Ended".to_owned()]));
    // Copies of a request that was let in are answered again and pay nothing.
    bench.receive(&bye.text());
    assert_eq!(bench.words(), ["200"]);
}

#[test]
fn digits_come_no_faster_than_fingers_and_their_requests_are_answered() {
    let mut bench = Bench::new();
    let (_, tag) = bench.up();
    let info = Script::new("INFO").tagged(&tag).body_of("application/dtmf", "5");
    for n in 0..limits::SIP_IN_DIALOG_BURST {
        bench.receive(&info.clone().number(10 + n).text());
    }
    assert_eq!(bench.agent.counters().answered(200), 1 + u64::from(limits::SIP_IN_DIALOG_BURST));
    assert_eq!(bench.said(), vec!["Dtmf"; limits::DTMF_PER_SECOND as usize]);
    bench.pass(seconds(1));
    bench.receive(&info.number(500).text());
    assert_eq!(bench.said(), ["Dtmf"], "and the next second has its own");
}

/// One to four random changes to a message.
fn mutate(entropy: &mut Entropy, message: &[u8], other: &[u8]) -> Vec<u8> {
    const BITS: [&[u8]; 12] = [
        b"\r\n",
        b"\r\n\r\n",
        b";",
        b",",
        b"\"",
        b"<",
        b">",
        b"\0",
        b"%00",
        b"99999999999",
        b":",
        b"@",
    ];
    let mut bytes = message.to_vec();
    for _ in 0..=entropy.next_u32() % 4 {
        let mut below = |limit: usize| entropy.next_u32() as usize % limit.max(1);
        let (at, to) = (below(bytes.len()), below(other.len()));
        match below(7) {
            0 => bytes.truncate(at),
            1 => bytes.splice(at..at, BITS[below(BITS.len())].iter().copied()).for_each(drop),
            2 => bytes.splice(at.., other[to..].iter().copied()).for_each(drop),
            3 => {
                let end = (at + below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + below(40)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = entropy.next_u32() as u8;
                }
            }
        }
    }
    bytes
}

#[test]
fn a_hundred_thousand_mutated_messages_do_not_end_a_call() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    bench.command(Command::Reoffer { leg, sdp: b"hold".to_vec() });
    let reinvite = bench.one();
    let new = |method| Script::new(method).call_id("other").body(SDP);
    let in_dialog = |method| Script::new(method).number(50).tagged(&tag).body(SDP);
    // What belongs to the call comes from a stranger; the rest from the caller's own address.
    let from_caller: Vec<_> = [
        new("INVITE").header("Record-Route: <sip:192.0.2.50;lr>").text(),
        new("INVITE").header("Require: 100rel").header("Expires: 60").text(),
        new("CANCEL").text(),
        new("ACK").text(),
        new("OPTIONS").header("Accept: application/sdp").text(),
        new("BYE").tagged("nobody").text(),
        new("UPDATE").tagged("nobody").text(),
        new("REGISTER").text(),
    ]
    .into();
    let from_stranger: Vec<_> = [
        in_dialog("BYE").text(),
        in_dialog("INVITE").text(),
        in_dialog("UPDATE").text(),
        in_dialog("CANCEL").text(),
        in_dialog("INFO").body_of("application/dtmf-relay", "Signal=1").text(),
        in_dialog("ACK").text(),
        reply(&reinvite, 100, "caller", &[], ""),
        reply(&reinvite, 180, "caller", &["Contact: <sip:x@198.51.100.66>"], SDP),
    ]
    .into();
    let stranger = Flow::udp(us(), "198.51.100.66:5060".parse().unwrap());
    let stream = Flow::stream(Transport::Tcp, us(), stranger.peer, ConnectionId::Accepted(1));
    let mut entropy = Entropy::new([9; 32]);
    for n in 0..100_000_u32 {
        let mut below = |limit: usize| entropy.next_u32() as usize % limit;
        let (list, flow) = match below(2) {
            0 => (&from_caller, bench.flow),
            _ => (&from_stranger, stranger),
        };
        let (message, other) = (&list[below(list.len())], &from_caller[below(from_caller.len())]);
        let bytes = mutate(&mut entropy, message.as_bytes(), other.as_bytes());
        if n % 8 == 0 {
            bench.agent.handle(bench.now, Input::StreamOpened { flow: stream });
            let connection = ConnectionId::Accepted(1);
            bench.agent.handle(bench.now, Input::StreamBytes { connection, bytes: &bytes });
        } else if let Some(new) = feed(&mut bench, flow, &bytes)
            && n % 3 == 0
        {
            let reject =
                Command::Reject { leg: new, status: 486, retry_after_s: None, warning: None };
            bench.agent.handle(bench.now, Input::Command(reject));
        }
        if n % 1_000 == 0 {
            assert_bounded(bench.agent.occupancy());
            bench.drain();
            bench.sent.clear();
            bench.pass(ms(500));
        }
    }
    bench.drain();
    bench.sent.clear();
    let ended = bench
        .take_events()
        .into_iter()
        .find(|event| matches!(event, Event::Ended { leg: ended, .. } if *ended == leg));
    assert!(ended.is_none(), "{ended:?}");
    bench.receive(&Script::new("INFO").number(60).tagged(&tag).text());
    assert_eq!(bench.take().pop().unwrap().status(), 200, "the call is up");
    bench.receive(&Script::new("BYE").number(61).tagged(&tag).text());
    assert_eq!(bench.take().pop().unwrap().status(), 200);
    bench.pass(seconds(400));
    let used = bench.agent.occupancy();
    assert_eq!((used.legs, used.dialogs, used.transactions, used.connections), (0, 0, 0, 0));
}
