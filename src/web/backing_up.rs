//! `/api/backup` and `/api/restore`: see `backup`. Both are streams, so that none is ever whole in memory.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use utoipa::ToSchema;

use super::access::Caller;
use super::backup::{self, BackupError, Kept, Prepared, SALT};
use super::dialling::{busy, json_body, media_type};
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with};
use super::settings::Settings;
use crate::appliance::restart;
use crate::base::percent::unescape;
use crate::base::{Private, limits};
use crate::store::{history, recordings, restored};

const BYTES: &str = "application/octet-stream";
/// With percent-encoding, as it may have any character.
const PASSPHRASE: HeaderName = HeaderName::from_static("x-passphrase");

/// One at a time: each reads or writes all that the box has.
static ONE: Semaphore = Semaphore::const_new(1);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BackupOrder)]
pub(super) struct Wanted {
    #[schema(min_length = 8, max_length = 128)]
    passphrase: String,
    /// With calls, what was said in them, messages, and the files of knowledge.
    history: Option<bool>,
    /// With recordings and messages after the tone.
    recordings: Option<bool>,
}

/// What a backup would have, in bytes, and whether the last one that was put back can be taken back.
#[derive(Serialize, ToSchema)]
#[schema(as = BackupSizes)]
pub(super) struct Sizes {
    history_bytes: u64,
    recordings_bytes: u64,
    can_undo: bool,
}

/// Bytes on their way to whoever downloads them. Waits where the network is slower than the disk.
struct Outgoing(mpsc::Sender<io::Result<Bytes>>);

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(2 * limits::BACKUP_PIECE_BYTES);
        let piece = Bytes::copy_from_slice(&bytes[..taken]);
        let sent = self.0.blocking_send(Ok(piece));
        sent.map(|()| taken).map_err(|_| io::Error::other("nobody wants it any more"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes as they come from whoever uploads them.
struct Incoming {
    pieces: mpsc::Receiver<Option<Bytes>>,
    piece: Bytes,
}

impl Read for Incoming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(Some(piece)) => self.piece = piece,
                Some(None) => return Ok(0),
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            }
        }
        let taken = self.piece.len().min(into.len());
        into[..taken].copy_from_slice(&self.piece.split_to(taken));
        Ok(taken)
    }
}

/// The copy of the database is gone with this.
struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// How large a backup would be.
#[utoipa::path(
    get,
    path = "/api/backup",
    summary = "What a backup would have, and whether the last one can be taken back",
    responses((status = 200, description = "In bytes", body = Sizes))
)]
pub(super) async fn sizes(State(interface): State<Interface>) -> Result<Response, Problem> {
    let sizes = apart(&interface, |settings| {
        let state = settings.places().state;
        let length = |path: &Path| path.metadata().map_or(0, |about| about.len());
        let bytes = |folder: &str| -> io::Result<u64> {
            Ok(recordings::all(&state.join(folder))?.iter().map(|(_, bytes)| bytes).sum())
        };
        Ok(Sizes {
            history_bytes: length(&state.join("history.db")),
            recordings_bytes: bytes(recordings::FOLDER)? + bytes(recordings::VOICEMAIL)?,
            can_undo: backup::can_undo(settings.places()),
        })
    });
    Ok(json_with(StatusCode::OK, &sizes.await?))
}

