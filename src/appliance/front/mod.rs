//! The front process: everything but the models, from start to shutdown.
//!
//! | thread | what it runs |
//! |---|---|
//! | main | waits for the end, feeds systemd's watchdog while the others' hearts beat |
//! | net | `net::Net`: SIP, calls, conversations |
//! | audio | `appliance::audio`: every call's media |
//! | speech link | `appliance::engine`: the engine's child and socket |
//! | relays | `appliance::relays`, where TURN servers are configured |
//! | web | `web`: API and status page |
//! | websocket | `appliance::audio_legs`: the sound of calls by WebSocket |
//! | history, history-reader | `store::history` |
//! | gpu | `appliance::gpu`: looks at GPU and box once a second |
//! | flights | `store::flights`, where calls are recorded |
//! | recorder | `appliance::recorder`, where calls are recorded |
//! | hs-NAME | `appliance::handset`: the sound of a handset, one each |
//! | ledger, campaigns | `store::ledger` and `appliance::campaigns`, where calls may be made |
//!
//! A start that cannot succeed fails before anything answers, with an error that names key or file.

mod agents;
mod announcing;
mod dialler;
mod errands;
mod guard;
mod interface;
mod net;
mod reload;
mod rendering;
pub mod safe;
mod settings;
mod startable;
mod switchboard;
mod voice_trial;
mod watching;

pub use super::accounts::plans as accounts;
pub use settings::{EngineWish, engine as engine_place, own_engine, srtp_warnings, tongues};
pub use startable::startable;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc as mpsc_async, watch};

use super::accounts::{Accounts, Plan, Resolved, Resolver};
use super::associations::Associations;
use super::audio::{self, AudioThread};
use super::audio_legs::AudioLegs;
use super::canary::{self, Canary};
use super::chance;
use super::config::{self, Config};
use super::engine::link::Link;
use super::engine::{Engine, EngineEvent};
use super::gpu::{Gauge, Protection};
use super::handset::Handsets;
use super::llm::{Llm, ModelEvent};
use super::lookup::{LookUpAnswer, LookUps};
use super::media_address::MediaAddress;
use super::outside::Outside;
use super::paths::Paths;
use super::places::Places;
use super::realtime;
use super::recorder::Recorder;
use super::relays::{News, Relays};
use super::ringcentral::{self, RingCentral};
use super::rings;
use super::rtp_socket::{PortRange, RtpSockets};
use super::shutdown::Shutdown;
use super::sip_line::SipLine;
use super::sip_socket::{Arrival, ListenError, SipSockets};
use super::start_error::StartError;
use super::visits::Visits;
use super::voicemail::{self, Voicemail};
use super::ways::Ways;
use crate::appliance::pulse::Pulse;
use crate::association::Identity;
use crate::base::{Entropy, LanguageCode, limits};
use crate::call::language::{Tongue, Tongues};
use crate::call::{self, media, render_list};
use crate::converse::llm::Fault;
use crate::converse::{Conversation, fixed_phrases};
use crate::sip::UserAgent;
use crate::store::flights::{self, FlightLog};
use crate::store::history::{History, HistoryThreads};
use crate::store::instance;
use crate::store::ledger::LedgerFile;
use crate::store::recordings::Shelf;
use crate::store::restored;
use crate::web::{Board, Health};
use agents::AgentRule;
use announcing::Announcing;
use dialler::Dialler;
use errands::Errands;
use guard::Guard;
use interface::Bound;
use net::{Net, Sources};
use reload::Reload;
use rendering::Rendering;
use switchboard::{Parts, Switchboard};
use watching::Watch;

/// What whoever runs the program asks of it.
#[derive(Debug)]
pub struct Signals {
    pub shutdown: Shutdown,
    /// What can be is to be read anew.
    pub hung_up: mpsc_async::Receiver<()>,
}

