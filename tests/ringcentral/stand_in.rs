//! RingCentral as far as a box and its own WebPhone see it: the REST interface, SIP over WebSocket and over TLS, the
//! events by the gateway and by webhooks. Sound goes from one telephone to the other, as their
//! descriptions are passed on.
//!
//! What the real client of RingCentral's needs is what it does; `tests/ringcentral.rs` calls it with that
//! client, which is the proof. Faults are switched on by the test.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::calls::Call;
use super::message::{Message, next_of};
use super::support::wait;

/// How lines are known that have come by TLS, and those of browsers.
const TLS: usize = 2;
const BROWSERS: usize = 3;
pub const DOMAIN: &str = "sip.ringcentral.com";
/// Live instances of one extension.
pub const INSTANCES: usize = 5;
/// Calls of one extension at once.
pub const CALLS: usize = 5;

/// A user of the platform with one telephone number.
#[derive(Clone, Debug)]
pub struct Extension {
    pub number: &'static str,
    pub phone: &'static str,
    pub username: String,
    pub password: String,
    pub authorization_id: String,
    pub device: String,
    /// Its application's.
    pub jwt: &'static str,
}

/// A registered telephone.
#[derive(Clone, Debug)]
pub struct Telephone {
    pub extension: usize,
    pub instance: String,
    pub contact: String,
    pub line: u64,
    pub until: Instant,
    /// It has come by TLS.
    pub is_device: bool,
}

/// How events go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    #[default]
    Plain,
    /// Each twice, and the one before it once more.
    Disordered,
    /// Not before [`StandIn::tell_backwards`].
    Held,
}

/// Whoever hears events.
pub enum Listener {
    /// By the connection of this name, or by the next one that takes its place.
    Gateway(String),
    Hook {
        address: String,
        word: String,
    },
}

pub struct Subscription {
    pub id: String,
    pub extension: usize,
    pub listener: Listener,
    pub is_blacklisted: bool,
}

/// What the test has switched on.
#[derive(Default)]
pub struct Faults {
    /// The next request whose path ends so gets this status and Retry-After.
    pub refusals: VecDeque<(&'static str, u16, Option<u32>)>,
    /// Permissions that the application lacks.
    pub denied: HashSet<&'static str>,
    /// Permissions that the user's role lacks.
    pub denied_to_user: HashSet<&'static str>,
    pub delivery: Delivery,
    /// `Answered` is not told until [`StandIn::tell_answered`].
    pub holds_answered: bool,
    /// INVITEs have no description.
    pub is_bodyless: bool,
    /// CANCELs and what is told of calls by MESSAGE wait for [`StandIn::say_held`].
    pub holds_sip: bool,
    /// Subscriptions are blacklisted from the moment on that they are made.
    pub blacklists: bool,
    /// The next connections to the gateway that are refused by 429.
    pub gateway_refusals: u32,
    /// What a gateway's listener has missed is forgotten.
    pub forgets: bool,
    /// How long subscriptions, registrations and tokens last, where not as usual.
    pub subscription_s: Option<u64>,
    pub granted_s: Option<u64>,
    pub token_ttl_s: Option<u64>,
    /// What the answer to a provisioning says of going back to the first proxy.
    pub switch_back_s: Option<u64>,
}

#[derive(Default)]
pub struct State {
    pub origin: String,
    /// The first and the backup.
    pub proxies: [String; 2],
    pub secure_sip: String,
    /// Of telephones by TLS.
    pub tls_sip: String,
    pub gateway: String,
    pub extensions: Vec<Extension>,
    pub telephones: Vec<Telephone>,
    pub lines: HashMap<u64, mpsc::UnboundedSender<String>>,
    /// The lines that have come by each proxy.
    pub of_proxy: HashMap<u64, usize>,
    /// Connections to the gateway by their names, and what each listener without one has missed.
    pub gateways: HashMap<String, mpsc::UnboundedSender<String>>,
    pub missed: HashMap<String, Vec<String>>,
    pub held_sip: Vec<(u64, Message)>,
    pub nonces: HashSet<String>,
    pub calls: Vec<Call>,
    pub tokens: HashMap<String, (usize, Instant)>,
    pub refresh_tokens: HashMap<String, usize>,
    pub subscriptions: Vec<Subscription>,
    pub held: Vec<(usize, serde_json::Value)>,
    pub last_event: Option<(usize, serde_json::Value)>,
    pub faults: Faults,
    /// What was asked for: method and path of each request, and of SIP method and extension.
    pub log: Vec<(Instant, String)>,
    pub next: u64,
}

impl State {
    pub fn note(&mut self, what: impl Into<String>) {
        self.log.push((Instant::now(), what.into()));
    }

    pub fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn send(&self, line: u64, message: &Message) {
        if let Some(to) = self.lines.get(&line) {
            let _ = to.send(message.text());
        }
    }

