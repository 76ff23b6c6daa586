//! baresip calls: over both transports, in every codec, with keys, with hold, and is put through.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::sound::{self, Sound};
use support::{peers, wait};

const ANSWER: Duration = Duration::from_secs(20);
/// A sentence, its decoding on a busy machine, and the reply.
const TURN: Duration = Duration::from_secs(60);
const HOURS: &str = "We are open Monday to Friday from 8 am to 6 pm, and on Saturday from 9 am to \
     1 pm. Is there anything else I can do for you?";

fn is_installed() -> bool {
    peers::is_installed("baresip", "baresip-core") && peers::is_installed("flite", "flite")
}

/// Waits for a turn of this caller whose reply contains `words`.
fn reply_with(appliance: &Appliance, user: &str, words: &str) -> Value {
    let turn = wait::within(TURN, || {
        let record = appliance.record_of(user)?;
        let turns = record["turns"].as_array().unwrap();
        let is_it = |turn: &&Value| turn["reply"].as_str().unwrap().contains(words);
        turns.iter().find(is_it).cloned()
    });
    turn.unwrap_or_else(|| panic!("no {words:?} in {:#?}", appliance.record_of(user)))
}

/// What the record calls a codec, and what baresip does.
const CODECS: [(&str, &str); 4] = [
    ("PCMU", "PCMU/8000/1"),
    ("PCMA", "PCMA/8000/1"),
    ("G722", "G722/16000/1"),
    ("opus", "opus/48000/2"),
];

fn dial(appliance: &Appliance, user: &str, transport: &str, codec: &str) -> Baresip {
    let offered = CODECS.iter().find(|(name, _)| *name == codec).unwrap().1;
    let mut caller = Baresip::start(user, appliance.sip.ip(), transport, offered);
    caller.command("dial", &appliance.uri());
    caller.event("CALL_ESTABLISHED", ANSWER);
    caller
}

/// What the callers say and what they compare with, made once.
struct Sounds {
    greeting: [Sound; 2],
    question: Vec<i16>,
    goodbye: Vec<i16>,
}

impl Sounds {
    fn new() -> Self {
        Self {
            question: sound::after_greeting("what are your opening hours"),
            goodbye: sound::after(sound::flite(HOURS).length_ms(), "thank you goodbye"),
            greeting: sound::GREETING.map(sound::flite),
        }
    }
}

/// Greeting, one question, goodbye; the box hangs up.
fn conversation(appliance: &Appliance, sounds: &Sounds, transport: &str, codec: &str) {
    let user = format!("caller-{codec}-{transport}");
    let caller = dial(appliance, &user, transport, codec);
    let record = talk(appliance, sounds, caller, &user);
    assert_eq!(record["codec"], codec, "{record:#}");
    assert_eq!(record["srtp"], Value::Null, "{record:#}");
}

/// The same for a caller who has been answered; the record.
fn talk(appliance: &Appliance, sounds: &Sounds, mut caller: Baresip, user: &str) -> Value {
    // It cannot play anything before its sound has begun, for which it may wait for keys.
    wait::until("its sound comes", ANSWER, || {
        let record = appliance.record_of(user)?;
        (record["rtp"]["packets_received"].as_u64() > Some(0)).then_some(())
    });
    caller.play(&sounds.question);
    let hours = reply_with(appliance, user, HOURS);
    assert!(hours["caller"].as_str().unwrap().contains("hours"), "{hours}");
    caller.play(&sounds.goodbye);
    let goodbye = reply_with(appliance, user, "Thank you for calling");
    assert_ne!(goodbye["caller"], "");
    caller.event("CALL_CLOSED", TURN);
    let record = ended_record(appliance, user);
    assert_eq!(record["ending"]["by"], "us", "{record:#}");
    assert_eq!(record["ending"]["cause"], "goodbye", "{record:#}");
    let heard = caller.recording().expect("baresip has recorded");
    let [first, second] = &sounds.greeting;
    let likeness = sound::likeness_of_phrases(&heard, &[first, second]);
    let level_dbfs = heard.speech_level_dbfs();
    println!("{user}: greeting heard, likeness {likeness:.3}, {level_dbfs:.1} dBFS");
    assert!(likeness > 0.8, "{user}: the greeting: {likeness}");
    assert!(level_dbfs > -35.0, "{user}: {level_dbfs} dBFS");
    record
}

fn ended_record(appliance: &Appliance, user: &str) -> Value {
    wait::until("the record is complete", ANSWER, || {
        appliance.record_of(user).filter(|record| record["state"] == "ended")
    })
}

