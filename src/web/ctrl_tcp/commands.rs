//! The commands, by the names of baresip's menu.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::Settings;
use super::message::{Outcome, Request, peer_uri};
use crate::base::{CallId, Private};
use crate::call::Wish;
use crate::call::record::{CallRecord, Direction, Progress};
use crate::converse::Variables;
use crate::sip::message::Uri;
use crate::web::board::Board;
use crate::web::command::{Command, Control, Controlled, DialOrder, HungUp, NotPlaced, Placed};
use crate::web::controlling::keys;

/// The net thread answers within the time that a disk takes for a few bytes.
const PATIENCE: Duration = Duration::from_secs(10);
/// The INVITE leaves at once after the answer.
const NAMED_WITHIN: Duration = Duration::from_secs(1);

/// Every command with its words in `help`.
const COMMANDS: [(&str, &str); 20] = [
    ("about", "About box"),
    ("accept", "Accept incoming call"),
    ("answermode ..", "Set answer mode"),
    ("callfind ..", "Find call <callid>"),
    ("callstat", "Call status"),
    ("dial ..", "Dial"),
    ("hangup", "Hangup call"),
    ("hangupall", "Hangup all calls"),
    ("help", "Help menu"),
    ("hold", "Call hold"),
    ("line ..", "Set current call <line>"),
    ("listcalls", "List active calls"),
    ("mute", "Call mute/un-mute"),
    ("reginfo", "Registration info"),
    ("resume", "Call resume"),
    ("sndcode ..", "Send code"),
    ("transfer ..", "Transfer call"),
    ("uafind ..", "Find User-Agent <aor>"),
    ("uareg ..", "UA register"),
    ("unmute", "Call un-mute"),
];

/// What the commands of one client work on.
#[derive(Debug)]
pub struct Commands {
    board: Arc<Board>,
    commands: mpsc::Sender<Command>,
    settings: Arc<Settings>,
    /// The call that is meant where none is named.
    current: Option<CallId>,
}

impl Commands {
    pub fn new(
        board: Arc<Board>,
        commands: mpsc::Sender<Command>,
        settings: Arc<Settings>,
    ) -> Self {
        Self { board, commands, settings, current: None }
    }

    pub async fn run(&mut self, request: &Request) -> Outcome {
        let params = request.params.as_deref().unwrap_or_default().trim();
        // ctrl_tcp adds the slash; some clients do, too.
        match request.command.trim_start_matches('/') {
            "about" => Outcome::done(about()),
            "help" => Outcome::done(help()),
            "dial" => self.dial(params).await,
            "accept" => self.accept(params).await,
            "answermode" => self.answer_mode(params).await,
            "hangup" => self.hang_up(params).await,
            "hangupall" => self.hang_up_all(params).await,
            "hold" => self.wish(params, Wish::Hold(true), "").await,
            "resume" => self.wish(params, Wish::Hold(false), "").await,
            "mute" => self.mute(params).await,
            "unmute" => self.unmute(params).await,
            "sndcode" => match keys(params) {
                Ok(keys) => self.wish("", Wish::Press(keys), "").await,
                Err(text) => Outcome::failed(format!("{text}\n")),
            },
            "transfer" => self.transfer(params).await,
            "listcalls" => Outcome::done(self.list()),
            "callstat" => Outcome::done(self.status()),
            "callfind" => self.find(params),
            "line" => self.line(params),
            "reginfo" => Outcome::done(self.registrations()),
            "uafind" => self.find_account(params),
            "uareg" => Outcome::failed(
                "registrations are renewed by themselves; see reginfo and [[accounts]]\n",
            ),
            "uanew" | "uadel" | "quit" | "insmod" | "rmmod" => {
                Outcome::failed(format!("not over this connection ({})\n", request.command))
            }
            _ => Outcome::failed(format!("command not found ({})\n", request.command)),
        }
    }

    /// The calls that are up, the oldest first: their order is their line.
    fn lines(&self) -> Vec<Arc<CallRecord>> {
        let mut lines = self.board.calls();
        lines.retain(|record| !record.progress.is_ended());
        lines.reverse();
        lines
    }

