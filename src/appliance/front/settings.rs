//! Settings that need more than the configuration: the playbook's file, folders, sockets.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::appliance::canary;
use crate::appliance::config::{
    self, Config, Device, ListenAddress, ModelFile, SmallerModel, Turn, TurnTransport, Voice,
};
use crate::appliance::credentials;
use crate::appliance::engine::{EnginePlace, Variants};
use crate::appliance::gpu::{self, Wish};
use crate::appliance::llm::{self, Address};
use crate::appliance::lookup::{Question, search_knowledge};
use crate::appliance::media_address::Source;
use crate::appliance::paths::Paths;
use crate::appliance::relays;
use crate::appliance::rtp_socket::PortRange;
use crate::appliance::sip_socket::Listen;
use crate::appliance::sip_socket::Tls;
use crate::appliance::start_error::StartError;
use crate::appliance::trust::{CERTIFICATES, Roots};
use crate::appliance::url::bracketed;
use crate::base::address::on_this_machine;
use crate::base::handshake::IceSide;
use crate::base::{Entropy, LanguageCode, Private, limits};
use crate::call;
use crate::call::language::{Tongue, Tongues};
use crate::converse::lookup::{Lookup, Lookups};
use crate::converse::{Playbook, PlaybookError};
use crate::sdp::Srtp;
use crate::sip::{self, AccountId};
use crate::speech::ModelError;
use crate::speech::voice::{ESPEAK, SLT};
use crate::store::bounded;
use crate::store::history;
use crate::store::knowledge::Knowledge;
use crate::store::recordings::{self, WhenFull};
use crate::store::shelf::{self, proxy};
use crate::store::trusted::{self, Untrusted};
use crate::trunk::Callers;
use crate::web::Board;

use super::errands::{Speaker, Speakers};

pub(super) fn call(config: &Config) -> Result<call::Settings, StartError> {
    Ok(call::Settings {
        offering: config.offering(),
        answer_after: config.calls.answer_after,
        listen: config.listening(),
        converse: config.conversation(),
        tongues: tongues(config)?,
        hold: config.hold,
        voicemail: config.voicemail.ends,
    })
}

/// What is kept of calls, and where.
pub(super) fn history(config: &Config, state: &Path) -> history::Settings {
    let config::History { transcripts, days, calls } = config.history;
    history::Settings { folder: state.to_owned(), transcripts, days, most_calls: calls.into() }
}

/// Where calls are recorded, and how; and the key of recordings of before, if the owner has given one.
pub fn recordings(
    config: &Config,
    state: &Path,
) -> Result<(recordings::Settings, Option<recordings::Key>), StartError> {
    let config::Recordings { days, bytes, encrypted, .. } = config.recordings;
    let given = recordings_key()?;
    if encrypted && given.is_none() {
        let variable = credentials::RECORDINGS_KEY;
        return Err(bad_key(format!(
            "neither the credential recordings_key nor {variable} is there"
        )));
    }
    let key = given.clone().filter(|_| encrypted);
    let folder = state.join(recordings::FOLDER);
    let when_full = WhenFull::OldestGo;
    Ok((recordings::Settings { folder, days, bytes, key, when_full }, given))
}

/// Messages after the tone, encrypted as recordings are.
pub(super) fn voicemail(
    config: &Config,
    state: &Path,
) -> Result<(recordings::Settings, Option<recordings::Key>), StartError> {
    let (recordings, given) = recordings(config, state)?;
    let config::Voicemail { days, bytes, .. } = config.voicemail;
    let folder = state.join(recordings::VOICEMAIL);
    let (key, when_full) = (recordings.key, WhenFull::Refuse);
    Ok((recordings::Settings { folder, days, bytes, key, when_full }, given))
}

fn recordings_key() -> Result<Option<recordings::Key>, StartError> {
    let what = "cannot read the credential of recordings";
    let text = credentials::secret("recordings_key");
    let text = text.map_err(|source| StartError::System { what, source })?;
    let read = |text: Private<String>| {
        let wrong =
            || bad_key("the key has not 64 hexadecimal digits: openssl rand -hex 32".into());
        recordings::Key::read(text.reveal()).ok_or_else(wrong)
    };
    text.map(read).transpose()
}

