//! Keeps the model loaded and its prompt cache filled, so that a first call is not a cold one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use super::{Asker, Shared, lock};
use crate::base::limits;
use crate::converse::llm::{Chat, Fault, Protocol, Switch};

/// Between two looks at a server that is well.
const LOOK: Duration = Duration::from_secs(60);
/// Between two at one that is not.
const RETRY: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    capabilities: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Loaded {
    models: Option<Vec<Named>>,
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
    model: Option<String>,
}

/// What a look at the server has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// The model has answered.
    Answered,
    /// Nothing was asked of the model, so nothing is known of its answers.
    Idle,
}

pub(super) async fn keep_warm(shared: Arc<Shared>, beginning: Chat) {
    let beginning = Chat { most_tokens: 1, ..beginning };
    let mut is_warm = false;
    loop {
        let outcome = shared.warm(&beginning, is_warm).await;
        is_warm = outcome.is_ok();
        match outcome {
            Ok(Looked::Answered) => shared.succeeded(),
            Ok(Looked::Idle) => (),
            Err(fault) => shared.failed(fault),
        }
        tokio::select! {
            () = tokio::time::sleep(if is_warm { LOOK } else { RETRY }) => (),
            // A request that nobody waits for any longer loads no model: this does.
            () = shared.missed.notified(), if shared.may_be_unloaded() => (),
        }
    }
}

impl Shared {
    /// A server that has failed since is asked, for a list of what is loaded says little of it.
    pub(super) async fn warm(&self, beginning: &Chat, was_warm: bool) -> Result<Looked, Fault> {
        let protocol = lock(&self.model).protocol;
        let is_well = was_warm && self.health.borrow().is_none();
        let is_loaded = match protocol {
            // Tokens may cost money there; what fails is noticed by the calls.
            Protocol::OpenAi if is_well => return Ok(Looked::Idle),
            Protocol::OpenAi => was_warm,
            Protocol::Ollama => {
                // What the owner wants unloaded after a while stays so until a call needs it.
                if is_well && (self.may_be_unloaded() || self.is_loaded().await?) {
                    return Ok(Looked::Idle);
                }
                self.learn().await?;
                self.is_loaded().await?
            }
        };
        let slot = self.slots.acquire().await;
        let _slot = slot.map_err(|_| Fault::Full)?;
        let began = Instant::now();
        self.run_warm(beginning, is_loaded).await?;
        if began.elapsed() > self.patience.warm {
            // That was the loading. Only an answer in time says that calls will get one.
            let began = Instant::now();
            self.run_warm(beginning, true).await?;
            if began.elapsed() > self.patience.warm {
                return Err(Fault::Late);
            }
        }
        Ok(Looked::Answered)
    }

    /// The owner wants the model unloaded after a while, and the server does it.
    fn may_be_unloaded(&self) -> bool {
        let model = lock(&self.model);
        model.protocol == Protocol::Ollama && model.keep_alive_s >= 0
    }

    /// Asks for one token; meanwhile calls do not wait for a model that is being loaded.
    async fn run_warm(&self, beginning: &Chat, is_loaded: bool) -> Result<(), Fault> {
        let _loading = Loading::begin(&self.is_loading, !is_loaded);
        let until = Instant::now() + self.patience.cold;
        loop {
            let asked = self.once(beginning, until, Asker::WarmUp);
            let answered = tokio::time::timeout_at(until.into(), asked).await;
            match answered.map_err(|_| Fault::Late)? {
                Ok(()) => return Ok(()),
                // It may be a field that this server does not know.
                Err(broken) if matches!(broken.fault, Fault::Refused(400 | 422)) => {
                    self.try_another_switch().ok_or(broken.fault)?;
                }
                Err(broken) => return Err(broken.fault),
            }
        }
    }

    /// `None`: they were all refused, so it was not the switch, and the first is as good as any.
    fn try_another_switch(&self) -> Option<()> {
        let mut model = lock(&self.model);
        if model.protocol == Protocol::Ollama || model.may_think {
            return None;
        }
        let next = model.switch.next();
        model.switch = next.unwrap_or(Switch::Both);
        next.map(|_| ())
    }

    /// What the model can, as the server tells it.
    async fn learn(&self) -> Result<(), Fault> {
        let body = json!({"model": lock(&self.model).name}).to_string();
        let shown: Shown = self.ask_shortly("/api/show", Some(body)).await?;
        // Old servers do not say; then it is as configured.
        if let Some(capabilities) = shown.capabilities {
            let can = |what: &str| capabilities.iter().any(|known| known == what);
            let mut model = lock(&self.model);
            model.thinks = can("thinking");
            model.calls_tools = can("tools");
        }
        Ok(())
    }

    async fn is_loaded(&self) -> Result<bool, Fault> {
        let loaded: Loaded = self.ask_shortly("/api/ps", None).await?;
        let wanted = full_name(&lock(&self.model).name);
        let is_it =
            |name: &Option<String>| name.as_deref().map(full_name).as_ref() == Some(&wanted);
        let models = loaded.models.unwrap_or_default();
        Ok(models.iter().any(|model| is_it(&model.name) || is_it(&model.model)))
    }

    async fn ask_shortly<T: for<'a> Deserialize<'a>>(
        &self,
        path: &str,
        body: Option<String>,
    ) -> Result<T, Fault> {
        let connection = self.server.connect(self.patience.connect).await?;
        let asked = async {
            let answer = match body {
                Some(body) => connection.post(path, body.into_bytes()).await?,
                None => connection.get(path).await?,
            };
            answer.whole().await
        };
        let whole = tokio::time::timeout(limits::LLM_FIRST_TOKEN, asked).await;
        let whole = whole.map_err(|_| Fault::Late)??;
        serde_json::from_slice(&whole).map_err(|_| Fault::Protocol)
    }
}

/// While it is there, the model is being loaded.
struct Loading<'a>(&'a AtomicBool);

impl<'a> Loading<'a> {
    fn begin(flag: &'a AtomicBool, is_so: bool) -> Self {
        flag.store(is_so, Ordering::Relaxed);
        Self(flag)
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Ollama's names have a tag, which may be left out, and no case.
fn full_name(name: &str) -> String {
    let name = name.to_lowercase();
    if name.contains(':') { name } else { format!("{name}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tag_is_the_latest() {
        assert_eq!(full_name("Qwen3"), full_name("qwen3:latest"));
        assert_ne!(full_name("qwen3:4b"), full_name("qwen3"));
    }
}
