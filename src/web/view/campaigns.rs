//! Campaigns as they are sent. What holds numbers does not print.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::history::quoted;
use crate::store::history::campaigns;

/// A part of the campaigns, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Campaigns {
    campaigns: Vec<Campaign>,
    /// What to ask for as `before` for the next part; null at the end.
    before: Option<i64>,
}

/// A campaign with how far it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Campaign {
    id: i64,
    name: String,
    /// `running`, `paused`, `done` or `cancelled`.
    state: &'static str,
    playbook: Option<String>,
    trunk: Option<String>,
    on_machine: Option<String>,
    /// Calls of one number at most.
    attempts: u32,
    created_at_ms: u64,
    changed_at_ms: u64,
    /// Numbers, however they stand.
    number_count: u64,
    /// Numbers by their state, as each has it.
    counts: BTreeMap<String, u64>,
}

/// One campaign with a part of its numbers, in the order in which they were given.
#[derive(Serialize, ToSchema)]
pub struct CampaignWhole {
    #[serde(flatten)]
    campaign: Campaign,
    numbers: Vec<CampaignNumber>,
    /// What to ask for as `after` for the next part; null at the end.
    after: Option<i64>,
}

/// One number of a campaign.
#[derive(Serialize, ToSchema)]
pub struct CampaignNumber {
    id: i64,
    phone_number: String,
    /// `waiting`, `calling`, `reached`, `machine`, `busy`, `no-answer`, `refused`, `failed` or `withdrawn`.
    state: String,
    /// Calls so far.
    attempts: u32,
    /// When it is called, at the earliest; null: it is not called any more.
    next_at_ms: Option<u64>,
    /// The last call's id in the history; null: there was none, or it is not kept any more.
    call: Option<i64>,
    /// What the last call came to: as the states, or `message-left` or `cut-off`.
    last_outcome: Option<String>,
    last_at_ms: Option<u64>,
}

impl Campaigns {
    /// `limit` of them were asked for.
    pub fn of(campaigns: Vec<campaigns::Campaign>, limit: u32) -> Self {
        let is_full = campaigns.len() as u64 == u64::from(limit);
        let before = campaigns.last().map(|campaign| campaign.id).filter(|_| is_full);
        Self { campaigns: campaigns.into_iter().map(Campaign::from).collect(), before }
    }
}

impl From<campaigns::Campaign> for Campaign {
    fn from(campaign: campaigns::Campaign) -> Self {
        Self {
            id: campaign.id,
            name: campaign.name,
            state: campaign.standing.name(),
            playbook: campaign.playbook,
            trunk: campaign.trunk,
            on_machine: campaign.on_machine,
            attempts: campaign.attempts,
            created_at_ms: campaign.created_at_ms,
            changed_at_ms: campaign.changed_at_ms,
            number_count: campaign.counts.values().sum(),
            counts: campaign.counts,
        }
    }
}

impl CampaignWhole {
    /// `limit` numbers were asked for.
    pub fn of(
        (campaign, numbers): (campaigns::Campaign, Vec<campaigns::Number>),
        limit: u32,
    ) -> Self {
        let is_full = numbers.len() as u64 == u64::from(limit);
        let after = numbers.last().map(|number| number.id).filter(|_| is_full);
        let numbers = numbers.into_iter().map(CampaignNumber::from).collect();
        Self { campaign: campaign.into(), numbers, after }
    }
}

impl From<campaigns::Number> for CampaignNumber {
    fn from(number: campaigns::Number) -> Self {
        Self {
            id: number.id,
            phone_number: number.peer.into_revealed(),
            state: number.state,
            attempts: number.attempts,
            next_at_ms: number.next_at_ms,
            call: number.call,
            last_outcome: number.last_outcome,
            last_at_ms: number.last_at_ms,
        }
    }
}

/// The columns of [`CampaignNumber::csv`].
pub const CAMPAIGN_CSV_HEAD: &str =
    "phone_number,state,attempts,last_outcome,last_at_ms,next_at_ms,call\r\n";

impl CampaignNumber {
    /// One record (RFC 4180).
    pub fn csv(&self) -> String {
        let count = |value: Option<String>| value.unwrap_or_default();
        let fields = [
            self.phone_number.clone(),
            self.state.clone(),
            self.attempts.to_string(),
            self.last_outcome.clone().unwrap_or_default(),
            count(self.last_at_ms.map(|ms| ms.to_string())),
            count(self.next_at_ms.map(|ms| ms.to_string())),
            count(self.call.map(|id| id.to_string())),
        ];
        let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
        format!("{}\r\n", fields.join(","))
    }
}
