//! The configuration file as it is written: every key, what it does and what it is without one.
//!
//! `attendant.toml` in the repository says the same to the owner, and a test keeps its values equal
//! to these. Numbers are wide here so that `checked` can name the allowed range of one that is too big.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::agent::AgentKeys;
pub use super::campaigns::File as CampaignsKeys;
pub use super::dial::Dial;
pub use super::handsets::Handset;
pub use super::history::File as History;
pub use super::listen::Listen;
pub use super::mail::File as Mail;
pub use super::operators::File as Operators;
pub use super::recordings::File as Recordings;
pub use super::ringcentral::File as RingCentral;
pub use super::upkeep::{CanaryKeys, RealTimeKeys, UpdatesKeys};
pub use super::voicemail::File as Voicemail;

/// `attendant.toml`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    pub sip: Sip,
    pub web: Web,
    pub calls: Calls,
    pub media: Media,
    pub speech: Speech,
    pub gpu: Gpu,
    /// When a caller's turn begins and ends.
    pub listen: Listen,
    pub converse: Converse,
    pub llm: Llm,
    pub knowledge: Knowledge,
    /// What is kept of calls.
    pub history: History,
    /// Whether calls are recorded.
    pub recordings: Recordings,
    /// People of the firm who listen to calls and speak in them.
    pub operators: Operators,
    /// Messages after a tone.
    pub voicemail: Voicemail,
    /// E-mail about what callers leave.
    pub mail: Mail,
    pub inbound: Inbound,
    pub handover: Handover,
    pub dial: Dial,
    /// Many numbers that are called one after the other.
    pub campaigns: CampaignsKeys,
    /// A remote agent that holds calls in place of the playbook.
    pub agent: AgentKeys,
    pub baresip: Baresip,
    pub log: Log,
    /// Calls of the box to itself.
    pub canary: CanaryKeys,
    pub realtime: RealTimeKeys,
    pub updates: UpdatesKeys,
    /// The languages besides `speech.language`, and which calls are held in which.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub language: Vec<Language>,
    /// The people whom callers can be put through to, the first for who names nobody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub person: Vec<Person>,
    /// What can be asked of the owner's own systems.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lookup: Vec<Lookup>,
    /// Where the box registers, to be called there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<Account>,
    /// Extensions of RingCentral's that the box is a telephone of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ringcentral: Vec<RingCentral>,
    /// Who may use the HTTP interface, and for what. None: whoever is on the box, for all of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token: Vec<Token>,
    /// Who is told what happens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhook: Vec<Webhook>,
    /// Telephone bridges that the box connects to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bridge: Vec<Bridge>,
    /// Handsets and speakerphones of this machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub handset: Vec<Handset>,
}

/// How the telephone network reaches the box.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sip {
    /// Addresses that take SIP, each `udp:ADDRESS:PORT`, or with `tcp`, `tls`, `ws` or `wss` for `udp`;
    /// an IPv6 address stands in brackets. Port 0 lets the system choose.
    pub listen: Vec<String>,
    /// How long a call lasts without a sign of life in its signalling, in seconds, where the other end
    /// knows that (RFC 4028), 90 to 86400. 0: only where the other end asks for it.
    pub session_expires_s: i64,
    /// Names by which web pages of the owner's come in by `ws` or `wss`, besides addresses and localhost.
    pub hosts: Vec<String>,
    pub tls: SipTls,
}

/// TLS under SIP.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SipTls {
    /// Our certificate in PEM, followed by those that vouch for it. Read again when it changes.
    pub certificate: String,
    /// Its private key in PEM, without a password.
    pub key: String,
    /// The authorities in PEM that may vouch for a server. Empty: those inside the program.
    pub authorities: String,
    /// The authorities in PEM that must vouch for whoever connects to us by TLS. Empty: anyone may.
    pub client_ca: String,
}

impl Default for Sip {
    fn default() -> Self {
        Self {
            listen: vec!["udp:0.0.0.0:5060".to_owned(), "tcp:0.0.0.0:5060".to_owned()],
            session_expires_s: 1_800,
            hosts: Vec::new(),
            tls: SipTls::default(),
        }
    }
}

/// The status page and the HTTP interface.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Web {
    /// `ADDRESS:PORT`. The page shows who called and what was said; until a password is set, or there is a section
    /// `[[token]]`, only the box itself is answered.
    pub listen: String,
    /// Names by which it is asked, as through a proxy, besides addresses, localhost and the box's own name.
    pub hosts: Vec<String>,
}