#[test]
fn it_hears_the_greeting_and_is_understood_in_every_codec() {
    if !is_installed() {
        return;
    }
    let sounds = Sounds::new();
    let appliance = Setup::default().start();
    let calls = [("udp", "PCMU"), ("tcp", "PCMA"), ("tcp", "G722"), ("udp", "opus")];
    std::thread::scope(|scope| {
        for (transport, codec) in calls {
            let (appliance, sounds) = (&appliance, &sounds);
            scope.spawn(move || conversation(appliance, sounds, transport, codec));
        }
    });
    wait::until("no call is left", ANSWER, || (appliance.live_calls() == 0).then_some(()));
}

/// baresip with keys of its own, `srtp` where it does not insist on them and `srtp-mand` where it does.
fn encrypting(appliance: &Appliance, user: &str, way: (&str, &str), encryption: &str) -> Baresip {
    let lines = format!(
        "module srtp.so\nrtcp_mux {}\nsip_cafile {}\n",
        if way.0 == "tcp" { "no" } else { "yes" },
        appliance.certificate().display()
    );
    let parameters = format!(";mediaenc={encryption}");
    Baresip::start_as(user, appliance.sip.ip(), way, &parameters, &lines)
}

/// Its first report, to open the way, and its last one are not encrypted: it has no keys yet, or any more.
fn is_clean(rtp: &Value) -> bool {
    rtp["srtp_failed"].as_u64().unwrap() <= 2 && rtp["srtp_replayed"] == 0
}

/// Our own caller's offer, as baresip takes it: the suite and the packets that came.
fn answers(transport: &str, srtp: &str, encryption: &str) -> Option<(Option<String>, u64)> {
    let address = Ipv4Addr::LOCALHOST.into();
    let parameters = match encryption {
        "" => ";answermode=auto".to_owned(),
        name => format!(";answermode=auto;mediaenc={name}"),
    };
    let (module, keys) = match encryption {
        "" => ("", "sdes"),
        "dtls_srtp" => ("module dtls_srtp.so\n", "dtls"),
        _ => ("module srtp.so\n", "sdes"),
    };
    let way = (transport, "PCMU/8000/1");
    let callee = Baresip::start_as("callee", address, way, &parameters, module);
    let made = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", callee.uri(), "--json", "--max-seconds", "4", "--srtp", srtp])
        .args(["--srtp-keys", keys])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&made.stdout).unwrap();
    if report["answered"] == false {
        return None;
    }
    assert!(is_clean(&report["rtp"]), "{report}");
    let suite = report["srtp"].as_str().map(str::to_owned);
    Some((suite, report["rtp"]["packets_received"].as_u64().unwrap()))
}

#[test]
fn our_offers_with_keys_are_understood_and_are_no_harm_to_who_knows_none() {
    if !is_installed() {
        return;
    }
    for (srtp, encryption, is_encrypted) in [
        ("required", "srtp-mand", Some(true)),
        ("required", "srtp", Some(true)),
        ("optional", "srtp", Some(true)),
        ("optional", "", Some(false)),
        ("required", "dtls_srtp", Some(true)),
        ("optional", "dtls_srtp", Some(true)),
        ("off", "srtp", Some(false)),
        ("required", "", None),
    ] {
        let answered = answers("udp", srtp, encryption);
        println!("{srtp}, {encryption:?}: {answered:?}");
        let suites = answered.as_ref().map(|(suite, _)| suite.is_some());
        assert_eq!(suites, is_encrypted, "{srtp} {encryption:?}");
        assert!(answered.is_none_or(|(_, received)| received > 50), "{srtp} {encryption:?}");
    }
}

#[test]
fn encrypted_sound_is_understood_both_ways() {
    if !is_installed() {
        return;
    }
    let sounds = Sounds::new();
    let appliance = Setup::default().secure().with("media", "srtp = \"required\"").start();
    let calls = [
        ("udp", "PCMU/8000/1", "srtp-mand"),
        ("tls", "G722/16000/1", "srtp-mand"),
        ("tcp", "opus/48000/2", "srtp"),
    ];
    std::thread::scope(|scope| {
        for (transport, codec, encryption) in calls {
            let (appliance, sounds) = (&appliance, &sounds);
            scope.spawn(move || {
                let user = format!("{encryption}-{transport}");
                let mut caller = encrypting(appliance, &user, (transport, codec), encryption);
                let target =
                    if transport == "tls" { appliance.secure_uri() } else { appliance.uri() };
                caller.command("dial", &target);
                caller.event("CALL_ESTABLISHED", ANSWER);
                let record = talk(appliance, sounds, caller, &user);
                assert_eq!(record["srtp"], "AES_CM_128_HMAC_SHA1_80", "{record:#}");
                let rtp = &record["rtp"];
                assert!(is_clean(rtp) && rtp["packets_lost"] == 0, "{user}: {rtp}");
            });
        }
    });
}

