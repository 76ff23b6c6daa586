//! Which calls a remote agent holds, and how long agents have been connected.

use std::path::Path;

use tokio::sync::mpsc;

use crate::appliance::agent::{AgentEvent, Agents, Figures, Patience, Settings};
use crate::appliance::clock;
use crate::appliance::config::{AgentCalls, Config};
use crate::appliance::credentials;
use crate::appliance::paths::Paths;
use crate::appliance::start_error::StartError;
use crate::base::Private;
use crate::call::record::Direction;
use crate::converse::Playbook;
use crate::store::ledger::LedgerFile;

/// Whether an agent holds a call: the first of these that says anything decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct AgentRule {
    /// There is an agent.
    is_there: bool,
    /// `agent.calls`.
    calls: AgentCalls,
}

impl AgentRule {
    pub fn of(config: &Config, is_there: bool) -> Self {
        let calls = config.agent.as_ref().map(|agent| agent.calls).unwrap_or_default();
        Self { is_there, calls }
    }

    /// `asked`: by whoever asks for the call; `account`: by that of the call.
    pub fn holds(
        self,
        direction: Direction,
        asked: Option<bool>,
        account: Option<bool>,
        playbook: &Playbook,
    ) -> bool {
        let usual = match (self.calls, direction) {
            (AgentCalls::All, _)
            | (AgentCalls::Inbound, Direction::Inbound)
            | (AgentCalls::Dialled, Direction::Outbound) => true,
            (AgentCalls::Inbound, Direction::Outbound)
            | (AgentCalls::Dialled, Direction::Inbound)
            | (AgentCalls::None, _) => false,
        };
        let playbook = playbook.agent().and_then(|agent| agent.talks);
        self.is_there && asked.or(account).or(playbook).unwrap_or(usual)
    }

    pub const fn is_there(self) -> bool {
        self.is_there
    }
}

/// The agent and what comes of it; without one nothing comes.
pub type AgentParts = (Option<Agents>, mpsc::Receiver<AgentEvent>);

/// A count of its seconds that cannot be read or kept prevents the agent, and nothing else.
pub fn start(
    config: &Config,
    paths: &Paths,
    standing: &mut Vec<String>,
) -> Result<AgentParts, StartError> {
    let none = || (None, mpsc::channel(1).1);
    let Some(agent) = &config.agent else { return Ok(none()) };
    let system =
        |source| StartError::System { what: "cannot read the credential elevenlabs_key", source };
    let key: Option<Private<String>> = credentials::secret("elevenlabs_key").map_err(system)?;
    let path = paths.state().join("agent.json");
    let kept = match LedgerFile::open(&path) {
        Ok(kept) => kept,
        Err(error) => {
            standing.push(uncounted(&path, &error));
            return Ok(none());
        }
    };
    let settings = Settings {
        server: agent.server.clone(),
        agent: agent.id.clone(),
        key,
        roots: super::settings::roots(agent.server.tls)?,
        limits: agent.limits,
        patience: Patience::default(),
    };
    let (agents, events) = Agents::new(settings, kept, clock::now);
    Ok((Some(agents), events))
}

fn uncounted(path: &Path, error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    let text = format!("agent: it holds no call: {}: {error}{cause}", path.display());
    tracing::error!("{text}");
    text
}

/// What to tell the owner of an agent that does not hold calls as it should.
pub fn fault(figures: &Figures) -> Option<String> {
    if figures.used_today_s >= figures.per_day_s {
        return Some(
            "agent.max_seconds_per_day is reached: the playbook holds the calls until tomorrow"
                .to_owned(),
        );
    }
    let fault = figures.fault?;
    Some(format!("agent.server: {fault}; the playbook holds calls in its place"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_a_call_decides_before_its_account_its_playbook_and_the_configuration() {
        use Direction::{Inbound, Outbound};
        let with = |talks: &str| {
            let text = format!("{}\n[agent]\n{talks}\n", Playbook::logistics().source());
            Playbook::parse(&text).unwrap()
        };
        let (plain, never) = (Playbook::logistics(), with("talks = false"));
        let rule = |calls| AgentRule { is_there: true, calls };
        for (calls, direction, asked, account, playbook, holds) in [
            (AgentCalls::All, Inbound, None, None, &plain, true),
            (AgentCalls::Dialled, Inbound, None, None, &plain, false),
            (AgentCalls::Dialled, Outbound, None, None, &plain, true),
            (AgentCalls::Inbound, Outbound, None, None, &plain, false),
            (AgentCalls::All, Inbound, None, None, &never, false),
            (AgentCalls::All, Inbound, None, Some(true), &never, true),
            (AgentCalls::None, Outbound, Some(true), Some(false), &never, true),
            (AgentCalls::All, Outbound, Some(false), Some(true), &plain, false),
        ] {
            let held = rule(calls).holds(direction, asked, account, playbook);
            assert_eq!(held, holds, "{calls:?} {direction:?} {asked:?} {account:?}");
        }
        assert!(!AgentRule::default().holds(Outbound, Some(true), None, &plain), "there is none");
    }

    #[test]
    fn the_owner_is_told_of_a_limit_and_of_a_fault() {
        let figures = Figures { per_day_s: 10, ..Figures::default() };
        assert_eq!(fault(&figures), None);
        let told = fault(&Figures { used_today_s: 10, ..figures }).unwrap();
        assert!(told.starts_with("agent.max_seconds_per_day is reached"), "{told}");
        let refused = Some(crate::converse::agent::Fault::Key(401));
        let told = fault(&Figures { fault: refused, ..figures }).unwrap();
        assert!(told.contains("the key is refused"), "{told}");
    }
}
