//! The section `[llm]`: the server of the language model.

use super::checked::Check;
use super::file;
use super::values::{Allowed, allowed, within};
use crate::appliance::llm::Address;
use crate::appliance::url::Url;
use crate::converse::llm::{Fields, Model, Protocol, Switch};

/// The server that is named.
#[derive(Clone, Debug, PartialEq)]
pub struct Llm {
    pub address: Address,
    pub model: Model,
    /// 1 to 64.
    pub at_once: usize,
}

impl TryFrom<&str> for Protocol {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        match text {
            "ollama" => Ok(Self::Ollama),
            "openai" => Ok(Self::OpenAi),
            _ => allowed("ollama or openai"),
        }
    }
}

/// `None`: no server is named.
pub(super) fn llm(file: &file::Llm, check: &mut Check<'_>) -> Option<Option<Llm>> {
    let address = check.take("llm.server", &file.server, address(&file.server));
    let protocol = check.take("llm.protocol", &file.protocol, file.protocol.as_str().try_into());
    let name = match (file.server.is_empty(), file.model.trim()) {
        (false, "") => allowed("the name of a model, as in qwen3:4b"),
        (_, name) if name.len() > 200 || name.chars().any(char::is_control) => {
            allowed("at most 200 bytes")
        }
        (_, name) => Ok(name.to_owned()),
    };
    let name = check.take("llm.model", &file.model, name);
    let at_once = check.take("llm.at_once", file.at_once, within(file.at_once, 1, 64));
    let keep_alive_s = match file.keep_alive_s {
        seconds @ -1..=604_800 => Ok(seconds),
        _ => allowed("-1 to 604800"),
    };
    let keep_alive_s = check.take("llm.keep_alive_s", file.keep_alive_s, keep_alive_s);
    let context = match file.context {
        0 => Ok(None),
        tokens => match within(tokens, 2_048, 1_048_576) {
            Ok(tokens) => Ok(Some(tokens)),
            Err(_) => allowed("0, or 2048 to 1048576"),
        },
    };
    let context = check.take("llm.context", file.context, context);
    let may_think = match file.thinking.as_str() {
        "off" => Ok(false),
        "as-is" => Ok(true),
        _ => allowed("off or as-is"),
    };
    let may_think = check.take("llm.thinking", &file.thinking, may_think);
    let (address, protocol, name) = (address?, protocol?, name?);
    let (at_once, keep_alive_s, context) = (at_once? as usize, keep_alive_s?, context?);
    let model = Model {
        protocol,
        name,
        keep_alive_s,
        context,
        thinks: false,
        may_think: may_think?,
        switch: Switch::Both,
        fields: Fields::default(),
        calls_tools: true,
    };
    Some(address.map(|address| Llm { address, model, at_once }))
}

pub(super) fn address(text: &str) -> Result<Option<Address>, Allowed> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = "http://HOST:PORT or https://HOST, as in http://127.0.0.1:11434, without a user and a question \
                 mark, or empty";
    let url = Url::read(text, ["http", "https"]).filter(|url| url.query.is_none());
    let Some(Url { tls, host, port, path, .. }) = url else { return allowed(wrong) };
    // Other programs want the version in such an address; here it belongs to the protocol's paths.
    let prefix = path.trim_end_matches('/');
    let prefix = prefix.strip_suffix("/v1").unwrap_or(prefix).to_owned();
    Ok(Some(Address { tls, host, port, prefix }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_address_of_a_machine_and_holds_no_secret() {
        let read = |text: &str| address(text).ok().flatten();
        let local = read("http://127.0.0.1:11434").unwrap();
        assert_eq!((local.tls, local.host.as_str(), local.port), (false, "127.0.0.1", 11_434));
        let hosted = read("https://llm.example.net/api/").unwrap();
        assert_eq!((hosted.tls, hosted.port, hosted.prefix.as_str()), (true, 443, "/api"));
        assert_eq!(read("http://[::1]:8080").unwrap().host, "::1");
        for (text, prefix) in [
            ("http://x/v1", ""),
            ("http://x/v1/", ""),
            ("https://x/api/v1", "/api"),
            ("http://x/av1", "/av1"),
        ] {
            assert_eq!(read(text).unwrap().prefix, prefix, "{text}");
        }
        assert_eq!(address("").unwrap(), None);
        for wrong in
            ["127.0.0.1:11434", "ftp://x", "http://", "http://me:secret@x", "http://x?key=1", "x"]
        {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
