//! Two ends that encrypt: what they hear of each other, and what nobody else can make them hear.

use super::*;
use crate::base::{Keying, Private, Protection, SrtpKey, SrtpSuite};

fn key(suite: SrtpSuite, seed: u8) -> SrtpKey {
    SrtpKey::random(suite, &mut Entropy::new([seed; 32]))
}

/// What `end` has agreed on; keys 1 and 2 are those of the two ends, or others in their place.
fn secure(suite: SrtpSuite, end: usize, seeds: [u8; 2], rtcp_mux: bool) -> Plan {
    let plain = plan(Codec::Pcmu, 20, [B, A][end]);
    let remote_rtcp = if rtcp_mux { plain.remote.clone() } else { plain.remote_rtcp.clone() };
    let [tx, rx] = [seeds[end], seeds[1 - end]].map(|seed| key(suite, seed));
    Plan { rtcp_mux, remote_rtcp, protection: Protection::Keys(Keying { suite, tx, rx }), ..plain }
}

fn line(suite: SrtpSuite, rtcp_mux: bool, network: Network) -> Line {
    let mut line = Line::new(Codec::Pcmu, 20, network);
    for (end, at) in line.ends.iter_mut().enumerate() {
        at.media.start(line.start, &secure(suite, end, [1, 2], rtcp_mux));
    }
    line
}

#[test]
fn tones_survive_a_rough_network_encrypted_with_and_without_one_port_for_all() {
    for (suite, rtcp_mux) in [
        (SrtpSuite::AesCm128HmacSha1_80, false),
        (SrtpSuite::AesCm128HmacSha1_32, true),
        (SrtpSuite::AeadAes128Gcm, true),
    ] {
        let mut line = line(suite, rtcp_mux, ROUGH);
        line.run(seconds(3));
        line.forget();
        line.run(seconds(8));
        for end in [0, 1] {
            let (share, report) = (line.heard_tone(end), line.ends[end].media.report());
            assert!(share > 0.85, "{suite:?} to {end}: {share} {report:?}");
            assert!(report.lost > 0 && report.srtp_replayed > 0, "{report:?}");
            assert_eq!((report.srtp_failed, report.duplicate), (0, 0), "{report:?}");
            assert!(report.rtt_ms.is_some() && report.peer_loss.is_some(), "{report:?}");
        }
    }
}

#[test]
fn nothing_leaves_in_the_clear() {
    for suite in SrtpSuite::ALL {
        let mut media = Media::new(SETTINGS, Entropy::new([4; 32]));
        let start = Instant::now();
        media.start(start, &secure(suite, 0, [1, 2], true));
        assert!(media.press('5', Duration::from_millis(100)));
        let mut kept = ticks(&mut media, &mut Tone::new(0.0), start, 0..400);
        media.stop(Moment { now: start + seconds(8), ntp: 1 << 32 }, &mut kept);
        let mut same = Media::new(SETTINGS, Entropy::new([4; 32]));
        same.start(
            start,
            &Plan { protection: Protection::Plain, ..secure(suite, 0, [1, 2], true) },
        );
        assert!(same.press('5', Duration::from_millis(100)));
        let mut clear = ticks(&mut same, &mut Tone::new(0.0), start, 0..400);
        same.stop(Moment { now: start + seconds(8), ntp: 1 << 32 }, &mut clear);
        assert_eq!(kept.out.len(), clear.out.len());
        for ((_, _, sealed), (_, _, plain)) in kept.out.iter().zip(&clear.out) {
            let header = if (192..=223).contains(&plain[1]) { 8 } else { 12 };
            assert_eq!(sealed[..header], plain[..header]);
            assert!(sealed.len() >= plain.len() + 4);
            assert_ne!(sealed[header..plain.len()], plain[header..]);
        }
    }
}

