//! What the HTTP interface and that of baresip are made from.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::settings;
use crate::appliance::audio_legs::{self, AudioLegs, Door, Wanted};
use crate::appliance::campaigns::{self, Campaigns};
use crate::appliance::config::{self, Config};
use crate::appliance::credentials;
use crate::appliance::paths::Paths;
use crate::appliance::ringcentral::Hooks;
use crate::appliance::start_error::StartError;
use crate::appliance::trust::CERTIFICATES;
use crate::appliance::webhooks::{self, Hook, Receiver, Secret, Webhooks, mail};
use crate::base::{Entropy, Private, limits};
use crate::store::bounded;
use crate::web::{self, Access, Board, Command, CtrlTcp, Passwords, Token, WebThread};

/// Least characters of a token: 128 bits in base64. A short one can be guessed.
const LEAST_CHARS: usize = 22;

/// Its sockets, taken before anything else starts, so that a busy port is known at once.
pub(super) struct Bound {
    access: Access,
    passwords: Passwords,
    /// Why nobody can sign in.
    fault: Option<String>,
    settings: web::Settings,
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
    pub fn new(
        config: &Config,
        config_path: Option<&Path>,
        paths: &Paths,
    ) -> Result<Self, StartError> {
        let access = access(config)?;
        let (passwords, fault) = Passwords::open_or_closed(paths.state());
        let fault = fault.map(|error| {
            let text = format!(
                "the passwords in the state folder cannot be read ({error}), and nobody can sign in; \
                 `attendant password --anew` makes new ones"
            );
            tracing::error!("{text}");
            text
        });
        if !config.web.listen.ip().is_loopback()
            && config.web.tokens.is_empty()
            && !passwords.is_set()
        {
            tracing::warn!("web.listen: only the box itself is answered until a password is set");
        }
        let listener = web::bind(config.web.listen)
            .map_err(|source| StartError::from_bind("web.listen", config.web.listen, source))?;
        let settings = web::Settings::new(config_path, paths);
        Ok(Self { access, passwords, fault, settings, listener, ctrl_tcp: ctrl_tcp(config)? })
    }

    /// What is wrong with it, for the owner.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Serves until the thread is dropped; what is asked of the net thread comes from the channel.
    pub fn start(
        self,
        config: &Config,
        board: &Arc<Board>,
        doors: Doors,
        entropy: Entropy,
    ) -> Result<Served, StartError> {
        let (commands, asked) = mpsc::channel(limits::API_COMMANDS);
        let desk = campaigns::Desk::of(config);
        let calling = Calling { desk: desk.clone(), commands: commands.clone() };
        let Self { access, passwords, settings, listener, ctrl_tcp, fault: _ } = self;
        let board = Arc::clone(board);
        let hosts = config.web.hosts.clone();
        let Doors { legs: door, hooks } = doors;
        let parts = web::Parts {
            listener,
            board,
            commands,
            access,
            passwords,
            hosts,
            entropy,
            ctrl_tcp,
            door,
            settings,
            hooks,
            listens: config.operators.enabled,
            own: settings::own_address(config),
            campaigns: desk,
            updates: config.updates,
        };
        let thread = web::start(parts)
            .map_err(|source| StartError::System { what: "cannot start the web thread", source })?;
        Ok((thread, calling, asked))
    }
}

/// The thread, what has campaigns called, and what is asked of the net thread.
pub(super) type Served = (WebThread, Calling, mpsc::Receiver<Command>);

/// Has the numbers of campaigns called, once it is started.
pub(super) struct Calling {
    desk: campaigns::Desk,
    commands: mpsc::Sender<Command>,
}

/// Who has the numbers of campaigns called; `None`: nobody is called.
pub(super) fn callers(
    Calling { desk, commands }: Calling,
    board: &Arc<Board>,
) -> Result<Option<Campaigns>, StartError> {
    if desk.dial.permission.is_on().is_err() {
        return Ok(None);
    }
    let started = campaigns::start(desk, Arc::clone(board), commands);
    started.map(Some).map_err(|source| StartError::System {
        what: "cannot start the thread of campaigns",
        source,
    })
}

/// Who may use it. A token that is configured and not there would be a surprise in the middle of the night.
pub(super) fn access(config: &Config) -> Result<Access, StartError> {
    let tokens = config.web.tokens.iter().map(token);
    tokens.collect::<Result<Vec<_>, _>>().map(Access::new)
}

/// Of the tokens those that can be used, and why the others cannot.
pub(super) fn sound_tokens(config: &Config) -> (Config, Vec<String>) {
    let mut config = config.clone();
    let mut faults = Vec::new();
    config.web.tokens.retain(|section| match token(section) {
        Ok(_) => true,
        Err(error) => {
            faults.push(error.to_string());
            false
        }
    });
    (config, faults)
}

fn token(section: &config::Token) -> Result<Token, StartError> {
    let name = section.name.clone();
    let secret = credentials::secret(&format!("token_{name}")).map_err(|source| {
        StartError::System { what: "cannot read the credential of a token", source }
    })?;
    let bad = |reason: String| StartError::BadFile {
        key: "token",
        path: "(the configuration)".into(),
        reason,
    };
    let variable = credentials::variable(&format!("token_{name}"));
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
    let bridges = bridges(config)?;
    let roots = settings::roots(bridges.iter().any(|bridge| bridge.at.tls))?;
    audio_legs::start(entropy, bridges, &roots, Arc::clone(board)).map_err(|source| {
        StartError::System { what: "cannot start the thread for calls by WebSocket", source }
    })
}

