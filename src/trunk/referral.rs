//! Whom callers may have us call in their place (RFC 3515): nobody, or the people whom the owner has named.

/// `[inbound] refer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Referrals {
    #[default]
    Refuse,
    /// At the addresses that the owner has written: what a peer says of itself proves nothing.
    People,
}
