//! How a download goes on: what to ask for, and what the answer means. Pure.
//!
//! RFC 9110: ranges in section 14, If-Range in 13.1.5. The server is not trusted: a 206 must be the
//! part that was asked for, of the file that was begun; anything else starts over or is refused.

use serde::{Deserialize, Serialize};

use super::address::Address;
use crate::base::limits;

/// What is known of the file that is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub bytes: Option<u64>,
    pub sha256: Option<[u8; 32]>,
}

/// What was written down beside a file that has been begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Where it comes from.
    pub address: String,
    /// The server's mark of this version of the file, for If-Range.
    pub validator: Option<String>,
    /// Bytes of the whole file.
    pub total: Option<u64>,
    /// Bytes that are on the disk for certain.
    pub synced: u64,
}

/// What is there of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// Length of the partial file.
    pub bytes: u64,
    pub note: Option<Note>,
}

/// What to ask the server for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The first byte; 0 asks for the whole file.
    pub from: u64,
    pub if_range: Option<String>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Everything is there, to be verified.
    Verify,
    Ask(Request),
}

/// What to ask for.
///
/// A file whose hash is known is continued whatever happened to it, because the hash decides in the
/// end. Any other one only from the same place, under the server's mark, and only what was on the
/// disk before a power cut could take it.
pub fn step(begun: &Begun, address: &Address, wanted: &Wanted) -> Step {
    let here = begun.note.as_ref().filter(|note| note.address == address.as_str());
    let if_range = here.and_then(|note| note.validator.clone());
    let from = match (wanted.sha256, here) {
        (Some(_), _) => begun.bytes,
        (None, Some(note)) if if_range.is_some() => begun.bytes.min(note.synced),
        (None, _) => 0,
    };
    let total = wanted.bytes.or_else(|| here.and_then(|note| note.total));
    match total {
        Some(total) if from == total => Step::Verify,
        Some(total) if from > total => Step::Ask(Request { from: 0, if_range: None }),
        _ => Step::Ask(Request { from, if_range: if_range.filter(|_| from > 0) }),
    }
}

/// The head of an answer, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub location: Option<String>,
    pub content_range: Option<String>,
    pub content_length: Option<u64>,
    pub content_encoding: Option<String>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    pub retry_after_s: Option<u64>,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The body goes on where we are; the whole file has `total` bytes.
    Append {
        total: u64,
    },
    /// The body is the whole file.
    Fresh {
        total: Option<u64>,
    },
    /// The file is another one than that which was begun: forget that and ask anew.
    StartOver,
    Follow(String),
    /// It may be better later.
    Later {
        status: u16,
        retry_after_s: Option<u64>,
    },
    Refuse(Refusal),
}

/// Why an answer is no use, now and later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the server answers {0}")]
    Status(u16),
    #[error("the server has a file of {server} bytes, and it should have {wanted}")]
    Size { server: u64, wanted: u64 },
    #[error("the server sends more than the {0} bytes that the file has")]
    Endless(u64),
    #[error("the server does not say how long the file is, and no hash of it is known")]
    NoLength,
    #[error("the server sends the file compressed, which was not asked for")]
    Encoded,
    #[error("the server sends a part that was not asked for")]
    Part,
    #[error("the server sends on more than {} times", limits::PULL_REDIRECTS)]
    Redirects,
}

/// What the head of an answer to `asked` means.
pub fn judge(asked: &Request, head: &Head, begun: &Begun, wanted: &Wanted) -> Verdict {
    match head.status {
        200 | 206 if head.content_encoding.as_deref().is_some_and(|code| code != "identity") => {
            Verdict::Refuse(Refusal::Encoded)
        }
        200 => whole(head, wanted),
        206 => part(asked, head, begun, wanted),
        301 | 302 | 303 | 307 | 308 => match &head.location {
            Some(location) => Verdict::Follow(location.clone()),
            None => Verdict::Refuse(Refusal::Status(head.status)),
        },
        416 if asked.from > 0 => Verdict::StartOver,
        408 | 425 | 429 | 500 | 502 | 503 | 504 => {
            Verdict::Later { status: head.status, retry_after_s: head.retry_after_s }
        }
        status => Verdict::Refuse(Refusal::Status(status)),
    }
}

fn whole(head: &Head, wanted: &Wanted) -> Verdict {
    match (head.content_length, wanted.bytes) {
        (Some(server), Some(wanted)) if server != wanted => {
            Verdict::Refuse(Refusal::Size { server, wanted })
        }
        (Some(server), None) if server > limits::MODEL_BYTES => {
            Verdict::Refuse(Refusal::Size { server, wanted: limits::MODEL_BYTES })
        }
        (None, None) if wanted.sha256.is_none() => Verdict::Refuse(Refusal::NoLength),
        (length, bytes) => Verdict::Fresh { total: bytes.or(length) },
    }
}

fn part(asked: &Request, head: &Head, begun: &Begun, wanted: &Wanted) -> Verdict {
    let range = head.content_range.as_deref().and_then(content_range);
    let Some(Range { first, last, total }) = range else {
        return Verdict::Refuse(Refusal::Part);
    };
    if asked.from == 0 || first != asked.from {
        return Verdict::Refuse(Refusal::Part);
    }
    let noted = begun.note.as_ref().filter(|_| asked.if_range.is_some());
    let known = wanted.bytes.or_else(|| noted.and_then(|note| note.total));
    let changed = asked.if_range.is_some()
        && validator(head).is_some_and(|mark| Some(mark) != asked.if_range);
    if changed || head.content_length.is_some_and(|length| length != last - first + 1) {
        return Verdict::StartOver;
    }
    match (total, wanted.bytes) {
        (Some(server), Some(wanted)) if server != wanted => {
            return Verdict::Refuse(Refusal::Size { server, wanted });
        }
        (Some(server), None) if known.is_some_and(|known| known != server) => {
            return Verdict::StartOver;
        }
        _ => (),
    }
    match known.or(total) {
        Some(total) if last < total && total <= limits::MODEL_BYTES => Verdict::Append { total },
        _ => Verdict::StartOver,
    }
}

/// The server's mark of this version, fit for If-Range: a strong entity tag, else the date.
pub fn validator(head: &Head) -> Option<String> {
    match &head.etag {
        Some(etag) if etag.starts_with('"') => Some(etag.clone()),
        _ => head.last_modified.clone(),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Range {
    first: u64,
    last: u64,
    total: Option<u64>,
}

/// `bytes FIRST-LAST/TOTAL`, TOTAL may be `*`.
fn content_range(text: &str) -> Option<Range> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| {
        // `parse` would take a sign.
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    let total = match total {
        "*" => None,
        total => Some(number(total)?),
    };
    let range = Range { first: number(first)?, last: number(last)?, total };
    let sound = range.first <= range.last && range.total.is_none_or(|total| range.last < total);
    sound.then_some(range)
}

#[cfg(test)]
mod tests;
