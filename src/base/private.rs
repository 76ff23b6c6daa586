//! Numbers, addresses, words and secrets that must never reach a log.

use std::fmt;

/// A value that does not print: `Debug` shows its type only and there is no `Display`.
///
/// `reveal` is the one way to the value; each caller of it either puts the value on the wire, shows
/// it to the owner on the page, or compares it.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Private<T>(T);

impl<T> Private<T> {
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    pub const fn reveal(&self) -> &T {
        &self.0
    }

    pub fn into_revealed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Private<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(private)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_value_does_not_print() {
        let number = Private::new("+15550100".to_owned());
        assert_eq!(format!("{number:?}"), "(private)");
        assert_eq!(number.reveal(), "+15550100");
    }
}
