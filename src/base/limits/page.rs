//! Limits of what the owner does at the page.

/// Wrong codes for the first password before there is another one: at five a minute of an address, of 2^40 codes.
pub const FIRST_CODE_TRIES: u32 = 10;
/// Bytes of the file with that code.
pub const FIRST_CODE_BYTES: u64 = 64;
