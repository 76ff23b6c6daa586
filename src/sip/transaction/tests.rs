//! Each machine by itself: (input, what it wants done), and the table's limits.

use std::time::Instant;

use super::table::Received;
use super::*;
use crate::sip::message::{Carriage, Message, Request, parse, response_to};
use crate::sip::transport::{ConnectionId, Flow, Transport, Way};
use client::Client;
use invite_client::InviteClient;
use invite_server::InviteServer;
use server::Server;

/// What a machine wants, in short words: `>x` transmits `x`, `+A500` arms A in 500 ms, `-A` disarms.
fn words(effects: &mut Vec<Effect>) -> String {
    let word = |effect: Effect| match effect {
        Effect::Transmit(bytes) => format!(">{}", String::from_utf8(bytes).unwrap()),
        Effect::Arm(timer, after) => format!("+{timer:?}{}", after.as_millis()),
        Effect::Disarm(timer) => format!("-{timer:?}"),
        other => format!("{other:?}"),
    };
    std::mem::take(effects).into_iter().map(word).collect::<Vec<_>>().join(" ")
}

fn state_of(machine: &impl std::fmt::Debug) -> String {
    let text = format!("{machine:?}");
    text.split([' ', '{']).next().unwrap().to_owned()
}

#[test]
fn invite_client() {
    use invite_client::Input::*;
    let ack = || Failure { ack: b"ack".to_vec() };
    let timers = |list: &[super::Timer]| list.iter().map(|t| Timer(*t)).collect::<Vec<_>>();
    // (reliable, inputs before, input, effects, state after)
    let a = super::Timer::A;
    let cases = vec![
        (false, vec![], Timer(a), ">inv +A1000", "Calling"),
        (false, timers(&[a]), Timer(a), ">inv +A2000", "Calling"),
        (false, timers(&[a, a, a, a]), Timer(a), ">inv +A16000", "Calling"),
        (false, vec![], Timer(super::Timer::B), "TimedOut Terminated", "Terminated"),
        (false, vec![], TransportError, "Unreachable Terminated", "Terminated"),
        (false, vec![], Provisional, "-A -B Deliver", "Proceeding"),
        (false, vec![Provisional], Provisional, "-A -B Deliver", "Proceeding"),
        (false, vec![Provisional], Timer(a), "", "Proceeding"),
        (false, vec![Provisional], TransportError, "Unreachable Terminated", "Terminated"),
        (false, vec![], Success, "-A -B +M32000 Deliver", "Accepted"),
        (true, vec![Provisional], Success, "-A -B +M32000 Deliver", "Accepted"),
        (false, vec![Success], Success, "Deliver", "Accepted"),
        (false, vec![Success], Provisional, "", "Accepted"),
        (false, vec![Success], ack(), "", "Accepted"),
        (false, vec![Success], TransportError, "", "Accepted"),
        (false, vec![Success], Timer(super::Timer::M), "Terminated", "Terminated"),
        (false, vec![], ack(), "-A -B >ack Deliver +D32000", "Completed"),
        (true, vec![], ack(), "-A -B >ack Deliver Terminated", "Terminated"),
        (false, vec![ack()], ack(), ">ack", "Completed"),
        (false, vec![ack()], Provisional, "", "Completed"),
        (false, vec![ack()], Success, "", "Completed"),
        (false, vec![ack()], TransportError, "Unreachable Terminated", "Terminated"),
        (false, vec![ack()], Timer(super::Timer::D), "Terminated", "Terminated"),
        (true, vec![ack()], Success, "", "Terminated"),
    ];
    for (reliable, before, input, expected, state) in cases {
        let what = format!("{before:?} {input:?}");
        let mut effects = Vec::new();
        let mut machine = InviteClient::start(b"inv".to_vec(), reliable, &mut effects);
        let start = if reliable { ">inv +B32000" } else { ">inv +B32000 +A500" };
        assert_eq!(words(&mut effects), start);
        for input in before {
            machine.handle(input, reliable, &mut effects);
        }
        effects.clear();
        machine.handle(input, reliable, &mut effects);
        assert_eq!(words(&mut effects), expected, "{what}");
        assert_eq!(state_of(&machine), state, "{what}");
    }
}

