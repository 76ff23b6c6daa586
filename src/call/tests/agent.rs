//! A call that a remote agent holds: when it is connected, what is heard of it, who goes on where it fails.

use std::time::Duration;

use super::*;
use crate::base::limits;
use crate::converse::agent::{ClientMessage, Command, End, Event, Fault, Format, Metadata};
use crate::converse::llm::ToolRequest;
use crate::converse::people::{Address, People, Person, Way};

/// Of a reply, 200 ms of the agent's sound.
const PIECE: usize = 10 * FRAME_SAMPLES;
const TOOLS: &str = "\n[agent]\n[[agent.tool]]\nname = \"take_message\"\n[[agent.tool]]\n\
    name = \"transfer\"\n[[agent.tool]]\nname = \"hang_up\"\n";

fn ringing(playbook: &str, answer_after: Duration) -> Desk {
    let person = Person {
        name: "Anna Weber".to_owned(),
        phrases: Vec::new(),
        address: Address::Number(Private::new("+4930123456".to_owned())),
        hours: None,
        way: Way::Refer,
        then: None,
        ring: Duration::from_secs(30),
    };
    let text = format!("{}{playbook}", Playbook::logistics().source());
    let playbook = Playbook::parse(&text).unwrap().with_people(People::new(vec![person])).unwrap();
    let settings = Settings { tongues: Tongues::only(playbook), answer_after, ..settings() };
    let manner = Manner { agent: true, ..Manner::plain(LanguageCode::ENGLISH) };
    Desk::take_in(&settings, manner, Some(OFFER)).unwrap()
}

/// Answered, and the agent is there.
fn talking() -> Desk {
    let mut desk = ringing(TOOLS, Duration::ZERO);
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.opens();
    desk
}

impl Desk {
    fn agent(&mut self, event: Event) {
        let id =
            self.agent.iter().rev().find_map(|(id, command)| {
                matches!(command, Command::Prepare { .. }).then_some(*id)
            });
        self.input(Input::Work(WorkResult::Agent { id: id.unwrap(), event }));
    }

    fn opens(&mut self) {
        self.agent(Event::Connected);
        let conversation = Private::new("conv_1".to_owned());
        let (output, input) = (Format::Pcm(16_000), Format::Pcm(16_000));
        self.agent(Event::Opened(Metadata { conversation, output, input }));
    }

    /// So many pieces at once, with numbers from `first` on.
    fn speaks(&mut self, first: i64, pieces: i64) {
        for event_id in first..first + pieces {
            let sound =
                Private::new([5_000_i16; PIECE].iter().flat_map(|s| s.to_le_bytes()).collect());
            self.agent(Event::Audio { event_id, sound });
        }
    }

    fn words(&mut self, event: impl Fn(Private<String>) -> Event, text: &str) {
        self.agent(event(Private::new(text.to_owned())));
    }

    fn commands_to_agent(&self, is_it: impl Fn(&Command) -> bool) -> usize {
        self.agent.iter().filter(|(_, command)| is_it(command)).count()
    }

    pub(super) fn connects(&self) -> usize {
        self.commands_to_agent(|command| matches!(command, Command::Connect(_)))
    }

    fn chunks(&self) -> usize {
        self.commands_to_agent(|c| matches!(c, Command::Send(ClientMessage::Audio(_))))
    }

    fn calls_tool(&mut self, name: &str, arguments: &str) -> (String, bool) {
        let arguments = Private::new(arguments.to_owned());
        self.agent(Event::Called(ToolRequest { id: "1".into(), name: name.into(), arguments }));
        let Some((_, Command::Send(ClientMessage::ToolResult { result, is_error, .. }))) =
            self.agent.last()
        else {
            panic!("{:?}", self.agent.last())
        };
        (result.reveal().clone(), *is_error)
    }

    fn fault(&self) -> Option<Fault> {
        self.call.record().agent.as_ref().unwrap().fault
    }

    fn frames_played(&self) -> u32 {
        self.played.iter().map(|(_, frames)| frames).sum()
    }
}

