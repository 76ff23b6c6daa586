//! Keeps the model loaded and its prompt cache filled, so that a first call is not a cold one.

use std::sync::Arc;
use std::time::Duration;

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

pub(super) async fn keep_warm(shared: Arc<Shared>, beginning: Chat) {
    let beginning = Chat { most_tokens: 1, ..beginning };
    let mut is_warm = false;
    loop {
        let outcome = shared.warm(&beginning, is_warm).await;
        is_warm = outcome.is_ok();
        match outcome {
            Ok(()) => shared.succeeded(),
            Err(fault) => shared.tell(Some(fault)),
        }
        tokio::time::sleep(if is_warm { LOOK } else { RETRY }).await;
    }
}

impl Shared {
    async fn warm(&self, beginning: &Chat, was_warm: bool) -> Result<(), Fault> {
        let protocol = lock(&self.model).protocol;
        match protocol {
            // Tokens may cost money there; what fails is noticed by the calls.
            Protocol::OpenAi if was_warm && self.health.borrow().is_none() => return Ok(()),
            Protocol::OpenAi => (),
            Protocol::Ollama => {
                if was_warm && self.is_loaded().await? {
                    return Ok(());
                }
                self.learn().await?;
            }
        }
        let asked = self.once(beginning, self.patience.cold, Asker::WarmUp).await;
        asked.map_err(|broken| broken.fault)
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