fn bad_key(reason: String) -> StartError {
    StartError::BadFile { key: "recordings.encrypted", path: "(the configuration)".into(), reason }
}

/// Who vouches for servers, where one with TLS is asked.
pub(super) fn roots(tls: bool) -> Result<Roots, StartError> {
    match tls {
        true => Roots::here().map_err(|(path, error)| StartError::BadFile {
            key: CERTIFICATES,
            path,
            reason: error.to_string(),
        }),
        false => Ok(Roots::default()),
    }
}

/// TLS under SIP. Within a tokio runtime.
pub(super) fn tls(config: &Config) -> Result<Tls, StartError> {
    let bad = |key, path: &Path, reason: String| StartError::BadFile {
        key,
        path: path.to_owned(),
        reason,
    };
    let roots = match &config.sip.tls.authorities {
        Some(path) => Roots::of_file(path)
            .map_err(|error| bad("sip.tls.authorities", path, error.to_string()))?,
        None => Roots::default(),
    };
    let callers = config.sip.tls.client_authorities.as_ref().map(|path| {
        Roots::of_file(path).map_err(|error| bad("sip.tls.client_ca", path, error.to_string()))
    });
    let mut tls = Tls::client(roots);
    if let Some(files) = &config.sip.tls.own {
        let with_own = tls.with_certificate(files.clone(), callers.transpose()?);
        tls = with_own
            .map_err(|error| bad("sip.tls.certificate", &files.certificate, error.to_string()))?;
    }
    for (id, account) in (0..).map(AccountId).zip(&config.accounts) {
        if account.tls.is_usual() {
            continue;
        }
        let with_account = tls.with_account(id, account.tls.clone());
        tls = with_account.map_err(|error| {
            let path = account.tls.own.as_ref().map_or(Path::new(""), |own| &own.certificate);
            bad("accounts.tls_certificate", path, format!("{}: {error}", account.name))
        })?;
    }
    Ok(tls)
}

/// The model's server, with its key if there is one.
pub(super) fn llm(config: &Config) -> Result<Option<llm::Settings>, StartError> {
    let Some(config) = &config.llm else { return Ok(None) };
    let roots = roots(config.address.tls)?;
    let system = |source| StartError::System { what: "cannot read the credential llm_key", source };
    Ok(Some(llm::Settings {
        address: config.address.clone(),
        key: credentials::secret("llm_key").map_err(system)?,
        roots,
        model: config.model.clone(),
        at_once: config.at_once,
        patience: llm::Patience::default(),
    }))
}

/// What the owner should know of the way to the model's server: a key that everybody on the way can
/// read, and a proxy that is not used.
pub(super) fn llm_warnings(
    llm: &llm::Settings,
    variable: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let Address { tls, host, .. } = &llm.address;
    let shown = bracketed(host);
    // The shelf's addresses must not be plain ones; which proxy would be asked is the same question.
    let Ok(address) = shelf::address::Address::parse(&format!("https://{shown}/")) else {
        return Vec::new();
    };
    let of_scheme = |name: &str| match tls {
        true => variable(name),
        false => variable(&name.replace("https_", "http_").replace("HTTPS_", "HTTP_")),
    };
    let is_open = llm.key.is_some() && !tls && !address.is_this_machine();
    let key = is_open.then_some(
        "llm.server: the key and what callers say go over the network unencrypted; use https",
    );
    let proxy = (!matches!(proxy::proxy_for(&address, of_scheme), Ok(None))).then_some(
        "llm.server: it is asked directly, by none of the proxies that the environment names",
    );
    key.into_iter().chain(proxy).map(str::to_owned).collect()
}

/// Servers that tell where they see a socket: that of `media.address`, and TURN servers, which are such, too.
pub(super) fn seen_by(config: &Config) -> Vec<(String, u16)> {
    let media = &config.media;
    if media.ice == IceSide::Lite || media.turn.only {
        return Vec::new();
    }
    let stun = match &media.address {
        Source::Stun { host, port } => Some((host.clone(), *port)),
        Source::Own | Source::Fixed(_) | Source::Received => None,
    };
    let turn = media.turn.servers.iter().filter(|server| server.transport == TurnTransport::Udp);
    stun.into_iter().chain(turn.map(|server| (server.host.clone(), server.port))).collect()
}

