use super::checks::flood_check;
use super::routers::{Mapping, Router, Site, World, session};
use super::*;
use crate::base::handshake::{Candidate, CandidateKind, FullIce};

const S: Duration = Duration::from_secs(1);
const LEFT: &[&str] = &["10.0.0.5:4000"];
const RIGHT: &[&str] = &["192.168.7.9:5000"];
const PUBLIC: &[&str] = &["203.0.113.80:5000"];

fn behind(inside: &'static [&'static str], public: &'static str, mapping: Mapping) -> Site {
    Site { router: Router::new(public, mapping), ..Site::open(inside, Some(false)) }
}

fn left(mapping: Mapping) -> Site {
    Site { controls: Some(true), ..behind(LEFT, "198.51.100.10", mapping) }
}

fn secure(world: &mut World, within: Duration) -> Duration {
    let began = world.now;
    assert!(world.run(within, |world| world.is_secure()), "{:?}", world.ends().map(|e| e.route));
    let took = world.now - began;
    assert!(world.run(5 * S, |_| false) || world.agrees(), "both ways");
    took
}

#[test]
fn two_ends_behind_routers_find_each_other_by_what_a_server_sees() {
    let knows = |site: Site| Site { knows_outside: true, ..site };
    let sites = [knows(left(Mapping::Cone)), knows(behind(RIGHT, "203.0.113.7", Mapping::Cone))];
    let took = secure(&mut World::new(sites, 1), 5 * S);
    assert!(took < Duration::from_millis(1_500), "{took:?}");
}

/// A carrier in the open network never knows where we are but from our checks.
#[test]
fn an_end_behind_a_router_opens_it_towards_one_in_the_open() {
    for mapping in [Mapping::Cone, Mapping::Symmetric] {
        for controls in [true, false] {
            let left = Site { controls: Some(controls), ..left(mapping) };
            let sites = [left, Site::open(PUBLIC, Some(!controls))];
            let took = secure(&mut World::new(sites, 2), 5 * S);
            assert!(took < Duration::from_millis(500), "{took:?}");
        }
    }
}

#[test]
fn a_lite_end_is_found_from_behind_a_router_whichever_of_the_two_we_are() {
    secure(&mut World::new([left(Mapping::Symmetric), Site::open(PUBLIC, None)], 3), 5 * S);
    let right = Site { controls: Some(true), ..behind(RIGHT, "203.0.113.7", Mapping::Cone) };
    secure(&mut World::new([Site::open(PUBLIC, None), right], 3), 5 * S);
}

#[test]
fn two_routers_that_change_every_port_are_passed_by_a_relay_of_either_end_alone() {
    let right = || behind(RIGHT, "203.0.113.7", Mapping::Symmetric);
    for relayed in [0, 1] {
        let mut sites = [left(Mapping::Symmetric), right()];
        sites.iter_mut().for_each(|site| site.knows_outside = true);
        sites[relayed].has_relay = true;
        // The relay lets in only whom it was told of: that is the other router's address, by a server.
        let mut world = World::new(sites, 4);
        assert!(!world.run(2 * S, |world| world.is_secure()), "no way but a second relay's");
        let mut sites = [left(Mapping::Symmetric), right()];
        sites.iter_mut().for_each(|site| (site.knows_outside, site.has_relay) = (true, true));
        secure(&mut World::new(sites, 4), 10 * S);
    }
}

#[test]
fn both_ends_in_one_role_come_to_an_agreement() {
    for controls in [true, false] {
        for seed in 0..4 {
            let left = Site { controls: Some(controls), ..left(Mapping::Cone) };
            let mut world = World::new([left, Site::open(PUBLIC, Some(controls))], seed);
            secure(&mut world, 5 * S);
        }
    }
}

#[test]
fn a_lossy_network_is_passed() {
    let mut slowest = Duration::ZERO;
    for seed in 0..30 {
        let mut world =
            World::new([left(Mapping::Symmetric), Site::open(PUBLIC, Some(false))], seed);
        world.lost = 25;
        let began = world.now;
        assert!(world.run(limits::HANDSHAKE_TIME, |world| world.is_secure()), "seed {seed}");
        slowest = slowest.max(world.now - began);
        world.run(120 * S, |world| !world.is_open());
        assert!(world.is_open(), "seed {seed}: a quarter of the checks lost is no silence");
    }
    println!("the slowest of 30: {slowest:?}");
}

