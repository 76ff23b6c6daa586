//! The link with a real engine in a real process: this test program, run again as the engine.

use std::path::Path;

use super::*;
use crate::speech::{self, EngineSettings};

const SOCKET: &str = "ATTENDANT_TEST_ENGINE_SOCKET";

/// Not a test: what the children of the tests run.
#[test]
#[ignore = "is the engine of the other tests"]
fn be_the_engine() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let mut settings = EngineSettings::new(socket.into(), 2);
    settings.parent = Some(std::os::unix::process::parent_id());
    speech::run(&settings).unwrap();
}

struct Room {
    socket: PathBuf,
}

impl Room {
    fn new(name: &str) -> Self {
        let file = format!("attendant-link-{}-{name}.sock", std::process::id());
        Self { socket: std::env::temp_dir().join(file) }
    }

    /// `env` becomes the engine by exec, so that the child's pid is the engine's.
    fn child(&self) -> EnginePlace {
        let mut set = OsString::from(format!("{SOCKET}="));
        set.push(&self.socket);
        let test = std::env::current_exe().unwrap().into_os_string();
        let rest = ["--exact", "--ignored", "appliance::engine::link::tests::be_the_engine"];
        let arguments = [set, test].into_iter().chain(rest.map(OsString::from)).collect();
        let (variants, socket) = (Variants::default(), self.socket.clone());
        EnginePlace::Child { program: "env".into(), arguments, variants, socket }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
        let _ = std::fs::remove_file(self.socket.with_extension("lock"));
    }
}

fn phrase(text: &str) -> Phrase {
    let text = Private::new(text.to_owned());
    let (language, voice) = ("en".to_owned(), String::new());
    Phrase { language, voice, text, is_known: false }
}

async fn until_ready(state: &mut watch::Receiver<EngineState>) {
    let ready = state.wait_for(EngineState::is_ready);
    let ready = tokio::time::timeout(Duration::from_secs(60), ready).await;
    ready.expect("the engine is ready in time").expect("the link lives");
}

/// Waits for an engine that is ready and is not `old`. A busy machine may not let us see it down
/// in between: the reason, if it did.
async fn until_replaced(
    state: &mut watch::Receiver<EngineState>,
    room: &Room,
    old: nix::unistd::Pid,
) -> Option<String> {
    let mut seen = None;
    let replaced = async {
        loop {
            state.changed().await.expect("the link lives");
            match &*state.borrow_and_update() {
                EngineState::Down { reason, .. } => seen = Some(reason.clone()),
                EngineState::Ready(_) if engine_pid(&room.socket) != old => return,
                EngineState::Ready(_) | EngineState::Starting => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), replaced).await.expect("a new engine in time");
    seen
}

async fn next(events: &mut mpsc::Receiver<EngineEvent>) -> EngineEvent {
    let event = tokio::time::timeout(Duration::from_secs(60), events.recv()).await;
    event.expect("an answer comes in time").expect("the link lives")
}

async fn sound(events: &mut mpsc::Receiver<EngineEvent>) -> Vec<i16> {
    let mut sound = Vec::new();
    loop {
        match next(events).await.answer {
            Answer::Audio(samples) => sound.extend_from_slice(samples.reveal()),
            Answer::Spoken => return sound,
            other => panic!("{other:?}"),
        }
    }
}

/// The children of this process whose command line names `socket`.
fn engine_pid(socket: &Path) -> nix::unistd::Pid {
    let wanted = format!("{SOCKET}={}", socket.display());
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let parent = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let is_ours = parent.contains(&format!("PPid:\t{}\n", std::process::id()));
        if is_ours && environment.split(|byte| *byte == 0).any(|set| set == wanted.as_bytes()) {
            return nix::unistd::Pid::from_raw(pid);
        }
    }
    panic!("no engine runs");
}

#[tokio::test]
async fn a_killed_engine_comes_back_and_answers_what_it_was_asked() {
    let room = Room::new("killed");
    let (link, mut events) = Link::start(room.child()).unwrap();
    let mut state = link.state();
    until_ready(&mut state).await;
    link.speak(Asker::Appliance, phrase("what are your opening hours"));
    let question = sound(&mut events).await;

    // Stopped first, so that the request is in its hands when it dies.
    let pid = engine_pid(&room.socket);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let asked = link.transcribe(Asker::Appliance, 0, question);
    tokio::time::sleep(Duration::from_millis(50)).await;
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    let reason = until_replaced(&mut state, &room, pid).await;
    assert!(reason.is_none_or(|reason| reason.contains("killed by signal 9")));

    let answer = next(&mut events).await;
    assert_eq!(answer.request, asked);
    let Answer::Text(transcript) = answer.answer else { panic!("{answer:?}") };
    assert!(transcript.recognition.text.reveal().to_lowercase().contains("hours"));
}

