//! How the box is.

use serde::Serialize;
use utoipa::ToSchema;

use super::agent::Today;
use super::machine::Machine;
use crate::appliance::handset;
use crate::appliance::lateness::BOUNDS_US;
use crate::appliance::recorder;
use crate::speech::protocol::VoiceReport;
use crate::store::{history, knowledge};
use crate::web::board::{
    AccountReport, AudioFigures, Board, BridgeReport, CanaryReport, Hearing, WebhookReport,
};

/// How the box is. Without a token that may read it, the state alone.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum Health {
    State(State),
    Whole(Box<Whole>),
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// `starting`, `ready`, `degraded` (calls are taken, with less than the usual), `safe` (a recorded sentence
    /// answers) or `stopping`.
    state: &'static str,
    takes_calls: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Whole {
    /// `starting`, `ready`, `degraded` (calls are taken, with less than the usual), `safe` (a recorded sentence
    /// answers) or `stopping`.
    state: &'static str,
    takes_calls: bool,
    /// What is waited for, or what is wrong, as sentences.
    reasons: Vec<String>,
    live_calls: usize,
    /// Null while no speech engine is ready.
    engine: Option<Engine>,
    audio: Audio,
    /// Null in the first second.
    machine: Option<Machine>,
    /// Null without a folder of knowledge.
    knowledge: Option<Knowledge>,
    /// Null without a remote agent.
    agent: Option<Today>,
    accounts: Vec<Account>,
    webhooks: Vec<Webhook>,
    bridges: Vec<Bridge>,
    handsets: Vec<Handset>,
    /// The database of calls and messages.
    history: Database,
    /// Null where no call is recorded.
    recordings: Option<Recordings>,
    /// Null until there was one.
    canary: Option<Canary>,
    version: &'static str,
}

/// Where the speech engine hears, and with what.
#[derive(Serialize, ToSchema)]
struct Engine {
    device: String,
    model: String,
    /// The neural voices, whether they speak or not, then the plain ones.
    voices: Vec<Voice>,
    turn_model: Option<TurnModel>,
}