#[test]
fn a_restart_finds_another_way_under_the_same_keys_and_never_leaves_the_call_without_one() {
    let mut world = World::new([left(Mapping::Cone), Site::open(PUBLIC, Some(false))], 5);
    secure(&mut world, 5 * S);
    let keys = world.ends().map(|end| end.keys.clone().unwrap().tx);
    // The left end is in another network from here on.
    world.places[0].inside = vec![address("10.9.9.9:4000")];
    world.places[0].router = Router::new("198.51.100.77", Mapping::Symmetric);
    for end in [0, 1] {
        let host = |at| vec![Candidate::new(CandidateKind::Host, 65_535, 1, address(at))];
        let both = [host("10.9.9.9:4000"), host(PUBLIC[0])];
        let full = FullIce {
            is_controlling: end == 0,
            local: both[end].clone(),
            remote: both[1 - end].clone(),
        };
        let ice = Some(session(end, 1, Some(full)));
        let setup = if end == 0 { Setup::Active } else { Setup::Passive };
        let terms = Terms { ice, ..terms(end, setup, 1 - end) };
        let now = world.now;
        world.places[end].end.association.agree(now, terms, false);
    }
    world.collect();
    assert!(world.is_open(), "the old way counts meanwhile");
    let new = address("198.51.100.77:1").ip();
    assert!(world.run(5 * S, |world| world.ends()[1].route.to.is_some_and(|to| to.ip() == new)));
    assert!(world.agrees());
    assert_eq!(world.ends().map(|end| end.keys.clone().unwrap().tx), keys);
}

#[test]
fn another_way_is_taken_where_the_nominated_one_is_lost() {
    let two: &[&str] = &["203.0.113.80:5000", "203.0.113.81:5000"];
    for controls in [true, false] {
        let left = Site { controls: Some(controls), ..left(Mapping::Cone) };
        let mut world = World::new([left, Site::open(two, Some(!controls))], 6);
        secure(&mut world, 5 * S);
        let first = world.ends()[0].route.to.unwrap();
        world.cut.insert(first);
        let began = world.now;
        let other = |world: &World| world.ends()[0].route.to.is_some_and(|to| to != first);
        assert!(world.run(20 * S, other), "{controls}");
        println!("another way after {:?}", world.now - began);
        assert!(world.now - began < 15 * S);
    }
}

#[test]
fn a_router_that_is_switched_off_and_on_is_followed() {
    for controls in [true, false] {
        let left = Site { controls: Some(controls), ..left(Mapping::Cone) };
        let mut world = World::new([left, Site::open(PUBLIC, Some(!controls))], 7);
        secure(&mut world, 5 * S);
        let before = world.ends()[1].route.to.unwrap();
        world.places[0].router.as_mut().unwrap().forget();
        let moved = |world: &World| world.ends()[1].route.to.is_some_and(|to| to != before);
        let began = world.now;
        assert!(world.run(30 * S, moved), "{controls}");
        println!("followed after {:?}", world.now - began);
        assert!(world.now - began < 15 * S && world.agrees());
    }
}

#[test]
fn who_does_not_answer_for_thirty_seconds_is_sent_nothing() {
    let mut world = World::new([left(Mapping::Cone), Site::open(PUBLIC, Some(false))], 8);
    secure(&mut world, 5 * S);
    world.run(600 * S, |world| !world.is_open());
    assert!(world.is_open(), "ten minutes of answers");
    let sent = world.ends().map(|end| end.sent);
    assert!(sent.iter().all(|sent| *sent < 700), "{sent:?}");
    world.lost = 100;
    let silent = world.now;
    assert!(world.run(60 * S, |world| !world.is_open()));
    let closed = |world: &World| world.ends().iter().all(|end| end.route == Route::default());
    assert!(world.run(10 * S, closed));
    let after = world.now - silent;
    assert!(after >= 25 * S && after <= 2 * limits::ICE_CONSENT, "{after:?}");
    assert!(world.ends().iter().all(|end| end.fault.is_none()), "the call is not ended by that");
}

