//! Answers as servers send them, whole and cut at every byte; what is said of them; what is allowed.

mod history;

use super::*;
use crate::base::{Entropy, Private, limits};
use crate::converse::lookup::Lookups;
use crate::converse::reply::Template;

fn text(text: &str) -> Event {
    Event::Text(Private::new(text.to_owned()))
}

fn call(id: &str, name: &str, arguments: &str) -> Event {
    Event::Call(request(id, name, arguments))
}

fn request(id: &str, name: &str, arguments: &str) -> ToolRequest {
    let arguments = Private::new(arguments.to_owned());
    ToolRequest { id: id.into(), name: name.into(), arguments }
}

fn read(protocol: Protocol, parts: &[&[u8]]) -> Vec<Event> {
    let (mut reader, mut events) = (Reader::new(protocol), Vec::new());
    parts.iter().for_each(|part| reader.push(part, &mut events));
    reader.end(&mut events);
    assert!(reader.has_ended());
    assert_eq!(events.iter().filter(|event| event.is_end()).count(), 1, "{events:?}");
    assert!(events.last().is_some_and(Event::is_end), "{events:?}");
    events
}

/// Texts in a row are one: where the server cut them says nothing.
fn joined(events: Vec<Event>) -> Vec<Event> {
    let mut out: Vec<Event> = Vec::new();
    for event in events {
        match (out.last_mut(), event) {
            (Some(Event::Text(before)), Event::Text(more)) => {
                *before = Private::new(format!("{}{}", before.reveal(), more.reveal()));
            }
            (_, event) => out.push(event),
        }
    }
    out
}

fn ollama(parts: &str) -> String {
    parts.lines().map(|line| format!("{}\n", line.trim())).collect()
}

const O: Protocol = Protocol::Ollama;
const S: Protocol = Protocol::OpenAi;