impl Default for Web {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".to_owned(), hosts: Vec::new() }
    }
}

/// A telephone bridge that the box connects to, and that sends its calls over such a connection.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bridge {
    /// As its credential calls it.
    pub name: String,
    /// `wss://HOST/PATH`; `ws://` on the box only.
    pub url: String,
}

/// A system of the owner's that is told what happens.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhook {
    /// As its credential calls it.
    pub name: String,
    /// `https://HOST/PATH`; `http://` on the box only.
    pub url: String,
    /// Types of events, or what they begin with.
    pub events: Vec<String>,
    /// What was said, left and pressed is in them.
    pub words: bool,
}

impl Default for Webhook {
    fn default() -> Self {
        let events = ["message.left", "voicemail.left", "call.closed"].map(str::to_owned).to_vec();
        Self { name: String::new(), url: String::new(), events, words: true }
    }
}

/// The interface of baresip's module ctrl_tcp, for programs that were written for it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Baresip {
    /// `ADDRESS:PORT` with a loopback address, for it knows no passwords. Empty: there is none.
    pub listen: String,
    /// Events have the classes of baresip up to version 3.
    pub legacy_classes: bool,
}

/// Somebody who may use the HTTP interface.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Token {
    /// As its credential calls it.
    pub name: String,
    /// What it is good for: any of `read`, `words`, `dial`, `calls`, `webrtc`, `audio`, `metrics`, `history` and
    /// `settings`.
    pub scopes: Vec<String>,
    /// Web pages of other sites that may ask with it, as in `https://shop.example`.
    pub origins: Vec<String>,
}

/// Which calls are taken, and for how long.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calls {
    /// Calls at once, 1 to 100. Memory for all of them is set aside at start.
    pub max: i64,
    /// Longest call in seconds, 30 to 86400; shortly before, the caller is told.
    pub max_duration_s: i64,
    /// What one call more than `max` gets: `busy` (486) or `unavailable` (503, which lets a trunk
    /// try its next destination).
    pub when_full: String,
    /// With a 503: when the other side may try again, in seconds, 1 to 3600.
    pub retry_after_s: i64,
    /// The engine's measured real-time factor above which no call is taken besides those that are up, 0.1 to 1.
    pub max_load: f64,
    /// How long it rings before the answer, in milliseconds, 0 to 60000.
    pub answer_after_ms: i64,
    /// Each call is recorded for `attendant replay`, with its sound and its words.
    pub flight_record: bool,
    /// Records that there are at most, 1 to 10000, those that are being written included; the oldest
    /// that is not being written goes first.
    pub flight_files: i64,
    /// Room for all of them in MB, 1 to 1000000.
    pub flight_mb: i64,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            max: 5,
            max_duration_s: 300,
            when_full: "busy".to_owned(),
            retry_after_s: 10,
            max_load: 0.7,
            answer_after_ms: 0,
            flight_record: false,
            flight_files: 100,
            flight_mb: 1_000,
        }
    }
}

/// The sound on the network.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// UDP ports for RTP and RTCP, `FIRST-LAST`, 1024 to 65535: an even one and the odd one after
    /// it for each call, so at least two for each of `calls.max`.
    pub ports: String,
    /// Codecs in the order in which we like them: `opus`, `G722`, `PCMU`, `PCMA`.
    pub codecs: Vec<String>,
    /// Milliseconds of sound in a packet where the other side does not say: 10, 20, 30, 40 or 60.
    pub ptime_ms: i64,
    /// The IP address that the other side shall send sound to: `received`, `stun:HOST`, `stun:HOST:PORT`
    /// or an address. Empty: our address on the way to it.
    pub address: String,
    /// Whether sound is encrypted (SRTP, with keys in the SIP message or by DTLS): `off`, `optional` (as
    /// the other side wants it) or `required` (a call without is refused).
    pub srtp: String,
    /// Where the keys are from in calls that we make: `sdes` (the SIP message) or `dtls` (a handshake, as
    /// browsers want it; a call is not made without). In calls that come both are taken.
    pub keys: String,
    /// Our side of ICE where the other end has it: `full` (checks of ours open routers on the way and find the
    /// other end) or `lite` (we are where `address` says, and answer).
    pub ice: String,
    /// TURN servers, for calls that nothing else lets through.
    pub turn: Turn,
}

