//! `/api/history` and `/api/messages`: calls of the past, what callers left, and their deletion.
//!
//! Reading is the database's own thread's work, page by page, so that no list is ever whole in memory; an export is a
//! stream of such pages.

use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use rusqlite::Connection;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::access::{Caller, Scope};
use super::dialling::json_body;
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with, no_such_call};
use super::view::{self, CSV_HEAD, Past, PastWhole};
use crate::base::{Private, limits};
use crate::store::history::{self, History, Page, Unavailable};
use crate::store::recordings::{self, Name, Shelf};

/// Calls in one answer, and in one piece of an export, where nothing else is asked for.
const USUAL: u32 = 50;
const PIECE: u32 = limits::HISTORY_PAGE;
/// Characters of a number.
const NUMBER_CHARS: usize = 128;

/// Which calls.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only calls with all of these words in what was said or left (with the scope words), or with a number that
    /// begins so.
    #[param(min_length = 1, max_length = 100)]
    query: Option<String>,
    /// Only calls with ids below it: what `before` of the part before says.
    #[param(minimum = 1)]
    before: Option<i64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MessagesQuery {
    /// Only those that were not read.
    unread: Option<bool>,
    /// Only messages with ids below it.
    #[param(minimum = 1)]
    before: Option<i64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
}

/// Whose calls.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EraseQuery {
    /// A number however it is written, or a name before a host.
    #[param(min_length = 1, max_length = 128)]
    number: String,
}

/// As what.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    Csv,
    Json,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    #[param(inline)]
    format: Format,
}

/// What is to be of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    read: bool,
}

/// The calls of before, newest first.
#[utoipa::path(
    get,
    path = "/api/history",
    summary = "The calls that were, newest first, in parts, or those with certain words",
    params(ListQuery),
    responses(
        (status = 200, description = "A part of them", body = view::History),
        (status = 400, description = "The address makes no sense", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    caller: Caller,
    State(interface): State<Interface>,
    asked: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let text = "query (1 to 100 characters), before (an id) and limit (1 to 200)";
    let Query(asked) = asked.map_err(|_| wrong(text))?;
    let limit = asked.limit.unwrap_or(USUAL);
    let is_query =
        |query: &String| (1..=limits::HISTORY_QUERY_CHARS).contains(&query.chars().count());
    let is_right = (1..=PIECE).contains(&limit)
        && asked.before.is_none_or(|before| before > 0)
        && asked.query.as_ref().is_none_or(is_query);
    if !is_right {
        return Err(wrong(text));
    }
    let page = Page {
        query: asked.query.map(Private::new),
        in_words: caller.may(Scope::Words),
        before: asked.before,
        limit,
    };
    let calls = interface.board.past().ask(move |open| history::calls(open, &page)).await;
    Ok(json_with(StatusCode::OK, &view::History::of(calls.map_err(unavailable)?, limit)))
}

/// One call of before.
#[utoipa::path(
    get,
    path = "/api/history/{id}",
    summary = "One call that was, with its turns and what was left",
    params(("id" = i64, Path, minimum = 1, description = "As in the list")),
    responses(
        (status = 200, description = "The call; words are null without the scope words", body = view::PastWhole),
        (status = 404, description = "There is no such call", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    caller: Caller,
    State(interface): State<Interface>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| no_such_call())?;
    let shelf = interface.board.recordings_shelf();
    let whole = interface.board.past().ask(move |open| whole(open, id, shelf.as_ref())).await;
    let (whole, has_recording) = whole.map_err(unavailable)?.ok_or_else(no_such_call)?;
    let whole = PastWhole::of(whole, has_recording, caller.may(Scope::Words));
    Ok(json_with(StatusCode::OK, &whole))
}

/// A call, and whether its sound is there: the reader's thread may wait for the disk.
fn whole(
    open: &Connection,
    id: i64,
    shelf: Option<&Shelf>,
) -> rusqlite::Result<Option<(history::Whole, bool)>> {
    let whole = history::whole(open, id)?;
    Ok(whole.map(|whole| {
        let (started_at_ms, call) = (whole.call.started_at_ms, whole.call.call);
        let name = Name::of(started_at_ms, call);
        let has_recording = shelf.is_some_and(|shelf| recordings::is_there(&shelf.folder, name));
        (whole, has_recording)
    }))
}

/// What is counted for good.
#[utoipa::path(
    get,
    path = "/api/history/totals",
    summary = "What is counted over all starts of the program, also of calls that were deleted",
    responses((status = 200, description = "Figures by name", body = view::Totals))
)]
pub(super) async fn totals(State(interface): State<Interface>) -> Result<Response, Problem> {
    let counters = interface.board.past().ask(history::counters).await.map_err(unavailable)?;
    Ok(json_with(StatusCode::OK, &view::Totals::from(counters)))
}

