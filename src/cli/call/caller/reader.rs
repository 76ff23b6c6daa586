//! The far end's words during the call: from its own record, or by our own speech engine.

use std::sync::mpsc::{self, Receiver, Sender};

use tokio::sync::mpsc as answers;

use crate::base::pcm::Frame;
use crate::cli::api::Api;
use crate::cli::call::ears;
use crate::cli::call::far_end;
use crate::cli::listening::Listening;

/// Where the words are from.
#[derive(Debug)]
pub(in crate::cli::call) enum Source {
    Record(Api),
    Ears(Box<Listening>),
}

#[derive(Debug)]
struct Question {
    sip_call_id: String,
    /// What was heard since the last one.
    frames: Vec<Frame>,
}

/// A thread that waits for the words in place of the call.
#[derive(Debug)]
pub(in crate::cli::call) struct Reader {
    questions: Sender<Question>,
    answers: answers::Receiver<String>,
    hears: bool,
    /// Frames that were given to the ears.
    given: usize,
    /// Questions without an answer yet.
    waiting: usize,
}

impl Reader {
    /// # Errors
    /// When there is no thread for it.
    pub(in crate::cli::call) fn start(source: Source) -> std::io::Result<Self> {
        let (questions, asked) = mpsc::channel();
        // One question waits at most: the script asks again only after an answer.
        let (answer, answers) = answers::channel(4);
        let hears = matches!(source, Source::Ears(_));
        std::thread::Builder::new()
            .name("words".to_owned())
            .spawn(move || serve(source, &asked, &answer))?;
        Ok(Self { questions, answers, hears, given: 0, waiting: 0 })
    }

    /// Asks for all words of the call; `heard` are all its frames.
    pub(super) fn ask(&mut self, sip_call_id: &str, heard: &[Frame]) {
        let mut frames = Vec::new();
        if self.hears {
            frames.extend_from_slice(heard.get(self.given..).unwrap_or_default());
            self.given = heard.len();
        }
        // A thread that has ended gives no answer, for which nobody waits long.
        let question = Question { sip_call_id: sip_call_id.to_owned(), frames };
        self.waiting += usize::from(self.questions.send(question).is_ok());
    }

    /// The next answer; none will come where there is no reader.
    pub(super) async fn next(reader: &mut Option<Self>) -> String {
        let words = match reader {
            Some(reader) => {
                let words = reader.answers.recv().await;
                reader.waiting = reader.waiting.saturating_sub(1);
                words
            }
            None => None,
        };
        match words {
            Some(words) => words,
            None => std::future::pending().await,
        }
    }

    /// The answer to the last question.
    pub(super) async fn last(mut self) -> Option<String> {
        let mut words = None;
        while self.waiting > 0 {
            words = self.answers.recv().await;
            self.waiting -= 1;
        }
        words
    }
}

fn serve(mut source: Source, asked: &Receiver<Question>, answer: &answers::Sender<String>) {
    let mut words = String::new();
    for Question { sip_call_id, frames } in asked {
        match &mut source {
            // What cannot be read now is known from before.
            Source::Record(api) => {
                if let Ok(turns) = far_end::turns_so_far(api, &sip_call_id) {
                    let replies: Vec<&str> = turns
                        .iter()
                        .map(|turn| turn.reply.as_str())
                        .filter(|reply| !reply.is_empty())
                        .collect();
                    words = replies.join(" ");
                }
            }
            Source::Ears(engine) => {
                let more = ears::words(engine, &frames);
                if !words.is_empty() && !more.is_empty() {
                    words.push(' ');
                }
                words.push_str(&more);
            }
        }
        if answer.blocking_send(words.clone()).is_err() {
            return;
        }
    }
}
