//! Calls that only a TURN server lets through: baresip and coturn.

#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]
#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::time::{Duration, Instant};

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::coturn::{self, Coturn};
use support::{peers, wait};

const ANSWER: Duration = Duration::from_secs(20);

fn is_installed() -> bool {
    peers::is_installed("baresip", "baresip-core") && Coturn::is_installed()
}

/// A box that tells nothing but what a server lends it.
fn hidden(coturn: &Coturn, transport: &str) -> Setup {
    let server = match transport {
        "tls" => format!("turns:{}", coturn.secure),
        "tcp" => format!("turn:{}?transport=tcp", coturn.address),
        _ => format!("turn:{}", coturn.address),
    };
    let turn = format!("servers = [\"{server}\"]\nuser = \"{}\"\nonly = true", coturn::USER);
    Setup::default()
        .env("SSL_CERT_FILE", coturn.certificate().to_str().unwrap())
        .env("ATTENDANT_TURN_PASSWORD", coturn::PASSWORD)
        .with("media", "srtp = \"required\"")
        .with("media.turn", &turn)
}

fn caller(appliance: &Appliance, user: &str) -> Baresip {
    let lines = "module dtls_srtp.so\nmodule ice.so\nrtcp_mux yes\n";
    let parameters = ";mediaenc=dtls_srtp;medianat=ice";
    let way = ("udp", "PCMU/8000/1");
    Baresip::start_as(user, appliance.sip.ip(), way, parameters, lines)
}

fn received(appliance: &Appliance, user: &str) -> u64 {
    let record = appliance.record_of(user).unwrap_or(Value::Null);
    record["rtp"]["packets_received"].as_u64().unwrap_or_default()
}

#[test]
fn a_call_goes_through_what_a_server_lends_and_ends_with_it() {
    if !is_installed() {
        return;
    }
    for transport in ["udp", "tcp", "tls"] {
        let mut coturn = Coturn::start();
        let appliance = hidden(&coturn, transport).start();
        let lent = || (coturn.lines_with("ALLOCATE processed, success") > 0).then_some(());
        wait::until("an address is lent", ANSWER, lent);
        let user = format!("relayed-{transport}");
        let mut caller = caller(&appliance, &user);
        caller.command("dial", &appliance.uri());
        caller.event("CALL_ESTABLISHED", ANSWER);
        let heard = || (received(&appliance, &user) > 100).then_some(());
        wait::until("two seconds of sound", ANSWER, heard);
        let record = appliance.record_of(&user).unwrap();
        assert!(record["srtp"].is_string(), "{record:#}");
        let rtp = &record["rtp"];
        println!("{transport}: {rtp} {}", record["greeting_delay_ms"]);
        assert!(rtp["packets_sent"].as_u64() > Some(50), "{rtp}");
        assert_eq!(rtp["packets_lost"], 0, "{rtp}");
        assert!(coturn.lines_with("CHANNEL_BIND processed, success") > 0);
        // There is no other way.
        coturn.stop();
        let mut last = (0, Instant::now());
        let before = wait::until("nothing comes any more", ANSWER, || {
            let packets = received(&appliance, &user);
            if packets != last.0 {
                last = (packets, Instant::now());
            }
            (last.1.elapsed() > Duration::from_secs(2)).then_some(packets)
        });
        println!("{transport}: {before} packets in all");
        // A stream has an end; of datagrams the next refresh tells.
        if transport != "udp" {
            let told = wait::within(ANSWER, || {
                let health = appliance.api("/health");
                health.to_string().contains("media.turn").then_some(health)
            });
            assert!(told.is_some(), "{}", appliance.api("/health"));
        }
    }
}