#[test]
fn invite_server() {
    use invite_server::Input::*;
    let respond = |class, text: &str| Respond(class, text.as_bytes().to_vec());
    let ringing = || respond(Class::Provisional, "180");
    let ok = || respond(Class::Success, "200");
    let busy = || respond(Class::Failure, "486");
    let cases = vec![
        (false, vec![], Retransmission, "", "Proceeding"),
        (false, vec![], ringing(), ">180", "Proceeding"),
        (false, vec![ringing()], Retransmission, ">180", "Proceeding"),
        (false, vec![ringing()], Ack, "", "Proceeding"),
        (false, vec![], TransportError, "Unreachable Terminated", "Terminated"),
        (false, vec![], ok(), ">200 +L32000", "Accepted"),
        (true, vec![], ok(), ">200 +L32000", "Accepted"),
        (false, vec![ok()], Retransmission, "", "Accepted"),
        (false, vec![ok()], Ack, "Deliver", "Accepted"),
        (false, vec![ok()], ok(), ">200", "Accepted"),
        (false, vec![ok()], busy(), "", "Accepted"),
        (false, vec![ok()], TransportError, "", "Accepted"),
        (false, vec![ok()], Timer(super::Timer::L), "Terminated", "Terminated"),
        (false, vec![], busy(), ">486 +H32000 +G500", "Completed"),
        (true, vec![], busy(), ">486 +H32000", "Completed"),
        (false, vec![busy()], Retransmission, ">486", "Completed"),
        (false, vec![busy()], Timer(super::Timer::G), ">486 +G1000", "Completed"),
        (false, vec![busy()], ok(), "", "Completed"),
        (false, vec![busy()], Timer(super::Timer::H), "TimedOut Terminated", "Terminated"),
        (false, vec![busy()], TransportError, "Unreachable Terminated", "Terminated"),
        (false, vec![busy()], Ack, "-G -H +I5000", "Confirmed"),
        (true, vec![busy()], Ack, "-G -H Terminated", "Terminated"),
        (false, vec![busy(), Ack], Ack, "", "Confirmed"),
        (false, vec![busy(), Ack], Retransmission, "", "Confirmed"),
        (false, vec![busy(), Ack], TransportError, "", "Confirmed"),
        (false, vec![busy(), Ack], Timer(super::Timer::I), "Terminated", "Terminated"),
    ];
    for (reliable, before, input, expected, state) in cases {
        let what = format!("{before:?} {input:?}");
        let (mut machine, mut effects) = (InviteServer::start(), Vec::new());
        for input in before {
            machine.handle(input, reliable, &mut effects);
        }
        effects.clear();
        machine.handle(input, reliable, &mut effects);
        assert_eq!(words(&mut effects), expected, "{what}");
        assert_eq!(state_of(&machine), state, "{what}");
    }
    let (mut machine, mut effects) = (InviteServer::start(), Vec::new());
    machine.handle(busy(), false, &mut effects);
    for expected in [1000, 2000, 4000, 4000] {
        effects.clear();
        machine.handle(Timer(super::Timer::G), false, &mut effects);
        assert_eq!(words(&mut effects), format!(">486 +G{expected}"), "doubles to T2");
    }
}