    /// The telephones of an extension that are registered just now.
    pub fn telephones_of(&self, extension: usize) -> Vec<Telephone> {
        let is_live = |phone: &&Telephone| {
            phone.extension == extension
                && phone.until > Instant::now()
                && self.lines.contains_key(&phone.line)
        };
        self.telephones.iter().filter(is_live).cloned().collect()
    }

    /// The line of a telephone by TLS.
    pub fn is_device(&self, line: u64) -> bool {
        self.of_proxy.get(&line) == Some(&TLS)
    }

    pub fn extension_called(&self, user: &str) -> Option<usize> {
        let is_it = |extension: &Extension| {
            user == extension.number || user.trim_start_matches('+') == extension.phone
        };
        self.extensions.iter().position(is_it)
    }
}

/// The server, until its end.
pub struct StandIn {
    pub state: Arc<Mutex<State>>,
    /// What its TLS is vouched for by, as PEM.
    pub certificate: String,
    proxies: Mutex<[Option<JoinHandle<()>>; 2]>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state = self.lock();
            let since = state.log.first().map_or_else(Instant::now, |(at, _)| *at);
            for (at, what) in &state.log {
                eprintln!("{:7.3} {what}", (*at - since).as_secs_f64());
            }
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl StandIn {
    /// With seven extensions, 101 to 107.
    pub fn start() -> Self {
        let extension = |number: &'static str, phone: &'static str, jwt| Extension {
            number,
            phone,
            username: format!("17205550100*{number}"),
            password: format!("password of {number}"),
            authorization_id: format!("802404906{number}"),
            device: format!("8047{number}"),
            jwt,
        };
        let extensions = vec![
            extension("101", "17205550101", "jwt-101"),
            extension("102", "17205550102", "jwt-102"),
            extension("103", "17205550103", "jwt-103"),
            extension("104", "17205550104", "jwt-104"),
            extension("105", "17205550105", "jwt-105"),
            extension("106", "17205550106", "jwt-106"),
            extension("107", "17205550107", "jwt-107"),
        ];
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let state = Arc::new(Mutex::new(State { extensions, ..State::default() }));
        let listen = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let [rest, sip, backup, secure, tls, gateway] = [0; 6].map(|_| listen());
        {
            let mut state = state.lock().unwrap();
            let at = |listener: &TcpListener| listener.local_addr().unwrap();
            state.origin = format!("http://{}", at(&rest));
            state.proxies = [&sip, &backup].map(|proxy| format!("ws://{}", at(proxy)));
            state.secure_sip = at(&secure).to_string();
            state.tls_sip = at(&tls).to_string();
            state.gateway = format!("ws://{}/ws", at(&gateway));
        }
        let (acceptor, certificate) = acceptor();
        let serve = |listener, proxy, tls| {
            runtime.spawn(serve_sip(listener, (proxy, tls), Arc::clone(&state)))
        };
        serve(secure, BROWSERS, Some(acceptor.clone()));
        serve(tls, TLS, Some(acceptor));
        let proxies = [Some(serve(sip, 0, None)), Some(serve(backup, 1, None))];
        runtime.spawn(super::gateway::serve(gateway, Arc::clone(&state)));
        let router = super::rest::router(Arc::clone(&state));
        runtime.spawn(async move { axum::serve(rest, router).await });
        Self { state, certificate, proxies: Mutex::new(proxies), runtime: Some(runtime) }
    }

    /// A proxy dies with all its connections.
    pub fn kill_proxy(&self, proxy: usize) {
        if let Some(task) = self.proxies.lock().unwrap()[proxy].take() {
            task.abort();
        }
        let mut state = self.lock();
        let State { lines, of_proxy, .. } = &mut *state;
        lines.retain(|line, _| of_proxy.get(line) != Some(&proxy));
        state.note(format!("PROXY {proxy} DIES"));
    }

    /// It is there again, at its old place.
    pub fn revive_proxy(&self, proxy: usize) {
        let place = self.lock().proxies[proxy].trim_start_matches("ws://").to_owned();
        let runtime = self.runtime.as_ref().unwrap();
        let listener = wait::until("its place is free", Duration::from_secs(10), || {
            runtime.block_on(TcpListener::bind(&place)).ok()
        });
        let task = runtime.spawn(serve_sip(listener, (proxy, None), Arc::clone(&self.state)));
        self.proxies.lock().unwrap()[proxy] = Some(task);
    }

    /// All connections to the gateway end without a word.
    pub fn cut_gateways(&self) {
        let mut state = self.lock();
        state.gateways.clear();
        state.note("GATEWAYS CUT");
    }

    /// Events that were held go out, the newest first.
    pub fn tell_backwards(&self) {
        let mut state = self.lock();
        state.faults.delivery = Delivery::Plain;
        for (extension, event) in std::mem::take(&mut state.held).into_iter().rev() {
            super::gateway::deliver(&mut state, extension, &event);
        }
    }

    /// What was held goes out.
    pub fn say_held(&self) {
        let mut state = self.lock();
        state.faults.holds_sip = false;
        for (line, message) in std::mem::take(&mut state.held_sip) {
            state.send(line, &message);
        }
    }

    /// The last thing that was noted and begins so.
    pub fn last(&self, what: &str) -> Option<String> {
        let state = self.lock();
        let found = state.log.iter().rev().find(|(_, noted)| noted.starts_with(what));
        found.map(|(_, noted)| noted.clone())
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn origin(&self) -> String {
        self.lock().origin.clone()
    }

    /// How often something that begins so was asked.
    pub fn count(&self, what: &str) -> usize {
        self.lock().log.iter().filter(|(_, noted)| noted.starts_with(what)).count()
    }

    pub fn times(&self, what: &str) -> Vec<Instant> {
        let state = self.lock();
        let found = state.log.iter().filter(|(_, noted)| noted.starts_with(what));
        found.map(|(at, _)| *at).collect()
    }

    /// The signalling of an extension's telephones is cut off.
    pub fn cut_off(&self, number: &str) {
        let mut state = self.lock();
        let Some(at) = state.extensions.iter().position(|e| e.number == number) else { return };
        let phones = state.telephones_of(at);
        for phone in phones {
            state.lines.remove(&phone.line);
        }
        state.note(format!("CUT OFF {number}"));
    }

    /// No token is good any more.
    pub fn expire_tokens(&self) {
        self.lock().tokens.clear();
    }

    /// Events of `Answered` that were held go out.
    pub fn tell_answered(&self) {
        let mut state = self.lock();
        state.faults.holds_answered = false;
        for (extension, event) in std::mem::take(&mut state.held) {
            super::gateway::deliver(&mut state, extension, &event);
        }
    }
}

/// A certificate that vouches for itself: the browser is told to believe any.
fn acceptor() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key).unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

async fn serve_sip(
    listener: TcpListener,
    (proxy, tls): (usize, Option<TlsAcceptor>),
    state: Arc<Mutex<State>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            match (tls, proxy) {
                (None, _) => talk(stream, proxy, state).await,
                (Some(tls), TLS) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        talk_by_stream(stream, state).await;
                    }
                }
                (Some(tls), _) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        talk(stream, proxy, state).await;
                    }
                }
            }
        });
    }
}

