//! `attendant models pull`: from the server, a mirror, or a stick to the shelf.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::progress::Progress;
use super::{ManifestArgument, NoModel, named};
use crate::cli::exit::Exit;
use crate::cli::with_sources;
use crate::store::shelf::Shelf;
use crate::store::shelf::address::Address;
use crate::store::shelf::fetch::FileError;
use crate::store::shelf::folder::Folder;
use crate::store::shelf::manifest::{Kind, Manifest, Model};
use crate::store::shelf::pull::{PullError, Puller, Source};
use crate::store::shelf::web::{Web, WebError};

/// Fetch models, verify them and put them on the shelf.
///
/// May be interrupted at any time: the next pull goes on from there. Works through the proxy that
/// https_proxy or all_proxy names; this machine is always asked directly.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Names as `attendant models list` shows them.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Take the files from this folder, as on a USB stick, instead of the network.
    #[arg(long, value_name = "DIR", conflicts_with = "mirror")]
    from: Option<PathBuf>,
    /// Fetch the files from this folder of a server instead: https, or http on this machine and in
    /// its own network.
    #[arg(long, value_name = "URL", value_parser = Address::parse)]
    mirror: Option<Address>,
    /// Fetch files again whose hash was learnt when they were pulled, and pin what comes: for a pin
    /// that is damaged, and for a new version on the server. Known hashes hold all the same.
    #[arg(long)]
    anew: bool,
    #[command(flatten)]
    manifest: ManifestArgument,
}

pub(super) fn run(arguments: &Arguments, shelf: &Shelf) -> Result<Exit, NoModel> {
    let manifest = arguments.manifest.load()?;
    let models = named(&manifest, &arguments.names)?;
    let source = match &arguments.from {
        Some(folder) => Source::Folder(folder.clone()),
        None => match Web::here() {
            Ok(web) => Source::Web { web, mirror: arguments.mirror.clone() },
            Err(error) => {
                eprintln!("attendant: {}", with_sources(&error));
                return Ok(Exit::PullFailed);
            }
        },
    };
    let mut outcome = Exit::Done;
    for model in models {
        let mut progress = Progress::here();
        let mut puller = Puller {
            shelf,
            source: &source,
            anew: arguments.anew,
            free_bytes: &Folder::free_bytes,
            report: &mut |event| progress.show(&event),
        };
        match puller.pull(model) {
            Ok(()) => println!("{}: on the shelf{}", model.name, use_of(model, &manifest, shelf)),
            Err(error) => {
                eprintln!("attendant: {}", with_sources(&error));
                // The first error is the one to mend.
                if outcome == Exit::Done {
                    outcome = exit_of(&error);
                }
            }
        }
    }
    Ok(outcome)
}

/// What the owner does with it next.
fn use_of(model: &Model, manifest: &Manifest, shelf: &Shelf) -> String {
    let key = match model.kind {
        Kind::Whisper => "whisper_model",
        Kind::Voice => "voice",
        Kind::Turn => "turn_model",
        Kind::Llm => return String::new(),
    };
    let Some(file) = model.files.first() else { return String::new() };
    if model.kind == Kind::Voice && !file.name.ends_with(".onnx") {
        return "; this version cannot load it: it is no ONNX file".to_owned();
    }
    let known = Manifest::known().find(&model.name).is_some();
    let own = !known || manifest != Manifest::known();
    let value = match own {
        true => shelf.path().join(&file.name).display().to_string(),
        false => model.name.clone(),
    };
    format!("; to use it: {key} = {value:?} under [speech]")
}

fn exit_of(error: &PullError) -> Exit {
    match error {
        PullError::Shelf { .. } => Exit::Failed,
        PullError::Ollama { .. } => Exit::Usage,
        PullError::Full { .. } => Exit::DiskFull,
        PullError::File { source, .. } => match source {
            FileError::Web(WebError::Refused(_)) | FileError::Web(_) => Exit::PullFailed,
            FileError::GivenUp { .. } => Exit::PullFailed,
            FileError::Flaw(_) | FileError::Pinned { .. } => Exit::ModelCorrupt,
            FileError::NotInFolder { .. } => Exit::ModelMissing,
            FileError::Untrusted { .. } => Exit::ModelCorrupt,
            FileError::Full { .. } => Exit::DiskFull,
            FileError::Disk(error) => match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Exit::DiskFull,
                _ => Exit::Failed,
            },
        },
    }
}