/// Servers that lend an address (RFC 8656).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Turn {
    /// `turn:HOST:PORT`, `turn:HOST:PORT?transport=tcp` or `turns:HOST:PORT`; the first that answers is taken.
    pub servers: Vec<String>,
    /// The name that they know us by. The password is the credential `turn`, or `ATTENDANT_TURN_PASSWORD`.
    pub user: String,
    /// Calls with ICE tell no other address, and nothing of theirs goes past the server.
    pub only: bool,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            ports: "16384-16583".to_owned(),
            codecs: ["opus", "G722", "PCMU", "PCMA"].map(str::to_owned).to_vec(),
            ptime_ms: 20,
            address: String::new(),
            srtp: "optional".to_owned(),
            keys: "sdes".to_owned(),
            ice: "full".to_owned(),
            turn: Turn::default(),
        }
    }
}

/// Hearing and speaking.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Speech {
    /// A name of `attendant models list`, as in `small.en-q5_1`, or a Whisper model file in ggml
    /// format (with a folder, or `./`, in front of a name that is also on the list). Empty: the
    /// small English model inside the program.
    pub whisper_model: String,
    /// A turn model, which tells by the voice whether the caller has finished: a name of `attendant
    /// models list`, as in `smart-turn-v3.2`, or such a file, `FILE.onnx`. Empty: none. It needs ONNX
    /// Runtime.
    pub turn_model: String,
    /// The voice of the default language: `slt` (American English, inside the program),
    /// `espeak:LANGUAGE`, as in `espeak:de`, a voice of `attendant models list`, or a Piper or Coqui
    /// VITS file of one's own, `FILE.onnx`; of several speakers one by name, `VOICE:SPEAKER`.
    pub voice: String,
    /// The default language of calls, which `voice` and `converse.playbook` are for: two or three
    /// letters; or `auto`: the model finds out among those of the sections `[[language]]` and that
    /// of `converse.playbook`, in which calls begin.
    pub language: String,
    /// `auto` (the GPU if there is one), `cpu` or `cuda`. Without a usable GPU the CPU does it and
    /// the page says so.
    pub device: String,
    /// The Unix socket of a speech engine that runs on its own, as under systemd. Empty: the
    /// engine is started along with the rest.
    pub socket: String,
    /// CPU threads that hear, 1 to 64; 0: as many as there are cores.
    pub threads: i64,
    /// Decode what a caller has said so far while they speak, for the page.
    pub partials: bool,
    /// Tell the model what the caller is likely to say. The small model inside the program takes no
    /// such hints and gets none.
    pub prompt: bool,
    /// The file of ONNX Runtime, `libonnxruntime.so...`, which neural voices and a turn model need.
    /// Empty: where packages put it.
    pub onnxruntime: String,
    /// Megabytes of rendered phrases of neural voices that are kept in the state folder, 0 to 100000.
    pub phrases_mb: i64,
}

impl Default for Speech {
    fn default() -> Self {
        Self {
            whisper_model: String::new(),
            turn_model: String::new(),
            voice: "slt".to_owned(),
            language: "en".to_owned(),
            device: "auto".to_owned(),
            socket: String::new(),
            threads: 0,
            partials: true,
            prompt: false,
            onnxruntime: String::new(),
            phrases_mb: 256,
        }
    }
}

/// What is said.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Converse {
    /// The playbook of the default language, a TOML file. Empty: the logistics desk inside the
    /// program, which is there in English and Russian.
    pub playbook: String,
    /// Seconds of silence on both sides before the caller is asked, before they are asked again,
    /// and before the call ends: three numbers, rising, 2 to 600.
    pub silence_s: Vec<i64>,
}

impl Default for Converse {
    fn default() -> Self {
        Self { playbook: String::new(), silence_s: vec![8, 16, 24] }
    }
}

