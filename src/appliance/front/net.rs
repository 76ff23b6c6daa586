//! The net thread's loop: waits for whatever comes next and gives it to the switchboard.
//!
//! One thread owns all calls, so nothing in a call is ever locked. The loop turns at least once a
//! second, which is its heartbeat.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};

use super::agents;
use super::announcing::Announcing;
use super::guard::Guard;
use super::reload::Reloaded;
use super::rendering::{Rendered, Rendering};
use super::switchboard::Switchboard;
use super::voice_trial::VoiceTrial;
use crate::appliance::accounts::{Resolved, Shown as AccountShown};
use crate::appliance::agent::{AgentEvent, Figures};
use crate::appliance::audio_legs::Wanted;
use crate::appliance::clock::unix_ms;
use crate::appliance::config::Log;
use crate::appliance::engine::{Asker, Engine, EngineEvent, EngineState};
use crate::appliance::llm::ModelEvent;
use crate::appliance::log;
use crate::appliance::lookup::LookUpAnswer;
use crate::appliance::notify;
use crate::appliance::pulse::{BEAT, Pulse};
use crate::appliance::relays;
use crate::appliance::ringcentral;
use crate::appliance::rings;
use crate::appliance::shutdown::Shutdown;
use crate::appliance::sip_socket::Arrival;
use crate::appliance::start_error::StartError;
use crate::appliance::stun::Public;
use crate::appliance::voicemail;
use crate::base::LanguageCode;
use crate::call::admission::Readiness;
use crate::call::language::Abilities;
use crate::call::{self, Cause};
use crate::converse::llm::Fault;
use crate::speech::protocol::{Ready, TurnReport, VoiceReport};
use crate::store::history::{History, Left};
use crate::store::ledger::Written;
use crate::web::{Board, Command, Health, Hearing};

const _: () = assert!(BEAT.as_millis() * 4 <= super::watching::NET_SILENCE.as_millis());
/// Time in which calls are told goodbye at shutdown, and in which who talks to somebody else by us may go on. With
/// what comes after it the end takes less than 30 s.
const GOODBYE: Duration = Duration::from_secs(25);
/// Time that the ends of calls may take at shutdown: a lost BYE is sent twice more by then.
const FAREWELL: Duration = Duration::from_secs(2);
/// The watchdog sees that the end goes on.
const FAREWELL_BEAT: Duration = Duration::from_millis(200);

/// The user agent's counters are shown this often.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// What the loop listens to.
pub struct Sources {
    /// Readable when the audio thread has left something.
    pub wake: UnixStream,
    pub arrivals: mpsc::Receiver<Arrival>,
    pub engine: Arc<dyn Engine>,
    pub answers: mpsc::Receiver<EngineEvent>,
    /// Nothing comes where there is no model.
    pub thoughts: mpsc::Receiver<ModelEvent>,
    pub looked_up: mpsc::Receiver<LookUpAnswer>,
    /// Nothing comes where there is no remote agent.
    pub agent: mpsc::Receiver<AgentEvent>,
    pub resolved: mpsc::Receiver<Resolved>,
    /// Nothing comes where no extension of RingCentral's is configured.
    pub ringcentral: mpsc::Receiver<ringcentral::News>,
    /// From sessions by WebSocket, and from bridges that we have called.
    pub wished: mpsc::Receiver<Wanted>,
    /// What is wrong with the model's server.
    pub model: watch::Receiver<Option<Fault>>,
    /// What the interface asks for.
    pub commands: mpsc::Receiver<Command>,
    /// How far the calls that we make are counted on the disk.
    pub ledger: watch::Receiver<Written>,
    /// What a STUN server tells of our public address.
    pub public: watch::Receiver<Public>,
    /// What the disk has to say to messages after the tone.
    pub taped: mpsc::Receiver<voicemail::News>,
    /// What relays tell; nothing comes where there is none.
    pub relays: mpsc::Receiver<relays::News>,
    /// What calls from then on are held by.
    pub reloaded: mpsc::Receiver<Reloaded>,
    pub shutdown: Shutdown,
}