fn new_line(state: &Mutex<State>, proxy: usize) -> (u64, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut state = state.lock().unwrap();
    let line = state.fresh();
    state.lines.insert(line, sender);
    state.of_proxy.insert(line, proxy);
    state.note(format!("LINE {line} by {proxy}"));
    (line, receiver)
}

/// One line of a telephone by TLS: messages as their Content-Length says.
async fn talk_by_stream<S>(mut stream: S, state: Arc<Mutex<State>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (line, mut to_send) = new_line(&state, TLS);
    let (mut received, mut bytes) = (Vec::new(), [0; 4_096]);
    loop {
        tokio::select! {
            text = to_send.recv() => {
                let Some(text) = text else { break };
                if stream.write_all(text.as_bytes()).await.is_err() || stream.flush().await.is_err() {
                    break;
                }
            }
            count = stream.read(&mut bytes) => {
                let Ok(count @ 1..) = count else { break };
                received.extend_from_slice(&bytes[..count]);
                while let Some(message) = next_of(&mut received) {
                    super::calls::receive(&mut state.lock().unwrap(), line, message);
                }
            }
        }
    }
    state.lock().unwrap().lines.remove(&line);
}

#[expect(clippy::result_large_err, reason = "the library's own type")]
fn choose(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let asked = request.headers().get("Sec-WebSocket-Protocol");
    if asked.is_none_or(|asked| asked != "sip") {
        return Err(ErrorResponse::new(Some("sip".to_owned())));
    }
    response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("sip"));
    Ok(response)
}

/// One line of a telephone: a message a text frame.
async fn talk<S>(stream: S, proxy: usize, state: Arc<Mutex<State>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(mut socket) = accept_hdr_async(stream, choose).await else { return };
    let (line, mut to_send) = new_line(&state, proxy);
    loop {
        tokio::select! {
            text = to_send.recv() => match text {
                Some(text) => {
                    if socket.send(Frame::text(text)).await.is_err() {
                        break;
                    }
                }
                // Cut off: without a word.
                None => break,
            },
            frame = socket.next() => match frame {
                Some(Ok(Frame::Text(text))) => {
                    let message = Message::parse(text.as_str());
                    super::calls::receive(&mut state.lock().unwrap(), line, message);
                }
                Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
                Some(Ok(Frame::Binary(_))) => {
                    state.lock().unwrap().note("BINARY frame");
                    break;
                }
                _ => break,
            },
        }
    }
    state.lock().unwrap().lines.remove(&line);
}

/// How long what was granted lasts.
pub const GRANTED: Duration = Duration::from_secs(50);
