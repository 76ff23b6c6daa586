//! Limits of campaigns.

/// Campaigns that are kept; beyond it the oldest that is over goes.
pub const CAMPAIGNS: u32 = 200;
/// Numbers of one campaign: at the most calls of a day some weeks, for a small firm all its customers.
pub const CAMPAIGN_NUMBERS: usize = 10_000;
/// Bytes of a request with all of them: 64 characters each and what JSON has around them.
pub const CAMPAIGN_BYTES: usize = 1024 * 1024;
/// Characters of a campaign's name.
pub const CAMPAIGN_NAME_CHARS: usize = 64;
/// Calls of one number that a campaign may want: who does not answer ten times does not want to.
pub const CAMPAIGN_ATTEMPTS: u32 = 10;
/// Numbers that no campaign calls: a small country's whole register.
pub const DO_NOT_CALL: u32 = 1_000_000;