#[test]
fn an_agent_is_looked_for_while_it_rings_and_connected_with_the_answer_until_the_end() {
    let mut desk = ringing("", Duration::from_secs(1));
    assert!(matches!(desk.agent.as_slice(), [(_, Command::Prepare { agent: None })]));
    desk.run(900, false);
    assert_eq!(desk.connects(), 0);
    desk.run(200, false);
    assert_eq!(desk.connects(), 0, "no ACK yet");
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    assert_eq!(desk.connects(), 1);
    desk.opens();
    desk.speaks(1, 5);
    desk.run(1_500, true);
    assert_eq!(desk.frames_played(), 50, "a second of it was heard");
    assert_eq!(desk.chunks(), 37, "40 ms each of the caller's 1.5 s");
    assert!(
        desk.asked.is_empty() && desk.spoken.is_empty(),
        "nothing is recognised or spoken here"
    );
    let work = desk.agent[0].0;
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
    desk.run(20, false);
    desk.run_engine();
    assert!(desk.partials.cancelled.contains(&work), "its connection is closed");
    let record = desk.call.record().agent.clone().unwrap();
    assert_eq!((record.used_ms, record.connected_after_ms), (1_500, Some(0)));
}

#[test]
fn words_stand_in_the_record_as_they_were_heard() {
    let mut desk = talking();
    desk.words(|text| Event::Said { text }, "One two three four five six seven eight nine ten.");
    desk.speaks(1, 10);
    desk.run(1_000, false);
    desk.agent(Event::Interrupted { event_id: 10 });
    let (wire, frames) = *desk.played.last().unwrap();
    assert_eq!((desk.silenced, frames), (wire, 50));
    // What is late is not heard.
    desk.speaks(10, 1);
    desk.run(200, false);
    assert_eq!(desk.frames_played(), 50);
    desk.input(Input::Silenced { through: wire, utterance: wire, frames });
    assert_eq!(desk.replies(), ["One two three four five"]);
    assert!(desk.call.record().turns()[0].interrupted);
    desk.words(|text| Event::Corrected { text }, "One two three four...");
    desk.words(|text| Event::Heard { text }, "Stop.");
    desk.words(|text| Event::Said { text }, "All right.");
    desk.speaks(11, 1);
    desk.run(400, false);
    desk.words(|text| Event::Said { text }, "What now?");
    assert_eq!(desk.replies(), ["One two three four...", "All right. What now?"]);
    assert_eq!(desk.call.record().turns()[1].caller_text.reveal(), "Stop.");
    assert_eq!(desk.frames_played(), 60, "under another number it is heard");
}

#[test]
fn a_caller_is_greeted_where_the_agent_is_not_there_in_time_and_not_kept_waiting_where_it_never_will()
 {
    let mut desk = ringing("", Duration::ZERO);
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    let patience = u64::try_from(limits::AGENT_THERE_WITHIN.as_millis()).unwrap();
    desk.run(patience - 40, false);
    assert!(desk.replies().is_empty());
    desk.run(60, false);
    assert!(desk.replies()[0].contains("How can I help you?"), "{:?}", desk.replies());
    assert_eq!(desk.fault(), Some(Fault::Late));
    desk.says("What are your opening hours?");
    assert!(!desk.asked.is_empty(), "the playbook listens");

    let mut desk = ringing("", Duration::from_secs(1));
    desk.agent(Event::Ended(End::Failed(Fault::Key(401))));
    desk.run(1_100, false);
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    assert!(desk.replies()[0].contains("How can I help you?"), "{:?}", desk.replies());
    assert_eq!((desk.connects(), desk.fault()), (0, Some(Fault::Key(401))));
}

