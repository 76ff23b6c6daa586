//! How long an answer is waited for where a question has its own times.

/// Silence that ends an answer, by what is known of it so far, in milliseconds; `None` where the usual
/// time holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Patience {
    /// A whole thought.
    pub complete_ms: Option<u64>,
    /// Whole, but perhaps only a beginning.
    pub probable_ms: Option<u64>,
    /// Nothing is known of it.
    pub unknown_ms: Option<u64>,
    /// More may well come.
    pub doubtful_ms: Option<u64>,
    /// More must come.
    pub incomplete_ms: Option<u64>,
}
