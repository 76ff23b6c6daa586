//! `attendant password`: a password for the status page, set on the box itself.

use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

use crate::appliance::chance;
use crate::appliance::paths::Paths;
use crate::appliance::start_error::StartError;
use crate::base::{Private, limits};
use crate::web::{Passwords, Person};

/// The state folder of an installed box.
const INSTALLED: &str = "/var/lib/attendant";

/// Set a password for the status page, also a new one for one that is forgotten.
///
/// It is read from the terminal, or as one line from standard input. A box that runs takes it within a second, and
/// signs out whoever was signed in.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For whoever may only look, in place of the owner's.
    #[arg(long)]
    reader: bool,
    /// Drop what is there and cannot be read any more.
    #[arg(long)]
    anew: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), StartError> {
    let refused = |what| move |source| StartError::System { what, source };
    let is_told = std::env::var_os("STATE_DIRECTORY").is_some();
    let user = nix::unistd::geteuid().as_raw();
    let state = match is_told || user == 0 {
        true => Paths::here().state().to_owned(),
        false => folder_of(user, Path::new(INSTALLED), Paths::here().state())
            .map_err(refused("whose password?"))?,
    };
    std::fs::create_dir_all(&state)
        .map_err(|source| StartError::StateFolder { path: state.clone(), source })?;
    if arguments.anew {
        Passwords::forget(&state).map_err(refused("cannot remove the file of passwords"))?;
    }
    let passwords = Passwords::open(&state).map_err(refused("cannot read the passwords"))?;
    let person = if arguments.reader { Person::Reader } else { Person::Owner };
    let password = read(person).map_err(refused("cannot read a password"))?;
    let seed = chance::entropy().map_err(refused("no random numbers"))?.seed();
    let (salt, _) = seed.split_first_chunk().expect("32 bytes have 16");
    passwords
        .set(person, &password, *salt)
        .map_err(|error| refused("the password is not set")(io::Error::other(error)))?;
    println!("the password of the {} is set", person.name());
    Ok(())
}

/// Where the passwords of the box are that this user can mean: an installed one would never read those elsewhere.
fn folder_of(user: u32, installed: &Path, own: &Path) -> io::Result<PathBuf> {
    match std::fs::metadata(installed) {
        Ok(found) if found.uid() == user => Ok(installed.to_owned()),
        Ok(_) => Err(io::Error::other(format!(
            "the box that is installed here keeps its passwords in {}: use sudo; STATE_DIRECTORY names the folder of \
             another one",
            installed.display()
        ))),
        Err(_) => Ok(own.to_owned()),
    }
}

/// One line, without its end; a terminal does not show it.
fn read(person: Person) -> io::Result<Private<String>> {
    let input = io::stdin();
    let mut line = String::new();
    if !input.is_terminal() {
        let most = 4 * limits::PASSWORD_MOST_CHARS as u64 + 2;
        input.lock().take(most).read_to_string(&mut line)?;
        return Ok(Private::new(first_line(&line)));
    }
    eprint!("Password of the {}: ", person.name());
    let shown = tcgetattr(&input)?;
    let mut hidden = shown.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&input, SetArg::TCSANOW, &hidden)?;
    let read = input.read_line(&mut line);
    tcsetattr(&input, SetArg::TCSANOW, &shown)?;
    eprintln!();
    read?;
    Ok(Private::new(first_line(&line)))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_to_the_installed_box_or_is_refused() {
        let installed = std::env::temp_dir().join(format!("installed-{}", std::process::id()));
        let own = Path::new("/home/ann/state");
        assert_eq!(folder_of(7, &installed, own).unwrap(), own);
        std::fs::create_dir_all(&installed).unwrap();
        let owner = std::fs::metadata(&installed).unwrap().uid();
        assert_eq!(folder_of(owner, &installed, own).unwrap(), installed);
        let refused = folder_of(owner + 1, &installed, own).unwrap_err().to_string();
        assert!(refused.contains("use sudo"), "{refused}");
        std::fs::remove_dir_all(&installed).unwrap();
    }
}
