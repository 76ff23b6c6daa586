//! `attendant models`: the shelf of models, from the command line.
//!
//! | file | what |
//! |---|---|
//! | `list` | what there is, and what fits this box |
//! | `pull`, `progress` | brings models, and shows how far it is |
//! | `verify`, `warm` | checks what is there; loads and times it |
//! | `room` | memory of this box and its GPU |

mod list;
mod progress;
mod pull;
mod room;
mod verify;
mod warm;

use std::path::PathBuf;

use clap::Subcommand;

use super::exit::Exit;
use super::with_sources;
use crate::appliance::paths::Paths;
use crate::base::limits;
use crate::store::bounded::{self, ReadError};
use crate::store::shelf::Shelf;
use crate::store::shelf::manifest::{Manifest, ManifestError, Model};

/// Models on this box: list, fetch, check and try them.
///
/// They lie in the folder `models` of the state folder. Each has a SHA-256 that is known to the
/// program or learnt on the first pull, and that is checked before every use.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Pull(pull::Arguments),
    Verify(verify::Arguments),
    Warm(warm::Arguments),
}

/// Which models there are.
#[derive(Debug, clap::Args)]
struct ManifestArgument {
    /// A manifest of models of one's own, in the form of src/store/shelf/manifest.toml, instead of
    /// the one inside the program.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

/// Why there is no manifest, or no such model in it.
#[derive(Debug, thiserror::Error)]
enum NoModel {
    #[error("the manifest {} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: ReadError },
    #[error("the manifest {}", path.display())]
    Manifest { path: PathBuf, source: ManifestError },
    #[error("{name} is the name of no model{}", nearest.as_ref().map_or_else(String::new, |n| format!("; {n} is one")))]
    Unknown { name: String, nearest: Option<String> },
}

impl ManifestArgument {
    fn load(&self) -> Result<Manifest, NoModel> {
        let Some(path) = &self.manifest else { return Ok(Manifest::known().clone()) };
        let unreadable = |source| NoModel::Unreadable { path: path.clone(), source };
        let text = bounded::text(path, limits::MANIFEST_BYTES).map_err(unreadable)?;
        Manifest::parse(&text).map_err(|source| NoModel::Manifest { path: path.clone(), source })
    }
}

/// The models of these names, each once.
fn named<'a>(manifest: &'a Manifest, names: &[String]) -> Result<Vec<&'a Model>, NoModel> {
    let mut models: Vec<&Model> = Vec::new();
    for name in names {
        let model = manifest.find(name).ok_or_else(|| NoModel::Unknown {
            name: name.clone(),
            nearest: manifest.nearest(name).map(str::to_owned),
        })?;
        if !models.iter().any(|known| known.name == model.name) {
            models.push(model);
        }
    }
    Ok(models)
}

impl From<&NoModel> for Exit {
    fn from(error: &NoModel) -> Self {
        match error {
            NoModel::Manifest { .. } => Self::BadConfig,
            NoModel::Unreadable { .. } | NoModel::Unknown { .. } => Self::ModelMissing,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let shelf = Shelf::at(Paths::here().models());
    let outcome = match &arguments.command {
        Command::List(arguments) => list::run(arguments, &shelf),
        Command::Pull(arguments) => pull::run(arguments, &shelf),
        Command::Verify(arguments) => verify::run(arguments, &shelf),
        Command::Warm(arguments) => warm::run(arguments, &shelf),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("attendant: {}", with_sources(&error));
        Exit::from(&error)
    })
}

/// In units of which a person reads one to four digits.
fn bytes_in_words(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    for (unit, size) in units {
        if bytes >= size {
            let tenths = bytes / (size / 10);
            return match tenths < 1_000 {
                true => format!("{}.{} {unit}", tenths / 10, tenths % 10),
                false => format!("{} {unit}", tenths / 10),
            };
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_at_a_glance() {
        for (bytes, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (4_817, "4.8 kB"),
            (77_691_713, "77.6 MB"),
            (190_098_681, "190 MB"),
            (3_095_033_483, "3.0 GB"),
        ] {
            assert_eq!(bytes_in_words(bytes), words);
        }
    }

    #[test]
    fn a_name_counts_once_and_a_wrong_one_finds_its_neighbour() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let manifest = Manifest::known();
        let twice = named(manifest, &names(&["tiny", "base", "tiny"])).unwrap();
        assert_eq!(twice.len(), 2);
        let error = named(manifest, &names(&["small.en-q4"])).unwrap_err();
        assert!(error.to_string().contains("small.en-q5_1 is one"), "{error}");
        assert_eq!(Exit::from(&error), Exit::ModelMissing);
    }
}
