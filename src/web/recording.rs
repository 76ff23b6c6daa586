//! `GET /api/history/{id}/recording` and `/api/messages/{id}/sound`: the sound of a call or of a message, whole or a range of
//! it (RFC 9110 section 14).

use std::ops::Range;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::problem::{self, Kind, Problem};
use super::routes::{Interface, no_such_call};
use crate::store::history::{self, Unavailable};
use crate::store::recordings::{self, Name, Recording, Shelf};

/// Bytes that are read and sent at once.
const PIECE: usize = 64 * 1024;

/// The sound of a call.
#[utoipa::path(
    get,
    path = "/api/history/{id}/recording",
    summary = "The sound of a call that was recorded: Ogg with Opus, the other end left, the box right",
    description = "One range of bytes may be asked for. An encrypted recording is decrypted on the way; one that was cut off, as by a power \
        cut, is sent up to its last whole second.",
    params(
        ("id" = i64, Path, minimum = 1, description = "As in the list"),
        ("Range" = Option<String>, Header, description = "As in bytes=0-65535"),
    ),
    responses(
        (status = 200, description = "All of it", body = Vec<u8>, content_type = "audio/ogg"),
        (status = 206, description = "The range", body = Vec<u8>, content_type = "audio/ogg"),
        (status = 404, description = "There is no such call, or no recording of it", body = problem::Written, content_type = "application/problem+json"),
        (status = 416, description = "The range begins behind its end", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn recording(
    State(interface): State<Interface>,
    id: Result<Path<i64>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| no_such_call())?;
    let name = interface.board.past().ask(move |open| history::name(open, id)).await;
    let name = name.map_err(unavailable)?.ok_or_else(no_such_call)?;
    let none = || Problem::new(Kind::NotFound, "there is no recording of this call");
    let shelf = interface.board.recordings_shelf().ok_or_else(none)?;
    send((shelf, name), &format!("call-{id}.opus"), &headers, none).await
}

/// What a caller has said after the tone.
#[utoipa::path(
    get,
    path = "/api/messages/{id}/sound",
    summary = "What a caller has said after the tone: Ogg with Opus",
    description = "As a call's recording.",
    params(
        ("id" = i64, Path, minimum = 1, description = "As in the list"),
        ("Range" = Option<String>, Header, description = "As in bytes=0-65535"),
    ),
    responses(
        (status = 200, description = "All of it", body = Vec<u8>, content_type = "audio/ogg"),
        (status = 206, description = "The range", body = Vec<u8>, content_type = "audio/ogg"),
        (status = 404, description = "There is no such message, or no sound of it", body = problem::Written, content_type = "application/problem+json"),
        (status = 416, description = "The range begins behind its end", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn message(
    State(interface): State<Interface>,
    id: Result<Path<i64>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let none = || Problem::new(Kind::NotFound, "there is no sound of this message");
    let Path(id) = id.map_err(|_| none())?;
    let name = interface.board.past().ask(move |open| history::message_name(open, id)).await;
    let name = name.map_err(unavailable)?.ok_or_else(none)?;
    let shelf = interface.board.voicemail_shelf().ok_or_else(none)?;
    send((shelf, name), &format!("message-{id}.opus"), &headers, none).await
}

fn unavailable(_: Unavailable) -> Problem {
    Problem::new(Kind::Unavailable, "the database cannot be used now")
}

async fn send(
    (shelf, name): (Shelf, Name),
    file: &str,
    headers: &HeaderMap,
    none: impl Fn() -> Problem,
) -> Result<Response, Problem> {
    let found = blocking(move || recordings::find(&shelf.folder, name, shelf.key.as_ref())).await;
    let recording = Arc::new(found.flatten().ok_or_else(none)?);
    let length = recording.bytes();
    let asked = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let range = match asked.and_then(|text| range(text, length)) {
        Some(Err(())) => {
            let problem = Problem::new(Kind::Range, "the range begins behind the end");
            let field = [(CONTENT_RANGE, format!("bytes */{length}"))];
            return Ok((field, problem).into_response());
        }
        Some(Ok(range)) => Some(range),
        None => None,
    };
    let part = range.clone().unwrap_or(0..length);
    let fields = [
        (CONTENT_TYPE, "audio/ogg; codecs=opus".to_owned()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CONTENT_LENGTH, (part.end - part.start).to_string()),
        (CONTENT_DISPOSITION, format!("inline; filename=\"{file}\"")),
    ];
    let body = Body::from_stream(pieces(recording, part.clone()));
    Ok(match range {
        None => (StatusCode::OK, fields, body).into_response(),
        Some(_) => {
            let content = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            (StatusCode::PARTIAL_CONTENT, fields, [(CONTENT_RANGE, content)], body).into_response()
        }
    })
}

/// Reading waits for the disk, and the web thread must not.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

fn pieces(
    recording: Arc<Recording>,
    part: Range<u64>,
) -> impl stream::Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold((recording, part), |(recording, part)| async move {
        if part.is_empty() {
            return Ok(None);
        }
        let most = usize::try_from(part.end - part.start).unwrap_or(PIECE).min(PIECE);
        let (reading, at) = (Arc::clone(&recording), part.start);
        let read = blocking(move || reading.read_at(at, most)).await;
        let read = read.unwrap_or_else(|| Err(std::io::Error::other("it cannot be read")))?;
        if read.is_empty() {
            return Err(std::io::Error::other("it has become shorter"));
        }
        let next = part.start + read.len() as u64..part.end;
        Ok(Some((Bytes::from(read), (recording, next))))
    })
}

/// The bytes of one range; `None`: the field is none, or of several, and all is sent. An error: nothing of it is there.
fn range(text: &str, length: u64) -> Option<Result<Range<u64>, ()>> {
    let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    let number = |text: &str| text.parse::<u64>().ok();
    let range = match (first.is_empty(), last.is_empty()) {
        (true, _) => length.saturating_sub(number(last)?)..length,
        (false, true) => number(first)?..length,
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            first..last.saturating_add(1).min(length)
        }
    };
    Some(if range.is_empty() { Err(()) } else { Ok(range) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_has_them() {
        for (text, wanted) in [
            ("bytes=0-9", Some(Ok(0..10))),
            ("bytes=90-", Some(Ok(90..100))),
            ("bytes=-5", Some(Ok(95..100))),
            ("bytes=-500", Some(Ok(0..100))),
            ("bytes=50-5000", Some(Ok(50..100))),
            ("bytes=100-", Some(Err(()))),
            ("bytes=-0", Some(Err(()))),
            ("bytes=9-3", None),
            ("bytes=0-1,5-6", None),
            ("bytes=x-", None),
            ("lines=0-1", None),
            ("bytes=18446744073709551615-18446744073709551615", Some(Err(()))),
        ] {
            assert_eq!(range(text, 100), wanted, "{text}");
        }
    }
}
