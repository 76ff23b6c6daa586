//! Keys by DTLS, ICE and what browsers say beside them.

use super::*;
use crate::base::Private;
use crate::base::handshake::{
    Candidate, CandidateKind, Fingerprint, IceCredentials, IceSide, LocalIce, Setup, Terms,
};
use crate::base::limits;

const FINGERPRINT: &str = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:\
     00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

fn credentials(name: &str) -> IceCredentials {
    let password = Private::new(format!("{name}-with-22-characters-and-more"));
    IceCredentials { fragment: name.to_owned(), password }
}

fn local() -> Local {
    let handshake = LocalHandshake {
        fingerprint: Fingerprint::of(b"ours"),
        ice: credentials("ours"),
        next_ice: credentials("next"),
        their_ice: None,
        role: None,
        way: LocalIce::default(),
    };
    Local { handshake: Some(handshake), ..super::local() }
}

fn with(srtp: Srtp, keys: OfferedKeys) -> Offering {
    Offering { srtp, keys, ..offering() }
}

fn optional() -> Offering {
    with(Srtp::Optional, OfferedKeys::Sdes)
}

fn terms(negotiated: &Negotiated) -> &Terms {
    negotiated.protection.handshake().unwrap()
}

fn lines_of(body: &[u8]) -> Vec<String> {
    String::from_utf8(body.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

/// As Chromium offers sound and a picture.
fn browser() -> Vec<u8> {
    let fingerprint = format!("a=fingerprint:{FINGERPRINT}");
    [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS 0",
        "m=audio 51472 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "c=IN IP4 203.0.113.5",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=candidate:1 1 udp 2122260223 203.0.113.5 51472 typ host generation 0 network-id 1",
        "a=candidate:2 1 tcp 1518280447 203.0.113.5 9 typ host tcptype active",
        "a=candidate:3 1 udp 2122260223 f4d2-11.local 51473 typ host",
        "a=ice-ufrag:Qx1v",
        "a=ice-pwd:qeO2gGSbVfgqYbHYwNiVSU7f",
        "a=ice-options:trickle",
        &fingerprint,
        "a=setup:actpass",
        "a=mid:0",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=sendrecv",
        "a=msid:0 1",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 transport-cc",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:63 red/48000/2",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000",
        "a=ssrc:1 cname:x",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:Qx1v",
        "a=ice-pwd:qeO2gGSbVfgqYbHYwNiVSU7f",
        &fingerprint,
        "a=setup:actpass",
        "a=mid:1",
        "a=rtcp-mux",
        "a=rtpmap:96 VP8/90000",
    ]
    .iter()
    .flat_map(|line| [line.as_bytes(), b"\r\n"].concat())
    .collect()
}

#[test]
fn a_browser_is_answered_with_a_handshake_ice_lite_and_one_port() {
    let made = answer(&browser(), &optional(), &local(), 1, false).unwrap();
    let agreed = terms(&made.negotiated);
    assert_eq!(agreed.setup, Setup::Active);
    assert!(agreed.rtcp_mux && !agreed.fingerprints.is_empty());
    let ice = agreed.ice.as_ref().unwrap();
    assert_eq!((ice.ours.fragment.as_str(), ice.theirs.fragment.as_str()), ("ours", "Qx1v"));
    assert_eq!(made.negotiated.codec, Codec::Opus);
    let lines = lines_of(&made.body);
    let ours = format!("a=fingerprint:{}", Fingerprint::of(b"ours"));
    for line in [
        "a=group:BUNDLE 0",
        "a=ice-lite",
        "m=audio 16384 UDP/TLS/RTP/SAVPF 111 9 0 8 13 110",
        &ours,
        "a=setup:active",
        "a=ice-ufrag:ours",
        "a=ice-pwd:ours-with-22-characters-and-more",
        "a=candidate:1 1 UDP 2130706431 198.51.100.7 16384 typ host",
        "a=rtcp-mux",
        "a=mid:0",
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
        "a=mid:1",
    ] {
        assert!(lines.iter().any(|l| l == line), "{line} in {lines:#?}");
    }
    assert!(!lines.iter().any(|line| line.contains("candidate:1 2")), "{lines:#?}");
    let off = answer(&browser(), &with(Srtp::Off, OfferedKeys::Sdes), &local(), 1, false);
    assert_eq!(off.unwrap_err().warning_code, 302);
    let without = Local { handshake: None, ..local() };
    assert_eq!(answer(&browser(), &optional(), &without, 1, false).unwrap_err().warning_code, 306);
}

#[test]
fn a_line_that_is_offered_only_within_its_bundle_is_taken_with_its_bundles_transport() {
    let fingerprint = format!("a=fingerprint:{FINGERPRINT}");
    let video = [
        "a=group:BUNDLE 0 1",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 0.0.0.0",
        "a=rtcp-mux",
        "a=ice-ufrag:Qx1v",
        "a=ice-pwd:qeO2gGSbVfgqYbHYwNiVSU7f",
        &fingerprint,
        "a=setup:actpass",
        "a=mid:0",
        "a=rtpmap:96 VP8/90000",
    ];
    let audio = [
        "m=audio 0 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=bundle-only",
        "a=mid:1",
        "a=rtpmap:111 opus/48000/2",
    ];
    let made = answer(&sdp(&[&video[..], &audio].concat()), &optional(), &local(), 1, false);
    let made = made.unwrap();
    let agreed = terms(&made.negotiated);
    assert!(agreed.rtcp_mux && agreed.ice.is_some());
    let lines = lines_of(&made.body);
    // Chromium gives up a bundle whose first line is refused: it is kept, and nothing is sent on it.
    let at = |line: &str| lines.iter().position(|l| l == line).expect(line);
    assert!(at("a=group:BUNDLE 0 1") < at("m=video 16384 UDP/TLS/RTP/SAVPF 96"));
    assert!(
        at("a=inactive") < at("a=mid:0")
            && at("a=mid:0") < at("m=audio 16384 UDP/TLS/RTP/SAVPF 111")
    );
    for attribute in ["a=setup:active", "a=ice-ufrag:ours", "a=rtcp-mux"] {
        assert_eq!(lines.iter().filter(|l| *l == attribute).count(), 2, "{attribute}");
    }
    // Without a word of it both have one transport where both have one name (Chromium's max-bundle).
    let own = [
        "a=ice-ufrag:Qx1v",
        "a=ice-pwd:qeO2gGSbVfgqYbHYwNiVSU7f",
        &fingerprint,
        "a=setup:actpass",
        "a=rtcp-mux",
    ];
    let named = |ufrag: &'static str| {
        let audio = ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", ufrag];
        let rest = ["a=mid:1", "a=rtpmap:111 opus/48000/2"];
        let offer = sdp(&[&video[..], &audio, &own[1..], &rest].concat());
        lines_of(&answer(&offer, &optional(), &local(), 1, false).unwrap().body)
    };
    assert!(named("a=ice-ufrag:Qx1v").contains(&"a=group:BUNDLE 0 1".to_owned()));
    let apart = named("a=ice-ufrag:other");
    for line in ["a=group:BUNDLE 1", "m=video 0 UDP/TLS/RTP/SAVPF 96"] {
        assert!(apart.iter().any(|l| l == line), "{line} in {apart:#?}");
    }
    let alone = sdp(&audio);
    assert_eq!(answer(&alone, &optional(), &local(), 1, false).unwrap_err().status, 488);
}

/// A telephone's line with these attributes.
fn line(proto: &str, address: &str, attributes: &[&str]) -> Vec<u8> {
    let (media, connection) = (format!("m=audio 6000 {proto} 0"), format!("c=IN IP4 {address}"));
    let mut lines = vec![media, connection];
    lines.extend(attributes.iter().map(|attribute| format!("a={attribute}")));
    sdp(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn without_ice_the_peer_begins_unless_it_will_not() {
    let fingerprint = format!("fingerprint:{FINGERPRINT}");
    for (setup, address, expected, word) in [
        (Some("actpass"), "203.0.113.5", Setup::Passive, "passive"),
        (Some("ActPass"), "203.0.113.5", Setup::Passive, "passive"),
        (Some("passive"), "203.0.113.5", Setup::Active, "active"),
        (Some("active"), "203.0.113.5", Setup::Passive, "passive"),
        (None, "203.0.113.5", Setup::Passive, "passive"),
        (Some("holdconn"), "203.0.113.5", Setup::HoldConnection, "holdconn"),
        (Some("actpass"), "192.168.1.5", Setup::Passive, "passive"),
    ] {
        let setup_line = setup.map(|setup| format!("setup:{setup}"));
        let mut attributes = vec![fingerprint.as_str()];
        attributes.extend(setup_line.as_deref());
        let offer = line("UDP/TLS/RTP/SAVP", address, &attributes);
        let made = answer(&offer, &optional(), &local(), 1, false).unwrap();
        let agreed = terms(&made.negotiated);
        assert_eq!((agreed.setup, &agreed.ice), (expected, &None), "{setup:?} {address}");
        let lines = lines_of(&made.body);
        assert!(lines.contains(&format!("a=setup:{word}")), "{lines:#?}");
        assert!(!lines.iter().any(|line| line.contains("ice")), "{lines:#?}");
        assert!(!agreed.rtcp_mux && *agreed.remote_rtcp.reveal() != *agreed.remote.reveal());
    }
}

#[test]
fn a_handshake_is_found_under_each_profile_and_needs_a_fingerprint_that_is_known() {
    let good = format!("fingerprint:{FINGERPRINT}");
    let key = "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk";
    let both = ["fingerprint:md5 00:11", good.as_str(), "setup:actpass"];
    let only_bad = ["fingerprint:md5 00:11", "fingerprint:sha-256 00", "setup:actpass"];
    for (proto, attributes, expected) in [
        ("UDP/TLS/RTP/SAVP", &both[..], Ok("dtls")),
        ("UDP/TLS/RTP/SAVPF", &both, Ok("dtls")),
        ("RTP/SAVPF", &both, Ok("dtls")),
        ("RTP/AVP", &both, Ok("dtls")),
        ("RTP/SAVPF", &[key, good.as_str()], Ok("sdes")),
        ("UDP/TLS/RTP/SAVP", &only_bad, Err(306)),
        ("UDP/TLS/RTP/SAVP", &[], Err(306)),
        ("UDP/TLS/RTP/SAVP", &[key], Err(306)),
        ("RTP/AVP", &only_bad, Ok("plain")),
        ("TCP/TLS/RTP/SAVP", &both, Err(302)),
    ] {
        let offer = line(proto, "203.0.113.5", attributes);
        let made = answer(&offer, &optional(), &local(), 1, false);
        let found = made.map(|made| match made.negotiated.protection {
            Protection::Plain => "plain",
            Protection::Keys(_) => "sdes",
            Protection::Handshake(_) => "dtls",
        });
        assert_eq!(
            found.map_err(|refusal| refusal.warning_code),
            expected,
            "{proto} {attributes:?}"
        );
    }
}

#[test]
fn credentials_of_ice_are_taken_only_as_long_as_they_may_be() {
    let fingerprint = format!("fingerprint:{FINGERPRINT}");
    let (long, pwd) = ("x".repeat(257), "ice-pwd:1234567890123456789012");
    let long_name = format!("ice-ufrag:{long}");
    for (attributes, has_ice) in [
        (vec!["ice-ufrag:abcd", pwd], true),
        (vec!["ice-ufrag:abc", pwd], false),
        (vec![long_name.as_str(), pwd], false),
        (vec!["ice-ufrag:abcd", "ice-pwd:123456789012345678901"], false),
        (vec!["ice-ufrag:ab cd", pwd], false),
        (vec!["ice-ufrag:abcd"], false),
        // Who does not look for us is looked for.
        (vec!["ice-lite", "ice-ufrag:abcd", pwd], true),
    ] {
        let mut all = vec![fingerprint.as_str(), "setup:actpass"];
        all.extend(&attributes);
        let offer = line("UDP/TLS/RTP/SAVP", "203.0.113.5", &all);
        let made = answer(&offer, &optional(), &local(), 1, false).unwrap();
        assert_eq!(terms(&made.negotiated).ice.is_some(), has_ice, "{attributes:?}");
    }
}

#[test]
fn our_offer_of_a_handshake_is_answered_by_a_box_like_this_one() {
    for srtp in [Srtp::Optional, Srtp::Required] {
        let offering = with(srtp, OfferedKeys::Dtls);
        let ours = offer(&offering, &local(), 1, Direction::SendRecv);
        let lines = lines_of(&ours);
        for line in ["a=ice-lite", "a=setup:actpass", "a=rtcp-mux", "a=ice-ufrag:ours"] {
            assert!(lines.iter().any(|l| l == line), "{line} in {lines:#?}");
        }
        assert!(lines.iter().any(|line| line.starts_with("m=audio 16384 UDP/TLS/RTP/SAVP ")));
        let peer = Local { port: 20_000, ..local() };
        let made = answer(&ours, &optional(), &peer, 1, false).unwrap();
        let accepted = accept(&offering, &local(), &made.body).unwrap();
        let (here, there) = (terms(&accepted), terms(&made.negotiated));
        assert_eq!((here.setup, there.setup), (Setup::Passive, Setup::Active));
        // One of the two must look for the other.
        let [here_full, there_full] = [here, there].map(|terms| &terms.ice.as_ref().unwrap().full);
        assert!(here_full.is_none() && there_full.as_ref().is_some_and(|full| full.is_controlling));
        assert!(here.fingerprints.vouch_for(b"ours") && here.rtcp_mux);
        let plain = answer(&sdp(&["m=audio 6000 RTP/AVP 0"]), &super::offering(), &peer, 1, false);
        let refused = accept(&offering, &local(), &plain.unwrap().body).unwrap_err();
        assert_eq!((refused.status, refused.warning_code), (488, 306));
    }
    let off = offer(&with(Srtp::Off, OfferedKeys::Dtls), &local(), 1, Direction::SendRecv);
    assert!(lines_of(&off).iter().any(|line| line.starts_with("m=audio 16384 RTP/AVP ")));
}

#[test]
fn the_role_of_an_association_stays_and_ice_begins_anew_with_another_name() {
    let fingerprint = format!("fingerprint:{FINGERPRINT}");
    let offer = |name: &str| {
        let name = format!("ice-ufrag:{name}");
        let pwd = "ice-pwd:1234567890123456789012";
        let all = [fingerprint.as_str(), "setup:actpass", &name, pwd];
        line("UDP/TLS/RTP/SAVP", "203.0.113.5", &all)
    };
    let mut ours = local();
    let handshake = ours.handshake.as_mut().unwrap();
    handshake.role = Some(Setup::Passive);
    let made = answer(&offer("abcd"), &optional(), &ours, 1, false).unwrap();
    assert_eq!(terms(&made.negotiated).setup, Setup::Passive);
    let theirs = terms(&made.negotiated).ice.as_ref().unwrap().theirs.clone();
    ours.handshake.as_mut().unwrap().their_ice = Some(theirs);
    for (name, expected) in [("abcd", "ours"), ("efgh", "next")] {
        let made = answer(&offer(name), &optional(), &ours, 1, false).unwrap();
        assert_eq!(terms(&made.negotiated).ice.as_ref().unwrap().ours.fragment, expected);
    }
}

#[test]
fn no_password_is_left_in_what_is_written_down() {
    let made = answer(&browser(), &optional(), &local(), 1, false).unwrap();
    for body in [browser(), made.body] {
        let masked = String::from_utf8(without_keys(&body)).unwrap();
        assert!(!masked.contains("qeO2g") && !masked.contains("ours-with"), "{masked}");
        assert!(masked.contains("a=ice-ufrag:"));
        assert!(answer(masked.as_bytes(), &optional(), &local(), 1, false).is_ok());
    }
    assert!(!format!("{:?}", local()).contains("22-characters"));
}

/// Ours as the full side, with an address more and one that a server lends.
fn full() -> Local {
    let mut local = local();
    let ours = local.handshake.as_mut().unwrap();
    let lent = "198.51.100.1:7000".parse().unwrap();
    ours.way = LocalIce {
        side: IceSide::Full,
        hosts: vec!["10.8.0.2".parse().unwrap()],
        others: vec![Candidate::new(CandidateKind::Relayed, 65_535, 1, lent)],
        is_hidden: false,
    };
    local
}

fn told(description: &[u8]) -> Vec<String> {
    let lines = lines_of(description);
    let told = lines.iter().filter_map(|line| line.strip_prefix("a=candidate:"));
    told.map(|value| value.split(' ').skip(4).take(4).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_full_side_tells_all_its_candidates_and_reads_the_peers() {
    let offering = with(Srtp::Optional, OfferedKeys::Dtls);
    let ours = offer(&offering, &full(), 1, Direction::SendRecv);
    let lines = lines_of(&ours);
    assert!(!lines.iter().any(|line| line == "a=ice-lite"), "{lines:#?}");
    assert!(lines.iter().any(|line| line == "a=end-of-candidates"));
    let address = local().address;
    let expected = [
        format!("{address} 16384 typ host"),
        "10.8.0.2 16384 typ host".to_owned(),
        "198.51.100.1 7000 typ relay".to_owned(),
    ];
    assert_eq!(told(&ours), expected);
    // Two boxes like this one: who offers decides.
    let mut peer = full();
    peer.port = 20_000;
    let made = answer(&ours, &optional(), &peer, 1, false).unwrap();
    let accepted = accept(&offering, &full(), &made.body).unwrap();
    for (terms, controls) in [(terms(&accepted), true), (terms(&made.negotiated), false)] {
        let full = terms.ice.as_ref().unwrap().full.as_ref().unwrap();
        assert_eq!((full.is_controlling, full.local.len(), full.remote.len()), (controls, 3, 3));
    }
    // Without rtcp-mux RTCP has candidates of its own, and what is lent is RTP's.
    let fingerprint = format!("fingerprint:{FINGERPRINT}");
    let ice = ["ice-ufrag:abcd", "ice-pwd:1234567890123456789012"];
    let candidates: Vec<String> =
        (1..=40).map(|n| format!("candidate:1 1 udp 99 203.0.113.{n} 5000 typ host")).collect();
    let mut all = vec![fingerprint.as_str(), "setup:actpass", ice[0], ice[1]];
    all.extend(candidates.iter().map(String::as_str));
    let offer = line("UDP/TLS/RTP/SAVP", "203.0.113.5", &all);
    let made = answer(&offer, &optional(), &full(), 1, false).unwrap();
    let two = format!("{address} 16385 typ host");
    assert!(told(&made.body).contains(&two) && told(&made.body).len() == 5);
    let full = terms(&made.negotiated).ice.as_ref().unwrap().full.as_ref().unwrap();
    assert_eq!(full.remote.len(), limits::ICE_CANDIDATES);
}

#[test]
fn what_is_hidden_stands_in_no_line() {
    let mut local = full();
    let lent: std::net::SocketAddr = "198.51.100.1:7000".parse().unwrap();
    (local.address, local.port) = (lent.ip(), lent.port());
    local.handshake.as_mut().unwrap().way.is_hidden = true;
    let ours = offer(&with(Srtp::Optional, OfferedKeys::Dtls), &local, 1, Direction::SendRecv);
    assert_eq!(told(&ours), ["198.51.100.1 7000 typ relay"]);
    let text = String::from_utf8(ours).unwrap();
    assert!(text.contains("m=audio 7000 ") && !text.contains("10.8.0.2"), "{text}");
}
