use super::*;

fn faults(text: &str) -> Vec<Fault> {
    match Playbook::parse(text) {
        Err(PlaybookError::Faults(faults)) => faults,
        other => panic!("expected faults, got {other:?}"),
    }
}

/// The default file with one line changed.
fn changed(from: &str, to: &str) -> String {
    assert!(SHIPPED[0].1.contains(from), "{from}");
    SHIPPED[0].1.replacen(from, to, 1)
}

#[test]
fn the_shipped_playbook_is_valid_and_every_reference_leads_somewhere() {
    let playbook = Playbook::logistics();
    assert_eq!(playbook.language(), "en");
    assert!(playbook.intents().count() > 12);
    let message = playbook.fallback().yes.expect("the fallback takes a message");
    assert_eq!(playbook.intent(message).action, Action::Message);
    assert_eq!(playbook.by_key('0'), Some(message));
    assert_eq!(playbook.by_key('7'), None);
    assert_eq!(playbook.look_up("orders", "4729"), None);
}

#[test]
fn a_vocabulary_is_words_within_the_recognisers_room() {
    let with = |list: &str| format!("vocabulary = {list}\n{}", SHIPPED[0].1);
    let playbook = Playbook::parse(&with("[\"EuroPallet\", \"Aarhus\"]")).expect("valid");
    assert_eq!(playbook.vocabulary(), ["EuroPallet", "Aarhus"]);
    assert!(Playbook::logistics().vocabulary().is_empty());
    let long = format!("[\"{}\"]", "x".repeat(801));
    for (list, allowed) in [("[\" \"]", "a word"), ("\"word\"", "a list"), (&long, "800 bytes")] {
        let faults = faults(&with(list));
        assert_eq!(faults[0].key, "vocabulary", "{list}");
        assert!(faults[0].allowed.contains(allowed), "{faults:?}");
    }
}

#[test]
fn variables_are_edited_in_one_place() {
    let playbook =
        Playbook::parse(&changed("Northgate Logistics", "Müller & Sons")).expect("valid");
    assert!(playbook.prompts().greeting.contains("this is Müller & Sons."));
}

#[test]
fn faults_of_the_section_for_a_model_are_told_like_any_others() {
    let table = [
        (
            "answers = \"missed\"",
            "answers = \"all\"",
            "llm.answers",
            "must be one of: missed, open",
        ),
        ("filler = ", "filer = ", "llm.filler", "is missing"),
        (
            "name = \"hang_up\"",
            "name = \"reboot\"",
            "llm.tool.reboot.name",
            "must be one of: take_",
        ),
        ("name = \"hang_up\"", "name = \"remember\"", "llm.tool.remember.name", "there already"),
        ("name = \"hang_up\"", "name = \"send_dtmf\"", "llm.tool.send_dtmf.allowed", "must list"),
        ("most = 10", "most = 1000", "llm.tool.remember.most", "must be a number from 1 to 20"),
        ("message: {text} Is", "message: {words} Is", "llm.tool.take_message.confirm", "{words}"),
    ];
    for (from, to, key, allowed) in table {
        let faults = faults(&changed(from, to));
        let told = faults.iter().any(|fault| fault.key == key && fault.allowed.contains(allowed));
        assert!(told, "{to}: {faults:?}");
    }
    let playbook = Playbook::logistics();
    let llm = playbook.llm().expect("it has the section");
    assert!(llm.instructions.contains("Northgate Logistics"), "variables are put in");
    assert!(playbook.is_fixed(&llm.filler), "it is rendered before the call");
}

