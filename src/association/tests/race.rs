//! The "hello race": strangers say hello to every port, before the peer can.

use super::routers::{Mapping, Router, Site, World};
use super::*;

/// A ClientHello of somebody else, as the attack's tools send it, with TLS_NULL_WITH_NULL_NULL.
fn hello(random: u8) -> Vec<u8> {
    let body = [&[0xFE, 0xFD][..], &[random; 32], &[0, 0, 0, 2, 0, 0, 1, 0]].concat();
    let length = (body.len() as u32).to_be_bytes();
    let content = [&[1][..], &length[1..], &[0, 0, 0, 0, 0], &length[1..], &body].concat();
    let head = [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0];
    [&head[..], &(content.len() as u16).to_be_bytes(), &content].concat()
}

fn site(inside: &'static [&'static str], public: &'static str, controls: Option<bool>) -> Site {
    Site { router: Router::new(public, Mapping::Cone), ..Site::open(inside, controls) }
}

#[test]
fn two_hundred_of_two_hundred_set_ups_connect_under_a_spray_of_hellos() {
    let public: &[&str] = &["203.0.113.80:5000"];
    let mut slowest = Duration::ZERO;
    for round in 0..200_u16 {
        let ours = match round % 3 {
            0 => Site::open(public, None),
            1 => Site::open(public, Some(false)),
            _ => Site::open(public, Some(true)),
        };
        let is_controlling = round % 3 != 2;
        let theirs = site(&["10.0.0.5:4000"], "198.51.100.10", Some(is_controlling));
        // Both ends begin the handshake by turns.
        let sites = if round % 2 == 0 { [theirs, ours] } else { [ours, theirs] };
        let mut world = World::new(sites, round as u8);
        let mut chance = Entropy::new([round as u8; 32]);
        let began = world.now;
        // A thousand a second, from everywhere and in everybody's name.
        let is_over = |world: &World| world.is_secure();
        while !world.run(MS, is_over) && world.now - began < limits::HANDSHAKE_TIME {
            let from = match chance.next_u16() % 4 {
                0 => address("198.51.100.10:40001"),
                1 => address(public[0]),
                _ => SocketAddr::from(([203, 0, 113, 66], 1 + (chance.next_u16() >> 1))),
            };
            let now = world.now;
            for place in &mut world.places {
                place.end.association.receive(now, from, &hello(chance.next_u16() as u8));
            }
            world.collect();
        }
        assert!(world.is_secure(), "round {round}: {:?}", world.ends().map(|end| end.fault));
        slowest = slowest.max(world.now - began);
    }
    println!("the slowest of 200: {slowest:?}");
    assert!(slowest < MS * 700, "{slowest:?}");
}

/// Without ICE nothing tells the peer's hello from one in its name: before its own, between its two, always.
#[test]
fn hellos_in_the_peers_name_cost_no_call_without_ice() {
    for client in [0, 1] {
        for seed in 0..20 {
            let setup = |end| if end == client { Setup::Active } else { Setup::Passive };
            let both = [terms(0, setup(0), 1), terms(1, setup(1), 0)];
            let mut net = Net::new(both, Weather::default(), seed);
            let began = net.now;
            let server = 1 - client;
            while !net.is_secure() && net.now - began < Duration::from_secs(3) {
                let now = net.now;
                for n in 0..3 {
                    let from = address(ADDRESSES[client]);
                    net.ends[server].association.receive(now, from, &hello(seed + n));
                }
                net.collect();
                net.run(MS);
            }
            assert!(net.is_secure(), "client {client}, seed {seed}");
            assert!(net.now - began <= MS * 100, "{:?}", net.now - began);
        }
    }
}

/// Records that claim to be encrypted, which only the library can tell from the peer's.
#[test]
fn forged_encrypted_records_take_nothing_from_the_peer() {
    let forged = |number: u16| {
        let number = number.to_be_bytes();
        let head = [22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 9, number[0], number[1], 0, 40];
        [&head[..], &[7; 40]].concat()
    };
    for client in [0, 1] {
        let setup = |end| if end == client { Setup::Active } else { Setup::Passive };
        let both = [terms(0, setup(0), 1), terms(1, setup(1), 0)];
        let mut net = Net::new(both, Weather::default(), 21);
        let server = 1 - client;
        while net.ends[server].keys.is_none() {
            net.run(MS * 10);
        }
        // Its last flight is lost, and meanwhile somebody writes to it in the client's name.
        net.flying.clear();
        let now = net.now;
        let from = address(ADDRESSES[client]);
        for n in 0..2_000 {
            net.ends[server].association.receive(now, from, &forged(n));
        }
        assert!(net.ends[server].drain().is_empty(), "none is answered");
        net.run(Duration::from_secs(3));
        assert!(net.is_secure(), "client {client}");
    }
}
