//! Safe mode: what is left when the front cannot start or has ended again and again. Each call is answered with a
//! recorded sentence; the page and `/health` say what is wrong.
//!
//! One thread, the SIP core and one `Media` a call: no engine, no playbook, no model, no threads beside the page's.
//! Whatever of the configuration can be read holds (`rescue`).

mod desk;
mod rescue;
mod sentence;

pub use rescue::{Rescued, ended, rescue};

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use self::desk::{Desk, Parts};
use super::interface::{Bound, Doors, sound_tokens};
use super::{open_sip, runtime, settings, system};
use crate::appliance::accounts::{Accounts, Resolved, Resolver, plans};
use crate::appliance::audio_legs::Door;
use crate::appliance::chance;
use crate::appliance::config::Config;
use crate::appliance::media_address::MediaAddress;
use crate::appliance::notify;
use crate::appliance::paths::Paths;
use crate::appliance::ringcentral::Hooks;
use crate::appliance::shutdown::Shutdown;
use crate::appliance::sip_line::SipLine;
use crate::appliance::sip_socket::Arrival;
use crate::appliance::start_error::StartError;
use crate::base::Entropy;
use crate::base::pcm::FRAME_MS;
use crate::sip::UserAgent;
use crate::store::instance;
use crate::web::{Board, Health, WebThread};

/// The end waits so long for calls and registrations to be gone.
const FAREWELL: Duration = Duration::from_secs(2);
/// Accounts are shown this often.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// Answers calls until `shutdown`, or for as long as `lasts`. Whether it was the former.
pub fn run(
    rescued: Rescued,
    config_path: Option<&Path>,
    paths: &Paths,
    lasts: Option<Duration>,
    mut shutdown: Shutdown,
) -> Result<bool, StartError> {
    let Rescued { config, mut reasons, folder } = rescued;
    let runtime = runtime()?;
    let mut entropy = chance::entropy().map_err(system("no random numbers"))?;
    let (sentence, fault) = sentence::read(folder.as_deref(), config.speech.language);
    reasons.extend(fault);
    let board = Arc::new(Board::default());
    // The page says it from its first answer on.
    board.set_health(Health::Safe { reasons: reasons.clone() });
    let _web = show(&config, (config_path, paths), &board, &mut reasons, entropy.fork());
    let (line, arrivals) = runtime.block_on(open_line(&config, &mut reasons, &mut entropy))?;
    let _context = runtime.enter();
    let (accounts, resolved) = open_accounts(&config, paths, &mut reasons, &mut entropy);
    reasons.iter().for_each(|text| tracing::error!("{text}"));
    board.set_health(Health::Safe { reasons });
    let desk = Desk::new(Parts {
        sip: line,
        accounts,
        ports: settings::ports(&config),
        address: MediaAddress::start(config.media.address.clone()),
        offering: config.offering(),
        most: config.calls.max.count(),
        sentence: sentence.into(),
        board: Arc::clone(&board),
        entropy,
    });
    notify::ready(&board.status_line());
    runtime.block_on(serve(desk, Sources { arrivals, resolved }, &board, lasts, &mut shutdown));
    tracing::info!("stopped");
    Ok(shutdown.is_requested())
}

/// What comes from outside.
struct Sources {
    arrivals: mpsc::Receiver<Arrival>,
    resolved: mpsc::Receiver<Resolved>,
}

async fn serve(
    mut desk: Desk,
    mut sources: Sources,
    board: &Board,
    lasts: Option<Duration>,
    shutdown: &mut Shutdown,
) {
    let over = lasts.map(|lasts| Instant::now() + lasts);
    desk.start(Instant::now());
    let mut ticks = tokio::time::interval(Duration::from_millis(FRAME_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut shown = Instant::now();
    let alive_every = notify::alive_interval();
    let mut alive = Instant::now();
    while !shutdown.is_requested() && over.is_none_or(|over| Instant::now() < over) {
        tokio::select! {
            () = shutdown.requested() => {}
            _ = ticks.tick() => desk.tick(Instant::now()),
            Some(arrival) = sources.arrivals.recv() => desk.arrival(Instant::now(), arrival),
            Some(answer) = sources.resolved.recv() => desk.resolved(Instant::now(), answer),
        }
        let now = Instant::now();
        if alive_every.is_some_and(|every| now.saturating_duration_since(alive) >= every) {
            alive = now;
            notify::alive();
        }
        if now.saturating_duration_since(shown) >= SHOW_EVERY {
            shown = now;
            desk.show_accounts(now);
            notify::status(&board.status_line());
        }
    }
    notify::stopping("Stopping");
    desk.stop(Instant::now());
    let end = Instant::now() + FAREWELL;
    while desk.is_busy() && Instant::now() < end {
        tokio::select! {
            _ = ticks.tick() => desk.tick(Instant::now()),
            Some(arrival) = sources.arrivals.recv() => desk.arrival(Instant::now(), arrival),
        }
    }
}

/// The page; that it cannot be had is told and keeps nobody from being answered.
fn show(
    config: &Config,
    (config_path, paths): (Option<&Path>, &Paths),
    board: &Arc<Board>,
    reasons: &mut Vec<String>,
    mut entropy: Entropy,
) -> Option<WebThread> {
    let (config, faults) = &sound_tokens(config);
    reasons.extend(faults.iter().cloned());
    let bound = Bound::new(config, config_path, paths).or_else(|error| {
        reasons.push(error.to_string());
        Bound::new(&Config::default(), config_path, paths)
    });
    // Of RingCentral's no event is wanted.
    let hooks = Hooks::new(&Config::default(), &mut entropy);
    let doors = Doors { legs: Door::closed(), hooks };
    if let Ok(bound) = &bound {
        reasons.extend(bound.fault().map(str::to_owned));
    }
    let started = bound.and_then(|bound| bound.start(config, board, doors, entropy));
    // Nobody carries out what is asked there.
    started.map(|(web, ..)| web).map_err(|error| reasons.push(error.to_string())).ok()
}

/// The sockets; without the certificates of the configuration those that need none.
async fn open_line(
    config: &Config,
    reasons: &mut Vec<String>,
    entropy: &mut Entropy,
) -> Result<(SipLine, mpsc::Receiver<Arrival>), StartError> {
    let opened = match open_sip(config).await {
        Err(error @ StartError::BadFile { .. }) => {
            reasons.push(error.to_string());
            open_sip(&rescue::without_tls(config)).await
        }
        opened => opened,
    };
    let (sockets, arrivals) = opened?;
    let agent = UserAgent::new(settings::agent(config, sockets.listening()), entropy.fork());
    Ok((SipLine::new(agent, sockets), arrivals))
}

/// The accounts with a password; they are registered, or nobody's call would come.
fn open_accounts(
    config: &Config,
    paths: &Paths,
    reasons: &mut Vec<String>,
    entropy: &mut Entropy,
) -> (Accounts, mpsc::Receiver<Resolved>) {
    let own = Config { ringcentral: Vec::new(), ..config.clone() };
    let mut plans = plans(&own).unwrap_or_else(|error| {
        reasons.push(error.to_string());
        Vec::new()
    });
    if !plans.is_empty() {
        let (urn, _) = instance::open(&paths.state().join("instance"), entropy);
        plans.iter_mut().for_each(|plan| plan.instance = Some(urn.clone()));
    }
    let (resolver, resolved) = Resolver::new(entropy.fork());
    (Accounts::new(plans, settings::callers(config), resolver, entropy), resolved)
}