/// Whoever is called by a WebSocket of ours.
pub(super) fn bridges(config: &Config) -> Result<Vec<audio_legs::Bridge>, StartError> {
    let bridge = |section: &config::Bridge| {
        let token = credentials::secret(&format!("bridge_{}", section.name)).map_err(|source| {
            StartError::System { what: "cannot read the credential of a bridge", source }
        })?;
        let (name, url, at) = (section.name.clone(), section.url.clone(), section.at.clone());
        Ok(audio_legs::Bridge { name, url, at, token })
    };
    config.bridges.iter().map(bridge).collect()
}

/// Whoever is told what happens; `None`: nobody.
pub(super) fn webhooks(
    config: &Config,
    paths: &Paths,
    board: &Arc<Board>,
) -> Result<Option<Webhooks>, StartError> {
    if config.webhooks.is_empty() && config.mail.is_none() {
        return Ok(None);
    }
    let roots = settings::roots(config.webhooks.iter().any(|webhook| webhook.address.tls))?;
    let folder = webhooks::folder(paths.state());
    let started = webhooks::start(receivers(config)?, &roots, &folder, board);
    started
        .map(Some)
        .map_err(|source| StartError::System { what: "cannot start the webhooks", source })
}

/// Webhooks and the owner's mailbox.
pub(super) fn receivers(config: &Config) -> Result<Vec<webhooks::Settings>, StartError> {
    let webhook = |section: &config::Webhook| {
        let name = section.name.clone();
        let secret = credentials::secret(&format!("webhook_{name}")).map_err(|source| {
            StartError::System { what: "cannot read the credential of a webhook", source }
        })?;
        let secret = secret.and_then(|secret| Secret::read(secret.reveal()));
        let variable = credentials::variable(&format!("webhook_{name}"));
        let secret = secret.ok_or_else(|| StartError::BadFile {
            key: "webhook",
            path: "(the configuration)".into(),
            reason: format!(
                "{name} needs a secret, whsec_ and 24 to 64 bytes in base64, as the credential \
                 webhook_{name} or in {variable}"
            ),
        })?;
        let hook =
            Hook { address: section.address.clone(), target: section.target.clone(), secret };
        Ok(webhooks::Settings {
            name,
            receiver: Receiver::Http(hook),
            events: section.events.clone(),
            words: section.words,
        })
    };
    let mut all = config.webhooks.iter().map(webhook).collect::<Result<Vec<_>, StartError>>()?;
    all.extend(config.mail.as_ref().map(mailbox).transpose()?);
    Ok(all)
}

/// The owner's mailbox, as one more that is told. Its name is none that a webhook can have.
fn mailbox(section: &config::Mail) -> Result<webhooks::Settings, StartError> {
    let bad = |reason: String| StartError::BadFile {
        key: "mail",
        path: "(the configuration)".into(),
        reason,
    };
    let password = credentials::secret("mail_password").map_err(|source| StartError::System {
        what: "cannot read the credential of [mail]",
        source,
    })?;
    let login = match (&section.user, password) {
        (None, _) => None,
        (Some(user), Some(password)) => Some((user.clone(), password)),
        (Some(_), None) => {
            let variable = credentials::MAIL_PASSWORD;
            return Err(bad(format!(
                "neither the credential mail_password nor {variable} is there"
            )));
        }
    };
    let roots = match std::env::var_os(CERTIFICATES) {
        Some(path) => Some(
            bounded::bytes(path.as_ref(), limits::CERTIFICATES_BYTES)
                .map_err(|error| bad(error.to_string()))?,
        ),
        None => None,
    };
    let settings = mail::Settings {
        host: section.host.clone(),
        port: section.port,
        security: section.security,
        login,
        from: section.from.clone(),
        to: section.to.clone(),
        roots,
    };
    Ok(webhooks::Settings {
        name: "e-mail".to_owned(),
        receiver: Receiver::Mail(Box::new(settings)),
        events: vec!["message.left".to_owned(), "voicemail.left".to_owned()],
        words: section.words,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_cannot_be_read_are_told_and_end_no_start() {
        let folder = std::env::temp_dir().join(format!("interface-{}", std::process::id()));
        let paths = Paths::in_folder(&folder);
        let config = config::from_text("[web]\nlisten = \"127.0.0.1:0\"\n").unwrap();
        assert_eq!(Bound::new(&config, None, &paths).unwrap().fault(), None);
        std::fs::write(paths.state().join("passwords.json"), "{").unwrap();
        let bound = Bound::new(&config, None, &paths).unwrap();
        assert!(bound.fault().unwrap().contains("attendant password --anew"));
        assert!(bound.passwords.is_set(), "nobody comes in without one");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_token_without_its_secret_is_dropped_and_moves_nothing_else() {
        let text =
            "[web]\nlisten = \"192.0.2.1:9\"\n[[token]]\nname = \"lost\"\nscopes = [\"read\"]\n";
        let config = config::from_text(text).unwrap();
        assert!(access(&config).is_err());
        let (sound, faults) = sound_tokens(&config);
        assert!(sound.web.tokens.is_empty() && sound.web.listen == config.web.listen);
        assert!(faults.len() == 1 && faults[0].contains("token_lost"), "{faults:?}");
    }
}
