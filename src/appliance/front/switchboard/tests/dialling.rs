//! Calls that we make, as far as the switchboard sees to them: nothing leaves uncounted.

use std::path::PathBuf;

use tokio::sync::oneshot;

use super::*;
use crate::appliance::accounts::{Plan, Platform, Resolver};
use crate::appliance::config::from_text;
use crate::base::Private;
use crate::store::ledger::{LedgerFile, Written};
use crate::trunk::ringcentral::{Action, Body, Input, Refusal, Target};
use crate::trunk::{AnswerPolicy, Callers};
use crate::web::{
    Command, Control, Controlled, DialOrder, HungUp, NotPlaced, PartyOrder, PartyWish, Placed,
};

const RULES: &str = "[[accounts]]\nname = \"office\"\nserver = \"192.0.2.1\"\nuser = \"1001\"\n\
    [dial]\nallow = [\"+49\"]\ncalls_per_minute = 2\nbusy_retry_s = [1]\n";

type Asked = oneshot::Receiver<Result<Placed, NotPlaced>>;

struct Office {
    desk: Desk,
    folder: PathBuf,
}

impl Drop for Office {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Office {
    /// Its account's server is the telephone.
    async fn open(name: &str, ports: u16) -> Self {
        Self::with(name, ports, plan()).await
    }