#[test]
fn a_stranger_is_neither_heard_nor_learnt_nor_a_sign_of_life() {
    for suite in SrtpSuite::ALL {
        let start = Instant::now();
        let mut media = Media::new(SETTINGS, Entropy::new([4; 32]));
        media.start(start, &secure(suite, 0, [1, 2], true));
        let mut stranger = Media::new(SETTINGS, Entropy::new([5; 32]));
        let mut kept = Kept::default();
        // Plain packets, packets under another key, and noise, from elsewhere and from the peer's address.
        for (n, from) in [address("203.0.113.9:9"), address(B)].into_iter().enumerate() {
            for protection in [Protection::Plain, secure(suite, 1, [1, 9], true).protection] {
                stranger.start(start, &Plan { protection, ..secure(suite, 1, [1, 2], true) });
                let sent = ticks(&mut stranger, &mut Tone::new(400.0), start, 0..300);
                for (path, _, bytes) in &sent.out {
                    let datagram = Datagram { path: *path, from, arrived: start, bytes };
                    media.handle_datagram(datagram, &mut kept);
                    let mut noise = bytes.clone();
                    noise.iter_mut().skip(2).for_each(|byte| *byte ^= n as u8 + 0x55);
                    media.handle_datagram(Datagram { bytes: &noise, ..datagram }, &mut kept);
                }
            }
        }
        let report = media.report();
        assert_eq!((report.received, report.srtp_replayed), (0, 0), "{report:?}");
        assert!(report.srtp_failed > 2_000 && report.foreign == 0, "{report:?}");
        assert!(kept.events.is_empty(), "{:?}", kept.events);
        media.tick(Moment { now: start + seconds(31), ntp: 0 }, &mut Tone::new(0.0), &mut kept);
        assert!(kept.events.contains(&MediaEvent::MediaTimeout));
        // The peer itself is learnt as ever, behind a router, too.
        stranger.start(start, &secure(suite, 1, [1, 2], true));
        let sent = ticks(&mut stranger, &mut Tone::new(400.0), start, 0..10);
        for (path, _, bytes) in &sent.out {
            let from = address("198.51.100.3:77");
            let datagram = Datagram { path: *path, from, arrived: start, bytes };
            media.handle_datagram(datagram, &mut kept);
        }
        assert!(kept.events.contains(&MediaEvent::RemoteLearnt), "{:?}", kept.events);
    }
}

/// Gives `media` what the other end sends in these ticks; tells how many it took.
fn hear(
    media: &mut Media,
    other: &mut Media,
    start: Instant,
    range: std::ops::Range<u32>,
) -> (u64, Vec<Vec<u8>>) {
    let before = media.report().received;
    let mut kept = Kept::default();
    let sent = ticks(other, &mut Tone::new(400.0), start, range);
    let rtp: Vec<_> = sent.out.into_iter().filter(|(path, ..)| *path == Path::Rtp).collect();
    for (path, _, bytes) in &rtp {
        let datagram = Datagram { path: *path, from: address(B), arrived: start, bytes };
        media.handle_datagram(datagram, &mut kept);
    }
    (media.report().received - before, rtp.into_iter().map(|(_, _, bytes)| bytes).collect())
}

#[test]
fn a_key_that_stays_keeps_its_replay_list_and_another_begins_anew() {
    for suite in SrtpSuite::ALL {
        let start = Instant::now();
        let [mut media, mut other] = [4, 5].map(|n| Media::new(SETTINGS, Entropy::new([n; 32])));
        media.start(start, &secure(suite, 0, [1, 2], false));
        other.start(start, &secure(suite, 1, [1, 2], false));
        let (taken, recorded) = hear(&mut media, &mut other, start, 0..20);
        assert_eq!(taken, 20);
        let again = |media: &mut Media| {
            let before = media.report();
            for bytes in &recorded {
                let path = Path::Rtp;
                let datagram = Datagram { path, from: address(B), arrived: start, bytes };
                media.handle_datagram(datagram, &mut Kept::default());
            }
            let after = media.report();
            assert_eq!(after.received, before.received);
            let replayed = after.srtp_replayed - before.srtp_replayed;
            (replayed, after.srtp_failed - before.srtp_failed)
        };
        // On hold and off again, under the same keys; then in the clear and back.
        let same = secure(suite, 0, [1, 2], false);
        media.apply(start, &Plan { sends: false, ..same.clone() });
        assert_eq!(again(&mut media), (20, 0));
        media.apply(start, &Plan { protection: Protection::Plain, ..same.clone() });
        media.apply(start, &same);
        assert_eq!(again(&mut media), (20, 0));
        assert_eq!(hear(&mut media, &mut other, start, 20..30).0, 10);
        // The peer takes another key.
        media.apply(start, &secure(suite, 0, [1, 7], false));
        other.apply(start, &secure(suite, 1, [1, 7], false));
        assert_eq!(again(&mut media), (0, 20));
        assert_eq!(hear(&mut media, &mut other, start, 30..40).0, 10);
        // The call's end forgets the keys.
        media.stop(Moment { now: start, ntp: 0 }, &mut Kept::default());
        media.start(start, &secure(suite, 0, [1, 8], false));
        assert_eq!(again(&mut media), (0, 20));
    }
}

/// Of one association; ICE says where the peer is, or the description.
fn shaking(association: u32, has_ice: bool) -> Plan {
    let handshake = Handshake { association, has_ice };
    Plan {
        rtcp_mux: true,
        protection: Protection::Handshake(handshake),
        ..plan(Codec::Pcmu, 20, B)
    }
}

fn keying(seeds: [u8; 2]) -> Keying {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    Keying { suite, tx: key(suite, seeds[0]), rx: key(suite, seeds[1]) }
}