/// Runs the appliance until `shutdown`, or until it has shown that it cannot work.
pub fn run(
    config: &Config,
    config_path: Option<&Path>,
    paths: &Paths,
    signals: Signals,
) -> Result<(), StartError> {
    let (call, ports, plans, interface) = checked(config, config_path, paths)?;
    let runtime = runtime()?;
    let (sockets, arrivals) = runtime.block_on(open_sip(config))?;
    announce(config, config_path, paths);
    let mut entropy = chance::entropy().map_err(system("no random numbers"))?;
    let board = starting();
    let not_restored = take_over(config, paths);
    let kept = start_history(config, paths, &board)?;
    let mut rings = open_rings(config)?;
    let recorder = start_recorder(config, paths, &board, &mut rings)?;
    let (audio, mut standing) = start_audio(rings.audio, entropy.fork(), config)?;
    standing.extend(unsafe_keys(config).into_iter().chain(interface::warnings(config)));
    let (legs, wished, door) = interface::audio_legs(config, entropy.fork(), &board)?;
    let hooks = ringcentral::Hooks::new(config, &mut entropy);
    let doors = interface::Doors { legs: door, hooks: hooks.clone() };
    standing.extend(interface.fault().map(str::to_owned).into_iter().chain(not_restored));
    let (web, calling, commands) = interface.start(config, &board, doors, entropy.fork())?;
    let _webhooks = interface::webhooks(config, paths, &board)?;
    let (link, answers) = start_engine(config, config_path, paths)?;
    let others = [("speech link", link.pulse()), ("web", web.pulse()), ("websocket", legs.pulse())];
    let reload = (signals.hung_up, Reload::new(config_path, paths));
    let (watch, pulse, reloaded) = Watch::new(rings.shared, &board, others, reload);
    let engine: Arc<dyn Engine> = Arc::new(link);
    let speakers = settings::speakers(config, &call.tongues);
    let (voicemail, taped) = start_voicemail(config, paths, &board, &engine)?;
    let errands = Errands::new(Arc::clone(&engine), speakers.clone());
    let rendering = Rendering::new(speakers, rendered_phrases(&call));
    let languages: Vec<LanguageCode> = call.tongues.iter().map(|tongue| tongue.code).collect();
    let (llm, thoughts, model) = start_model(&runtime, config, &call.tongues, &mut standing)?;
    let (look_ups, looked_up) = start_look_ups(config, &board)?;
    let (agents, of_agents) = agents::start(config, paths, &mut standing)?;
    let dialler = open_dialler(config, paths, &mut standing);
    let ledger = dialler.written();
    let (accounts, resolved) = open_accounts(config, plans, paths, &mut entropy, &mut standing);
    let (ringcentral, news) = start_ringcentral(&runtime, config, (paths, &hooks), &mut entropy)?;
    let (media_address, ways, lent) = open_ways(&runtime, config)?;
    let public = media_address.told();
    let canary = settings::canary(config, &mut entropy);
    let parts = Parts {
        sip: sip_line(config, sockets, &mut entropy),
        visits: open_visits(config, &media_address, &mut entropy, legs)?,
        places: Places::new(rings.net).with_lines(config.calls.max.count()),
        associations: open_associations(&mut entropy)?,
        ports,
        agent_rule: AgentRule::of(config, agents.is_some()),
        errands: errands.with_model(llm).with_look_ups(look_ups).with_agents(agents),
        accounts,
        ringcentral,
        dialler,
        on_machine: config.on_machine,
        board: Arc::clone(&board),
        entropy,
        admission: config.admission(),
        media_address,
        ways,
        languages: config.language_rules(call.tongues.default_one().code),
        call,
        has_operators: config.operators.enabled,
        referrals: config.inbound.refer,
        canary: canary.as_ref().map(|canary| canary.name.clone()),
        flights: open_flights(config, paths)?,
        recorder,
        voicemail,
    };
    let does = (Switchboard::new(net::now(), parts), rendering);
    let tells = (kept.history(), Arc::clone(&board), pulse);
    let net = open_net(config, does, tells, (standing, languages))?;
    let sources = Sources {
        wake: listening(&runtime, rings.wake)?,
        arrivals,
        engine,
        answers,
        thoughts,
        looked_up,
        agent: of_agents,
        resolved,
        ringcentral: news,
        wished,
        model,
        commands,
        ledger,
        public,
        taped,
        relays: lent,
        reloaded,
        shutdown: signals.shutdown,
    };
    let _campaigns = interface::callers(calling, &board)?;
    let _canary = start_canary(canary, &board)?;
    run_net(runtime, (net, sources), (audio, kept), watch)
}

/// What a start needs of the configuration, and its sockets.
type Checked = (call::Settings, PortRange, Vec<Plan>, Bound);

/// What can be found wrong before anything is begun.
fn checked(
    config: &Config,
    config_path: Option<&Path>,
    paths: &Paths,
) -> Result<Checked, StartError> {
    super::soundness::places(config, paths.state(), config_path)?;
    super::soundness::secrets(config, paths.state())?;
    let call = settings::call(config)?;
    let ports = checked_ports(config)?;
    settings::check_model(config)?;
    Ok((call, ports, accounts(config)?, Bound::new(config, config_path, paths)?))
}