fn answers() -> Vec<(Protocol, String, Vec<Event>)> {
    let done = || Event::Done(Finish::Stop);
    vec![
        (
            O,
            ollama(
                r#"{"model":"m","message":{"role":"assistant","content":"Grüß"},"done":false}
                   {"message":{"role":"assistant","content":"","thinking":"hm"},"done":false}
                   {"message":{"role":"assistant","content":" dich 🎉."},"done":false}
                   {"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":7}"#,
            ),
            vec![text("Grüß dich 🎉."), done()],
        ),
        (
            O,
            ollama(
                r#"{"message":{"content":"","tool_calls":[{"function":{"name":"hang_up","arguments":{}}},{"id":"x","function":{"index":0,"name":"remember","arguments":{"name":"a","value":"b"}}}]},"done":false}
                   {"message":{"content":""},"done":true,"done_reason":"stop"}"#,
            ),
            vec![
                call("call_0", "hang_up", "{}"),
                call("x", "remember", r#"{"name":"a","value":"b"}"#),
                done(),
            ],
        ),
        (O, ollama(r#"{"message":{"content":"A"},"done":true,"done_reason":"length"}"#), vec![text("A"), Event::Done(Finish::Length)]),
        (O, ollama("{\"message\":{\"content\":\"A\"},\"done\":false}\n{\"error\":\"model runner has unexpectedly stopped\"}"), vec![text("A"), Event::Failed(Fault::Told)]),
        (O, ollama(r#"{"message":{"content":"A"},"done":false}"#), vec![text("A"), Event::Failed(Fault::CutOff)]),
        (O, String::new(), vec![Event::Failed(Fault::CutOff)]),
        (O, "<html><body>Bad gateway</body></html>".into(), vec![Event::Failed(Fault::Protocol)]),
        (O, "{\"message\":{\"content\":\"A\"},\"done\":true}\n{\"error\":\"late\"}\n".into(), vec![text("A"), done()]),
        (O, "\r\n{\"message\":{\"content\":\"A\"},\"done\":true}\r\n".into(), vec![text("A"), done()]),
        (
            S,
            concat!(
                ": ping\n\n",
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
                "event: x\nid: 7\ndata:{\"choices\":[{\"delta\":{\"content\":\"Grüß\"}}]}\r\n\r\n",
                "data: {\"choices\":[{\"delta\":{\"content\":null,\"reasoning_content\":\"hm\"}}]}\n\n",
                "data: {\"choices\":\ndata: [{\"delta\":{\"content\":\" dich.\"},\"finish_reason\":\"stop\"}]}\n\n",
                "data: {\"choices\":[],\"usage\":{\"total_tokens\":9}}\n\n",
                "data: [DONE]\n\n",
            ).into(),
            vec![text("Grüß dich."), done()],
        ),
        (
            S,
            concat!(
                "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"hang_up\",\"arguments\":\"\"}}]}}]}\n\n",
                "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"remember\",\"arguments\":\"{\\\"na\"}}]}}]}\n\n",
                "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}},{\"index\":1,\"function\":{\"arguments\":\"me\\\":1}\"}}]}}]}\n\n",
                "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]",
            ).into(),
            vec![call("a", "hang_up", "{}"), call("b", "remember", "{\"name\":1}"), done()],
        ),
        (S, "data: {\"choices\":[{\"delta\":{\"content\":\"A\"},\"finish_reason\":\"length\"}]}\n\n".into(), vec![text("A"), Event::Done(Finish::Length)]),
        (S, "data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\ndata: {\"error\":{\"message\":\"x\"}}\n\n".into(), vec![text("A"), Event::Failed(Fault::Told)]),
        (S, "data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\nerror: {\"message\":\"x\"}\n\n".into(), vec![text("A"), Event::Failed(Fault::Told)]),
        (S, "data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\n".into(), vec![text("A"), Event::Failed(Fault::CutOff)]),
        (S, "data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\ndata: [DONE]\n\n".into(), vec![text("A"), Event::Failed(Fault::CutOff)]),
        (S, "data: {oops\n\n".into(), vec![Event::Failed(Fault::Protocol)]),
        (S, "<html></html>\n".into(), vec![Event::Failed(Fault::CutOff)]),
    ]
}

#[test]
fn answers_are_read_whole_and_cut_at_every_byte() {
    for (protocol, body, expected) in answers() {
        let bytes = body.as_bytes();
        assert_eq!(joined(read(protocol, &[bytes])), expected, "{body}");
        for at in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(joined(read(protocol, &[head, tail])), expected, "{body} at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(joined(read(protocol, &single)), expected, "{body} byte by byte");
    }
}

#[test]
fn what_is_too_long_fails_and_takes_no_memory() {
    let endless = vec![b'x'; 1024 * 1024];
    for protocol in [O, S] {
        assert_eq!(read(protocol, &[&endless]), [Event::Failed(Fault::TooLong)]);
        let line = match protocol {
            O => "{\"message\":{\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}\n",
            S => "data: {\"choices\":[{\"delta\":{\"reasoning\":\"hm\"}}]}\n\n",
        };
        let lines = line.repeat(limits::LLM_ANSWER_BYTES / line.len() + 1);
        let parts: Vec<&[u8]> = lines.as_bytes().chunks(60_000).collect();
        assert_eq!(read(protocol, &parts).last(), Some(&Event::Failed(Fault::TooLong)));
    }
    for (words, times) in [("word ".to_owned(), 100_000), ("é".repeat(100_000), 1)] {
        let line = |protocol| match protocol {
            O => format!("{{\"message\":{{\"content\":\"{words}\"}},\"done\":false}}\n"),
            S => format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{words}\"}}}}]}}\n\n"),
        };
        for protocol in [O, S] {
            let body = line(protocol).repeat(times);
            let parts: Vec<&[u8]> = body.as_bytes().chunks(60_000).collect();
            let events = read(protocol, &parts);
            let length = |event: &Event| match event {
                Event::Text(text) => text.reveal().len(),
                _ => 0,
            };
            let passed: usize = events.iter().map(length).sum();
            assert!((limits::LLM_TEXT_BYTES - 1..=limits::LLM_TEXT_BYTES).contains(&passed));
            assert_eq!(events.last(), Some(&Event::Done(Finish::Length)));
        }
    }
    let many = "{\"function\":{\"name\":\"hang_up\",\"arguments\":{}}},".repeat(9);
    let body =
        format!("{{\"message\":{{\"tool_calls\":[{}]}},\"done\":true}}", &many[..many.len() - 1]);
    assert_eq!(read(O, &[body.as_bytes()]), [Event::Failed(Fault::TooLong)]);
}

/// The tool calls of chunks that hold these lists of parts.
fn called(chunks: &[&str]) -> Vec<Event> {
    let chunk = |parts: &&str| {
        format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":{parts}}}}}]}}\n\n")
    };
    let body: String = chunks.iter().map(chunk).collect();
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n";
    let mut events = read(S, &[body.as_bytes(), end.as_bytes()]);
    assert_eq!(events.pop(), Some(Event::Done(Finish::Stop)));
    events
}

#[test]
fn tool_calls_are_told_apart_however_a_server_numbers_them() {
    let (a, b) = (call("a", "hang_up", "{}"), call("b", "remember", "{\"x\":1}"));
    let whole_a = r#"{"id":"a","function":{"name":"hang_up","arguments":"{}"}}"#;
    let whole_b = r#"{"id":"b","function":{"name":"remember","arguments":"{\"x\":1}"}}"#;
    let both = format!("[{whole_a},{whole_b}]");
    let (only_a, only_b) = (format!("[{whole_a}]"), format!("[{whole_b}]"));
    let zero_a = only_a.replace("{\"id\"", "{\"index\":0,\"id\"");
    let zero_b = only_b.replace("{\"id\"", "{\"index\":0,\"id\"");
    let head_b = r#"[{"id":"b","function":{"name":"remember","arguments":"{\"x\""}}]"#;
    let tail_b = r#"[{"function":{"arguments":":1}"}}]"#;
    let again_b = r#"[{"id":"b","function":{"name":"remember","arguments":":1}"}}]"#;
    let numbered_tail = r#"[{"index":0,"id":"other","function":{"arguments":":1}"}}]"#;
    for chunks in [
        vec![both.as_str()],
        vec![&only_a, &only_b],
        vec![&zero_a, &zero_b],
        vec![&only_a, head_b, tail_b],
        vec![&only_a, head_b, again_b],
    ] {
        assert_eq!(called(&chunks), [a.clone(), b.clone()], "{chunks:?}");
    }
    let head = head_b.replace("{\"id\"", "{\"index\":0,\"id\"");
    assert_eq!(called(&[&head, numbered_tail]), [b], "an id that changes begins no call");
    // Without ids, names tell them apart.
    let nameless = |text: &str| text.replace("\"id\":\"a\",", "").replace("\"id\":\"b\",", "");
    let parted = [nameless(&only_a), nameless(head_b), nameless(again_b)];
    let parted: Vec<&str> = parted.iter().map(String::as_str).collect();
    let expected = [call("call_0", "hang_up", "{}"), call("call_1", "remember", "{\"x\":1}")];
    assert_eq!(called(&parted), expected);
    let twice = nameless(&only_a);
    assert_eq!(called(&[&twice, &twice]).len(), 2, "two calls of one tool");
}

#[test]
fn no_bytes_of_a_server_make_the_reader_fail_twice_or_hang() {
    let mut entropy = Entropy::new([3; 32]);
    for (protocol, body, _) in answers() {
        for _ in 0..400 {
            let mut bytes = body.clone().into_bytes();
            for _ in 0..=entropy.next_u32() % 4 {
                let at = entropy.next_u32() as usize % (bytes.len() + 1);
                match entropy.next_u32() % 3 {
                    0 if at < bytes.len() => bytes[at] = entropy.next_u32() as u8,
                    1 if at < bytes.len() => drop(bytes.remove(at)),
                    _ => bytes.insert(at, b"{}[]\":,\n\r\0"[entropy.next_u32() as usize % 10]),
                }
            }
            let cut = entropy.next_u32() as usize % (bytes.len() + 1);
            read(protocol, &[&bytes[..cut], &bytes[cut..]]);
        }
    }
}

fn spoken(parts: &[&str]) -> String {
    let (mut spoken, mut out) = (Spoken::default(), String::new());
    parts.iter().for_each(|part| spoken.push(part, &mut out));
    spoken.end(&mut out);
    out
}

#[test]
fn only_speech_is_left_of_a_text_however_it_was_cut() {
    for (written, said) in [
        ("Hello.", "Hello."),
        ("<think>The caller wants <b>hours</b>.</think>We are open.", "We are open."),
        ("<think>never closed", ""),
        ("<thinking>a < b</thinking>Yes.", "Yes."),
        ("Yes.<|im_end|><|endoftext|>", "Yes."),
        ("</s>Yes.<s>", "Yes."),
        ("**Bold** and _it_ and `code`", "Bold and it and code"),
        ("# Title\n- one\n- two", "Title\none\ntwo"),
        ("a - b, twenty-one", "a - b, twenty-one"),
        ("See [our page](http://x.test/a_b) now.", "See our page now."),
        ("[INST] Hi [/INST]", "Hi "),
        ("It is [roughly] five.", "It is roughly five."),
        ("Open 🎉 now ✅ ☎️ → here", "Open now here"),
        ("3 < 5 and 7 > 6", "3 5 and 7 6"),
        ("<digits>4729</digits>", "4729"),
        ("Привет, как дела?", "Привет, как дела?"),
        ("a\u{200b}b\u{7}c", "abc"),
        ("left [open", "left open"),
        ("One. <tool_call>{\"name\":\"dial\"}</tool_call>Two.", "One. Two."),
        ("<function=dial>{\"to\":1}</function>Two.", "Two."),
        ("One.[TOOL_CALLS][{\"name\":\"dial\"}] more", "One."),
        ("One.<|python_tag|>dial(1)", "One."),
        ("<|channel|>analysis<|message|>Hm, <b>what</b>?<|end|>Yes.", "Yes."),
        (
            "<|channel|>analysis<|message|>Hm?<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>",
            "Yes.",
        ),
        ("<|channel|>commentary to=functions.dial <|message|>{\"a\":1}<|call|>", ""),
    ] {
        assert_eq!(spoken(&[written]), said, "{written}");
        for (at, _) in written.char_indices() {
            let (head, tail) = written.split_at(at);
            assert_eq!(spoken(&[head, tail]), said, "{written} at {at}");
        }
    }
}

#[test]
fn no_mark_of_ours_and_no_markup_is_ever_left() {
    const PARTS: [&str; 16] = [
        "<", ">", "<digits>", "</think>", "<think>", "[", "]", "(", ")", "*", "`", "word", " ",
        "\n", "🎉", "<|",
    ];
    let mut entropy = Entropy::new([9; 32]);
    for _ in 0..2_000 {
        let pick = |e: &mut Entropy| PARTS[e.next_u32() as usize % PARTS.len()];
        let parts: Vec<&str> = (0..entropy.next_u32() % 20).map(|_| pick(&mut entropy)).collect();
        let said = spoken(&parts);
        assert!(!said.contains(['<', '>', '[', ']', '*', '`', '🎉']), "{parts:?}: {said}");
    }
}

fn pieces(parts: &[&str]) -> Vec<String> {
    let (mut sentences, mut out) = (Sentences::default(), Vec::new());
    let mut keep = |piece| {
        out.push(piece);
        true
    };
    parts.iter().for_each(|part| sentences.push(part, &mut keep));
    sentences.end(&mut keep);
    out
}

/// The pieces that are whole once these words have come, a space after each.
fn pieces_after(words: &str) -> usize {
    let (mut sentences, mut count) = (Sentences::default(), 0);
    for word in words.split_inclusive(' ') {
        sentences.push(word, |_| {
            count += 1;
            true
        });
    }
    count
}

#[test]
fn the_first_piece_is_there_with_its_last_word_and_not_with_the_one_after() {
    for early in [
        "Yes, ",
        "Certainly.",
        "That is free.",
        "Shall I ask?",
        "We are open from",
        "I am glad to help.",
        "We are by the harbour.",
        "On working days we open at",
    ] {
        assert_eq!(pieces_after(early), 1, "{early}");
        let (before, _) = early.trim_end().rsplit_once(' ').unwrap_or_default();
        assert_eq!(pieces_after(before), 0, "{before}");
    }
    for torn in ["We are open in", "It is in", "The Dr.", "It costs 3.", "See (the house,"] {
        let expected = usize::from(torn.starts_with("We"));
        assert_eq!(pieces_after(torn), expected, "{torn}");
    }
}

#[test]
fn sentences_are_cut_as_they_come_and_the_first_early() {
    let table: [(&str, &[&str]); 17] = [
        ("Yes. We are open.", &["Yes.", "We are open."]),
        ("Yes, of course. It is there.", &["Yes,", "of course.", "It is there."]),
        ("We close at 6 p.m. on Fridays. Bye!", &["We close at 6 p.m. on Fridays.", "Bye!"]),
        ("Dr. Brown is in. Ask for J. Smith.", &["Dr. Brown is in.", "Ask for J. Smith."]),
        ("We are open from eight to six.", &["We are open,", "from eight to six."]),
        (
            "On working days we open at eight, and on Saturdays at nine. Please come, all of you, soon.",
            &[
                "On working days we open,",
                "at eight, and on Saturdays at nine.",
                "Please come, all of you, soon.",
            ],
        ),
        ("The ferry is at the quay.", &["The ferry is at the quay."]),
        ("I can put you through to Anna.", &["I can put you through to Anna."]),
        ("It costs 3.50 or 1,000.", &["It costs 3.50 or 1,000."]),
        ("One\nTwo\n\nThree", &["One", "Two", "Three"]),
        ("He said \"Stop.\" Then he left.", &["He said \"Stop.\"", "Then he left."]),
        ("A call {\"name\": \"x\"} goes.", &["A call {\"name\": \"x\"} goes."]),
        ("Да. Мы на ул. Мира, дом 5.", &["Да.", "Мы на ул. Мира,", "дом 5."]),
        ("Склад открыт сегодня до шести.", &["Склад открыт сегодня,", "до шести."]),
        (" . ! ", &[]),
        ("1. First.\n2. Second.", &["1. First.", "2. Second."]),
        ("Look at www.example.com. It helps.", &["Look at www.example.com.", "It helps."]),
    ];
    for (text, expected) in table {
        assert_eq!(pieces(&[text]), expected, "{text}");
        // A domain that was cut after its dots is the price of haste.
        for (at, _) in text.char_indices().filter(|(at, _)| !text[..*at].ends_with("example.")) {
            let (head, tail) = text.split_at(at);
            assert_eq!(pieces(&[head, tail]), expected, "{text} at {at}");
        }
    }
    let (mut sentences, mut taken) = (Sentences::default(), 0);
    sentences.push(&"Yes. ".repeat(1_000), |_| {
        taken += 1;
        taken < 3
    });
    assert_eq!(taken, 3, "nothing is cut that nobody wants");
    let endless = pieces(&["word ".repeat(2_000).as_str()]);
    assert!(endless.iter().all(|piece| piece.chars().count() <= 250), "{endless:?}");
    assert!(pieces(&["x".repeat(5_000).as_str()]).len() <= 11);
}

fn answer(events: Vec<Event>) -> (Answer, Vec<String>) {
    let mut answer = Answer::default();
    events.into_iter().for_each(|event| answer.take(event));
    let pieces = answer.take_pieces().into_iter().map(Private::into_revealed).collect();
    (answer, pieces)
}

#[test]
fn an_answer_is_whole_failed_or_enough() {
    let done = || Event::Done(Finish::Stop);
    let (whole, said) = answer(vec![text("Yes. We"), text(" do"), done()]);
    assert_eq!((whole.stage(), said), (Stage::Whole, vec!["Yes.".into(), "We do".into()]));
    let (torn, said) = answer(vec![text("Yes. We are o"), Event::Done(Finish::Length)]);
    assert_eq!((torn.stage(), said), (Stage::Whole, vec!["Yes.".to_owned()]));
    let (torn, said) = answer(vec![text("We are o"), Event::Done(Finish::Length)]);
    assert_eq!((torn.stage(), said), (Stage::Whole, vec!["We are o".to_owned()]));
    for nothing in [vec![done()], vec![text("<think>hm</think> \n🎉"), done()]] {
        assert_eq!(answer(nothing).0.stage(), Stage::Failed);
    }
    let broken = vec![text("Yes. We"), Event::Failed(Fault::Stalled)];
    assert_eq!(answer(broken).0.stage(), Stage::Failed);
    let (runaway, said) = answer(vec![text("A b c d. "); 10_000]);
    assert_eq!(runaway.stage(), Stage::Enough);
    assert!(said.iter().map(String::len).sum::<usize>() <= limits::LLM_SPOKEN_CHARS);
    for nothing in ["! ", "\n", "<think>", ". . ", "\u{2003}"] {
        let (mut endless, mut taken) = (Answer::default(), 0);
        while endless.stage() == Stage::Coming {
            taken += nothing.len();
            assert!(taken <= limits::LLM_TEXT_BYTES + nothing.len(), "{nothing:?}");
            endless.take(text(nothing));
        }
        let (line, said) = answer(vec![text(&nothing.repeat(100_000))]);
        assert_eq!((line.stage(), line.has_words(), said), (Stage::Enough, false, vec![]));
    }
    let (mut tools, _) = answer(vec![call("1", "hang_up", ""), done()]);
    assert_eq!((tools.stage(), tools.take_calls().len()), (Stage::Whole, 1));
}

#[test]
fn arguments_become_types_or_an_error_for_the_model() {
    let parsed =
        |name: &str, arguments: &str| parse(&request("1", name, arguments), &Lookups::default());
    let private = |text: &str| Private::new(text.to_owned());
    assert_eq!(parsed("hang_up", ""), Ok(ToolCall::HangUp));
    assert_eq!(parsed("hang_up", "{\"sure\":true}"), Ok(ToolCall::HangUp));
    assert_eq!(
        parsed("take_message", r#"{"text":"Call <b>me</b>.","number":"+1 (555) 01-00","name":""}"#),
        Ok(ToolCall::TakeMessage {
            name: None,
            number: Some(private("15550100")),
            text: private("Call bme/b."),
        })
    );
    let doubled = serde_json::to_string(r#"{"text":"Hi","number":5550100}"#).unwrap();
    assert!(parsed("take_message", &doubled).is_ok());
    assert_eq!(
        parsed("send_dtmf", r##"{"digits":"12#"}"##),
        Ok(ToolCall::SendDigits { digits: private("12#") })
    );
    assert_eq!(parsed("format_disk", "{}"), Err(Malformed::Unknown));
    assert_eq!(parsed("", "{}"), Err(Malformed::Unknown));
    for broken in ["{", "[]", "7", "\"x\"", "{\"text\":"] {
        assert_eq!(parsed("take_message", broken), Err(Malformed::NotAnObject), "{broken}");
    }
    for (name, arguments) in [
        ("take_message", "{}"),
        ("take_message", r#"{"text":{"a":1}}"#),
        ("take_message", r#"{"text":"x","number":"call me"}"#),
        ("take_message", r#"{"text":"x","number":"123456789012345678901"}"#),
        ("send_dtmf", r#"{"digits":"12;reboot"}"#),
        ("send_dtmf", r#"{"digits":""}"#),
        ("remember", r#"{"name":"x"}"#),
    ] {
        let outcome = parsed(name, arguments);
        assert!(matches!(outcome, Err(Malformed::Argument { .. })), "{arguments}: {outcome:?}");
    }
}

#[test]
fn the_policy_allows_asks_or_refuses_and_counts() {
    let confirm = Template::parse("I write: {text}. Right?", |_| None).ok();
    let rule = |tool, confirm, allowed| Rule { tool, most: 2, confirm, allowed };
    let policy = Policy::new(vec![
        rule(Tool::TakeMessage, confirm, Vec::new()),
        rule(Tool::Remember, None, Vec::new()),
        rule(Tool::SendDigits, None, vec!["1#".into()]),
    ]);
    let mut spent = Spent::default();
    let of = |name: &str, arguments: &str| {
        parse(&request("1", name, arguments), &Lookups::default()).unwrap()
    };
    let message = of("take_message", r#"{"text":"Hi"}"#);
    let question = Decision::Confirm(Private::new("I write: Hi. Right?".into()));
    assert_eq!(policy.decide(&spent, &message), question);
    assert!(matches!(policy.decide(&spent, &of("hang_up", "")), Decision::Refuse(_)));
    assert_eq!(policy.decide(&spent, &of("send_dtmf", r##"{"digits":"1#"}"##)), Decision::Allow);
    let long = format!(r#"{{"text":"*Call* [me](http://x) {}"}}"#, "now ".repeat(200));
    let Decision::Confirm(asked) = policy.decide(&spent, &of("take_message", &long)) else {
        panic!("it is asked")
    };
    let asked = asked.into_revealed();
    assert!(asked.starts_with("I write: Call me now now"), "{asked}");
    assert!(asked.chars().count() < 330 && asked.ends_with("now. Right?"), "{asked}");
    let others = of("send_dtmf", r#"{"digits":"911"}"#);
    assert!(matches!(policy.decide(&spent, &others), Decision::Refuse(_)));
    let note = of("remember", r#"{"name":"a","value":"b"}"#);
    for _ in 0..2 {
        assert_eq!(policy.decide(&spent, &note), Decision::Allow);
        spent.note(Tool::Remember);
    }
    assert!(matches!(policy.decide(&spent, &note), Decision::Refuse(_)));
    let tools: Vec<Tool> = policy.rules().iter().map(|rule| rule.tool).collect();
    assert_eq!(tools, [Tool::TakeMessage, Tool::Remember, Tool::SendDigits]);
}