#[test]
fn each_fault_names_key_value_and_what_is_allowed() {
    let table = [
        ("language = \"en\"", "language = \"e n\"", "language", "language tag"),
        ("language = \"en\"", "languge = \"en\"", "languge", "not a key here; known are: "),
        (
            "type = \"digits\"",
            "type = \"digit\"",
            "intent.track.slot.order.type",
            "must be one of: text, digits",
        ),
        (
            "min = 3",
            "min = 30",
            "intent.track.slot.order.min",
            "must not be above max, which is 12",
        ),
        (
            "usual = 4",
            "usual = [4, 13]",
            "intent.track.slot.order.usual",
            "from 3 to 12, or a list",
        ),
        ("usual = 4", "usual = \"4\"", "intent.track.slot.order.usual", "or a list of such"),
        (
            "pause_ms = 1000",
            "pause_ms = 20",
            "intent.message.slot.text.pause_ms",
            "from 200 to 2000",
        ),
        (
            "pause_ms = 1000",
            "patience = { unknown_ms = 20 }",
            "intent.message.slot.text.patience.unknown_ms",
            "from 200 to 2000",
        ),
        (
            "pause_ms = 1000",
            "patience = { complete_ms = 2001 }",
            "intent.message.slot.text.patience.complete_ms",
            "from 60 to 2000",
        ),
        (
            "pause_ms = 1000",
            "patience = { pause_ms = 300 }",
            "intent.message.slot.text.patience.pause_ms",
            "not a key here",
        ),
        (
            "pause_ms = 1000",
            "pause_ms = 1000\npatience = { unknown_ms = 900 }",
            "intent.message.slot.text.pause_ms",
            "only one of them",
        ),
        ("pause_ms = 1000", "usual = 4", "intent.message.slot.text.usual", "not a key here"),
        ("max = 12", "max = 99", "intent.track.slot.order.max", "from 1 to 34"),
        ("ask_again_below = 0.3", "ask_again_below = 30", "ask_again_below", "from 0 to 1"),
        ("{value}. Is that", "{that}. Is that", "prompts.read_back", "must hold {value}"),
        (
            "read_back = \"I have {value}. Is that right?\"\n",
            "",
            "intent.call_back.slot.number.read_back",
            "needs confirm here, or prompts.read_back",
        ),
        (
            "read_back = \"I have {value}. Is that right?\"\n",
            "",
            "intent.call_back.slot.order.read_back",
            "needs confirm here, or prompts.read_back",
        ),
        ("read_back_below = 0.9", "read_back_below = 2", "read_back_below", "from 0 to 1"),
        ("weak = true", "weak = \"yes\"", "intent.thanks.weak", "true or false"),
        (
            "yes = \"message\"",
            "yes = \"mesage\"",
            "fallback.yes",
            "must name an intent: hours, address",
        ),
        ("1 = \"hours\"", "1 = \"hour\"", "keys.1", "must name an intent"),
        ("1 = \"hours\"", "11 = \"hours\"", "keys.11", "must be a key"),
        (
            "We are open {hours}.",
            "We are open {ours}.",
            "intent.hours.reply",
            "{ours} is unknown; known are: address, firm, hours",
        ),
        ("We are open {hours}.", "We are open {hours.", "intent.hours.reply", "`}` is missing"),
        (
            "{order:digits}. I cannot",
            "{order:loud}. I cannot",
            "intent.track.reply",
            "only `digits`",
        ),
        (
            "\"when do you close\"",
            "\"when [do you close\"",
            "intent.hours.phrases",
            "`]` is missing",
        ),
        (
            "[number] {order}\",\n  \"is my",
            "[number] {number}\",\n  \"is my",
            "intent.track.phrases",
            "no slot `number`",
        ),
        (
            "table = \"orders\"",
            "table = \"order\"",
            "intent.track.lookup.table",
            "under [tables]: orders",
        ),
        ("by = \"order\"", "by = \"orders\"", "intent.track.lookup.by", "must name a slot: order"),
        ("name = \"address\"", "name = \"hours\"", "intent.hours.name", "another intent already"),
        (
            "name = \"address\"",
            "name = \"our address\"",
            "intent.our address.name",
            "letters, digits",
        ),
        ("listen = \"What can I do for you?\"", "", "prompts.listen", "is missing"),
        (
            "miss = \"Sorry, I did not understand that.\"",
            "miss = 5",
            "prompts.miss",
            "a text in quotes",
        ),
        (
            "greeting = \"Hello",
            "greeting = \"{order} Hello",
            "prompts.greeting",
            "{order} is unknown",
        ),
        ("scope = \"always\"", "scope = \"ever\"", "intent.person.scope", "open, always, asking"),
        ("thanks = [\"thankyou\"]", "thanks = [\"thank you\"]", "synonyms.thanks", "single words"),
        ("ask = \"What is your order number?\"", "", "intent.track.slot.order.ask", "is missing"),
        ("weak = true", "weak = true\npatterns = [\"(\"]", "intent.thanks.patterns", "unclosed"),
        (
            "weak = true",
            "weak = true\npatterns = [\"(?P<x>a)\"]",
            "intent.thanks.patterns",
            "no slot `x`",
        ),
    ];
    for (from, to, key, allowed) in table {
        let found = faults(&changed(from, to));
        let fits = |fault: &Fault| fault.key == key && fault.allowed.contains(allowed);
        assert!(found.iter().any(fits), "{to}: {found:#?}");
    }
}

