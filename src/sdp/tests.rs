//! Offers of real peers' shapes, and what has to come out of them.

mod crypto;
mod handshake;

use super::*;
use crate::base::{Entropy, limits};

fn offering() -> Offering {
    Offering {
        codecs: vec![Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma],
        dtmf: true,
        ptime_ms: 20,
        srtp: Srtp::Off,
        keys: OfferedKeys::Sdes,
    }
}

fn local() -> Local {
    let keys = Keys::random(&mut Entropy::new([8; 32]));
    Local { address: "198.51.100.7".parse().unwrap(), port: 16_384, id: 42, keys, handshake: None }
}

fn local_v6() -> Local {
    Local { address: "2001:db8::7".parse().unwrap(), ..local() }
}

fn sdp(lines: &[&str]) -> Vec<u8> {
    let head = ["v=0", "o=peer 1 1 IN IP4 203.0.113.5", "s=-", "c=IN IP4 203.0.113.5", "t=0 0"];
    let all = head.iter().chain(lines);
    all.flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect()
}

fn answered(offer: &[u8]) -> Answer {
    answer(offer, &offering(), &local(), 1, false).unwrap()
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

fn media_lines(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    text.lines().filter(|line| line.starts_with("m=")).map(str::to_owned).collect()
}

#[test]
fn offers_of_real_peers_are_answered() {
    let baresip: &[&str] = &[
        "a=tool:baresip 1.0.0",
        "m=audio 19042 RTP/AVP 96 0 8 9 101",
        "b=AS:125",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 stereo=1;sprop-stereo=1;maxaveragebitrate=28000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=rtcp:19043",
        "a=sendrecv",
        "a=label:1",
        "a=rtcp-rsize",
        "a=ssrc:1203 cname:sip:a@b",
        "a=ptime:20",
    ];
    let sipp: &[&str] = &["m=audio 6000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000"];
    let sipp_bare: &[&str] = &["m=audio 6000 RTP/AVP 8 0"];
    let linphone: &[&str] = &[
        "a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics",
        "a=record:off",
        "m=audio 7078 RTP/AVP 96 97 98 0 8 18 101 99 100",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 useinbandfec=1",
        "a=rtpmap:97 speex/16000",
        "a=fmtp:97 vbr=on",
        "a=rtpmap:98 speex/8000",
        "a=fmtp:18 annexb=yes",
        "a=rtpmap:101 telephone-event/48000",
        "a=rtpmap:99 telephone-event/16000",
        "a=rtpmap:100 telephone-event/8000",
        "a=rtcp-fb:* trr-int 5000",
    ];
    let asterisk: &[&str] = &[
        "m=audio 12688 RTP/AVP 8 0 9 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:30",
        "a=maxptime:150",
        "a=sendrecv",
    ];
    let microsip: &[&str] = &[
        "b=AS:84",
        "a=X-nat:0",
        "m=audio 4000 RTP/AVP 8 0 3 101",
        "c=IN IP4 203.0.113.6",
        "b=TIAS:64000",
        "a=rtcp:4001 IN IP4 203.0.113.8",
        "a=sendrecv",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:3 GSM/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ssrc:9 cname:x",
    ];
    // (offer, codec, payload type, all numbers, event number and clock, RTP, RTCP, packet time)
    let cases = [
        (
            baresip,
            Codec::Opus,
            96,
            "96 9 0 8 101",
            Some((101, 8_000)),
            "203.0.113.5:19042",
            "203.0.113.5:19043",
            20,
        ),
        (sipp, Codec::Pcmu, 0, "0", None, "203.0.113.5:6000", "203.0.113.5:6001", 20),
        (sipp_bare, Codec::Pcmu, 0, "0 8", None, "203.0.113.5:6000", "203.0.113.5:6001", 20),
        (
            linphone,
            Codec::Opus,
            96,
            "96 0 8 101",
            Some((101, 48_000)),
            "203.0.113.5:7078",
            "203.0.113.5:7079",
            20,
        ),
        (
            asterisk,
            Codec::G722,
            9,
            "9 0 8 101",
            Some((101, 8_000)),
            "203.0.113.5:12688",
            "203.0.113.5:12689",
            30,
        ),
        (
            microsip,
            Codec::Pcmu,
            0,
            "0 8 101",
            Some((101, 8_000)),
            "203.0.113.6:4000",
            "203.0.113.8:4001",
            20,
        ),
    ];
    for (offer, codec, number, numbers, events, rtp, rtcp, ptime_ms) in cases {
        let made = answered(&sdp(offer));
        let agreed = &made.negotiated;
        assert_eq!((agreed.codec, agreed.tx_payload_type), (codec, number), "{offer:?}");
        assert_eq!(media_lines(&made.body), [format!("m=audio 16384 RTP/AVP {numbers}")]);
        let dtmf = agreed.dtmf.map(|d| (d.tx_payload_type, d.clock_rate_hz));
        assert_eq!(dtmf, events, "{offer:?}");
        assert_eq!(agreed.remote, rtp.parse::<std::net::SocketAddr>().unwrap());
        assert_eq!(agreed.remote_rtcp, rtcp.parse::<std::net::SocketAddr>().unwrap());
        assert_eq!(agreed.ptime_ms, ptime_ms);
        assert_eq!(agreed.direction, Direction::SendRecv);
        assert!(!agreed.has_rtcp_mux && !agreed.has_comfort_noise);
    }
}

#[test]
fn an_answer_is_exactly_this() {
    let offer = sdp(&["m=audio 6000 RTP/AVP 0 13 97", "a=rtpmap:97 telephone-event/8000"]);
    let expected = "v=0\r\no=- 42 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\n\
        t=0 0\r\nm=audio 16384 RTP/AVP 0 13 97\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:13 CN/8000\r\n\
        a=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-15\r\na=ptime:20\r\na=maxptime:60\r\n\
        a=sendrecv\r\n";
    let made = answered(&offer);
    assert_eq!(text(&made), expected);
    assert!(made.negotiated.has_comfort_noise);
}

#[test]
fn our_preference_decides_and_every_shared_codec_is_understood() {
    let offer = sdp(&[
        "m=audio 6000 RTP/AVP 0 8 118 119 9",
        "a=rtpmap:118 OPUS/48000/2",
        "a=rtpmap:119 opus/48000",
    ]);
    let agreed = answered(&offer).negotiated;
    let expected = [(118, Codec::Opus), (9, Codec::G722), (0, Codec::Pcmu), (8, Codec::Pcma)];
    assert_eq!(agreed.rx_payload_types, expected);
    let only = Offering {
        codecs: vec![Codec::Pcma],
        dtmf: false,
        ptime_ms: 20,
        srtp: Srtp::Off,
        keys: OfferedKeys::Sdes,
    };
    let agreed = answer(&offer, &only, &local(), 1, false).unwrap().negotiated;
    assert_eq!(agreed.rx_payload_types, [(8, Codec::Pcma)]);
}

#[test]
fn rtpmap_outweighs_a_static_number_and_wrong_clocks_are_not_ours() {
    let cases: [(&[&str], Option<Codec>); 7] = [
        (&["m=audio 6 RTP/AVP 0", "a=rtpmap:0 iLBC/8000"], None),
        (&["m=audio 6 RTP/AVP 97", "a=rtpmap:97 pcmu/8000/1"], Some(Codec::Pcmu)),
        (&["m=audio 6 RTP/AVP 97", "a=rtpmap:97 PCMU/16000"], None),
        (&["m=audio 6 RTP/AVP 97", "a=rtpmap:97 PCMA/8000/2"], None),
        (&["m=audio 6 RTP/AVP 97", "a=rtpmap:97 G722/16000"], Some(Codec::G722)),
        (&["m=audio 6 RTP/AVP 97", "a=rtpmap:97 opus/16000/2"], None),
        (&["m=audio 6 RTP/AVP 200 -1 x 0 0"], Some(Codec::Pcmu)),
    ];
    for (offer, expected) in cases {
        let made = answer(&sdp(offer), &offering(), &local(), 1, false);
        match expected {
            Some(codec) => assert_eq!(made.unwrap().negotiated.codec, codec, "{offer:?}"),
            None => assert_eq!(made.unwrap_err().status, 488, "{offer:?}"),
        }
    }
}

#[test]
fn direction_and_both_kinds_of_hold() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    // (session attribute, media attribute, media c=, we hold, our direction)
    let cases = [
        ("", "", "", false, SendRecv),
        ("", "a=sendonly", "", false, RecvOnly),
        ("", "a=recvonly", "", false, SendOnly),
        ("", "a=inactive", "", false, Inactive),
        ("a=sendonly", "", "", false, RecvOnly),
        ("a=inactive", "a=sendrecv", "", false, SendRecv),
        ("", "", "c=IN IP4 0.0.0.0", false, RecvOnly),
        ("", "a=sendrecv", "c=IN IP4 0.0.0.0", false, RecvOnly),
        ("", "a=inactive", "c=IN IP4 0.0.0.0", false, Inactive),
        ("a=ice-ufrag:x", "", "c=IN IP4 0.0.0.0", false, SendRecv),
        ("", "", "", true, SendOnly),
        ("", "a=sendonly", "", true, Inactive),
        ("", "a=recvonly", "", true, SendOnly),
        ("", "a=inactive", "", true, Inactive),
    ];
    for (session, media, connection, is_held, expected) in cases {
        let offer = sdp(&[session, "m=audio 6000 RTP/AVP 0", connection, media]);
        let made = answer(&offer, &offering(), &local(), 1, is_held).unwrap();
        assert_eq!(made.negotiated.direction, expected, "{session} {media} {connection}");
        assert!(text(&made).contains(&format!("a={}\r\n", expected.name())));
    }
}