/// baresip with keys by DTLS, with or without ICE, RTP and RTCP on one port or on two.
fn shaking_hands(appliance: &Appliance, user: &str, way: (&str, &str), has_ice: bool) -> Baresip {
    let mux = if has_ice || way.0 == "udp" { "yes" } else { "no" };
    let lines = format!(
        "module dtls_srtp.so\nrtcp_mux {mux}\nsip_cafile {}\n{}",
        appliance.certificate().display(),
        if has_ice { "module ice.so\n" } else { "" },
    );
    let parameters = format!(";mediaenc=dtls_srtp{}", if has_ice { ";medianat=ice" } else { "" });
    Baresip::start_as(user, appliance.sip.ip(), way, &parameters, &lines)
}

/// It shows the password at the beginning only, and then says by indications that it is there (RFC 8445
/// section 11).
#[test]
#[ignore = "a call of 100 seconds: make nightly"]
fn who_finds_us_by_ice_is_heard_long_after_the_last_check() {
    if !is_installed() {
        return;
    }
    let appliance = Setup::default()
        .secure()
        .with("media", "srtp = \"required\"")
        .with("converse", "silence_s = [110, 120, 130]")
        .start();
    let mut caller = shaking_hands(&appliance, "ice-long", ("tls", "PCMU/8000/1"), true);
    caller.command("dial", &appliance.secure_uri());
    caller.event("CALL_ESTABLISHED", ANSWER);
    let record = wait::until("100 s of sound have come", Duration::from_secs(120), || {
        let record = appliance.record_of("ice-long")?;
        (record["rtp"]["packets_received"].as_u64() > Some(100 * 50)).then_some(record)
    });
    assert_eq!(record["state"], "active", "{record:#}");
    let rtp = &record["rtp"];
    println!("{rtp}");
    assert!(rtp["packets_sent"].as_u64() > Some(95 * 50), "{rtp}");
    caller.command("hangup", "");
}

#[test]
fn keys_by_dtls_and_a_way_by_ice_are_understood_both_ways() {
    if !is_installed() {
        return;
    }
    let sounds = Sounds::new();
    let setup = || Setup::default().secure().with("media", "srtp = \"required\"");
    let old = setup().start();
    let new = setup().on(Ipv6Addr::LOCALHOST.into()).start();
    let calls = [
        (&old, "udp", "PCMU/8000/1", false),
        (&old, "tcp", "opus/48000/2", false),
        (&old, "tls", "G722/16000/1", true),
        (&new, "udp", "opus/48000/2", false),
        (&new, "tls", "PCMA/8000/1", true),
    ];
    std::thread::scope(|scope| {
        for (appliance, transport, codec, has_ice) in calls {
            let sounds = &sounds;
            scope.spawn(move || {
                let version = if appliance.sip.is_ipv4() { 4 } else { 6 };
                let user = format!("dtls-{transport}-{version}");
                let mut caller = shaking_hands(appliance, &user, (transport, codec), has_ice);
                let target =
                    if transport == "tls" { appliance.secure_uri() } else { appliance.uri() };
                caller.command("dial", &target);
                caller.event("CALL_ESTABLISHED", ANSWER);
                let record = talk(appliance, sounds, caller, &user);
                assert!(record["srtp"].is_string(), "{record:#}");
                println!("{user}: {} {}", record["srtp"], record["greeting_delay_ms"]);
                let rtp = &record["rtp"];
                assert!(is_clean(rtp) && rtp["packets_lost"] == 0, "{user}: {rtp}");
            });
        }
    });
}