/// What of the secrets that the configuration wants is not there, or does not fit.
pub fn missing_secrets(config: &Config, state: &Path) -> Vec<StartError> {
    let all = [
        interface::access(config).map(drop),
        interface::receivers(config).map(drop),
        interface::bridges(config).map(drop),
        settings::recordings(config, state).map(drop),
        settings::questions(config).map(drop),
        settings::relays(config).map(drop),
        ringcentral::applications(config).map(drop),
        accounts(config).map(drop),
    ];
    all.into_iter().filter_map(Result::err).collect()
}

/// What the owner looks for first: where calls and the page are, and by which files.
fn announce(config: &Config, config_path: Option<&Path>, paths: &Paths) {
    let sip: Vec<String> = config.sip.listen.iter().map(ToString::to_string).collect();
    let file = config_path.map_or("none".into(), Path::to_string_lossy);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        sip = sip.join(" "),
        page = format!("http://{}/", config.web.listen),
        config = &*file,
        state = %paths.state().display(),
        "starting"
    );
}

fn open_rings(config: &Config) -> Result<rings::Rings, StartError> {
    let places = u16::try_from(places(config)).unwrap_or(u16::MAX);
    let mut rings = rings::allocate(places).map_err(system("cannot allocate the rings"))?;
    if config.operators.enabled {
        rings.observable();
    }
    Ok(rings)
}

/// In the audio thread: one for each call, and those of people who listen.
fn places(config: &Config) -> usize {
    let operators = if config.operators.enabled { limits::OPERATORS } else { 0 };
    config.calls.max.count() + operators
}

/// What a backup has brought takes its place; why it does not, for the owner.
fn take_over(config: &Config, paths: &Paths) -> Option<String> {
    let error = restored::take_over(paths.state(), config.knowledge.as_deref()).err()?;
    let text = format!("what the backup has brought waits for the next start: {error}");
    tracing::error!("{text}");
    Some(text)
}

fn starting() -> Arc<Board> {
    let board = Arc::new(Board::default());
    let waiting_for = vec!["the speech engine to load its models".to_owned()];
    board.set_health(Health::Starting { waiting_for });
    board
}

/// What the audio thread wakes us by.
fn listening(
    runtime: &Runtime,
    wake: std::os::unix::net::UnixStream,
) -> Result<UnixStream, StartError> {
    let _context = runtime.enter();
    UnixStream::from_std(wake).map_err(system("cannot wait for sound"))
}

/// The audio thread, and what the kernel refuses it.
fn start_audio(
    side: rings::AudioSide,
    entropy: Entropy,
    config: &Config,
) -> Result<(AudioThread, Vec<String>), StartError> {
    let media = media::Settings { timeout: Some(limits::MEDIA_TIMEOUT), timeout_on_hold: false };
    let config::RealTime { priority, audio_core } = config.real_time;
    let core = realtime::roles(audio_core).audio;
    let wish = realtime::Wish { priority, core };
    let (audio, refused) = audio::spawn(side, media, entropy, wish)
        .map_err(system("cannot start the audio thread"))?;
    let standing: Vec<String> = refused.iter().map(|r| r.text().to_owned()).collect();
    standing.iter().for_each(|text| tracing::warn!("{text}"));
    Ok((audio, standing))
}

/// The engine and what comes from it.
type EngineParts = (Link, mpsc_async::Receiver<EngineEvent>);

fn start_engine(
    config: &Config,
    config_path: Option<&Path>,
    paths: &Paths,
) -> Result<EngineParts, StartError> {
    let place = settings::engine(config, config_path, paths)?;
    Link::start(place).map_err(system("cannot start the speech link"))
}

/// Calls of our own to the first address that takes datagrams, or to the first that takes any.
fn start_canary(
    settings: Option<canary::Settings>,
    board: &Arc<Board>,
) -> Result<Option<Canary>, StartError> {
    let Some(settings) = settings else { return Ok(None) };
    let started = canary::start(settings, Arc::clone(board));
    started.map(Some).map_err(system("cannot start the canary's thread"))
}