/// The TURN servers with their password; `None`: there is none.
pub fn relays(config: &Config) -> Result<Option<relays::Settings>, StartError> {
    let Turn { servers, user, .. } = config.media.turn.clone();
    if servers.is_empty() {
        return Ok(None);
    }
    let password = credentials::secret("turn")
        .map_err(|source| StartError::System { what: "cannot read the credential turn", source })?;
    let password = password.ok_or_else(|| StartError::BadFile {
        key: "media.turn",
        path: "(the configuration)".into(),
        reason: format!(
            "the password is neither the credential turn nor in {}",
            credentials::TURN_PASSWORD
        ),
    })?;
    let roots = roots(servers.iter().any(|server| server.transport == TurnTransport::Tls))?;
    Ok(Some(relays::Settings { servers, user, password, roots }))
}

/// Keys that everybody on the way can read, although calls have to be encrypted.
pub fn srtp_warnings(config: &Config) -> Vec<String> {
    let is_open = |listen: &&ListenAddress| {
        !listen.transport.is_secure() && !listen.address.ip().is_loopback()
    };
    let listen = config.sip.listen.iter().find(is_open);
    let listen = listen.filter(|_| config.media.srtp == Srtp::Required).map(|listen| {
        format!(
            "media.srtp: calls that come to {listen} bring their keys unencrypted; let them come by tls"
        )
    });
    let accounts = config.accounts.iter().filter(|account| {
        let srtp = account.srtp.unwrap_or(config.media.srtp);
        srtp == Srtp::Required && !account.transports.iter().all(|transport| transport.is_secure())
    });
    let accounts = accounts.map(|account| {
        let plain = account.transports.iter().find(|transport| !transport.is_secure());
        let (name, transport) = (&account.name, plain.map_or("", |plain| plain.uri_token()));
        format!(
            "accounts.{name}.srtp: its calls bring their keys unencrypted by {transport}; use tls"
        )
    });
    listen.into_iter().chain(accounts).collect()
}

/// The owner's folder of knowledge, if there is one; the board shows what was read of it.
pub(super) fn knowledge(
    config: &Config,
    board: &Arc<Board>,
) -> Result<Option<Knowledge>, StartError> {
    let Some(folder) = &config.knowledge else { return Ok(None) };
    let language = config.speech.language.unwrap_or(LanguageCode::ENGLISH);
    let bad = |error: std::io::Error| StartError::BadFile {
        key: "knowledge.folder",
        path: folder.clone(),
        reason: error.to_string(),
    };
    let board = Arc::clone(board);
    let tell = move |report| board.set_knowledge(report);
    Knowledge::open(folder, language, tell).map(Some).map_err(bad)
}

/// How the owner's systems are asked, with the secrets that their header fields name.
pub fn questions(config: &Config) -> Result<Vec<Question>, StartError> {
    let question = |configured: &config::Lookup| {
        let name = &configured.asked.name;
        let secret = credentials::secret(&format!("lookup_{name}"));
        let secret = secret.map_err(|source| StartError::System {
            what: "cannot read the credential of a lookup",
            source,
        })?;
        let header = |(field, value): &(String, String)| match (&secret, value.contains(SECRET)) {
            (_, false) => Ok((field.clone(), Private::new(value.clone()))),
            (Some(secret), true) => {
                Ok((field.clone(), Private::new(value.replace(SECRET, secret.reveal()))))
            }
            (None, true) => Err(StartError::BadFile {
                key: "lookup.headers",
                path: "(the configuration)".into(),
                reason: format!(
                    "{{secret}} of {name} is neither the credential lookup_{name} nor in {}",
                    credentials::variable(&format!("lookup_{name}"))
                ),
            }),
        };
        Ok(Question {
            name: name.clone(),
            address: configured.address.clone(),
            method: configured.method,
            target: configured.target.clone(),
            headers: configured.headers.iter().map(header).collect::<Result<_, _>>()?,
            fields: configured.fields.clone(),
            timeout: configured.timeout,
        })
    };
    config.lookups.iter().map(question).collect()
}

