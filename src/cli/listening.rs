//! The speech engine for a subcommand: started for it, asked for one text at a time.

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::appliance::engine::link::EnginePlace;
use crate::appliance::engine::{
    Answer, Asker, Engine, EngineEvent, EngineState, Failure, Link, Transcript,
};
use crate::listen::DecodeWish;
use crate::speech::protocol::Ready;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListeningError {
    #[error("cannot start the speech engine")]
    Start(#[source] std::io::Error),
    /// `exit_code` is that of an engine that ended by itself; it has said why.
    #[error("the speech engine cannot work: {reason}")]
    Engine { reason: String, exit_code: Option<i32> },
}

/// An engine that is ready; it ends with this value.
#[derive(Debug)]
pub(super) struct Listening {
    runtime: Runtime,
    link: Link,
    answers: mpsc::Receiver<EngineEvent>,
    pub ready: Ready,
}

impl Listening {
    /// Starts the engine and waits until its models are loaded.
    pub(super) fn start(place: EnginePlace) -> Result<Self, ListeningError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(ListeningError::Start)?;
        let (link, answers) = Link::start(place).map_err(ListeningError::Start)?;
        let ready = runtime.block_on(ready(&link))?;
        Ok(Self { runtime, link, answers, ready })
    }

    /// The text of at most [`UTTERANCE_MS`](crate::base::limits::UTTERANCE_MS) of sound.
    pub(super) fn hear(
        &mut self,
        audio: Vec<i16>,
        wish: DecodeWish,
    ) -> Result<Transcript, Failure> {
        let request = self.link.transcribe_in(Asker::Appliance, 0, audio, wish);
        let answers = &mut self.answers;
        self.runtime.block_on(async {
            while let Some(event) = answers.recv().await {
                if event.request == request && event.answer.is_end() {
                    return match event.answer {
                        Answer::Text(transcript) => Ok(transcript),
                        Answer::Failed(failure) => Err(failure),
                        _ => Err(Failure::Recogniser),
                    };
                }
            }
            Err(Failure::EngineDown)
        })
    }
}

async fn ready(link: &Link) -> Result<Ready, ListeningError> {
    let mut state = link.state();
    loop {
        match &*state.borrow_and_update() {
            EngineState::Ready(ready) => return Ok(ready.clone()),
            // One that ends by itself before it was ready would end again.
            EngineState::Down { reason, restarts, exit_code, .. }
                if *restarts > 0 || exit_code.is_some() =>
            {
                let (reason, exit_code) = (reason.clone(), *exit_code);
                return Err(ListeningError::Engine { reason, exit_code });
            }
            EngineState::Starting | EngineState::Down { .. } => (),
        }
        let gone =
            |_| ListeningError::Engine { reason: "it has ended".to_owned(), exit_code: None };
        state.changed().await.map_err(gone)?;
    }
}