/// The thread that looks at GPU and box, and what is made of it.
/// What the net thread does, whom it tells, and what it knows from the start.
fn open_net(
    config: &Config,
    (switchboard, rendering): (Switchboard, Rendering),
    (history, board, pulse): (History, Arc<Board>, Pulse),
    (standing, languages): (Vec<String>, Vec<LanguageCode>),
) -> Result<Net, StartError> {
    Ok(Net {
        switchboard,
        announcing: Announcing::new(rendering.speakers()),
        rendering,
        history,
        board,
        pulse,
        standing,
        wants_gpu: settings::wants_gpu(config),
        languages,
        detects: config.detects_languages(),
        guard: open_guard(config)?,
        shown: net::Shown::default(),
    })
}

fn open_guard(config: &Config) -> Result<Guard, StartError> {
    let gauge = Gauge::start(settings::gpu(config))
        .map_err(system("cannot start the thread that looks at the GPU"))?;
    Ok(Guard::new(gauge, Protection::new(config.protection())))
}

/// The owner's systems and what they answer.
fn start_look_ups(
    config: &Config,
    board: &Arc<Board>,
) -> Result<(LookUps, mpsc_async::Receiver<LookUpAnswer>), StartError> {
    let (questions, knowledge) =
        (settings::questions(config)?, settings::knowledge(config, board)?);
    let roots = settings::roots(questions.iter().any(|question| question.address.tls))?;
    Ok(LookUps::new(questions, &roots, knowledge))
}

/// The sockets of `sip.listen`, with TLS under those that want it.
async fn open_sip(
    config: &Config,
) -> Result<(SipSockets, mpsc_async::Receiver<Arrival>), StartError> {
    let listen: Vec<_> = config.sip.listen.iter().map(settings::listen).collect();
    let names = config.sip.hosts.clone().into();
    let opened = SipSockets::open_named(&listen, settings::tls(config)?, &names);
    opened.await.map_err(start_error)
}

/// The model's server, what comes from it, and what is wrong with it; without one nothing comes.
type ModelParts = (Option<Llm>, mpsc_async::Receiver<ModelEvent>, watch::Receiver<Option<Fault>>);

fn start_model(
    runtime: &Runtime,
    config: &Config,
    tongues: &Tongues,
    standing: &mut Vec<String>,
) -> Result<ModelParts, StartError> {
    let _context = runtime.enter();
    let Some(settings) = settings::llm(config)? else {
        return Ok((None, mpsc_async::channel(1).1, watch::channel(None).1));
    };
    if settings::hears_too_little(config) {
        tracing::warn!(
            "speech.whisper_model is empty: the built-in ear hears the words of such a desk only, \
             so the model will get few others; see `attendant models list`"
        );
    }
    let warnings = settings::llm_warnings(&settings, |name| std::env::var(name).ok());
    warnings.iter().for_each(|text| tracing::warn!("{text}"));
    standing.extend(warnings);
    let beginning = Conversation::model_beginning(&tongues.default_one().playbook);
    let (llm, thoughts) = Llm::start(settings, beginning);
    let health = llm.health();
    Ok((Some(llm), thoughts, health))
}

/// Runs the net thread and watches over it from this one.
fn run_net(
    runtime: Runtime,
    (net, sources): (Net, Sources),
    (audio, kept): (AudioThread, HistoryThreads),
    watch: Watch,
) -> Result<(), StartError> {
    let (ended, end) = mpsc_async::channel(1);
    let thread = std::thread::Builder::new()
        .name("net".to_owned())
        .spawn(move || {
            let outcome = to_the_end(runtime, net.run(sources));
            // The receiver waits for this message and outlives it.
            let _ = ended.try_send(outcome);
        })
        .map_err(system("cannot start the net thread"))?;
    let outcome = watch.run(end);
    // How it ended has been told by the channel.
    let _ = thread.join();
    drop(audio);
    // The last calls have ended by now, and are written before the program ends.
    drop(kept);
    tracing::info!("stopped");
    outcome
}

/// Runs it and leaves what the runtime's other threads still do, such as asking for the address of a
/// model's server: a resolver that does not answer would hold up the end.
fn to_the_end<T>(runtime: Runtime, run: impl Future<Output = T>) -> T {
    let outcome = runtime.block_on(run);
    runtime.shutdown_background();
    outcome
}

/// What is rendered before the first call, language by language.
fn rendered_phrases(call: &call::Settings) -> Vec<(LanguageCode, String)> {
    let of = |tongue: &Tongue| {
        let code = tongue.code;
        let mut phrases = fixed_phrases(&tongue.playbook);
        let converse = &call.converse;
        let sentences = [&converse.consent, &converse.announced, &converse.back];
        phrases.extend(sentences.iter().filter_map(|known| known.get(code.as_str()).cloned()));
        render_list(&phrases, code).into_iter().map(move |phrase| (code, phrase))
    };
    call.tongues.iter().flat_map(of).collect()
}

