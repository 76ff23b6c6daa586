//! The section `[agent]`: the remote agent that holds calls, and for how long it may.

use serde::{Deserialize, Serialize};

use super::checked::Check;
use super::llm::address;
use super::values::{Allowed, allowed, within};
use crate::appliance::llm::Address;
use crate::base::address::is_loopback;
use crate::converse::agent::allowance::Limits;
use crate::converse::playbook::is_id;

/// A conversation may go on for a day at most, as a call may.
const LONGEST_S: i64 = 86_400;
/// A hundred lines at once, all day.
const DAY_S: i64 = 100 * LONGEST_S;

/// A remote agent that hears and speaks in place of the box.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentKeys {
    /// `elevenlabs`. Empty: there is none, and the playbook holds every call.
    pub backend: String,
    /// The agent of calls whose playbook names none.
    pub agent_id: String,
    /// The provider's interface: another one for another region.
    pub server: String,
    /// Which calls it holds where neither account nor playbook says: `all`, `inbound`, `dialled` or `none`.
    pub calls: String,
    /// Seconds that it may be connected in one call, 1 to 86400, and in a day, up to 8640000; then the
    /// playbook goes on.
    pub max_seconds_per_call: i64,
    pub max_seconds_per_day: i64,
}

impl Default for AgentKeys {
    fn default() -> Self {
        Self {
            backend: String::new(),
            agent_id: String::new(),
            server: "https://api.elevenlabs.io".to_owned(),
            calls: "all".to_owned(),
            max_seconds_per_call: 600,
            max_seconds_per_day: 3_600,
        }
    }
}

/// The agent that is configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    pub id: String,
    pub server: Address,
    pub calls: AgentCalls,
    pub limits: Limits,
}

/// Which calls an agent holds where nothing else says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentCalls {
    All,
    Inbound,
    Dialled,
    #[default]
    None,
}

/// `None`: there is no agent.
pub(super) fn agent(file: &AgentKeys, check: &mut Check<'_>) -> Option<Option<Agent>> {
    let is_on = match file.backend.as_str() {
        "" => Ok(false),
        "elevenlabs" => Ok(true),
        _ => allowed("elevenlabs, or empty"),
    };
    let is_on = check.take("agent.backend", &file.backend, is_on);
    let id = match (file.agent_id.as_str(), is_on) {
        ("", Some(true)) => allowed("the id of an agent, as in agent_01jx"),
        (id, _) if id.is_empty() || is_id(id) => Ok(id.to_owned()),
        _ => allowed("letters, digits, - and _"),
    };
    let id = check.take("agent.agent_id", &file.agent_id, id);
    let server = check.take("agent.server", &file.server, server(&file.server));
    let calls = match file.calls.as_str() {
        "all" => Ok(AgentCalls::All),
        "inbound" => Ok(AgentCalls::Inbound),
        "dialled" => Ok(AgentCalls::Dialled),
        "none" => Ok(AgentCalls::None),
        _ => allowed("all, inbound, dialled or none"),
    };
    let calls = check.take("agent.calls", &file.calls, calls);
    let (call_s, day_s) = (file.max_seconds_per_call, file.max_seconds_per_day);
    let per_call = check.take("agent.max_seconds_per_call", call_s, within(call_s, 1, LONGEST_S));
    let per_day = check.take("agent.max_seconds_per_day", day_s, within(day_s, 1, DAY_S));
    let limits = Limits { per_call: per_call?, per_day: per_day? };
    let agent = Agent { id: id?, server: server?, calls: calls?, limits };
    Some(is_on?.then_some(agent))
}

/// The key goes there: over a network only encrypted.
fn server(text: &str) -> Result<Address, Allowed> {
    let wanted =
        "https://HOST, as in https://api.eu.residency.elevenlabs.io; http:// on this machine only";
    match address(text) {
        Ok(Some(address)) if address.tls || is_loopback(&address.host) => Ok(address),
        _ => allowed(wanted),
    }
}

/// `on`, `off`, or empty where it is as elsewhere.
pub(super) fn wish(text: &str) -> Result<Option<bool>, Allowed> {
    match text {
        "" => Ok(None),
        "on" => Ok(Some(true)),
        "off" => Ok(Some(false)),
        _ => allowed("on or off, or empty"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::from_text;
    use super::*;

    const ON: &str = "[agent]\nbackend = \"elevenlabs\"\nagent_id = \"agent_1\"\n";

    #[test]
    fn an_agent_is_named_with_its_limits_and_its_region() {
        assert_eq!(from_text("").unwrap().agent, None);
        let agent = from_text(ON).unwrap().agent.unwrap();
        assert_eq!((agent.id.as_str(), agent.calls), ("agent_1", AgentCalls::All));
        assert_eq!(agent.limits, Limits { per_call: 600, per_day: 3_600 });
        assert_eq!(agent.server.host, "api.elevenlabs.io");
        let more =
            "server = \"http://127.0.0.1:8080\"\ncalls = \"dialled\"\nmax_seconds_per_day = 5\n";
        let agent = from_text(&format!("{ON}{more}")).unwrap().agent.unwrap();
        assert_eq!(
            (agent.server.port, agent.calls, agent.limits.per_day),
            (8080, AgentCalls::Dialled, 5)
        );
    }

    #[test]
    fn a_key_does_not_leave_unencrypted_and_every_value_has_its_range() {
        for (keys, key) in [
            ("server = \"http://api.elevenlabs.io\"", "agent.server"),
            ("server = \"\"", "agent.server"),
            ("calls = \"some\"", "agent.calls"),
            ("max_seconds_per_call = 0", "agent.max_seconds_per_call"),
            ("max_seconds_per_day = 0", "agent.max_seconds_per_day"),
        ] {
            let error = from_text(&format!("{ON}{keys}\n")).unwrap_err().to_string();
            assert!(error.contains(key), "{keys}: {error}");
        }
        for section in ["backend = \"other\"", "backend = \"elevenlabs\"", "agent_id = \"a b\""] {
            assert!(from_text(&format!("[agent]\n{section}\n")).is_err(), "{section}");
        }
    }
}
