//! Which call's work is with the engine under which number.
//!
//! A call numbers its work from 1, the engine's link numbers everybody's. Invariant: what a call
//! has asked for is listed until its end has come, also when the call is gone by then.

use std::collections::HashMap;
use std::sync::Arc;

use crate::appliance::agent::{AgentEvent, Agents, Figures};
use crate::appliance::engine::{Answer, Asker, Engine, EngineEvent, Phrase, RequestId};
use crate::appliance::llm::{Llm, ModelEvent};
use crate::appliance::lookup::{LookUpAnswer, LookUps};
use crate::appliance::rings::Place;
use crate::base::{CallId, LanguageCode, Private, WorkId};
use crate::call::{Work, WorkResult};

/// The voice that a language is spoken in.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// The language of calls.
    pub code: LanguageCode,
    /// As the engine names languages: that of the voice.
    pub language: String,
    pub voice: String,
}

/// The voice of each language; the default's is first.
#[derive(Clone, Debug)]
pub struct Speakers(Vec<Speaker>);

impl Speakers {
    /// At least one.
    pub fn new(speakers: Vec<Speaker>) -> Self {
        Self(speakers)
    }

    pub fn phrase(&self, code: LanguageCode, text: Private<String>) -> Phrase {
        let speaker = self.0.iter().find(|speaker| speaker.code == code).or(self.0.first());
        let speaker = speaker.expect("there is a voice for the default language");
        let (language, voice) = (speaker.language.clone(), speaker.voice.clone());
        Phrase { language, voice, text, is_known: false }
    }
}

/// Carries work from calls to the engine and the model, and results back.
pub struct Errands {
    engine: Arc<dyn Engine>,
    speakers: Speakers,
    /// `None`: no call asks.
    llm: Option<Llm>,
    /// `None`: nobody is asked.
    look_ups: Option<LookUps>,
    /// `None`: no agent holds a call.
    agents: Option<Agents>,
    open: HashMap<RequestId, (CallId, WorkId)>,
}

impl std::fmt::Debug for Errands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Errands({} open)", self.open.len())
    }
}

impl Errands {
    pub fn new(engine: Arc<dyn Engine>, speakers: Speakers) -> Self {
        Self { engine, speakers, llm: None, look_ups: None, agents: None, open: HashMap::new() }
    }

    #[must_use]
    pub fn with_model(self, llm: Option<Llm>) -> Self {
        Self { llm, ..self }
    }

    #[must_use]
    pub fn with_look_ups(self, look_ups: LookUps) -> Self {
        Self { look_ups: Some(look_ups), ..self }
    }

    #[must_use]
    pub fn with_agents(self, agents: Option<Agents>) -> Self {
        Self { agents, ..self }
    }

    /// `None`: there is no agent.
    pub fn agent_figures(&mut self) -> Option<Figures> {
        self.agents.as_mut().map(Agents::figures)
    }

    pub fn ask(&mut self, call: CallId, place: Place, work: Work) {
        let asker = Asker::Call(call);
        match work {
            Work::Transcribe { id, wish, audio } => {
                let audio = audio.into_revealed();
                let request = self.engine.transcribe_in(asker, place.0, audio, wish);
                self.open.insert(request, (call, id));
            }
            Work::Speak { id, language, phrase } => {
                let request = self.engine.speak(asker, self.speakers.phrase(language, phrase));
                self.open.insert(request, (call, id));
            }
            Work::Think { id, chat } => {
                if let Some(llm) = &mut self.llm {
                    llm.ask(call, id, *chat);
                }
            }
            Work::LookUp { id, asked } => {
                if let Some(look_ups) = &mut self.look_ups {
                    look_ups.ask(call, id, asked);
                }
            }
            Work::Agent { id, command } => {
                if let Some(agents) = &mut self.agents {
                    agents.ask(call, id, command);
                }
            }
            Work::Cancel { id }
                if self.agents.as_mut().is_some_and(|agents| agents.cancel(call, id)) => {}
            Work::Cancel { id }
                if self.look_ups.as_mut().is_some_and(|asked| asked.cancel(call, id)) => {}
            Work::Cancel { id } if self.llm.as_mut().is_some_and(|llm| llm.cancel(call, id)) => (),
            Work::Cancel { id } => {
                let named = self.open.iter().find(|(_, of)| **of == (call, id));
                if let Some((request, _)) = named {
                    self.engine.cancel(*request);
                }
            }
        }
    }

