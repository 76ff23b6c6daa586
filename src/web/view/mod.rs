//! The board as JSON: with the events, the one place where private words and numbers are shown, to the owner and
//! to whom the owner lets see them.
//!
//! Field names are part of the API; their types are what the OpenAPI document is made of. Times are Unix
//! milliseconds, lengths milliseconds.

mod agent;
mod call;
mod campaigns;
mod health;
mod history;
mod machine;

pub(super) use call::{Call, Calls, Message, Summary};
pub(super) use campaigns::{CAMPAIGN_CSV_HEAD, Campaign, CampaignNumber, CampaignWhole, Campaigns};
pub(super) use health::{Account, Bridge, Health};
pub(super) use history::{CSV_HEAD, Erased, History, Kept, Messages, Past, PastWhole, Totals};
