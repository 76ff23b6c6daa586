//! The command line of `attendant call`: whom to call, and what to do there in which order.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use regex::Regex;
use tokio_rustls::rustls::pki_types::ServerName;

use super::scenario::{Act, Manner, Speech, Turn, When};
use crate::appliance::credentials::{CALL_TARGET, IN_ENVIRONMENT};
use crate::cli::ConfigArgument;
use crate::codec::Codec;
use crate::sdp::{OfferedKeys, Srtp};
use crate::sip::Transport;
use crate::sip::message::Uri;

/// The end of `--help`.
const SCRIPTS: &str = include_str!("script.txt");

/// Call a SIP address, speak, listen, measure, print the conversation.
///
/// After the greeting the turns are made in the order in which they stand: each --say, --play and
/// --dtmf waits for the reply to the one before (10 s at most, or --patience) and until the other end has been
/// silent for 700 ms. After the last turn the other end has 5 s to hang up.
///
/// A gap is measured on the packets: from the departure of our last packet with speech (the last
/// 20 ms louder than -45 dBFS) to the arrival, by the kernel's time stamp, of the first packet
/// with speech from the other end. That is the first sound louder than -45 dBFS of the stretch in
/// which the voice detector hears speech. A negative gap means that we were cut off.
#[derive(Debug, clap::Args)]
#[command(after_long_help = SCRIPTS)]
pub(in crate::cli) struct Arguments {
    /// sip:USER@HOST, with :PORT and ;transport=tcp where needed; or "itself": the box of this machine, where sip.listen
    /// takes udp or tcp; or "-": what ATTENDANT_CALL_TARGET says, which nobody else on the machine sees.
    #[arg(value_parser = Callee::parse)]
    pub(super) target: Callee,
    /// With "itself": the box has the call in no list, event, figure or record, and holds it without a remote agent.
    #[arg(long, conflicts_with = "api")]
    pub(super) unlisted: bool,
    #[command(flatten)]
    pub(super) directives: Directives,
    /// Be the caller that this file describes; the exit code says whether the call came out as it
    /// wants. See below.
    #[arg(long, value_name = "FILE",
          conflicts_with_all = ["say", "play", "dtmf", "pause", "expect", "voice", "speed"])]
    pub(super) script: Option<PathBuf>,
    /// The voice of --say: a name of espeak-ng, or "slt".
    #[arg(long, value_name = "NAME", default_value = "en-us+f3")]
    pub(super) voice: String,
    /// Words a minute of --say.
    #[arg(long, value_name = "N", default_value_t = 160,
          value_parser = clap::value_parser!(u16).range(80..=450))]
    pub(super) speed: u16,
    /// Keep the call as a WAV file: left what we sent, right what we heard, 16 kHz.
    #[arg(long, value_name = "WAV")]
    pub(super) record: Option<PathBuf>,
    /// Offer this codec only: PCMU, PCMA, G722 or opus.
    #[arg(long, value_name = "NAME", value_parser = codec)]
    pub(super) codec: Option<Codec>,
    /// Encrypt the sound (SRTP): off, optional or required.
    #[arg(long, value_name = "WHEN", default_value = "off", value_parser = srtp)]
    pub(super) srtp: Srtp,
    /// Where its keys are from: sdes (the SIP message) or dtls (a handshake).
    #[arg(long = "srtp-keys", value_name = "WAY", default_value = "sdes", value_parser = offered_keys)]
    pub(super) keys: OfferedKeys,
    /// The other end is an Attendant with its HTTP interface here, as in http://127.0.0.1:8080:
    /// print what it heard and what it answered.
    #[arg(long, value_name = "URL", value_parser = crate::cli::api::Api::parse)]
    pub(super) api: Option<crate::cli::api::Api>,
    /// Print what was answered as our own speech engine hears it, after the call.
    #[arg(long, conflicts_with = "api")]
    pub(super) transcribe: bool,
    /// Print one JSON object instead of the conversation.
    #[arg(long)]
    pub(super) json: bool,
    /// Wait so long for the greeting and for each reply to begin, in place of 10 s: for a slow machine.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(super) patience: Option<u64>,
    /// Hang up after this time.
    #[arg(long, value_name = "S", default_value_t = 120,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) max_seconds: u64,
    #[command(flatten)]
    pub(super) config: ConfigArgument,
}

/// Whom to call, as the command line says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Callee {
    Target(Target),
    /// The box whose configuration counts here.
    Itself,
}