/// A candidate that comes after the descriptions.
#[test]
fn a_way_that_is_told_later_is_taken() {
    let mut world = World::new([left(Mapping::Cone), Site::open(&[], Some(false))], 9);
    world.places[1].inside = vec![address(PUBLIC[0])];
    assert!(!world.run(2 * S, |world| world.is_open()));
    let late = [Candidate::new(CandidateKind::Host, 65_535, 1, address(PUBLIC[0]))];
    let now = world.now;
    world.places[0].end.association.add_candidates(now, &late);
    world.collect();
    secure(&mut world, 5 * S);
}

fn full_end(remote: &[&str]) -> End {
    let host = |at: &str| Candidate::new(CandidateKind::Host, 65_535, 1, address(at));
    let full = FullIce {
        is_controlling: false,
        local: vec![host("192.0.2.1:4000")],
        remote: remote.iter().map(|at| host(at)).collect(),
    };
    let ice = IceTerms { full: Some(full), ..ice_terms(0) };
    let terms = Terms { ice: Some(ice), ..terms(0, Setup::Passive, 1) };
    End::new(Instant::now(), 0, terms)
}

#[test]
fn forged_checks_are_told_nothing_at_all_and_kept_nowhere() {
    let mut end = full_end(&["203.0.113.5:9"]);
    let now = Instant::now();
    let first = end.drain();
    assert_eq!(first.len(), 1, "one check");
    for n in 0..10_000_u32 {
        let from = SocketAddr::from(([203, 0, 113, (n % 200) as u8], 1_000 + (n % 50_000) as u16));
        let password = if n % 2 == 0 { "guessed" } else { "right-password-of-22-characters" };
        end.association.receive(now, from, &flood_check(password, n));
        assert!(end.drain().is_empty(), "no answer, no check");
    }
    assert_eq!(end.route, Route::default());
    // The peer itself, from everywhere.
    let mut checks = 0;
    for n in 0..2_000_u32 {
        let from = SocketAddr::from(([203, 0, 113, 5], 1_000 + n as u16));
        end.association.receive(now, from, &flood_check("left-password-of-22-characters", n));
        checks += end.drain().iter().filter(|(_, bytes)| bytes[..2] == [0, 1]).count();
    }
    assert!(checks <= 1, "{checks} checks in one moment");
    for second in 1..20 {
        end.association.timeout(now + S * second);
        checks += end.drain().len();
    }
    assert!(checks <= limits::ICE_PAIRS * limits::ICE_COPIES as usize, "{checks}");
}

#[test]
fn a_hundred_thousand_random_datagrams_change_nothing() {
    let mut world = World::new([left(Mapping::Cone), Site::open(PUBLIC, Some(false))], 10);
    let mut chance = Entropy::new([11; 32]);
    let mut samples = vec![flood_check("left-password-of-22-characters", 1)];
    for step in 0..100 {
        for _ in 0..1_000 {
            let mut bytes = samples[chance.next_u32() as usize % samples.len()].clone();
            match chance.next_u16() % 4 {
                0 => bytes.iter_mut().for_each(|byte| *byte = (chance.next_u16() >> 8) as u8),
                1 => bytes.truncate(chance.next_u16() as usize % (bytes.len() + 1)),
                _ => {
                    let at = chance.next_u16() as usize % bytes.len();
                    bytes[at] ^= 1 << (chance.next_u16() % 8);
                }
            }
            let from = match chance.next_u16() % 3 {
                0 => address(PUBLIC[0]),
                1 => address("198.51.100.10:40001"),
                _ => SocketAddr::from(([203, 0, 113, 66], 1 + (chance.next_u16() >> 2))),
            };
            let now = world.now;
            for place in &mut world.places {
                place.end.association.receive(now, from, &bytes);
            }
        }
        world.collect();
        world.run(MS * 50, |_| false);
        if step == 5 {
            samples.push(vec![0x01, 0x01, 0, 0]);
            samples.push(vec![0; 300]);
        }
    }
    world.run(5 * S, |world| world.is_secure());
    assert!(world.is_secure() && world.agrees());
}

