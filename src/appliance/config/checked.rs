//! The configuration as the program uses it, and the check that makes it from the file.
//!
//! A fault does not stop the check, so that one look finds every fault.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::accounts::{Account, Inbound, accounts, inbound};
use super::agent::{Agent, agent};
use super::bridges::{Bridge, bridges};
use super::campaigns::{Campaigns, campaigns};
use super::dial::{dial, on_machine};
use super::fault::Fault;
use super::file::{self, File};
use super::gpu::{Gpu, gpu};
use super::handsets::{handsets, people_are_there};
use super::history::{History, history};
use super::languages::{Language, default_language, language_or_auto, languages};
use super::listen::listen as listening;
use super::llm::{Llm, llm};
use super::lookups::{Lookup, lookups};
use super::mail::{Mail, mail};
use super::model_file::ModelFile;
use super::operators::{Operators, operators};
use super::people::{hold, people};
use super::recordings::{Recordings, recordings};
use super::ringcentral::{RingCentral, ringcentral};
use super::tls::{Tls, tls};
use super::tokens::{Token, tokens};
use super::turn::{Turn, turn};
use super::upkeep::{RealTime, Updates, canary, real_time, updates};
use super::values::{
    Allowed, Device, Level, ListenAddress, MaxCalls, MaxDuration, PortRange, Ptime, SilenceTimes,
    Voice, allowed, within,
};
use super::voicemail::{Voicemail, voicemail};
use super::webhooks::{Webhook, webhooks};
use crate::appliance::handset::Settings as Handset;
use crate::appliance::media_address::Source;
use crate::base::address::on_this_machine;
use crate::base::handshake::IceSide;
use crate::base::{LanguageCode, limits};
use crate::call::HoldSound;
use crate::call::admission::WhenFull;
use crate::codec::Codec;
use crate::converse::people::People;
use crate::listen;
use crate::listen::answered::OnMachine;
use crate::sdp::{OfferedKeys, Srtp};
use crate::sip::Transport;
use crate::sip::message::{Host, host_and_port};
use crate::store::shelf::manifest::Kind;
use crate::trunk::dialling;

/// Names of ours: a box has one or two.
const HOSTS: usize = 16;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub sip: Sip,
    pub web: Web,
    pub calls: Calls,
    pub media: Media,
    pub speech: Speech,
    pub gpu: Gpu,
    /// Without what `speech.partials` says.
    pub listen: listen::Settings,
    pub converse: Converse,
    /// `None`: the playbook answers alone.
    pub llm: Option<Llm>,
    pub webhooks: Vec<Webhook>,
    pub bridges: Vec<Bridge>,
    pub handsets: Vec<Handset>,
    /// `None`: programs for baresip are not served.
    pub baresip: Option<Baresip>,
    pub log: Log,
    pub languages: Vec<Language>,
    pub people: People,
    pub lookups: Vec<Lookup>,
    /// The folder of knowledge; `None`: there is none.
    pub knowledge: Option<PathBuf>,
    pub history: History,
    pub recordings: Recordings,
    pub operators: Operators,
    pub voicemail: Voicemail,
    /// `None`: no e-mail is sent.
    pub mail: Option<Mail>,
    pub accounts: Vec<Account>,
    /// Their ids follow those of `accounts`.
    pub ringcentral: Vec<RingCentral>,
    pub inbound: Inbound,
    /// What callers hear while somebody is called for them.
    pub hold: HoldSound,
    /// Whom the box may call.
    pub dial: dialling::Settings,
    pub campaigns: Campaigns,
    /// What becomes of calls of ours that a machine takes.
    pub on_machine: OnMachine,
    /// `None`: there is no remote agent.
    pub agent: Option<Agent>,
    /// Between two calls of the box to itself; `None`: there are none.
    pub canary: Option<Duration>,
    pub real_time: RealTime,
    pub updates: Updates,
}

impl Config {
    /// Where the box calls itself: what needs no certificate, datagrams first.
    pub fn own_door(&self) -> Option<ListenAddress> {
        let plain = |transport| self.sip.listen.iter().find(|at| at.transport == transport);
        plain(Transport::Udp).or_else(|| plain(Transport::Tcp)).copied()
    }

    /// Whether a call of the box to itself is let in.
    pub fn lets_itself_in(&self) -> bool {
        let Inbound { anyone, networks, .. } = &self.inbound;
        let own = self.own_door().map(|door| on_this_machine(door.address).ip());
        let is_named = || own.is_some_and(|own| networks.iter().any(|network| network.holds(own)));
        *anyone || self.canary_every().is_some() || is_named()
    }

