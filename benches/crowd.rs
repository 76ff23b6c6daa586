//! Calls set up in a second, through the real sockets, with SIPp as the callers: INVITE, 200, ACK, a
//! moment, BYE. The callers send no sound; the box sends its greeting.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::appliance::{Appliance, Setup};
use crate::support::folder::Folder;
use crate::support::{peers, wait};
use crate::table::{Table, Target};

const RATES: [u32; 5] = [20, 50, 75, 100, 150];
const STEP_S: u32 = 5;
/// SIPp ends a step by itself; one that does not is ended.
const STEP_LIMIT: Duration = Duration::from_secs(15);
/// Calls that are up at once at the highest rate stay below `calls.max`.
const HOLD_MS: u32 = 200;

pub fn measure(table: &mut Table) {
    table.section("calls set up in a second");
    if !peers::is_installed("sipp", "sip-tester") {
        table.note("SIPp", "not installed");
        return;
    }
    let appliance = Setup::default().calls_max(100).start();
    let mut best = None;
    for rate in RATES {
        let Some(step) = step(&appliance, rate) else { break };
        let asked = rate * STEP_S;
        let words = format!("{} of {asked}, 200 after {:.1} ms", step.answered, step.answer_ms);
        table.note(&format!("at {rate}/s"), &words);
        if step.answered < asked {
            break;
        }
        best = Some(f64::from(rate));
    }
    table.figure("highest rate without a failure", best, "/s", Target::AtLeast(100.0));
}

struct Step {
    answered: u32,
    /// Mean time from the INVITE to its 200.
    answer_ms: f64,
}

fn step(appliance: &Appliance, rate: u32) -> Option<Step> {
    let folder = Folder::new("sipp");
    let scenario = folder.write("call.xml", SCENARIO);
    let figures = folder.at("figures.csv");
    let mut child = Command::new("sipp")
        .arg(appliance.sip.to_string())
        .args(["-i", "127.0.0.1", "-s", "desk", "-nostdin", "-trace_stat", "-fd", "1"])
        .args(["-r", &rate.to_string(), "-m", &(rate * STEP_S).to_string()])
        .args(["-d", &HOLD_MS.to_string(), "-recv_timeout", "4000", "-timeout", "12"])
        .arg("-stf")
        .arg(&figures)
        .arg("-sf")
        .arg(scenario)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let ended = wait::within(STEP_LIMIT, || child.try_wait().ok().flatten());
    if ended.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    wait::within(STEP_LIMIT, || (appliance.live_calls() == 0).then_some(()));
    let text = std::fs::read_to_string(figures).ok()?;
    let field = |name| last_value(&text, name);
    let answered = field("SuccessfulCall(C)")?.parse().ok()?;
    let answer_ms = seconds(&field("ResponseTime1(C)")?)? * 1_000.0;
    Some(Step { answered, answer_ms })
}

/// The last line's value in the column of this name.
fn last_value(csv: &str, name: &str) -> Option<String> {
    let column = csv.lines().next()?.split(';').position(|column| column == name)?;
    let last = csv.lines().rfind(|line| !line.is_empty())?;
    last.split(';').nth(column).map(str::to_owned)
}

/// `HH:MM:SS` with a fraction, which SIPp separates by a colon or a point.
fn seconds(text: &str) -> Option<f64> {
    let mut parts = text.splitn(3, ':');
    let mut next = || parts.next().map(|part| part.replacen(':', ".", 1));
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    let number = |text: String| text.parse::<f64>().ok();
    Some(number(hours)? * 3_600.0 + number(minutes)? * 60.0 + number(seconds)?)
}

const SCENARIO: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="call">
  <send retrans="500" start_rtd="1"><![CDATA[

    INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
    From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]t[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:caller@[local_ip]:[local_port]>
    Max-Forwards: 70
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=- 1 1 IN IP[local_ip_type] [local_ip]
    s=-
    c=IN IP[media_ip_type] [media_ip]
    t=0 0
    m=audio [media_port] RTP/AVP 0
    a=rtpmap:0 PCMU/8000

  ]]></send>
  <recv response="100" optional="true"></recv>
  <recv response="180" optional="true"></recv>
  <recv response="200" rtd="1" rrs="true"></recv>
  <send><![CDATA[

    ACK [next_url] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    CSeq: 1 ACK
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
  <pause/>
  <send retrans="500"><![CDATA[

    BYE [next_url] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    CSeq: 2 BYE
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
  <recv response="200"></recv>
</scenario>
"#;