/// A model is asked what the playbook does not know, but the ear inside the program hears hardly
/// anything that the playbook does not know.
pub(super) const fn hears_too_little(config: &Config) -> bool {
    config.llm.is_some() && config.speech.whisper_model.is_none()
}

/// The languages that calls are held in, each with its playbook: a file of the owner's, or one that
/// is inside the program.
pub fn tongues(config: &Config) -> Result<Tongues, StartError> {
    let (key, path) = ("converse.playbook", config.converse.playbook.as_ref());
    let default = match (path, config.speech.language) {
        (Some(path), language) => read(key, path, language)?,
        (None, language) => shipped(language.unwrap_or(LanguageCode::ENGLISH))?,
    };
    // The engine reads no playbook, so the configuration must name each of its languages.
    if let (Some(path), true) = (path, !config.spoken_languages().contains(&default.code)) {
        let reason = format!("it needs a section [[language]] with code = \"{}\"", default.code);
        return Err(StartError::BadFile { key, path: path.clone(), reason });
    }
    let mut others: Vec<Tongue> = Vec::new();
    for section in config.languages.iter().filter(|section| section.code != Some(default.code)) {
        let Some(code) = section.code else { continue };
        others.push(match &section.playbook {
            Some(path) => read("language.playbook", path, Some(code))?,
            None => shipped(code)?,
        });
    }
    let everybody = std::iter::once(default).chain(others).map(|t| joined(t, config));
    let mut everybody = everybody.collect::<Result<Vec<_>, _>>()?.into_iter();
    let default = everybody.next().expect("the default is the first");
    Ok(Tongues::new(default, everybody))
}

/// The place of a secret in a header field.
const SECRET: &str = "{secret}";

/// The playbook with the people whom it can put through to and the systems that it can ask.
fn joined(tongue: Tongue, config: &Config) -> Result<Tongue, StartError> {
    // In the order in which the shell knows them.
    let mut lookups: Vec<Lookup> = config.lookups.iter().map(|l| l.asked.clone()).collect();
    lookups.extend(config.knowledge.as_ref().map(|_| search_knowledge()));
    let playbook = Playbook::clone(&tongue.playbook).with_people(config.people.clone());
    let playbook = playbook.and_then(|playbook| playbook.with_lookups(Lookups::new(lookups)));
    let playbook = playbook.map_err(|faults| StartError::BadFile {
        key: "converse.playbook",
        path: "(with people and lookups)".into(),
        reason: PlaybookError::Faults(faults).to_string(),
    })?;
    Ok(Tongue { playbook: Arc::new(playbook), ..tongue })
}

fn shipped(code: LanguageCode) -> Result<Tongue, StartError> {
    let playbook = Playbook::shipped(code).ok_or_else(|| StartError::BadFile {
        key: "language.playbook",
        path: "(none)".into(),
        reason: format!("no playbook in {code} is inside the program; name a file"),
    })?;
    Ok(Tongue { code, playbook: Arc::new(playbook) })
}

/// A playbook in another language than that of its calls would be read out by a wrong voice.
fn read(
    key: &'static str,
    path: &Path,
    wanted: Option<LanguageCode>,
) -> Result<Tongue, StartError> {
    let bad = |reason: String| StartError::BadFile { key, path: path.to_owned(), reason };
    let text = bounded::text(path, limits::PLAYBOOK_BYTES);
    let text = text.map_err(|error| bad(error.to_string()))?;
    let playbook = Playbook::parse(&text).map_err(|error| bad(error.to_string()))?;
    let code = LanguageCode::of_tag(playbook.language());
    match (code, wanted) {
        (Some(code), None) => Ok(Tongue { code, playbook: Arc::new(playbook) }),
        (Some(code), Some(wanted)) if code == wanted => {
            Ok(Tongue { code, playbook: Arc::new(playbook) })
        }
        (_, wanted) => {
            let wanted = wanted.map(|code| code.to_string()).unwrap_or_default();
            Err(bad(format!("it is in {}, its calls are in {wanted}", playbook.language())))
        }
    }
}

