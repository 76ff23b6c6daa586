//! `attendant models verify`: reads every file and compares its hash.

use super::{ManifestArgument, NoModel, bytes_in_words, named};
use crate::cli::exit::Exit;
use crate::cli::{printable, with_sources};
use crate::store::shelf::check::{self, Flaw};
use crate::store::shelf::folder::Folder;
use crate::store::shelf::manifest::{Kind, Manifest, Model, is_ours};
use crate::store::shelf::{Presence, Shelf};
use crate::store::trusted::Untrusted;

/// Check the files on the shelf: length, SHA-256, and that an ONNX file reads no other files.
///
/// Without names, everything that is there: what no manifest names by the SHA-256 that is pinned
/// beside it, and what has none is listed as unknown. Exit code 65 if a file is refused, 66 if a
/// named one is missing.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Names as `attendant models list` shows them.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    manifest: ManifestArgument,
}

pub(super) fn run(arguments: &Arguments, shelf: &Shelf) -> Result<Exit, NoModel> {
    let manifest = arguments.manifest.load()?;
    let folder = Folder::open(shelf.path());
    let models = match (&folder, arguments.names.is_empty()) {
        (_, false) => named(&manifest, &arguments.names)?,
        (Ok(_), true) => on_shelf(&manifest, shelf),
        (Err(error), true) if error.is_missing() => Vec::new(),
        (Err(error), true) => return Ok(no_shelf(shelf, error)),
    };
    let mut outcomes: Vec<Exit> =
        models.into_iter().map(|model| verify(model, shelf, folder.as_ref())).collect();
    if let (Ok(folder), true) = (&folder, arguments.names.is_empty()) {
        outcomes.extend(others(folder, &manifest));
    }
    if outcomes.is_empty() {
        println!("nothing is on the shelf {}", shelf.path().display());
    }
    Ok(outcomes.into_iter().fold(Exit::Done, worse))
}

/// A refused file is worse than a missing one.
const fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::ModelCorrupt, _) | (_, Exit::Done) => one,
        (_, other) => other,
    }
}

/// Those of which anything is there.
pub(super) fn on_shelf<'a>(manifest: &'a Manifest, shelf: &Shelf) -> Vec<&'a Model> {
    let is_there = |model: &&Model| {
        model
            .files
            .iter()
            .any(|file| !matches!(shelf.look(file), Presence::Missing | Presence::Begun { .. }))
    };
    manifest.models().iter().filter(is_there).collect()
}

/// Checks all files of a model and says of each what it is.
fn verify(model: &Model, shelf: &Shelf, folder: Result<&Folder, &Untrusted>) -> Exit {
    if model.kind == Kind::Llm {
        println!("{}: kept and checked by Ollama", model.name);
        return Exit::Done;
    }
    let folder = match folder {
        Ok(folder) => folder,
        Err(error) => return no_shelf(shelf, error),
    };
    let verify = |outcome, file| match check::check(folder, model, file) {
        Ok(bytes) => {
            println!("{}: right, {}", file.name, bytes_in_words(bytes));
            outcome
        }
        Err(flaw) => {
            let path = shelf.path().join(&file.name);
            let is_pinned = file.sha256.is_none();
            eprintln!("attendant: {} {}", path.display(), in_words(&flaw, model, is_pinned));
            let exit = if flaw.is_missing() { Exit::ModelMissing } else { Exit::ModelCorrupt };
            worse(outcome, exit)
        }
    };
    model.files.iter().fold(Exit::Done, verify)
}

/// Checks what no manifest names by its pin, and says of each what it is.
fn others(folder: &Folder, manifest: &Manifest) -> Vec<Exit> {
    let names = match folder.names() {
        Ok(names) => names,
        Err(error) => {
            eprintln!("attendant: the shelf {}: {error}", folder.at("").display());
            return vec![Exit::Failed];
        }
    };
    let is_other = |name: &str| {
        let is_known = manifest.models().iter().any(|model| check::has(model, name));
        !is_known && !is_ours(name) && !name.starts_with('.')
    };
    let mut outcomes = Vec::new();
    for name in names {
        // A pin has its file's name in it, and no name of ours is anything but text.
        let checked = match name.to_str() {
            Some(name) if !is_other(name) => continue,
            Some(name) => check::check_by_pin(folder, name),
            None => Ok(None),
        };
        let name = printable(&name.to_string_lossy());
        outcomes.push(match checked {
            Ok(Some(bytes)) => {
                println!("{name}: right by its pin, {}", bytes_in_words(bytes));
                Exit::Done
            }
            Ok(None) => {
                println!("{name}: unknown, neither in the manifest nor pinned in {name}.sha256");
                Exit::Done
            }
            Err(flaw) => {
                let path = printable(&folder.at(&name).to_string_lossy());
                eprintln!("attendant: {path} is refused: {}", with_sources(&flaw));
                Exit::ModelCorrupt
            }
        });
    }
    outcomes
}

fn no_shelf(shelf: &Shelf, error: &Untrusted) -> Exit {
    eprintln!("attendant: the shelf {}: {}", shelf.path().display(), with_sources(error));
    if error.is_missing() { Exit::ModelMissing } else { Exit::ModelCorrupt }
}

fn in_words(flaw: &Flaw, model: &Model, is_pinned: bool) -> String {
    let name = &model.name;
    match flaw {
        flaw if flaw.is_missing() => {
            format!("is missing; `attendant models pull {name}` fetches it")
        }
        flaw if is_pinned && flaw.may_be_the_pins() => format!(
            "is refused: {}; `attendant models pull {name} --anew` fetches it again and pins what \
             comes",
            with_sources(flaw)
        ),
        flaw => format!("is refused: {}", with_sources(flaw)),
    }
}
