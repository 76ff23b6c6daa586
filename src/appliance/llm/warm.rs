//! Keeps the model loaded and its prompt cache filled, so that a first call is not a cold one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use super::{Asker, Shared, lock};
use crate::base::limits;
use crate::converse::llm::{Chat, Fault, Protocol};

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
        tokio::time::sleep(if is_warm { LOOK } else { RETRY }).await;
    }
}

impl Shared {
    /// A server that has failed since is asked, for a list of what is loaded says little of it.
    pub(super) async fn warm(&self, beginning: &Chat, was_warm: bool) -> Result<Looked, Fault> {
        let protocol = lock(&self.model).protocol;
        let is_well = was_warm && self.health.borrow().is_none();
        match protocol {
            // Tokens may cost money there; what fails is noticed by the calls.
            Protocol::OpenAi if is_well => return Ok(Looked::Idle),
            Protocol::OpenAi => (),
            Protocol::Ollama => {
                if is_well && self.is_loaded().await? {
                    return Ok(Looked::Idle);
                }
                self.learn().await?;
            }
        }
        let until = Instant::now() + self.patience.cold;
        let asked = self.once(beginning, until, Asker::WarmUp).await;
        asked.map(|()| Looked::Answered).map_err(|broken| broken.fault)
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