/// As the engine names voices: which of them, and apart from that the language.
pub(super) fn speakers(config: &Config, tongues: &Tongues) -> Speakers {
    let of = |code: LanguageCode| {
        let section = config.languages.iter().find(|section| section.code == Some(code));
        let own = section.and_then(|section| section.voice.clone());
        let is_default = tongues.default_one().code == code;
        match own.unwrap_or_else(|| config.voice_of(code, is_default)) {
            Voice::Slt => Speaker { code, language: "en".to_owned(), voice: SLT.to_owned() },
            Voice::Espeak { language } => Speaker { code, language, voice: ESPEAK.to_owned() },
            Voice::Neural(voice) => {
                Speaker { code, language: code.to_string(), voice: voice.written }
            }
        }
    };
    Speakers::new(tongues.iter().map(|tongue| of(tongue.code)).collect())
}

pub(super) fn ports(config: &Config) -> PortRange {
    PortRange::new(config.media.ports.first()..=config.media.ports.last())
}

pub(super) fn listen(address: &ListenAddress) -> Listen {
    let ListenAddress { transport, address } = *address;
    Listen { transport, address }
}

/// Where the box calls itself, for the owner.
pub(super) fn own_address(config: &Config) -> Option<Private<String>> {
    config.own_door().map(|door| Private::new(door.own_uri("trial")))
}

/// Calls of the box to itself.
pub(super) fn canary(config: &Config, entropy: &mut Entropy) -> Option<canary::Settings> {
    let every = config.canary_every()?;
    let secret: String = (0..4).map(|_| format!("{:08x}", entropy.next_u32())).collect();
    let name = format!("canary-{secret}");
    let target = config.own_door()?.own_uri(&name);
    Some(canary::Settings { every, target: Private::new(target), name: Private::new(name) })
}

/// Who may call; the box itself may, where it does.
pub(super) fn callers(config: &Config) -> Callers {
    let config::Inbound { anyone, accounts, networks, .. } = &config.inbound;
    let itself = config
        .canary_every()
        .and_then(|_| config.own_door())
        .map(|door| sip::Network::one(on_this_machine(door.address).ip()));
    Callers::new(*anyone, *accounts, networks.iter().copied().chain(itself).collect())
}

pub(super) fn agent(config: &Config, listening: &[Listen]) -> sip::Settings {
    let tcp = listening.iter().find(|listen| listen.transport == sip::Transport::Tcp);
    sip::Settings {
        tcp_local: tcp.map(|listen| listen.address),
        session_expires_s: config.sip.session_expires_s,
        ..sip::Settings::default()
    }
}

/// The engine: one of its own, or a child that gets the same configuration.
pub fn engine(
    config: &Config,
    config_path: Option<&Path>,
    paths: &Paths,
) -> Result<EnginePlace, StartError> {
    if let Some(socket) = &config.speech.socket {
        return Ok(EnginePlace::Socket(socket.clone()));
    }
    let what = "cannot start the speech engine";
    let system = |source| StartError::System { what, source };
    let socket = paths.own_engine_socket().map_err(system)?;
    let program = std::env::current_exe().map_err(system)?;
    let mut arguments: Vec<OsString> = vec!["speech".into(), "--socket".into()];
    arguments.push(socket.clone().into());
    arguments.extend(["--parent".into(), std::process::id().to_string().into()]);
    if let Some(path) = config_path {
        arguments.extend(["--config".into(), path.into()]);
    }
    Ok(EnginePlace::Child { program, arguments, variants: variants(config), socket })
}

