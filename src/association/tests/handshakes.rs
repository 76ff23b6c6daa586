use super::*;

fn pair(client: usize, weather: Weather, seed: u8) -> Net {
    let setup = |end| if end == client { Setup::Active } else { Setup::Passive };
    Net::new([terms(0, setup(0), 1), terms(1, setup(1), 0)], weather, seed)
}

#[test]
fn both_ends_have_the_same_keys_whoever_begins() {
    for client in [0, 1] {
        let mut net = pair(client, Weather::default(), 1);
        let began = net.now;
        net.run(Duration::from_secs(5));
        assert!(net.is_secure(), "{client}");
        let took = net.now - began;
        assert!(took <= MS * 80, "four flights and two of a cookie at 10 ms each: {took:?}");
        assert_eq!(net.ends[0].keys.as_ref().unwrap().suite, crate::base::SrtpSuite::AeadAes128Gcm);
    }
}

#[test]
fn it_comes_to_an_end_under_loss_repetition_and_disorder() {
    let weather = Weather { lost: 20, repeated: 20, late: 30 };
    let mut slowest = Duration::ZERO;
    for seed in 0..30 {
        let mut net = pair(usize::from(seed) % 2, weather, seed);
        let began = net.now;
        net.run(limits::HANDSHAKE_TIME);
        assert!(net.is_secure(), "seed {seed}: {:?}", [net.ends[0].fault, net.ends[1].fault]);
        slowest = slowest.max(net.now - began);
    }
    println!("the slowest of 30: {slowest:?}");
    assert!(slowest < Duration::from_secs(8), "{slowest:?}");
}

#[test]
fn who_shows_another_certificate_gets_no_keys_and_the_other_end_none_either() {
    for client in [0, 1] {
        let setup = |end| if end == client { Setup::Active } else { Setup::Passive };
        // End 0 expects that of a third one.
        let both = [terms(0, setup(0), 2), terms(1, setup(1), 0)];
        let mut net = Net::new(both, Weather::default(), 3);
        net.run(Duration::from_secs(20));
        assert_eq!(net.ends[0].fault, Some(Fault::Refused), "{client}");
        assert!(net.ends[0].keys.is_none() && net.ends[1].keys.is_none());
    }
}

#[test]
fn nothing_and_half_of_it_end_in_time_with_a_cause() {
    let alone =
        Net::new([terms(0, Setup::Passive, 1), terms(1, Setup::Passive, 0)], Weather::default(), 4);
    for (mut net, fault) in [
        (alone, Fault::Silent),
        (pair(0, Weather { lost: 100, ..Weather::default() }, 5), Fault::Silent),
    ] {
        let began = net.now;
        net.run(Duration::from_secs(60));
        assert_eq!(net.ends.each_ref().map(|end| end.fault), [Some(fault); 2]);
        assert_eq!(net.now - began, limits::HANDSHAKE_TIME);
        let sent = net.ends[0].sent;
        assert!(sent < 40, "{sent} datagrams to nobody");
    }
}

#[test]
fn the_last_flight_is_said_again_to_who_did_not_hear_it() {
    for client in [0, 1] {
        let mut net = pair(client, Weather::default(), 6);
        let server = 1 - client;
        // The server is done; its last flight is lost.
        while net.ends[server].keys.is_none() {
            net.run(MS * 10);
        }
        net.flying.clear();
        assert!(net.ends[client].keys.is_none());
        net.run(Duration::from_secs(3));
        assert!(net.is_secure());
    }
}

#[test]
fn other_terms_of_the_same_association_change_nothing_and_another_one_begins_anew() {
    let mut net = pair(0, Weather::default(), 7);
    net.run(Duration::from_secs(5));
    let before = net.ends[0].keys.take().unwrap();
    let now = net.now;
    net.ends[0].association.agree(now, terms(0, Setup::Active, 1), false);
    assert!(net.ends[0].drain().is_empty());
    net.ends[1].keys = None;
    net.ends[1].association.agree(now, terms(1, Setup::Passive, 0), true);
    net.ends[0].association.agree(now, terms(0, Setup::Active, 1), true);
    net.collect();
    net.run(Duration::from_secs(5));
    assert!(net.is_secure());
    assert!(net.ends[0].keys.as_ref().unwrap().tx != before.tx);
}

