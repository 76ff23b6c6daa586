//! `attendant models verify`: reads every file and compares its hash.

use super::{ManifestArgument, NoModel, bytes_in_words, named};
use crate::cli::exit::Exit;
use crate::cli::with_sources;
use crate::store::shelf::check::{self, Flaw};
use crate::store::shelf::folder::Folder;
use crate::store::shelf::manifest::{Kind, Manifest, Model};
use crate::store::shelf::{Presence, Shelf};

/// Check the files on the shelf: length, SHA-256, and that an ONNX file reads no other files.
///
/// Without names, everything that is there. Exit code 65 if a file is refused, 66 if a named one is
/// missing.
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
    let models = match arguments.names.is_empty() {
        true => on_shelf(&manifest, shelf),
        false => named(&manifest, &arguments.names)?,
    };
    if models.is_empty() {
        println!("nothing is on the shelf {}", shelf.path().display());
    }
    let outcomes = models.into_iter().map(|model| verify(model, shelf));
    // A refused file is worse than a missing one.
    Ok(outcomes.fold(Exit::Done, |worst, exit| match (worst, exit) {
        (Exit::ModelCorrupt, _) | (_, Exit::Done) => worst,
        (_, exit) => exit,
    }))
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
fn verify(model: &Model, shelf: &Shelf) -> Exit {
    if model.kind == Kind::Llm {
        println!("{}: kept and checked by Ollama", model.name);
        return Exit::Done;
    }
    let folder = Folder::open(shelf.path());
    let mut outcome = Exit::Done;
    for file in &model.files {
        let checked = match &folder {
            Ok(folder) => check::check(folder, model, file),
            Err(error) => {
                eprintln!(
                    "attendant: the shelf {}: {}",
                    shelf.path().display(),
                    with_sources(error)
                );
                return if error.is_missing() { Exit::ModelMissing } else { Exit::ModelCorrupt };
            }
        };
        match checked {
            Ok(bytes) => println!("{}: right, {}", file.name, bytes_in_words(bytes)),
            Err(flaw) => {
                let path = shelf.path().join(&file.name);
                eprintln!("attendant: {} {}", path.display(), in_words(&flaw, model));
                outcome = match (flaw.is_missing(), outcome) {
                    (false, _) | (true, Exit::ModelCorrupt) => Exit::ModelCorrupt,
                    (true, _) => Exit::ModelMissing,
                };
            }
        }
    }
    outcome
}

fn in_words(flaw: &Flaw, model: &Model) -> String {
    match flaw.is_missing() {
        true => format!("is missing; `attendant models pull {}` fetches it", model.name),
        false => format!("is refused: {}", with_sources(flaw)),
    }
}
