//! Text on its way to the voice and from the ears.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attendant::converse::{Conversation, Input, Playbook, Settings, Speech};
use attendant::speak::{Language, normalise, phrases};

use crate::stopwatch::nanoseconds;
use crate::table::{Table, Target};

const REPLY: &str = "We are open Monday to Friday from 8 am to 6 pm, and on Saturday from 9 am to \
                     1 pm. Is there anything else I can do for you?";

pub fn measure(table: &mut Table) {
    table.section("words");
    let ns = nanoseconds(|| {
        black_box(phrases(&normalise(REPLY, Language::English), Language::English));
    });
    table.figure(
        "a reply made speakable and cut in phrases",
        Some(ns / 1_000.0),
        "us",
        Target::None,
    );
    let settings = Settings {
        max_duration: Duration::from_secs(300),
        length_warning: Duration::from_secs(30),
        silence: [8, 16, 24].map(Duration::from_secs),
        key_pause: Duration::from_secs(3),
        ..Settings::default()
    };
    let mut conversation = Conversation::new(Arc::new(Playbook::logistics()), settings);
    conversation.handle(Instant::now(), Input::Connected);
    for (what, text) in [
        ("reply to a known sentence", "what are your opening hours"),
        ("reply to one with a number", "i want to track my order four seven two nine"),
        ("reply to a sentence that fits nothing", "the quick brown fox jumps over the lazy dog"),
    ] {
        let speech = Speech::certain(text);
        let ns = nanoseconds(|| {
            black_box(conversation.preview(&speech));
        });
        table.figure(what, Some(ns / 1_000.0), "us", Target::None);
    }
}