/// The language model that answers what the playbook does not know.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Llm {
    /// `http://HOST:PORT` or `https://HOST`, with a path in front of the protocol's own if there is
    /// one. Empty: no model, the playbook answers alone.
    pub server: String,
    /// `ollama`, or `openai` for servers with `/v1/chat/completions`.
    pub protocol: String,
    /// As the server names it, as in `qwen3:4b`.
    pub model: String,
    /// Answers that the server makes at once, 1 to 64: `OLLAMA_NUM_PARALLEL`, or llama.cpp's
    /// `--parallel`.
    pub at_once: i64,
    /// Seconds that Ollama keeps the model in memory after an answer, up to 604800; -1: for ever.
    pub keep_alive_s: i64,
    /// Tokens of prompt and answer that Ollama sets the model up for, 2048 to 1048576; 0: its
    /// default.
    pub context: i64,
    /// "off": a model that can think before it answers is told not to, in the server's way; "as-is":
    /// as the server does it by itself.
    pub thinking: String,
}

impl Default for Llm {
    fn default() -> Self {
        Self {
            server: String::new(),
            protocol: "ollama".to_owned(),
            model: String::new(),
            at_once: 1,
            keep_alive_s: -1,
            context: 4096,
            thinking: "off".to_owned(),
        }
    }
}

/// The GPU, and what is too much for it and the box.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gpu {
    /// Which is watched and used: `auto`, `none`, a number as `nvidia-smi` counts, or a UUID.
    pub device: String,
    /// The file of NVML. Empty: the system's `libnvidia-ml.so.1`.
    pub library: String,
    /// From this temperature of the GPU on, in °C, fewer calls are taken, 40 to 120.
    pub max_c: i64,
    /// The same of the processor.
    pub cpu_max_c: i64,
    /// MB that stay free where the models are, 0 to 1000000: in the GPU, else in the box.
    pub memory_reserve_mb: i64,
    /// What hears instead of `speech.whisper_model` while the box is too hot or has too much to do, and without
    /// its GPU: as that, or `starter`. Empty: nothing else.
    pub smaller_model: String,
}

impl Default for Gpu {
    fn default() -> Self {
        Self {
            device: "auto".to_owned(),
            library: String::new(),
            max_c: 88,
            cpu_max_c: 98,
            memory_reserve_mb: 64,
            smaller_model: String::new(),
        }
    }
}

/// A language of calls. A call is held in the language of the number that was called, else of the
/// caller's own number, else of the address that it came in on, else in `speech.language`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Language {
    /// Two or three letters as in `ru`; `auto` for calls of which the model finds out the language.
    /// The default language may have a section too, with no playbook and no voice.
    pub code: String,
    /// A TOML file. Empty: the logistics desk inside the program, in English and Russian.
    pub playbook: String,
    /// As `speech.voice`. Empty: `slt` for English, else espeak-ng's voice of the language.
    pub voice: String,
    /// What callers' numbers begin with, international with a plus: `+7`. The longest that fits
    /// wins. A number without a plus counts as international from 11 digits on.
    pub callers: Vec<String>,
    /// Users or numbers that were called, as in `ru` for `sip:ru@box` or `+74951234567`.
    pub called: Vec<String>,
    /// Addresses of `sip.listen`, for trunks that come in on one of their own.
    pub listen: Vec<String>,
}

/// What the owner has written down for callers.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Knowledge {
    /// A folder of Markdown files. Empty: none.
    pub folder: String,
}

/// Somebody whom callers can be put through to.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Person {
    /// As it is said.
    pub name: String,
    /// What callers call them besides that: `sales`, `(anna|ann) [weber]`.
    pub phrases: Vec<String>,
    /// A SIP URI, or a telephone number that the caller's own side can call.
    pub address: String,
    /// When they are there, local time: `Mon-Fri 08:00-18:00, Sat 09:00-13:00`. Empty: always.
    pub hours: String,
    /// Seconds that it rings there before the caller is taken back, 5 to 120.
    pub ring_s: i64,
    /// `refer`: the caller's own side makes the call. `bridge`: the box does, and joins the two.
    pub by: String,
    /// The name of who is tried when nobody takes the call. Empty: nobody.
    pub then: String,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            name: String::new(),
            phrases: Vec::new(),
            address: String::new(),
            hours: String::new(),
            ring_s: 30,
            by: "refer".to_owned(),
            then: String::new(),
        }
    }
}