/// The loop with what it tells others.
pub struct Net {
    pub switchboard: Switchboard,
    pub rendering: Rendering,
    pub announcing: Announcing,
    pub history: History,
    pub board: Arc<Board>,
    /// Beats with every turn of the loop.
    pub pulse: Pulse,
    /// Sentences for the owner that stay true while the program runs.
    pub standing: Vec<String>,
    /// The owner counts on a GPU.
    pub wants_gpu: bool,
    /// The configured languages, the default first, and whether the model is to tell them apart.
    pub languages: Vec<LanguageCode>,
    pub detects: bool,
    pub guard: Guard,
    pub shown: Shown,
}

/// How the parts were found last, as the owner was shown them.
#[derive(Debug, Default)]
pub struct Shown {
    /// The engine has been ready once: from then on it is started again for ever.
    has_worked: bool,
    /// Languages without a voice.
    mute: Vec<LanguageCode>,
    model_fault: Option<Fault>,
    accounts: Vec<AccountShown>,
    /// The engine's neural voices, and its turn model.
    voices: Vec<VoiceReport>,
    turn: Option<TurnReport>,
    /// When the user agent's counters were.
    counted: Option<Instant>,
    agent: Option<Figures>,
    /// The program ends: nothing else is to be shown any more.
    is_stopping: bool,
    /// What is being rendered, to hold calls by it.
    renewal: Option<Renewal>,
    voice_trial: VoiceTrial,
}

#[derive(Debug)]
struct Renewal {
    rendering: Rendering,
    call: call::Settings,
    log: Log,
}

pub fn now() -> Instant {
    Instant::now()
}

impl Net {
    /// Runs until shutdown, or until the engine has shown at the start that it cannot work.
    pub async fn run(mut self, mut sources: Sources) -> Result<(), StartError> {
        let mut state = sources.engine.state();
        state.mark_changed();
        let mut shutdown = sources.shutdown.clone();
        while !shutdown.is_requested() {
            tokio::select! {
                () = shutdown.requested() => {}
                turned = self.turn(&mut sources, &mut state) => turned?,
            }
        }
        self.say_goodbye(&mut sources, &mut state).await?;
        self.farewell(&mut sources).await;
        Ok(())
    }

    /// Waits for one thing that happens, or for a beat, and does what follows from it. May be dropped while it
    /// waits.
    async fn turn(
        &mut self,
        sources: &mut Sources,
        state: &mut watch::Receiver<EngineState>,
    ) -> Result<(), StartError> {
        self.pulse.beat();
        tokio::select! {
            Ok(()) = sources.wake.readable() => {
                rings::empty(&sources.wake);
                self.switchboard.audio(now());
            }
            Some(arrival) = sources.arrivals.recv() => self.switchboard.arrival(now(), arrival),
            Some(event) = sources.answers.recv() => {
                self.answer(event, sources.engine.as_ref())?;
            }
            Some(event) = sources.thoughts.recv() => self.switchboard.thought(now(), event),
            Some(answer) = sources.looked_up.recv() => self.switchboard.looked_up(now(), answer),
            Some(event) = sources.agent.recv() => self.switchboard.agent(now(), event),
            Some(news) = sources.taped.recv() => self.switchboard.taped(now(), news),
            Some(answer) = sources.resolved.recv() => self.switchboard.resolved(now(), answer),
            Some(news) = sources.ringcentral.recv() => self.switchboard.ringcentral(now(), news),
            Some(wanted) = sources.wished.recv() => self.switchboard.audio_wanted(now(), wanted),
            Some(command) = sources.commands.recv() => self.command(command, sources.engine.as_ref()),
            Ok(()) = sources.ledger.changed() => {
                let written = *sources.ledger.borrow_and_update();
                self.switchboard.ledger_written(now(), written);
            }
            Ok(()) = sources.model.changed() => {
                self.shown.model_fault = *sources.model.borrow_and_update();
                self.show_health(sources.engine.as_ref());
            }
            Ok(()) = sources.public.changed() => {
                self.switchboard.media_fault().iter().for_each(|text| tracing::warn!("{text}"));
                self.show_health(sources.engine.as_ref());
            }
            Some(news) = sources.relays.recv() => {
                if self.switchboard.relay(now(), &news) {
                    self.switchboard.relay_fault().iter().for_each(|text| tracing::warn!("{text}"));
                    self.show_health(sources.engine.as_ref());
                }
            }
            Ok(()) = state.changed() => self.engine_changed(state, sources.engine.as_ref())?,
            Some(reloaded) = sources.reloaded.recv() => self.renew(reloaded, sources.engine.as_ref()),
            () = sleep_until(self.switchboard.deadline()) => self.switchboard.timeout(now()),
        }
        self.keep_messages();
        self.announce(sources.engine.as_ref());
        self.show_counters();
        self.look_at_parts(sources.engine.as_ref());
        self.look_at_accounts(sources.engine.as_ref());
        self.look_at_agents(sources.engine.as_ref());
        self.look_at_box(sources.engine.as_ref());
        Ok(())
    }