/// The box is full by default, as above.
#[test]
fn a_way_by_ice_is_found_to_a_box_that_is_lite() {
    if !is_installed() {
        return;
    }
    let appliance =
        Setup::default().secure().with("media", "srtp = \"required\"\nice = \"lite\"").start();
    let mut caller = shaking_hands(&appliance, "ice-lite", ("tls", "PCMU/8000/1"), true);
    caller.command("dial", &appliance.secure_uri());
    caller.event("CALL_ESTABLISHED", ANSWER);
    let record = wait::until("two seconds of sound have come", ANSWER, || {
        let record = appliance.record_of("ice-lite")?;
        (record["rtp"]["packets_received"].as_u64() > Some(100)).then_some(record)
    });
    println!("{} {}", record["rtp"], record["greeting_delay_ms"]);
    assert!(record["rtp"]["packets_sent"].as_u64() > Some(50), "{record:#}");
    caller.command("hangup", "");
    ended_record(&appliance, "ice-lite");
}

#[test]
fn who_does_not_encrypt_where_that_is_wanted_is_refused_and_so_is_who_insists_where_it_is_not() {
    if !is_installed() {
        return;
    }
    let way = ("udp", "PCMU/8000/1");
    for (srtp, encryption) in [("required", ""), ("off", "srtp-mand")] {
        let setup = Setup::default().secure().with("media", &format!("srtp = \"{srtp}\""));
        let appliance = setup.start();
        let mut caller = encrypting(&appliance, "refused", way, encryption);
        caller.command("dial", &appliance.uri());
        let closed = caller.event("CALL_CLOSED", ANSWER);
        assert!(closed["param"].as_str().unwrap().contains("488"), "{closed}");
        assert_eq!(appliance.api("/api/calls")["calls"].as_array().unwrap().len(), 0);
    }
}

#[test]
fn its_keys_are_heard_and_a_hold_keeps_the_call() {
    if !is_installed() {
        return;
    }
    let appliance = Setup::default().on(Ipv6Addr::LOCALHOST.into()).start();
    let user = "caller-keys";
    let mut caller = dial(&appliance, user, "udp", "PCMU");
    caller.command("sndcode", "2");
    reply_with(&appliance, user, "You find us at");
    // Its log has such a line for each answered offer.
    for (command, offers) in [("hold", 2), ("resume", 3)] {
        caller.command(command, "");
        wait::until(command, ANSWER, || {
            (caller.lines_with("stream: update 'audio'") == offers).then_some(())
        });
        assert_eq!(appliance.record_of(user).unwrap()["state"], "active");
    }
    // Yes to "Is there anything else I can do for you?".
    caller.command("sndcode", "1");
    reply_with(&appliance, user, "What can I do for you?");
    let record = appliance.record_of(user).unwrap();
    assert_eq!(record["state"], "active", "{record:#}");
    caller.command("hangup", "");
    let record = ended_record(&appliance, user);
    assert_eq!(record["ending"]["by"], "caller", "{record:#}");
    assert_eq!(record["ending"]["cause"], "hung-up", "{record:#}");
}

#[test]
fn it_is_put_through_to_a_person_and_taken_back_when_nobody_wants_it() {
    if !is_installed() {
        return;
    }
    let mut anna = Baresip::start("anna", Ipv4Addr::LOCALHOST.into(), "udp", "PCMU/8000/1");
    let person = format!("name = \"Anna\"\naddress = \"{}\"", anna.uri());
    let appliance = Setup::default().with("[person]", &person).start();
    let wish = sound::after_greeting("i want to speak to a person");

    let user = "caller-through";
    let mut caller = dial(&appliance, user, "udp", "PCMU");
    caller.play(&wish);
    reply_with(&appliance, user, "I am putting you through to Anna");
    anna.event("CALL_INCOMING", TURN);
    anna.command("accept", "");
    let record = ended_record(&appliance, user);
    assert_eq!(record["ending"]["cause"], "transferred", "{record:#}");
    anna.event("CALL_ESTABLISHED", ANSWER);
    assert!(!anna.has_seen("CALL_CLOSED"), "they talk");
    anna.command("hangup", "");
    anna.event("CALL_CLOSED", ANSWER);
    drop(caller);

    let user = "caller-refused";
    let mut caller = dial(&appliance, user, "udp", "PCMU");
    caller.play(&wish);
    anna.event("CALL_INCOMING", TURN);
    anna.command("hangup", "");
    reply_with(&appliance, user, "I cannot reach Anna at the moment. Shall I take a message?");
    let record = appliance.record_of(user).unwrap();
    assert_eq!(record["state"], "active", "{record:#}");
    // No to the offer: the caller is ours again and goes on.
    caller.command("sndcode", "2");
    reply_with(&appliance, user, "Is there anything else I can do for you?");
    caller.command("hangup", "");
    let record = ended_record(&appliance, user);
    assert_eq!(record["ending"]["cause"], "hung-up", "{record:#}");
}
