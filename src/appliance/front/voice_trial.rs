//! A sentence that the owner wants to hear, asked of the engine beside the calls.

use tokio::sync::oneshot;

use crate::appliance::engine::{Answer, Asker, Engine, EngineEvent, Failure, Phrase, RequestId};
use crate::base::limits;

type Told = oneshot::Sender<Result<Vec<i16>, Failure>>;

/// At most one: a newer one takes its place, and whoever waited is told nothing.
#[derive(Debug, Default)]
pub struct VoiceTrial {
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    request: RequestId,
    samples: Vec<i16>,
    told: Told,
}

impl VoiceTrial {
    pub fn begin(&mut self, phrase: Phrase, told: Told, engine: &dyn Engine) {
        if let Some(before) = self.under_way.take() {
            engine.cancel(before.request);
        }
        let request = engine.speak(Asker::Appliance, phrase);
        self.under_way = Some(UnderWay { request, samples: Vec::new(), told });
    }

    /// Whether the event is of it.
    pub fn answer(&mut self, event: &EngineEvent) -> bool {
        let is_of_it = |way: &mut UnderWay| way.request == event.request;
        let Some(mut way) = self.under_way.take_if(is_of_it) else { return false };
        let outcome = match &event.answer {
            Answer::Audio(chunk) => {
                let room = (limits::VOICE_BYTES / 2).saturating_sub(way.samples.len());
                way.samples.extend(chunk.reveal().iter().take(room));
                self.under_way = Some(way);
                return true;
            }
            Answer::Spoken => Ok(way.samples),
            Answer::Failed(failure) => Err(*failure),
            Answer::Cancelled | Answer::Text(_) => Err(Failure::Voice),
        };
        // Whoever asked may have gone.
        let _ = way.told.send(outcome);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Private;

    #[test]
    fn the_owner_hears_what_was_asked_for_and_nothing_of_another() {
        let (told, mut heard) = oneshot::channel();
        let request = RequestId(7);
        let mut trial =
            VoiceTrial { under_way: Some(UnderWay { request, samples: Vec::new(), told }) };
        let event = |request, answer| EngineEvent { asker: Asker::Appliance, request, answer };
        let audio = |sample| Answer::Audio(Private::new(vec![sample; 2]));
        assert!(!trial.answer(&event(RequestId(6), audio(9))));
        assert!(trial.answer(&event(request, audio(1))) && trial.answer(&event(request, audio(2))));
        assert!(heard.try_recv().is_err());
        assert!(trial.answer(&event(request, Answer::Spoken)));
        assert_eq!(heard.try_recv().unwrap().unwrap(), [1, 1, 2, 2]);
        assert!(!trial.answer(&event(request, Answer::Spoken)), "once");
    }
}
