//! The turn model beside Whisper: loaded while Whisper is, asked while it decodes.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use super::{EngineError, EngineSettings, employ};
use crate::base::limits;
use crate::speech::turn::asking::TurnWatch;
use crate::speech::turn::{self, TurnError, TurnModel};

/// A turn model that is being loaded, by a thread of its own.
pub(super) struct Loading {
    begun: Instant,
    loaded: Option<Receiver<Result<TurnModel, TurnError>>>,
}

pub(super) fn begin_loading(settings: &EngineSettings) -> Loading {
    let begin = |turn: &turn::TurnSettings| {
        let (done, loaded) = sync_channel(1);
        let (turn, library) = (turn.clone(), settings.onnxruntime.clone());
        // Nobody waits any more for one that was too slow.
        let load = move || drop(done.send(turn::load(&turn, library.as_deref())));
        if let Err(error) = employ("turn model load", load) {
            tracing::error!(%error, "the turn model cannot be loaded");
        }
        loaded
    };
    let wanted = settings.turn.as_ref().filter(|_| settings.without_onnx.is_none());
    Loading { begun: Instant::now(), loaded: wanted.map(begin) }
}

impl Loading {
    /// Waits for it, for as long as a box may wait, and sets it to work.
    pub(super) fn finish(
        self,
        settings: &EngineSettings,
    ) -> Result<Option<TurnWatch>, EngineError> {
        let Some(turn) = &settings.turn else { return Ok(None) };
        let left = limits::VOICE_LOAD.saturating_sub(self.begun.elapsed());
        let model = match (self.loaded, settings.without_onnx) {
            (_, Some(why)) => Err(TurnError::LeftAlone(why)),
            (Some(loaded), None) => loaded.recv_timeout(left).unwrap_or(Err(TurnError::Slow)),
            (None, None) => Err(TurnError::Slow),
        };
        match &model {
            Ok(_) => tracing::info!(model = turn.name, "the turn model is loaded"),
            Err(error) => tracing::error!(model = turn.name, %error, "there is no turn model"),
        }
        TurnWatch::start(turn.name.clone(), model, |look| employ("turn model", look)).map(Some)
    }
}
