//! `attendant manual`: the manual pages, made of the command line itself and of `attendant.toml`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use roff::{Roff, bold, roman};

use super::CommandLine;
use crate::appliance::start_error::StartError;

/// Every key with its explanation, as it stands beside the source.
const SETTINGS: &str = include_str!("../../attendant.toml");

/// Write the manual pages: man1 and man5 below a folder, as below /usr/share/man.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder, which is made where it is missing.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), StartError> {
    write(&arguments.folder)
        .map_err(|source| StartError::System { what: "cannot write the manual pages", source })
}

/// attendant(1), a page for each command, and attendant.toml(5).
fn write(folder: &Path) -> io::Result<()> {
    let (commands, files) = (folder.join("man1"), folder.join("man5"));
    fs::create_dir_all(&commands)?;
    fs::create_dir_all(&files)?;
    clap_mangen::generate_to(CommandLine::command(), commands)?;
    fs::write(files.join("attendant.toml.5"), settings())
}

/// attendant.toml(5): the file is its own explanation, so it is shown as it is.
fn settings() -> String {
    let mut page = Roff::new();
    page.control(
        "TH",
        ["attendant.toml", "5", "", concat!("attendant ", env!("CARGO_PKG_VERSION"))],
    );
    page.control("SH", ["NAME"]).text([roman("attendant.toml - settings of attendant(1)")]);
    page.control("SH", ["DESCRIPTION"]).text([
        roman("The file is "),
        bold("/etc/attendant/attendant.toml"),
        roman(", in TOML. None of its keys must be there: below, each has the value that it has without. "),
        bold("attendant check"),
        roman(" names every fault."),
    ]);
    page.control("SH", ["KEYS"]).control("nf", []);
    for line in SETTINGS.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    page.control("SH", ["SEE ALSO"]).text([bold("attendant"), roman("(1)")]);
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_every_key_has_its_place_in_a_page() {
        let folder = std::env::temp_dir().join(format!("manual-{}", std::process::id()));
        write(&folder).unwrap();
        let page = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let all = page("man1/attendant.1");
        let settings = page("man5/attendant.toml.5");
        let commands = CommandLine::command();
        for command in commands.get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            assert!(all.contains(&format!("attendant\\-{name}(1)")), "{name}: {all}");
            assert!(page(&format!("man1/attendant-{name}.1")).contains(".SH OPTIONS"), "{name}");
        }
        fs::remove_dir_all(&folder).unwrap();
        assert!(all.contains("Exit codes:"), "{all}");
        for line in SETTINGS.lines().filter(|line| line.starts_with('[')) {
            assert!(settings.lines().any(|found| found == line), "{line}");
        }
    }
}
