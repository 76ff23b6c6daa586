//! `/api/settings`: the configuration as the page shows and changes it, secrets, and the next start.
//!
//! What is changed is checked by what checks it at the start, files and playbooks included, and written whole; what it
//! was before is kept for one step back. It takes effect at the next start.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{fs, io};

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path as InPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use toml_edit::DocumentMut;
use utoipa::ToSchema;

use super::access::Caller;
use super::backup::{self, BackupError, Places};
use super::dialling::{busy, json_body};
use super::problem::{self, FaultWritten, Kind, Problem};
use super::routes::{Interface, json_with};
use crate::appliance::config::{self, Config, ConfigError, DOCUMENTED, Fault, Section};
use crate::appliance::credentials::{self, Origin};
use crate::appliance::paths::Paths;
use crate::appliance::start_error::{StartError, with_sources};
use crate::appliance::{front, restart, soundness};
use crate::base::{Private, limits};
use crate::converse::Playbook;
use crate::store::{bounded, whole};

/// The playbook that the page has made of the one inside the program, beside the configuration.
const DESK: &str = "desk.toml";
/// Characters of what is said of the firm.
const DESK_CHARS: usize = 300;
/// Characters of a secret: a JWT is the longest.
const SECRET_CHARS: usize = 8_192;

/// The file, and what it was.
#[derive(Debug)]
pub struct Settings {
    /// The file that counts, or that would.
    file: PathBuf,
    paths: Paths,
    /// As the program was started with it.
    started: Private<String>,
    /// One change at a time.
    changing: Mutex<()>,
}

/// As the page shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = Settings)]
pub(super) struct Shown {
    /// Null: there is none yet, and all have their defaults.
    file: Option<String>,
    /// Names this state of it, for changes.
    version: String,
    /// What it was before the last change is kept.
    can_undo: bool,
    /// It is another one than the program was started with.
    needs_restart: bool,
    sections: Vec<Section>,
    secrets: Vec<Secret>,
}

/// A password or key that the configuration wants; what it is, is not told.
#[derive(Debug, Serialize, ToSchema)]
struct Secret {
    name: String,
    /// `credential` (of systemd), `environment`, `page` or `none`.
    from: &'static str,
}

/// What is to be other.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// The state that it is for.
    version: String,
    /// By dotted key the value, null for the default; by the name of a section that there may be several of all of them.
    #[schema(value_type = Object)]
    changes: Map<String, Value>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Undo {
    /// The state that it is for.
    version: String,
}

/// What is said of the firm; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Desk {
    firm: Option<String>,
    /// What is said first; `{firm}` stands for the name.
    greeting: Option<String>,
    hours: Option<String>,
    address: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSecret {
    /// Empty: it is taken away.
    value: String,
}

/// Why a change is not made.
#[derive(Debug)]
pub(super) enum NotChanged {
    Version,
    Nothing,
    Wrong(String),
    Faults(Vec<Fault>),
    /// It would not start.
    Start(StartError),
    Unwritten(io::Error),
    /// What was asked makes no sense, or cannot be looked at.
    Refused(Problem),
}

impl From<Problem> for NotChanged {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl Settings {
    pub fn new(file: Option<&Path>, paths: &Paths) -> Self {
        let file = file.or_else(|| paths.new_config()).unwrap_or(Path::new("attendant.toml"));
        // A link is followed now, so that it stays one.
        let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let settings = Self {
            file,
            paths: paths.clone(),
            started: Private::default(),
            changing: Mutex::new(()),
        };
        let started = settings.text().ok().flatten().unwrap_or_default();
        Self { started: Private::new(started), ..settings }
    }

    /// What lasts as long as the program.
    pub(super) fn runtime(&self) -> &Path {
        self.paths.runtime_folder()
    }

    pub(super) fn places(&self) -> Places<'_> {
        Places { config: &self.file, state: self.paths.state() }
    }

