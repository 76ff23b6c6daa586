//! `attendant password`: a password for the status page, set on the box itself.

use std::io::{self, IsTerminal, Read};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

use crate::appliance::chance;
use crate::appliance::paths::Paths;
use crate::appliance::start_error::StartError;
use crate::base::{Private, limits};
use crate::web::{Passwords, Person};

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
    let state = Paths::here().state().to_owned();
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