    /// The call that an answer is for, and what it means to it.
    pub fn result(&mut self, event: EngineEvent) -> Option<(CallId, WorkResult)> {
        let (call, id) = match event.answer.is_end() {
            true => self.open.remove(&event.request)?,
            false => *self.open.get(&event.request)?,
        };
        let result = match event.answer {
            Answer::Text(transcript) => WorkResult::Text {
                id,
                recognition: transcript.recognition,
                decode_ms: transcript.decode_ms,
                detected: transcript.detected.map(|d| (d.language, d.probability)),
            },
            Answer::Audio(samples) => WorkResult::Audio { id, samples },
            Answer::Spoken => WorkResult::Spoken { id },
            Answer::Failed(_) | Answer::Cancelled => WorkResult::Failed { id },
        };
        Some((call, result))
    }

    /// The call that a part of a model's answer is for, if it still wants it.
    pub fn thought(&mut self, event: ModelEvent) -> Option<(CallId, WorkResult)> {
        let is_wanted = self.llm.as_mut()?.takes(&event);
        let ModelEvent { call, work, event } = event;
        is_wanted.then_some((call, WorkResult::Thought { id: work, event }))
    }

    /// The call that the owner's system has answered, if it still waits.
    pub fn looked_up(&mut self, answer: LookUpAnswer) -> Option<(CallId, WorkResult)> {
        let is_wanted = self.look_ups.as_mut()?.takes(&answer);
        let LookUpAnswer { call, work, outcome } = answer;
        is_wanted.then_some((call, WorkResult::LookedUp { id: work, outcome }))
    }

    /// The call that a remote agent holds, if it still wants it.
    pub fn agent(&mut self, event: AgentEvent) -> Option<(CallId, WorkResult)> {
        let (call, id, event) = self.agents.as_mut()?.event(event)?;
        Some((call, WorkResult::Agent { id, event }))
    }