    fn command(&mut self, command: Command, engine: &dyn Engine) {
        match command {
            Command::TryVoice { phrase, told } => {
                self.shown.voice_trial.begin(phrase, told, engine)
            }
            command => self.switchboard.command(now(), command),
        }
    }

    /// What calls from here on are held by: taken once its phrases are rendered.
    fn renew(&mut self, reloaded: Reloaded, engine: &dyn Engine) {
        let Reloaded { call, log, speakers, phrases } = reloaded;
        let mut rendering = Rendering::new(speakers, phrases);
        rendering.begin(engine);
        self.shown.renewal = Some(Renewal { rendering, call, log });
        self.renewed();
    }

    fn renewed(&mut self) {
        let Some(mut renewal) = self.shown.renewal.take() else { return };
        let told = match renewal.rendering.finished() {
            Ok(None) => return self.shown.renewal = Some(renewal),
            Ok(Some(Rendered { shelf, faults, .. })) => {
                faults.iter().for_each(|text| tracing::warn!("{text}"));
                log::set(&renewal.log);
                self.switchboard.renew(renewal.call, shelf);
                tracing::info!("read anew: calls from here on are held by it");
                "Read anew".to_owned()
            }
            Err(error) => {
                tracing::error!(%error, "not read anew");
                format!("Not read anew: {error}")
            }
        };
        notify::ready(&told);
    }

    /// Takes no more calls, says goodbye in those that are up, and waits until they are over.
    async fn say_goodbye(
        &mut self,
        sources: &mut Sources,
        state: &mut watch::Receiver<EngineState>,
    ) -> Result<(), StartError> {
        self.shown.is_stopping = true;
        let calls = self.switchboard.calls();
        notify::stopping(&format!("Stopping: goodbye is said in {calls} calls"));
        if calls > 0 {
            tracing::info!(
                calls,
                "stopping: goodbye is said in the calls; another signal ends at once"
            );
        }
        self.board.set_health(Health::Stopping);
        self.switchboard.set_readiness(now(), Readiness::Draining);
        self.switchboard.stop_accounts(now());
        self.switchboard.leave_all(now());
        let end = now() + GOODBYE;
        while self.switchboard.calls() > 0 && now() < end {
            self.turn(sources, state).await?;
        }
        Ok(())
    }

    fn answer(&mut self, event: EngineEvent, engine: &dyn Engine) -> Result<(), StartError> {
        match event.asker {
            Asker::Call(_) => {
                self.switchboard.engine(now(), event);
                Ok(())
            }
            Asker::Appliance if self.shown.voice_trial.answer(&event) => Ok(()),
            Asker::Voicemail => {
                self.switchboard.transcribed(event);
                Ok(())
            }
            Asker::Appliance => {
                if let Some(renewal) = &mut self.shown.renewal {
                    renewal.rendering.answer(event.clone(), engine);
                    self.renewed();
                }
                if let Some((handsets, sound)) = self.announcing.answer(&event, engine) {
                    self.switchboard.announce_sound(&handsets, sound.reveal());
                }
                self.rendering.answer(event, engine);
                self.stock(engine)
            }
        }
    }

