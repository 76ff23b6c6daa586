//! Remote agents: in one call, and all calls together.

use serde::Serialize;
use utoipa::ToSchema;

use crate::appliance::agent::Figures;
use crate::call::record::AgentRecord;
use crate::converse::agent::Fault;

/// A remote agent's part in a call.
#[derive(Serialize, ToSchema)]
#[schema(as = CallAgent)]
pub(super) struct InCall {
    /// `waiting`, `talking` or `over`.
    state: &'static str,
    /// From the answer until its connection was open.
    connected_after_ms: Option<u32>,
    /// Seconds that it was connected, the last one begun.
    seconds: u64,
    used_ms: u64,
    /// By which the provider knows the conversation; empty until it is known.
    conversation_id: String,
    /// Why the playbook holds the call in its place: one word, stable, and a sentence.
    fault: Option<&'static str>,
    text: Option<String>,
    /// Of its sound, what was left out because too much waited.
    dropped_ms: u64,
}

impl From<&AgentRecord> for InCall {
    fn from(record: &AgentRecord) -> Self {
        Self {
            state: record.state.name(),
            connected_after_ms: record.connected_after_ms,
            seconds: record.used_ms.div_ceil(1_000),
            used_ms: record.used_ms,
            conversation_id: record.conversation.reveal().clone(),
            fault: record.fault.map(Fault::name),
            text: record.fault.map(|fault| fault.to_string()),
            dropped_ms: record.dropped_ms,
        }
    }
}

/// Remote agents, all calls together.
#[derive(Serialize, ToSchema)]
#[schema(as = Agents)]
pub(super) struct Today {
    /// Seconds of this day in calls that are over.
    seconds_today: u32,
    max_seconds_per_day: u32,
    /// The playbook holds the calls until tomorrow.
    is_at_limit: bool,
    /// What was wrong last, until an agent is there again.
    fault: Option<&'static str>,
}

impl From<Figures> for Today {
    fn from(figures: Figures) -> Self {
        Self {
            seconds_today: figures.used_today_s,
            max_seconds_per_day: figures.per_day_s,
            is_at_limit: figures.used_today_s >= figures.per_day_s,
            fault: figures.fault.map(Fault::name),
        }
    }
}
