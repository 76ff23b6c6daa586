//! The thread as the net thread has it: messages on the disk, their words by a scripted engine.

use std::path::{Path, PathBuf};

use super::*;
use crate::appliance::engine::double::Scripted;
use crate::base::Private;
use crate::call::record::{CallRecord, Direction};
use crate::store::history::{self, HistoryThreads, MessagePage};
use crate::store::recordings::{self, WhenFull};

struct Box_ {
    board: Arc<Board>,
    engine: Arc<Scripted>,
    answers: mpsc::Receiver<EngineEvent>,
    voicemail: Option<Voicemail>,
    news: mpsc::Receiver<News>,
    /// Dropped last: what was left is written by then.
    _kept: HistoryThreads,
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("attendant-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn files(folder: &Path, bytes: u64) -> Settings {
    let folder = folder.join(recordings::VOICEMAIL);
    Settings { folder, days: None, bytes, key: None, when_full: WhenFull::Refuse }
}

impl Box_ {
    fn start(folder: &Path, bytes: u64) -> Self {
        let board = Arc::new(Board::default());
        let settings = history::Settings {
            folder: folder.to_owned(),
            transcripts: true,
            days: None,
            most_calls: 1_000,
        };
        let kept = HistoryThreads::start(settings, |_| ()).unwrap();
        board.keep_in(kept.history());
        let (engine, answers) = Scripted::new(64);
        let engine = Arc::new(engine);
        engine.hear_partials();
        let (voicemail, news) = Voicemail::start(Parts {
            files: files(folder, bytes),
            longest: Duration::from_secs(60),
            engine: Arc::clone(&engine) as Arc<dyn Engine>,
            board: Arc::clone(&board),
        })
        .unwrap();
        let voicemail = Some(voicemail);
        Self { board, engine, answers, voicemail, news, _kept: kept }
    }

    fn voicemail(&mut self) -> &mut Voicemail {
        self.voicemail.as_mut().unwrap()
    }

    async fn begins(&mut self, name: Name) -> TapeNews {
        let mut record = CallRecord::new(
            name.call,
            Direction::Inbound,
            "sip:+49301@gw".into(),
            name.started_at_ms,
        );
        record.language = crate::base::LanguageCode::new("en");
        self.board.update_call(record);
        let message = Message { topic: "call back".to_owned(), ..Message::default() };
        assert!(self.voicemail().begin(name, Box::new(message)));
        self.news.recv().await.unwrap().news
    }

    fn says(&mut self, name: Name, samples: &[i16]) {
        for part in samples.chunks_exact(crate::base::pcm::FRAME_SAMPLES) {
            let frame = Frame(part.try_into().unwrap());
            self.voicemail().sound(name.call, &frame);
        }
    }

