//! `[media.turn]`: servers that lend an address.

use std::fmt;

use super::checked::Check;
use super::file;
use super::values::{Allowed, allowed};
use crate::appliance::url::bracketed;
use crate::base::Private;
use crate::sip::message::{Host, host_and_port};

/// How a TURN server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnTransport {
    Udp,
    Tcp,
    Tls,
}

/// A TURN server.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnServer {
    /// A name or an address.
    pub host: String,
    pub port: u16,
    pub transport: TurnTransport,
}

impl fmt::Debug for TurnServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// As it was written, with what was left out.
impl fmt::Display for TurnServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = match self.transport {
            TurnTransport::Udp => ("turn", ""),
            TurnTransport::Tcp => ("turn", "?transport=tcp"),
            TurnTransport::Tls => ("turns", ""),
        };
        let host = bracketed(&self.host);
        write!(f, "{scheme}:{host}:{}{rest}", self.port)
    }
}

/// Servers that lend addresses to calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The first that answers is taken; none: no relay.
    pub servers: Vec<TurnServer>,
    pub user: Private<String>,
    /// Nothing else is told, and nothing is sent past it.
    pub only: bool,
}

/// Servers that one box asks.
const SERVERS: usize = 4;

pub(super) fn turn(file: &file::Turn, check: &mut Check<'_>) -> Option<Turn> {
    let servers = match file.servers.len() {
        0..=SERVERS => file.servers.iter().map(|text| server(text)).collect(),
        _ => allowed(format!("at most {SERVERS} servers")),
    };
    let servers: Option<Vec<TurnServer>> = check.take("media.turn.servers", &file.servers, servers);
    let is_asked = !file.servers.is_empty();
    let user = match file.user.len() {
        0 if is_asked => allowed("the name that the server knows us by"),
        0..=500 => Ok(file.user.clone()),
        _ => allowed("at most 500 bytes"),
    };
    let user = check.take("media.turn.user", "(private)", user);
    let only = match file.only {
        true if !is_asked => allowed("false where there is no server"),
        only => Ok(only),
    };
    let only = check.take("media.turn.only", file.only, only);
    Some(Turn { servers: servers?, user: Private::new(user?), only: only? })
}

/// RFC 7065: `turn:HOST:PORT?transport=tcp`, `turns:HOST`.
fn server(text: &str) -> Result<TurnServer, Allowed> {
    const FORMS: &str = "turn:HOST, turn:HOST:PORT, either with ?transport=tcp, or turns:HOST:PORT";
    let of = || {
        let (scheme, rest) = text.split_once(':')?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let transport = match (scheme, query) {
            ("turn", "" | "transport=udp") => TurnTransport::Udp,
            ("turn", "transport=tcp") => TurnTransport::Tcp,
            ("turns", "" | "transport=tcp") => TurnTransport::Tls,
            _ => return None,
        };
        let (host, port) = host_and_port(place)?;
        let host = match host {
            Host::Name(name) => name,
            Host::Ip(ip) => ip.to_string(),
        };
        // RFC 8656 section 8.
        let port = port.unwrap_or(if transport == TurnTransport::Tls { 5_349 } else { 3_478 });
        (port != 0).then_some(TurnServer { host, port, transport })
    };
    of().map_or_else(|| allowed(FORMS), Ok)
}

#[cfg(test)]
mod tests {
    use crate::appliance::config::from_text;

    #[test]
    fn servers_are_read_by_the_forms_of_rfc_7065() {
        let read = |text: &str| {
            let text = format!("[media.turn]\nservers = [\"{text}\"]\nuser = \"box\"\n");
            from_text(&text).map(|config| config.media.turn.servers[0].to_string()).ok()
        };
        for (text, expected) in [
            ("turn:turn.example.net", Some("turn:turn.example.net:3478")),
            ("turn:192.0.2.1:3000?transport=udp", Some("turn:192.0.2.1:3000")),
            ("turn:192.0.2.1?transport=tcp", Some("turn:192.0.2.1:3478?transport=tcp")),
            ("turns:turn.example.net", Some("turns:turn.example.net:5349")),
            ("turn:[2001:db8::1]:3000", Some("turn:[2001:db8::1]:3000")),
            ("turn.example.net", None),
            ("stun:turn.example.net", None),
            ("turn:", None),
            ("turn:a:0", None),
            ("turns:a?transport=udp", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_server_wants_a_name_and_only_wants_a_server() {
        let faults = |text: &str| from_text(text).unwrap_err().to_string();
        assert!(faults("[media.turn]\nservers = [\"turn:a\"]\n").contains("media.turn.user"));
        assert!(faults("[media.turn]\nonly = true\n").contains("media.turn.only"));
        let secret = "[media.turn]\nservers = [\"turn:a\"]\nuser = \"hush\"\nonly = true\n";
        let shown = format!("{:?}", from_text(secret).unwrap().media.turn);
        assert!(!shown.contains("hush"));
    }
}