/// All calls as a file.
#[utoipa::path(
    get,
    path = "/api/history/export",
    summary = "All calls that were, newest first, as a file",
    description = "JSON: a list of calls as /api/history/{id} gives them. CSV: a line for each, without its turns. It is sent while \
        it is read; where the reading fails the connection is cut off.",
    params(ExportQuery),
    responses(
        (status = 200, description = "The file", content((Vec<view::PastWhole> = "application/json"), (String = "text/csv"))),
        (status = 400, description = "The address makes no sense", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn export(
    caller: Caller,
    State(interface): State<Interface>,
    asked: Result<Query<ExportQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(ExportQuery { format }) = asked.map_err(|_| wrong("format: csv or json"))?;
    let export = Export {
        history: interface.board.past(),
        shelf: interface.board.recordings_shelf(),
        format,
        shows_words: caller.may(Scope::Words),
        at: Some(i64::MAX),
        has_begun: false,
    };
    // What cannot be begun is told, and not cut off.
    let (first, rest) = export.piece().await.map_err(unavailable)?;
    let first = stream::iter([Ok::<_, std::io::Error>(first)]);
    let rest = stream::try_unfold(rest, |export| async move {
        match export {
            None => Ok(None),
            Some(export) => export.piece().await.map(Some).map_err(std::io::Error::other),
        }
    });
    let (kind, name) = match format {
        Format::Csv => {
            ("text/csv; charset=utf-8; header=present", "attachment; filename=\"history.csv\"")
        }
        Format::Json => ("application/json", "attachment; filename=\"history.json\""),
    };
    let body = Body::from_stream(futures_util::StreamExt::chain(first, rest));
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], body).into_response())
}

/// How far an export is.
struct Export {
    history: History,
    shelf: Option<Shelf>,
    format: Format,
    shows_words: bool,
    /// Ids below it are still to come.
    at: Option<i64>,
    has_begun: bool,
}

impl Export {
    /// The next piece, and what is left.
    async fn piece(mut self) -> Result<(Bytes, Option<Self>), Unavailable> {
        let before = self.at;
        let page = Page { query: None, in_words: false, before, limit: PIECE };
        let (format, shelf) = (self.format, self.shelf.clone());
        let found = self.history.ask(move |open| {
            let calls = history::calls(open, &page)?;
            let last = calls.last().map(|call| call.id).filter(|_| calls.len() == PIECE as usize);
            if format == Format::Csv {
                return Ok((last, calls, Vec::new()));
            }
            let one = |call: &history::Call| whole(open, call.id, shelf.as_ref()).transpose();
            let whole = calls.iter().filter_map(one);
            Ok((last, Vec::new(), whole.collect::<Result<Vec<_>, _>>()?))
        });
        let (last, calls, whole) = found.await?;
        let mut text = String::new();
        let begins = !std::mem::replace(&mut self.has_begun, true);
        match format {
            Format::Csv => {
                text.push_str(if begins { CSV_HEAD } else { "" });
                calls.into_iter().for_each(|call| text.push_str(&Past::from(call).csv()));
            }
            Format::Json => {
                for (index, (whole, has_recording)) in whole.into_iter().enumerate() {
                    text.push_str(if begins && index == 0 { "[" } else { ",\n" });
                    let whole = PastWhole::of(whole, has_recording, self.shows_words);
                    text.push_str(&serde_json::to_string(&whole).map_err(|_| Unavailable)?);
                }
                if begins && text.is_empty() {
                    text.push('[');
                }
                text.push_str(if last.is_none() { "]\n" } else { "" });
            }
        }
        self.at = last;
        let rest = last.is_some().then_some(self);
        Ok((Bytes::from(text), rest))
    }
}