fn variants(config: &Config) -> Variants {
    let smaller: Vec<OsString> = match config.smaller_model() {
        Some(SmallerModel::Starter) => vec!["--model".into(), "starter".into()],
        Some(SmallerModel::File(model)) => vec!["--model".into(), model.path.clone().into()],
        None => Vec::new(),
    };
    let chosen = match &config.gpu.device {
        Wish::Index(index) => Some(index.to_string()),
        Wish::Uuid(uuid) => Some(uuid.clone()),
        Wish::Auto | Wish::None => None,
    };
    // CUDA would count the fastest first, and NVML counts by the bus.
    let chosen = chosen.map(|chosen| {
        [("CUDA_DEVICE_ORDER", "PCI_BUS_ID".to_owned()), ("CUDA_VISIBLE_DEVICES", chosen)]
    });
    Variants {
        // A graph of a voice or a turn model may be what they failed of, too.
        cautious: vec!["--cpu".into(), "--without-onnx".into()],
        without_gpu: [vec!["--cpu".into()], smaller.clone()].concat(),
        lean: smaller,
        variables: chosen.into_iter().flatten().collect(),
    }
}

/// What is watched of the GPU and the box.
pub(super) fn gpu(config: &Config) -> gpu::Settings {
    let config::Gpu { device, library, .. } = config.gpu.clone();
    gpu::Settings { device, library, root: PathBuf::from("/") }
}

/// What a subcommand wants of an engine that it starts for itself; what is `None` is as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineWish {
    /// A file, or `starter`.
    pub model: Option<PathBuf>,
    pub threads: Option<u16>,
    pub lanes: Option<u16>,
}

/// An engine of one's own, whatever `speech.socket` says, for hearing alone.
pub fn own_engine(
    config: &Config,
    config_path: Option<&Path>,
    paths: &Paths,
    wish: &EngineWish,
) -> Result<EnginePlace, StartError> {
    let mut config = config.clone();
    config.speech.socket = None;
    let mut place = engine(&config, config_path, paths)?;
    if let EnginePlace::Child { arguments, .. } = &mut place {
        arguments.push("--without-onnx".into());
        if let Some(model) = &wish.model {
            arguments.extend(["--model".into(), model.into()]);
        }
        for (name, count) in [("--threads", wish.threads), ("--lanes", wish.lanes)] {
            arguments.extend(count.into_iter().flat_map(|n| [name.into(), n.to_string().into()]));
        }
    }
    Ok(place)
}

/// Whether the owner counts on a GPU: by asking for it, or by having built the program for one.
pub(super) fn wants_gpu(config: &Config) -> bool {
    match config.speech.device {
        Device::Cpu => false,
        Device::Auto => cfg!(feature = "cuda"),
        Device::Cuda => true,
    }
}

/// A missing model file is told before anything starts; whether it is sound, the engine finds out.
pub(super) fn check_model(config: &Config) -> Result<(), StartError> {
    let smaller = match &config.gpu.smaller_model {
        Some(SmallerModel::File(model)) => Some(model),
        Some(SmallerModel::Starter) | None => None,
    };
    let models = [config.speech.whisper_model.as_ref(), smaller];
    models.into_iter().flatten().try_for_each(check_file)
}