    /// Gives the thread what the engine says, until the message is as wanted.
    async fn message(&mut self, is_it: impl Fn(&history::Message) -> bool) -> history::Message {
        let page = MessagePage { only_unread: false, before: None, limit: 10 };
        for _ in 0..3_000 {
            while let Ok(event) = self.answers.try_recv() {
                self.voicemail().text(event);
            }
            let all = self.board.past().ask(move |open| history::messages(open, page)).await;
            if let Some(message) = all.unwrap_or_default().into_iter().find(|one| is_it(one)) {
                return message;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it does not come");
    }

    fn told(&self) -> Vec<String> {
        let missed = self.board.events().listen(Some("none")).missed;
        let told = missed.iter().filter(|one| one.event.name() == "voicemail.left");
        told.map(|one| self.board.events().json(one, true)).collect()
    }
}

const NAME: Name = Name::of(1_700_000_000_000, CallId(3));

/// Said by the voice of the tests, between silences.
fn speech() -> Vec<i16> {
    let sound = include_bytes!("../../../tests/audio/message.wav");
    let spoken = crate::store::wav::read(sound).unwrap();
    let mut samples = vec![0; 16_000];
    samples.extend(at_16_khz(&spoken.samples, spoken.rate_hz));
    samples.extend(vec![0; 16_000]);
    samples
}

fn at_16_khz(samples: &[i16], rate_hz: u32) -> Vec<i16> {
    let count = samples.len() * 16_000 / rate_hz as usize;
    (0..count).map(|at| samples[at * rate_hz as usize / 16_000]).collect()
}

fn is_done(message: &history::Message) -> bool {
    message.sound.is_some_and(|sound| sound.transcript == "done")
}

#[tokio::test]
async fn a_message_is_kept_recognised_and_told_with_its_words() {
    let folder = folder("voicemail");
    let mut desk = Box_::start(&folder, 100_000_000);
    assert_eq!(desk.begins(NAME).await, TapeNews::Ready);
    let samples = speech();
    desk.says(NAME, &samples);
    desk.engine.will_hear("please call me back");
    desk.voicemail().end(NAME.call, true);
    let message = desk.message(is_done).await;
    assert!(message.text.unwrap().reveal().contains("please call me back"));
    let ms = message.sound.unwrap().ms;
    assert_eq!(ms, samples.len() as u64 / 320 * 20);
    let told = desk.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("please call me back") && told[0].contains("/sound"), "{told:?}");
    // What was kept sounds as what was said: the same loudness, half a second by half a second.
    let file = recordings::find(&files(&folder, 1).folder, NAME, None).unwrap();
    let kept = recordings::decode(&file).unwrap();
    let loudness = |samples: &[i16]| -> Vec<f64> {
        let level = |part: &[i16]| part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>().sqrt();
        samples.chunks_exact(8_000).map(level).collect()
    };
    let (said, kept) = (loudness(&samples), loudness(&kept));
    assert!(kept.len() >= said.len());
    for (index, (said, kept)) in said.iter().zip(&kept).enumerate() {
        let most = said.max(*kept).max(20_000.0);
        assert!((said - kept).abs() / most < 0.25, "{index}: {said} {kept}");
    }
    // On request it goes, with its sound.
    let erased = desk.board.past().erase(Private::new("+49 301".to_owned())).await;
    assert!(erased.is_ok());
    drop(desk);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn what_the_engine_refuses_is_asked_for_again_also_by_the_next_program() {
    let folder = folder("voicemail-again");
    let mut desk = Box_::start(&folder, 100_000_000);
    assert_eq!(desk.begins(NAME).await, TapeNews::Ready);
    desk.says(NAME, &speech());
    // The engine is away: nothing is asked of it.
    desk.engine.go_down(Instant::now());
    desk.voicemail().end(NAME.call, true);
    let message = desk.message(|one| one.sound.is_some()).await;
    assert_eq!(message.sound.unwrap().transcript, "waiting");
    assert!(message.text.is_none() && desk.told().is_empty());
    drop(desk);
    let mut desk = Box_::start(&folder, 100_000_000);
    desk.engine.will_hear("it was me");
    let message = desk.message(is_done).await;
    assert!(message.text.unwrap().reveal().contains("it was me"));
    assert_eq!(desk.told().len(), 1);
    drop(desk);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_program_that_ends_in_the_middle_leaves_a_message() {
    let folder = folder("voicemail-cut");
    let mut desk = Box_::start(&folder, 100_000_000);
    assert_eq!(desk.begins(NAME).await, TapeNews::Ready);
    desk.voicemail().end(NAME.call, false);
    drop(desk);
    // As a power cut leaves it: a file, and no message.
    let mut recordings = recordings::Recordings::open(files(&folder, 100_000_000)).unwrap();
    let mut writing = recordings.begin(NAME).unwrap();
    let mut encoder = recordings::Encoder::mono(7).unwrap();
    for part in speech().chunks_exact(320) {
        encoder.push_mono(&Frame(part.try_into().unwrap())).unwrap();
    }
    recordings.append(&mut writing, &encoder.take()).unwrap();
    drop((writing, recordings));
    let mut desk = Box_::start(&folder, 100_000_000);
    desk.engine.will_hear("cut off");
    let message = desk.message(is_done).await;
    assert_eq!(message.topic, "voicemail");
    drop(desk);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn no_room_is_told_before_the_tone_and_old_messages_stay() {
    let folder = folder("voicemail-full");
    // Room for one minute, which is the longest message, and hardly more.
    let mut desk = Box_::start(&folder, 241_000);
    assert_eq!(desk.begins(NAME).await, TapeNews::Ready);
    desk.says(NAME, &speech());
    desk.voicemail().end(NAME.call, true);
    desk.message(|one| one.sound.is_some()).await;
    let next = Name::of(NAME.started_at_ms + 1, CallId(4));
    assert_eq!(desk.begins(next).await, TapeNews::Failed);
    let told = loop {
        match desk.board.voicemail().sentence() {
            Some(told) => break told,
            None => tokio::task::yield_now().await,
        }
    };
    assert!(told.contains("voicemail.max_mb"), "{told}");
    assert!(recordings::is_there(&files(&folder, 1).folder, NAME));
    drop(desk);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_call_leaves_several_messages_each_with_its_own_sound() {
    let folder = folder("voicemail-several");
    let mut desk = Box_::start(&folder, 100_000_000);
    let second = Name { ordinal: 1, ..NAME };
    for words in ["it is the first", "it is the second"] {
        assert_eq!(desk.begins(NAME).await, TapeNews::Ready, "{words}");
        desk.says(NAME, &speech());
        desk.engine.will_hear(words);
        desk.voicemail().end(NAME.call, true);
        let is_it = |one: &history::Message| {
            is_done(one) && one.text.as_ref().is_some_and(|text| text.reveal().contains(words))
        };
        desk.message(is_it).await;
    }
    assert_eq!(desk.told().len(), 2);
    assert!(desk.told()[1].contains("\"ordinal\":1"), "{:?}", desk.told());
    for name in [NAME, second] {
        assert!(recordings::find(&files(&folder, 1).folder, name, None).is_some(), "{name:?}");
        let known = desk.board.past().ask(move |open| history::has_sound(open, name)).await;
        assert_eq!(known.unwrap(), Some(true), "{name:?}");
    }
    recordings::forget(&folder, &[NAME]).unwrap();
    for name in [NAME, second] {
        assert!(!recordings::is_there(&files(&folder, 1).folder, name), "{name:?}");
    }
    drop(desk);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_end_of_a_message_finds_a_place_in_a_full_queue() {
    let (orders, mut ordered) = mpsc::channel(4);
    let mut voicemail = Voicemail { orders: Some(orders), ends: HashMap::new(), thread: None };
    assert!(voicemail.begin(NAME, Box::default()));
    for _ in 0..10 {
        voicemail.sound(NAME.call, &Frame::SILENCE);
    }
    assert!(!voicemail.begin(Name::of(1, CallId(9)), Box::default()), "there is no place for it");
    voicemail.end(NAME.call, true);
    let mut last = None;
    while let Ok(order) = ordered.try_recv() {
        last = Some(order);
    }
    assert!(matches!(last, Some(Order::End { is_spoken: true, .. })), "{last:?}");
}