    /// Puts a backup back, with what of the configuration is this box's own.
    pub(super) fn put_back(
        &self,
        passphrase: &str,
        backup: impl std::io::Read,
    ) -> Result<(), BackupError> {
        // As slow as the network: meanwhile others may change what they like.
        let gathered = backup::gather(self.places(), passphrase, backup)?;
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.text()?.unwrap_or_default();
        backup::put_back(self.places(), gathered, |text| {
            config::kept_of_the_box(&now, text).map_err(|error| error.to_string())
        })
    }

    /// What was there before the last backup.
    pub(super) fn undo_restore(&self) -> Result<(), BackupError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        backup::undo(self.places())
    }

    /// The owner's folder of knowledge, as the file has it.
    pub(super) fn knowledge(&self) -> Option<PathBuf> {
        let text = self.text().ok().flatten()?;
        config::at(&self.file, &text).ok()?.knowledge
    }

    fn text(&self) -> io::Result<Option<String>> {
        match bounded::text(&self.file, limits::CONFIG_BYTES) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn before(&self) -> PathBuf {
        self.paths.state().join("attendant.toml.before")
    }

    fn shown(&self) -> Result<Shown, NotChanged> {
        let text = self.text().map_err(NotChanged::Unwritten)?;
        let file = text.is_some().then(|| self.file.display().to_string());
        let text = text.unwrap_or_default();
        let before = fs::read_to_string(self.before()).ok();
        let sections = config::described(&text).map_err(NotChanged::of)?;
        let names = config::from_text(&text).map(|config| secrets(&config)).unwrap_or_default();
        let secrets = names.into_iter().map(|name| {
            let from = Origin::of(&self.paths, &name).name();
            Secret { name, from }
        });
        Ok(Shown {
            file,
            version: version(&text),
            can_undo: before.is_some_and(|before| before != text),
            needs_restart: text != *self.started.reveal(),
            sections,
            secrets: secrets.collect(),
        })
    }

    fn change(
        &self,
        wanted: Option<&str>,
        new: impl FnOnce(&str) -> Result<String, NotChanged>,
    ) -> Result<Shown, NotChanged> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.text().map_err(NotChanged::Unwritten)?;
        let now_text = now.clone().unwrap_or_default();
        if wanted.is_some_and(|wanted| wanted != version(&now_text)) {
            return Err(NotChanged::Version);
        }
        // A file that is made is one that says what each key does.
        let new = new(now.as_deref().unwrap_or(DOCUMENTED))?;
        if let Some(key) = config::changed_of_the_box(&now_text, &new) {
            let text =
                format!("{key} names files of the box itself: it is set in the file on the box");
            return Err(NotChanged::Wrong(text));
        }
        self.check(&new)?;
        if new != now_text {
            self.write(&now_text, &new).map_err(NotChanged::Unwritten)?;
        }
        self.shown()
    }

    /// By what checks it at the start.
    fn check(&self, text: &str) -> Result<(), NotChanged> {
        let mut config = config::at(&self.file, text).map_err(NotChanged::of)?;
        config.take_from(&self.paths.models());
        let held = config::at(&self.file, self.started.reveal()).unwrap_or_default();
        let sound = soundness::files(&config)
            .and_then(|()| soundness::places(&config, self.paths.state(), Some(&self.file)))
            .and_then(|()| soundness::secrets(&config, self.paths.state()))
            .and_then(|()| front::startable(&config, &held));
        sound.map_err(NotChanged::Start)
    }

    fn write(&self, now: &str, new: &str) -> io::Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        whole::replace(&self.file, new.as_bytes())?;
        // Only now: where the file cannot be written the step back stays what it was.
        whole::write(&self.before(), now.as_bytes())
    }

    fn undo(&self, wanted: &str) -> Result<Shown, NotChanged> {
        let before = fs::read_to_string(self.before()).map_err(|_| NotChanged::Nothing)?;
        self.change(Some(wanted), |_| Ok(before))
    }

    /// Writes what is said of the firm into a playbook of the owner's, which is made where there is none.
    fn set_desk(&self, desk: &Desk) -> Result<Shown, NotChanged> {
        let text = self.text().map_err(NotChanged::Unwritten)?.unwrap_or_default();
        let config = config::at(&self.file, &text).map_err(NotChanged::of)?;
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let (path, playbook) = match &config.converse.playbook {
            Some(path) => {
                let text = fs::read_to_string(path).map_err(NotChanged::Unwritten)?;
                (path.clone(), text)
            }
            None => {
                let language = config.speech.language;
                let shipped =
                    language.and_then(Playbook::shipped).unwrap_or_else(Playbook::logistics);
                (folder.join(DESK), shipped.source().to_owned())
            }
        };
        let wrong = |error: &dyn std::error::Error| NotChanged::Wrong(error.to_string());
        let mut document: DocumentMut = playbook.parse().map_err(|e| wrong(&e))?;
        let parts = [("firm", &desk.firm), ("hours", &desk.hours), ("address", &desk.address)];
        for (name, value) in parts {
            if let Some(value) = value {
                document["variables"][name] = toml_edit::value(value.trim());
            }
        }
        if let Some(greeting) = &desk.greeting {
            document["prompts"]["greeting"] = toml_edit::value(greeting.trim());
        }
        let playbook = document.to_string();
        Playbook::parse(&playbook).map_err(|error| wrong(&error))?;
        fs::create_dir_all(folder).map_err(NotChanged::Unwritten)?;
        whole::replace(&path, playbook.as_bytes()).map_err(NotChanged::Unwritten)?;
        if config.converse.playbook.is_some() {
            return self.shown();
        }
        let changes = Map::from_iter([("converse.playbook".to_owned(), Value::from(DESK))]);
        self.change(None, |text| config::edited(text, &changes).map_err(|e| wrong(&e)))
    }
}

