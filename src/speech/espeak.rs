//! espeak-ng's voices, for every language that flite does not speak.
//!
//! espeak-ng is under the GPL and stays a program of its own: a child for each phrase, text on its
//! standard input, sound on its standard output. Nothing of the text or the language can become an
//! option or pass through a shell.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::flite::Flow;
use super::resample::ToSixteenKilohertz;
use crate::base::limits;

/// Words a minute: a little slower than its default of 175, for the telephone.
const WORDS_PER_MINUTE: u16 = 160;
const READ_BYTES: usize = 4_096;
/// How long a wait for sound may last before cancellation is looked at.
const POLL_MS: u16 = 50;
const WAV_HEAD_BYTES: usize = 44;
const LANGUAGE_BYTES: usize = 32;

/// The installed program.
#[derive(Clone, Debug)]
pub struct Espeak {
    program: String,
    words_per_minute: u16,
}

/// Why nothing was spoken.
#[derive(Debug, thiserror::Error)]
pub enum EspeakError {
    #[error("espeak-ng cannot be run")]
    Run(#[source] io::Error),
    #[error("espeak-ng has no voice for this language")]
    NoVoice,
    #[error("espeak-ng gave no sound in time")]
    TimedOut,
    #[error("espeak-ng gave something else than sound")]
    NotSound,
    #[error("espeak-ng failed")]
    Failed,
}

impl Espeak {
    /// The program on the search path, if it can be run.
    pub fn find() -> Option<Self> {
        Self::at("espeak-ng")
    }

    fn at(program: &str) -> Option<Self> {
        let mut command = Command::new(program);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let runs = command.status().is_ok_and(|status| status.success());
        runs.then(|| Self { program: program.to_owned(), words_per_minute: WORDS_PER_MINUTE })
    }

    /// What the program says of its version, as it says it; empty without the program.
    pub fn version() -> Vec<u8> {
        let asked = Command::new("espeak-ng").arg("--version").stdin(Stdio::null()).output();
        asked.map(|answer| answer.stdout).unwrap_or_default()
    }

    /// The same at another pace; espeak-ng takes 80 to 450 words a minute.
    #[must_use]
    pub fn at_pace(self, words_per_minute: u16) -> Self {
        Self { words_per_minute, ..self }
    }

    /// Speaks `text`, handing over the sound while it comes: 16 kHz mono. The sink is also asked,
    /// with nothing, while no sound comes. The child is gone when this returns.
    pub fn speak(
        &self,
        language: &str,
        text: &str,
        sink: &mut dyn FnMut(&[i16]) -> Flow,
    ) -> Result<(), EspeakError> {
        if !is_language(language) {
            return Err(EspeakError::NoVoice);
        }
        let text = speakable(text);
        if !text.chars().any(char::is_alphanumeric) {
            return Ok(());
        }
        let mut child = Command::new(&self.program)
            .args(["--stdin", "--stdout", "-b", "1", "-s"])
            .arg(self.words_per_minute.to_string())
            .args(["-v", language])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(EspeakError::Run)?;
        let flow = converse(&mut child, &text, sink);
        if !matches!(flow, Ok(Flow::Continue)) {
            // It may have ended by itself.
            let _ = child.kill();
        }
        let status = child.wait().map_err(EspeakError::Run)?;
        match flow? {
            Flow::Stop => Ok(()),
            Flow::Continue if status.success() => Ok(()),
            Flow::Continue => Err(EspeakError::Failed),
        }
    }
}

/// A BCP 47 name or one of espeak-ng's own such as `en-us+f3`: never an option or a path.
pub(super) fn is_language(language: &str) -> bool {
    let first = language.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let rest = language.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+_".contains(&byte));
    first && rest && language.len() <= LANGUAGE_BYTES
}

/// espeak-ng reads `[[...]]` as phonemes and `<...>` as markup; a line's end is a pause.
fn speakable(text: &str) -> String {
    let plain = |c: char| if c.is_control() || "[]<>".contains(c) { ' ' } else { c };
    text.chars().map(plain).collect()
}

fn converse(
    child: &mut Child,
    text: &str,
    sink: &mut dyn FnMut(&[i16]) -> Flow,
) -> Result<Flow, EspeakError> {
    if let Some(mut input) = child.stdin.take() {
        // A phrase is far smaller than a pipe, so this does not wait. A child without the voice has
        // ended before it read; that shows below.
        let _ = input.write_all(text.as_bytes());
    }
    let output = child.stdout.take().ok_or(EspeakError::Failed)?;
    let mut sound = Sound::default();
    receive(output, &mut sound, sink)
}

fn receive(
    mut output: ChildStdout,
    sound: &mut Sound,
    sink: &mut dyn FnMut(&[i16]) -> Flow,
) -> Result<Flow, EspeakError> {
    let deadline = Instant::now() + limits::VOICE_TIMEOUT;
    let mut bytes = [0; READ_BYTES];
    let mut received = 0;
    loop {
        if Instant::now() >= deadline {
            return Err(EspeakError::TimedOut);
        }
        let mut waiting = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut waiting, PollTimeout::from(POLL_MS)).unwrap_or(0);
        if ready == 0 {
            if sink(&[]) == Flow::Stop {
                return Ok(Flow::Stop);
            }
            continue;
        }
        let length = output.read(&mut bytes).map_err(EspeakError::Run)?;
        received += length;
        if received > limits::VOICE_BYTES {
            return Err(EspeakError::NotSound);
        }
        let samples = match length {
            0 => sound.finish()?,
            _ => sound.push(bytes.get(..length).unwrap_or_default())?,
        };
        if sink(&samples) == Flow::Stop {
            return Ok(Flow::Stop);
        }
        if length == 0 {
            return Ok(Flow::Continue);
        }
    }
}

