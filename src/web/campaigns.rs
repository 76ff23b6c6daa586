//! `/api/campaigns` and `/api/do-not-call`: many numbers that are called one after the other, and those that never are.
//!
//! What is made here is in the database and nowhere else; `appliance::campaigns` has it called.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::schema::{Array, Object, Type};
use utoipa::{IntoParams, ToSchema};

use super::access::Caller;
use super::command::{Command, DialOrder};
use super::dialling::{
    IDEMPOTENCY_KEY, Machine, TEXT_CHARS, ask, json_body, key, media_type, once, refused,
    variables, variables_shape,
};
use super::history::unavailable;
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with};
use super::unix_ms;
use super::view::{self, CAMPAIGN_CSV_HEAD};
use crate::base::{Private, limits};
use crate::converse::Variables;
use crate::listen::answered::OnMachine;
use crate::store::history::campaigns::{self, New, NewNumber, Numbers, Wish};
use crate::store::history::{History, Unavailable, number_key};
use crate::trunk::campaign::LEFT_FREE;

/// Campaigns or numbers in one answer, where nothing else is asked for.
const USUAL: u32 = 50;
const PIECE: u32 = limits::HISTORY_PAGE;
/// Characters of a number that is not to be called, as it is written.
const NUMBER_CHARS: usize = 128;

/// A campaign that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCampaign)]
pub(super) struct NewBody {
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^(?=.*\S)[^\u0000-\u001f\u007f-\u009f]+$"
    )]
    name: String,
    /// As people write them; `[dial]` says what each means and whether it may be called. Each is called once, however
    /// often it stands there.
    #[schema(schema_with = numbers_shape)]
    numbers: Vec<String>,
    /// The language of a playbook. Without it: by the number.
    #[schema(max_length = 64)]
    playbook: Option<String>,
    /// An account. Without it: the first.
    #[schema(max_length = 64)]
    trunk: Option<String>,
    /// Where a machine answers: `talk`, `leave-message` or `hang-up`. Without it: as configured.
    #[schema(value_type = Option<Machine>)]
    on_machine: Option<OnMachine>,
    /// Values for what is said first, the same to everybody.
    #[serde(default)]
    #[schema(schema_with = variables_shape)]
    variables: Map<String, Value>,
    /// Calls of one number at most. Without it: as configured.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 10)]
    attempts: Option<u32>,
}

/// JSON knows one kind of number: 7.0 is a whole one.
fn whole<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(value)? else { return Ok(None) };
    let found = (0..=limits::CAMPAIGN_ATTEMPTS + 1).find(|count| f64::from(*count) == number);
    found.map(Some).ok_or_else(|| D::Error::custom("not a whole number of calls"))
}

/// The shape of a list of numbers as people write them.
fn numbers_shape() -> Array {
    let number = Object::builder().schema_type(Type::String).max_length(Some(TEXT_CHARS));
    Array::builder()
        .items(number.build())
        .min_items(Some(1))
        .max_items(Some(limits::CAMPAIGN_NUMBERS))
        .build()
}

/// What a list of numbers does not say itself.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CsvQuery {
    /// With text/csv: the campaign's name, 1 to 64 characters.
    #[param(max_length = 64)]
    name: Option<String>,
    /// With text/csv: as in JSON.
    #[param(max_length = 64)]
    playbook: Option<String>,
    /// With text/csv: as in JSON.
    #[param(max_length = 64)]
    trunk: Option<String>,
    /// With text/csv: as in JSON.
    #[param(inline, value_type = Option<Machine>)]
    on_machine: Option<OnMachine>,
    /// With text/csv: as in JSON.
    #[param(minimum = 1, maximum = 10)]
    attempts: Option<u32>,
}

/// Which campaigns.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only campaigns with ids below it: what `before` of the part before says.
    #[param(minimum = 1)]
    before: Option<i64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
}

/// Which numbers.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NumbersQuery {
    /// Only numbers with ids above it: what `after` of the part before says.
    #[param(minimum = 1)]
    after: Option<i64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
}

/// Whom no campaign calls.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Unwanted {
    /// As people write it.
    #[schema(min_length = 1, max_length = 128, pattern = "^\\+[1-9][0-9]{6,14}$")]
    phone_number: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UnwantedQuery {
    /// A number however it is written.
    #[param(min_length = 1, max_length = 128)]
    number: String,
}

/// Whether a number may be called by campaigns.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DoNotCall {
    is_listed: bool,
    /// It was so before.
    was_listed: Option<bool>,
}

