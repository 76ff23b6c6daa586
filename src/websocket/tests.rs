use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::format::{Encoding, Format, Writer};
use super::line::Line;
use super::sound_in::{SoundIn, Step};
use super::*;
use crate::base::pcm::{FRAME_SAMPLES, Frame};
use crate::base::{CallId, Entropy, Private, limits};
use crate::call::Cause;

const TICK: Duration = Duration::from_millis(20);
/// An answer with the port of a call's media.
const ANSWER: &[u8] = b"v=0\r\nm=audio 4002 RTP/AVP 112 101\r\n";
fn answered() -> News {
    News::Answered { call: CallId(7), description: ANSWER.to_vec() }
}

const START: &str = r#"{"type":"start","format":"pcm16","rate":16000}"#;

fn frame(value: i16) -> Frame {
    Frame([value; FRAME_SAMPLES])
}

fn bytes(value: i16) -> Vec<u8> {
    Writer::new(Format::new(Encoding::Pcm16, 16_000).unwrap()).write(&frame(value))
}

/// A session, its client and its call, on one clock.
struct Bench {
    now: Instant,
    session: Session,
    secret: Secret,
    /// The call's side of the sound.
    call: Line,
    texts: Vec<Value>,
    /// The first sample of each frame that the client got.
    got: Vec<i16>,
    pings: Vec<Vec<u8>>,
    /// The same of what the call heard.
    heard: Vec<i16>,
    digits: Vec<char>,
    wishes: Vec<Wish>,
    closed: Vec<CloseCode>,
    next: Option<Instant>,
    /// The client reads and answers.
    reads: bool,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let mut entropy = Entropy::new([9; 32]);
        let secret = Secret::random(&mut entropy);
        let opening = Opening {
            leg: 7,
            call_id: Private::new("s-1".to_owned()),
            secret: secret.clone(),
            entropy: entropy.fork(),
            port: 4_000,
        };
        let mut bench = Self {
            now,
            session: Session::new(now, opening),
            secret,
            call: Line::new(&mut entropy),
            texts: Vec::new(),
            got: Vec::new(),
            pings: Vec::new(),
            heard: Vec::new(),
            digits: Vec::new(),
            wishes: Vec::new(),
            closed: Vec::new(),
            next: None,
            reads: true,
        };
        bench.drain();
        bench
    }

    /// One whose call is up.
    fn talking() -> Self {
        let mut bench = Self::new();
        bench.attach(None).unwrap();
        bench.text(START);
        bench.handle(Input::News(answered()));
        bench
    }

    fn attach(&mut self, resume: Option<&str>) -> Result<(), NotAttached> {
        self.session.may_attach(self.secret.reveal(), resume)?;
        self.session.attach(self.now);
        self.drain();
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.handle(Input::Text(text));
    }

    fn handle(&mut self, input: Input<'_>) {
        self.session.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while self.reads && self.session.has_message() {
            match self.session.next_message() {
                None => break,
                Some(Outgoing::Text(text)) => self.texts.push(serde_json::from_str(&text).unwrap()),
                Some(Outgoing::Binary(message)) => {
                    assert_eq!(message.len(), 2 * FRAME_SAMPLES);
                    self.got.push(i16::from_le_bytes([message[0], message[1]]));
                }
                Some(Outgoing::Ping(payload)) => {
                    self.session.handle(self.now, Input::Pong(&payload));
                    self.pings.push(payload);
                }
            }
        }
        loop {
            match self.session.poll_output() {
                Output::Datagram(port, datagram) => {
                    assert_eq!(port, 4_002);
                    let heard = &mut self.heard;
                    self.call.hear(self.now, &datagram, |frame| heard.push(frame.0[0]));
                    self.digits.extend(self.call.poll_digit(self.now));
                }
                Output::Wish(wish) => self.wishes.push(wish),
                Output::Close(code) => self.closed.push(code),
                Output::Timeout(next) => {
                    self.next = next;
                    break;
                }
            }
        }
    }

    /// Time passes, and the session's deadlines with it.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.next.filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.handle(Input::Timeout);
        }
        self.now = end;
    }

    /// The call says 20 ms.
    fn say(&mut self, value: i16) {
        let datagram = self.call.send(&frame(value));
        self.handle(Input::Datagram(&datagram));
    }

    fn told(&self, kind: &str) -> Vec<&Value> {
        self.texts.iter().filter(|text| text["type"] == kind).collect()
    }

    fn resume_token(&self) -> String {
        self.told("started").last().unwrap()["resume"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_call_begins_with_its_start_and_ends_with_its_cause() {
    let mut bench = Bench::new();
    bench.attach(None).unwrap();
    assert_eq!(bench.attach(None), Err(NotAttached::InUse));
    bench.text(r#"{"type":"start","format":"mulaw","rate":16000}"#);
    bench.handle(Input::Binary(&bytes(1)));
    let codes: Vec<_> = bench.told("error").iter().map(|error| error["code"].clone()).collect();
    assert_eq!(codes, ["bad-format", "not-started"]);
    bench.text(START);
    let [Wish::Begin(offer)] = &bench.wishes[..] else { panic!("{:?}", bench.wishes) };
    assert!(String::from_utf8_lossy(offer).contains("m=audio 4000 RTP/AVP 112 101"));
    assert!(bench.told("started").is_empty(), "not before the call is answered");
    bench.handle(Input::News(answered()));
    let started = bench.told("started")[0].clone();
    let resume = started["resume"].as_str().unwrap();
    assert_eq!(
        started,
        json!({"type": "started", "call": "c7", "callId": "s-1", "format": "pcm16", "rate": 16000,
               "frame_ms": 20, "resume": resume, "resumed": false})
    );
    bench.say(5);
    assert_eq!(bench.got, [5]);
    bench.text(r#"{"type":"hangup"}"#);
    assert_eq!(bench.wishes.last(), Some(&Wish::HangUp));
    bench.handle(Input::News(News::Ended(Cause::HungUp.into())));
    assert_eq!(
        bench.texts.last().unwrap(),
        &json!({"type": "ended", "by": "caller", "cause": "hung-up"})
    );
    assert_eq!(bench.closed, [CloseCode::Ended]);
    assert!(bench.session.is_over());
    assert_eq!(bench.attach(None), Err(NotAttached::Over));
}

#[test]
fn a_close_that_says_done_hangs_up_and_any_other_does_not() {
    let mut bench = Bench::talking();
    bench.handle(Input::Done);
    bench.handle(Input::Detached);
    assert!(bench.wishes.contains(&Wish::HangUp));
    let mut bench = Bench::talking();
    bench.handle(Input::Detached);
    bench.handle(Input::Done);
    assert!(!bench.wishes.contains(&Wish::HangUp));
}

#[test]
fn nobody_comes_or_nobody_says_start() {
    let mut bench = Bench::new();
    bench.pass(limits::AUDIO_START - TICK);
    assert!(bench.wishes.is_empty());
    bench.pass(TICK);
    assert_eq!(bench.wishes, [Wish::Expired]);
    let mut bench = Bench::new();
    bench.attach(None).unwrap();
    bench.pass(limits::AUDIO_GREETING);
    assert_eq!((&bench.wishes[..], bench.closed[0]), (&[Wish::Expired][..], CloseCode::Policy));
}

#[test]
fn only_the_token_opens_and_only_the_newest_resumes() {
    let mut bench = Bench::new();
    assert_eq!(bench.session.may_attach("", None), Err(NotAttached::Forbidden));
    assert_eq!(bench.session.may_attach(&"0".repeat(32), None), Err(NotAttached::Forbidden));
    bench = Bench::talking();
    let first = bench.resume_token();
    assert_eq!(bench.attach(None), Err(NotAttached::Forbidden), "it goes on already");
    bench.attach(Some(&first)).unwrap();
    assert_eq!(bench.attach(Some(&first)), Err(NotAttached::Forbidden), "it is used up");
    let second = bench.resume_token();
    bench.attach(Some(&second)).unwrap();
    assert_eq!(bench.session.figures().resumed, 2);
}

#[test]
fn a_lost_socket_holds_the_call_until_it_is_resumed() {
    let mut bench = Bench::talking();
    let resume = bench.resume_token();
    bench.handle(Input::Detached);
    let Some(Wish::Describe(offer)) = bench.wishes.last() else { panic!("{:?}", bench.wishes) };
    assert!(String::from_utf8_lossy(offer).contains("a=inactive"));
    let heard = bench.heard.len();
    bench.pass(Duration::from_secs(9));
    assert_eq!(bench.heard.len(), heard, "nothing is sent while it is held");
    bench.attach(Some(&resume)).unwrap();
    let Some(Wish::Describe(offer)) = bench.wishes.last() else { panic!("{:?}", bench.wishes) };
    assert!(String::from_utf8_lossy(offer).contains("a=sendrecv"));
    assert_eq!(bench.told("started").last().unwrap()["resumed"], true);
    // Long after the ten seconds it still goes on.
    for _ in 0..1_000 {
        bench.handle(Input::Sign);
        bench.pass(TICK);
    }
    bench.say(9);
    assert_eq!((bench.got.last(), bench.heard.len() > heard + 900), (Some(&9), true));
    assert!(!bench.wishes.contains(&Wish::Lost));
}

#[test]
fn a_lost_socket_that_nobody_resumes_ends_the_call() {
    let mut bench = Bench::talking();
    bench.handle(Input::Detached);
    bench.pass(limits::AUDIO_RESUME - TICK);
    assert!(!bench.wishes.contains(&Wish::Lost));
    bench.pass(TICK);
    assert_eq!(bench.wishes.last(), Some(&Wish::Lost));
    assert!(bench.session.is_over());
}

#[test]
fn a_socket_that_gives_no_sign_of_life_is_lost() {
    let mut bench = Bench::talking();
    bench.reads = false;
    bench.pass(limits::AUDIO_SILENT - TICK);
    assert!(bench.closed.is_empty());
    bench.pass(TICK);
    assert_eq!(bench.closed, [CloseCode::Slow]);
    assert!(matches!(bench.wishes.last(), Some(Wish::Describe(_))), "it is on hold");
    let mut bench = Bench::talking();
    bench.pass(Duration::from_secs(60));
    assert!(bench.closed.is_empty() && bench.pings.len() >= 15, "{:?}", bench.closed);
}

#[test]
fn a_client_in_real_time_is_passed_on_at_once_whatever_its_clock() {
    for (period_us, frames) in [(20_000_u64, 500), (19_980, 500), (20_020, 500)] {
        let mut bench = Bench::talking();
        let begun = bench.now;
        let mut waited = 0;
        for number in 0..frames {
            let at = begun + Duration::from_micros(period_us * number + 7_000);
            let wait = at.saturating_duration_since(bench.now);
            bench.pass(wait);
            bench.handle(Input::Binary(&bytes(number as i16 + 1)));
            waited += u32::from(bench.heard.last() != Some(&(number as i16 + 1)));
        }
        bench.pass(TICK * 3);
        let voice: Vec<i16> = bench.heard.iter().copied().filter(|value| *value != 0).collect();
        let all: Vec<i16> = (1..=frames as i16).collect();
        assert_eq!(voice, all, "{period_us} us");
        // A client with a fast clock is ahead of us by up to a frame, which is given back.
        let most = if period_us < 20_000 { frames as u32 } else { 0 };
        assert!(waited <= most, "{period_us} us: {waited} frames have waited");
    }
}

/// The frames that leave, with their times after the beginning.
fn leave(sound: &mut SoundIn, now: Instant, begun: Instant, left: &mut Vec<(u64, i16)>) {
    while let Some(step) = sound.poll(now) {
        if let Step::Sound(frame) = step {
            let at = now.saturating_duration_since(begun).as_millis() as u64;
            left.push((at, frame.0[0]));
        }
    }
}

#[test]
fn long_chunks_leave_evenly() {
    let format = Format::new(Encoding::Pcm16, 16_000).unwrap();
    for chunk in [5_u64, 35, 100, 200] {
        let mut sound = SoundIn::new(format);
        let begun = Instant::now();
        sound.begin(begun);
        let all: Vec<u8> = (0..100).flat_map(|number| bytes(number + 1)).collect();
        let mut pieces = all.chunks(32 * chunk as usize);
        let mut left = Vec::new();
        for ms in 0..2_400 {
            let now = begun + Duration::from_millis(ms);
            if ms % chunk == 0
                && let Some(piece) = pieces.next()
            {
                assert_eq!(sound.push(now, piece), 0);
            }
            leave(&mut sound, now, begun, &mut left);
        }
        let values: Vec<i16> = left.iter().map(|(_, value)| *value).collect();
        assert_eq!(values, (1..=100).collect::<Vec<i16>>(), "chunks of {chunk} ms");
        // Once the worst wait is known they are 20 ms apart.
        let apart = left[20..].windows(2).map(|pair| pair[1].0 - pair[0].0);
        assert!(apart.clone().all(|ms| (19..=21).contains(&ms)), "{chunk}: {left:?}");
    }
}

#[test]
fn what_a_hiccup_has_piled_up_is_worked_off() {
    let format = Format::new(Encoding::Pcm16, 16_000).unwrap();
    let mut sound = SoundIn::new(format);
    let begun = Instant::now();
    sound.begin(begun);
    let mut left = Vec::new();
    let mut waiting = Vec::new();
    let mut value = 0;
    for ms in 0..10_000_u64 {
        let now = begun + Duration::from_millis(ms);
        let count = match ms {
            // A network that hangs for 100 ms, and then brings all at once.
            2_000..2_100 => 0,
            2_100 => 6,
            _ => u32::from(ms % 20 == 0),
        };
        for _ in 0..count {
            value += 1;
            sound.push(now, &bytes(value));
        }
        leave(&mut sound, now, begun, &mut left);
        waiting.push(sound.waiting());
    }
    assert!(waiting[2_200] >= 2, "{}", waiting[2_200]);
    assert_eq!(waiting[9_990], 0);
    assert!(left.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1), "nothing is lost");
}

#[test]
fn a_file_at_once_is_played_in_real_time_and_too_much_of_it_goes() {
    let mut bench = Bench::talking();
    for value in 0..1_100 {
        bench.handle(Input::Binary(&bytes(value)));
    }
    let lost: u64 = bench.told("lost").iter().map(|lost| lost["ms"].as_u64().unwrap()).sum();
    assert_eq!(bench.told("lost")[0]["direction"], "in");
    // The first has left at once.
    assert_eq!(lost, (1_100 - 1 - limits::AUDIO_IN_FRAMES as u64) * 20);
    assert_eq!(bench.told("lost").last().unwrap()["total_ms"], lost);
    bench.pass(Duration::from_secs(1));
    assert!((50..=52).contains(&bench.heard.len()), "{}", bench.heard.len());
    bench.pass(Duration::from_secs(30));
    let last = bench.heard.iter().rposition(|value| *value == 1_099).unwrap();
    assert!((999..1_003).contains(&last), "20 s, and not faster: {last}");
}

#[test]
fn a_mark_comes_back_when_its_sound_has_left_and_clear_throws_away() {
    let mut bench = Bench::talking();
    let second: Vec<u8> = (0..50).flat_map(|_| bytes(7)).collect();
    bench.handle(Input::Binary(&second));
    bench.text(r#"{"type":"mark","name":"a"}"#);
    bench.handle(Input::Binary(&second));
    bench.text(r#"{"type":"mark","name":"b"}"#);
    bench.pass(Duration::from_millis(900));
    assert!(bench.told("mark").is_empty());
    bench.pass(Duration::from_millis(200));
    assert_eq!(bench.told("mark"), [&json!({"type": "mark", "name": "a", "cleared": false})]);
    bench.text(r#"{"type":"clear"}"#);
    assert_eq!(bench.told("mark")[1], &json!({"type": "mark", "name": "b", "cleared": true}));
    let voiced = bench.heard.iter().filter(|value| **value == 7).count();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.heard.iter().filter(|value| **value == 7).count(), voiced);
    for _ in 0..=limits::AUDIO_MARKS {
        bench.handle(Input::Binary(&second));
        bench.text(r#"{"type":"mark","name":"c"}"#);
    }
    assert_eq!(bench.told("error").last().unwrap()["code"], "too-many-marks");
}

#[test]
fn keys_go_both_ways() {
    let mut bench = Bench::talking();
    bench.text(r##"{"type":"dtmf","digits":"4#"}"##);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.digits, ['4', '#']);
    assert!(bench.call.press('9'));
    for _ in 0..20 {
        bench.say(0);
        bench.pass(TICK);
    }
    assert_eq!(bench.told("dtmf"), [&json!({"type": "dtmf", "digit": "9"})]);
}

#[test]
fn a_slow_reader_loses_the_oldest_and_is_told_how_much() {
    let mut bench = Bench::talking();
    // It takes what the kernels hold, and answers no ping.
    let unread = limits::AUDIO_UNREAD_MS / 20;
    bench.reads = false;
    for value in 0..400_i16 {
        bench.say(value);
        while let Some(message) = bench.session.next_message() {
            if let Outgoing::Binary(message) = message {
                bench.got.push(i16::from_le_bytes([message[0], message[1]]));
            }
        }
        bench.now += TICK;
    }
    assert_eq!(bench.got.len() as u64, unread, "no more than it has read");
    assert!(bench.told("lost").is_empty());
    // It reads on, and answers the last ping.
    bench.reads = true;
    bench.handle(Input::Pong(&limits::AUDIO_UNREAD_MS.to_be_bytes()));
    let kept = limits::AUDIO_OUT_FRAMES;
    assert_eq!(bench.got.len() as u64, unread + kept as u64);
    assert_eq!(bench.got.last(), Some(&399), "the newest is there");
    let lost = (400 - unread - kept as u64) * 20;
    let told = json!({"type": "lost", "direction": "out", "ms": lost, "total_ms": lost});
    assert_eq!(bench.told("lost"), [&told]);
    assert_eq!(bench.session.figures().lost_out, lost / 20);
}

#[test]
fn what_was_silenced_is_not_sent_any_more_and_the_client_is_told() {
    let mut bench = Bench::talking();
    bench.reads = false;
    (0..10).for_each(|value| bench.say(value));
    bench.reads = true;
    bench.handle(Input::News(News::Silenced));
    assert!(bench.got.is_empty());
    assert_eq!(bench.told("clear"), [&json!({"type": "clear", "sent_ms": 0})]);
    bench.say(20);
    assert_eq!(bench.got, [20]);
}

#[test]
fn garbage_is_answered_for_a_while_and_then_closed() {
    let mut bench = Bench::talking();
    for number in 0..limits::AUDIO_FAULTS {
        bench.text(["{", "", "\u{0}", r#"{"type":1}"#][number as usize % 4]);
        bench.handle(Input::Pong(&[1, 2, 3]));
        bench.handle(Input::Datagram(&[0xFF; 5]));
    }
    assert!(bench.closed.is_empty());
    assert_eq!(bench.told("error").len(), limits::AUDIO_FAULTS as usize);
    bench.text("{");
    assert_eq!(bench.closed, [CloseCode::Policy]);
    // Pings that we have never sent mean nothing.
    bench.handle(Input::Pong(&u64::MAX.to_be_bytes()));
    bench.say(1);
    assert_eq!(bench.got, [1]);
}

#[test]
fn a_client_that_reads_no_text_is_not_there() {
    let mut bench = Bench::talking();
    bench.reads = false;
    for _ in 0..limits::AUDIO_TEXTS + 5 {
        bench.handle(Input::News(News::Silenced));
    }
    assert_eq!(bench.closed.first(), Some(&CloseCode::Slow));
}
