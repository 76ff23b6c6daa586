//! The thread that records calls: takes both sides from the audio thread's rings, encodes them, and gives them to the disk.
//!
//! ```text
//!  audio tick ─ TapFrame, a ring a place ─▶ Recorder ─ Opus, a page a second ─▶ store::recordings
//!  net thread ─ begin, end ────────────────▶
//! ```
//!
//! Nobody waits for it. A ring that is full loses frames, which are counted and leave silence of their length; a disk that takes
//! nothing ends a recording, and the call goes on. A place taps only while its call is recorded, so rings are empty otherwise.

// A thread of its own: it asks for the time itself.
#![allow(clippy::disallowed_methods)]

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rtrb::Consumer;

use super::clock::unix_ms;
use super::realtime;
use super::rings::TapFrame;
use crate::base::CallId;
use crate::base::pcm::Frame;
use crate::store::history::Calendar;
use crate::store::recordings::{Encoder, Name, Recordings, Settings, Writing};

/// How often the rings are looked at while a call is recorded: a tenth of what they hold.
const LOOK: Duration = Duration::from_millis(200);
/// How often what is old is looked for.
const TEND: Duration = Duration::from_secs(60);
/// Calls that begin and end at once.
const ORDERS: usize = 512;
/// Ticks that are made up for what was dropped: a minute. More is another call's, or a thread that stood still.
const MOST_GAP: u32 = 3_000;

/// How recording is, for the owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls that are being recorded.
    pub recording: usize,
    /// Of all files.
    pub bytes: u64,
    /// Recordings that ended before their call, or could not begin.
    pub failed: u64,
    /// Why the last one did, until one is whole again.
    pub fault: Option<String>,
}

impl Report {
    /// What is wrong, as a sentence.
    pub fn sentence(&self) -> Option<String> {
        let fault = self.fault.as_ref()?;
        Some(format!("recordings: calls go on without being recorded: {fault}"))
    }
}

enum Order {
    Begin(Name),
    End(CallId),
    Stop,
}

/// The running thread; it finishes what is open when this is dropped.
#[derive(Debug)]
pub struct Recorder {
    orders: SyncSender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// `tell` is called on its thread after each change.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(
        settings: Settings,
        taps: Vec<Consumer<TapFrame>>,
        tell: impl Fn(Report) + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, ordered) = sync_channel(ORDERS);
        let mut work = Work::new(settings, taps, Box::new(tell));
        let thread = std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            realtime::become_background();
            work.run(&ordered);
        })?;
        Ok(Self { orders, thread: Some(thread) })
    }

    /// The call is recorded from here on. False: it is not.
    pub fn begin(&self, name: Name) -> bool {
        self.orders.try_send(Order::Begin(name)).is_ok()
    }

    /// The call is over, or is not recorded any more.
    pub fn end(&self, call: CallId) {
        // One that is not told is ended by the next call with its frames' absence: at the end of the program.
        let _ = self.orders.try_send(Order::End(call));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic in there was told when it happened.
            let _ = thread.join();
        }
    }
}

/// One call's recording.
struct Open {
    encoder: Encoder,
    writing: Writing,
    /// The tick that comes next.
    next: Option<u32>,
}

struct Work {
    settings: Settings,
    taps: Vec<Consumer<TapFrame>>,
    /// `None` until the folder is there.
    recordings: Option<Recordings>,
    open: HashMap<CallId, Open>,
    /// Calls that are over, and have a last round.
    ending: Vec<CallId>,
    calendar: Calendar,
    tend_at: Instant,
    report: Report,
    told: Option<Report>,
    tell: Box<dyn Fn(Report) + Send>,
}

impl Work {
    fn new(
        settings: Settings,
        taps: Vec<Consumer<TapFrame>>,
        tell: Box<dyn Fn(Report) + Send>,
    ) -> Self {
        Self {
            settings,
            taps,
            recordings: None,
            open: HashMap::new(),
            ending: Vec::new(),
            calendar: Calendar::default(),
            tend_at: Instant::now(),
            report: Report::default(),
            told: None,
            tell,
        }
    }

