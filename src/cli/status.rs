//! `attendant status`: the box at a glance, by its own HTTP interface.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::api::{Api, Method};
use super::exit::Exit;
use super::{ConfigArgument, printable, with_sources};
use crate::appliance::config::sound_sections;
use crate::appliance::paths::Paths;
use crate::base::address::on_this_machine;
use crate::web::first_code;

/// Calls that are shown, the newest first.
const CALLS: usize = 8;

/// Print how the box is: state and reasons, calls, accounts, engine, sound.
///
/// Exit code 0 while it takes calls, 11 where no program answers, 12 where it answers and takes none. Where the
/// interface wants a token, that of the credential token or of ATTENDANT_TOKEN is shown to it; without the right to
/// read there is the state alone. Who may read the box's state folder (root, and its own user) is also shown the code that
/// the page asks for until there is a password.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print what /health says, as JSON.
    #[arg(long)]
    json: bool,
    /// The program's HTTP interface. Without it: where web.listen is.
    #[arg(long, value_name = "URL", value_parser = Api::parse)]
    api: Option<Api>,
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let api = match &arguments.api {
        Some(api) => api.clone(),
        None => address(&arguments.config),
    };
    let health = match api.ask(Method::Get, "/health", None) {
        Ok(Some((_, health))) if health["state"].is_string() => health,
        Ok(_) => {
            eprintln!("attendant: what answers there is no box of ours");
            return Exit::Down;
        }
        Err(error) => {
            eprintln!("attendant: the box is down: {}", with_sources(&error));
            return Exit::Down;
        }
    };
    let calls = api.ask(Method::Get, "/api/calls", None).ok().flatten();
    let calls = calls.filter(|(status, _)| *status == 200).map(|(_, calls)| calls);
    match arguments.json {
        true => println!("{health:#}"),
        false => {
            print!("{}", page(&health, calls.as_ref()));
            print!("{}", password(Paths::here().state()));
        }
    }
    match health["takes_calls"].as_bool() {
        Some(true) => Exit::Done,
        _ => Exit::TakesNone,
    }
}

/// A box in safe mode serves its page, too: of a configuration with faults what is sound counts.
fn address(config: &ConfigArgument) -> Api {
    let paths = Paths::here();
    let sound = |_| config.path(&paths).map(sound_sections).unwrap_or_default();
    let listen = config.load(&paths).unwrap_or_else(sound).web.listen;
    Api::at(on_this_machine(listen))
}

/// The code that the page asks for while there is no password; for who may read it.
fn password(state: &Path) -> String {
    let mut page = String::new();
    if let Some(code) = first_code(state) {
        let text = format!("none is set yet; the page asks for the code {}", code.reveal());
        row(&mut page, "password", &text);
    }
    page
}

/// What is printed.
fn page(health: &Value, calls: Option<&Value>) -> String {
    let mut page = String::new();
    let text = |value: &Value| printable(value.as_str().unwrap_or_default());
    let state = match text(&health["state"]).as_str() {
        "ready" => "ready, calls are answered".to_owned(),
        "degraded" => "degraded, calls are answered with less than the usual".to_owned(),
        "starting" => "starting, calls are refused".to_owned(),
        "safe" => "safe mode, a recorded sentence answers".to_owned(),
        "stopping" => "stopping".to_owned(),
        other => other.to_owned(),
    };
    row(&mut page, "state", &state);
    for reason in list(&health["reasons"]) {
        row(&mut page, "", &text(reason));
    }
    if health["version"].is_null() {
        row(&mut page, "", "more is shown to who has a token that may read (ATTENDANT_TOKEN)");
        return page;
    }
    row(&mut page, "version", &text(&health["version"]));
    if let Some(engine) = health["engine"].as_object() {
        let hears = format!("{} on {}", text(&engine["model"]), text(&engine["device"]));
        row(&mut page, "engine", &hears);
    }
    for account in list(&health["accounts"]) {
        let reason = match account["reason"].as_str() {
            Some(reason) => format!(": {}", printable(reason)),
            None => String::new(),
        };
        let shown = format!("{}, {}{reason}", text(&account["name"]), text(&account["state"]));
        row(&mut page, "account", &shown);
    }
    if let Some(canary) = health["canary"].as_object() {
        row(&mut page, "canary", &text(&canary["told"]));
    }
    let audio = &health["audio"];
    let late = match audio["late_p999_us"].as_u64() {
        Some(us) => format!("99.9 % of the ticks at most {} ms late", us as f64 / 1_000.0),
        None => "some ticks are more than 20 ms late".to_owned(),
    };
    row(&mut page, "sound", &format!("{late}, {} dropped", audio["dropped"]));
    row(&mut page, "calls", &format!("{} up", health["live_calls"]));
    let shown = calls.map(|calls| list(&calls["calls"])).unwrap_or_default();
    for call in shown.iter().take(CALLS) {
        let ending = match call["ending"]["cause"].as_str() {
            Some(cause) => format!(", {}", printable(cause)),
            None => String::new(),
        };
        let line = format!(
            "{:<5} {} {}{ending}",
            text(&call["id"]),
            text(&call["direction"]),
            text(&call["state"])
        );
        row(&mut page, "", &line);
    }
    page
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn row(page: &mut String, name: &str, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(page, "{name:<9}{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_box_at_a_glance() {
        let health = json!({
            "state": "degraded", "takes_calls": true, "reasons": ["no real time"], "version": "1",
            "live_calls": 1, "engine": { "model": "small", "device": "cpu" },
            "audio": { "late_p999_us": 500, "dropped": 0 },
            "accounts": [{ "name": "office", "state": "failing", "reason": "it is away\u{1b}" }],
        });
        let calls = json!({ "calls": [
            { "id": "c2", "direction": "inbound", "state": "active" },
            { "id": "c1", "direction": "inbound", "state": "ended", "ending": { "cause": "goodbye" } },
        ] });
        let page = page(&health, Some(&calls));
        assert_eq!(
            page,
            "state    degraded, calls are answered with less than the usual\n         no real time\n\
             version  1\nengine   small on cpu\naccount  office, failing: it is away\\u{1b}\n\
             sound    99.9 % of the ticks at most 0.5 ms late, 0 dropped\ncalls    1 up\n         \
             c2    inbound active\n         c1    inbound ended, goodbye\n"
        );
    }

    #[test]
    fn who_may_not_read_is_told_the_state_and_how_to_see_more() {
        let page = page(&json!({ "state": "ready", "takes_calls": true }), None);
        assert!(page.starts_with("state    ready") && page.contains("ATTENDANT_TOKEN"), "{page}");
        assert_eq!(page.lines().count(), 2);
    }
}
