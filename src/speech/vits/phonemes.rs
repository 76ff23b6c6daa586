//! Text to IPA by espeak-ng, as the voices were trained with it.
//!
//! espeak-ng stays a program of its own (see `speech::espeak`): one child for a voice, which reads a
//! line and writes a line, so that a clause takes a millisecond and not a start of the program. What
//! is asked of it has words; an empty line after each marks the end of its answer.

// A shell: it asks for the time itself.
#![allow(clippy::disallowed_methods)]

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::espeak::is_language;
use crate::base::limits;

const PROGRAM: &str = "espeak-ng";
const READ_BYTES: usize = 4_096;
/// A clause takes a millisecond; this leaves room for a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there are no phonemes.
#[derive(Debug, thiserror::Error)]
pub enum PhonemeError {
    #[error("espeak-ng cannot be run")]
    Run(#[source] io::Error),
    #[error("espeak-ng has no voice {0:?}")]
    NoVoice(String),
    #[error("espeak-ng gave no phonemes")]
    NoAnswer,
}

/// One voice of espeak-ng that writes IPA.
#[derive(Debug)]
pub struct Phonemes {
    voice: String,
    program: String,
    reader: Option<Reader>,
}

#[derive(Debug)]
struct Reader {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    bytes: Vec<u8>,
}

impl Phonemes {
    /// The voice, which is tried at once.
    pub fn open(voice: &str) -> Result<Self, PhonemeError> {
        Self::by(PROGRAM, voice)
    }

    fn by(program: &str, voice: &str) -> Result<Self, PhonemeError> {
        let no_voice = || PhonemeError::NoVoice(voice.to_owned());
        if !is_language(voice) {
            return Err(no_voice());
        }
        let mut phonemes =
            Self { voice: voice.to_owned(), program: program.to_owned(), reader: None };
        match phonemes.ask("1") {
            Ok(ipa) if !ipa.is_empty() => Ok(phonemes),
            Err(error @ PhonemeError::Run(_)) => Err(error),
            _ => Err(no_voice()),
        }
    }

    /// The IPA of one clause without marks; words are parted by a space. A child that has ended is
    /// started again, once.
    pub fn ipa(&mut self, clause: &str) -> Result<String, PhonemeError> {
        let line = one_line(clause);
        if !line.chars().any(char::is_alphanumeric) {
            return Ok(String::new());
        }
        match self.ask(&line) {
            Ok(ipa) => Ok(without_flags(&ipa)),
            Err(_) => self.ask(&line).map(|ipa| without_flags(&ipa)),
        }
    }

    fn ask(&mut self, line: &str) -> Result<String, PhonemeError> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::start(&self.program, &self.voice)?,
        };
        let ipa = reader.ask(line)?;
        // With an empty answer nobody knows which of the empty lines was its end: the next clause
        // gets a child of its own.
        if !ipa.is_empty() {
            self.reader = Some(reader);
        }
        Ok(ipa)
    }
}

impl Reader {
    fn start(program: &str, voice: &str) -> Result<Self, PhonemeError> {
        let mut child = Command::new(program)
            .args(["-q", "--ipa", "-b", "1", "-v", voice])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(PhonemeError::Run)?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self { child, input, output, bytes: Vec::new() }),
            _ => Err(PhonemeError::NoAnswer),
        }
    }

    fn ask(&mut self, line: &str) -> Result<String, PhonemeError> {
        // It may have ended; that shows below. Lines are far smaller than a pipe.
        let _ = self.input.write_all(format!("{line}\n\n").as_bytes());
        let deadline = Instant::now() + PATIENCE;
        let mut parts: Vec<String> = Vec::new();
        loop {
            match self.line(deadline)? {
                part if part.is_empty() => return Ok(parts.join(" ")),
                part => parts.push(part),
            }
        }
    }

    /// The next line, trimmed.
    fn line(&mut self, deadline: Instant) -> Result<String, PhonemeError> {
        loop {
            if let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim().to_owned());
            }
            let wait = deadline.saturating_duration_since(Instant::now());
            let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO);
            let mut waiting = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
            if poll(&mut waiting, wait).unwrap_or(0) == 0
                || self.bytes.len() > limits::SMALL_FILE_BYTES as usize
            {
                return Err(PhonemeError::NoAnswer);
            }
            let mut bytes = [0; READ_BYTES];
            match self.output.read(&mut bytes) {
                Ok(0) | Err(_) => return Err(PhonemeError::NoAnswer),
                Ok(length) => self.bytes.extend_from_slice(bytes.get(..length).unwrap_or_default()),
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// espeak-ng would read `[[...]]` as phonemes and `<...>` as markup.
fn one_line(clause: &str) -> String {
    let plain = |c: char| if c.is_control() || "[]<>".contains(c) { ' ' } else { c };
    clause.chars().map(plain).collect::<String>().trim().to_owned()
}

/// Takes out where espeak-ng says that it changes the language: `(en)`, `(fr)`.
fn without_flags(ipa: &str) -> String {
    let mut out = String::new();
    let mut rest = ipa;
    while let Some((before, after)) = rest.split_once('(') {
        let is_flag = |flag: &str| {
            flag.len() <= 16 && flag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        out.push_str(before);
        match after.split_once(')').filter(|(flag, _)| is_flag(flag)) {
            Some((_, tail)) => rest = tail,
            None => {
                out.push('(');
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_become_ipa_in_their_order_by_one_child() {
        let mut phonemes = Phonemes::open("en-us").unwrap();
        assert_eq!(phonemes.ipa("Hello").unwrap(), "həlˈoʊ");
        let child = phonemes.reader.as_ref().unwrap().child.id();
        assert_eq!(phonemes.ipa("world").unwrap(), "wˈɜːld");
        assert_eq!(phonemes.ipa("!?").unwrap(), "");
        assert_eq!(phonemes.ipa("a\nb [[h]]").unwrap().lines().count(), 1);
        assert_eq!(phonemes.reader.as_ref().unwrap().child.id(), child);
        // Killed, as by the kernel when memory is short.
        let reader = phonemes.reader.as_mut().unwrap();
        reader.child.kill().unwrap();
        reader.child.wait().unwrap();
        assert_eq!(phonemes.ipa("world").unwrap(), "wˈɜːld");
    }

    #[test]
    fn changes_of_the_language_are_not_phonemes() {
        assert_eq!(without_flags("bɔ̃ʒˈuʁ (en)ðə wiːkˈɛnd(fr)"), "bɔ̃ʒˈuʁ ðə wiːkˈɛnd");
        assert_eq!(without_flags("a (b"), "a (b");
        let ipa = Phonemes::open("fr").unwrap().ipa("bonjour the weekend").unwrap();
        assert!(!ipa.contains('(') && ipa.starts_with("bɔ̃ʒˈuʁ"), "{ipa}");
    }

    #[test]
    fn a_voice_that_is_not_there_is_told_and_never_an_option() {
        for voice in ["xx-none", "--help", "-x", ""] {
            let error = Phonemes::open(voice).unwrap_err();
            assert!(matches!(error, PhonemeError::NoVoice(_)), "{voice}: {error}");
        }
        let error = Phonemes::by("/nonexistent/espeak-ng", "en").unwrap_err();
        assert!(matches!(error, PhonemeError::Run(_)));
        assert!(matches!(Phonemes::by("true", "en"), Err(PhonemeError::NoVoice(_))));
    }
}
