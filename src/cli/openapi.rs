//! `attendant openapi`: the description of the HTTP interface.

use super::exit::Exit;
use crate::web::openapi;

/// Print the description of the HTTP interface (OpenAPI 3.1), as a running box serves it at /openapi.json.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments) -> Exit {
    println!("{}", openapi::text());
    Exit::Done
}
