//! `attendant dial`: a running box calls a number; we follow the call to its end.

// A shell: between two looks at the call time passes.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::ConfigArgument;
use super::api::{Api, Method, Unreachable};
use super::exit::Exit;
use super::{printable, with_sources};
use crate::appliance::paths::Paths;
use crate::appliance::shutdown::Shutdown;
use crate::appliance::start_error::StartError;

/// The state of the call is asked for so often.
const BETWEEN: Duration = Duration::from_millis(300);

/// Have the running program call a number, and follow the call until it has ended.
///
/// The number may be written as people write it; [dial] of the configuration says what it means and
/// whether it may be called. Ctrl-C ends the call, a second one leaves it. The exit code tells what
/// came of it (attendant --help).
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The number, as in "+49 30 123456".
    number: String,
    /// The account to call through, by its name. Without it: the first.
    #[arg(long, value_name = "NAME")]
    trunk: Option<String>,
    /// The language of the playbook, as in en. Without it: by the number.
    #[arg(long, value_name = "CODE")]
    playbook: Option<String>,
    /// Where an answering machine answers: talk, leave-message or hang-up. Without it: as configured.
    #[arg(long, value_name = "WHAT")]
    on_machine: Option<String>,
    /// Whether the remote agent holds the call. Without it: as configured.
    #[arg(long, value_name = "true|false")]
    agent: Option<bool>,
    /// A value for what is said first, as in subject="your delivery"; once for each.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// The program's HTTP interface. Without it: where web.listen is.
    #[arg(long, value_name = "URL", value_parser = Api::parse)]
    api: Option<Api>,
    #[command(flatten)]
    config: ConfigArgument,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Api(#[from] Unreachable),
    #[error("--api: {path} gave no answer that can be read")]
    Answer { path: String },
    #[error("not called: {reason}")]
    Refused { reason: String },
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
    #[error("--var {name}: each once")]
    Twice { name: String },
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    match dial(arguments) {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("attendant: {}", with_sources(&error));
            match error {
                DialError::Start(error) => Exit::from(&error),
                DialError::Twice { .. } => Exit::Usage,
                DialError::Refused { .. } => Exit::NotDialled,
                DialError::Api(_) | DialError::Answer { .. } | DialError::Signals(_) => {
                    Exit::Failed
                }
            }
        }
    }
}

fn dial(arguments: &Arguments) -> Result<Exit, DialError> {
    let body = body(arguments)?;
    let api = match &arguments.api {
        Some(api) => api.clone(),
        None => Api::at(arguments.config.load(&Paths::here())?.web.listen),
    };
    let stop = Shutdown::on_signals().map_err(DialError::Signals)?;
    let path = "/api/calls/dial";
    let (status, answer) = ask(&api, Method::Post, path, Some(&body))?;
    let (202, Some(id)) = (status, answer["id"].as_str()) else {
        let reason = answer["detail"].as_str().unwrap_or("the program gives no reason");
        return Err(DialError::Refused { reason: reason.to_owned() });
    };
    println!(
        "{} {}",
        printable(id),
        printable(answer["phone_number"].as_str().unwrap_or_default())
    );
    follow(&api, id, &stop)
}

fn body(arguments: &Arguments) -> Result<Value, DialError> {
    let mut variables = Map::new();
    for (name, value) in &arguments.variables {
        if variables.insert(name.clone(), Value::from(value.as_str())).is_some() {
            return Err(DialError::Twice { name: name.clone() });
        }
    }
    let mut body = json!({ "phone_number": arguments.number });
    let texts = [
        ("trunk", &arguments.trunk),
        ("playbook", &arguments.playbook),
        ("on_machine", &arguments.on_machine),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            body[name] = Value::from(value.as_str());
        }
    }
    if let Some(agent) = arguments.agent {
        body["agent"] = agent.into();
    }
    if !variables.is_empty() {
        body["variables"] = Value::Object(variables);
    }
    Ok(body)
}

/// Prints each state that is new; gives what came of it.
fn follow(api: &Api, id: &str, stop: &Shutdown) -> Result<Exit, DialError> {
    let path = format!("/api/calls/{id}");
    let (mut shown, mut is_ended_by_us) = (String::new(), false);
    loop {
        if stop.is_requested() && !is_ended_by_us {
            is_ended_by_us = true;
            // Perhaps it has ended just now: then its record says so.
            ask(api, Method::Delete, &path, None)?;
        }
        let (status, record) = ask(api, Method::Get, &path, None)?;
        if status != 200 {
            return Err(DialError::Answer { path });
        }
        let line = line(&record);
        if line != shown {
            println!("{}", printable(&line));
            shown = line;
        }
        if let Some(exit) = outcome(&record) {
            return Ok(exit);
        }
        std::thread::sleep(BETWEEN);
    }
}

fn ask(
    api: &Api,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, Value), DialError> {
    let answer = api.ask(method, path, body)?;
    answer.ok_or_else(|| DialError::Answer { path: path.to_owned() })
}

/// The state in words.
fn line(record: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let earlier = record["dialled"]["earlier"].as_array();
    let last = earlier.and_then(|list| list.last()).map(|attempt| text(&attempt["cause"]));
    match record["state"].as_str().unwrap_or_default() {
        "active" => "talking".to_owned(),
        "ended" => format!("ended: {}", text(&record["ending"]["text"])),
        "waiting" => format!("{}, is called again", last.unwrap_or_default()),
        "early-media" => "early media".to_owned(),
        state => state.to_owned(),
    }
}

/// What came of a call that has ended.
fn outcome(record: &Value) -> Option<Exit> {
    if record["state"] != "ended" {
        return None;
    }
    let cause = record["ending"]["cause"].as_str().unwrap_or_default();
    let broke_off = ["media-timeout", "signalling-lost", "no-common-codec", "internal"];
    Some(match (record["answered_at_ms"].is_u64(), cause) {
        (_, "no-person") => Exit::NoPerson,
        (true, cause) if !broke_off.contains(&cause) => Exit::Done,
        (false, "callee-busy") => Exit::Busy,
        (false, "no-answer") => Exit::NoAnswer,
        _ => Exit::CallFailed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_what_came_of_the_call() {
        let record = |state: &str, answered: Value, cause: &str| {
            json!({ "state": state, "answered_at_ms": answered,
                "ending": { "cause": cause, "text": "It was." } })
        };
        for (state, answered, cause, exit) in [
            ("waiting", Value::Null, "", None),
            ("active", 5.into(), "", None),
            ("ended", 5.into(), "hung-up", Some(Exit::Done)),
            ("ended", 5.into(), "ended-by-owner", Some(Exit::Done)),
            ("ended", 5.into(), "media-timeout", Some(Exit::CallFailed)),
            ("ended", 5.into(), "no-person", Some(Exit::NoPerson)),
            ("ended", Value::Null, "callee-busy", Some(Exit::Busy)),
            ("ended", Value::Null, "no-answer", Some(Exit::NoAnswer)),
            ("ended", Value::Null, "refused", Some(Exit::CallFailed)),
            ("ended", Value::Null, "ended-by-owner", Some(Exit::CallFailed)),
        ] {
            assert_eq!(outcome(&record(state, answered, cause)), exit, "{state} {cause}");
        }
    }

    #[test]
    fn a_value_has_a_name() {
        let pair = ("subject".to_owned(), "a=b".to_owned());
        assert_eq!(variable("subject=a=b"), Ok(pair));
        assert!(variable("subject").is_err());
    }
}