    /// The call is over: nothing that it asked for is wanted any more.
    pub fn cancel_all(&mut self, call: CallId) {
        for (request, _) in self.open.iter().filter(|(_, (of, _))| *of == call) {
            self.engine.cancel(*request);
        }
        if let Some(llm) = &mut self.llm {
            llm.cancel_all(call);
        }
        if let Some(look_ups) = &mut self.look_ups {
            look_ups.cancel_all(call);
        }
        if let Some(agents) = &mut self.agents {
            agents.cancel_all(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::engine::double::Scripted;
    use crate::listen::DecodeWish;

    fn in_languages(languages: &[LanguageCode]) -> DecodeWish {
        DecodeWish { languages: languages.to_vec(), ..DecodeWish::default() }
    }

    #[tokio::test]
    async fn answers_find_the_call_that_asked_and_a_dead_call_is_forgotten_at_the_end() {
        let (engine, mut answers) = Scripted::new(16);
        let engine = Arc::new(engine);
        let code = LanguageCode::ENGLISH;
        let speaker = Speaker { code, language: "en".into(), voice: String::new() };
        let speakers = Speakers::new(vec![speaker]);
        let mut errands = Errands::new(Arc::clone(&engine) as Arc<dyn Engine>, speakers);
        engine.will_hear("one");
        engine.hold();
        for (call, id) in [(CallId(1), WorkId(7)), (CallId(2), WorkId(7))] {
            let audio = Private::new(vec![0; 320]);
            errands.ask(
                call,
                Place(0),
                Work::Transcribe { id, wish: in_languages(&[code]), audio },
            );
        }
        errands.cancel_all(CallId(2));
        engine.release();
        let mut ended = Vec::new();
        while let Ok(event) = answers.try_recv() {
            ended.push(errands.result(event).unwrap());
        }
        assert!(matches!(&ended[0], (CallId(1), WorkResult::Text { id: WorkId(7), .. })));
        assert!(matches!(&ended[1], (CallId(2), WorkResult::Failed { id: WorkId(7) })));
        assert!(errands.open.is_empty());
    }

    #[tokio::test]
    async fn a_models_answer_finds_its_call_and_a_cancelled_one_nobody() {
        use crate::appliance::llm::stand_in::{self, StandIn};
        use crate::appliance::llm::{Address, Patience, Settings};
        use crate::converse::llm::{Chat, Event, Fields, Model, Protocol, Switch};
        let says = stand_in::says("Yes.");
        let server = StandIn::start(move |_, _| stand_in::parts([&says, stand_in::DONE])).await;
        let (host, port) = (server.address.ip().to_string(), server.address.port());
        let model = Model {
            protocol: Protocol::Ollama,
            name: "stand-in".into(),
            keep_alive_s: -1,
            context: None,
            thinks: false,
            may_think: false,
            switch: Switch::Both,
            fields: Fields::default(),
            calls_tools: true,
        };
        let settings = Settings {
            address: Address { tls: false, host, port, prefix: String::new() },
            key: None,
            roots: crate::appliance::trust::Roots::default(),
            model,
            at_once: 2,
            patience: Patience::default(),
        };
        let chat = Chat { messages: Vec::new(), tools: Vec::new(), most_tokens: 5 };
        let (llm, mut thoughts) = Llm::start(settings, chat.clone());
        let (engine, _answers) = Scripted::new(16);
        let mut errands =
            Errands::new(Arc::new(engine), Speakers::new(Vec::new())).with_model(Some(llm));
        for (call, id) in [(CallId(1), WorkId(7)), (CallId(2), WorkId(7))] {
            errands.ask(call, Place(0), Work::Think { id, chat: Box::new(chat.clone()) });
        }
        errands.ask(CallId(2), Place(0), Work::Cancel { id: WorkId(7) });
        let mut events = Vec::new();
        while !matches!(events.last(), Some(Event::Done(_))) {
            let event = thoughts.recv().await.unwrap();
            if let Some((call, WorkResult::Thought { id, event })) = errands.thought(event) {
                assert_eq!((call, id), (CallId(1), WorkId(7)));
                events.push(event);
            }
        }
        assert_eq!(events[0], Event::Text(Private::new("Yes.".into())));
    }

    #[tokio::test]
    async fn languages_go_to_the_engine_with_each_request_and_what_was_detected_comes_back() {
        let (engine, mut answers) = Scripted::new(16);
        let engine = Arc::new(engine);
        let (en, ru) = (LanguageCode::ENGLISH, LanguageCode::new("ru").unwrap());
        let speaker = |code: LanguageCode, voice: &str| Speaker {
            code,
            language: code.to_string(),
            voice: voice.into(),
        };
        let speakers = Speakers::new(vec![speaker(en, "slt"), speaker(ru, "espeak")]);
        let mut errands = Errands::new(Arc::clone(&engine) as Arc<dyn Engine>, speakers);
        engine.will_hear_in("где мой заказ", ru, 0.9);
        let audio = Private::new(vec![0; 320]);
        let work = Work::Transcribe { id: WorkId(1), wish: in_languages(&[en, ru]), audio };
        errands.ask(CallId(1), Place(0), work);
        assert_eq!(engine.languages(), [vec![en, ru]]);
        let (_, result) = errands.result(answers.try_recv().unwrap()).unwrap();
        assert!(matches!(result, WorkResult::Text { detected: Some((of, _)), .. } if of == ru));
        let phrase = Private::new("Здравствуйте.".to_owned());
        errands.ask(CallId(1), Place(0), Work::Speak { id: WorkId(2), language: ru, phrase });
        let spoken = engine.spoken();
        assert_eq!((spoken[0].language.as_str(), spoken[0].voice.as_str()), ("ru", "espeak"));
    }
}