#[test]
fn non_invite_client() {
    use client::Input::*;
    let e = || Timer(super::Timer::E);
    let (trying, ok, no) = (Class::Provisional, Class::Success, Class::Failure);
    let cases = vec![
        (false, vec![], e(), ">bye +E1000", "Trying"),
        (false, vec![e(), e()], e(), ">bye +E4000", "Trying"),
        (false, vec![e(), e(), e()], e(), ">bye +E4000", "Trying"),
        (false, vec![], Response(trying), "Deliver", "Proceeding"),
        (false, vec![Response(trying)], e(), ">bye +E4000", "Proceeding"),
        (false, vec![], Timer(super::Timer::F), "TimedOut Terminated", "Terminated"),
        (
            false,
            vec![Response(trying)],
            Timer(super::Timer::F),
            "TimedOut Terminated",
            "Terminated",
        ),
        (false, vec![], TransportError, "Unreachable Terminated", "Terminated"),
        (false, vec![], Response(ok), "-E -F Deliver +K5000", "Completed"),
        (false, vec![Response(trying)], Response(no), "-E -F Deliver +K5000", "Completed"),
        (true, vec![], Response(ok), "-E -F Deliver Terminated", "Terminated"),
        (false, vec![Response(ok)], Response(ok), "", "Completed"),
        (false, vec![Response(ok)], TransportError, "", "Completed"),
        (false, vec![Response(ok)], Timer(super::Timer::K), "Terminated", "Terminated"),
    ];
    for (reliable, before, input, expected, state) in cases {
        let what = format!("{before:?} {input:?}");
        let mut effects = Vec::new();
        let mut machine = Client::start(b"bye".to_vec(), reliable, &mut effects);
        let start = if reliable { ">bye +F32000" } else { ">bye +F32000 +E500" };
        assert_eq!(words(&mut effects), start);
        for input in before {
            machine.handle(input, reliable, &mut effects);
        }
        effects.clear();
        machine.handle(input, reliable, &mut effects);
        assert_eq!(words(&mut effects), expected, "{what}");
        assert_eq!(state_of(&machine), state, "{what}");
    }
}

#[test]
fn non_invite_server() {
    use server::Input::*;
    let trying = || Respond(Class::Provisional, b"100".to_vec());
    let ok = || Respond(Class::Success, b"200".to_vec());
    let cases = vec![
        (false, vec![], Retransmission, "", "Trying"),
        (false, vec![], trying(), ">100", "Proceeding"),
        (false, vec![trying()], Retransmission, ">100", "Proceeding"),
        (false, vec![trying()], ok(), ">200 +J32000", "Completed"),
        (false, vec![], ok(), ">200 +J32000", "Completed"),
        (true, vec![], ok(), ">200 Terminated", "Terminated"),
        (false, vec![ok()], Retransmission, ">200", "Completed"),
        (false, vec![ok()], ok(), "", "Completed"),
        (false, vec![ok()], Timer(super::Timer::J), "Terminated", "Terminated"),
        (false, vec![ok()], TransportError, "Unreachable Terminated", "Terminated"),
        (false, vec![], TransportError, "Unreachable Terminated", "Terminated"),
    ];
    for (reliable, before, input, expected, state) in cases {
        let what = format!("{before:?} {input:?}");
        let (mut machine, mut effects) = (Server::start(), Vec::new());
        for input in before {
            machine.handle(input, reliable, &mut effects);
        }
        effects.clear();
        machine.handle(input, reliable, &mut effects);
        assert_eq!(words(&mut effects), expected, "{what}");
        assert_eq!(state_of(&machine), state, "{what}");
    }
}

fn request(method: &str, branch: &str, number: u32) -> Request {
    let text = format!(
        "{method} sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch={branch}\r\n\
         From: <sip:b@192.0.2.7>;tag=f\r\nTo: <sip:a@192.0.2.1>\r\nCall-ID: c{number}\r\n\
         CSeq: {number} {method}\r\n\r\n"
    );
    match parse(text.as_bytes(), Carriage::Datagram).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => unreachable!(),
    }
}

fn way() -> Way {
    let address = |n, port| std::net::SocketAddr::from(([192, 0, 2, n], port));
    Way::to_peer(Flow::udp(address(1, 5060), address(7, 5060)))
}