fn sip_line(config: &Config, sockets: SipSockets, entropy: &mut Entropy) -> SipLine {
    let agent = UserAgent::new(settings::agent(config, sockets.listening()), entropy.fork());
    SipLine::new(agent, sockets)
}

/// Shows at start that every call will find its ports, instead of at the call that does not.
fn checked_ports(config: &Config) -> Result<PortRange, StartError> {
    let mut ports = settings::ports(config);
    let needed = places(config);
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let bound: Vec<RtpSockets> = (0..needed).map_while(|_| ports.bind(any).ok()).collect();
    match bound.len() {
        free if free < needed => {
            Err(StartError::PortsExhausted { range: config.media.ports, free, needed })
        }
        _ => Ok(ports),
    }
}

/// Calls that are no SIP: of pages, by WebSocket, and of handsets of this machine.
fn open_visits(
    config: &Config,
    media_address: &MediaAddress,
    entropy: &mut Entropy,
    legs: AudioLegs,
) -> Result<Visits, StartError> {
    let lines = config.calls.max.count();
    let priority = config.real_time.priority;
    let handsets = Handsets::start(config.handsets.clone(), priority, entropy.fork());
    let handsets = handsets.map_err(system("cannot start the thread of a handset"))?;
    let visits = Visits::new(media_address.clone(), entropy.fork(), lines);
    Ok(visits.with_audio(legs).with_handsets(handsets))
}

/// Handshakes of calls, with a certificate that is made now and shown until the end.
fn open_associations(entropy: &mut Entropy) -> Result<Associations, StartError> {
    let identity = Identity::new().map_err(std::io::Error::other);
    let identity = identity.map_err(system("cannot make a certificate"))?;
    Ok(Associations::new(identity, entropy.fork()))
}

/// What calls leave behind. A disk that takes nothing prevents no calls: it is told where the owner looks.
fn start_history(
    config: &Config,
    paths: &Paths,
    board: &Arc<Board>,
) -> Result<HistoryThreads, StartError> {
    let settings = settings::history(config, paths.state());
    let shown = Arc::clone(board);
    let threads = HistoryThreads::start(settings, move |report| shown.set_history(report))
        .map_err(system("cannot start the threads of the database"))?;
    board.keep_in(threads.history());
    Ok(threads)
}

/// Who records calls, where that is wanted; recordings of before can be heard in any case.
fn start_recorder(
    config: &Config,
    paths: &Paths,
    board: &Arc<Board>,
    rings: &mut rings::Rings,
) -> Result<Option<Recorder>, StartError> {
    let (settings, key) = settings::recordings(config, paths.state())?;
    board.keep_recordings(Shelf { folder: settings.folder.clone(), key });
    if !config.recordings.enabled {
        return Ok(None);
    }
    tracing::warn!("recordings.enabled: calls are recorded, and told so");
    let shown = Arc::clone(board);
    let tell = move |report| shown.set_recordings(report);
    let started = Recorder::start(settings, rings.tapped(), tell);
    started.map(Some).map_err(system("cannot start the thread that records calls"))
}

/// Who keeps messages after the tone; the caller leaves them knowingly, whether calls are recorded or not.
fn start_voicemail(
    config: &Config,
    paths: &Paths,
    board: &Arc<Board>,
    engine: &Arc<dyn Engine>,
) -> Result<(Voicemail, mpsc_async::Receiver<voicemail::News>), StartError> {
    let (files, key) = settings::voicemail(config, paths.state())?;
    board.keep_voicemail(Shelf { folder: files.folder.clone(), key });
    let longest = config.voicemail.ends.longest;
    let (engine, board) = (Arc::clone(engine), Arc::clone(board));
    Voicemail::start(voicemail::Parts { files, longest, engine, board })
        .map_err(system("cannot start the thread of messages"))
}

fn open_flights(config: &Config, paths: &Paths) -> Result<Option<FlightLog>, StartError> {
    let Some(flights) = &config.calls.flights else { return Ok(None) };
    let folder = paths.state().join("flights");
    tracing::warn!(
        folder = %folder.display(),
        "calls.flight_record: every call is recorded with its sound and words"
    );
    let settings = flights::Settings { folder, files: flights.files, bytes: flights.bytes };
    let opened = FlightLog::open(settings);
    opened.map(Some).map_err(system("cannot keep flight records in the state folder"))
}

