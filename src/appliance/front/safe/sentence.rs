//! What callers hear in safe mode: the owner's recording, else the one inside the program.

use std::path::Path;

use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};
use crate::base::{LanguageCode, limits};
use crate::codec::resample::Resampler;
use crate::store::bounded;
use crate::store::wav::{self, Channel};

/// Beside the configuration file.
const NAME: &str = "safe.wav";
/// `tools/safe-sentence` renders them from the texts beside them: English, and by their language others.
const OWN: &[u8] = include_bytes!("sentence.en.wav");
const OTHERS: [(&str, &[u8]); 1] = [("ru", include_bytes!("sentence.ru.wav"))];
/// Longer than anybody listens.
const SECONDS: usize = 60;
/// Between the sentence and its repetition, and before the end.
const PAUSE_FRAMES: usize = 50;

/// Frames of the sentence, said twice, and what is wrong with the owner's recording. `language` is the configured one.
pub(super) fn read(
    folder: Option<&Path>,
    language: Option<LanguageCode>,
) -> (Vec<Frame>, Option<String>) {
    let path = folder.map(|folder| folder.join(NAME)).filter(|path| path.exists());
    let (own, fault) = match path {
        None => (None, None),
        Some(path) => match recorded(&path) {
            Ok(frames) => (Some(frames), None),
            Err(fault) => (None, Some(format!("{}: {fault}", path.display()))),
        },
    };
    let is_it = |other: &str| language.is_some_and(|language| language.as_str() == other);
    let inside = OTHERS.into_iter().find(|(other, _)| is_it(other));
    let inside = inside.map_or(OWN, |(_, bytes)| bytes);
    let frames = own.unwrap_or_else(|| frames(inside).unwrap_or_default());
    let pause = vec![Frame::SILENCE; PAUSE_FRAMES];
    ([frames.clone(), pause.clone(), frames, pause].concat(), fault)
}

fn recorded(path: &Path) -> Result<Vec<Frame>, String> {
    let bytes = bounded::bytes(path, limits::RECORDING_BYTES).map_err(|error| error.to_string())?;
    frames(&bytes)
}

fn frames(bytes: &[u8]) -> Result<Vec<Frame>, String> {
    let wav = wav::read(bytes).map_err(|error| error.to_string())?;
    let rate_hz = wav.rate_hz;
    let samples = wav.into_mono(Channel::Both);
    let mut resampler = Resampler::new(rate_hz, SAMPLE_RATE_HZ);
    let mut sound = vec![0; resampler.max_output(samples.len())];
    let count = resampler.process(&samples, &mut sound);
    sound.truncate(count.min(SECONDS * SAMPLE_RATE_HZ as usize));
    let frame = |chunk: &[i16]| {
        let mut frame = Frame::SILENCE;
        frame.0.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        frame
    };
    Ok(sound.chunks(FRAME_SAMPLES).map(frame).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_sentence_is_some_seconds_of_speech_said_twice_in_the_configured_language() {
        let russian = LanguageCode::new("ru").unwrap();
        for language in [None, Some(russian)] {
            let (frames, fault) = read(None, language);
            assert_eq!(fault, None);
            let seconds = frames.len() / 50;
            assert!((15..30).contains(&seconds), "{seconds} s");
            assert!(frames.iter().filter(|frame| frame.level_dbfs() > -40.0).count() > 300);
        }
        assert!(read(None, None).0 != read(None, Some(russian)).0);
        let german = LanguageCode::new("de");
        assert!(read(None, None).0 == read(None, german).0, "of others there is none");
    }

    #[test]
    fn a_recording_that_is_none_is_told_and_the_own_one_is_heard() {
        let folder = std::env::temp_dir().join(format!("sentence-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(NAME), b"no sound").unwrap();
        let (frames, fault) = read(Some(&folder), None);
        assert!(fault.is_some_and(|fault| fault.contains("safe.wav: not a WAV file")));
        assert_eq!(frames.len(), read(None, None).0.len());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
