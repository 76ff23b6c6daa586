//! What the cores are told of the configuration alone: their own settings, so that no core sees it.

use std::path::PathBuf;

use super::checked::Config;
use super::gpu::{Gpu, SmallerModel};
use super::values::{Device, Voice};
use crate::appliance::gpu::Limits;
use crate::call::admission;
use crate::converse;
use crate::listen;
use crate::sdp::Offering;
use crate::speech::turn::TurnSettings;
use crate::speech::{DeviceWish, EngineSettings, EnglishVoice, ModelSource};

impl Config {
    pub fn admission(&self) -> admission::Settings {
        admission::Settings {
            max: self.calls.max.count(),
            when_full: self.calls.when_full,
            retry_after_s: self.calls.retry_after_s,
            max_load: self.calls.max_load,
        }
    }

    /// The model that an engine of ours can be given in place of another one.
    pub fn smaller_model(&self) -> Option<&SmallerModel> {
        let smaller = self.gpu.smaller_model.as_ref()?;
        let is_the_same = match (smaller, &self.speech.whisper_model) {
            (SmallerModel::Starter, None) => true,
            (SmallerModel::File(smaller), Some(usual)) => smaller.path == usual.path,
            (SmallerModel::Starter, Some(_)) | (SmallerModel::File(_), None) => false,
        };
        (!is_the_same && self.speech.socket.is_none()).then_some(smaller)
    }

    /// What is too much for GPU and box.
    pub fn protection(&self) -> Limits {
        let Gpu { max_c, cpu_max_c, memory_reserve_bytes, .. } = self.gpu;
        let has_smaller_model = self.smaller_model().is_some();
        Limits { gpu_c: max_c, cpu_c: cpu_max_c, memory_reserve_bytes, has_smaller_model }
    }

    pub fn offering(&self) -> Offering {
        Offering {
            codecs: self.media.codecs.clone(),
            dtmf: true,
            ptime_ms: self.media.ptime.ms().into(),
            srtp: self.media.srtp,
            keys: self.media.keys,
        }
    }

    pub fn conversation(&self) -> converse::Settings {
        converse::Settings {
            max_duration: self.calls.max_duration.as_duration(),
            silence: self.converse.silence.as_durations(),
            has_model: self.llm.is_some(),
            consent: match self.recordings.enabled {
                true => self.recordings.consent.clone(),
                false => std::collections::BTreeMap::new(),
            },
            announced: match self.operators.enabled {
                true => self.operators.announce.clone(),
                false => std::collections::BTreeMap::new(),
            },
            back: match self.operators.enabled {
                true => self.operators.back.clone(),
                false => std::collections::BTreeMap::new(),
            },
            ..converse::Settings::default()
        }
    }

    pub fn listening(&self) -> listen::Settings {
        let listen = self.listen.clone();
        let partial_every_ms = if self.speech.partials { listen.partial_every_ms } else { 0 };
        listen::Settings { partial_every_ms, ..listen }
    }

    /// The engine at `socket`, which ends with its `parent` if it has one.
    pub fn engine(&self, socket: PathBuf, parent: Option<u32>) -> EngineSettings {
        let lanes = self.calls.max.count() as u16;
        let mut settings = EngineSettings::new(socket, lanes);
        if let Some(threads) = self.speech.threads {
            settings.decode_workers = u16::from(threads).min(lanes);
        }
        if let Some(model) = &self.speech.whisper_model {
            settings.model = ModelSource::File { path: model.path.clone(), hash: model.hash() };
            settings.prompt = self.speech.prompt;
            settings.decode_threads = self.threads() / settings.decode_workers;
        }
        settings.parent = parent;
        settings.device = match self.speech.device {
            Device::Auto => DeviceWish::Auto,
            Device::Cpu => DeviceWish::Cpu,
            Device::Cuda => DeviceWish::Cuda,
        };
        settings.languages = self.spoken_languages();
        settings.english_voice = match self.speech.voice {
            Voice::Slt | Voice::Neural(_) => EnglishVoice::Slt,
            Voice::Espeak { .. } => EnglishVoice::Espeak,
        };
        settings.turn = self.turn_model();
        settings.neural = self.neural().into_iter().map(|(_, voice)| voice).collect();
        settings.onnxruntime.clone_from(&self.speech.onnxruntime);
        settings
    }

    /// The turn model for the engine.
    pub fn turn_model(&self) -> Option<TurnSettings> {
        let model = self.speech.turn_model.as_ref()?;
        let (name, graph) = (model.name(), model.path.clone());
        Some(TurnSettings { name, graph, hash: model.hash() })
    }

    /// Threads for a model that gains from more than one; the starter model does not.
    pub fn threads(&self) -> u16 {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let cores = || u16::try_from(cores()).unwrap_or(u16::MAX);
        self.speech.threads.map_or_else(cores, u16::from)
    }
}
