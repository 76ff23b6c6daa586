//! flite's voice `slt`, American English, linked from the system's library.
//!
//! The bindings are the few functions that streaming synthesis needs (flite 2.2, `flite.h`,
//! `cst_audio.h`, `cst_wave.h`). The library keeps one voice for the whole program and promises
//! nothing about threads, so one lock is around every use of it.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

/// Samples between two calls of the sink: 100 ms, about 1 ms of work.
const CHUNK_SAMPLES: c_int = 1_600;
/// The voice's own rate, which is the program's.
const SAMPLE_RATE_HZ: c_int = 16_000;
/// A name in the utterance's features under which the synthesizer looks for its stream.
const STREAMING: &std::ffi::CStr = c"streaming_info";
const INPUT_TEXT: &std::ffi::CStr = c"input_text";

/// The library's voice, registered once and kept.
static REGISTERED: Mutex<Option<Registered>> = Mutex::new(None);

struct Registered(NonNull<Voice>);

// SAFETY: the voice lives as long as the program and is only used under the lock of `REGISTERED`.
unsafe impl Send for Registered {}

/// The voice is registered; this says so.
#[derive(Clone, Copy, Debug)]
pub struct Flite(());

/// What the receiver of the sound wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Continue,
    Stop,
}

/// Why nothing was spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FliteError {
    #[error("the voice slt cannot be registered")]
    Register,
    #[error("the voice slt failed to speak")]
    Synthesis,
}

impl Flite {
    /// Registers the voice if it is not yet.
    pub fn open() -> Result<Self, FliteError> {
        let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
        if registered.is_none() {
            // SAFETY: the lock keeps every other use of the library away; a null directory is what
            // its documentation passes.
            let voice = unsafe {
                flite_init();
                register_cmu_us_slt(std::ptr::null())
            };
            *registered = Some(Registered(NonNull::new(voice).ok_or(FliteError::Register)?));
        }
        Ok(Self(()))
    }

    /// Speaks `text`, handing over the sound while it is made: 16 kHz mono. Ends early when the
    /// sink says `Stop`.
    pub fn speak(self, text: &str, sink: &mut dyn FnMut(&[i16]) -> Flow) -> Result<(), FliteError> {
        let text = speakable(text);
        if !text.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(());
        }
        let text = CString::new(text).expect("only printable characters are left");
        let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
        let voice = registered.as_ref().expect("opening has registered it").0;
        let mut stream = Stream { sink, stopped: false };
        // SAFETY: the lock keeps every other use of the library away. The utterance is made, used
        // and deleted here. Its features copy the text. The
        // stream's description is allocated by the library and owned by the utterance's features
        // once set, so it dies with them; it points at `stream`, which outlives the utterance, and
        // only `on_samples` in this thread follows that pointer. A failed synthesis has deleted the
        // utterance itself (flite_do_synth).
        let made = unsafe {
            let utterance = new_utterance();
            let description = new_audio_streaming_info();
            if utterance.is_null() || description.is_null() {
                return Err(FliteError::Synthesis);
            }
            (*description).min_buffsize = CHUNK_SAMPLES;
            (*description).asc = Some(on_samples);
            (*description).userdata = (&raw mut stream).cast();
            let features = (*utterance).features;
            flite_feat_set_string(features, INPUT_TEXT.as_ptr(), text.as_ptr());
            flite_feat_set(features, STREAMING.as_ptr(), audio_streaming_info_val(description));
            let made = flite_do_synth(utterance, voice.as_ptr(), utt_synth);
            if !made.is_null() {
                delete_utterance(made);
            }
            !made.is_null()
        };
        drop(registered);
        if made || stream.stopped { Ok(()) } else { Err(FliteError::Synthesis) }
    }
}

/// The voice reads bytes, not characters: what has a plain counterpart gets it, the rest is a pause.
fn speakable(text: &str) -> String {
    let plain = |c: char| match c {
        ' '..='~' => c,
        'à'..='å' => 'a',
        'À'..='Å' => 'A',
        'ç' => 'c',
        'è'..='ë' => 'e',
        'È'..='Ë' => 'E',
        'ì'..='ï' => 'i',
        'ñ' => 'n',
        'ò'..='ö' | 'ø' => 'o',
        'Ò'..='Ö' | 'Ø' => 'O',
        'ù'..='ü' => 'u',
        'Ù'..='Ü' => 'U',
        'ý' | 'ÿ' => 'y',
        'ß' => 's',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{2013}' | '\u{2014}' => ',',
        _ => ' ',
    };
    text.chars().map(plain).collect()
}

/// What the callback finds behind its user pointer.
struct Stream<'a> {
    sink: &'a mut dyn FnMut(&[i16]) -> Flow,
    stopped: bool,
}