fn check_file(model: &ModelFile) -> Result<(), StartError> {
    let path = || model.path.clone();
    trusted::open(&path()).map(drop).map_err(|error| match (error, &model.shelved) {
        (error, Some(shelved)) if error.is_missing() => {
            StartError::NotPulled { name: shelved.name.clone(), path: path() }
        }
        (Untrusted::Unreadable(source), _) => StartError::ModelMissing { path: path(), source },
        (source, _) => StartError::ModelCorrupt(ModelError::Untrusted { path: path(), source }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::desk::Skill;
    use crate::speech::neural::{Neural, NeuralVoices};
    use crate::speech::voice::Voices;

    fn text() -> Private<String> {
        Private::new(String::new())
    }

    #[test]
    fn a_model_with_the_ear_inside_the_program_is_told() {
        let read = |text: &str| crate::appliance::config::from_text(text).unwrap();
        let llm = "[llm]\nserver = \"http://127.0.0.1:1\"\nmodel = \"m\"\n";
        assert!(hears_too_little(&read(llm)));
        assert!(!hears_too_little(&read("")));
        assert!(!hears_too_little(&read(&format!("[speech]\nwhisper_model = \"/m\"\n{llm}"))));
    }

    #[test]
    fn keys_of_sound_that_go_unencrypted_are_told() {
        let told = |text: &str| {
            srtp_warnings(&crate::appliance::config::from_text(text).unwrap()).join("\n")
        };
        let required = "[media]\nsrtp = \"required\"\n";
        assert_eq!(told(""), "");
        assert!(told(required).contains("come to udp:0.0.0.0:5060"), "{}", told(required));
        let local = "[sip]\nlisten = [\"udp:127.0.0.1:5060\", \"tcp:[::1]:5060\"]\n";
        assert_eq!(told(&format!("{required}{local}")), "");
        let account = "[[accounts]]\nname = \"office\"\nserver = \"h.example\"\nuser = \"1\"\n";
        let open = told(&format!("{required}{local}{account}"));
        assert!(open.starts_with("accounts.office.srtp: ") && open.contains("by udp"), "{open}");
        let own = told(&format!("{account}srtp = \"required\"\n"));
        assert!(own.starts_with("accounts.office.srtp: "), "{own}");
        for rest in ["transport = \"tls\"\n", "srtp = \"optional\"\n"] {
            assert_eq!(told(&format!("{required}{local}{account}{rest}")), "", "{rest}");
        }
    }

    #[test]
    fn a_key_that_goes_unencrypted_and_a_proxy_that_is_not_used_are_told() {
        let told = |server: &str, key: bool, proxy: Option<&str>| {
            let text = format!("[llm]\nserver = \"{server}\"\nmodel = \"m\"\n");
            let config = crate::appliance::config::from_text(&text).unwrap();
            let mut llm = llm(&config).unwrap().unwrap();
            llm.key = key.then(|| Private::new("secret".to_owned()));
            let variable = |name: &str| proxy.filter(|_| name == "all_proxy").map(str::to_owned);
            llm_warnings(&llm, variable).len()
        };
        for (server, key, proxy, warnings) in [
            ("http://127.0.0.1:1", true, None, 0),
            ("http://[::1]:1", true, Some("http://p:1"), 0),
            ("http://localhost:1", true, None, 0),
            ("http://192.168.1.5:1", false, None, 0),
            ("http://192.168.1.5:1", true, None, 1),
            ("http://[fd00::1]:1", true, None, 1),
            ("https://llm.example.net", true, None, 0),
            ("https://llm.example.net", true, Some("http://p:1"), 1),
            ("http://llm.example.net", true, Some("socks5://p:1"), 2),
        ] {
            assert_eq!(told(server, key, proxy), warnings, "{server}");
        }
    }

    #[test]
    fn every_voice_that_can_be_configured_is_one_that_the_engine_has() {
        for (voice, skill) in [
            ("slt", Skill::Flite),
            ("espeak:de", Skill::Espeak),
            ("espeak:en", Skill::Espeak),
            ("espeak:en-us+f3", Skill::Espeak),
        ] {
            let mut config = Config::default();
            config.speech.voice = voice.try_into().unwrap();
            let english = config.engine("/engine.sock".into(), None).english_voice;
            let tongues = tongues(&config).unwrap();
            let phrase = speakers(&config, &tongues).phrase(LanguageCode::ENGLISH, text());
            let voices = Voices { english, has_espeak: true, neural: NeuralVoices::default() };
            assert_eq!(voices.skill_for(&phrase), Ok(skill), "{voice}: {phrase:?}");
        }
        let mut config = Config::default();
        config.speech.voice = "/v/firm.onnx:anna".try_into().unwrap();
        let engine = config.engine("/engine.sock".into(), None);
        let loaded = |name: &str| Neural::new(name.to_owned(), Ok(("cpu".to_owned(), [0; 32])));
        let all = engine.neural.iter().map(|voice| loaded(&voice.name)).collect();
        let neural = NeuralVoices { all, kept: None };
        let voices = Voices { english: engine.english_voice, has_espeak: true, neural };
        let phrase =
            speakers(&config, &tongues(&config).unwrap()).phrase(LanguageCode::ENGLISH, text());
        assert_eq!(voices.skill_for(&phrase), Ok(Skill::Vits(0)), "{phrase:?}");
    }
}