/// One file with the whole box.
#[utoipa::path(
    post,
    path = "/api/backup",
    summary = "A backup of settings, playbooks, passwords, secrets and, if wanted, calls and recordings, encrypted with a passphrase",
    request_body = Wanted,
    responses(
        (status = 200, description = "The file; one that is cut off is none", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 403, description = "There is no password yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long, or there is more than could be put back", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn make(
    caller: Caller,
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    caller.proven()?;
    let body = json_body(&headers, body)?;
    let text = "an object with passphrase and, if wanted, history and recordings (true or false)";
    let mut wanted: Wanted =
        serde_json::from_slice(&body).map_err(|_| Problem::new(Kind::Wrong, text))?;
    let passphrase = Private::new(std::mem::take(&mut wanted.passphrase));
    if !backup::is_passphrase(passphrase.reveal()) {
        return Err(problem_of(BackupError::Passphrase));
    }
    let one = ONE.try_acquire().map_err(|_| busy())?;
    let settings = Arc::clone(&interface.settings);
    let prepared = tokio::task::spawn_blocking(move || prepared(&settings, &wanted, one)).await;
    let (prepared, copy, one) = prepared.map_err(|_| busy())??;
    let random = interface.gate.random();
    let salt: [u8; SALT] = *random.first_chunk().expect("28 bytes have 16");
    let (out, pieces) = mpsc::channel(limits::BACKUP_WAITING);
    tokio::task::spawn_blocking(move || {
        let told = out.clone();
        let made = prepared.seal(passphrase.reveal(), salt, Outgoing(out));
        if let Err(error) = made {
            tracing::error!(error = %error, "a backup is broken off");
            // The download fails, and nobody takes a half for a whole.
            let _ = told.blocking_send(Err(io::Error::other("broken off")));
        }
        drop((copy, one));
    });
    let pieces =
        stream::unfold(pieces, |mut pieces| async move { Some((pieces.recv().await?, pieces)) });
    let fields =
        [(CONTENT_TYPE, BYTES), (CONTENT_DISPOSITION, "attachment; filename=\"attendant.backup\"")];
    Ok((fields, Body::from_stream(pieces)).into_response())
}

/// All that is wanted, with the database as it is at this moment: it is written meanwhile.
fn prepared(
    settings: &Settings,
    wanted: &Wanted,
    one: SemaphorePermit<'static>,
) -> Result<(Prepared, Copy, SemaphorePermit<'static>), Problem> {
    let state = settings.places().state;
    let mut kept = Kept::default();
    let copy = Copy(state.join(restored::COPY));
    if wanted.history == Some(true) {
        whole_empty(&copy.0).map_err(|error| problem_of(BackupError::Files(error)))?;
        let unavailable = |_| Problem::new(Kind::Unavailable, "the database cannot be used now");
        history::copy(state, &copy.0).map_err(unavailable)?;
        kept.database = Some(copy.0.clone());
        kept.knowledge = settings.knowledge();
    }
    if wanted.recordings == Some(true) {
        kept.recordings = Some(state.join(recordings::FOLDER));
        kept.voicemail = Some(state.join(recordings::VOICEMAIL));
    }
    Ok((Prepared::of(settings.places(), &kept).map_err(problem_of)?, copy, one))
}

/// For the owner alone, before anything is in it.
fn whole_empty(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(true).mode(0o600).open(path).map(drop)
}

/// And back: the program starts again with it.
#[utoipa::path(
    post,
    path = "/api/restore",
    summary = "Put a backup back and start again",
    description = "All of it is looked at before anything is changed.",
    params(("X-Passphrase" = String, Header, description = "Its passphrase, with percent-encoding")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 202, description = "It is put back; the program starts again"),
        (status = 400, description = "It is no backup, or the passphrase is another one", body = problem::Written, content_type = "application/problem+json"),
        (status = 403, description = "There is no password yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "It is too long, or there is no room", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "What it has is not sound here", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put_back(
    caller: Caller,
    State(interface): State<Interface>,
    request: Request,
) -> Result<Response, Problem> {
    caller.proven()?;
    let headers = request.headers();
    if !media_type(headers).eq_ignore_ascii_case(BYTES) {
        return Err(Problem::new(Kind::MediaType, "the body must be application/octet-stream"));
    }
    let passphrase = headers.get(PASSPHRASE).and_then(|value| value.to_str().ok());
    let passphrase = passphrase.and_then(unescape).map(Private::new);
    let passphrase =
        passphrase.ok_or_else(|| Problem::new(Kind::Wrong, "X-Passphrase: its passphrase"))?;
    let one = ONE.try_acquire().map_err(|_| busy())?;
    let (sender, pieces) = mpsc::channel(limits::BACKUP_WAITING);
    let mut body = request.into_body().into_data_stream();
    tokio::spawn(async move {
        let mut is_wanted = true;
        while let Some(piece) = body.next().await {
            // What breaks off is told by the channel's end without a last piece.
            let Ok(piece) = piece else { return };
            // A browser reads why it is refused only once it has sent all.
            is_wanted = is_wanted && sender.send(Some(piece)).await.is_ok();
        }
        let _ = sender.send(None).await;
    });
    let incoming = Incoming { pieces, piece: Bytes::new() };
    let put_back = move |settings: &Settings| {
        settings.put_back(passphrase.reveal(), incoming)?;
        tracing::info!("a backup was put back at the page; the program starts again");
        Ok(())
    };
    started_again(&interface, one, put_back).await
}

/// One step back.
#[utoipa::path(
    post,
    path = "/api/restore/undo",
    summary = "Have the box as it was before the last backup was put back, and start again",
    description = "Asked once more it goes forward again. Recordings and files of knowledge that came stay.",
    responses(
        (status = 202, description = "The program starts again"),
        (status = 403, description = "There is no password yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "No backup was put back", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn undo(
    caller: Caller,
    State(interface): State<Interface>,
) -> Result<Response, Problem> {
    caller.proven()?;
    let one = ONE.try_acquire().map_err(|_| busy())?;
    let undo = |settings: &Settings| {
        settings.undo_restore()?;
        tracing::info!("a backup was taken back at the page; the program starts again");
        Ok(())
    };
    started_again(&interface, one, undo).await
}

/// Does what changes the box, and starts it again with that, whether or not somebody still waits for the answer.
async fn started_again(
    interface: &Interface,
    one: SemaphorePermit<'static>,
    work: impl FnOnce(&Settings) -> Result<(), BackupError> + Send + 'static,
) -> Result<Response, Problem> {
    let settings: Arc<Settings> = Arc::clone(&interface.settings);
    let done = tokio::task::spawn_blocking(move || {
        let _one = one;
        work(&settings).map_err(problem_of)?;
        restart::want().map_err(|_| busy())
    });
    done.await.map_err(|_| busy())??;
    Ok(StatusCode::ACCEPTED.into_response())
}

async fn apart<T: Send + 'static>(
    interface: &Interface,
    work: impl FnOnce(&Settings) -> Result<T, BackupError> + Send + 'static,
) -> Result<T, Problem> {
    let settings: Arc<Settings> = Arc::clone(&interface.settings);
    let done = tokio::task::spawn_blocking(move || work(&settings)).await;
    done.map_err(|_| busy())?.map_err(problem_of)
}

fn problem_of(error: BackupError) -> Problem {
    let kind = match &error {
        BackupError::Passphrase | BackupError::NotOurs => Kind::Wrong,
        BackupError::Unsound(_) => Kind::Settings,
        BackupError::TooLong => Kind::TooLong,
        BackupError::Nothing => Kind::Conflict,
        BackupError::Files(source) => {
            tracing::error!(error = %source, "a backup");
            Kind::Unavailable
        }
    };
    Problem::new(kind, error.to_string())
}
