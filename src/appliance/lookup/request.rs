//! The request that a question becomes: the owner's template with the values in their places.

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use serde_json::{Map, Value};

use super::Question;
use crate::appliance::url::bracketed;
use crate::base::percent::escape_all;
use crate::converse::lookup::LookUp;

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    /// The values that are not in the address are a JSON object in the body.
    Post,
}

/// Path and query with places for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(String),
}

impl Template {
    /// Reads `/orders/{order}?full=1`.
    ///
    /// # Errors
    /// What is wrong with it, for its author.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if !text.starts_with('/') {
            return Err("a path that begins with a slash");
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').ok_or("a `}` for each `{`")?;
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Value(name.to_owned()));
            rest = tail;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        let is_plain = |c: char| c.is_ascii_graphic() && !"{}#<>\"\\^`|".contains(c);
        let is_sound = pieces.iter().all(|piece| match piece {
            Piece::Text(text) => text.chars().all(is_plain),
            Piece::Value(name) => !name.is_empty(),
        });
        if !is_sound {
            return Err("a path of plain ASCII characters");
        }
        Ok(Self(pieces))
    }

    /// The names of the values that it needs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Value(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    fn fill(&self, asked: &LookUp) -> Option<String> {
        let mut target = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => target.push_str(text),
                // A segment of dots alone was refused as a value.
                Piece::Value(name) => target += &escape_all(asked.value(name)?),
            }
        }
        Some(target)
    }
}

pub(super) fn of(question: &Question, asked: &LookUp) -> Option<Request<Full<Bytes>>> {
    let address = &question.address;
    let host = bracketed(&address.host);
    let target = format!("{}{}", address.prefix, question.target.fill(asked)?);
    let mut request = Request::builder()
        .uri(target)
        .header(HOST, format!("{host}:{}", address.port))
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "attendant");
    let mut body = Vec::new();
    request = match question.method {
        Method::Get => request.method("GET"),
        Method::Post => {
            let rest =
                asked.values().filter(|(name, _)| !question.target.names().any(|n| n == *name));
            let rest = rest.map(|(name, value)| (name.to_owned(), Value::String(value.to_owned())));
            body = serde_json::to_vec(&rest.collect::<Map<_, _>>()).ok()?;
            request.method("POST").header(CONTENT_TYPE, "application/json")
        }
    };
    for (name, value) in &question.headers {
        let name = HeaderName::try_from(name.as_str()).ok()?;
        let mut value = HeaderValue::try_from(value.reveal().as_str()).ok()?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::from(body))).ok()
}