/// A WAV file of unknown length as it comes: PCM, mono, 16 bit, with the plain head of 44 bytes
/// that espeak-ng writes.
#[derive(Debug, Default)]
struct Sound {
    bytes: Vec<u8>,
    resampler: Option<ToSixteenKilohertz>,
}

impl Sound {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<i16>, EspeakError> {
        self.bytes.extend_from_slice(bytes);
        if self.resampler.is_none() {
            let Some(head) = self.bytes.first_chunk::<WAV_HEAD_BYTES>() else {
                return Ok(Vec::new());
            };
            self.resampler = Some(resampler_for(head).ok_or(EspeakError::NotSound)?);
            self.bytes.drain(..WAV_HEAD_BYTES);
        }
        let mut out = Vec::new();
        let (pairs, _) = self.bytes.as_chunks::<2>();
        let samples: Vec<i16> = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        if let Some(resampler) = &mut self.resampler {
            resampler.push(&samples, &mut out);
        }
        self.bytes.drain(..2 * samples.len());
        Ok(out)
    }

    /// The end of the sound. Without a head there was no voice.
    fn finish(&mut self) -> Result<Vec<i16>, EspeakError> {
        let resampler = self.resampler.as_mut().ok_or(EspeakError::NoVoice)?;
        let mut out = Vec::new();
        resampler.finish(&mut out);
        Ok(out)
    }
}

fn resampler_for(head: &[u8; WAV_HEAD_BYTES]) -> Option<ToSixteenKilohertz> {
    let (riff, rest) = head.split_first_chunk::<4>()?;
    let (_, rest) = rest.split_first_chunk::<4>()?;
    let (wave, rest) = rest.split_first_chunk::<8>()?;
    let (_, rest) = rest.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (rate, rest) = rest.split_first_chunk::<4>()?;
    let (_, rest) = rest.split_first_chunk::<6>()?;
    let (bits, rest) = rest.split_first_chunk::<2>()?;
    // PCM, one channel.
    let known = riff == b"RIFF" && wave == b"WAVEfmt " && *kind == [1, 0, 1, 0] && *bits == [16, 0];
    let plain = rest.starts_with(b"data");
    (known && plain).then(|| ToSixteenKilohertz::new(u32::from_le_bytes(*rate)))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pcm::{level_dbfs, samples_to_ms};

    fn speak(language: &str, text: &str) -> Result<Vec<i16>, EspeakError> {
        let mut sound = Vec::new();
        let mut sink = |piece: &[i16]| {
            sound.extend_from_slice(piece);
            Flow::Continue
        };
        Espeak::find().expect("espeak-ng is installed").speak(language, text, &mut sink)?;
        Ok(sound)
    }

    fn named(program: &str) -> Espeak {
        Espeak { program: program.to_owned(), words_per_minute: WORDS_PER_MINUTE }
    }

    #[test]
    fn another_pace_makes_another_length() {
        let length = |words_per_minute| {
            let mut samples = 0;
            let mut sink = |piece: &[i16]| {
                samples += piece.len();
                Flow::Continue
            };
            let espeak = Espeak::find().unwrap().at_pace(words_per_minute);
            espeak.speak("en", "our office is open from nine to five", &mut sink).unwrap();
            samples
        };
        assert!(length(100) > length(300) * 3 / 2);
    }

    #[test]
    fn languages_are_spoken_at_our_rate() {
        for (language, text) in
            [("de", "Guten Tag, was kann ich für Sie tun?"), ("fr", "Bonjour, je vous écoute.")]
        {
            let sound = speak(language, text).unwrap();
            assert!((1_000..5_000).contains(&samples_to_ms(sound.len())), "{}", sound.len());
            assert!(level_dbfs(&sound) > -35.0);
        }
    }

    #[test]
    fn a_language_cannot_be_an_option_or_a_path_and_must_exist() {
        for language in ["", "--help", "-x", "../../etc/passwd", "de;ls", "de fr", "xx-none"] {
            let refused = speak(language, "hello");
            assert!(matches!(refused, Err(EspeakError::NoVoice)), "{language}: {refused:?}");
        }
    }

    #[test]
    fn a_text_is_only_text() {
        // Phonemes and markup would be heard otherwise; options are words.
        assert!(
            speak("en", "[[h@l'oU]] <break time=\"9s\"/> -f /etc/passwd").unwrap().len() < 160_000
        );
        assert!(speak("en", " [] \n <>").unwrap().is_empty());
    }

    #[test]
    fn a_sink_that_has_enough_ends_the_child_at_once() {
        let espeak = Espeak::find().unwrap();
        let mut pieces = 0;
        let mut sink = |piece: &[i16]| {
            pieces += usize::from(!piece.is_empty());
            if piece.is_empty() { Flow::Continue } else { Flow::Stop }
        };
        let text = "one two three four five six seven eight nine ten ".repeat(20);
        espeak.speak("en", &text, &mut sink).unwrap();
        assert_eq!(pieces, 1);
    }

    #[test]
    fn a_program_that_is_not_there_or_gives_no_sound_is_an_error() {
        assert!(Espeak::at("/nonexistent/espeak-ng").is_none());
        let cat = named("cat");
        assert!(matches!(
            cat.speak("en", "hello", &mut |_| Flow::Continue),
            Err(EspeakError::NoVoice)
        ));
        let yes = named("yes");
        assert!(yes.speak("en", "hello", &mut |_| Flow::Continue).is_err());
    }

    #[test]
    fn a_head_of_another_format_is_not_sound() {
        let mut sound = Sound::default();
        assert!(matches!(sound.push(&[b'y'; 100]), Err(EspeakError::NotSound)));
    }
}