impl Callee {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "itself" => Ok(Self::Itself),
            IN_ENVIRONMENT => {
                let target = std::env::var(CALL_TARGET);
                let target = target.map_err(|_| format!("{CALL_TARGET} is not set"))?;
                Target::parse(&target).map(Self::Target)
            }
            _ => Target::parse(text).map(Self::Target),
        }
    }
}

/// Where a call goes.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::cli) struct Target {
    pub(super) uri: String,
    pub(super) transport: Transport,
    host: String,
    port: u16,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({:?})", self.transport)
    }
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let uri = Uri::parse(text).filter(|uri| uri.scheme() == "sip");
        let uri = uri.ok_or("not a SIP address such as sip:desk@127.0.0.1:5060")?;
        let transport = match uri.transport() {
            None => Transport::Udp,
            Some(name) => {
                Transport::from_token(name).ok_or("the transport is udp, tcp, tls, ws or wss")?
            }
        };
        let host = uri.host().ok_or("no host")?;
        // What is called goes into a message as it stands; where it goes is resolved.
        let host = host.ip().map_or_else(|| host.to_string(), |ip| ip.to_string());
        let port = uri.port().unwrap_or(transport.default_port());
        Ok(Self { uri: text.to_owned(), transport, host, port })
    }

    /// What the host's certificate must be made out to, or how a WebSocket calls it; `None` where it has
    /// none.
    pub(super) fn name(&self) -> Option<ServerName<'static>> {
        self.transport.comes_back().then(|| ServerName::try_from(self.host.clone()).ok()).flatten()
    }

    /// The address of the host, IPv4 where it has both.
    ///
    /// # Errors
    /// When the host has no address.
    pub(super) fn resolve(&self) -> std::io::Result<SocketAddr> {
        let mut found: Vec<_> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        found.sort_by_key(SocketAddr::is_ipv6);
        found.first().copied().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

/// The turns in the order of the command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Directives {
    /// What the greeting must contain.
    pub greeting: Vec<Regex>,
    pub turns: Vec<Turn>,
}

impl Directives {
    fn push(&mut self, pause: &mut Duration, act: Act) {
        self.turns.push(Turn::new(When::Silence(std::mem::take(pause)), act));
    }
}

#[derive(Debug)]
enum Directive {
    Act(Act),
    Pause(Duration),
    Expect(Regex),
}

impl FromArgMatches for Directives {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut all: Vec<(usize, Directive)> = Vec::new();
        let act = |index, act| (index, Directive::Act(act));
        all.extend(given::<String>(matches, "say").map(|(i, text)| act(i, say(text))));
        all.extend(given::<PathBuf>(matches, "play").map(|(i, path)| act(i, Act::Play(path))));
        all.extend(given::<String>(matches, "dtmf").map(|(i, keys)| act(i, Act::Press(keys))));
        all.extend(
            given::<u64>(matches, "pause")
                .map(|(i, ms)| (i, Directive::Pause(Duration::from_millis(ms)))),
        );
        all.extend(given::<Regex>(matches, "expect").map(|(i, what)| (i, Directive::Expect(what))));
        all.sort_by_key(|(index, _)| *index);
        let mut directives = Self::default();
        let mut pause = Duration::ZERO;
        for (_, directive) in all {
            match directive {
                Directive::Act(act) => directives.push(&mut pause, act),
                Directive::Pause(more) => pause += more,
                Directive::Expect(what) => match directives.turns.last_mut() {
                    Some(turn) => turn.expect.push(what),
                    None => directives.greeting.push(what),
                },
            }
        }
        Ok(directives)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// In the manner of nobody in particular: the other arguments have their say later.
fn say(text: String) -> Act {
    Act::Say(Speech { text, manner: Manner::default() })
}

fn given<T: Clone + Send + Sync + 'static>(
    matches: &ArgMatches,
    name: &str,
) -> impl Iterator<Item = (usize, T)> {
    let values = matches.get_many::<T>(name).unwrap_or_default().cloned();
    matches.indices_of(name).unwrap_or_default().zip(values)
}

