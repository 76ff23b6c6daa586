//! Recordings as others read them: by libopus and the crate ogg, cut, changed, encrypted, and too many.

use std::fs;
use std::io::Cursor;

use ::opus::{Channels, Decoder};
use ogg::PacketReader;

use super::*;
use crate::base::pcm::{FRAME_SAMPLES, Frame};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("attendant-recordings-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn settings(&self, key: Option<&Key>) -> Settings {
        Settings {
            folder: self.0.clone(),
            days: None,
            bytes: 10_000_000,
            key: key.cloned(),
            when_full: WhenFull::OldestGo,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

fn name(number: u64) -> Name {
    Name::of(number * 1_000, CallId(number))
}

fn tone(hz: f64, number: usize) -> Frame {
    let mut frame = Frame::SILENCE;
    for (index, sample) in frame.0.iter_mut().enumerate() {
        let at = (number * FRAME_SAMPLES + index) as f64 / 16_000.0;
        *sample = ((at * hz * std::f64::consts::TAU).sin() * 8_000.0) as i16;
    }
    frame
}

/// Writes seconds of it: left is heard in the first half of each second, right in the other.
fn write(recordings: &mut Recordings, name: Name, seconds: usize) -> io::Result<()> {
    let mut writing = recordings.begin(name)?;
    let mut encoder = Encoder::new(7)?;
    for number in 0..seconds * 50 {
        let (left, right) = match number % 50 < 25 {
            true => (tone(440.0, number), Frame::SILENCE),
            false => (Frame::SILENCE, tone(880.0, number)),
        };
        encoder.push(&left, &right)?;
        recordings.append(&mut writing, &encoder.take())?;
    }
    recordings.append(&mut writing, &encoder.finish()?)?;
    recordings.end(writing)
}

fn whole(recording: &Recording) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let more = recording.read_at(all.len() as u64, 1_000).unwrap();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

/// Both channels at 48 kHz, as whoever plays it hears them.
fn decoded(bytes: &[u8]) -> [Vec<i16>; 2] {
    let mut reader = PacketReader::new(Cursor::new(bytes));
    let head = reader.read_packet().unwrap().unwrap().data;
    assert_eq!(&head[..10], b"OpusHead\x01\x02");
    let pre_skip = usize::from(u16::from_le_bytes([head[10], head[11]]));
    assert_eq!(&reader.read_packet().unwrap().unwrap().data[..8], b"OpusTags");
    let mut decoder = Decoder::new(48_000, Channels::Stereo).unwrap();
    let mut channels = [Vec::new(), Vec::new()];
    while let Ok(Some(packet)) = reader.read_packet() {
        let mut pcm = vec![0; 2 * 5_760];
        let samples = decoder.decode(&packet.data, &mut pcm, false).unwrap();
        for pair in pcm[..2 * samples].chunks(2) {
            channels[0].push(pair[0]);
            channels[1].push(pair[1]);
        }
    }
    channels.map(|channel| channel[pre_skip..].to_vec())
}

/// In milliseconds, where the channel goes from soft to loud.
fn beginnings(channel: &[i16]) -> Vec<usize> {
    let is_loud = |block: &[i16]| block.iter().any(|sample| sample.unsigned_abs() > 3_000);
    let blocks: Vec<bool> = channel.chunks(48).map(is_loud).collect();
    let near = |at: usize| blocks[at.saturating_sub(50)..at].iter().any(|loud| *loud);
    (0..blocks.len()).filter(|at| blocks[*at] && !near(*at)).collect()
}

#[test]
fn the_caller_is_left_and_the_box_right_and_both_in_step_within_20_ms() {
    for key in [None, Key::read(KEY)] {
        let folder = Folder::new(if key.is_some() { "stereo-sealed" } else { "stereo" });
        let mut recordings = Recordings::open(folder.settings(key.as_ref())).unwrap();
        write(&mut recordings, name(1), 4).unwrap();
        let recording = find(&folder.0, name(1), key.as_ref()).unwrap();
        let bytes = whole(&recording);
        assert_eq!(bytes.len() as u64, recording.bytes());
        let [left, right] = decoded(&bytes).map(|channel| beginnings(&channel));
        let near = |found: &[usize], wanted: [usize; 4]| {
            found.len() == 4 && found.iter().zip(wanted).all(|(at, is)| at.abs_diff(is) <= 20)
        };
        assert!(near(&left, [0, 1_000, 2_000, 3_000]), "{left:?}");
        assert!(near(&right, [500, 1_500, 2_500, 3_500]), "{right:?}");
        // From any place on.
        for at in [0, 1, 999, bytes.len() as u64 - 1] {
            let part = recording.read_at(at, 300).unwrap();
            let from = at as usize;
            assert!(!part.is_empty() && bytes[from..].starts_with(&part), "{at}");
        }
        assert!(recording.read_at(bytes.len() as u64, 10).unwrap().is_empty());
        assert!(find(&folder.0, name(2), key.as_ref()).is_none());
    }
}

#[test]
fn a_cut_file_is_heard_up_to_its_last_whole_second_and_a_changed_one_is_not_believed() {
    let folder = Folder::new("cut");
    let key = Key::read(KEY).unwrap();
    let mut recordings = Recordings::open(folder.settings(Some(&key))).unwrap();
    write(&mut recordings, name(1), 5).unwrap();
    let path = files(&folder.0).unwrap().remove(0).0;
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(4).any(|part| part == b"Opus"), "nothing of it is in the clear");
    let all = whole(&find(&folder.0, name(1), Some(&key)).unwrap());
    for cut in [bytes.len() - 1, bytes.len() * 2 / 3] {
        fs::write(&path, &bytes[..cut]).unwrap();
        let part = whole(&find(&folder.0, name(1), Some(&key)).unwrap());
        assert!(part.len() > all.len() / 3 && all.starts_with(&part), "{cut}");
        assert!(decoded(&part)[0].len() > 48_000);
    }
    let mut changed = bytes.clone();
    changed[sealed::HEAD_BYTES + 10] ^= 1;
    fs::write(&path, &changed).unwrap();
    assert!(find(&folder.0, name(1), Some(&key)).unwrap().read_at(0, 10).is_err());
    fs::write(&path, &bytes).unwrap();
    let other = Key::read(&KEY.replace('0', "1")).unwrap();
    assert!(find(&folder.0, name(1), Some(&other)).unwrap().read_at(0, 10).is_err());
    assert!(find(&folder.0, name(1), None).is_none());
}

#[test]
fn the_oldest_go_by_bytes_and_by_age_and_what_is_being_written_stays() {
    let folder = Folder::new("retain");
    let mut settings = folder.settings(None);
    settings.bytes = 120_000;
    settings.days = Some(1);
    let mut recordings = Recordings::open(settings).unwrap();
    let names = || -> Vec<u64> {
        let files = files(&folder.0).unwrap();
        files.iter().map(|(path, _)| began(path).unwrap() / 1_000).collect()
    };
    // A name that would go first.
    let mut first = recordings.begin(name(0)).unwrap();
    recordings.append(&mut first, &[0; 1_000]).unwrap();
    let mut next = 1;
    while names().len() == next as usize {
        write(&mut recordings, name(next), 4).unwrap();
        next += 1;
        assert!(next < 50, "{:?}", names());
    }
    let kept = names();
    assert!(kept[0] == 0 && !kept.contains(&1), "{kept:?}");
    assert!(recordings.bytes() <= 120_000);
    // What is being written has all the room: it ends there.
    let full = recordings.append(&mut first, &vec![0; 200_000]).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    recordings.end(first).unwrap();
    assert_eq!(recordings.tend(None).unwrap(), 0);
    let count = names().len();
    assert_eq!(recordings.tend(Some(24 * 3_600_000)).unwrap(), 0);
    assert_eq!(recordings.tend(Some(40 * 24 * 3_600_000)).unwrap(), count);
    assert!(names().is_empty() && recordings.bytes() == 0);
}

#[test]
fn on_request_recording_and_flight_record_of_a_call_go() {
    let state = Folder::new("forget");
    let recordings = state.0.join(FOLDER);
    let flights = state.0.join(FLIGHTS);
    [&recordings, &flights].iter().for_each(|folder| fs::create_dir_all(folder).unwrap());
    for (folder, ending) in [(&recordings, PLAIN), (&recordings, SEALED), (&flights, "flight")] {
        for number in [1, 2] {
            fs::write(folder.join(format!("{}.{ending}", name(number).stem())), "x").unwrap();
        }
    }
    forget(&state.0, &[name(1), name(3)]).unwrap();
    assert_eq!(fs::read_dir(&recordings).unwrap().count(), 2);
    assert_eq!(fs::read_dir(&flights).unwrap().count(), 1);
}

#[test]
fn a_key_is_64_hexadecimal_digits_and_does_not_print() {
    assert!(Key::read(KEY).is_some());
    for wrong in ["", "00", &KEY[1..], &KEY.replace('0', "g"), &format!("{KEY}00")] {
        assert!(Key::read(wrong).is_none(), "{wrong}");
    }
    assert!(!format!("{:?}", Key::read(KEY)).contains("17"));
}
