//! A sound card that is two files: what is heard is read from one, what is played goes to the other.

use std::path::PathBuf;

use attendant::codec::Resampler;

use super::folder::Folder;
use super::sound::{SAMPLE_RATE_HZ, Sound};

/// What `null` and `file` of ALSA have where nobody asks for another rate.
const RATE_HZ: u32 = 48_000;

/// See the module. `ALSA_CONFIG_PATH` leads to it.
#[derive(Debug)]
pub struct Card {
    folder: Folder,
}

impl Card {
    /// A card named `handset`, in front of whose microphone this is said again and again, with a pause between.
    pub fn new(says: &[i16], pause_ms: u32) -> Self {
        let card = Self { folder: Folder::new("card") };
        let mut once = says.to_vec();
        once.extend(super::sound::silence_ms(pause_ms));
        let mut resampler = Resampler::new(SAMPLE_RATE_HZ, RATE_HZ);
        let mut raised = vec![0; 3 * once.len() + 64];
        let count = resampler.process(&once, &mut raised);
        raised.truncate(count);
        let bytes: Vec<u8> = raised.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        // Longer than any test lasts.
        let times = 300 * 2 * RATE_HZ as usize / bytes.len() + 1;
        card.folder.write("microphone.raw", bytes.repeat(times));
        card
    }

    /// Plugs it in: its file is named to ALSA.
    pub fn plug(&self) {
        let at = |name: &str| self.folder.at(name).display().to_string();
        let text = format!(
            "pcm.nothing {{ type null }}\npcm.handset {{\n type asym\n playback.pcm {{ type file slave.pcm nothing \
             file \"{}\" format \"raw\" }}\n capture.pcm {{ type file slave.pcm nothing file \"/dev/null\" \
             infile \"{}\" format \"raw\" }}\n}}\n",
            at("played.raw"),
            at("microphone.raw")
        );
        self.folder.write("asound.conf", text);
    }

    /// It is not there.
    pub fn unplug(&self) {
        self.folder.write("asound.conf", "pcm.nothing { type null }\n");
    }

    /// What `ALSA_CONFIG_PATH` is to be.
    pub fn config(&self) -> PathBuf {
        self.folder.at("asound.conf")
    }

    /// All that was played so far.
    pub fn played(&self) -> Sound {
        let bytes = std::fs::read(self.folder.at("played.raw")).unwrap_or_default();
        let pairs = bytes.chunks_exact(2);
        let samples = pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        Sound { rate_hz: RATE_HZ, samples }
    }
}
