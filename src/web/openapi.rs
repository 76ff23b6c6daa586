//! The interface's own description (OpenAPI 3.1), made of the types and paths that serve it.
//!
//! What a path needs is said once, in `routes`, and stands here because it stands there; so do the problems that
//! any path may answer with.

use axum::Json;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{OpenApi, openapi};

use super::access::Needs;
use super::events::Written as Event;
use super::paths::Entry;
use super::problem::{Kind, Written as Problem};
use super::{
    audio, backing_up, campaigns, controlling, dialling, events, handsets, history, live,
    operating, page_files, recording, ringcentral, routes, settings, sign_in, tickets, trials,
    updates, webphone, webrtc,
};

const SCHEME: &str = "token";

/// Every path has a function here that is described by `utoipa::path`; a test compares.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Attendant",
        description = "The telephone that answers by itself. Times are Unix milliseconds, lengths milliseconds. \
            What goes wrong is a problem (RFC 9457) whose type is stable.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        routes::page,
        page_files::file,
        live::live,
        routes::health,
        routes::explanation,
        routes::metrics,
        routes::calls,
        routes::call,
        dialling::dial,
        dialling::hang_up,
        controlling::control,
        operating::listen,
        operating::offer_again,
        operating::change,
        operating::close,
        operating::control,
        handsets::act,
        handsets::announce,
        campaigns::list,
        campaigns::create,
        campaigns::one,
        campaigns::export,
        campaigns::pause,
        campaigns::resume,
        campaigns::cancel,
        campaigns::leave_alone,
        campaigns::allow_again,
        history::list,
        history::erase,
        history::one,
        history::totals,
        history::export,
        recording::recording,
        recording::message,
        history::messages,
        history::mark,
        events::stream::events,
        events::stream::socket,
        tickets::issue,
        backing_up::sizes,
        backing_up::make,
        backing_up::put_back,
        backing_up::undo,
        trials::look,
        trials::begin,
        trials::voice,
        updates::look,
        updates::order,
        updates::drop_held,
        settings::look,
        settings::change,
        settings::undo,
        settings::desk,
        settings::set_secret,
        settings::start_again,
        sign_in::look,
        sign_in::sign_in,
        sign_in::sign_out,
        sign_in::set_first_password,
        sign_in::set_password,
        sign_in::remove_password,
        webphone::announce,
        webphone::status,
        audio::open,
        ringcentral::event,
        ringcentral::control,
        webrtc::page,
        webrtc::style,
        webrtc::script,
        webrtc::line,
        webrtc::offer,
        webrtc::offer_again,
        webrtc::change,
        webrtc::look,
        webrtc::close,
        webrtc::following::events,
        document,
    ),
    components(schemas(
        Event,
        Problem,
        webrtc::following::OwnState,
        webrtc::following::NumberedTurn,
        webrtc::OwnPartial
    ))
)]
struct Described;

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    summary = "This document",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(super) async fn document() -> Json<openapi::OpenApi> {
    Json(made())
}

/// The document, as a text for people and programs.
pub fn text() -> String {
    made()
        .to_pretty_json()
        .expect("it is made of texts, numbers, lists and maps with texts as keys")
}

fn made() -> openapi::OpenApi {
    let mut document = Described::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let scheme = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some(
        "A token of the configuration; none is asked for where none is configured.",
    ));
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(SCHEME, SecurityScheme::Http(scheme.build()));
    let paths = routes::paths();
    for entry in paths.entries() {
        let item = document.paths.paths.get_mut(entry.path);
        if let Some(operation) = item.and_then(|item| operation(item, entry.method)) {
            complete(operation, entry);
        }
    }
    document
}

fn operation<'a>(item: &'a mut PathItem, method: &str) -> Option<&'a mut Operation> {
    match method {
        "get" => item.get.as_mut(),
        "post" => item.post.as_mut(),
        "delete" => item.delete.as_mut(),
        "patch" => item.patch.as_mut(),
        "put" => item.put.as_mut(),
        _ => None,
    }
}

/// What goes for every path of its kind.
fn complete(operation: &mut Operation, entry: &Entry) {
    let mut kinds = vec![Kind::WrongHost, Kind::TooOften, Kind::Unavailable];
    if entry.method != "get" {
        kinds.extend([Kind::ForeignPage, Kind::MediaType]);
    }
    let scopes: Option<&[&str]> = match entry.needs {
        Needs::Nothing => None,
        Needs::Token => Some(&[]),
        Needs::Scope(scope) => Some(&[scope.name()]),
    };
    if let Some(scopes) = scopes {
        kinds.extend([Kind::Token, Kind::Scope]);
        operation.security = Some(vec![SecurityRequirement::new(SCHEME, scopes.to_vec())]);
    }
    for kind in kinds {
        let status = kind.status().as_u16().to_string();
        operation.responses.responses.entry(status).or_insert_with(|| RefOr::T(problem(kind)));
    }
}

fn problem(kind: Kind) -> Response {
    let content = Content::new(Some(RefOr::Ref(Ref::from_schema_name("ProblemWritten"))));
    ResponseBuilder::new()
        .description(kind.title())
        .content("application/problem+json", content)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_path_that_is_served_is_described_and_every_other_is_not() {
        let served: BTreeSet<(String, String)> = routes::paths()
            .entries()
            .iter()
            .map(|entry| (entry.method.to_owned(), entry.path.to_owned()))
            .collect();
        let mut described = BTreeSet::new();
        for (path, item) in made().paths.paths {
            let methods = [
                ("get", item.get.is_some()),
                ("post", item.post.is_some()),
                ("delete", item.delete.is_some()),
                ("put", item.put.is_some()),
                ("patch", item.patch.is_some()),
            ];
            let there = methods.iter().filter(|(_, is_there)| *is_there);
            described.extend(there.map(|(method, _)| ((*method).to_owned(), path.clone())));
        }
        let undescribed: Vec<_> = served.difference(&described).collect();
        assert!(
            undescribed.is_empty(),
            "without #[utoipa::path], or not in Described: {undescribed:?}"
        );
        let unserved: Vec<_> = described.difference(&served).collect();
        assert!(unserved.is_empty(), "not in routes::paths: {unserved:?}");
    }

    #[test]
    fn what_a_path_needs_and_what_may_go_wrong_stand_with_it() {
        let document: serde_json::Value = serde_json::from_str(&text()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{document}");
        let dial = &document["paths"]["/api/calls/dial"]["post"];
        assert_eq!(dial["security"][0][SCHEME][0], "dial");
        for status in ["202", "400", "401", "403", "409", "413", "415", "421", "422", "429", "503"]
        {
            assert!(dial["responses"][status].is_object(), "{status}: {dial:#}");
        }
        assert!(document["paths"]["/health"]["get"]["security"].is_null());
        // Every reference leads somewhere.
        let all = document.to_string();
        for reference in all.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
    }
}