/// Makes a campaign, which begins at once.
#[utoipa::path(
    post,
    path = "/api/campaigns",
    summary = "Have the box call many numbers, each until somebody was reached",
    description = "JSON, or text/csv: a number in the first column of each line, a heading may stand above them. Numbers that \
        may not be called are in it as refused. It begins at once, in the hours of [campaigns]. With an Idempotency-Key the same \
        request within a day is answered as the first time.",
    params(
        CsvQuery,
        ("Idempotency-Key" = Option<String>, Header, pattern = "^[!#-~]{1,255}$", description = "1 to 255 printable characters of ASCII, as a UUID"),
    ),
    request_body(content((NewBody = "application/json"), (String = "text/csv"))),
    responses(
        (status = 201, description = "It is made", body = view::Campaign),
        (status = 400, description = "It makes no sense here", body = problem::Written, content_type = "application/problem+json"),
        (status = 403, description = "The owner does not allow it, or the token", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "There are too many, or the request with this key is not answered yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "There are too many numbers", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is neither JSON nor CSV by its type", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "The key came before with another request", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(
    caller: Caller,
    State(interface): State<Interface>,
    asked: Result<Query<CsvQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let kind = media_type(&headers).to_ascii_lowercase();
    let is_csv = match kind.as_str() {
        "application/json" => false,
        "text/csv" => true,
        _ => {
            let text = "the body must have the Content-Type application/json or text/csv";
            return Err(Problem::new(Kind::MediaType, text));
        }
    };
    let body = to_bytes(body, limits::CAMPAIGN_BYTES).await;
    let body =
        body.map_err(|_| Problem::new(Kind::TooLong, "the body is too long, or was cut off"))?;
    let (body, known_by) = match is_csv {
        false => (from_json(&body)?, body.to_vec()),
        true => {
            let text = "name (1 to 64 characters) and, if wanted, playbook, trunk, on_machine and attempts";
            let Query(asked) = asked.map_err(|_| wrong(text))?;
            let known_by = [format!("{asked:?}\n").as_bytes(), &body].concat();
            is_possible(&interface)?;
            (from_csv(asked, &body)?, known_by)
        }
    };
    check(&body)?;
    is_possible(&interface)?;
    let value = headers.get(IDEMPOTENCY_KEY).map(key).transpose()?;
    let made = match value {
        None => make(interface, body).await?,
        Some(key) => {
            let name = (caller.name().to_owned(), key);
            let keys = Arc::clone(&interface.campaign_keys);
            once(keys, name, &known_by, make(interface, body)).await?
        }
    };
    Ok(json_with(StatusCode::CREATED, &made))
}

/// What prevents every campaign here.
fn is_possible(interface: &Interface) -> Result<(), Problem> {
    let desk = &interface.campaigns;
    let is_on = desk.dial.permission.is_on();
    is_on.map_err(|error| Problem::new(Kind::Forbidden, error.to_string()))?;
    match desk.lines > LEFT_FREE {
        true => Ok(()),
        false => {
            let text = "calls.max is 1, and campaigns leave one line free for callers";
            Err(Problem::new(Kind::Forbidden, text))
        }
    }
}

async fn make(interface: Interface, body: NewBody) -> Result<view::Campaign, Problem> {
    let variables = variables(body.variables).map_err(|text| wrong(&text))?;
    makes_sense(&interface, (&body.trunk, &body.playbook, body.on_machine), &variables).await?;
    let desk = &interface.campaigns;
    let mut rules = desk.settings.rules;
    rules.attempts = body.attempts.unwrap_or(rules.attempts);
    let number = |text: String| match desk.dial.number(&text) {
        Ok(number) => {
            NewNumber { number: Private::new(number.reveal().to_owned()), is_allowed: true }
        }
        Err(_) => NewNumber { number: Private::new(text), is_allowed: false },
    };
    let new = New {
        name: body.name,
        playbook: body.playbook,
        trunk: body.trunk,
        on_machine: body.on_machine.map(|kind| kind.name().to_owned()),
        variables,
        rules,
        numbers: body.numbers.into_iter().map(number).collect(),
    };
    let past = interface.board.past();
    let made = past.change(move |open| {
        let id = campaigns::create(open, unix_ms(), &new)?;
        id.map(|id| campaigns::one(open, id)).transpose()
    });
    let campaign = made.await.map_err(unavailable)?.flatten().ok_or_else(|| {
        let text = "there are too many campaigns that are not over";
        Problem::new(Kind::Conflict, text)
    })?;
    interface.campaigns.news.notify_one();
    Ok(campaign.into())
}

/// Asks before any number is called what would be wrong with all of them.
async fn makes_sense(
    interface: &Interface,
    (trunk, playbook, on_machine): (&Option<String>, &Option<String>, Option<OnMachine>),
    variables: &Variables,
) -> Result<(), Problem> {
    let order = DialOrder {
        phone_number: Private::default(),
        trunk: trunk.clone(),
        playbook: playbook.clone(),
        variables: variables.clone(),
        on_machine,
        agent: None,
        campaign_number: None,
    };
    ask(interface, |told| Command::CheckDial { order, told }).await?.map_err(refused)
}

fn from_json(body: &[u8]) -> Result<NewBody, Problem> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => wrong(
            "an object with name and numbers (a list) and, if wanted, playbook, trunk, on_machine (talk, leave-message or \
             hang-up), variables and attempts (1 to 10)",
        ),
        _ => wrong("the body is no JSON"),
    })
}