/// Called by the synthesizer with each new piece of sound. A panic of the sink ends the program here
/// at the latest: it cannot leave an `extern "C"` function.
unsafe extern "C" fn on_samples(
    wave: *const Wave,
    start: c_int,
    size: c_int,
    _last: c_int,
    description: *mut StreamingInfo,
) -> c_int {
    // SAFETY: the library passes the description that `speak` made, whose `userdata` is a `Stream`
    // of that call's frame, used by nobody else meanwhile; and a wave whose `samples` holds at
    // least `start + size` samples.
    let (stream, wave) = unsafe { (&mut *(*description).userdata.cast::<Stream<'_>>(), &*wave) };
    let (Ok(start), Ok(size)) = (usize::try_from(start), usize::try_from(size)) else {
        return STREAM_STOP;
    };
    let whole = usize::try_from(wave.num_samples).unwrap_or(0);
    let fits =
        wave.sample_rate == SAMPLE_RATE_HZ && wave.num_channels == 1 && start + size <= whole;
    if !fits || wave.samples.is_null() {
        return STREAM_STOP;
    }
    // SAFETY: checked above against the wave's own length.
    let samples = unsafe { std::slice::from_raw_parts(wave.samples.add(start), size) };
    match (stream.sink)(samples) {
        Flow::Continue => STREAM_CONTINUE,
        Flow::Stop => {
            stream.stopped = true;
            STREAM_STOP
        }
    }
}

const STREAM_STOP: c_int = -1;
const STREAM_CONTINUE: c_int = 0;

/// `cst_voice`, used behind pointers only.
#[repr(C)]
struct Voice {
    _opaque: [u8; 0],
}

/// `cst_features`.
#[repr(C)]
struct Features {
    _opaque: [u8; 0],
}

/// `cst_val`.
#[repr(C)]
struct Value {
    _opaque: [u8; 0],
}

/// `cst_utterance`: the library allocates it; only its first field is read here.
#[repr(C)]
struct Utterance {
    features: *mut Features,
}

/// `cst_wave`.
#[repr(C)]
struct Wave {
    kind: *const c_char,
    sample_rate: c_int,
    num_samples: c_int,
    num_channels: c_int,
    samples: *const i16,
}

/// `cst_audio_streaming_info`.
#[repr(C)]
struct StreamingInfo {
    min_buffsize: c_int,
    asc: Option<StreamCallback>,
    utt: *const Utterance,
    item: *const c_void,
    userdata: *mut c_void,
}

type StreamCallback =
    unsafe extern "C" fn(*const Wave, c_int, c_int, c_int, *mut StreamingInfo) -> c_int;

// The order is the linker's: a library before those that it needs.
#[link(name = "flite_cmu_us_slt")]
unsafe extern "C" {
    fn register_cmu_us_slt(directory: *const c_char) -> *mut Voice;
}

#[link(name = "flite_usenglish")]
unsafe extern "C" {}

#[link(name = "flite_cmulex")]
unsafe extern "C" {}

#[link(name = "flite")]
unsafe extern "C" {
    fn flite_init() -> c_int;
    fn new_utterance() -> *mut Utterance;
    fn delete_utterance(utterance: *mut Utterance);
    fn utt_synth(utterance: *mut Utterance) -> *mut Utterance;
    fn flite_do_synth(
        utterance: *mut Utterance,
        voice: *mut Voice,
        synth: unsafe extern "C" fn(*mut Utterance) -> *mut Utterance,
    ) -> *mut Utterance;
    fn flite_feat_set(features: *mut Features, name: *const c_char, value: *const Value);
    fn flite_feat_set_string(features: *mut Features, name: *const c_char, value: *const c_char);
    fn new_audio_streaming_info() -> *mut StreamingInfo;
    fn audio_streaming_info_val(description: *mut StreamingInfo) -> *mut Value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_comes_in_pieces_and_lasts_as_long_as_it_should() {
        let (mut pieces, mut samples) = (0, 0);
        let voice = Flite::open().unwrap();
        voice
            .speak("Your order is on its way.", &mut |piece| {
                pieces += 1;
                samples += piece.len();
                Flow::Continue
            })
            .unwrap();
        assert!(pieces > 5, "{pieces} pieces");
        assert!((16_000..48_000).contains(&samples), "{samples} samples");
    }

    #[test]
    fn a_sink_that_has_enough_gets_no_more() {
        let mut pieces = 0;
        let mut sink = |_: &[i16]| {
            pieces += 1;
            Flow::Stop
        };
        Flite::open().unwrap().speak("one two three four five six seven", &mut sink).unwrap();
        assert_eq!(pieces, 1);
    }

    #[test]
    fn texts_that_nobody_can_read_are_survived() {
        let long = "a".repeat(300);
        let digits = "9".repeat(40);
        let all: String = (0_u8..=255).map(char::from).collect();
        for text in [
            "",
            " ",
            ".",
            "\0",
            "日本",
            "<>&;",
            "1e999",
            "$5.00",
            "O'Neill's",
            &long,
            &digits,
            &all,
        ] {
            Flite::open().unwrap().speak(text, &mut |_| Flow::Continue).unwrap();
        }
    }

    #[test]
    fn threads_take_turns_with_the_one_voice() {
        let length = || {
            let mut samples = 0;
            let mut sink = |piece: &[i16]| {
                samples += piece.len();
                Flow::Continue
            };
            Flite::open().unwrap().speak("our office is open", &mut sink).unwrap();
            samples
        };
        let others = [std::thread::spawn(length), std::thread::spawn(length)];
        let expected = length();
        assert!(others.into_iter().all(|other| other.join().unwrap() == expected));
    }
}
