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
        self.speak_by(request, language, "", text);
    }

    fn speak_by(&mut self, request: u64, language: &str, voice: &str, text: &str) {
        let (language, voice) = (language.to_owned(), voice.to_owned());
        let text = Private::new(text.to_owned());
        let phrase = Phrase { language, voice, text, is_known: true };
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
    engine_with(name, |_| {})
}

fn engine_with(name: &str, change: impl FnOnce(&mut EngineSettings)) -> PathBuf {
    let file = format!("attendant-{}-{name}.sock", std::process::id());
    let socket = std::env::temp_dir().join(file);
    let mut settings = EngineSettings::new(socket.clone(), 2);
    change(&mut settings);
    let bound = socket::bind(&socket).unwrap();
    std::thread::spawn(move || {
        let (engine, answers) = engine::Engine::start(&settings).unwrap();
        socket::serve(&bound, &engine, answers, None)
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

/// Files of a stand-in voice whose graph fails at the sound of "measure".
fn stand_in_voice(folder: &Path) -> neural::NeuralSettings {
    use vits::tests::stand_in::{Shape, graph, piper_config};
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join("firm.onnx");
    let speakers = [("anna", 4), ("bert", 1)];
    let config = piper_config(22_050, &speakers);
    let (before, after) = config.split_once("\"ʒ\": [").unwrap();
    let (_, after) = after.split_once(']').unwrap();
    std::fs::write(&path, graph(Shape { speakers: true, ..Shape::default() })).unwrap();
    let broken = format!("{before}\"ʒ\": [9999]{after}");
    std::fs::write(folder.join("firm.onnx.json"), broken).unwrap();
    neural::NeuralSettings {
        name: "firm:anna".to_owned(),
        graph: path,
        graph_hash: model::Hash::PinnedIfAny,
        config_hash: model::Hash::PinnedIfAny,
        speaker: Some("anna".to_owned()),
        language: "en".to_owned(),
    }
}

/// Of one voice and text: slt breathes by chance, but keeps its pace.
fn is_alike(one: &[i16], other: &[i16]) -> bool {
    one.len().abs_diff(other.len()) < pcm::ms_to_samples(50)
}

#[test]
fn a_neural_voice_speaks_keeps_its_phrases_and_is_stood_in_for_when_it_fails() {
    let Some(library) = vits::tests::stand_in::onnxruntime() else { return };
    let folder = std::env::temp_dir().join(format!("attendant-{}-neural", std::process::id()));
    let voice = stand_in_voice(&folder);
    let missing = neural::NeuralSettings {
        name: "firm:carl".to_owned(),
        speaker: Some("carl".to_owned()),
        ..voice.clone()
    };
    let kept = folder.join("phrases");
    let socket = engine_with("neural", |settings| {
        settings.neural = vec![voice, missing];
        settings.onnxruntime = Some(library);
        settings.device = DeviceWish::Cpu;
        settings.phrases = Some((kept.clone(), 1_000_000));
    });
    let mut front = Front::connect(&socket);
    let Some(FromEngine::Ready(ready)) = front.receive() else { panic!("not ready") };
    assert_eq!(ready.voices, ["slt", "espeak", "firm:anna"]);
    assert_eq!((ready.neural[0].device.as_str(), &ready.neural[0].fault), ("cpu", &None));
    assert!(ready.neural[1].fault.as_ref().unwrap().contains("carl"), "{:?}", ready.neural);

    front.speak_by(1, "en", "firm:anna", "Hello, world.");
    let first = front.sound(1);
    assert!((-23.0..-17.0).contains(&pcm::level_dbfs(&first)), "{}", pcm::level_dbfs(&first));
    // The one that could not be loaded is spoken by slt.
    front.speak(2, "en", "Hello, world.");
    let plain = front.sound(2);
    assert!(!is_alike(&first, &plain));
    front.speak_by(3, "en", "firm:carl", "Hello, world.");
    assert!(is_alike(&front.sound(3), &plain));
    // Its sound is on the disk, and is what comes the second time.
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let is_kept = || {
        let files = std::fs::read_dir(&kept).unwrap().filter_map(Result::ok);
        files.into_iter().any(|file| file.path().extension().is_some_and(|end| end == "phrase"))
    };
    while !is_kept() {
        assert!(std::time::Instant::now() < deadline, "nothing was kept");
        std::thread::yield_now();
    }
    front.speak_by(4, "en", "firm:anna", "Hello, world.");
    assert_eq!(front.sound(4), first);

    // Three phrases in a row at which it fails, each spoken all the same; then it is left alone.
    front.speak(5, "en", "Measure.");
    let plain = front.sound(5);
    for request in 6..=8 {
        front.speak_by(request, "en", "firm:anna", "Measure.");
        if request == 8 {
            let Some(FromEngine::Voices(reports)) = front.receive() else { panic!("not told") };
            assert!(reports[0].fault.as_ref().unwrap().contains("3 times"), "{reports:?}");
        }
        assert!(is_alike(&front.sound(request), &plain));
    }
    front.speak(9, "en", "Good morning.");
    let plain = front.sound(9);
    front.speak_by(10, "en", "firm:anna", "Good morning.");
    assert!(is_alike(&front.sound(10), &plain));
    clean_up(&socket);
    std::fs::remove_dir_all(folder).unwrap();
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
    let nowhere = std::env::temp_dir().join(format!("attendant-{}-nowhere", std::process::id()));
    let mut settings = EngineSettings::new(nowhere.join("socket"), 1);
    assert!(matches!(run(&settings), Err(EngineError::Socket { .. })));
    settings.parent = Some(u32::MAX);
    let asked = run(&settings);
    nix::sys::prctl::set_pdeathsig(None).unwrap();
    assert!(matches!(asked, Err(EngineError::Orphan)));
}