#[test]
fn every_offered_line_is_kept_and_only_one_is_taken() {
    let offer = sdp(&[
        "m=video 5000 RTP/AVP 99",
        "m=audio 5002 RTP/SAVP 0",
        "m=audio 5004 RTP/AVPF 0",
        "m=audio 5006 RTP/AVP 8",
        "m=image 5008 udptl t38",
        "m=audio 0 RTP/AVP 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    ]);
    let made = answered(&offer);
    assert_eq!(made.negotiated.remote.port(), 5004);
    assert_eq!(
        media_lines(&made.body),
        [
            "m=video 0 RTP/AVP 99",
            "m=audio 0 RTP/SAVP 0",
            "m=audio 16384 RTP/AVPF 0",
            "m=audio 0 RTP/AVP 8",
            "m=image 0 udptl t38",
            "m=audio 0 RTP/AVP 0",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        ]
    );
}

#[test]
fn what_cannot_be_met_is_refused_with_its_reason() {
    let many = vec!["m=audio 6000 RTP/AVP 0"; limits::SDP_MEDIA_LINES + 1];
    let long = vec!["a=x"; limits::SDP_LINES];
    // (offer, status, warning code)
    let cases = [
        (sdp(&["m=image 5000 udptl t38"]), 488, 304),
        (sdp(&["m=video 5000 RTP/AVP 99"]), 488, 304),
        (sdp(&["m=audio 0 RTP/AVP 0"]), 488, 304),
        (sdp(&[]), 488, 304),
        (sdp(&["m=audio 5000 RTP/AVP 3 18"]), 488, 305),
        (sdp(&["m=audio 5000 RTP/SAVP 0"]), 488, 302),
        (sdp(&["m=audio 5000 UDP/TLS/RTP/SAVPF 0"]), 488, 302),
        (sdp(&["m=audio 5000 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"]), 488, 399),
        (b"v=0\r\nm=audio 5000 RTP/AVP 0\r\n".to_vec(), 488, 399),
        (b"".to_vec(), 400, 399),
        (b"hello".to_vec(), 400, 399),
        (b"v=1\r\nm=audio 5000 RTP/AVP 0\r\n".to_vec(), 400, 399),
        (sdp(&["m=audio 99999 RTP/AVP 0"]), 400, 399),
        (sdp(&["m=audio"]), 400, 399),
        (sdp(&many), 400, 399),
        (sdp(&long), 400, 399),
        (vec![b'a'; limits::SDP_BYTES + 1], 400, 399),
    ];
    for (offer, status, code) in cases {
        let refusal = answer(&offer, &offering(), &local(), 1, false).unwrap_err();
        let shown =
            String::from_utf8_lossy(offer.get(..200.min(offer.len())).unwrap()).into_owned();
        assert_eq!((refusal.status, refusal.warning_code), (status, code), "{shown}");
    }
}

#[test]
fn odd_but_legal_shapes_are_read() {
    let odd: [&[u8]; 6] = [
        // Attributes before the connection, and lone LF.
        b"v=0\no=x 1 1 IN IP4 1.2.3.4\ns=x\nt=0 0\na=sendrecv\nm=audio 6000 RTP/AVP 0\na=ptime:20\nc=IN IP4 203.0.113.5\n",
        // No o=, s= or t=; trailing spaces and doubled ones.
        b"v=0 \r\nc=IN  IP4  203.0.113.5 \r\nm=audio  6000  RTP/AVP  0 \r\n",
        // Faults in lines that do not matter.
        b"v=0\r\no=\r\ns=\xff\xfe\r\ns=again\r\nb=x\r\nt=now\r\nz=1\r\nc=IN IP4 203.0.113.5\r\nm=audio 6000 RTP/AVP 0\r\nb=AS\r\n",
        // A port count, an unknown line type, no line end at the end.
        b"v=0\r\nc=IN IP4 203.0.113.5\r\nq=1\r\nm=audio 6000/2 RTP/AVP 0\r\ny=1",
        // A session connection that the line overrides; two session connections.
        b"v=0\r\nc=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2\r\nm=audio 6000 RTP/AVP 0\r\nc=IN IP4 203.0.113.5\r\n",
        // An IPv4 address in IPv6 clothes, names in another case.
        b"v=0\r\nc=IN IP6 ::ffff:203.0.113.5\r\nm=AUDIO 6000 rtp/avp 0\r\n",
    ];
    for offer in odd {
        let agreed = answered(offer).negotiated;
        assert_eq!(agreed.remote, "203.0.113.5:6000".parse::<std::net::SocketAddr>().unwrap());
        assert_eq!(agreed.codec, Codec::Pcmu);
    }
    let named = sdp(&["m=audio 6000 RTP/AVP 0", "c=IN IP4 media.example.com"]);
    let agreed = answered(&named).negotiated;
    assert!(agreed.remote.ip().is_unspecified());
    assert_eq!((agreed.remote.port(), agreed.direction), (6000, Direction::SendRecv));
    // A telephone with both IP versions that calls by ours and describes the other.
    let other = answered(&sdp(&["m=audio 6000 RTP/AVP 0", "c=IN IP6 2001:db8::1"])).negotiated;
    assert_eq!(other.remote, "0.0.0.0:6000".parse::<std::net::SocketAddr>().unwrap());
    assert_eq!((other.remote_rtcp.port(), other.direction), (6001, Direction::SendRecv));
}

#[test]
fn packet_time_is_the_peers_within_10_to_60() {
    // (ptime, maxptime, expected)
    let cases = [
        ("", "", 20),
        ("a=ptime:40", "", 40),
        ("a=ptime:3", "", 10),
        ("a=ptime:120", "", 60),
        ("a=ptime:20.0", "", 20),
        ("a=ptime:25", "", 20),
        ("a=ptime:0", "", 20),
        ("a=ptime:x", "", 20),
        ("a=ptime:40", "a=maxptime:30", 30),
        ("", "a=maxptime:10", 10),
    ];
    for (ptime, maxptime, expected) in cases {
        let made = answered(&sdp(&["m=audio 6000 RTP/AVP 0", ptime, maxptime]));
        assert_eq!(made.negotiated.ptime_ms, expected, "{ptime} {maxptime}");
        assert!(text(&made).contains(&format!("a=ptime:{expected}\r\n")));
    }
}

#[test]
fn rtcp_mux_and_bundle_are_echoed_only_when_offered() {
    let made = answered(&sdp(&[
        "a=group:BUNDLE one two",
        "m=audio 6000 RTP/AVP 0",
        "a=mid:one",
        "a=rtcp-mux",
        "m=video 6000 RTP/AVP 99",
        "a=mid:two",
    ]));
    assert_eq!(made.negotiated.remote_rtcp.port(), 6000);
    assert!(made.negotiated.has_rtcp_mux);
    let body = text(&made);
    for line in ["a=group:BUNDLE one\r\n", "a=rtcp-mux\r\n", "a=mid:one\r\n", "a=mid:two\r\n"] {
        assert!(body.contains(line), "{body}");
    }
    let plain = text(&answered(&sdp(&["m=audio 6000 RTP/AVP 0", "a=rtcp:7000"])));
    assert!(!plain.contains("mid") && !plain.contains("BUNDLE") && !plain.contains("rtcp-mux"));
}

#[test]
fn ipv6_is_spoken_with_ipv6() {
    let offer =
        sdp(&["m=audio 6000 RTP/AVP 0", "c=IN IP6 2001:db8::9", "a=rtcp:7000 IN IP6 2001:db8::a"]);
    let made = answer(&offer, &offering(), &local_v6(), 1, false).unwrap();
    assert_eq!(
        made.negotiated.remote,
        "[2001:db8::9]:6000".parse::<std::net::SocketAddr>().unwrap()
    );
    assert_eq!(
        made.negotiated.remote_rtcp,
        "[2001:db8::a]:7000".parse::<std::net::SocketAddr>().unwrap()
    );
    assert!(text(&made).contains("c=IN IP6 2001:db8::7\r\n"));
    let held = sdp(&["m=audio 6000 RTP/AVP 0", "c=IN IP4 0.0.0.0"]);
    let made = answer(&held, &offering(), &local_v6(), 1, false).unwrap();
    assert_eq!(made.negotiated.direction, Direction::RecvOnly);
}

#[test]
fn of_two_ip_versions_the_line_that_we_speak_is_taken() {
    let offer = sdp(&[
        "m=audio 6000 RTP/AVP 0",
        "c=IN IP6 2001:db8::9",
        "m=audio 6002 RTP/AVP 0",
        "c=IN IP4 203.0.113.9",
    ]);
    for (local, remote) in [(local(), "203.0.113.9:6002"), (local_v6(), "[2001:db8::9]:6000")] {
        let made = answer(&offer, &offering(), &local, 1, false).unwrap();
        assert_eq!(made.negotiated.remote, remote.parse::<std::net::SocketAddr>().unwrap());
    }
}

#[test]
fn the_wishes_of_an_opus_peer_are_kept_when_they_make_sense() {
    let wishes = |fmtp: &str| {
        let fmtp = format!("a=fmtp:96 {fmtp}");
        let offer = sdp(&["m=audio 6000 RTP/AVP 96", "a=rtpmap:96 opus/48000/2", &fmtp]);
        answered(&offer).negotiated.opus
    };
    let all = wishes("maxplaybackrate=8000; maxaveragebitrate=20000;useinbandfec=1; cbr=1");
    let expected = OpusWishes {
        max_average_bitrate_bps: Some(20_000),
        max_playback_rate_hz: Some(8_000),
        has_inband_fec: true,
        is_constant_rate: true,
    };
    assert_eq!(all, expected);
    let none = wishes("maxaveragebitrate=1;maxplaybackrate=99999999999;useinbandfec=0;;=;x");
    assert_eq!(none, OpusWishes::default());
}

#[test]
fn an_offer_of_ours_is_understood_by_ourselves() {
    let ours = offer(&offering(), &local(), 7, Direction::SendRecv);
    assert!(String::from_utf8_lossy(&ours).contains("o=- 42 7 IN IP4 198.51.100.7\r\n"));
    assert_eq!(media_lines(&ours), ["m=audio 16384 RTP/AVP 111 9 0 8 101 110"]);
    let peer = Local { port: 20_000, ..local() };
    let theirs = answer(&ours, &offering(), &peer, 1, false).unwrap();
    let agreed = accept(&offering(), &local(), &theirs.body).unwrap();
    assert_eq!((agreed.codec, agreed.tx_payload_type), (Codec::Opus, 111));
    assert_eq!(agreed.rx_payload_types, theirs.negotiated.rx_payload_types);
    let events = Dtmf { tx_payload_type: 110, rx_payload_type: 110, clock_rate_hz: 48_000 };
    assert_eq!(agreed.dtmf, Some(events));
    assert_eq!(agreed.remote, "198.51.100.7:20000".parse::<std::net::SocketAddr>().unwrap());
    assert!(agreed.has_rtcp_mux && agreed.direction == Direction::SendRecv);
}

#[test]
fn an_answer_with_other_numbers_is_sent_its_own_and_may_send_either() {
    let body = sdp(&[
        "m=audio 6000 RTP/AVP 97 0 98",
        "a=rtpmap:97 opus/48000/2",
        "a=rtpmap:98 telephone-event/48000",
        "a=recvonly",
        "m=video 0 RTP/AVP 99",
    ]);
    let agreed = accept(&offering(), &local(), &body).unwrap();
    assert_eq!((agreed.codec, agreed.tx_payload_type), (Codec::Opus, 97));
    let expected = [(111, Codec::Opus), (0, Codec::Pcmu), (97, Codec::Opus)];
    assert_eq!(agreed.rx_payload_types, expected);
    let events = Dtmf { tx_payload_type: 98, rx_payload_type: 110, clock_rate_hz: 48_000 };
    assert_eq!(agreed.dtmf, Some(events));
    assert_eq!(agreed.direction, Direction::SendOnly);
}

#[test]
fn answers_that_do_not_answer_are_refused() {
    let pcmu = Offering {
        codecs: vec![Codec::Pcmu],
        dtmf: true,
        ptime_ms: 20,
        srtp: Srtp::Off,
        keys: OfferedKeys::Sdes,
    };
    let cases = [
        (sdp(&["m=audio 0 RTP/AVP 0"]), 304),
        (sdp(&["m=video 5000 RTP/AVP 99"]), 304),
        (sdp(&["m=audio 5000 RTP/AVP 8"]), 305),
        (sdp(&["m=audio 5000 RTP/SAVP 0"]), 302),
    ];
    for (body, code) in cases {
        assert_eq!(accept(&pcmu, &local(), &body).unwrap_err().warning_code, code);
    }
    assert_eq!(accept(&pcmu, &local(), b"nonsense").unwrap_err().status, 400);
}

#[test]
fn the_version_rises_only_with_a_change() {
    let plain = sdp(&["m=audio 6000 RTP/AVP 0"]);
    let hold = sdp(&["m=audio 6000 RTP/AVP 0", "a=sendonly"]);
    let mut revision = Revision::default();
    let mut version = |offer: &[u8]| {
        let made = revision.answer(offer, &offering(), &local(), false).unwrap();
        text(&made).lines().nth(1).unwrap().split(' ').nth(2).unwrap().to_owned()
    };
    let versions =
        [version(&plain), version(&plain), version(&hold), version(&hold), version(&plain)];
    assert_eq!(versions, ["0", "0", "1", "1", "2"]);
    let mut revision = Revision::default();
    let first = revision.offer(&offering(), &local(), Direction::SendRecv);
    assert_eq!(first, revision.offer(&offering(), &local(), Direction::SendRecv));
    let held = revision.offer(&offering(), &local(), Direction::SendOnly);
    assert!(String::from_utf8(held).unwrap().contains("o=- 42 1 IN"));
}

#[test]
fn nothing_of_the_peer_breaks_a_line_or_a_log() {
    let offer = b"v=0\r\nc=IN IP4 203.0.113.5\r\nm=audio 6000 RTP/AVP 0\r\na=mid:x\ra=evil\r\nm=video\r1 RTP/AVP 9\r\n";
    let made = answered(offer);
    assert!(!text(&made).replace("\r\n", "").contains(['\r', '\n']));
    assert!(!format!("{made:?} {:?}", local()).contains("203.0.113"));
}

#[test]
fn mutated_offers_never_panic() {
    let seed = sdp(&[
        "a=group:BUNDLE a",
        "m=audio 6000 RTP/AVP 96 0 13 101",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 useinbandfec=1;maxaveragebitrate=20000",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtcp:6001 IN IP4 203.0.113.5",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk|2^31",
        "a=ptime:20",
        "m=video 6002 RTP/AVP 99",
    ]);
    // An offer's tag need not be one of ours.
    let tag_of_ours = |refusal: Refusal| match refusal.warning_code {
        306 => Ok(()),
        _ => Err(refusal),
    };
    let offering = Offering { srtp: Srtp::Optional, ..offering() };
    let local = local();
    let mut entropy = Entropy::new([3; 32]);
    for _ in 0..10_000 {
        let mut bytes = seed.clone();
        for _ in 0..1 + entropy.next_u16() % 4 {
            let at = entropy.next_u32() as usize % bytes.len().max(1);
            match entropy.next_u16() % 4 {
                0 if at < bytes.len() => bytes[at] = entropy.next_u16() as u8,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.insert(
                    at.min(bytes.len()),
                    b"\r\n =:/;0"[usize::from(entropy.next_u16()) % 8],
                ),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let made = answer(&bytes, &offering, &local, 1, false);
        let masked = answer(&without_keys(&bytes), &offering, &local, 1, false);
        assert_eq!(made.is_ok(), masked.is_ok());
        if let Ok(made) = made {
            accept(&offering, &local, &made.body).map(drop).or_else(tag_of_ours).unwrap();
        }
        let _ = accept(&offering, &local, &bytes);
    }
}