impl clap::Args for Directives {
    fn augment_args(command: Command) -> Command {
        let many = |name: &'static str, value: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name(value).help(help).action(ArgAction::Append)
        };
        command
            .arg(many("say", "TEXT", "A turn: speak this text"))
            .arg(
                many(
                    "play",
                    "WAV",
                    "A turn: play this WAV file (16-bit PCM or G.711, 8 to 48 kHz)",
                )
                .value_parser(clap::value_parser!(PathBuf)),
            )
            .arg(many("dtmf", "KEYS", "A turn: press these keys, 0-9 * # A-D").value_parser(keys))
            .arg(
                many("pause", "MS", "Wait before the next turn, besides the 700 ms of silence")
                    .value_parser(clap::value_parser!(u64).range(0..=600_000)),
            )
            .arg(
                many(
                    "expect",
                    "REGEX",
                    "The reply to the turn before this, or the greeting if there is none, must \
                     match; in any case of letters. Needs --api or --transcribe",
                )
                .value_parser(expectation),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn srtp(text: &str) -> Result<Srtp, String> {
    Srtp::from_name(text).ok_or_else(|| "off, optional or required".to_owned())
}

fn offered_keys(text: &str) -> Result<OfferedKeys, String> {
    OfferedKeys::from_name(text).ok_or_else(|| "sdes or dtls".to_owned())
}

fn codec(text: &str) -> Result<Codec, String> {
    Codec::from_name(text).ok_or_else(|| "one of PCMU, PCMA, G722, opus".to_owned())
}

pub(super) fn keys(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    match upper.chars().all(|c| "0123456789*#ABCD".contains(c)) && (1..=32).contains(&upper.len()) {
        true => Ok(upper),
        false => Err("1 to 32 keys of 0-9 * # A-D".to_owned()),
    }
}

fn expectation(text: &str) -> Result<Regex, String> {
    super::scenario::pattern(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        call: Arguments,
    }

    fn parsed(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        let all = ["call"].iter().chain(arguments);
        Line::try_parse_from(all).map(|line| line.call)
    }

    #[test]
    fn turns_keep_the_order_of_the_command_line() {
        let arguments = parsed(&[
            "sip:desk@127.0.0.1:5062",
            "--expect",
            "hello",
            "--dtmf",
            "12#",
            "--say",
            "one",
            "--pause",
            "300",
            "--pause",
            "200",
            "--play",
            "two.wav",
            "--expect",
            "open",
            "--expect",
            "eight",
            "--say",
            "three",
        ]);
        let directives = arguments.unwrap().directives;
        let acts: Vec<_> = directives.turns.iter().map(|turn| turn.act.clone()).collect();
        let say = |text: &str| say(text.to_owned());
        let press = Act::Press("12#".to_owned());
        assert_eq!(acts, [press, say("one"), Act::Play("two.wav".into()), say("three")]);
        let pause = |turn: &Turn| match turn.when {
            When::Silence(pause) => pause.as_millis(),
            _ => panic!("{turn:?}"),
        };
        let pauses: Vec<_> = directives.turns.iter().map(pause).collect();
        assert_eq!(pauses, [0, 0, 500, 0]);
        let expected: Vec<_> = directives.turns.iter().map(|turn| turn.expect.len()).collect();
        assert_eq!((directives.greeting.len(), expected), (1, vec![0, 0, 2, 0]));
        assert!(directives.turns[2].expect[0].is_match("We are OPEN"));
    }

    #[test]
    fn a_target_is_a_sip_address_over_a_transport_that_we_speak() {
        for (text, transport, address) in [
            ("sip:desk@127.0.0.1", Transport::Udp, "127.0.0.1:5060"),
            ("sip:desk@127.0.0.1:5070;transport=tcp", Transport::Tcp, "127.0.0.1:5070"),
            ("sip:[::1]:5071", Transport::Udp, "[::1]:5071"),
            ("sip:desk@127.0.0.1;transport=tls", Transport::Tls, "127.0.0.1:5061"),
            ("sip:desk@127.0.0.1;transport=ws", Transport::Ws, "127.0.0.1:80"),
            ("sip:desk@127.0.0.1;transport=wss", Transport::Wss, "127.0.0.1:443"),
        ] {
            let target = Target::parse(text).unwrap();
            let resolved = target.resolve().unwrap();
            assert_eq!((target.transport, resolved.to_string().as_str()), (transport, address));
        }
        assert_eq!(Callee::parse("itself"), Ok(Callee::Itself));
        for text in ["desk", "tel:5550100", "sips:desk@127.0.0.1", "sip:a@b;transport=sctp"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_a_wrong_command_line() {
        for wrong in [
            &["--dtmf", "12x"][..],
            &["--expect", "("],
            &["--codec", "mp3"],
            &["--srtp", "yes"],
            &["--srtp-keys", "zrtp"],
            &["--speed", "20"],
            &["--pause", "-1"],
            &["--api", "ftp://127.0.0.1"],
            &["--script", "a.toml", "--say", "hello"],
        ] {
            let target = ["sip:desk@127.0.0.1"];
            let all: Vec<_> = target.iter().chain(wrong).copied().collect();
            assert!(parsed(&all).is_err(), "{wrong:?}");
        }
    }
}