    fn run(&mut self, orders: &Receiver<Order>) {
        let mut is_over = false;
        while !is_over {
            is_over = self.round(orders);
            self.tend(Instant::now());
            self.show();
            if is_over || !self.ending.is_empty() {
                continue;
            }
            let due = self.tend_at.saturating_duration_since(Instant::now());
            let wait = if self.open.is_empty() { due } else { LOOK };
            is_over = match orders.recv_timeout(wait) {
                Ok(order) => self.order(order),
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
        }
        self.ending.extend(self.open.keys());
        self.round(orders);
    }

    /// True: nothing more is to be done.
    fn order(&mut self, order: Order) -> bool {
        match order {
            Order::Begin(name) => self.begin(name),
            Order::End(call) => self.ending.push(call),
            Order::Stop => return true,
        }
        false
    }

    /// What the rings hold, and what was ordered by then: a call is begun before its first frame comes, and ended a round
    /// after its last one did.
    fn round(&mut self, orders: &Receiver<Order>) -> bool {
        let ending = std::mem::take(&mut self.ending);
        let taps = self.taps.iter_mut();
        let frames = taps.flat_map(|tap| std::iter::from_fn(move || tap.pop().ok()));
        let frames: Vec<TapFrame> = frames.collect();
        let mut is_over = false;
        while let Ok(order) = orders.try_recv() {
            is_over |= self.order(order);
        }
        self.take(&frames);
        ending.into_iter().for_each(|call| self.end(call));
        is_over
    }

    fn folder(&mut self) -> io::Result<&mut Recordings> {
        if self.recordings.is_none() {
            self.recordings = Some(Recordings::open(self.settings.clone())?);
        }
        self.recordings.as_mut().ok_or_else(|| io::Error::other("no folder"))
    }

    fn begin(&mut self, name: Name) {
        let mut begun = || {
            let writing = self.folder()?.begin(name)?;
            // Any number names the only stream of a file.
            let serial = u32::try_from(name.started_at_ms % u64::from(u32::MAX)).unwrap_or(1);
            Ok(Open { encoder: Encoder::new(serial)?, writing, next: None })
        };
        match begun() {
            Ok(open) => drop(self.open.insert(name.call, open)),
            Err(error) => self.failed(name.call, &error),
        }
    }

    fn take(&mut self, frames: &[TapFrame]) {
        let mut faults: Vec<(CallId, io::Error)> = Vec::new();
        for frame in frames {
            // Of one that has ended, or could not begin, nothing more is wanted.
            let Some(open) = self.open.get_mut(&frame.call) else { continue };
            if let Err(error) = open.push(frame) {
                faults.push((frame.call, error));
            }
        }
        for (call, open) in &mut self.open {
            let pages = open.encoder.take();
            let kept = match &mut self.recordings {
                Some(recordings) => recordings.append(&mut open.writing, &pages),
                None => Ok(()),
            };
            kept.err().into_iter().for_each(|error| faults.push((*call, error)));
        }
        for (call, error) in faults {
            self.failed(call, &error);
        }
    }

    fn end(&mut self, call: CallId) {
        let Some(Open { encoder, mut writing, .. }) = self.open.remove(&call) else { return };
        let Some(recordings) = &mut self.recordings else { return };
        let pages = encoder.finish();
        let written = pages.and_then(|pages| recordings.append(&mut writing, &pages));
        let ended = recordings.end(writing);
        match written.and(ended) {
            Ok(()) => self.report.fault = None,
            Err(error) => self.failed(call, &error),
        }
    }

    /// What there is of it stays.
    fn failed(&mut self, call: CallId, error: &io::Error) {
        if let Some(open) = self.open.remove(&call)
            && let Some(recordings) = &mut self.recordings
        {
            // The disk has said already that it takes nothing.
            let _ = recordings.end(open.writing);
        }
        tracing::error!(call_id = %call, %error, "a recording ends, or does not begin");
        self.report.failed += 1;
        self.report.fault = Some(error.to_string());
    }

    fn tend(&mut self, now: Instant) {
        if now < self.tend_at {
            return;
        }
        self.tend_at = now + TEND;
        let believed = self.calendar.look(now, unix_ms());
        match self.folder().and_then(|recordings| recordings.tend(believed)) {
            Ok(0) => (),
            Ok(gone) => tracing::info!(gone, "recordings are deleted by their age"),
            Err(error) => {
                if self.report.fault.is_none() {
                    tracing::error!(%error, "recordings: the folder cannot be used");
                }
                self.report.fault = Some(error.to_string());
            }
        }
    }

    fn show(&mut self) {
        self.report.recording = self.open.len();
        self.report.bytes = self.recordings.as_ref().map_or(0, Recordings::bytes);
        if self.told.as_ref() != Some(&self.report) {
            self.told = Some(self.report.clone());
            (self.tell)(self.report.clone());
        }
    }
}

impl Open {
    /// With silence for ticks that were lost before it.
    fn push(&mut self, frame: &TapFrame) -> io::Result<()> {
        let lost = self.next.map_or(0, |next| frame.tick.saturating_sub(next)).min(MOST_GAP);
        for _ in 0..lost {
            self.encoder.push(&Frame::SILENCE, &Frame::SILENCE)?;
        }
        self.next = Some(frame.tick.saturating_add(1));
        self.encoder.push(&frame.heard, &frame.said)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use rtrb::RingBuffer;

    use super::*;
    use crate::store::recordings::{self, WhenFull};

    #[test]
    fn what_the_rings_lost_is_silence_of_its_length_and_strangers_are_left_out() {
        let folder =
            std::env::temp_dir().join(format!("attendant-recorder-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let settings = Settings {
            folder: folder.clone(),
            days: None,
            bytes: 1_000_000,
            key: None,
            when_full: WhenFull::OldestGo,
        };
        let (mut tap, taken) = RingBuffer::new(200);
        let (tell, told) = channel();
        let tell = move |report: Report| drop(tell.send(report));
        let recorder = Recorder::start(settings, vec![taken], tell).unwrap();
        let name = |call| Name::of(5, CallId(call));
        assert!(recorder.begin(name(1)));
        let frame = |call, tick| TapFrame {
            call: CallId(call),
            tick,
            heard: Frame([9_000; crate::base::pcm::FRAME_SAMPLES]),
            said: Frame::SILENCE,
        };
        // A second, a hole of a second, half a second.
        for tick in (7..57).chain(107..132) {
            tap.push(frame(1, tick)).unwrap();
            tap.push(frame(2, tick)).unwrap();
        }
        recorder.end(CallId(1));
        drop(recorder);
        let recording = recordings::find(&folder, name(1), None).unwrap();
        let bytes = recording.read_at(0, 1_000_000).unwrap();
        // The last page has the position of its end: 2.5 s, and a frame of silence.
        let last = bytes.windows(4).rposition(|part| part == b"OggS").unwrap();
        let position = u64::from_le_bytes(bytes[last + 6..last + 14].try_into().unwrap());
        assert_eq!(position, 126 * 960);
        assert!(recordings::find(&folder, name(2), None).is_none());
        let report = told.try_iter().last().unwrap();
        assert!(report.fault.is_none() && report.failed == 0, "{report:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_disk_that_takes_nothing_ends_the_recording_and_is_told() {
        let folder = std::env::temp_dir().join(format!("attendant-no-room-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        // Not even a chunk fits.
        let settings = Settings {
            folder: folder.clone(),
            days: None,
            bytes: 1_000,
            key: None,
            when_full: WhenFull::OldestGo,
        };
        let (tell, told) = channel();
        let tell = move |report: Report| drop(tell.send(report));
        let recorder = Recorder::start(settings, Vec::new(), tell).unwrap();
        assert!(recorder.begin(Name::of(5, CallId(1))));
        let failed = told.iter().find(|report| report.failed == 1).unwrap();
        assert!(failed.sentence().unwrap().contains("recordings.max_mb"), "{failed:?}");
        drop(recorder);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