    /// Takes calls once all phrases are rendered.
    fn stock(&mut self, engine: &dyn Engine) -> Result<(), StartError> {
        let Some(Rendered { shelf, faults, mute }) = self.rendering.finished()? else {
            return Ok(());
        };
        tracing::info!(phrases = shelf.len(), "ready for calls");
        faults.iter().for_each(|text| tracing::warn!("{text}"));
        self.standing.extend(faults);
        self.shown.mute = mute;
        self.switchboard.stock(shelf);
        // It may have died since; then its return is waited for.
        if let EngineState::Ready(ready) = &*engine.state().borrow() {
            self.open(ready);
        }
        Ok(())
    }

    /// The watch channel shows the newest state only, so a restart may hide that it was down.
    fn engine_changed(
        &mut self,
        state: &mut watch::Receiver<EngineState>,
        engine: &dyn Engine,
    ) -> Result<(), StartError> {
        let is = state.borrow_and_update().clone();
        match is {
            EngineState::Ready(ready) => {
                self.shown.has_worked = true;
                self.switchboard.engine_is(now(), true);
                self.board.set_hearing(Some(hearing(&ready)));
                if self.rendering.is_finished() {
                    self.open(&ready);
                } else {
                    self.rendering.begin(engine);
                    self.stock(engine)?;
                }
            }
            EngineState::Starting => self.engine_lost("it is being started"),
            EngineState::Down { exit_code, reason, .. } => {
                if let Some(code) = exit_code.filter(|_| !self.shown.has_worked) {
                    return Err(StartError::EngineGone { code: u8::try_from(code).unwrap_or(1) });
                }
                self.engine_lost(&reason);
            }
        }
        Ok(())
    }

    /// A voice or the turn model may fail at any time; that is told once.
    fn look_at_parts(&mut self, engine: &dyn Engine) {
        let state = engine.state();
        let state = state.borrow();
        let EngineState::Ready(ready) = &*state else { return };
        if ready.neural == self.shown.voices && ready.turn == self.shown.turn {
            return;
        }
        voice_faults(ready).iter().for_each(|text| tracing::error!("{text}"));
        turn_fault(ready).iter().for_each(|text| tracing::error!("{text}"));
        self.shown.voices.clone_from(&ready.neural);
        self.shown.turn.clone_from(&ready.turn);
        self.board.set_hearing(Some(hearing(ready)));
        if self.rendering.is_finished() {
            self.show(ready);
        }
    }

    fn look_at_accounts(&mut self, engine: &dyn Engine) {
        let Some(accounts) = self.switchboard.take_accounts() else { return };
        self.board
            .set_accounts(accounts.iter().map(|shown| shown.report(now(), unix_ms())).collect());
        self.shown.accounts = accounts;
        self.show_health(engine);
    }

    fn look_at_agents(&mut self, engine: &dyn Engine) {
        let figures = self.switchboard.agent_figures();
        if figures != self.shown.agent {
            self.shown.agent = figures;
            self.board.set_agent(figures);
            self.show_health(engine);
        }
    }

    fn look_at_box(&mut self, engine: &dyn Engine) {
        if self.guard.look(now(), engine, &mut self.switchboard, &self.board) {
            self.show_health(engine);
        }
    }

    fn engine_lost(&mut self, reason: &str) {
        self.switchboard.engine_is(now(), false);
        if self.shown.is_stopping {
            return;
        }
        self.switchboard.set_readiness(now(), Readiness::Starting);
        let waiting_for = vec![format!("the speech engine: {reason}")];
        self.board.set_hearing(None);
        self.board.set_health(Health::Starting { waiting_for });
    }

    fn open(&mut self, ready: &Ready) {
        if self.shown.is_stopping {
            return;
        }
        let abilities = Abilities { heard: ready.languages.clone(), mute: self.shown.mute.clone() };
        self.switchboard.set_abilities(abilities);
        self.switchboard.set_readiness(now(), Readiness::Ready);
        self.switchboard.start_accounts(now());
        let unheard = unheard(ready, &self.languages, self.detects);
        unheard.iter().for_each(|text| tracing::warn!("{text}"));
        let without_gpu = self.wants_gpu.then(|| without_gpu(&ready.device)).flatten();
        without_gpu.iter().for_each(|text| tracing::warn!("{text}"));
        self.show(ready);
        notify::ready(&self.board.status_line());
    }