impl NotChanged {
    fn of(error: ConfigError) -> Self {
        match error {
            ConfigError::Faults { faults, .. } => Self::Faults(faults),
            error => Self::Wrong(with_sources(&error)),
        }
    }
}

impl IntoResponse for NotChanged {
    fn into_response(self) -> Response {
        let problem = |kind, text: &str| Problem::new(kind, text).into_response();
        match self {
            Self::Refused(problem) => problem.into_response(),
            Self::Version => problem(Kind::Precondition, "the file has changed meanwhile"),
            Self::Nothing => problem(Kind::Conflict, "there is nothing to go back to"),
            Self::Wrong(text) => problem(Kind::Settings, &text),
            Self::Faults(faults) => {
                let list = faults.into_iter().map(of_value).collect();
                let problem = Problem::new(Kind::Settings, "some values are not allowed");
                problem.faults(list).into_response()
            }
            Self::Start(error) => {
                let text = with_sources(&error);
                let fault = error.key().map(|key| FaultWritten {
                    key: key.to_owned(),
                    allowed: String::new(),
                    wrong: Some(of_key(key, &text)),
                });
                let problem = Problem::new(Kind::Settings, text);
                problem.faults(fault.into_iter().collect()).into_response()
            }
            Self::Unwritten(error) => {
                tracing::error!(%error, "the configuration file");
                let text = format!("the file cannot be read or written: {}", error.kind());
                problem(Kind::Unavailable, &text)
            }
        }
    }
}

/// The fault of a value.
fn of_value(fault: Fault) -> FaultWritten {
    let Fault { key, allowed, .. } = fault;
    match allowed.starts_with(config::UNKNOWN) {
        true => FaultWritten { key, allowed: String::new(), wrong: Some(allowed) },
        false => FaultWritten { key, allowed, wrong: None },
    }
}

/// A sentence without its key, which is told beside it.
fn of_key(key: &str, text: &str) -> String {
    text.strip_prefix(key).and_then(|text| text.strip_prefix(": ")).unwrap_or(text).to_owned()
}

