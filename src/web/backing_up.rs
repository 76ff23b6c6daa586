//! `POST /api/backup` and `POST /api/restore`: see `backup`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::backup::{self, BackupError};
use super::dialling::{busy, json_body, media_type};
use super::problem::{self, Kind, Problem};
use super::routes::Interface;
use super::settings::Settings;
use crate::appliance::restart;
use crate::base::percent::unescape;
use crate::base::{Private, limits};

const BYTES: &str = "application/octet-stream";
/// With percent-encoding, as it may have any character.
const PASSPHRASE: HeaderName = HeaderName::from_static("x-passphrase");

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[schema(min_length = 8, max_length = 128)]
    passphrase: String,
}

pub(super) fn body_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(2 * limits::BACKUP_BYTES)
}

/// One file with what the owner has set.
#[utoipa::path(
    post,
    path = "/api/backup",
    summary = "A backup of settings, playbooks, passwords and secrets, encrypted with a passphrase",
    description = "Calls and messages are not in it.",
    request_body = Wanted,
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body, or the backup, is too long", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn make(
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = json_body(&headers, body)?;
    let wanted: Wanted = serde_json::from_slice(&body)
        .map_err(|_| Problem::new(Kind::Wrong, "an object with passphrase"))?;
    let passphrase = Private::new(wanted.passphrase);
    let random = interface.gate.random();
    let file = apart(&interface, move |settings| {
        backup::make(settings.places(), passphrase.reveal(), random)
    });
    let fields =
        [(CONTENT_TYPE, BYTES), (CONTENT_DISPOSITION, "attachment; filename=\"attendant.backup\"")];
    Ok((fields, file.await?).into_response())
}

/// And back: the program starts again with it.
#[utoipa::path(
    post,
    path = "/api/restore",
    summary = "Put a backup back and start again",
    params(("X-Passphrase" = String, Header, description = "Its passphrase, with percent-encoding")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 202, description = "It is put back, and the program starts again"),
        (status = 400, description = "It is no backup, or the passphrase is another one", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "It is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "What is in it is not sound here", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put_back(
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    if !media_type(&headers).eq_ignore_ascii_case(BYTES) {
        return Err(Problem::new(Kind::MediaType, "the body must be application/octet-stream"));
    }
    let file = body.map_err(|_| Problem::new(Kind::TooLong, "it is too long, or was cut off"))?;
    let passphrase = headers.get(PASSPHRASE).and_then(|value| value.to_str().ok());
    let passphrase = passphrase.and_then(unescape).map(Private::new);
    let passphrase =
        passphrase.ok_or_else(|| Problem::new(Kind::Wrong, "X-Passphrase: its passphrase"))?;
    apart(&interface, move |settings| settings.put_back(passphrase.reveal(), &file)).await?;
    tracing::info!("a backup was put back at the page; the program starts again");
    restart::want().map_err(|_| busy())?;
    Ok(StatusCode::ACCEPTED.into_response())
}

async fn apart<T: Send + 'static>(
    interface: &Interface,
    work: impl FnOnce(&Settings) -> Result<T, BackupError> + Send + 'static,
) -> Result<T, Problem> {
    let settings: Arc<Settings> = Arc::clone(&interface.settings);
    let done = tokio::task::spawn_blocking(move || work(&settings)).await;
    done.map_err(|_| busy())?.map_err(|error| {
        let kind = match &error {
            BackupError::Passphrase | BackupError::NotOurs => Kind::Wrong,
            BackupError::Unsound(_) => Kind::Settings,
            BackupError::TooLong => Kind::TooLong,
            BackupError::Files(source) => {
                tracing::error!(error = %source, "a backup");
                Kind::Unavailable
            }
        };
        Problem::new(kind, error.to_string())
    })
}