/// The addresses are whatever an INVITE says, whose sender has shown nothing.
#[test]
fn who_has_shown_nothing_has_us_send_few_checks_and_fewer_to_one_address() {
    // With room for one more.
    const CANDIDATES: usize = limits::ICE_CANDIDATES - 1;
    let everywhere = |spread: bool| {
        let one = |n: usize| match spread {
            true => format!("203.0.113.{}:4000", 1 + n),
            false => format!("203.0.113.5:{}", 4_000 + n),
        };
        let all: Vec<String> = (0..CANDIDATES).map(one).collect();
        let mut end = full_end(&all.iter().map(String::as_str).collect::<Vec<_>>());
        let mut now = Instant::now();
        let mut sent = end.drain();
        // As long as a handshake may take, and longer.
        for _ in 0..4_000 {
            now += MS * 10;
            end.association.timeout(now);
            sent.extend(end.drain());
        }
        (end, now, sent)
    };
    let (_, _, sent) = everywhere(false);
    assert_eq!(sent.len(), limits::ICE_UNPROVEN_CHECKS_OF_ADDRESS);
    let bytes: usize = sent.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < 1_200, "{bytes} bytes are less than such an INVITE has");
    let (mut end, mut now, sent) = everywhere(true);
    assert_eq!(sent.len(), limits::ICE_UNPROVEN_CHECKS);
    let reached: std::collections::HashSet<_> = sent.iter().map(|(to, _)| *to).collect();
    assert_eq!(reached.len(), CANDIDATES, "each has one");
    // Its own check shows the password, and what it tells then is looked at.
    let peer = address("203.0.113.99:9");
    end.association.receive(now, peer, &flood_check("left-password-of-22-characters", 1));
    let more = Candidate::new(CandidateKind::Host, 65_535, 1, address("203.0.113.77:9"));
    end.association.add_candidates(now, &[more]);
    let mut more = end.drain();
    for _ in 0..100 {
        now += MS * 10;
        end.association.timeout(now);
        more.extend(end.drain());
    }
    let checks = |to: &str| more.iter().filter(|(at, b)| *at == address(to) && b[1] == 1).count();
    assert!(checks("203.0.113.99:9") > 0 && checks("203.0.113.77:9") > 0, "{}", more.len());
}

/// RFC 7675 section 5.1: anybody can send one in the peer's name.
#[test]
fn an_indication_is_no_consent() {
    let mut world = World::new([left(Mapping::Cone), Site::open(PUBLIC, Some(false))], 12);
    secure(&mut world, 5 * S);
    let mut indication = rtc_stun::message::Message::new();
    indication.set_type(rtc_stun::message::MessageType {
        method: rtc_stun::message::METHOD_BINDING,
        class: rtc_stun::message::CLASS_INDICATION,
    });
    indication.write_header();
    world.lost = 100;
    let silent = world.now;
    while world.is_open() && world.now - silent < 3 * limits::ICE_CONSENT {
        for end in [0, 1] {
            let now = world.now;
            let from = world.ends()[end].route.to;
            if let Some(from) = from {
                world.places[end].end.association.receive(now, from, &indication.raw);
            }
        }
        world.collect();
        world.run(S, |_| false);
    }
    assert!(!world.is_open());
    assert!(world.now - silent <= limits::ICE_CONSENT + 7 * S, "{:?}", world.now - silent);
}

#[test]
fn a_way_that_was_lost_for_longer_than_consent_lasts_is_found_again() {
    // One that makes no checks of its own.
    let mut world = World::new([left(Mapping::Cone), Site::open(PUBLIC, None)], 13);
    secure(&mut world, 5 * S);
    world.lost = 100;
    let closed = |world: &World| world.ends().iter().all(|end| end.route == Route::default());
    assert!(world.run(90 * S, closed), "{:?}", world.ends().map(|end| end.route));
    let sent = world.ends()[0].sent;
    world.run(20 * S, |_| false);
    assert!(world.ends()[0].sent - sent < 30, "no flood");
    world.lost = 0;
    let began = world.now;
    assert!(world.run(20 * S, World::is_open), "{:?}", world.ends().map(|end| end.route));
    println!("found again after {:?}", world.now - began);
    assert!(world.agrees());
    // And given up at last.
    world.lost = 100;
    world.run(limits::ICE_CONSENT + limits::ICE_RECOVERY + 60 * S, |_| false);
    let sent = world.ends()[0].sent;
    world.run(600 * S, |_| false);
    assert_eq!(world.ends()[0].sent, sent, "nothing is sent any more");
}