fn version(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The secrets that a configuration wants.
fn secrets(config: &Config) -> Vec<String> {
    let accounts = config.accounts.iter().map(|account| format!("account_{}", account.name));
    let ringcentral = config.ringcentral.iter().flat_map(|extension| {
        ["jwt", "secret"].map(|which| format!("ringcentral_{}_{which}", extension.name))
    });
    let lookups = config.lookups.iter().map(|lookup| format!("lookup_{}", lookup.asked.name));
    let tokens = config.web.tokens.iter().map(|token| format!("token_{}", token.name));
    let webhooks = config.webhooks.iter().map(|webhook| format!("webhook_{}", webhook.name));
    let bridges = config.bridges.iter().map(|bridge| format!("bridge_{}", bridge.name));
    let llm = config.llm.iter().map(|_| "llm_key".to_owned());
    let mail = config.mail.iter().filter(|mail| mail.user.is_some());
    let mail = mail.map(|_| "mail_password".to_owned());
    let recordings = config.recordings.encrypted.then(|| "recordings_key".to_owned());
    let turn = (!config.media.turn.servers.is_empty()).then(|| "turn".to_owned());
    let agent = config.agent.iter().map(|_| "elevenlabs_key".to_owned());
    let all =
        accounts.chain(ringcentral).chain(lookups).chain(tokens).chain(webhooks).chain(bridges);
    all.chain(llm).chain(turn).chain(agent).chain(mail).chain(recordings).collect()
}

/// One line, and not too long.
pub(super) fn is_secret_text(text: &str) -> bool {
    let text = text.trim();
    text.chars().count() <= SECRET_CHARS && !text.chars().any(char::is_control)
}

async fn apart<T: Send + 'static>(
    interface: &Interface,
    work: impl FnOnce(&Settings) -> Result<T, NotChanged> + Send + 'static,
) -> Result<T, NotChanged> {
    let settings = std::sync::Arc::clone(&interface.settings);
    tokio::task::spawn_blocking(move || work(&settings)).await.map_err(|_| busy())?
}

fn wrong(text: &str) -> Problem {
    Problem::new(Kind::Wrong, text)
}

/// All sections.
#[utoipa::path(
    get,
    path = "/api/settings",
    summary = "The configuration, key by key",
    responses((status = 200, description = "As the file has it now", body = Shown))
)]
pub(super) async fn look(State(interface): State<Interface>) -> Result<Response, NotChanged> {
    let shown = apart(&interface, Settings::shown).await?;
    Ok(json_with(StatusCode::OK, &shown))
}