    /// Shows what the owner should know, while calls are taken.
    fn show_health(&self, engine: &dyn Engine) {
        if let (EngineState::Ready(ready), true) =
            (&*engine.state().borrow(), self.rendering.is_finished())
        {
            self.show(ready);
        }
    }

    fn show(&self, ready: &Ready) {
        if self.shown.is_stopping {
            return;
        }
        let without_gpu = self.wants_gpu.then(|| without_gpu(&ready.device)).flatten();
        let unheard = unheard(ready, &self.languages, self.detects);
        let model = self.shown.model_fault.map(without_model);
        let standing = self.standing.iter().cloned();
        let reasons: Vec<String> = standing
            .chain(without_gpu)
            .chain(unheard)
            .chain(voice_faults(ready))
            .chain(turn_fault(ready))
            .chain(model)
            .chain(self.switchboard.media_fault().map(str::to_owned))
            .chain(self.shown.agent.as_ref().and_then(agents::fault))
            .chain(self.switchboard.relay_fault().map(str::to_owned))
            .chain(self.guard.faults().iter().cloned())
            .chain(self.shown.accounts.iter().flat_map(AccountShown::faults))
            .collect();
        let health = match reasons.is_empty() {
            true => Health::Ready,
            false => Health::Degraded { reasons },
        };
        self.board.set_health(health);
    }

    /// Once a second, for the metrics and the health.
    fn show_counters(&mut self) {
        let now = now();
        if self.shown.counted.is_none_or(|at| now.saturating_duration_since(at) >= COUNT_EVERY) {
            self.shown.counted = Some(now);
            self.board.set_sip(self.switchboard.sip_figures());
            let handsets = self.switchboard.look_at_handsets(now);
            self.board.set_handsets(handsets);
        }
    }

    fn announce(&mut self, engine: &dyn Engine) {
        self.announcing.pull(|| self.switchboard.take_announcement(), engine);
    }

    fn keep_messages(&mut self) {
        for (call, message) in self.switchboard.take_messages() {
            self.history.leave(Left { call, unix_ms: unix_ms(), message, sound: None });
        }
    }

    /// Ends all calls and registrations and waits for that to be acknowledged.
    async fn farewell(&mut self, sources: &mut Sources) {
        self.switchboard.hang_up_all(now(), Cause::ShuttingDown);
        let end = now() + FAREWELL;
        let is_busy = |switchboard: &Switchboard| {
            switchboard.calls() > 0 || switchboard.are_accounts_leaving()
        };
        while is_busy(&self.switchboard) && now() < end {
            self.pulse.beat();
            let beat = (now() + FAREWELL_BEAT).min(end);
            let deadline = self.switchboard.deadline().map_or(beat, |at| at.min(beat));
            tokio::select! {
                Ok(()) = sources.wake.readable() => {
                    rings::empty(&sources.wake);
                    self.switchboard.audio(now());
                }
                Some(arrival) = sources.arrivals.recv() => self.switchboard.arrival(now(), arrival),
                Some(event) = sources.agent.recv() => self.switchboard.agent(now(), event),
                () = sleep_until(Some(deadline)) => self.switchboard.timeout(now()),
            }
        }
        self.keep_messages();
    }
}

/// What to tell the owner who counts on a GPU when the engine announces this device.
fn without_gpu(device: &str) -> Option<String> {
    let reason = match device {
        _ if device.starts_with("cuda") => return None,
        // No reason of its own: it was told to, as after two engines that failed.
        "cpu" => "it was started without it",
        device => device,
    };
    Some(format!("speech.device: the speech engine hears without the GPU: {reason}"))
}

