//! The starter model in this process. A text is decoded once, however many rules want it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use attendant::base::LanguageCode;
use attendant::listen::Recognition;
use attendant::speech::model::{Hash, ModelSource};
use attendant::speech::turn::{self, TurnModel, TurnSettings};
use attendant::speech::whisper::{Decoded, DeviceWish, Whisper};
use nix::time::{ClockId, clock_gettime};

type Heard = (Recognition, Duration);

pub struct Ears {
    whisper: Whisper,
    turns: Option<TurnModel>,
    kept: HashMap<Vec<i16>, Heard>,
    /// Processor time of each decode.
    pub decode_ms: Vec<f64>,
}

impl Ears {
    /// The starter model, or the file that `PAUSES_MODEL` names. What the turn model that
    /// `PAUSES_TURN_MODEL` names says of the voice stands in for what the recogniser hears itself.
    pub fn open() -> Self {
        let file = std::env::var_os("PAUSES_MODEL").map(PathBuf::from);
        let source = file.map_or(ModelSource::Starter, |path| ModelSource::File {
            path,
            hash: Hash::PinnedIfAny,
        });
        let model = source.read().expect("it is in the program, or named");
        let whisper = Whisper::load(&source, &model, DeviceWish::Cpu).expect("it can be loaded");
        let turns = std::env::var_os("PAUSES_TURN_MODEL").map(|path| {
            let hash = Hash::PinnedIfAny;
            let settings = TurnSettings { name: String::new(), graph: path.into(), hash };
            turn::load(&settings, None).expect("the turn model can be loaded")
        });
        Self { whisper, turns, kept: HashMap::new(), decode_ms: Vec::new() }
    }

    /// What is heard, and the processor time that it takes on one thread.
    pub fn hear(&mut self, audio: &[i16]) -> Heard {
        if let Some(heard) = self.kept.get(audio) {
            return heard.clone();
        }
        let mut lane = self.whisper.lane().expect("there is memory for a lane");
        let mut recogniser = self.whisper.recogniser(1, &[LanguageCode::ENGLISH]);
        let began = processor_time();
        let decoded = recogniser.decode(&mut lane, audio, &AtomicBool::new(false));
        let took = processor_time().saturating_sub(began);
        let mut recognition = match decoded {
            Decoded::Text(transcript) => transcript.recognition,
            Decoded::Cancelled | Decoded::Failed(_) => Recognition::nothing(),
        };
        if let Some(turns) = &mut self.turns {
            recognition.goes_on = turns.complete(audio).ok().map(|complete| 1.0 - complete);
        }
        self.decode_ms.push(took.as_secs_f64() * 1_000.0);
        self.kept.insert(audio.to_vec(), (recognition.clone(), took));
        (recognition, took)
    }
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