/// Other values.
#[utoipa::path(
    patch,
    path = "/api/settings",
    summary = "Change the configuration",
    description = "It is checked as at a start, and written with its comments; it takes effect at the next start.",
    request_body = Change,
    responses(
        (status = 200, description = "As it is now", body = Shown),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 403, description = "There is no password yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 412, description = "The file is another one by now", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "Not with these values; faults has each", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change(
    caller: Caller,
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, NotChanged> {
    caller.proven()?;
    let body = json_body(&headers, body)?;
    let change: Change = serde_json::from_slice(&body)
        .map_err(|_| wrong("an object with version and changes, by key the value"))?;
    let keys: Vec<String> = change.changes.keys().cloned().collect();
    let shown = apart(&interface, move |settings| {
        settings.change(Some(&change.version), |text| {
            config::edited(text, &change.changes)
                .map_err(|error| NotChanged::Wrong(error.to_string()))
        })
    });
    let shown = shown.await?;
    // Names of keys, never values.
    tracing::info!(keys = keys.join(" "), "the configuration was changed at the page");
    Ok(json_with(StatusCode::OK, &shown))
}

/// One step back.
#[utoipa::path(
    post,
    path = "/api/settings/undo",
    summary = "Have the configuration as it was before the last change",
    description = "Asked once more it goes forward again.",
    request_body = Undo,
    responses(
        (status = 200, description = "As it is now", body = Shown),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "There was no change", body = problem::Written, content_type = "application/problem+json"),
        (status = 403, description = "There is no password yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 412, description = "The file is another one by now", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "It is not sound any more", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn undo(
    caller: Caller,
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, NotChanged> {
    caller.proven()?;
    let body = json_body(&headers, body)?;
    let undo: Undo = serde_json::from_slice(&body).map_err(|_| wrong("an object with version"))?;
    let shown = apart(&interface, move |settings| settings.undo(&undo.version)).await?;
    Ok(json_with(StatusCode::OK, &shown))
}

/// What is said of the firm.
#[utoipa::path(
    put,
    path = "/api/settings/desk",
    summary = "Say what the firm is called, how callers are greeted, when it is open and where it is",
    description = "It goes into the playbook of the default language; where the one inside the program is used a copy of it is \
        made beside the configuration.",
    request_body = Desk,
    responses(
        (status = 200, description = "As it is now", body = Shown),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "The playbook does not take it", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn desk(
    caller: Caller,
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, NotChanged> {
    caller.proven()?;
    let body = json_body(&headers, body)?;
    let text = "an object with any of firm, greeting, hours and address, 1 to 300 characters each";
    let desk: Desk = serde_json::from_slice(&body).map_err(|_| wrong(text))?;
    let fits = |value: &String| {
        (1..=DESK_CHARS).contains(&value.trim().chars().count())
            && !value.chars().any(|c| c.is_control() || c == '{' || c == '}')
    };
    let greeting = desk.greeting.as_ref().map(|text| text.replace("{firm}", "firm"));
    if ![&desk.firm, &greeting, &desk.hours, &desk.address].into_iter().flatten().all(fits) {
        return Err(wrong(text).into());
    }
    let shown = apart(&interface, move |settings| settings.set_desk(&desk)).await?;
    Ok(json_with(StatusCode::OK, &shown))
}

/// A password or key.
#[utoipa::path(
    put,
    path = "/api/secrets/{name}",
    summary = "Set a password or key that the configuration wants",
    description = "It is kept in the state folder, for the program only, and nobody is shown it. What systemd's credentials or the \
        environment have comes first.",
    params(("name" = String, Path, description = "As in account_office")),
    request_body = NewSecret,
    responses(
        (status = 204, description = "It is kept"),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "The configuration wants none of this name", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn set_secret(
    caller: Caller,
    State(interface): State<Interface>,
    name: Result<InPath<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, NotChanged> {
    caller.proven()?;
    let body = json_body(&headers, body)?;
    let text = "an object with value, a text of one line";
    let secret: NewSecret = serde_json::from_slice(&body).map_err(|_| wrong(text))?;
    let secret = Private::new(secret.value.trim().to_owned());
    if !is_secret_text(secret.reveal()) {
        return Err(wrong(text).into());
    }
    let none = || Problem::new(Kind::NotFound, "the configuration wants no such secret");
    let InPath(name) = name.map_err(|_| none())?;
    let set = move |settings: &Settings| {
        let text = settings.text().map_err(NotChanged::Unwritten)?.unwrap_or_default();
        // One may come before what wants it, or that could not be written.
        let config = config::from_text(&text).map_err(NotChanged::of)?;
        // Only names of ours become names of files.
        if !secrets(&config).contains(&name) && !credentials::is_name(&name) {
            return Ok(false);
        }
        credentials::set_of_page(&settings.paths, &name, &secret).map_err(NotChanged::Unwritten)?;
        Ok(true)
    };
    match apart(&interface, set).await? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(none().into()),
    }
}

/// Calls are told goodbye, and the program begins anew.
#[utoipa::path(
    post,
    path = "/api/restart",
    summary = "Start the program again",
    responses((status = 202, description = "It ends, and starts again"))
)]
pub(super) async fn start_again() -> Result<Response, Problem> {
    tracing::info!("started again, as is wanted at the page");
    restart::want().map_err(|_| busy())?;
    Ok(StatusCode::ACCEPTED.into_response())
}

#[cfg(test)]
mod tests;