/// Deletes what is kept of a number.
#[utoipa::path(
    delete,
    path = "/api/history",
    summary = "Delete all that is kept of a number: calls, what was said and left",
    description = "Also messages that want it called back. What is deleted is overwritten in the database. Asked again it deletes \
        what has come since.",
    params(EraseQuery),
    responses(
        (status = 200, description = "It is deleted", body = view::Erased),
        (status = 400, description = "The address makes no sense", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn erase(
    State(interface): State<Interface>,
    asked: Result<Query<EraseQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let text = "number: 1 to 128 characters";
    let Query(EraseQuery { number }) = asked.map_err(|_| wrong(text))?;
    if !(1..=NUMBER_CHARS).contains(&number.chars().count()) {
        return Err(wrong(text));
    }
    let number = Private::new(number);
    let erased = interface.board.past().erase(number.clone()).await.map_err(unavailable)?;
    interface.board.forget_number(&number);
    Ok(json_with(StatusCode::OK, &view::Erased::from(erased)))
}

/// What callers left.
#[utoipa::path(
    get,
    path = "/api/messages",
    summary = "What callers left, newest first, in parts",
    params(MessagesQuery),
    responses(
        (status = 200, description = "A part of them", body = view::Messages),
        (status = 400, description = "The address makes no sense", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn messages(
    State(interface): State<Interface>,
    asked: Result<Query<MessagesQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let text = "unread (true or false), before (an id) and limit (1 to 200)";
    let Query(MessagesQuery { unread, before, limit }) = asked.map_err(|_| wrong(text))?;
    let limit = limit.unwrap_or(USUAL);
    if !(1..=PIECE).contains(&limit) || before.is_some_and(|before| before < 1) {
        return Err(wrong(text));
    }
    let page = history::MessagePage { only_unread: unread.unwrap_or(false), before, limit };
    let messages = interface.board.past().ask(move |open| history::messages(open, page)).await;
    Ok(json_with(StatusCode::OK, &view::Messages::of(messages.map_err(unavailable)?, limit)))
}

/// Marks a message.
#[utoipa::path(
    patch,
    path = "/api/messages/{id}",
    summary = "Mark a message as read, or as not read",
    params(("id" = i64, Path, minimum = 1, description = "As in the list")),
    request_body = Mark,
    responses(
        (status = 200, description = "The message as it is now", body = view::Kept),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such message", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON by its type", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn mark(
    caller: Caller,
    State(interface): State<Interface>,
    id: Result<Path<i64>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = json_body(&headers, body)?;
    let mark = serde_json::from_slice::<Mark>(&body);
    let Mark { read } = mark.map_err(|_| wrong("an object with read: true or false"))?;
    let none = || Problem::new(Kind::NotFound, "no such message");
    let Path(id) = id.map_err(|_| none())?;
    let past = interface.board.past();
    let read_at_ms = read.then(super::unix_ms);
    if !past.mark(id, read_at_ms).await.map_err(unavailable)? {
        return Err(none());
    }
    let message = past.ask(move |open| history::one_message(open, id)).await;
    let mut message = message.map_err(unavailable)?.ok_or_else(none)?;
    if !caller.may(Scope::Words) {
        message.withhold_words();
    }
    Ok(json_with(StatusCode::OK, &view::Kept::from(message)))
}

fn wrong(text: &str) -> Problem {
    Problem::new(Kind::Wrong, text)
}

pub(super) fn unavailable(_: Unavailable) -> Problem {
    let text = "the database cannot be used now; /health says why";
    Problem::new(Kind::Unavailable, text).retry_after(5)
}