/// A stranger who is faster than the peer, with a ClientHello and with a whole handshake of its own.
#[test]
fn a_stranger_who_begins_first_has_the_peer_wait_for_nothing() {
    let mut net =
        Net::new([terms(0, Setup::Active, 1), terms(1, Setup::Passive, 0)], Weather::default(), 8);
    let now = net.now;
    let mut stranger = End::new(now, 2, terms(0, Setup::Active, 1));
    let hello = stranger.drain().remove(0).1;
    for port in 1..=200 {
        net.ends[1].association.receive(
            now,
            SocketAddr::new("203.0.113.9".parse().unwrap(), port),
            &hello,
        );
    }
    let answers = net.ends[1].drain();
    assert_eq!(answers.len(), 200, "each is asked for its cookie, and few are remembered");
    let biggest = answers.iter().map(|(_, bytes)| bytes.len()).max().unwrap();
    assert!(biggest < hello.len(), "nothing to gain by a forged source");
    // The stranger's own handshake, to its end.
    let at = SocketAddr::new("203.0.113.9".parse().unwrap(), 200);
    let mut to_server: Vec<Vec<u8>> = Vec::new();
    let mut to_stranger: Vec<Vec<u8>> =
        answers.into_iter().filter(|(to, _)| *to == at).map(|(_, bytes)| bytes).collect();
    for _ in 0..10 {
        for bytes in to_stranger.drain(..) {
            stranger.association.receive(now, address(ADDRESSES[1]), &bytes);
        }
        to_server.extend(stranger.drain().into_iter().map(|(_, bytes)| bytes));
        for bytes in to_server.drain(..) {
            net.ends[1].association.receive(now, at, &bytes);
        }
        to_stranger.extend(net.ends[1].drain().into_iter().map(|(_, bytes)| bytes));
    }
    assert!(net.ends[1].keys.is_none() && net.ends[1].fault.is_none());
    net.collect();
    net.run(Duration::from_secs(3));
    assert!(net.is_secure());
}

/// Whatever is lost for three seconds, the handshake goes on where it was.
#[test]
fn an_outage_in_any_flight_is_outlasted() {
    for client in [0, 1] {
        for flight in 0..6 {
            let mut net = pair(client, Weather::default(), 12);
            let began = net.now;
            net.run(MS * (10 * flight));
            net.weather.lost = 100;
            net.flying.clear();
            net.run(Duration::from_secs(3));
            net.weather.lost = 0;
            net.run(Duration::from_secs(7));
            assert!(net.is_secure(), "client {client}, flight {flight}");
            let took = net.now - began;
            assert!(took < Duration::from_secs(5), "{flight}: {took:?}");
        }
    }
}

/// Without ICE a peer behind a router comes from where no description says; strangers of one address hold
/// what they can get before it, with hellos and with cookies that they heard.
#[test]
fn strangers_of_one_address_leave_room_for_a_peer_from_nowhere() {
    let mut passive = terms(1, Setup::Passive, 0);
    passive.remote = Private::new(address("10.0.0.7:4000"));
    let mut net = Net::new([terms(0, Setup::Active, 1), passive], Weather::default(), 13);
    let now = net.now;
    for round in 0..3 {
        for port in 1..=20 {
            let at = SocketAddr::new("203.0.113.9".parse().unwrap(), 100 * round + port);
            let mut stranger = End::new(now, 2, terms(0, Setup::Active, 1));
            for _ in 0..2 {
                for (_, bytes) in stranger.drain() {
                    net.ends[1].association.receive(now, at, &bytes);
                }
                for (_, bytes) in net.ends[1].drain().into_iter().filter(|(to, _)| *to == at) {
                    stranger.association.receive(now, address(ADDRESSES[1]), &bytes);
                }
            }
        }
        assert!(net.ends[1].association.attempts.len() <= 2 * limits::HANDSHAKES);
        net.run(MS * 10);
    }
    net.run(Duration::from_secs(3));
    assert!(net.is_secure());
}

/// RFC 5246 section 7.2.1.
#[test]
fn the_end_is_told_under_the_keys_and_once() {
    for (client, end) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let mut net = pair(client, Weather::default(), 5);
        net.run(Duration::from_secs(3));
        assert!(net.is_secure());
        net.run(Duration::from_secs(1));
        let now = net.now;
        net.ends[end].association.close(now);
        let sent = net.ends[end].drain();
        assert_eq!(sent.len(), 1, "client {client}, end {end}");
        assert_eq!((sent[0].0, sent[0].1[0]), (address(ADDRESSES[1 - end]), 21), "an alert");
        assert_ne!(sent[0].1[3..5], [0, 0], "encrypted");
        net.ends[end].association.close(now);
        assert!(net.ends[end].drain().is_empty(), "once");
        let other = &mut net.ends[1 - end];
        // In the clear it is anybody's.
        let plain = [21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 1, 0];
        other.association.receive(now, address(ADDRESSES[end]), &plain);
        let mut forged = sent[0].1.clone();
        *forged.last_mut().unwrap() ^= 1;
        other.association.receive(now, address(ADDRESSES[end]), &forged);
        other.drain();
        assert!(!other.is_closed);
        other.association.receive(now, address(ADDRESSES[end]), &sent[0].1);
        other.drain();
        assert!(other.is_closed && other.fault.is_none());
    }
    let mut net = pair(0, Weather::default(), 5);
    let now = net.now;
    net.ends[0].association.close(now);
    assert!(net.ends[0].drain().is_empty(), "nobody is there yet to be told");
}