#[test]
fn an_agent_that_is_lost_is_tried_once_more_and_told_what_was_said_then_the_playbook_goes_on() {
    let mut desk = talking();
    desk.speaks(1, 1);
    desk.words(|text| Event::Heard { text }, "My number is seven.");
    desk.run(400, false);
    desk.agent(Event::Ended(End::Failed(Fault::Closed(1011))));
    assert_eq!(desk.connects(), 2);
    desk.opens();
    let context = desk.agent.iter().find_map(|(_, command)| match command {
        Command::Send(ClientMessage::ContextualUpdate(text)) => Some(text.reveal().clone()),
        _ => None,
    });
    assert!(context.unwrap().contains("Caller: My number is seven."));
    // What comes of the first connection is nothing any more.
    let first = desk.agent[0].0;
    let event = Event::Ended(End::Failed(Fault::Lost));
    desk.input(Input::Work(WorkResult::Agent { id: first, event }));
    assert_eq!(desk.fault(), None);
    desk.agent(Event::Ended(End::Failed(Fault::Lost)));
    let said = desk.replies();
    assert_eq!(said.last().unwrap(), "One moment, please. What can I do for you?");
    assert_eq!((desk.connects(), desk.fault()), (2, Some(Fault::Lost)));
    desk.run(2_000, false);
    desk.says("What are your opening hours?");
    assert!(desk.replies().last().unwrap().contains("Monday to Friday"), "{:?}", desk.replies());
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    for fault in [Fault::Closed(1008), Fault::Closed(1002), Fault::CallSeconds, Fault::Silent] {
        let mut desk = talking();
        desk.speaks(1, 1);
        desk.run(400, false);
        desk.agent(Event::Ended(End::Failed(fault)));
        assert_eq!((desk.connects(), desk.fault()), (1, Some(fault)));
        assert!(desk.replies().last().unwrap().starts_with("One moment"), "{:?}", desk.replies());
    }
}

#[test]
fn an_agent_that_says_nothing_is_no_dead_line() {
    let mut desk = talking();
    desk.run(5_100, false);
    assert_eq!(desk.fault(), Some(Fault::Silent));
    assert!(desk.replies()[0].contains("How can I help you?"), "nothing was heard of it");
    let mut desk = talking();
    desk.speaks(1, 1);
    desk.run(30_000, false);
    assert_eq!(desk.fault(), None, "it waits for the caller");
    desk.run(1_500, true);
    desk.run(9_800, false);
    assert_eq!(desk.fault(), None);
    desk.run(400, false);
    assert_eq!(desk.fault(), Some(Fault::Silent));
}

#[test]
fn silence_is_sent_where_the_caller_is_not_heard() {
    let mut desk = talking();
    desk.speaks(1, 1);
    let before = desk.chunks();
    for _ in 0..2 {
        desk.now = desk.deadline.unwrap();
        desk.input(Input::Timeout);
    }
    assert_eq!(desk.chunks() - before, 50, "2 s of it");
}