    /// How often the box calls itself. With one place it would keep callers out.
    pub fn canary_every(&self) -> Option<Duration> {
        self.canary.filter(|_| self.calls.max.count() >= 2)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sip {
    pub listen: Vec<ListenAddress>,
    /// Seconds; `None`: only where the other end asks for it.
    pub session_expires_s: Option<u32>,
    /// Names of ours, for pages of browsers.
    pub hosts: Vec<String>,
    pub tls: Tls,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Web {
    /// Other machines are answered once there is a password, or a token.
    pub listen: SocketAddr,
    /// Names of ours.
    pub hosts: Vec<String>,
    /// Of programs.
    pub tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Baresip {
    /// A loopback address.
    pub listen: SocketAddr,
    pub legacy_classes: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Calls {
    pub max: MaxCalls,
    pub max_duration: MaxDuration,
    pub when_full: WhenFull,
    /// With a 503, 1 to 3600.
    pub retry_after_s: u32,
    /// 0.1 to 1.
    pub max_load: f32,
    pub answer_after: Duration,
    /// `None`: no call is recorded.
    pub flights: Option<Flights>,
}

/// How many flight records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flights {
    pub files: usize,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    pub ports: PortRange,
    /// At least one, the best first.
    pub codecs: Vec<Codec>,
    pub ptime: Ptime,
    pub address: Source,
    pub srtp: Srtp,
    pub keys: OfferedKeys,
    pub ice: IceSide,
    pub turn: Turn,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Speech {
    /// `None`: the model inside the program.
    pub whisper_model: Option<ModelFile>,
    /// `None`: words alone tell the end of a turn, and the voice where the model was taught to hear it.
    pub turn_model: Option<ModelFile>,
    pub voice: Voice,
    /// `None`: the model finds out.
    pub language: Option<LanguageCode>,
    pub device: Device,
    /// `None`: we start the engine ourselves.
    pub socket: Option<PathBuf>,
    /// `None`: as many as there are cores.
    pub threads: Option<u8>,
    pub partials: bool,
    pub prompt: bool,
    /// `None`: where it usually is.
    pub onnxruntime: Option<PathBuf>,
    pub phrases_mb: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Converse {
    /// `None`: the playbook inside the program.
    pub playbook: Option<PathBuf>,
    pub silence: SilenceTimes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    pub level: Level,
    pub private: bool,
}

impl Default for Config {
    fn default() -> Self {
        let mut faults = Vec::new();
        check(&File::default(), &mut faults).expect("a test checks the defaults")
    }
}

impl Config {
    /// Relative paths count from `folder`.
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.sip.tls.resolve(folder);
        self.accounts.iter_mut().for_each(|account| account.tls.resolve(folder));
        self.neural_voices_mut().for_each(|voice| voice.graph.resolve(folder));
        let Speech { whisper_model, turn_model, socket, onnxruntime, .. } = &mut self.speech;
        let models = [whisper_model.as_mut(), turn_model.as_mut(), self.gpu.smaller_file()];
        models.into_iter().flatten().for_each(|model| model.resolve(folder));
        let playbook = self.converse.playbook.as_mut();
        let knowledge = self.knowledge.as_mut();
        let library = self.gpu.library.as_mut();
        let paths = [socket.as_mut(), onnxruntime.as_mut(), library, playbook, knowledge];
        let playbooks = self.languages.iter_mut().map(|language| language.playbook.as_mut());
        for path in paths.into_iter().chain(playbooks).flatten() {
            *path = folder.join(&*path);
        }
    }

    /// A model of the shelf is a file in the folder `shelf`.
    pub fn take_from(&mut self, shelf: &Path) {
        self.neural_voices_mut().for_each(|voice| voice.graph.take_from(shelf));
        let Speech { whisper_model, turn_model, .. } = &mut self.speech;
        let models = [whisper_model.as_mut(), turn_model.as_mut(), self.gpu.smaller_file()];
        models.into_iter().flatten().for_each(|model| model.take_from(shelf));
    }

    /// Instead of the model that the file names: this one, or the one inside the program.
    pub fn hear_with(&mut self, model: Option<PathBuf>, shelf: &Path) {
        self.speech.whisper_model = model.map(ModelFile::of_path);
        if let Some(model) = &mut self.speech.whisper_model {
            model.take_from(shelf);
        }
    }
}

/// Gathers faults; a value that has one is `None` and the file is refused in the end.
pub(super) struct Check<'a> {
    faults: &'a mut Vec<Fault>,
}

impl Check<'_> {
    /// Something under `prefix` has a fault already.
    pub(super) fn has_fault_in(&self, prefix: &str) -> bool {
        self.faults.iter().any(|fault| fault.key.starts_with(prefix))
    }

    pub(super) fn take<T>(
        &mut self,
        key: &str,
        written: impl fmt::Debug,
        outcome: Result<T, Allowed>,
    ) -> Option<T> {
        outcome
            .map_err(|allowed| {
                self.faults.push(Fault::new(key, format_args!("{written:?}"), allowed))
            })
            .ok()
    }
}

/// Checks every value; `None` when one has a fault, and `faults` then has them all.
pub(super) fn check(file: &File, faults: &mut Vec<Fault>) -> Option<Config> {
    let mut check = Check { faults };
    let sip = sip(&file.sip, &mut check);
    let web = web(file, &mut check);
    let baresip = baresip(&file.baresip, &mut check);
    let webhooks = webhooks(&file.webhook, &mut check);
    let bridges = bridges(&file.bridge, &mut check);
    let handsets = handsets(&file.handset, &mut check);
    people_are_there(file, &mut check);
    let calls = calls(&file.calls, &mut check);
    let media = media(&file.media, &mut check);
    let speech = speech(&file.speech, &mut check);
    let gpu = gpu(&file.gpu, &mut check);
    let listen = listening(&file.listen, &mut check);
    let converse = converse(&file.converse, &mut check);
    let llm = llm(&file.llm, &mut check);
    let level = check.take("log.level", &file.log.level, file.log.level.as_str().try_into());
    let languages = languages(file, sip.as_ref(), &mut check);
    let people = people(&file.person, &mut check);
    let lookups = lookups(&file.lookup, &mut check);
    let accounts = accounts(&file.accounts, sip.as_ref(), &mut check);
    let names: Vec<&str> = file.accounts.iter().map(|account| account.name.as_str()).collect();
    let ringcentral = ringcentral(&file.ringcentral, &names, &mut check);
    let has_accounts = !file.accounts.is_empty() || !file.ringcentral.is_empty();
    let inbound = inbound(&file.inbound, has_accounts, &mut check);
    let hold = hold(&file.handover, &mut check);
    let longest = calls.as_ref().map(|calls| calls.max_duration);
    let on_machine = on_machine(&file.dial, &mut check);
    let dial = dial(&file.dial, has_accounts, longest, &mut check);
    let campaigns = campaigns(&file.campaigns, &mut check);
    let agent = agent(&file.agent, &mut check);
    let history = history(&file.history, &mut check);
    let recordings = recordings(&file.recordings, &mut check);
    let operators = operators(&file.operators, &mut check);
    let voicemail = voicemail(&file.voicemail, &mut check);
    let mail = mail(&file.mail, &mut check);
    if let (Some(speech), Some(converse)) = (&speech, &converse) {
        default_language(speech, converse, &mut check);
    }
    let canary = canary(&file.canary, &mut check);
    let real_time = real_time(&file.realtime, &mut check);
    let updates = updates(&file.updates, &mut check);
    let (calls, media) = (calls?, media?);
    let pairs = media.ports.rtp_ports().count();
    if pairs < calls.max.count() {
        let fault = allowed::<()>(format!(
            "two ports for each of calls.max = {}; these are enough for {pairs}",
            calls.max.count()
        ));
        check.take("media.ports", &file.media.ports, fault);
    }
    Some(Config {
        sip: sip?,
        web: web?,
        calls,
        media,
        speech: speech?,
        gpu: gpu?,
        listen: listen?,
        converse: converse?,
        llm: llm?,
        languages: languages?,
        people: people?,
        lookups: lookups?,
        knowledge: path(&file.knowledge.folder),
        history: history?,
        recordings: recordings?,
        operators: operators?,
        voicemail: voicemail?,
        mail: mail?,
        accounts: accounts?,
        ringcentral: ringcentral?,
        inbound: inbound?,
        hold: hold?,
        dial: dial?,
        campaigns: campaigns?,
        on_machine: on_machine?,
        agent: agent?,
        baresip: baresip?,
        webhooks: webhooks?,
        bridges: bridges?,
        handsets: handsets?,
        log: Log { level: level?, private: file.log.private },
        canary: canary?,
        real_time: real_time?,
        updates: updates?,
    })
}

fn sip(file: &file::Sip, check: &mut Check<'_>) -> Option<Sip> {
    let mut listen: Vec<ListenAddress> = Vec::new();
    if file.listen.is_empty() || file.listen.len() > 16 {
        check.take::<()>("sip.listen", &file.listen, allowed("1 to 16 addresses"));
    }
    for text in &file.listen {
        let outcome = ListenAddress::try_from(text.as_str()).and_then(|address| {
            if address.address.port() != 0 && listen.contains(&address) {
                return allowed("each address once");
            }
            Ok(address)
        });
        listen.extend(check.take("sip.listen", text, outcome));
    }
    let is_secure = listen.iter().any(|listen| listen.transport.is_secure());
    let session = match file.session_expires_s {
        0 => Ok(None),
        seconds => {
            within(seconds, limits::SESSION_LEAST_S.into(), limits::SESSION_LONGEST_S.into())
                .map(Some)
                .or_else(|_| allowed("0, or 90 to 86400"))
        }
    };
    let session = check.take("sip.session_expires_s", file.session_expires_s, session);
    let tls = tls(&file.tls, is_secure, check)?;
    let hosts = check.take("sip.hosts", &file.hosts, host_names(&file.hosts))?;
    let session_expires_s = session?;
    let is_whole = listen.len() == file.listen.len() && !listen.is_empty();
    is_whole.then_some(Sip { listen, session_expires_s, hosts, tls })
}

fn host_name(text: &str) -> Result<String, Allowed> {
    match host_and_port(text) {
        Some((Host::Name(name), None)) => Ok(name),
        _ => allowed("names without a port, as in desk.example.net"),
    }
}

fn web(file: &File, check: &mut Check<'_>) -> Option<Web> {
    let file::Web { listen, hosts } = &file.web;
    let tokens = tokens(&file.token, check);
    let outcome = match listen.parse::<SocketAddr>() {
        Ok(address) => Ok(address),
        _ => allowed("ADDRESS:PORT, as in 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080"),
    };
    let listen = check.take("web.listen", listen, outcome);
    let hosts = check.take("web.hosts", hosts, host_names(hosts));
    Some(Web { listen: listen?, hosts: hosts?, tokens: tokens? })
}

fn baresip(file: &file::Baresip, check: &mut Check<'_>) -> Option<Option<Baresip>> {
    let listen = match (file.listen.as_str(), file.listen.parse::<SocketAddr>()) {
        ("", _) => Ok(None),
        (_, Ok(address)) if address.ip().is_loopback() => Ok(Some(address)),
        _ => allowed("ADDRESS:PORT with a loopback address, as in 127.0.0.1:4444, or empty"),
    };
    let listen = check.take("baresip.listen", &file.listen, listen)?;
    Some(listen.map(|listen| Baresip { listen, legacy_classes: file.legacy_classes }))
}

fn host_names(texts: &[String]) -> Result<Vec<String>, Allowed> {
    match texts.len() {
        0..=HOSTS => texts.iter().map(|text| host_name(text)).collect(),
        _ => allowed(format!("at most {HOSTS} names")),
    }
}

fn calls(file: &file::Calls, check: &mut Check<'_>) -> Option<Calls> {
    let max = check.take("calls.max", file.max, file.max.try_into());
    let max_duration =
        check.take("calls.max_duration_s", file.max_duration_s, file.max_duration_s.try_into());
    let retry_after_s = within(file.retry_after_s, 1, 3_600);
    let retry_after_s = check.take("calls.retry_after_s", file.retry_after_s, retry_after_s);
    let when_full =
        check.take("calls.when_full", &file.when_full, file.when_full.as_str().try_into());
    let max_load = match file.max_load {
        load @ 0.1..=1.0 => Ok(load as f32),
        _ => allowed("0.1 to 1"),
    };
    let max_load = check.take("calls.max_load", file.max_load, max_load);
    let answer_after =
        within(file.answer_after_ms, 0, 60_000).map(|ms| Duration::from_millis(ms.into()));
    let answer_after = check.take("calls.answer_after_ms", file.answer_after_ms, answer_after);
    let files = within(file.flight_files, 1, 10_000);
    let files = check.take("calls.flight_files", file.flight_files, files);
    let mb = check.take("calls.flight_mb", file.flight_mb, within(file.flight_mb, 1, 1_000_000));
    let (files, mb) = (files?, mb?);
    let flights = Flights { files: files as usize, bytes: u64::from(mb) * 1_000_000 };
    Some(Calls {
        flights: file.flight_record.then_some(flights),
        max: max?,
        max_duration: max_duration?,
        when_full: when_full?,
        retry_after_s: retry_after_s?,
        max_load: max_load?,
        answer_after: answer_after?,
    })
}

fn media(file: &file::Media, check: &mut Check<'_>) -> Option<Media> {
    let ports = check.take("media.ports", &file.ports, file.ports.as_str().try_into());
    let ptime = check.take("media.ptime_ms", file.ptime_ms, file.ptime_ms.try_into());
    let codecs = check.take("media.codecs", &file.codecs, codecs(&file.codecs));
    let address = check.take("media.address", &file.address, media_address(&file.address));
    let srtp = check.take("media.srtp", &file.srtp, file.srtp.as_str().try_into());
    let keys = check.take("media.keys", &file.keys, file.keys.as_str().try_into());
    let ice = check.take("media.ice", &file.ice, file.ice.as_str().try_into());
    let turn = turn(&file.turn, check);
    let (ports, codecs, ptime) = (ports?, codecs?, ptime?);
    let (address, srtp, keys, ice, turn) = (address?, srtp?, keys?, ice?, turn?);
    Some(Media { ports, codecs, ptime, address, srtp, keys, ice, turn })
}

fn media_address(text: &str) -> Result<Source, Allowed> {
    const FORMS: &str =
        "an IP address of one machine, received, stun:HOST or stun:HOST:PORT, or empty";
    /// RFC 8489 section 8.
    const STUN_PORT: u16 = 3_478;
    if let Some(server) = text.strip_prefix("stun:") {
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)),
            None => (server, Some(STUN_PORT)),
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        return match port {
            Some(port) if !host.is_empty() && host.bytes().all(is_host) => {
                Ok(Source::Stun { host: host.to_owned(), port })
            }
            _ => allowed(FORMS),
        };
    }
    match (text, text.parse::<IpAddr>()) {
        ("", _) => Ok(Source::Own),
        ("received", _) => Ok(Source::Received),
        (_, Ok(address)) if !address.is_unspecified() && !address.is_multicast() => {
            Ok(Source::Fixed(address))
        }
        _ => allowed(FORMS),
    }
}

fn codecs(names: &[String]) -> Result<Vec<Codec>, Allowed> {
    // L16 is for our own loopback alone.
    let of_telephones = |codec: &Codec| *codec != Codec::L16;
    let known = names.iter().filter_map(|name| Codec::from_name(name)).filter(of_telephones);
    let codecs = known.fold(Vec::new(), |mut codecs, codec| {
        if !codecs.contains(&codec) {
            codecs.push(codec);
        }
        codecs
    });
    if codecs.is_empty() || codecs.len() != names.len() {
        return allowed("one or more of opus, G722, PCMU, PCMA, each once");
    }
    Ok(codecs)
}

fn speech(file: &file::Speech, check: &mut Check<'_>) -> Option<Speech> {
    let voice = check.take("speech.voice", &file.voice, file.voice.as_str().try_into());
    let language = check.take("speech.language", &file.language, language_or_auto(&file.language));
    let device = check.take("speech.device", &file.device, file.device.as_str().try_into());
    let socket = match file.socket.len() {
        // `sun_path` holds 108 bytes with its end.
        0..=107 => Ok(path(&file.socket)),
        _ => allowed("a path of at most 107 bytes"),
    };
    let socket = check.take("speech.socket", &file.socket, socket);
    let threads = within(file.threads, 0, 64).map(|count| (count > 0).then_some(count as u8));
    let threads = check.take("speech.threads", file.threads, threads);
    let phrases_mb = within(file.phrases_mb, 0, 100_000);
    let phrases_mb = check.take("speech.phrases_mb", file.phrases_mb, phrases_mb);
    let turn_model = ModelFile::turn_model(&file.turn_model);
    let turn_model = check.take("speech.turn_model", &file.turn_model, turn_model);
    Some(Speech {
        whisper_model: ModelFile::named(&file.whisper_model, Kind::Whisper),
        turn_model: turn_model?,
        voice: voice?,
        language: language?,
        device: device?,
        socket: socket?,
        threads: threads?,
        partials: file.partials,
        prompt: file.prompt,
        onnxruntime: path(&file.onnxruntime),
        phrases_mb: phrases_mb?,
    })
}

fn converse(file: &file::Converse, check: &mut Check<'_>) -> Option<Converse> {
    let silence = file.silence_s.as_slice().try_into();
    let silence = check.take("converse.silence_s", &file.silence_s, silence);
    Some(Converse { playbook: path(&file.playbook), silence: silence? })
}

pub(super) fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}