/// A question to a system of the owner's, over HTTP.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lookup {
    /// Letters, digits and underscores, as playbooks name it and a model calls it.
    pub name: String,
    /// What it answers, for a model.
    pub description: String,
    /// `http://HOST:PORT/PATH` or `https://HOST/PATH`, with `{name}` for values in path and query.
    pub url: String,
    /// `GET`, or `POST` with the values that are not in the address as JSON.
    pub method: String,
    /// A `POST` that leaves everything as it is: a model may ask it without the caller's yes.
    pub changes_nothing: bool,
    /// The type of each value: `digits`, `digits 3-12` or `text`.
    pub parameters: BTreeMap<String, String>,
    /// Header fields; `{secret}` is the credential `lookup_NAME`.
    pub headers: BTreeMap<String, String>,
    /// What is taken of the JSON that comes: a name and where it stands, as in `/order/status`.
    pub fields: BTreeMap<String, String>,
    /// Milliseconds until it has failed, 100 to 10000.
    pub timeout_ms: i64,
}

impl Default for Lookup {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            url: String::new(),
            method: "GET".to_owned(),
            changes_nothing: false,
            parameters: BTreeMap::new(),
            headers: BTreeMap::new(),
            fields: BTreeMap::new(),
            timeout_ms: 3_000,
        }
    }
}

/// Who may call.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Inbound {
    /// `anyone`; or any of `accounts` (the servers of the accounts), IP addresses, and networks as in
    /// `192.0.2.0/24`. What others begin is dropped without an answer.
    pub from: Vec<String>,
    /// Whom a caller may have the box call in its place: `refuse` or `people`.
    pub refer: String,
}

impl Default for Inbound {
    fn default() -> Self {
        Self { from: vec!["anyone".to_owned()], refer: "refuse".to_owned() }
    }
}

/// How callers are put through.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Handover {
    /// What a caller hears while the box calls somebody for them: `ringing`, `music` or `silence`.
    pub hold: String,
}

impl Default for Handover {
    fn default() -> Self {
        Self { hold: "ringing".to_owned() }
    }
}

/// An account with a provider or a telephone system.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Account {
    /// As the page, the log and the password's credential call it.
    pub name: String,
    /// `HOST` or `HOST:PORT` of the registrar; the host is the account's domain.
    pub server: String,
    /// `udp`, `tcp`, `tls`, `ws` or `wss`. Empty: as the records of the name say.
    pub transport: String,
    /// What stands before the `@` of the account's address.
    pub user: String,
    /// The user name that goes with the password. Empty: `user`.
    pub auth_user: String,
    /// The only realm that the password is used for. Empty: any that the server names.
    pub realm: String,
    /// false: the server knows the box by its address, and only calls go to it.
    pub registers: bool,
    /// What stands before the country code in a number that is called, in place of the plus.
    pub number_prefix: String,
    /// The number that is shown to whom we call, with plus and country code. Empty: the account's
    /// address.
    pub caller_id: String,
    /// Servers that requests go to in place of `server`, the first to be tried first.
    pub proxies: Vec<String>,
    /// Seconds that a registration shall last, 60 to 86400.
    pub expires_s: i64,
    /// Seconds between two questions whether the server is still there, 10 to 300.
    pub keep_alive_s: i64,
    /// `media.srtp` for calls that its servers bring. Empty: that.
    pub srtp: String,
    /// `media.keys` for calls that go to its servers. Empty: that.
    pub keys: String,
    /// `on` or `off`: whether a remote agent holds its calls. Empty: as playbook and `[agent]` say.
    pub agent: String,
    /// `media.ice` for calls from and to its servers. Empty: that.
    pub ice: String,
    /// `sha256:` and the hash of the server's public key, which alone is believed then. Empty: authorities are.
    pub tls_pin: String,
    /// A certificate in PEM that the server is shown, and its key. Empty: none.
    pub tls_certificate: String,
    pub tls_key: String,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            name: String::new(),
            server: String::new(),
            transport: String::new(),
            user: String::new(),
            auth_user: String::new(),
            realm: String::new(),
            registers: true,
            number_prefix: "+".to_owned(),
            caller_id: String::new(),
            proxies: Vec::new(),
            expires_s: 300,
            keep_alive_s: 25,
            srtp: String::new(),
            keys: String::new(),
            agent: String::new(),
            ice: String::new(),
            tls_pin: String::new(),
            tls_certificate: String::new(),
            tls_key: String::new(),
        }
    }
}

/// The log. Numbers, addresses and words stand in it only where `private` says so.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`; of other people's parts only warnings.
    pub level: String,
    /// Who called and what was said stands in it, too: to look for a fault, and not longer.
    pub private: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), private: false }
    }
}
