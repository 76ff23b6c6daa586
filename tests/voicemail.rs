//! A message after the tone on the wire: a telephone presses 8, hears the tone, speaks, and the box has the sound, its
//! words and an e-mail with both.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::{peers, sound, wait};

const SOON: Duration = Duration::from_secs(20);
const HEARD: Duration = Duration::from_secs(90);
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A mailbox's server in the clear, as far as it takes messages.
fn mailbox() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            speak(stream, &told);
        }
    });
    (port, seen)
}

fn speak(stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut answers = stream.try_clone().unwrap();
    answers.write_all(b"220 box\r\n").unwrap();
    let (mut is_data, mut text) = (false, String::new());
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let answer: &[u8] = match line.as_str() {
            "." if is_data => {
                is_data = false;
                seen.lock().unwrap().push(std::mem::take(&mut text));
                b"250 taken\r\n"
            }
            _ if is_data => {
                text += &line;
                text += "\r\n";
                continue;
            }
            "DATA" => {
                is_data = true;
                b"354 go\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        if answers.write_all(answer).is_err() {
            return;
        }
    }
}

fn fetch(appliance: &Appliance, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(appliance.web).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let head = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes[..head]));
    bytes.split_off(head + 4)
}

/// As libopus' own tool hears it.
fn decoded(appliance: &Appliance, bytes: &[u8]) -> sound::Sound {
    let [from, to] = ["left.opus", "left.wav"].map(|name| appliance.state().join(name));
    std::fs::write(&from, bytes).unwrap();
    let mut opusdec = std::process::Command::new("opusdec");
    let done = opusdec.args(["--quiet", "--rate", "16000"]).arg(&from).arg(&to).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    sound::read_wav(&to).unwrap()
}

#[test]
fn what_a_caller_says_after_the_tone_is_heard_read_and_mailed() {
    if !peers::is_installed("baresip", "baresip-core")
        || !peers::is_installed("opusdec", "opus-tools")
    {
        return;
    }
    let (port, mails) = mailbox();
    let mail = format!(
        "server = \"127.0.0.1:{port}\"\nsecurity = \"none\"\nfrom = \"box@firm.example\"\nto = [\"desk@firm.example\"]\n"
    );
    let appliance = Setup::default().with("mail", &mail).start();
    let mut caller = Baresip::start("5550142", LOCAL, "udp", "PCMU/8000/1");
    caller.command("dial", &appliance.uri());
    caller.event("CALL_ESTABLISHED", SOON);
    wait::until("it was greeted", SOON, || {
        let record = appliance.record(|_| true)?;
        record["turns"].get(0).map(|_| ())
    });
    caller.command("sndcode", "8");
    wait::until("the tone is announced", SOON, || {
        let record = appliance.record(|_| true)?;
        let turns = record["turns"].as_array()?.clone();
        let is_it =
            |turn: &serde_json::Value| turn["reply"].as_str().unwrap().contains("after the tone");
        turns.iter().any(is_it).then_some(())
    });
    wait::until("it is being recorded", SOON, || {
        appliance.text("/metrics").contains("attendant_voicemail_recording 1").then_some(())
    });
    // The announcement and the tone take some 6 s.
    let mut words = sound::silence_ms(7_000);
    let said = sound::espeak_voice("en-us", "please tell the driver to call me back");
    words.extend_from_slice(&said.samples);
    words.extend(sound::silence_ms(12_000));
    caller.play(&words);
    let message = wait::until("its words are known", HEARD, || {
        let page = appliance.api("/api/messages");
        page["messages"].get(0).filter(|one| one["sound"]["transcript"] == "done").cloned()
    });
    println!("{message}");
    let text = message["text"].as_str().unwrap().to_lowercase();
    assert!(text.contains("call me back"), "{text}");
    assert_eq!(message["number"], "5550142");
    let bytes = fetch(&appliance, message["sound"]["url"].as_str().unwrap());
    let heard = decoded(&appliance, &bytes);
    let likeness = sound::likeness_of_phrases(&heard, &[&said]);
    assert!(likeness > 0.7, "{likeness}");
    let mail = wait::until("it is mailed", SOON, || mails.lock().unwrap().pop());
    assert!(mail.contains("Voice message"), "{mail}");
    let encoded = mail.split("filename=\"message.opus\"").nth(1).unwrap();
    let encoded = encoded.split("\r\n\r\n").nth(1).unwrap().split("--").next().unwrap();
    let encoded: String = encoded.split_whitespace().collect();
    let attached = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    assert!(attached == bytes, "{} bytes of {}", attached.len(), bytes.len());
}
