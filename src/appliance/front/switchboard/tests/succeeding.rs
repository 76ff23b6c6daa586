//! Who is called for a REFER, and what takes the place of which leg.

use super::*;
use crate::base::{Private, limits};
use crate::converse::people::{Address, Hours, People, Person, Way};
use crate::trunk::Referrals;

impl Desk {
    /// The owner has named one person, and lets callers have people called.
    fn knows(&mut self, address: &str, hours: Option<Hours>) {
        let person = Person {
            name: "Anna".to_owned(),
            phrases: Vec::new(),
            address: Address::Uri(Private::new(address.to_owned())),
            hours,
            way: Way::Bridge,
            then: None,
            ring: Duration::from_secs(30),
        };
        let people = People::new(vec![person]);
        let playbook = crate::converse::Playbook::logistics().with_people(people).unwrap();
        self.switchboard.parts.call.tongues = call::language::Tongues::only(playbook);
        self.switchboard.parts.referrals = Referrals::People;
    }
}

/// A call that is up, and the answer to a REFER in it with this address.
async fn refers(desk: &mut Desk, to: &str) -> (String, String) {
    let ok = desk.calls("one").await;
    let refer = desk.request("REFER", "one", 2, &tag(&ok));
    desk.sends(&with(&refer, &format!("Refer-To: <{to}>")));
    let answer = desk.gets().await;
    (ok, answer)
}

#[tokio::test]
async fn nobody_is_called_for_a_caller_whom_the_owner_has_not_allowed_that() {
    let always = None;
    // Whatever day it is.
    let is_early =
        Hours::parse("Mon-Wed 00:00-24:00").unwrap().has(crate::appliance::clock::week_minute());
    let never = Hours::parse(if is_early { "Fri 08:00-09:00" } else { "Tue 08:00-09:00" });
    assert!(never.is_some());
    for (referrals, to, hours, status) in [
        (Referrals::Refuse, "sip:202@127.0.0.1", &always, "603"),
        (Referrals::People, "sip:203@127.0.0.1", &always, "403"),
        (Referrals::People, "sip:202@192.0.2.77", &always, "403"),
        (Referrals::People, "sip:+4990012345@127.0.0.1", &always, "403"),
        (Referrals::People, "sip:112@127.0.0.1", &always, "403"),
        (Referrals::People, "sip:202@127.0.0.1;maddr=192.0.2.77", &always, "403"),
        (Referrals::People, "sip:202@127.0.0.1", &never, "403"),
    ] {
        let mut desk = Desk::ready().await;
        desk.knows("sip:202@127.0.0.1", hours.clone());
        desk.switchboard.parts.referrals = referrals;
        let (_, answer) = refers(&mut desk, to).await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status}")), "{to}: {answer}");
        assert_eq!(desk.switchboard.legs.len(), 1, "no leg is remembered");
    }
}

#[tokio::test]
async fn a_caller_who_names_people_again_and_again_is_refused_in_the_end() {
    let mut desk = Desk::ready().await;
    desk.knows("sip:202@127.0.0.1", None);
    let ok = desk.calls("one").await;
    for number in 0..=limits::TRANSFERS_PER_CALL {
        let refer = desk.request("REFER", "one", number + 2, &tag(&ok));
        let refer = refer.replace("z9hG4bKoneREFER", &format!("z9hG4bKrefer{number}"));
        desk.sends(&with(&refer, "Refer-To: <sip:203@127.0.0.1>"));
        let status = if number < limits::TRANSFERS_PER_CALL { "403" } else { "603" };
        let answer = desk.gets().await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status}")), "{number}: {answer}");
    }
}

#[tokio::test]
async fn a_call_to_a_person_is_sent_on_to_people_only_and_to_no_number_at_the_same_host() {
    let mut desk = Desk::ready().await;
    desk.knows("sip:202@127.0.0.1", None);
    desk.calls("one").await;
    for (to, is_called) in [
        ("sip:202@127.0.0.1", true),
        ("sip:202@127.0.0.1:5999;transport=tcp", true),
        ("sip:202@127.0.0.1;maddr=192.0.2.77", false),
        ("sip:203@127.0.0.1", false),
        ("sip:anna@127.0.0.1", false),
        ("sip:0900123@127.0.0.1", false),
        ("sip:112@127.0.0.1", false),
    ] {
        let invite = desk.switchboard.redirected(CallId(1), &Private::new(to.to_owned()));
        let target = invite.map(|invite| invite.target.into_revealed());
        assert_eq!(target.as_deref(), is_called.then_some("sip:202@127.0.0.1"), "{to}");
    }
}