/// Keys of encrypted sound that travel for everybody to read: told in the log and on the page.
fn unsafe_keys(config: &Config) -> Vec<String> {
    let told = srtp_warnings(config);
    told.iter().for_each(|text| tracing::warn!("{text}"));
    told
}

/// Where calls may be made, with the count of those that were. A count that cannot be read or kept
/// prevents these calls, and no others.
fn open_dialler(config: &Config, paths: &Paths, standing: &mut Vec<String>) -> Dialler {
    let settings = config.dial.clone();
    if settings.permission.is_on().is_err() {
        return Dialler::new(settings, None);
    }
    let path = paths.state().join("dialled.json");
    let kept = LedgerFile::open(&path).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        let cause = cause.unwrap_or_default();
        let text = format!("dial: nobody is called: {}: {error}{cause}", path.display());
        tracing::error!("{text}");
        standing.push(text);
    });
    Dialler::new(settings, kept.ok())
}

/// The tasks of RingCentral's extensions, and what they tell.
fn start_ringcentral(
    runtime: &Runtime,
    config: &Config,
    (paths, hooks): (&Paths, &ringcentral::Hooks),
    entropy: &mut Entropy,
) -> Result<(RingCentral, mpsc_async::Receiver<ringcentral::News>), StartError> {
    let _context = runtime.enter();
    let roots = settings::roots(!config.ringcentral.is_empty())?;
    let asks = ringcentral::asks(config, paths.state(), &roots, hooks)?;
    Ok(RingCentral::start(asks, entropy))
}

/// Where calls are told that we are, by which ways those with ICE find us, and what relays tell.
fn open_ways(
    runtime: &Runtime,
    config: &Config,
) -> Result<(MediaAddress, Ways, mpsc_async::Receiver<News>), StartError> {
    let _context = runtime.enter();
    let media_address = MediaAddress::start(config.media.address.clone());
    let outside = Outside::start(settings::seen_by(config));
    let side = config.media.ice;
    let Some(settings) = settings::relays(config)? else {
        let ways = Ways::new(side, outside, None, false);
        return Ok((media_address, ways, mpsc_async::channel(1).1));
    };
    let (started, news) = Relays::start(settings).map_err(system("cannot start the relays"))?;
    let ways = Ways::new(side, outside, Some(started), config.media.turn.only);
    Ok((media_address, ways, news))
}

/// The accounts, and what comes of asking for their names. Each has the URN of this box.
fn open_accounts(
    config: &Config,
    mut plans: Vec<Plan>,
    paths: &Paths,
    entropy: &mut Entropy,
    standing: &mut Vec<String>,
) -> (Accounts, mpsc_async::Receiver<Resolved>) {
    if !plans.is_empty() {
        let path = paths.state().join("instance");
        let (urn, fault) = instance::open(&path, entropy);
        if let Some(error) = fault {
            let path = path.display();
            let text = format!("accounts: the box is a new one after each start: {path}: {error}");
            tracing::error!("{text}");
            standing.push(text);
        }
        plans.iter_mut().for_each(|plan| plan.instance = Some(urn.clone()));
    }
    let (resolver, resolved) = Resolver::new(entropy.fork());
    let accounts = Accounts::new(plans, settings::callers(config), resolver, entropy);
    (accounts, resolved)
}

fn runtime() -> Result<Runtime, StartError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(system("cannot start the net thread's runtime"))
}

fn system(what: &'static str) -> impl Fn(std::io::Error) -> StartError {
    move |source| StartError::System { what, source }
}

fn start_error(error: ListenError) -> StartError {
    StartError::from_bind("sip.listen", error.listen.address, error.source)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_end_waits_for_no_name_that_is_being_looked_up() {
        let runtime = runtime().unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (told, is_over) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let outcome = to_the_end(runtime, async move {
                let (begin, begun) = tokio::sync::oneshot::channel();
                // As the resolver does it.
                tokio::task::spawn_blocking(move || {
                    begin.send(()).unwrap();
                    released.recv()
                });
                begun.await.unwrap();
                7
            });
            told.send(outcome).unwrap();
        });
        let outcome = is_over.recv_timeout(Duration::from_secs(60));
        drop(release);
        thread.join().unwrap();
        assert_eq!(outcome, Ok(7));
    }
}