    async fn with(name: &str, ports: u16, plan: Plan) -> Self {
        let folder = std::env::temp_dir().join(format!("attendant-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let kept = LedgerFile::open(&folder.join("dialled.json")).unwrap();
        let dialler = Dialler::new(from_text(RULES).unwrap().dial, Some(kept));
        let (resolver, _) = Resolver::new(entropy(4));
        let callers = Callers::new(true, false, Vec::new());
        let accounts = Accounts::new(vec![plan], callers, resolver, &mut entropy(5));
        let mut desk = Desk::with(ports, accounts, dialler).await;
        desk.switchboard.set_readiness(desk.now, Readiness::Ready);
        desk.switchboard.start_accounts(desk.now);
        let address = desk.phone.local_addr().unwrap();
        let servers = vec![sip::Server { transport: sip::Transport::Udp, address }];
        let valid = Duration::from_secs(300);
        let resolved =
            crate::appliance::accounts::Resolved { account: 0, servers, names: vec![], valid };
        desk.switchboard.resolved(desk.now, resolved);
        Self { desk, folder }
    }

    fn dials(&mut self, number: &str) -> Asked {
        let (told, asked) = oneshot::channel();
        let order = DialOrder {
            phone_number: Private::new(number.to_owned()),
            trunk: None,
            playbook: None,
            variables: Vec::new(),
            on_machine: None,
            agent: None,
            campaign_number: None,
        };
        self.desk.switchboard.command(self.desk.now, Command::Dial { order, told });
        asked
    }

    /// The ledger is on the disk.
    async fn counts(&mut self) {
        let mut written = self.desk.switchboard.parts.dialler.written();
        loop {
            let last = *written.borrow_and_update();
            if !self.desk.switchboard.parts.dialler.on_disk(last).is_empty() {
                return self.desk.switchboard.ledger_written(self.desk.now, last);
            }
            written.changed().await.unwrap();
        }
    }

    /// The same of what is held until then.
    async fn releases(&mut self) {
        let mut written = self.desk.switchboard.parts.dialler.written();
        while !self.desk.switchboard.held.is_empty() {
            let last = *written.borrow_and_update();
            self.desk.switchboard.ledger_written(self.desk.now, last);
            if !self.desk.switchboard.held.is_empty() {
                written.changed().await.unwrap();
            }
        }
    }

    fn transfers(&mut self, to: &str) -> Controlled {
        let (told, mut asked) = oneshot::channel();
        let wish = Control::Transfer(Private::new(to.to_owned()));
        let command = Command::Control { call: CallId(1), wish, told };
        self.desk.switchboard.command(self.desk.now, command);
        asked.try_recv().unwrap()
    }

    fn hangs_up(&mut self, call: u64) -> HungUp {
        let (told, mut asked) = oneshot::channel();
        let call = CallId(call);
        self.desk.switchboard.command(self.desk.now, Command::HangUp { call, told });
        asked.try_recv().unwrap()
    }

    /// What the telephone has got, if anything.
    fn got(&self) -> Option<String> {
        let mut bytes = vec![0; 4_096];
        let length = self.desk.phone.try_recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    fn cause(&self, call: u64) -> &'static str {
        let record = self.desk.switchboard.parts.board.call(CallId(call)).unwrap();
        record.progress.ending().unwrap().cause.wording().name
    }

    fn state(&self, call: u64) -> &'static str {
        self.desk.switchboard.parts.board.call(CallId(call)).unwrap().progress.name()
    }
}

fn plan() -> Plan {
    let private = |text: &str| Private::new(text.to_owned());
    Plan {
        name: "office".to_owned(),
        transports: vec![Transport::Udp],
        registrar: private("sip:example.net"),
        address_of_record: private("sip:1001@example.net"),
        user: private("1001"),
        credentials: None,
        registers: false,
        number_prefix: "+".to_owned(),
        caller_id: None,
        answer: AnswerPolicy::Sip200,
        srtp: Srtp::Off,
        keys: None,
        ice: None,
        expires_s: 300,
        keep_alive: Duration::ZERO,
        agent: None,
        instance: None,
        places: Vec::new(),
        dialect: sip::Dialect::Standard,
        pace: crate::trunk::Pace::STANDARD,
        platform: None,
    }
}

/// A final response to an INVITE that we sent.
fn response(status: &str, invite: &str) -> String {
    let ok = ok_to(invite);
    let to = ok.lines().find(|line| line.starts_with("To:")).unwrap();
    ok.replace("200 OK", status).replace(to, &format!("{to};tag=callee"))
}

#[tokio::test]
async fn nobody_is_called_before_the_call_is_counted_on_the_disk() {
    let mut office = Office::open("counted", 29_000).await;
    let mut asked = office.dials("+49 30 123456");
    assert!(office.got().is_none() && asked.try_recv().is_err());
    office.counts().await;
    let invite = office.desk.gets().await;
    assert!(invite.starts_with("INVITE sip:+4930123456@example.net SIP/2.0"), "{invite}");
    assert!(invite.contains("From: <sip:1001@example.net>;tag="), "{invite}");
    let number = Private::new("+4930123456".to_owned());
    assert_eq!(asked.try_recv(), Ok(Ok(Placed { call: CallId(1), number })));
    assert_eq!(office.state(1), "dialling");
    let call_id = office.desk.switchboard.parts.board.call(CallId(1)).unwrap().sip_call_id.clone();
    assert!(invite.contains(&format!("Call-ID: {}\r\n", call_id.reveal())), "{invite}");
}

#[tokio::test]
async fn what_cannot_be_counted_or_is_wanted_no_longer_is_not_called() {
    let mut office = Office::open("uncounted", 29_020).await;
    let mut asked = office.dials("+49 30 123456");
    let lost = Written { number: 1, is_kept: false };
    office.desk.switchboard.ledger_written(office.desk.now, lost);
    assert!(matches!(asked.try_recv(), Ok(Err(NotPlaced::Unavailable(_)))));
    drop(office.dials("+49 30 123456"));
    office.counts().await;
    assert!(office.got().is_none());
    assert_eq!(office.desk.switchboard.calls(), 0);
    let mut asked = office.dials("+49 30 123456");
    assert!(matches!(asked.try_recv(), Ok(Err(NotPlaced::Limited(_, Some(_))))), "both count");
}

#[tokio::test]
async fn one_place_is_one_call_whoever_begins_it() {
    let mut office = Office::open("full", 29_040).await;
    office.desk.calls("one").await;
    let mut asked = office.dials("+49 30 123456");
    assert!(matches!(asked.try_recv(), Ok(Err(NotPlaced::Unavailable(_)))));
}

#[tokio::test]
async fn a_busy_number_is_called_again_under_the_same_id() {
    let mut office = Office::open("again", 29_060).await;
    let _asked = office.dials("+49 30 123456");
    office.counts().await;
    let invite = office.desk.gets().await;
    office.desk.sends(&response("486 Busy Here", &invite));
    assert!(office.desk.gets().await.starts_with("ACK"));
    assert_eq!(office.state(1), "waiting");
    assert_eq!(office.desk.switchboard.calls(), 0, "its place is free meanwhile");
    office.desk.now += Duration::from_secs(1);
    office.desk.switchboard.timeout(office.desk.now);
    office.counts().await;
    let again = office.desk.gets().await;
    assert!(again.starts_with("INVITE") && again != invite, "{again}");
    assert_eq!(office.state(1), "dialling");
    assert_eq!(office.hangs_up(1), HungUp::Ending);
    assert_eq!(office.state(1), "ended");
    assert_eq!(office.hangs_up(1), HungUp::NotUp);
}

#[tokio::test]
async fn one_that_waits_is_forgotten_with_the_program() {
    let mut office = Office::open("stop", 29_080).await;
    let _asked = office.dials("+49 30 123456");
    office.counts().await;
    let invite = office.desk.gets().await;
    office.desk.sends(&response("486 Busy Here", &invite));
    office.desk.switchboard.hang_up_all(office.desk.now, Cause::ShuttingDown);
    assert_eq!(office.state(1), "ended");
    assert!(office.desk.switchboard.parts.dialler.deadline().is_none());
}

/// Sent on to these addresses.
fn moved(invite: &str, contacts: &str) -> String {
    response("302 Moved", invite)
        .replace("Content-Length", &format!("Contact: {contacts}\nContent-Length"))
}

#[tokio::test]
async fn a_call_that_is_sent_on_goes_where_the_rules_let_it_and_to_each_number_once() {
    let mut office = Office::open("moved", 29_100).await;
    let _asked = office.dials("+49 30 123456");
    office.counts().await;
    let invite = office.desk.gets().await;
    // Not allowed, the same again, nobody's number; and one that may be called.
    let contacts = "<sip:+15550100@example.net>, <sip:+4930123456@elsewhere.example>, \
        <sip:anna@example.net>, <sip:+4940654321@elsewhere.example>";
    office.desk.sends(&moved(&invite, contacts));
    assert!(office.desk.gets().await.starts_with("ACK"));
    let second = office.desk.gets().await;
    assert!(second.starts_with("INVITE sip:+4940654321@example.net SIP/2.0"), "{second}");
    assert_eq!(office.state(1), "dialling");
    // Back to the first: a circle.
    office.desk.sends(&moved(&second, "<sip:+4930123456@example.net>"));
    assert!(office.desk.gets().await.starts_with("ACK"));
    assert!(office.got().is_none());
    assert_eq!(office.cause(1), "redirected");
}

#[tokio::test]
async fn of_several_addresses_the_next_is_tried_where_one_is_busy() {
    let mut office = Office::open("several", 29_120).await;
    let _asked = office.dials("+49 30 123456");
    office.counts().await;
    let invite = office.desk.gets().await;
    let contacts = "<sip:+4940111111@example.net>;q=0.5, <sip:+4940222222@example.net>";
    office.desk.sends(&moved(&invite, contacts));
    assert!(office.desk.gets().await.starts_with("ACK"));
    let second = office.desk.gets().await;
    assert!(second.starts_with("INVITE sip:+4940222222@"), "{second}");
    office.desk.sends(&response("486 Busy Here", &second));
    assert!(office.desk.gets().await.starts_with("ACK"));
    let third = office.desk.gets().await;
    assert!(third.starts_with("INVITE sip:+4940111111@"), "{third}");
    office.desk.sends(&response("404 Not Found", &third));
    assert!(office.desk.gets().await.starts_with("ACK"));
    assert_eq!(office.cause(1), "refused");
}

#[tokio::test]
async fn a_circle_of_new_numbers_ends() {
    let mut office = Office::open("circle", 29_140).await;
    let _asked = office.dials("+49 30 123456");
    office.counts().await;
    let mut invite = office.desk.gets().await;
    for number in 0..crate::base::limits::REDIRECTS_PER_CALL {
        let contact = format!("<sip:+494011111{number}@example.net>");
        office.desk.sends(&moved(&invite, &contact));
        assert!(office.desk.gets().await.starts_with("ACK"));
        invite = office.desk.gets().await;
        assert!(invite.starts_with("INVITE"), "{invite}");
    }
    office.desk.sends(&moved(&invite, "<sip:+4940999999@example.net>"));
    assert!(office.desk.gets().await.starts_with("ACK"));
    assert_eq!(office.cause(1), "redirected");
}

#[tokio::test]
async fn a_number_that_a_caller_is_put_through_to_is_counted_and_leaves_after_that() {
    let mut office = Office::open("transfer", 29_160).await;
    office.desk.calls("one").await;
    for number in 1..=2 {
        assert_eq!(office.transfers("+49 30 123456"), Controlled::Done);
        assert!(office.got().is_none(), "{number}: it is not on the disk");
        office.releases().await;
        let refer = office.desk.gets().await;
        assert!(refer.starts_with("REFER") && refer.contains("4930123456"), "{refer}");
        office.desk.sends(&ok_to(&refer).replace("200 OK", "603 Decline"));
    }
    assert_eq!(office.transfers("+49 30 123456"), Controlled::Done);
    assert!(office.desk.switchboard.held.is_empty() && office.got().is_none(), "2 a minute");
    let mut asked = office.dials("+49 30 123456");
    assert!(matches!(
        asked.try_recv(),
        Ok(Err(NotPlaced::Limited(_, Some(_)) | NotPlaced::Unavailable(_)))
    ));
    // Neither does one hide behind an escape, nor is one counted less for it.
    for hidden in ["sip:%2B19005550100@127.0.0.1", "sip:%31%39005550100@127.0.0.1"] {
        let outcome = office.transfers(hidden);
        assert!(matches!(outcome, Controlled::NotThere(_)), "{hidden}: {outcome:?}");
    }
    assert!(matches!(office.transfers("sip:%2@127.0.0.1"), Controlled::NotThere(_)));
    assert_eq!(office.transfers("sip:%2B4930123456@127.0.0.1"), Controlled::Done);
    assert!(office.desk.switchboard.held.is_empty() && office.got().is_none(), "2 a minute");
    // An extension costs nothing.
    assert_eq!(office.transfers("sip:101@127.0.0.1"), Controlled::Done);
    assert!(office.desk.gets().await.starts_with("REFER"));
}

#[tokio::test]
async fn a_call_that_the_platform_sends_on_to_a_number_is_counted_before_it_is_asked() {
    let platform = Platform {
        is_provisioned: true,
        section: 0,
        answers_by_control: false,
        is_account_wide: false,
        when_full: crate::appliance::accounts::WhenFull::Refuse,
    };
    let plan = Plan { platform: Some(platform), ..plan() };
    let mut office = Office::with("platform", 29_180, plan).await;
    let (double, mut inputs) = RingCentral::double();
    office.desk.switchboard.parts.ringcentral = double;
    let number = |text: &str| Target::PhoneNumber(Private::new(text.to_owned()));
    let order = |action| PartyOrder {
        account: "office".to_owned(),
        session: "s-1".to_owned(),
        party: "p-1-2".to_owned(),
        wish: PartyWish::Control(action),
    };
    let ask = |office: &mut Office, action| {
        let (told, asked) = oneshot::channel();
        let command = Command::PlatformControl { order: order(action), told };
        office.desk.switchboard.command(office.desk.now, command);
        asked
    };
    let mut wanting = Vec::new();
    for action in
        [Action::Forward(number("+49 (30) 123-456")), Action::Transfer(number("+49 30 123456"))]
    {
        wanting.push(ask(&mut office, action));
        assert!(inputs.try_recv().is_err(), "it is not on the disk");
        office.releases().await;
        let Ok(Input::Control { request, .. }) = inputs.try_recv() else { panic!("asked") };
        let Body::Json(body) = &request.body else { panic!("a target") };
        assert!(body.reveal().to_string().contains("+4930123456"), "as it was counted");
    }
    let mut third = ask(&mut office, Action::Transfer(number("+49 30 123456")));
    assert!(matches!(third.try_recv(), Ok(Err(Refusal::Limit(_)))), "2 a minute");
    let mut abroad = ask(&mut office, Action::Forward(number("+1 900 5550100")));
    assert!(matches!(abroad.try_recv(), Ok(Err(Refusal::Number))));
    assert!(inputs.try_recv().is_err());
    let extension = Target::Extension(Private::new("101".to_owned()));
    wanting.push(ask(&mut office, Action::Transfer(extension)));
    assert!(matches!(inputs.try_recv(), Ok(Input::Control { .. })), "it costs nothing");
    assert!(wanting.iter_mut().all(|asked| asked.try_recv().is_err()), "the platform is to answer");
}

/// Who is put through by the platform leaves us by a plain BYE.
#[tokio::test]
async fn a_call_that_the_platform_has_put_through_is_told_as_transferred() {
    use crate::appliance::ringcentral::{News, What};
    use crate::trunk::ringcentral::ApiIds;
    // The platform's word, if it has come; how long after it the BYE comes.
    let cases = [
        (Some(true), 1, "transferred"),
        (None, 1, "transferred"),
        (Some(false), 1, "hung-up"),
        (Some(true), 60, "hung-up"),
    ];
    for (number, (outcome, after_s, cause)) in cases.into_iter().enumerate() {
        let platform = Platform {
            is_provisioned: true,
            section: 0,
            answers_by_control: false,
            is_account_wide: false,
            when_full: crate::appliance::accounts::WhenFull::Refuse,
        };
        let plan = Plan { platform: Some(platform), ..plan() };
        let ports = 29_300 + 20 * number as u16;
        let mut office = Office::with(&format!("put-through-{number}"), ports, plan).await;
        let (double, mut inputs) = RingCentral::double();
        office.desk.switchboard.parts.ringcentral = double;
        let ok = office.desk.calls("one").await;
        let account = office.desk.switchboard.parts.accounts.of_section(0).unwrap();
        let ids = ApiIds { session: "s-1".to_owned(), party: "p-1-2".to_owned() };
        let desk = &mut office.desk;
        desk.switchboard.name_call(desk.now, CallId(1), account, ids);
        let extension = Target::Extension(Private::new("101".to_owned()));
        let order = PartyOrder {
            account: "office".to_owned(),
            session: "s-1".to_owned(),
            party: "p-1-2".to_owned(),
            wish: PartyWish::Control(Action::Transfer(extension)),
        };
        let (told, _asked) = oneshot::channel();
        desk.switchboard.command(desk.now, Command::PlatformControl { order, told });
        let Ok(Input::Control { ticket, .. }) = inputs.try_recv() else { panic!("asked") };
        if let Some(is_done) = outcome {
            let outcome = if is_done { Ok(()) } else { Err(Refusal::Unknown) };
            let what = What::Controlled { ticket, outcome };
            desk.switchboard.ringcentral(desk.now, News { section: 0, what });
        }
        desk.now += Duration::from_secs(after_s);
        desk.sends(&desk.request("BYE", "one", 2, &tag(&ok)));
        assert_eq!(office.cause(1), cause, "{outcome:?}, {after_s} s");
    }
}

#[tokio::test]
async fn a_call_that_is_sent_on_for_want_of_room_counts_as_one_of_ours() {
    let mut office = Office::open("sent-on", 29_240).await;
    let mut may = |text: &str| office.desk.switchboard.may_forward(&Private::new(text.to_owned()));
    assert!(!may("+1 900 5550100"), "no such country is allowed");
    assert!(may("+49 30 123456") && may("+49 30 123456"));
    assert!(!may("+49 30 123456"), "2 a minute");
}
