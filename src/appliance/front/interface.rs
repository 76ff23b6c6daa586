//! What the HTTP interface and that of baresip are made from.

use std::net::TcpListener;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::settings;
use crate::appliance::audio_legs::{self, AudioLegs, Door, Wanted};
use crate::appliance::config::Config;
use crate::appliance::credentials;
use crate::appliance::paths::Paths;
use crate::appliance::ringcentral::Hooks;
use crate::appliance::start_error::StartError;
use crate::appliance::webhooks::{self, Secret, Webhooks};
use crate::base::{Entropy, Private, limits};
use crate::web::{self, Access, Board, Command, CtrlTcp, Token, WebThread};

/// Least characters of a token: 128 bits in base64. A short one can be guessed.
const LEAST_CHARS: usize = 22;

/// Its sockets, taken before anything else starts, so that a busy port is known at once.
pub(super) struct Bound {
    access: Access,
    listener: TcpListener,
    ctrl_tcp: Option<(TcpListener, CtrlTcp)>,
}

/// What comes by it and is not for the interface itself.
pub(super) struct Doors {
    /// Calls by WebSocket.
    pub legs: Door,
    /// Events of RingCentral's.
    pub hooks: Hooks,
}

impl Bound {
    pub fn new(config: &Config) -> Result<Self, StartError> {
        let access = access(config)?;
        let listener = web::bind(config.web.listen)
            .map_err(|source| StartError::from_bind("web.listen", config.web.listen, source))?;
        Ok(Self { access, listener, ctrl_tcp: ctrl_tcp(config)? })
    }

    /// Serves until the thread is dropped; what is asked of the net thread comes from the channel.
    pub fn start(
        self,
        config: &Config,
        board: &Arc<Board>,
        doors: Doors,
        entropy: Entropy,
    ) -> Result<(WebThread, mpsc::Receiver<Command>), StartError> {
        let (commands, asked) = mpsc::channel(limits::API_COMMANDS);
        let Self { access, listener, ctrl_tcp } = self;
        let board = Arc::clone(board);
        let hosts = config.web.hosts.clone();
        let Doors { legs: door, hooks } = doors;
        let parts =
            web::Parts { listener, board, commands, access, hosts, entropy, ctrl_tcp, door, hooks };
        let thread = web::start(parts)
            .map_err(|source| StartError::System { what: "cannot start the web thread", source })?;
        Ok((thread, asked))
    }
}

/// Who may use it. A token that is configured and not there would be a surprise in the middle of the night.
fn access(config: &Config) -> Result<Access, StartError> {
    let tokens = config.web.tokens.iter().map(|section| {
        let name = section.name.clone();
        let secret = credentials::of_token(&name).map_err(|source| StartError::System {
            what: "cannot read the credential of a token",
            source,
        })?;
        let bad = |reason: String| StartError::BadFile {
            key: "token",
            path: "(the configuration)".into(),
            reason,
        };
        let variable = credentials::token_variable(&name);
        let secret = secret.ok_or_else(|| {
            bad(format!("{name} is neither the credential token_{name} nor in {variable}"))
        })?;
        if secret.reveal().len() < LEAST_CHARS {
            let text = format!(
                "{name} has less than {LEAST_CHARS} characters; make one by openssl rand -hex 32"
            );
            return Err(bad(text));
        }
        let (scopes, origins) = (section.scopes, section.origins.clone());
        Ok(Token { name, secret, scopes, origins })
    });
    tokens.collect::<Result<Vec<_>, _>>().map(Access::new)
}

/// Tokens that travel for everybody to read: told in the log and on the page.
pub(super) fn warnings(config: &Config) -> Option<String> {
    let is_open = !config.web.listen.ip().is_loopback();
    let text = || {
        let text = "web.listen: tokens and words go unencrypted to other machines; better let a proxy with TLS \
                    on the box ask a loopback address";
        tracing::warn!("{text}");
        text.to_owned()
    };
    is_open.then(text)
}

/// The socket for programs that were written for baresip, and how the box presents itself there.
fn ctrl_tcp(config: &Config) -> Result<Option<(TcpListener, CtrlTcp)>, StartError> {
    let Some(baresip) = &config.baresip else { return Ok(None) };
    let listener = web::bind(baresip.listen)
        .map_err(|source| StartError::from_bind("baresip.listen", baresip.listen, source))?;
    let own =
        config.sip.listen.first().map_or_else(String::new, |listen| listen.address.to_string());
    let accounts = config.accounts.iter().map(|account| {
        let domain = match account.server.port {
            Some(port) => format!("{}:{port}", account.server.host),
            None => account.server.host.to_string(),
        };
        let aor = format!("sip:{}@{domain}", account.user.reveal());
        (account.name.clone(), Private::new(aor))
    });
    let settings = CtrlTcp {
        legacy_classes: baresip.legacy_classes,
        own: Private::new(format!("sip:attendant@{own}")),
        accounts: accounts.collect(),
    };
    Ok(Some((listener, settings)))
}

/// Calls by WebSocket: their legs, what their thread wants, and its door.
pub(super) fn audio_legs(
    config: &Config,
    entropy: Entropy,
    board: &Arc<Board>,
) -> Result<(AudioLegs, mpsc::Receiver<Wanted>, Door), StartError> {
    let bridge = |section: &crate::appliance::config::Bridge| {
        let token = credentials::of_bridge(&section.name).map_err(|source| StartError::System {
            what: "cannot read the credential of a bridge",
            source,
        })?;
        let (name, url, at) = (section.name.clone(), section.url.clone(), section.at.clone());
        Ok(audio_legs::Bridge { name, url, at, token })
    };
    let bridges = config.bridges.iter().map(bridge).collect::<Result<Vec<_>, StartError>>()?;
    let roots = settings::roots(bridges.iter().any(|bridge| bridge.at.tls))?;
    audio_legs::start(entropy, bridges, &roots, Arc::clone(board)).map_err(|source| {
        StartError::System { what: "cannot start the thread for calls by WebSocket", source }
    })
}

/// Whoever is told what happens; `None`: nobody.
pub(super) fn webhooks(
    config: &Config,
    paths: &Paths,
    board: &Arc<Board>,
) -> Result<Option<Webhooks>, StartError> {
    if config.webhooks.is_empty() {
        return Ok(None);
    }
    let roots = settings::roots(config.webhooks.iter().any(|webhook| webhook.address.tls))?;
    let webhook = |section: &crate::appliance::config::Webhook| {
        let name = section.name.clone();
        let secret = credentials::of_webhook(&name).map_err(|source| StartError::System {
            what: "cannot read the credential of a webhook",
            source,
        })?;
        let secret = secret.and_then(|secret| Secret::read(secret.reveal()));
        let variable = credentials::webhook_variable(&name);
        let secret = secret.ok_or_else(|| StartError::BadFile {
            key: "webhook",
            path: "(the configuration)".into(),
            reason: format!(
                "{name} needs a secret, whsec_ and 24 to 64 bytes in base64, as the credential \
                 webhook_{name} or in {variable}"
            ),
        })?;
        Ok(webhooks::Settings {
            name,
            address: section.address.clone(),
            target: section.target.clone(),
            events: section.events.clone(),
            words: section.words,
            secret,
        })
    };
    let all = config.webhooks.iter().map(webhook).collect::<Result<Vec<_>, StartError>>()?;
    let folder = webhooks::folder(paths.state());
    let started = webhooks::start(all, &roots, &folder, board);
    started
        .map(Some)
        .map_err(|source| StartError::System { what: "cannot start the webhooks", source })
}