fn from_csv(asked: CsvQuery, body: &[u8]) -> Result<NewBody, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| wrong("the body is no UTF-8"))?;
    Ok(NewBody {
        name: asked.name.unwrap_or_default(),
        numbers: first_column(text),
        playbook: asked.playbook,
        trunk: asked.trunk,
        on_machine: asked.on_machine,
        variables: Map::new(),
        attempts: asked.attempts,
    })
}

/// One more than allowed at most. A line without a digit in its first column is a heading where it is the first, and else
/// a number that is none: nothing is left out silently.
fn first_column(text: &str) -> Vec<String> {
    let cell = |line: &str| {
        let cell = line.split([',', ';', '\t']).next().unwrap_or_default();
        let cell = cell.trim().trim_matches('"').trim();
        // Spreadsheets mark a text by it.
        cell.trim_start_matches('\'').to_owned()
    };
    let lines = text.trim_start_matches('\u{feff}').lines();
    let cells = lines.map(cell).filter(|cell| !cell.is_empty()).enumerate();
    let is_number =
        |(index, cell): &(usize, String)| *index > 0 || cell.contains(|c: char| c.is_ascii_digit());
    cells.filter(is_number).map(|(_, cell)| cell).take(limits::CAMPAIGN_NUMBERS + 1).collect()
}

fn check(body: &NewBody) -> Result<(), Problem> {
    let chars = body.name.chars().count();
    let is_name = (1..=limits::CAMPAIGN_NAME_CHARS).contains(&chars)
        && !body.name.trim().is_empty()
        && !body.name.chars().any(char::is_control);
    if !is_name {
        return Err(wrong("name: 1 to 64 characters, not all of them blank"));
    }
    if body.attempts.is_some_and(|n| !(1..=limits::CAMPAIGN_ATTEMPTS).contains(&n)) {
        return Err(wrong("attempts: 1 to 10"));
    }
    match body.numbers.len() {
        0 => return Err(wrong("numbers: at least one")),
        1..=limits::CAMPAIGN_NUMBERS => (),
        _ => {
            let text = format!("numbers: at most {}", limits::CAMPAIGN_NUMBERS);
            return Err(Problem::new(Kind::TooLong, text));
        }
    }
    let is_short = |text: &str| text.chars().count() <= TEXT_CHARS;
    let others = [&body.playbook, &body.trunk].into_iter().flatten();
    if !body.numbers.iter().all(|text| is_short(text)) || !others.map(String::as_str).all(is_short)
    {
        return Err(wrong("numbers, playbook and trunk: at most 64 characters each"));
    }
    Ok(())
}

