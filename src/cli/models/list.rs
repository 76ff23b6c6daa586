//! `attendant models list`: every known model, whether it is here, and whether it fits this box.

use serde::Serialize;

use super::room::{Fit, Room};
use super::{ManifestArgument, NoModel, bytes_in_words};
use crate::cli::exit::Exit;
use crate::speech::starter;
use crate::store::shelf::manifest::{Kind, Manifest, Model};
use crate::store::shelf::{Presence, Shelf};

/// Show the known models: what is here, what fits this box's memory and GPU.
///
/// SIZE is the download, MEMORY about what the model needs at work. Nothing is read but the length
/// of the files; `verify` reads them.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    manifest: ManifestArgument,
}

#[derive(Serialize)]
struct Report<'a> {
    shelf: String,
    #[serde(rename = "box")]
    room: &'a Room,
    models: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    kind: Kind,
    languages: Vec<&'a str>,
    licence: &'a str,
    speaker: Option<&'a str>,
    /// Of all files; `None`: learnt when they are pulled.
    bytes: Option<u64>,
    memory_bytes: u64,
    fits: Fit,
    /// `None` without a GPU.
    fits_gpu: Option<Fit>,
    state: State,
    bytes_here: u64,
    files: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    BuiltIn,
    Ollama,
    Missing,
    /// A pull was interrupted, or some of the files are missing.
    Begun,
    Here,
    /// Of a wrong length, or a symlink, or writable by everybody.
    Refused,
}

pub(super) fn run(arguments: &Arguments, shelf: &Shelf) -> Result<Exit, NoModel> {
    let manifest = arguments.manifest.load()?;
    let room = Room::here();
    let models = rows(&manifest, shelf, &room, arguments.manifest.manifest.is_none());
    let report = Report { shelf: shelf.path().display().to_string(), room: &room, models };
    if arguments.json {
        let text = serde_json::to_string_pretty(&report).expect("plain strings and numbers");
        println!("{text}");
    } else {
        print(&report);
    }
    Ok(Exit::Done)
}

fn rows<'a>(manifest: &'a Manifest, shelf: &Shelf, room: &Room, starter: bool) -> Vec<Row<'a>> {
    let built_in = Row {
        name: starter::NAME,
        kind: Kind::Whisper,
        languages: vec!["en"],
        licence: "CC-BY-SA-4.0",
        speaker: None,
        bytes: Some(0),
        memory_bytes: STARTER_MEMORY_BYTES,
        fits: room.memory_fit(STARTER_MEMORY_BYTES),
        fits_gpu: room.gpu_fit(STARTER_MEMORY_BYTES),
        state: State::BuiltIn,
        bytes_here: 0,
        files: Vec::new(),
    };
    let known = manifest.models().iter().map(|model| row(model, shelf, room));
    starter.then_some(built_in).into_iter().chain(known).collect()
}

/// The engine with the starter model and five callers takes this (SPECIFICATION, "Measured").
const STARTER_MEMORY_BYTES: u64 = 120_000_000;

fn row<'a>(model: &'a Model, shelf: &Shelf, room: &Room) -> Row<'a> {
    let (state, bytes_here) = state(model, shelf);
    Row {
        name: &model.name,
        kind: model.kind,
        languages: model.languages.iter().map(String::as_str).collect(),
        licence: &model.licence,
        speaker: model.speaker.as_deref(),
        bytes: model.bytes().filter(|_| model.kind != Kind::Llm),
        memory_bytes: model.memory_bytes,
        fits: room.memory_fit(model.memory_bytes),
        fits_gpu: room.gpu_fit(model.memory_bytes),
        state,
        bytes_here,
        files: model.files.iter().map(|file| file.name.clone()).collect(),
    }
}

fn state(model: &Model, shelf: &Shelf) -> (State, u64) {
    if model.kind == Kind::Llm {
        return (State::Ollama, 0);
    }
    let (mut here, mut whole, mut refused) = (0, 0, false);
    for file in &model.files {
        match shelf.look(file) {
            Presence::Missing => (),
            Presence::Begun { bytes } => here += bytes,
            Presence::Whole { bytes } => {
                here += bytes;
                whole += 1;
            }
            Presence::WrongLength { .. } | Presence::Untrusted(_) => refused = true,
        }
    }
    let state = match () {
        () if refused => State::Refused,
        () if whole == model.files.len() => State::Here,
        () if here > 0 => State::Begun,
        () => State::Missing,
    };
    (state, here)
}

fn print(report: &Report<'_>) {
    let room = report.room;
    let known = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), bytes_in_words);
    println!("shelf   {}", report.shelf);
    let (total, available) = (known(room.memory_bytes), known(room.available_bytes));
    println!("memory  {total}, {available} available");
    match &room.gpu {
        Some(gpu) => println!("GPU     {gpu}, memory {}", known(room.gpu_memory_bytes)),
        None => println!("GPU     none that this program can use"),
    }
    let gpu = |row: &Row<'_>| row.fits_gpu.map_or("-", Fit::in_words);
    println!(
        "\n{:<22} {:<8} {:<5} {:>8} {:>8}  {:<8} {:<8} {:<12} LICENCE",
        "NAME", "KIND", "LANG", "SIZE", "MEMORY", "FITS", "GPU", "STATE"
    );
    for row in &report.models {
        let size = match row.state {
            State::BuiltIn | State::Ollama => "-".to_owned(),
            _ => known(row.bytes),
        };
        println!(
            "{:<22} {:<8} {:<5} {size:>8} {:>8}  {:<8} {:<8} {:<12} {}",
            row.name,
            row.kind,
            row.languages.join(","),
            bytes_in_words(row.memory_bytes),
            row.fits.in_words(),
            gpu(row),
            state_in_words(row),
            row.licence
        );
    }
}

fn state_in_words(row: &Row<'_>) -> String {
    match row.state {
        State::BuiltIn => "built in".to_owned(),
        State::Ollama => "ollama pull".to_owned(),
        State::Missing => "-".to_owned(),
        State::Here => "here".to_owned(),
        State::Refused => "refused".to_owned(),
        State::Begun => match row.bytes.filter(|&bytes| bytes > 0) {
            Some(bytes) => format!("begun, {} %", row.bytes_here.saturating_mul(100) / bytes),
            None => "begun".to_owned(),
        },
    }
}