    /// By a Call-ID, or by our own id; without one the current call, else the newest.
    fn named(&self, text: &str) -> Option<Arc<CallRecord>> {
        let lines = self.lines();
        let is_it = |record: &&Arc<CallRecord>| {
            record.sip_call_id.reveal() == text || record.id.to_string() == text
        };
        match text {
            "" => {
                let current = lines.iter().find(|record| Some(record.id) == self.current);
                current.or_else(|| lines.last()).cloned()
            }
            _ => lines.iter().find(is_it).cloned(),
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (told, answer) = oneshot::channel();
        self.commands.try_send(command(told)).ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    }

    async fn dial(&mut self, params: &str) -> Outcome {
        let target = params.split_whitespace().next().unwrap_or_default();
        let order = DialOrder {
            phone_number: Private::new(number(target)),
            trunk: None,
            playbook: None,
            variables: Variables::default(),
            on_machine: None,
            agent: None,
            campaign_number: None,
        };
        // From before the call on, so that its name is not missed.
        let events = self.board.events().listen(None);
        match self.ask(|told| Command::Dial { order, told }).await {
            Some(Ok(Placed { call, .. })) => {
                self.current = Some(call);
                let named =
                    tokio::time::timeout(NAMED_WITHIN, self.name(call, events.coming)).await;
                let named = named.ok().flatten().map(|record| {
                    let uri = peer_uri(&record, &self.settings);
                    format!("call uri: {uri}\ncall id: {}\n", record.sip_call_id.reveal())
                });
                Outcome::done(named.unwrap_or_default())
            }
            Some(Err(why)) => Outcome::failed(format!("{}\n", text(&why))),
            None => busy(),
        }
    }

    /// The call's record once its Call-ID is known.
    async fn name(
        &self,
        call: CallId,
        mut coming: tokio::sync::broadcast::Receiver<Arc<crate::web::events::Happened>>,
    ) -> Option<Arc<CallRecord>> {
        loop {
            let named = |record: &Arc<CallRecord>| !record.sip_call_id.reveal().is_empty();
            if let Some(record) = self.board.call(call).filter(named) {
                return Some(record);
            }
            coming.recv().await.ok()?;
        }
    }

    async fn accept(&mut self, params: &str) -> Outcome {
        let rings = |record: &&Arc<CallRecord>| {
            record.direction == Direction::Inbound && record.progress == Progress::Ringing
        };
        let lines = self.lines();
        let ringing = match params {
            "" => lines.iter().rev().find(rings).cloned(),
            named => self.named(named),
        };
        let Some(record) = ringing else { return Outcome::failed("no incoming call\n") };
        self.current = Some(record.id);
        let aor = self.settings.aor(None);
        let done = format!("{aor}: Answering incoming call\n");
        self.control(record.id, Control::Wish(Wish::Answer), &done).await
    }

    async fn answer_mode(&self, params: &str) -> Outcome {
        let by_hand = match params {
            "manual" => true,
            "auto" | "early" => false,
            _ => return Outcome::failed("Invalid answer mode: manual, auto or early\n"),
        };
        match self.commands.send(Command::AnswerByHand(by_hand)).await {
            Ok(()) => Outcome::done(format!("Answer mode changed to: {params}\n")),
            Err(_) => busy(),
        }
    }

    async fn hang_up(&mut self, params: &str) -> Outcome {
        // scode=486 reason=Busy may follow.
        let named = params.split_whitespace().find(|word| !word.contains('='));
        match self.named(named.unwrap_or_default()) {
            Some(record) => self.end(record.id).await,
            // baresip does not mind, where none is named.
            None if named.is_none() => Outcome::done(""),
            None => Outcome::failed("call not found\n"),
        }
    }

    async fn hang_up_all(&self, params: &str) -> Outcome {
        let is_meant = |record: &&Arc<CallRecord>| match params {
            "in" | "incoming" => record.direction == Direction::Inbound,
            "out" | "outgoing" => record.direction == Direction::Outbound,
            _ => true,
        };
        for record in self.lines().iter().filter(is_meant) {
            let outcome = self.end(record.id).await;
            if !outcome.ok {
                return outcome;
            }
        }
        Outcome::done("")
    }

    /// One that has ended meanwhile is what was wanted.
    async fn end(&self, call: CallId) -> Outcome {
        match self.ask(|told| Command::HangUp { call, told }).await {
            Some(HungUp::Ending | HungUp::NotUp) => Outcome::done(""),
            None => busy(),
        }
    }

    async fn wish(&self, named: &str, wish: Wish, done: &str) -> Outcome {
        match self.named(named) {
            Some(record) => self.control(record.id, Control::Wish(wish), done).await,
            None => Outcome::failed("no active call\n"),
        }
    }

    /// A switch.
    async fn mute(&self, named: &str) -> Outcome {
        let Some(record) = self.named(named) else { return Outcome::failed("no active call\n") };
        self.set_mute(record.id, !record.is_muted).await
    }

    async fn unmute(&self, named: &str) -> Outcome {
        match self.named(named) {
            Some(record) => self.set_mute(record.id, false).await,
            None => Outcome::failed("no active call\n"),
        }
    }

    async fn set_mute(&self, call: CallId, is_mute: bool) -> Outcome {
        let done = if is_mute { "\ncall muted\n" } else { "\ncall un-muted\n" };
        self.control(call, Control::Wish(Wish::Mute(is_mute)), done).await
    }

    async fn transfer(&self, to: &str) -> Outcome {
        let Some(record) = self.named("") else { return Outcome::failed("no active call\n") };
        match to.is_empty() {
            true => Outcome::failed("usage: transfer <SIP address>\n"),
            false => {
                let to = Control::Transfer(Private::new(to.to_owned()));
                self.control(record.id, to, "").await
            }
        }
    }

    async fn control(&self, call: CallId, wish: Control, done: &str) -> Outcome {
        match self.ask(|told| Command::Control { call, wish, told }).await {
            Some(Controlled::Done) => Outcome::done(done),
            Some(Controlled::NotUp) => Outcome::failed("no active call\n"),
            Some(Controlled::NotNow) => Outcome::failed("Invalid argument"),
            Some(Controlled::NotThere(why)) => Outcome::failed(format!("{}\n", text(&why))),
            None => busy(),
        }
    }

    fn list(&self) -> String {
        let lines = self.lines();
        let current = self.named("").map(|record| record.id);
        let mut text = format!("\n--- Active calls ({}) ---\n", lines.len());
        for (number, record) in (1..).zip(&lines) {
            let mark = if Some(record.id) == current { ">" } else { " " };
            let (time, state) = (time(record), state(record));
            let peer = peer_uri(record, &self.settings);
            text += &format!("{mark} [line {number}]  {time}  {state:<20}    {peer}\n");
        }
        text + "\n"
    }

    fn status(&self) -> String {
        let Some(record) = self.named("") else { return "\n(no active calls)\n".to_owned() };
        let (state, peer) = (state(&record), peer_uri(&record, &self.settings));
        let account = record.dialled.as_ref().map(|dialled| dialled.trunk.as_str());
        let aor = self.settings.aor(account);
        let direction = match record.direction {
            Direction::Inbound => "Incoming",
            Direction::Outbound => "Outgoing",
        };
        let rtp = &record.rtp;
        let codec = record.codec.map_or("none", |codec| codec.name());
        format!(
            "\n===== Call debug ({state}) =====\n local_uri:  <{aor}>\n peer_uri:   <{peer}>\n id={}\n \
             direction: {direction}\n codec: {codec}\n packets: {} sent, {} received, {} lost\n\n",
            record.sip_call_id.reveal(),
            rtp.packets_sent,
            rtp.packets_received,
            rtp.packets_lost,
        )
    }

    fn find(&mut self, params: &str) -> Outcome {
        match self.named(params).filter(|_| !params.is_empty()) {
            Some(record) => {
                self.current = Some(record.id);
                Outcome::done(format!("setting current call: {params}\n"))
            }
            None => Outcome::failed("No such file or directory"),
        }
    }

    fn line(&mut self, params: &str) -> Outcome {
        let number = params.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match number.and_then(|index| self.lines().get(index).cloned()) {
            Some(record) => {
                self.current = Some(record.id);
                Outcome::done(format!("setting current call: line {params}\n"))
            }
            None => Outcome::failed("No such file or directory"),
        }
    }

    fn registrations(&self) -> String {
        let accounts = self.board.accounts();
        let known = self.settings.accounts.len().max(1);
        let mut text = format!("\n--- User Agents ({known}) ---\n");
        if self.settings.accounts.is_empty() {
            text += &format!("> {:<42}\n", self.settings.own.reveal());
        }
        for (index, (name, aor)) in self.settings.accounts.iter().enumerate() {
            let mark = if index == 0 { ">" } else { " " };
            let report = accounts.iter().find(|report| report.name == *name);
            let state = match report.map_or("registering", |report| report.state) {
                "registered" => "OK ",
                "failing" | "unreachable" => "ERR",
                "registering" => "zzz",
                _ => "",
            };
            text += &format!("{mark} {:<42} {state}\n", aor.reveal());
        }
        text + "\n"
    }

    fn find_account(&self, params: &str) -> Outcome {
        let own = std::iter::once(self.settings.own.reveal());
        let mut all = own.chain(self.settings.accounts.iter().map(|(_, aor)| aor.reveal()));
        match all.find(|aor| aor.as_str() == params) {
            Some(aor) => Outcome::done(format!("ua: {aor}\n")),
            None => Outcome::failed("No such file or directory"),
        }
    }
}

/// The number that is to be called: of a URI its user, and else what was given.
fn number(target: &str) -> String {
    let bare = target.trim_start_matches('<').trim_end_matches('>');
    if let Some(number) = bare.strip_prefix("tel:") {
        return number.split(';').next().unwrap_or_default().to_owned();
    }
    let user = Uri::parse(bare).and_then(|uri| uri.user_as_read().ok()?);
    user.unwrap_or_else(|| bare.to_owned())
}

fn text(why: &NotPlaced) -> &str {
    match why {
        NotPlaced::Wrong(text)
        | NotPlaced::Forbidden(text)
        | NotPlaced::Limited(text, _)
        | NotPlaced::Unavailable(text) => text,
    }
}

fn busy() -> Outcome {
    Outcome::failed("Resource temporarily unavailable")
}

fn about() -> String {
    let name = format!("attendant {}", env!("CARGO_PKG_VERSION"));
    let line = "-".repeat(60);
    format!(".{line}.\n|{name:^60}|\n|{:^60}|\n'{line}'\n", "speaks ctrl_tcp as baresip does")
}

fn help() -> String {
    let line = |(name, words): &(&str, &str)| format!("  /{name:<18} {words}\n");
    let lines: String = COMMANDS.iter().map(line).collect();
    format!("--- Help ---\n{lines}\n")
}

const fn state(record: &CallRecord) -> &'static str {
    match (record.progress, record.direction) {
        (Progress::Dialling | Progress::Waiting { .. }, _) => "OUTGOING",
        (Progress::Ringing, Direction::Inbound) => "INCOMING",
        (Progress::Ringing, Direction::Outbound) => "RINGING",
        (Progress::EarlyMedia, _) => "EARLY",
        (Progress::Active { .. }, _) => "ESTABLISHED",
        (Progress::Ended { .. }, _) => "TERMINATED",
    }
}

fn time(record: &CallRecord) -> String {
    let since = record.progress.answered_at_ms().unwrap_or_else(crate::web::unix_ms);
    let seconds = crate::web::unix_ms().saturating_sub(since) / 1_000;
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dialled_is_the_user_of_an_address_or_a_number() {
        for (target, wanted) in [
            ("sip:+4930123456@192.0.2.1:5070;transport=udp", "+4930123456"),
            ("<sip:030123456@sip.example.net>", "030123456"),
            ("tel:+4930123456;phone-context=x", "+4930123456"),
            ("+49 30", "+49 30"),
            ("sip:192.0.2.1", "sip:192.0.2.1"),
        ] {
            assert_eq!(number(target), wanted);
        }
    }

    #[test]
    fn help_has_every_command_that_is_known() {
        let help = help();
        for name in ["dial", "hangup", "accept", "listcalls", "reginfo", "transfer", "sndcode"] {
            assert!(help.contains(&format!("/{name}")), "{help}");
        }
    }
}