#[tokio::test]
async fn an_engine_that_hangs_is_replaced_and_one_without_a_link_ends() {
    let room = Room::new("hangs");
    let (link, _events) = Link::start(room.child()).unwrap();
    let mut state = link.state();
    until_ready(&mut state).await;
    let pid = engine_pid(&room.socket);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let reason = until_replaced(&mut state, &room, pid).await;
    assert!(reason.is_none_or(|reason| reason.contains("does not answer")));

    let pid = engine_pid(&room.socket);
    drop(link);
    let ended = async {
        while nix::sys::signal::kill(pid, None).is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the engine ends");
}

#[tokio::test]
async fn an_engine_that_cannot_start_is_down_with_its_reason_and_requests_can_be_cancelled() {
    let socket = std::env::temp_dir().join("attendant-link-none.sock");
    let arguments = ["-c", "exit ${1:-3}", "sh"].map(OsString::from).to_vec();
    let variants = Variants { cautious: vec!["4".into()], ..Variants::default() };
    let place = EnginePlace::Child { program: "sh".into(), arguments, variants, socket };
    let (link, mut events) = Link::start(place).unwrap();
    let mut state = link.state();
    let asked = link.speak(Asker::Appliance, phrase("hello"));
    let failed = |code: &'static str, after: u32| {
        move |state: &EngineState| match state {
            EngineState::Down { reason, restarts, .. } => {
                *restarts >= after && reason.contains(code)
            }
            EngineState::Starting | EngineState::Ready(_) => false,
        }
    };
    state.wait_for(failed("code 3", 0)).await.unwrap();
    // The third start is the cautious one.
    state.wait_for(failed("code 4", 2)).await.unwrap();
    link.cancel(asked);
    let answer = Answer::Cancelled;
    let expected = EngineEvent { asker: Asker::Appliance, request: asked, answer };
    assert_eq!(next(&mut events).await, expected);
}

#[test]
fn the_engine_gets_neither_the_line_to_systemd_nor_secrets() {
    let place = Room::new("environment").child();
    let program = program(&place, Mode::Usual, false).unwrap();
    for name in ["NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "ATTENDANT_LLM_KEY"] {
        let set = program.as_std().get_envs().find(|(key, _)| *key == name);
        assert_eq!(set, Some((name.as_ref(), None)));
    }
}

#[test]
fn an_argument_of_the_mode_is_not_said_twice_where_caution_wants_it_too() {
    let (place, socket) = (Room::new("modes").child(), PathBuf::new());
    let EnginePlace::Child { program: name, .. } = place else { panic!() };
    let variants = Variants {
        cautious: vec!["--cpu".into(), "--without-onnx".into()],
        lean: vec!["--model".into(), "small".into()],
        without_gpu: vec!["--cpu".into()],
        variables: vec![("CUDA_VISIBLE_DEVICES", "1".to_owned())],
    };
    let place = EnginePlace::Child { program: name, arguments: Vec::new(), variants, socket };
    for (mode, caution, expected) in [
        (Mode::Usual, false, &[][..]),
        (Mode::Usual, true, &["--cpu", "--without-onnx"]),
        (Mode::Lean, false, &["--model", "small"]),
        (Mode::WithoutGpu, false, &["--cpu"]),
        (Mode::WithoutGpu, true, &["--cpu", "--without-onnx"]),
    ] {
        let program = program(&place, mode, caution).unwrap();
        let arguments: Vec<_> = program.as_std().get_args().collect();
        assert_eq!(arguments, expected, "{mode:?}");
        let set = program.as_std().get_envs().find(|(key, _)| *key == "CUDA_VISIBLE_DEVICES");
        assert_eq!(set.and_then(|(_, value)| value), Some("1".as_ref()));
    }
}

#[tokio::test]
async fn a_lost_gpu_has_the_engine_exchanged_and_what_was_asked_is_answered() {
    let room = Room::new("exchanged");
    let EnginePlace::Child { program, mut arguments, socket, .. } = room.child() else { panic!() };
    // The tests' own harness takes filters, as many as one likes.
    let variants = Variants { without_gpu: vec!["exchanged".into()], ..Variants::default() };
    arguments.retain(|argument| argument != "--exact");
    let place = EnginePlace::Child { program, arguments, variants, socket };
    let (link, mut events) = Link::start(place).unwrap();
    let mut state = link.state();
    until_ready(&mut state).await;
    let old = engine_pid(&room.socket);
    // Nothing is different in this one, so that it stays.
    link.steer(Mode::Lean);
    link.speak(Asker::Appliance, phrase("good morning"));
    assert!(!sound(&mut events).await.is_empty());
    assert_eq!(engine_pid(&room.socket), old);
    link.steer(Mode::WithoutGpu);
    link.speak(Asker::Appliance, phrase("good morning"));
    assert!(!sound(&mut events).await.is_empty());
    let reason = until_replaced(&mut state, &room, old).await;
    assert!(reason.is_none_or(|reason| reason.contains("exchanged")));
}
