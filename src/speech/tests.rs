//! The engine as a front sees it, through its socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::protocol::{Failure, FromEngine, Inbox, Message, Phrase, RequestId, ToEngine, VERSION};
use super::*;
use crate::base::{Private, pcm};
use crate::listen::DecodeWish;

/// A front: sends messages and waits for answers.
struct Front {
    stream: UnixStream,
    inbox: Inbox,
}

impl Front {
    /// Connects to `path` and says hello.
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut front = Self { stream, inbox: Inbox::default() };
        front.send(&ToEngine::Hello { version: VERSION });
        front
    }

    fn send(&mut self, message: &ToEngine) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.stream.write_all(&bytes).unwrap();
    }

    /// The next message, or `None` at the connection's end.
    fn receive(&mut self) -> Option<FromEngine> {
        loop {
            if let Some(message) = self.inbox.take().unwrap() {
                return Some(message);
            }
            let mut bytes = [0; 65_536];
            match self.stream.read(&mut bytes).unwrap() {
                0 => return None,
                length => self.inbox.push(&bytes[..length]),
            }
        }
    }

    fn speak(&mut self, request: u64, language: &str, text: &str) {
        let (language, voice) = (language.to_owned(), String::new());
        let phrase = Phrase { language, voice, text: Private::new(text.to_owned()) };
        self.send(&ToEngine::Speak { request: RequestId(request), phrase });
    }

    fn transcribe(&mut self, request: u64, lane: u16, audio: Vec<i16>) {
        let audio = Private::new(audio);
        self.send(&ToEngine::Transcribe {
            request: RequestId(request),
            lane,
            wish: DecodeWish::default(),
            audio,
        });
    }

    /// The sound of one phrase, whose chunks must follow each other without a gap.
    fn sound(&mut self, request: u64) -> Vec<i16> {
        let mut sound = Vec::new();
        loop {
            match self.receive().unwrap() {
                FromEngine::Audio { request: of, offset, samples } => {
                    assert_eq!((of.0, offset as usize), (request, sound.len()));
                    sound.extend_from_slice(samples.reveal());
                }
                FromEngine::Spoken { request: of, samples } => {
                    assert_eq!((of.0, samples as usize), (request, sound.len()));
                    return sound;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn engine(name: &str) -> PathBuf {
    let file = format!("attendant-{}-{name}.sock", std::process::id());
    let socket = std::env::temp_dir().join(file);
    let settings = EngineSettings::new(socket.clone(), 2);
    let bound = socket::bind(&socket).unwrap();
    std::thread::spawn(move || {
        let (engine, answers) = engine::Engine::start(&settings).unwrap();
        socket::serve(&bound, &engine, answers)
    });
    socket
}

fn clean_up(socket: &Path) {
    std::fs::remove_file(socket).unwrap();
    std::fs::remove_file(socket.with_extension("lock")).unwrap();
}

#[test]
fn it_hears_what_it_says() {
    use std::os::unix::fs::PermissionsExt;
    let socket = engine("hears");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let mut front = Front::connect(&socket);
    let Some(FromEngine::Ready(ready)) = front.receive() else { panic!("not ready") };
    assert_eq!((ready.lanes, ready.model.as_str()), (2, "starter-en"));
    assert!(ready.voices.contains(&"slt".to_owned()));

    front.speak(1, "en", "what are your opening hours");
    let sound = front.sound(1);
    assert!(sound[..pcm::ms_to_samples(30)].iter().any(|sample| sample.abs() >= 200));
    front.transcribe(2, 1, sound);
    let Some(FromEngine::Text { request, transcript }) = front.receive() else { panic!("no text") };
    assert_eq!(request, RequestId(2));
    assert!(transcript.recognition.text.reveal().to_lowercase().contains("hours"));

    front.speak(3, "de", "Guten Tag");
    assert!(front.sound(3).len() > pcm::ms_to_samples(400));
    front.send(&ToEngine::Ping { nonce: 77 });
    assert_eq!(front.receive(), Some(FromEngine::Pong { nonce: 77, waiting: 0 }));
    clean_up(&socket);
}

#[test]
fn what_cannot_be_done_is_answered_and_the_latest_front_is_served() {
    let socket = engine("refuses");
    let mut front = Front::connect(&socket);
    assert!(matches!(front.receive(), Some(FromEngine::Ready(_))));
    let failed =
        |request, failure| Some(FromEngine::Failed { request: RequestId(request), failure });
    front.transcribe(1, 2, vec![0; 320]);
    assert_eq!(front.receive(), failed(1, Failure::NoSuchLane));
    front.transcribe(2, 0, vec![9_000; 16_000 * 11]);
    assert_eq!(front.receive(), failed(2, Failure::TooLong));
    front.speak(3, "xx-none", "hello");
    assert_eq!(front.receive(), failed(3, Failure::NoVoice));

    // A long text is cancelled; whatever came before, one end comes.
    front.speak(4, "en", &"one two three four five six seven eight nine ".repeat(20));
    front.send(&ToEngine::Cancel { request: RequestId(4) });
    let mut samples = 0;
    let end = loop {
        match front.receive() {
            Some(FromEngine::Audio { samples: more, .. }) => samples += more.reveal().len(),
            end => break end,
        }
    };
    // The whole is more than a minute.
    assert!(samples < pcm::ms_to_samples(30_000), "{samples} samples");
    assert_eq!(end, Some(FromEngine::Cancelled { request: RequestId(4) }));

    let mut next = Front::connect(&socket);
    assert!(matches!(next.receive(), Some(FromEngine::Ready(_))));
    assert_eq!(front.receive(), None);

    let mut other =
        Front { stream: UnixStream::connect(&socket).unwrap(), inbox: Inbox::default() };
    other.send(&ToEngine::Hello { version: VERSION + 1 });
    assert_eq!(other.receive(), Some(FromEngine::Mismatch { version: VERSION }));
    assert_eq!(other.receive(), None);
    clean_up(&socket);
}

#[test]
fn a_socket_in_use_is_not_taken_and_one_left_behind_is() {
    let path = std::env::temp_dir().join(format!("attendant-{}-bind.sock", std::process::id()));
    let first = socket::bind(&path).unwrap();
    assert!(matches!(socket::bind(&path), Err(EngineError::Socket { .. })));
    drop(first);
    drop(socket::bind(&path).unwrap());
    clean_up(&path);
}

#[test]
fn an_engine_whose_front_is_gone_does_not_start() {
    let mut settings = EngineSettings::new(PathBuf::from("/nonexistent/socket"), 1);
    assert!(matches!(run(&settings), Err(EngineError::Socket { .. })));
    settings.parent = Some(u32::MAX);
    let asked = run(&settings);
    nix::sys::prctl::set_pdeathsig(None).unwrap();
    assert!(matches!(asked, Err(EngineError::Orphan)));
}
