//! Digest credentials for a challenge (RFC 2617, 7616, 8760), client side.
