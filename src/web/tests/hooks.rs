//! Who may send events of RingCentral's, with the net thread played by the test.

use super::*;
use crate::appliance::config::from_text;
use crate::base::limits;

const CONFIG: &str = "[[ringcentral]]\nname = \"desk\"\nclient_id = \"x\"\nevents = \"webhook\"\n\
    webhook_address = \"https://box.example.net/webhooks/ringcentral\"\n";
const EVENT: &str = "{\"body\":{}}";

/// A page with one hook, and its word.
fn page() -> (Page, String) {
    let hooks = Hooks::new(&from_text(CONFIG).unwrap(), &mut Entropy::new([1; 32]));
    let word = hooks.word(0).into_revealed();
    (Page::with_hooks(Access::default(), hooks), word)
}

/// Posts with these fields: a body of this text, of which that many bytes are said to be there.
fn post(page: &Page, fields: &str, length: usize, body: &str) -> (u16, String) {
    let host = page.web.address();
    let head = format!(
        "POST /webhooks/ringcentral HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n{fields}\r\n"
    );
    let (status, head, _) = page.send(&format!("{head}{body}"));
    (status, head)
}

#[test]
fn without_a_hook_there_is_no_such_path() {
    let page = Page::open();
    assert_eq!(post(&page, "Validation-Token: x\r\n", 0, "").0, 404);
    assert_eq!(post(&page, "Verification-Token: \r\n", EVENT.len(), EVENT).0, 404);
}

#[test]
fn whoever_does_not_know_the_word_is_answered_before_the_body_is_there() {
    let (page, word) = page();
    // The rest of the body never comes.
    for fields in ["", "Verification-Token: x\r\n", &format!("Verification-Token: {word}x\r\n")] {
        assert_eq!(post(&page, fields, 200_000, "{").0, 401, "{fields}");
    }
    let (status, head) = post(&page, "Validation-Token: prove-it\r\n", 200_000, "{");
    assert!(status == 200 && head.contains("validation-token: prove-it"), "{head}");
    let long = format!("Validation-Token: {}\r\n", "a".repeat(600));
    assert_eq!(post(&page, &long, 0, "").0, 401);
}

#[test]
fn an_event_with_the_word_reaches_its_section_and_no_body_is_too_long() {
    let (mut page, word) = page();
    let field = format!("Verification-Token: {word}\r\n");
    assert_eq!(post(&page, &field, 2, "{}").0, 400);
    let length = limits::RINGCENTRAL_EVENT_BYTES + 1;
    assert_eq!(post(&page, &field, length, &" ".repeat(length)).0, 413);
    for (is_taken, status) in [(true, 200), (false, 503)] {
        let answered = std::thread::scope(|scope| {
            let commands = &mut page.commands;
            scope.spawn(move || {
                let Some(Command::PlatformEvent { section: 0, event, told }) =
                    commands.blocking_recv()
                else {
                    panic!("another command")
                };
                assert!(event.reveal()["body"].is_object());
                told.send(is_taken).unwrap();
            });
            let host = page.web.address();
            let text = format!(
                "POST /webhooks/ringcentral HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
                 Content-Length: {}\r\n{field}\r\n{EVENT}",
                EVENT.len()
            );
            let mut connection = TcpStream::connect(host).unwrap();
            connection.write_all(text.as_bytes()).unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).unwrap();
            answer
        });
        assert!(answered.starts_with(&format!("HTTP/1.1 {status}")), "{answered}");
    }
}
