//! Peers by WebRTC that fall silent, come back, have IPv6 alone, or follow their calls: a light one, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::time::{Duration, Instant};

use support::appliance::{Appliance, Setup};
use support::http::Stream;
use support::visitor::{Manner, Visitor, own_address};
use support::wait;

const CONNECT: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);

/// Connected, and greeted.
fn greeted(appliance: &Appliance, manner: Manner) -> Visitor {
    let mut visitor = Visitor::call(appliance.web, 1, manner).expect("the call is taken");
    assert!(visitor.until(CONNECT, |visitor| visitor.loud > 10), "{visitor:?}");
    visitor
}

#[test]
fn a_peer_that_falls_silent_is_let_go_with_a_reason_that_its_page_is_told() {
    let appliance = Setup::default().start();
    let visitor = greeted(&appliance, Manner::default());
    let mut events = Stream::open(appliance.web, &format!("{}/events", visitor.place), "");
    let silent = Instant::now();
    // Its sound never came, so that the time runs from the call's begin.
    let ended =
        wait::until("the call ends", MINUTE, || appliance.record(|call| call["state"] == "ended"));
    println!("after {:?}: {}", silent.elapsed(), ended["ending"]);
    let told =
        std::iter::from_fn(|| Some(events.next())).find(|event| event["state"] == "ended").unwrap();
    assert_eq!(told["ending"]["cause"], ended["ending"]["cause"]);
    assert_eq!(told["ending"]["cause"], "media-timeout");
    assert!(events.is_over(), "the stream ends with the call");
    assert_eq!(visitor.asks("DELETE"), 404);
}

#[test]
fn a_peer_that_was_away_is_found_again_by_our_checks_alone() {
    let appliance = Setup::default().start();
    let mut visitor = greeted(&appliance, Manner::default());
    visitor.away(Duration::from_secs(10));
    // It asks nothing by itself any more.
    visitor.is_checking = false;
    let before = visitor.packets;
    assert!(visitor.until(CONNECT, |visitor| visitor.packets > before + 50), "{visitor:?}");
    // And where it is at another port, as behind a router that was switched off and on, by its own.
    visitor.is_checking = true;
    visitor.move_away();
    let before = visitor.packets;
    assert!(visitor.until(2 * CONNECT, |visitor| visitor.packets > before + 50), "{visitor:?}");
    assert_eq!((visitor.forged, visitor.asks("DELETE")), (0, 200));
    assert!(visitor.until(CONNECT, |visitor| visitor.is_closed), "told of the end");
}

#[test]
fn a_peer_that_has_ipv6_alone_is_greeted() {
    if own_address(true).is_none() {
        println!("LEFT OUT: this machine has no IPv6");
        return;
    }
    let appliance = Setup::default().start();
    for is_client in [true, false] {
        let visitor = greeted(&appliance, Manner { is_client, is_ipv6: true });
        assert!(visitor.validated.unwrap().is_ipv6());
        assert_eq!(visitor.asks("DELETE"), 200);
    }
}