#[test]
fn nothing_is_said_and_nothing_leaves_before_the_keys_of_this_association_are_there() {
    let mut media = Media::new(SETTINGS, Entropy::new([4; 32]));
    let start = Instant::now();
    let mut tone = Tone::new(440.0);
    media.start(start, &shaking(1, false));
    let kept = ticks(&mut media, &mut tone, start, 0..400);
    assert!(kept.out.is_empty() && tone.asked == 0);
    media.secure(2, Path::Rtp, &keying([1, 2]));
    assert!(ticks(&mut media, &mut tone, start, 400..410).out.is_empty(), "another's keys");
    media.secure(1, Path::Rtp, &keying([1, 2]));
    assert!(ticks(&mut media, &mut tone, start, 410..420).out.len() >= 10);
    assert_eq!(tone.asked, 10);
    media.apply(start, &shaking(1, false));
    assert!(ticks(&mut media, &mut tone, start, 420..430).out.len() >= 10, "it goes on");
    media.apply(start, &shaking(2, false));
    assert!(ticks(&mut media, &mut tone, start, 430..440).out.is_empty());
    assert_eq!(tone.asked, 20);
    assert_eq!(media.report().srtp_failed, 0);
}

#[test]
fn ice_says_who_is_heard_and_where_sound_goes() {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let mut media = Media::new(SETTINGS, Entropy::new([4; 32]));
    let mut peer = Media::new(SETTINGS, Entropy::new([5; 32]));
    let start = Instant::now();
    peer.start(
        start,
        &Plan { protection: Protection::Keys(keying([2, 1])), ..secure(suite, 1, [1, 2], true) },
    );
    media.start(start, &shaking(1, true));
    media.secure(1, Path::Rtp, &keying([1, 2]));
    let [here, there] = ["203.0.113.5:9", "203.0.113.6:9"].map(address);
    let mut give = |media: &mut Media, from: SocketAddr, at: u32| {
        let sent = ticks(&mut peer, &mut Tone::new(440.0), start, at..at + 1).out;
        let before = media.report().received;
        let (path, _, bytes) = &sent[0];
        let datagram = Datagram { path: *path, from, arrived: start, bytes };
        media.handle_datagram(datagram, &mut Kept::default());
        media.report().received - before
    };
    assert_eq!(give(&mut media, address(B), 0), 0, "what the description says is nothing to ICE");
    let mut route = Route { to: Some(there), ..Route::default() };
    route.sources[0] = Some(here);
    media.steer(route);
    assert_eq!(give(&mut media, here, 1), 1);
    assert_eq!(give(&mut media, there, 2), 0);
    let kept = ticks(&mut media, &mut Tone::new(440.0), start, 10..15);
    assert!(kept.out.len() == 5 && kept.out.iter().all(|(_, to, _)| *to == there));
    // A description under the same ICE changes nothing of it.
    media.apply(start, &Plan { remote: Private::new(here), ..shaking(1, true) });
    assert_eq!(ticks(&mut media, &mut Tone::new(440.0), start, 15..16).out[0].1, there);
    media.steer(Route::default());
    assert!(ticks(&mut media, &mut Tone::new(440.0), start, 16..20).out.is_empty());
    assert_eq!(give(&mut media, here, 3), 0);
}

#[test]
fn rtcp_with_a_handshake_of_its_own_waits_for_that() {
    let mut media = Media::new(SETTINGS, Entropy::new([4; 32]));
    let start = Instant::now();
    media.start(start, &Plan { rtcp_mux: false, ..shaking(1, false) });
    media.secure(1, Path::Rtp, &keying([1, 2]));
    let reports = |kept: &Kept| kept.out.iter().filter(|(path, ..)| *path == Path::Rtcp).count();
    let kept = ticks(&mut media, &mut Tone::new(440.0), start, 0..800);
    assert!(kept.out.len() == 800 && reports(&kept) == 0);
    media.secure(1, Path::Rtcp, &keying([3, 4]));
    assert!(reports(&ticks(&mut media, &mut Tone::new(440.0), start, 800..1_600)) > 0);
}

#[test]
fn datagrams_of_a_handshake_are_handed_on_and_are_noise_where_there_is_none() {
    let start = Instant::now();
    for (plan, handed_on) in [(shaking(1, true), 3), (plan(Codec::Pcmu, 20, B), 0)] {
        let mut media = Media::new(SETTINGS, Entropy::new([4; 32]));
        media.start(start, &plan);
        let mut kept = Kept::default();
        for bytes in [&[0, 1, 0, 0][..], &[22, 254, 253], &[20], &[64, 1], &[19, 1], &[4]] {
            let datagram = Datagram { path: Path::Rtp, from: address(B), arrived: start, bytes };
            media.handle_datagram(datagram, &mut kept);
        }
        assert_eq!(kept.handshakes, handed_on);
    }
}
