//! A call through the real program is recorded once its caller was told, and is heard by a decoder that is none of ours.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Duration;

use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::folder::Folder;
use support::{peers, sound, wait};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SOON: Duration = Duration::from_secs(20);
const HEARD: Duration = Duration::from_secs(60);
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// The sentence that says that the call is recorded has been said by then.
const TOLD_MS: u32 = 9_000;

/// Status, head in small letters, and body.
fn get(appliance: &Appliance, path: &str, fields: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(appliance.web).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let host = appliance.web;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer[end + 4..].to_vec())
}

/// Left and right at 48 kHz, by opusdec.
fn decoded(folder: &Folder, bytes: &[u8]) -> [Vec<i16>; 2] {
    let (file, wav) = (folder.write("call.opus", bytes), folder.at("call.wav"));
    let info = Command::new("opusinfo").arg(&file).output().unwrap();
    let told = String::from_utf8_lossy(&info.stdout).into_owned();
    assert!(info.status.success() && told.contains("Channels: 2"), "{told}");
    assert!(!told.contains("WARNING"), "{told}");
    let done = Command::new("opusdec").arg("--quiet").arg(&file).arg(&wav).status().unwrap();
    assert!(done.success());
    let wav = std::fs::read(wav).unwrap();
    let data = wav.windows(4).position(|part| part == b"data").unwrap() + 8;
    let mut channels = [Vec::new(), Vec::new()];
    for pair in wav[data..].chunks_exact(4) {
        channels[0].push(i16::from_le_bytes([pair[0], pair[1]]));
        channels[1].push(i16::from_le_bytes([pair[2], pair[3]]));
    }
    channels
}

/// In milliseconds, the first block of 20 ms that is loud.
fn begins(channel: &[i16]) -> Option<usize> {
    let is_loud = |block: &[i16]| {
        let sum: f64 = block.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        (sum / block.len() as f64).sqrt() > 500.0
    };
    channel.chunks(960).position(is_loud).map(|block| block * 20)
}

#[test]
fn a_call_is_recorded_once_the_caller_was_told_and_heard_left_and_right() {
    if !peers::is_installed("baresip", "baresip-core")
        || !peers::is_installed("opusdec", "opus-tools")
    {
        return;
    }
    let appliance = Setup::default()
        .with("recordings", "enabled = true\nencrypted = true\n")
        .env("ATTENDANT_RECORDINGS_KEY", KEY)
        .start();
    let mut words = sound::silence_ms(TOLD_MS);
    words.extend(sound::speak("what are your opening hours"));
    words.extend(sound::silence_ms(8_000));
    let mut caller = Baresip::start("5550142", LOCAL, "udp", "PCMU/8000/1");
    caller.command("dial", &appliance.uri());
    caller.event("CALL_ESTABLISHED", SOON);
    caller.play(&words);
    wait::until("it is being recorded", SOON, || {
        (appliance.api("/health")["recordings"]["recording"] == 1).then_some(())
    });
    wait::until("the sentence is answered", HEARD, || {
        let record = appliance.record(|_| true)?;
        let turns = record["turns"].as_array().unwrap().clone();
        let is_answered = |turn: &serde_json::Value| {
            turn["caller"].as_str().is_some_and(|words| words.contains("hours"))
                && turn["gap_ms"].is_u64()
        };
        turns.iter().any(is_answered).then_some(())
    });
    let record = appliance.record(|_| true).unwrap();
    assert!(record["turns"][0]["reply"].as_str().unwrap().contains("This call is recorded."));
    caller.command("hangup", "");
    caller.event("CALL_CLOSED", SOON);
    let id = wait::until("it is kept", SOON, || {
        let page = appliance.api("/api/history");
        let call = page["calls"].get(0).filter(|call| call["state"] == "ended")?;
        call["id"].as_i64()
    });
    assert_eq!(appliance.api(&format!("/api/history/{id}"))["has_recording"], true);
    wait::until("nothing is being recorded", SOON, || {
        (appliance.api("/health")["recordings"]["recording"] == 0).then_some(())
    });
    let path = format!("/api/history/{id}/recording");
    let (status, head, bytes) = get(&appliance, &path, "");
    assert_eq!(status, 200, "{head}");
    assert!(head.contains("audio/ogg") && head.contains("accept-ranges: bytes"), "{head}");
    let folder = Folder::new("recording");
    let [left, right] = decoded(&folder, &bytes);
    let (asked, answered) = (begins(&left).unwrap(), begins(&right).unwrap());
    println!("{} ms: asked at {asked} ms, answered at {answered} ms", left.len() / 48);
    // It begins behind the sentence, so the caller is heard first, and then we are.
    assert!(asked < answered && answered < asked + 6_000, "{asked} {answered}");
    let part = get(&appliance, &path, "Range: bytes=0-3\r\n");
    assert_eq!((part.0, part.2.as_slice()), (206, &b"OggS"[..]), "{}", part.1);
    let tail = get(&appliance, &path, "Range: bytes=-10\r\n").2;
    assert!(tail.len() == 10 && bytes.ends_with(&tail));
    let beyond = get(&appliance, &path, &format!("Range: bytes={}-\r\n", bytes.len()));
    assert_eq!(beyond.0, 416, "{}", beyond.1);
    // Nothing of it is in the clear on the disk, and on request it goes.
    let files = || -> Vec<_> {
        let files = std::fs::read_dir(appliance.state().join("recordings")).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    };
    let kept = std::fs::read(&files()[0]).unwrap();
    assert!(!kept.windows(4).any(|part| part == b"OggS" || part == b"Opus"));
    let erased = appliance.send("DELETE", "/api/history?number=5550142", None).unwrap();
    assert_eq!((erased.0, &erased.1["calls"]), (200, &1.into()), "{erased:?}");
    assert!(files().is_empty());
    assert_eq!(get(&appliance, &path, "").0, 404);
}