#[tokio::test]
async fn a_leg_that_was_succeeded_is_not_replaced_any_more() {
    let mut desk = Desk::ready().await;
    let ok = desk.calls("one").await;
    let replaces = format!("Replaces: one;to-{};from-tag=ofone", &tag(&ok)[1..]);
    desk.sends(&with(&desk.invite("two"), &replaces));
    let taken = desk.gets().await;
    assert!(taken.starts_with("SIP/2.0 200"), "{taken}");
    desk.sends(&desk.request("ACK", "two", 1, &tag(&taken)));
    // Its BYE is still on the way.
    desk.sends(&with(&desk.invite("three"), &replaces));
    let bye = desk.gets().await;
    assert!(bye.starts_with("BYE") && bye.contains("Call-ID: one\r\n"), "{bye}");
    let refused = desk.gets().await;
    assert!(refused.starts_with("SIP/2.0 603"), "{refused}");
    desk.sends(&ok_to(&bye));
    assert_eq!(desk.switchboard.legs.len(), 1, "the call's own");
    assert_eq!(desk.switchboard.calls(), 1);
    // The switchboard's own answer, whatever the user agent knows.
    let before = *desk.switchboard.legs.keys().next().unwrap();
    assert!(desk.switchboard.call_of(before).is_some());
    assert!(desk.switchboard.call_of(LegId(before.0 + 1_000)).is_none());
}

#[tokio::test]
async fn a_person_whom_the_caller_names_takes_over_the_call() {
    let mut desk = Desk::ready().await;
    let phone = desk.flow.peer;
    desk.knows(&format!("sip:202@{phone}"), None);
    let (ok, answer) =
        refers(&mut desk, &format!("sip:202@{phone}?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2")).await;
    assert!(answer.starts_with("SIP/2.0 202"), "{answer}");
    let notify = desk.gets().await;
    assert!(notify.starts_with("NOTIFY") && notify.contains("SIP/2.0 100"), "{notify}");
    desk.sends(&ok_to(&notify));
    let invite = desk.gets().await;
    assert!(invite.starts_with(&format!("INVITE sip:202@{phone} SIP/2.0")), "{invite}");
    assert!(invite.contains("Replaces: x;to-tag=1;from-tag=2\r\n"), "{invite}");
    let body = invite.split_once("\r\n\r\n").unwrap().1;
    let answered = ok_to(&invite).replace("\nTo: ", &format!("\nContact: <sip:202@{phone}>\nTo: "));
    let to = answered.lines().find(|line| line.starts_with("To:")).unwrap().to_owned();
    let answered = answered.replace(&to, &format!("{to};tag=callee")).replace(
        "Content-Length: 0\n\n",
        &format!("Content-Type: application/sdp\nContent-Length: {}\n\n", body.len()),
    );
    let bytes = answered.replace('\n', "\r\n") + body;
    desk.now += Duration::from_millis(1);
    let arrival = Arrival::Datagram { flow: desk.flow, bytes: bytes.into_bytes() };
    desk.switchboard.arrival(desk.now, arrival);
    desk.play();
    assert!(desk.gets().await.starts_with("ACK"));
    let notify = desk.gets().await;
    assert!(notify.starts_with("NOTIFY") && notify.contains("SIP/2.0 200"), "{notify}");
    assert!(notify.contains("Subscription-State: terminated"), "{notify}");
    desk.sends(&ok_to(&notify));
    desk.sends(&desk.request("BYE", "one", 3, &tag(&ok)));
    assert!(desk.gets().await.starts_with("SIP/2.0 200"));
    assert_eq!(desk.switchboard.calls(), 1, "it goes on with whom was called");
}