#[derive(Serialize, ToSchema)]
struct Voice {
    name: String,
    device: String,
    fault: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct TurnModel {
    name: String,
    fault: Option<String>,
}

/// How the audio thread has kept time since the start.
#[derive(Serialize, ToSchema)]
struct Audio {
    ticks: u64,
    /// Null beyond the last bound.
    late_p50_us: Option<u64>,
    late_p999_us: Option<u64>,
    late_bounds_us: Vec<u64>,
    /// One more than there are bounds.
    late_counts: Vec<u64>,
    /// Frames and events that found their ring full.
    dropped: u64,
}

#[derive(Serialize, ToSchema)]
struct Knowledge {
    files: usize,
    passages: usize,
    left_out: Vec<LeftOut>,
}

#[derive(Serialize, ToSchema)]
struct LeftOut {
    reason: String,
    files: usize,
}

/// Whether an account is registered.
#[derive(Serialize, ToSchema)]
pub struct Account {
    name: String,
    /// `registering`, `registered`, `failing`, `open` (it does not register), `unreachable` or `ended`.
    state: &'static str,
    failing_since_ms: Option<u64>,
    registered_until_ms: Option<u64>,
    reason: Option<String>,
}

/// A system that is told what happens.
#[derive(Serialize, ToSchema)]
struct Webhook {
    name: String,
    /// Events that wait to be delivered.
    waiting: usize,
    delivered: u64,
    /// Events for which there was no room.
    lost: u64,
    /// It has said (410) that it wants nothing any more.
    is_gone: bool,
    /// Why the last attempt failed.
    fault: Option<String>,
}

/// A telephone bridge that the box connects to.
#[derive(Serialize, ToSchema)]
pub struct Bridge {
    name: String,
    /// `connecting`, `open` (a call can come) or `unreachable` (it is tried again).
    state: &'static str,
    /// Attempts in a row that came to nothing.
    failures: u32,
}

impl From<BridgeReport> for Bridge {
    fn from(report: BridgeReport) -> Self {
        let BridgeReport { name, is_open, failures } = report;
        let state = match (is_open, failures) {
            (true, _) => "open",
            (false, 0) => "connecting",
            (false, _) => "unreachable",
        };
        Self { name, state, failures }
    }
}

/// A handset or speakerphone of this machine.
#[derive(Serialize, ToSchema)]
struct Handset {
    name: String,
    /// `idle`, `ringing`, `talking`, or `away` (its sound card cannot be used).
    state: &'static str,
    /// Why that is, in words; where it can be used, what of it is not there (its bell).
    fault: Option<String>,
    /// Times that its sound card ran full or empty.
    xruns: u64,
    /// Frames that were not played.
    lost_frames: u64,
    /// By how many millionths the clocks of its microphone and its loudspeaker differ from the box's.
    drift_ppm: [i32; 2],
}

impl From<handset::Report> for Handset {
    fn from(report: handset::Report) -> Self {
        let handset::Report { name, state, fault, lack, figures } = report;
        let state = if fault.is_some() { "away" } else { state };
        let [microphone, loudspeaker, _] = figures.drift_ppm;
        Self {
            name,
            state,
            fault: fault.or(lack),
            xruns: figures.xruns.iter().sum(),
            lost_frames: figures.lost_frames,
            drift_ppm: [microphone, loudspeaker],
        }
    }
}

/// The database of calls and messages.
#[derive(Debug, Serialize, ToSchema)]
struct Database {
    /// It was looked through and takes calls.
    is_open: bool,
    /// Why nothing can be written at present.
    fault: Option<String>,
    /// A damaged database was set aside under this name in the state folder.
    set_aside: Option<String>,
    /// Calls and messages that wait to be written.
    waiting: usize,
    /// Calls and messages that are lost.
    lost: u64,
}

/// The recording of calls.
#[derive(Debug, Serialize, ToSchema)]
struct Recordings {
    /// Calls that are being recorded.
    recording: usize,
    /// Of all files.
    bytes: u64,
    /// Recordings that ended before their call, or could not begin.
    failed: u64,
    /// Why the last one did.
    fault: Option<String>,
}

impl From<recorder::Report> for Recordings {
    fn from(report: recorder::Report) -> Self {
        let recorder::Report { recording, bytes, failed, fault } = report;
        Self { recording, bytes, failed, fault }
    }
}

impl From<history::Report> for Database {
    fn from(report: history::Report) -> Self {
        // A file that is not taken over is told in the reasons.
        let history::Report { is_open, fault, not_taken_over: _, set_aside, waiting, lost } =
            report;
        Self { is_open, fault, set_aside, waiting, lost }
    }
}

/// What the last call of the box to itself has found.
#[derive(Serialize, ToSchema)]
struct Canary {
    at_ms: u64,
    is_well: bool,
    /// In words.
    told: String,
    /// Null where it was not well.
    greeted_ms: Option<u64>,
    answered_ms: Option<u64>,
}

impl From<CanaryReport> for Canary {
    fn from(report: CanaryReport) -> Self {
        let is_well = report.fault.is_none();
        Self {
            at_ms: report.at_ms,
            is_well,
            told: report.told(),
            greeted_ms: is_well.then_some(report.greeted_ms),
            answered_ms: is_well.then_some(report.answered_ms),
        }
    }
}

impl From<WebhookReport> for Webhook {
    fn from(report: WebhookReport) -> Self {
        let WebhookReport { name, waiting, delivered, lost, is_gone, fault } = report;
        Self { name, waiting, delivered, lost, is_gone, fault }
    }
}

impl Health {
    /// Whoever may not read it all gets the state alone.
    pub fn of(board: &Board, is_whole: bool) -> Self {
        let health = board.health();
        let (state, takes_calls) = (health.name(), health.takes_calls());
        if !is_whole {
            return Self::State(State { state, takes_calls });
        }
        Self::Whole(Box::new(Whole {
            state,
            takes_calls,
            reasons: health.reasons().to_vec(),
            live_calls: board.live_calls(),
            engine: board.hearing().map(Engine::from),
            audio: Audio::from(board.audio()),
            machine: board.watch().map(Machine::from),
            knowledge: board.knowledge().map(Knowledge::from),
            agent: board.agent().map(Today::from),
            accounts: board.accounts().into_iter().map(Account::from).collect(),
            bridges: board.bridges().into_iter().map(Bridge::from).collect(),
            handsets: board.handsets().into_iter().map(Handset::from).collect(),
            webhooks: board.webhooks().into_iter().map(Webhook::from).collect(),
            history: Database::from(board.history()),
            recordings: board.recordings().map(Recordings::from),
            canary: board.canary().map(Canary::from),
            version: env!("CARGO_PKG_VERSION"),
        }))
    }
}

impl From<Hearing> for Engine {
    fn from(hearing: Hearing) -> Self {
        let Hearing { device, model, voices, turn } = hearing;
        let voice =
            |VoiceReport { name, device, fault }: VoiceReport| Voice { name, device, fault };
        Self {
            device,
            model,
            voices: voices.into_iter().map(voice).collect(),
            turn_model: turn.map(|turn| TurnModel { name: turn.name, fault: turn.fault }),
        }
    }
}

impl From<AudioFigures> for Audio {
    fn from(figures: AudioFigures) -> Self {
        Self {
            ticks: figures.late_counts.iter().sum(),
            late_p50_us: figures.late_p50_us,
            late_p999_us: figures.late_p999_us,
            late_bounds_us: BOUNDS_US.to_vec(),
            late_counts: figures.late_counts.to_vec(),
            dropped: figures.dropped,
        }
    }
}

impl From<knowledge::Report> for Knowledge {
    fn from(report: knowledge::Report) -> Self {
        let left_out = report.left_out.iter();
        let left_out =
            left_out.map(|(why, files)| LeftOut { reason: why.reason().to_owned(), files: *files });
        Self { files: report.files, passages: report.passages, left_out: left_out.collect() }
    }
}

impl From<AccountReport> for Account {
    fn from(report: AccountReport) -> Self {
        Self {
            name: report.name,
            state: report.state,
            failing_since_ms: report.since_ms,
            registered_until_ms: report.until_ms,
            reason: report.reason,
        }
    }
}