#[test]
fn requests_find_their_transaction() {
    let now = Instant::now();
    let mut table = TransactionTable::default();
    let invite = request("INVITE", "z9hG4bK1", 1);
    let id = table.accept(&invite, way()).unwrap();
    for (again, expected) in [
        (request("INVITE", "z9hG4bK1", 1), Received::Absorbed(id)),
        (request("ACK", "z9hG4bK1", 1), Received::Absorbed(id)),
        (request("CANCEL", "z9hG4bK1", 1), Received::Unknown),
        (request("INVITE", "z9hG4bK2", 1), Received::Unknown),
        (request("BYE", "z9hG4bK1", 1), Received::Unknown),
    ] {
        assert_eq!(table.received(now, &again), expected, "{again:?}");
    }
    assert_eq!(table.cancelled(&request("CANCEL", "z9hG4bK1", 1)), Some((id, true)));
    assert_eq!(table.merged(&request("INVITE", "z9hG4bK2", 1)), Some(id));
    table.respond(now, id, &response_to(&invite, 200, Some("t")));
    assert_eq!(table.cancelled(&request("CANCEL", "z9hG4bK1", 1)), Some((id, false)));
    assert_eq!(table.received(now, &request("ACK", "z9hG4bK1", 1)), Received::AckOfSuccess);
}

#[test]
fn a_branch_without_substance_is_matched_the_old_way() {
    let now = Instant::now();
    let mut table = TransactionTable::default();
    let id = table.accept(&request("OPTIONS", "z9hG4bK", 1), way()).unwrap();
    assert_eq!(table.received(now, &request("OPTIONS", "z9hG4bK", 1)), Received::Absorbed(id));
    assert_eq!(table.received(now, &request("OPTIONS", "z9hG4bK", 2)), Received::Unknown);
    assert!(table.accept(&request("OPTIONS", "z9hG4bK", 2), way()).is_some());
}

#[test]
fn a_full_table_takes_no_new_call_and_then_nothing() {
    let now = Instant::now();
    let mut table = TransactionTable::new(8);
    for n in 0..8 {
        assert_eq!(table.has_room_for_new(), n < 6, "{n}");
        let invite = request("INVITE", &format!("z9hG4bK{n}"), n);
        let id = table.accept(&invite, way()).unwrap();
        table.respond(now, id, &response_to(&invite, 486, Some("t")));
    }
    assert!(!table.has_room());
    assert!(table.accept(&request("INVITE", "z9hG4bKx", 9), way()).is_none());
    assert!(table.send(now, request("BYE", "z9hG4bKy", 9), way()).is_none());
    assert!(table.bytes() > 8 * 100, "{}", table.bytes());
    table.run_due(now + GIVE_UP);
    assert_eq!((table.len(), table.bytes()), (0, 0), "nothing is left behind");
    assert!(table.next_deadline().is_none());
    assert!(table.merged(&request("INVITE", "z9hG4bKx", 1)).is_none());
    let ended = std::iter::from_fn(|| table.poll());
    assert_eq!(ended.filter(|report| matches!(report, Report::Terminated(_))).count(), 8);
}

#[test]
fn a_lost_connection_is_told_to_who_asked_over_it() {
    let now = Instant::now();
    let mut table = TransactionTable::default();
    let flow = Flow { transport: Transport::Tcp, ..way().flow };
    let asked = table.send(now, request("BYE", "z9hG4bKours", 1), Way::to_peer(flow)).unwrap();
    let other = table.send(now, request("BYE", "z9hG4bKother", 2), Way::to_peer(flow)).unwrap();
    table.sent_over(asked, ConnectionId::Dialled(1));
    table.sent_over(other, ConnectionId::Dialled(2));
    table.lost(now, ConnectionId::Dialled(1));
    let reports: Vec<_> = std::iter::from_fn(|| table.poll()).collect();
    assert!(reports.contains(&Report::Unreachable(asked)));
    assert!(!reports.contains(&Report::Unreachable(other)));
}