fn hearing(ready: &Ready) -> Hearing {
    let is_neural = |name: &&String| ready.neural.iter().any(|voice| voice.name == **name);
    let plain = ready.voices.iter().filter(|name| !is_neural(name)).map(|name| VoiceReport {
        name: name.clone(),
        device: "cpu".to_owned(),
        fault: None,
    });
    Hearing {
        device: ready.device.clone(),
        model: ready.model.clone(),
        voices: ready.neural.iter().cloned().chain(plain).collect(),
        turn: ready.turn.clone(),
    }
}

/// What to tell the owner of neural voices that do not speak.
fn voice_faults(ready: &Ready) -> Vec<String> {
    let told = |report: &VoiceReport| {
        let VoiceReport { name, fault, .. } = report;
        let fault = fault.as_ref()?;
        Some(format!("voice {name}: it does not speak, a plain voice does: {fault}"))
    };
    ready.neural.iter().filter_map(told).collect()
}

/// The same of the turn model.
fn turn_fault(ready: &Ready) -> Option<String> {
    let TurnReport { name, fault } = ready.turn.as_ref()?;
    let fault = fault.as_ref()?;
    Some(format!("speech.turn_model: {name} tells nothing, words alone do: {fault}"))
}

/// What to tell the owner whose language model does not answer.
fn without_model(fault: Fault) -> String {
    format!("llm.server: {fault}; the playbook answers alone meanwhile")
}

/// What to tell the owner whose model does not know every configured language.
fn unheard(ready: &Ready, languages: &[LanguageCode], detects: bool) -> Vec<String> {
    let model = &ready.model;
    let remedy = "`attendant models pull small` gets one that hears more";
    let known = |language: &&LanguageCode| ready.languages.contains(language);
    let mut told: Vec<String> = languages
        .iter()
        .filter(|language| !known(language))
        .map(|language| {
            format!(
                "language {language}: the speech model {model} does not hear it, so its calls are \
                 held by keys; {remedy}"
            )
        })
        .collect();
    if detects && languages.iter().filter(known).count() < 2 {
        told.push(format!(
            "language auto: the speech model {model} cannot tell the languages apart, so calls are \
             held in the default; {remedy}"
        ));
    }
    told
}

async fn sleep_until(deadline: Option<Instant>) {
    let beat = now() + BEAT;
    let at = deadline.map_or(beat, |at| at.min(beat));
    tokio::time::sleep_until(at.into()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_that_the_model_does_not_hear_is_told_with_the_remedy() {
        let (en, ru) = (LanguageCode::ENGLISH, LanguageCode::new("ru").unwrap());
        let ready = crate::appliance::engine::double::Scripted::ready();
        assert_eq!(unheard(&ready, &[en], false), Vec::<String>::new());
        let told = unheard(&ready, &[en, ru], true);
        assert!(told[0].starts_with("language ru: ") && told[0].contains("models pull small"));
        assert!(told[1].starts_with("language auto: ") && told.len() == 2, "{told:?}");
    }

    #[test]
    fn a_voice_that_does_not_speak_is_told_with_its_reason() {
        let mut ready = crate::appliance::engine::double::Scripted::ready();
        let report = |fault: Option<&str>| VoiceReport {
            name: "firm.onnx:anna".to_owned(),
            device: "cpu".to_owned(),
            fault: fault.map(str::to_owned),
        };
        ready.neural = vec![report(None)];
        assert!(voice_faults(&ready).is_empty());
        ready.neural.push(report(Some("there is no speaker \"anna\"")));
        let told = voice_faults(&ready);
        assert!(told.len() == 1 && told[0].contains("firm.onnx:anna"), "{told:?}");
        assert!(told[0].contains("no speaker"), "{told:?}");
    }

    #[test]
    fn a_gpu_that_is_missed_is_told_with_the_reason() {
        assert_eq!(without_gpu("cuda (Orin)"), None);
        let told = |device: &str| without_gpu(device).unwrap();
        assert!(told("cpu (no GPU that CUDA can use)").ends_with("cpu (no GPU that CUDA can use)"));
        assert!(told("cpu").ends_with("it was started without it"));
    }
}