#[test]
fn tools_are_judged_by_the_playbook() {
    let mut desk = talking();
    desk.speaks(1, 1);
    for (name, arguments) in
        [("open_door", "{}"), ("send_dtmf", r#"{"digits":"1"}"#), ("take_message", "{}")]
    {
        assert!(desk.calls_tool(name, arguments).1, "{name}");
    }
    assert_eq!(desk.calls_tool("take_message", r#"{"text":"Call me."}"#), ("done".into(), false));
    assert_eq!(desk.call.record().messages()[0].text.as_ref().unwrap().reveal(), "Call me.");
    desk.run(1_000, false);
    assert_eq!(desk.calls_tool("transfer", r#"{"person":"Anna Weber"}"#), ("done".into(), false));
    let said = desk.replies();
    assert!(said.last().unwrap().contains("putting you through to Anna Weber"), "{said:?}");
    desk.run(3_000, false);
    assert!(desk.commands.iter().any(|c| matches!(c, sip::Command::Refer { .. })));
    assert_eq!(desk.fault(), None);
}

#[test]
fn a_goodbye_is_heard_to_its_end() {
    let mut desk = talking();
    desk.speaks(1, 10);
    desk.agent(Event::Leaving);
    desk.agent(Event::Ended(End::Finished));
    desk.run(1_900, false);
    assert_eq!(desk.ending(), None);
    desk.run(800, false);
    assert_eq!(desk.ending(), Some(Cause::Goodbye));
    assert_eq!(desk.frames_played(), 100);
    // One that ends without a word about the call leaves the caller to the playbook.
    let mut desk = talking();
    desk.speaks(1, 1);
    desk.run(400, false);
    desk.agent(Event::Ended(End::Finished));
    assert_eq!(desk.fault(), Some(Fault::Closed(1000)));
    // And the tool has us hang up.
    let mut desk = talking();
    desk.speaks(1, 5);
    assert_eq!(desk.calls_tool("hang_up", "{}"), ("done".into(), false));
    desk.run(1_000, false);
    assert_eq!(desk.ending(), None);
    desk.run(2_500, false);
    assert_eq!(desk.ending(), Some(Cause::Goodbye));
}

#[test]
fn keys_are_told_together() {
    let mut desk = talking();
    desk.speaks(1, 1);
    for digit in ['4', '2'] {
        let duration = Duration::from_millis(100);
        desk.input(Input::Media(MediaEvent::DigitBegun));
        desk.input(Input::Media(MediaEvent::Digit { digit, duration }));
        desk.run(500, false);
    }
    desk.run(1_200, false);
    let told: Vec<String> = desk
        .agent
        .iter()
        .filter_map(|(_, command)| match command {
            Command::Send(ClientMessage::UserMessage(text)) => Some(text.reveal().clone()),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["(The caller pressed the telephone keys 42.)"]);
}

#[test]
fn a_call_lasts_no_longer_with_an_agent() {
    let mut desk = talking();
    let longest = settings().converse.max_duration;
    let ticks = u64::try_from(longest.as_millis()).unwrap() / FRAME_MS;
    for tick in 0..ticks {
        if tick % 100 == 0 {
            desk.speaks(i64::try_from(tick).unwrap() + 1, 1);
        }
        desk.tick(false);
    }
    desk.run(200, false);
    assert!(desk.replies().last().unwrap().contains("our time on this call is over"));
    desk.run(3_000, false);
    assert_eq!(desk.ending(), Some(Cause::MaxDuration));
}

#[test]
fn a_reply_without_end_is_not_read_without_end() {
    let mut desk = talking();
    desk.speaks(1, 305);
    let reads = |desk: &Desk| -> Vec<bool> {
        let read = desk.agent.iter().filter_map(|(_, command)| match command {
            Command::Read(reads) => Some(*reads),
            _ => None,
        });
        read.collect()
    };
    assert_eq!(reads(&desk), [false]);
    desk.run(16_500, false);
    assert_eq!(reads(&desk), [false, true]);
}

#[test]
fn an_interruption_cuts_what_was_said_before_the_callers_words_although_these_come_first() {
    let mut desk = talking();
    desk.words(|text| Event::Said { text }, "One two three four five six seven eight nine ten.");
    desk.speaks(1, 10);
    desk.run(1_000, false);
    desk.words(|text| Event::Heard { text }, "Stop.");
    desk.agent(Event::Interrupted { event_id: 10 });
    let (utterance, frames) = *desk.played.last().unwrap();
    desk.input(Input::Silenced { through: utterance, utterance, frames });
    assert_eq!(desk.replies(), ["One two three four five", ""]);
    let interrupted = |desk: &Desk, turn: usize| desk.call.record().turns()[turn].interrupted;
    assert!(interrupted(&desk, 0) && !interrupted(&desk, 1));
    desk.words(|text| Event::Corrected { text }, "One two...");
    assert_eq!(desk.replies(), ["One two...", ""]);
}

#[test]
fn whoever_takes_the_call_over_silences_the_agent_and_the_playbook_has_it_back() {
    let mut desk = talking();
    desk.speaks(1, 20);
    desk.words(|text| Event::Said { text }, "Good day, this is the agent.");
    desk.run(1_000, false);
    let heard = desk.played.last().unwrap().0;
    let by = Private::new("owner".to_owned());
    let operator = CallId(9);
    desk.input(Input::Attended(Attendance::TakesOver { operator, by }));
    assert!(desk.silenced >= heard);
    assert!(
        desk.partials.cancelled.len() == 1
            || desk.work.iter().any(|w| matches!(w, Work::Cancel { .. })),
        "its connection is closed"
    );
    desk.played.clear();
    desk.speaks(21, 20);
    desk.run(60_000, false);
    assert!(desk.played.is_empty(), "what it still says is not heard");
    let connects = desk.connects();
    desk.input(Input::Attended(Attendance::GivesBack(operator)));
    desk.run(200, false);
    assert!(!desk.played.is_empty());
    assert_eq!(*desk.replies().last().unwrap(), Playbook::logistics().takes_over().join(" "));
    desk.run(4_000, false);
    desk.says("What are your opening hours?");
    assert!(desk.replies().last().unwrap().contains("open"), "{:?}", desk.replies());
    assert_eq!((desk.connects(), desk.ending()), (connects, None));
}