/// The campaigns, newest first.
#[utoipa::path(
    get,
    path = "/api/campaigns",
    summary = "The campaigns, newest first, in parts, each with how far it is",
    params(ListQuery),
    responses(
        (status = 200, description = "A part of them", body = view::Campaigns),
        (status = 400, description = "The address makes no sense", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(interface): State<Interface>,
    asked: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let text = "before (an id) and limit (1 to 200)";
    let Query(ListQuery { before, limit }) = asked.map_err(|_| wrong(text))?;
    let limit = limit.unwrap_or(USUAL);
    if !(1..=PIECE).contains(&limit) || before.is_some_and(|before| before < 1) {
        return Err(wrong(text));
    }
    let found = interface.board.past().ask(move |open| campaigns::list(open, before, limit)).await;
    Ok(json_with(StatusCode::OK, &view::Campaigns::of(found.map_err(unavailable)?, limit)))
}

/// One campaign.
#[utoipa::path(
    get,
    path = "/api/campaigns/{id}",
    summary = "One campaign, with a part of its numbers",
    params(("id" = i64, Path, minimum = 1, description = "As in the list"), NumbersQuery),
    responses(
        (status = 200, description = "The campaign", body = view::CampaignWhole),
        (status = 400, description = "The address makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such campaign", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(interface): State<Interface>,
    id: Result<Path<i64>, PathRejection>,
    asked: Result<Query<NumbersQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let id = campaign(id)?;
    let text = "after (an id) and limit (1 to 200)";
    let Query(NumbersQuery { after, limit }) = asked.map_err(|_| wrong(text))?;
    let limit = limit.unwrap_or(USUAL);
    if !(1..=PIECE).contains(&limit) || after.is_some_and(|after| after < 1) {
        return Err(wrong(text));
    }
    let wanted = Numbers { campaign: id, after: after.unwrap_or(0), limit };
    let past = interface.board.past();
    let found = past.ask(move |open| {
        let Some(campaign) = campaigns::one(open, id)? else { return Ok(None) };
        Ok(Some((campaign, campaigns::numbers(open, wanted)?)))
    });
    let found = found.await.map_err(unavailable)?.ok_or_else(none)?;
    Ok(json_with(StatusCode::OK, &view::CampaignWhole::of(found, limit)))
}

/// What became of each number, as a file.
#[utoipa::path(
    get,
    path = "/api/campaigns/{id}/export",
    summary = "What became of each number of a campaign, as a file",
    description = "CSV, a line for each. It is sent while it is read; where the reading fails the connection is cut off.",
    params(("id" = i64, Path, minimum = 1, description = "As in the list")),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/csv"),
        (status = 404, description = "There is no such campaign", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn export(
    State(interface): State<Interface>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Response, Problem> {
    let id = campaign(id)?;
    let history = interface.board.past();
    let is_there = history.ask(move |open| campaigns::one(open, id)).await.map_err(unavailable)?;
    is_there.ok_or_else(none)?;
    let (first, at) = piece(&history, id, 0).await.map_err(unavailable)?;
    let first =
        stream::iter([Ok::<_, std::io::Error>(Bytes::from([CAMPAIGN_CSV_HEAD, &first].concat()))]);
    let rest = stream::try_unfold((history, at), move |(history, at)| async move {
        let Some(at) = at else { return Ok(None) };
        let (text, at) = piece(&history, id, at).await.map_err(std::io::Error::other)?;
        Ok(Some((Bytes::from(text), (history, at))))
    });
    let body = Body::from_stream(futures_util::StreamExt::chain(first, rest));
    let kind = "text/csv; charset=utf-8; header=present";
    let name = "attachment; filename=\"campaign.csv\"";
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], body).into_response())
}

/// The lines of the numbers after this one, and where the next piece begins.
async fn piece(
    history: &History,
    campaign: i64,
    after: i64,
) -> Result<(String, Option<i64>), Unavailable> {
    let wanted = Numbers { campaign, after, limit: PIECE };
    let numbers = history.ask(move |open| campaigns::numbers(open, wanted)).await?;
    let next = numbers.last().map(|number| number.id).filter(|_| numbers.len() == PIECE as usize);
    let lines = numbers.into_iter().map(|number| view::CampaignNumber::from(number).csv());
    Ok((lines.collect(), next))
}

/// Calls that are up go on.
#[utoipa::path(
    post,
    path = "/api/campaigns/{id}/pause",
    summary = "Call no further number of a campaign for now",
    params(("id" = i64, Path, minimum = 1, description = "As in the list")),
    responses(
        (status = 200, description = "As it is now", body = view::Campaign),
        (status = 404, description = "There is no such campaign", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "It is over", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn pause(
    State(interface): State<Interface>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Response, Problem> {
    control(&interface, id, Wish::Pause).await
}

/// It goes on.
#[utoipa::path(
    post,
    path = "/api/campaigns/{id}/resume",
    summary = "Go on with a campaign that is paused",
    params(("id" = i64, Path, minimum = 1, description = "As in the list")),
    responses(
        (status = 200, description = "As it is now", body = view::Campaign),
        (status = 404, description = "There is no such campaign", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "It is over", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn resume(
    State(interface): State<Interface>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Response, Problem> {
    control(&interface, id, Wish::Resume).await
}

/// Calls that are up go on, and are the last.
#[utoipa::path(
    post,
    path = "/api/campaigns/{id}/cancel",
    summary = "Call no further number of a campaign, ever",
    params(("id" = i64, Path, minimum = 1, description = "As in the list")),
    responses(
        (status = 200, description = "As it is now", body = view::Campaign),
        (status = 404, description = "There is no such campaign", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "It is over", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel(
    State(interface): State<Interface>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Response, Problem> {
    control(&interface, id, Wish::Cancel).await
}

async fn control(
    interface: &Interface,
    id: Result<Path<i64>, PathRejection>,
    wish: Wish,
) -> Result<Response, Problem> {
    let id = campaign(id)?;
    let past = interface.board.past();
    let done = past.change(move |open| {
        let Some((_, is_done)) = campaigns::control(open, unix_ms(), (id, wish))? else {
            return Ok(None);
        };
        Ok(campaigns::one(open, id)?.map(|campaign| (campaign, is_done)))
    });
    let (campaign, is_done) = done.await.map_err(unavailable)?.ok_or_else(none)?;
    if !is_done {
        return Err(Problem::new(Kind::Conflict, "the campaign is over"));
    }
    interface.campaigns.news.notify_one();
    Ok(json_with(StatusCode::OK, &view::Campaign::from(campaign)))
}

/// A number that is not to be called.
#[utoipa::path(
    post,
    path = "/api/do-not-call",
    summary = "Have no campaign call this number",
    description = "It is withdrawn from those that there are; a call that is up goes on. It stays listed when all else of the \
        number is deleted.",
    request_body = Unwanted,
    responses(
        (status = 200, description = "It is listed", body = DoNotCall),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "There are too many", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn leave_alone(
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = json_body(&headers, body)?;
    let wanted: Result<Unwanted, _> = serde_json::from_slice(&body);
    let Unwanted { phone_number } = wanted.map_err(|_| wrong("an object with phone_number"))?;
    let number = unwanted(&interface, phone_number)?;
    let listed = interface.board.past();
    let listed = listed.change(move |open| campaigns::leave_alone(open, unix_ms(), &number)).await;
    match listed.map_err(unavailable)? {
        true => Ok(json_with(StatusCode::OK, &DoNotCall { is_listed: true, was_listed: None })),
        false => Err(Problem::new(Kind::Conflict, "there is no room for further numbers")),
    }
}

/// A number that may be called again.
#[utoipa::path(
    delete,
    path = "/api/do-not-call",
    summary = "Let campaigns that are made from now on call this number again",
    params(UnwantedQuery),
    responses(
        (status = 200, description = "It is not listed", body = DoNotCall),
        (status = 400, description = "The address makes no sense", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn allow_again(
    State(interface): State<Interface>,
    asked: Result<Query<UnwantedQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(UnwantedQuery { number }) =
        asked.map_err(|_| wrong("number: 1 to 128 characters"))?;
    let number = unwanted(&interface, number)?;
    let past = interface.board.past();
    let was_listed = past.change(move |open| campaigns::allow_again(open, &number)).await;
    let was_listed = Some(was_listed.map_err(unavailable)?);
    Ok(json_with(StatusCode::OK, &DoNotCall { is_listed: false, was_listed }))
}

/// As it would be called, so that it is the same number however it is written.
fn unwanted(interface: &Interface, text: String) -> Result<Private<String>, Problem> {
    if !(1..=NUMBER_CHARS).contains(&text.chars().count()) || number_key(&text).is_empty() {
        return Err(wrong("a number, of 1 to 128 characters"));
    }
    let plan = &interface.campaigns.dial.plan;
    let number = plan.normalise(&text).map(|number| number.reveal().to_owned());
    Ok(Private::new(number.unwrap_or(text)))
}

fn campaign(id: Result<Path<i64>, PathRejection>) -> Result<i64, Problem> {
    id.map(|Path(id)| id).map_err(|_| none())
}

fn none() -> Problem {
    Problem::new(Kind::NotFound, "no such campaign")
}

fn wrong(text: &str) -> Problem {
    Problem::new(Kind::Wrong, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Vec<String> {
        first_column(text)
    }

    #[test]
    fn a_list_is_read_as_spreadsheets_write_it() {
        let text =
            "\u{feff}Telefon;Name\r\n\"+49 30 1\";\"Anna\"\r\n\r\n'+49302,x\r\nanna\r\n 0303 \n";
        assert_eq!(cells(text), ["+49 30 1", "+49302", "anna", "0303"]);
        assert_eq!(cells("0301\n0302"), ["0301", "0302"], "without a heading");
        assert!(cells("number\n").is_empty() && cells("").is_empty());
    }

    #[test]
    fn no_more_is_read_than_tells_that_it_is_too_much() {
        let text = "0301\n".repeat(limits::CAMPAIGN_NUMBERS + 100);
        let asked = CsvQuery {
            name: Some("spring".to_owned()),
            playbook: None,
            trunk: None,
            on_machine: None,
            attempts: None,
        };
        let body = from_csv(asked, text.as_bytes()).unwrap();
        assert_eq!(body.numbers.len(), limits::CAMPAIGN_NUMBERS + 1);
        assert!(check(&body).is_err());
    }
}