#[test]
fn all_faults_are_reported_at_once() {
    let text = "
        language = 5
        colour = 'red'
        [prompts]
        greeting = ''
        [[intent]]
        name = 'a'
        action = 'dance'
        [[intent]]
        reply = '{x}'
    ";
    let found = faults(text);
    for key in [
        "language",
        "colour",
        "prompts.greeting",
        "prompts.listen",
        "fallback",
        "intent.a.action",
        "intent.a.reply",
        "intent[1].name",
        "intent[1].reply",
    ] {
        assert!(found.iter().any(|fault| fault.key == key), "{key}: {found:#?}");
    }
    let shown = PlaybookError::Faults(found).to_string();
    assert!(shown.contains("colour = \"red\": is not a key here"), "{shown}");
}

#[test]
fn an_empty_file_and_no_toml_are_told_apart() {
    assert!(matches!(Playbook::parse("= 5"), Err(PlaybookError::Syntax(_))));
    assert!(faults("").iter().any(|fault| fault.key == "intent"));
}

#[test]
fn an_entry_of_a_table_is_the_answer() {
    use crate::converse::{Conversation, Input, Output, Settings, Speech, plain};
    let playbook = Playbook::parse(&changed(
        "# \"4729\" = \"is on the van and will arrive today\"",
        "\"4729\" = \"is on the van\"",
    ))
    .expect("valid");
    let mut conversation = Conversation::new(std::sync::Arc::new(playbook), Settings::default());
    #[expect(clippy::disallowed_methods, reason = "a test's clock needs a beginning")]
    let now = std::time::Instant::now();
    conversation.handle(now, Input::Connected);
    let mut said = Vec::new();
    for text in ["Track order 4729.", "Yes."] {
        conversation.handle(now, Input::Heard(Speech::certain(text)));
        loop {
            match conversation.poll_output() {
                Output::Say(say) => {
                    said.push(plain(say.text.reveal()));
                    conversation.handle(now, Input::Finished { utterance: say.utterance });
                }
                Output::Timeout(_) => break,
                _ => {}
            }
        }
    }
    assert!(said.last().expect("a reply").starts_with("Order 4729 is on the van."), "{said:?}");
}

#[test]
fn the_usual_length_of_a_number_is_given_or_learnt_from_a_table_whose_keys_are_alike() {
    let entry = "# \"4729\" = \"is on the van and will arrive today\"";
    let table = [
        ("usual = 4\n", entry, vec![4]),
        ("usual = [4, 6]\n", entry, vec![4, 6]),
        ("usual = 6\n", "\"4729\" = \"is here\"", vec![6]),
        ("", "\"47291\" = \"is here\"\n\"47292\" = \"is not\"", vec![5]),
        ("", "\"47291\" = \"is here\"\n\"4729\" = \"is not\"", vec![]),
        ("", "\"A4729\" = \"is here\"", vec![]),
        ("", "\"47\" = \"is too short\"", vec![]),
        ("", entry, vec![]),
    ];
    for (usual, entries, expected) in table {
        let text = changed("usual = 4\n", usual).replacen(entry, entries, 1);
        let playbook = Playbook::parse(&text).expect(entries);
        let (_, track) = playbook.intents().find(|(_, intent)| intent.name == "track").unwrap();
        assert_eq!(track.slots[0].usual, expected, "{usual} {entries}");
    }
}
