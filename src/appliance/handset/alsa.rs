//! Sound cards by ALSA, opened so that nobody ever waits for one.

use alsa::pcm::{Access, Format, Frames, HwParams, PCM, State};
use alsa::{Direction, ValueOr};
use nix::errno::Errno;

use super::card::{Cards, Fault, Sink, Source};

/// The rate that is asked for: what nearly every card has, and a multiple of ours.
const RATE_HZ: u32 = 48_000;
/// Length of a period in microseconds: half a tick, so that each tick finds what has come.
const PERIOD_US: u32 = 10_000;
/// Length of a card's buffer in microseconds: room for a thread that is late, not delay, since what is queued is
/// steered.
const BUFFER_US: u32 = 160_000;
/// Length of the silence that a loudspeaker begins with, in milliseconds: what it is to hold beyond a tick's sound.
const FIRST_MS: u32 = 25;
/// Samples read or written at once, over all channels: a buffer at the highest rate.
const MOST_CHANNELS: u32 = 8;

/// Cards of this machine.
#[derive(Debug, Default)]
pub struct AlsaCards;

impl Cards for AlsaCards {
    fn source(&mut self, name: &str) -> Result<Box<dyn Source>, String> {
        let mut pcm = Pcm::open(name, Direction::Capture).map_err(|error| told(&error))?;
        pcm.pcm.start().map_err(|error| told(&error))?;
        // Nothing has been said yet that could fill it.
        pcm.is_paced = !pcm.pcm.avail_update().is_ok_and(|waiting| size(waiting) >= pcm.buffer);
        Ok(Box::new(pcm))
    }

    fn sink(&mut self, name: &str) -> Result<Box<dyn Sink>, String> {
        let mut pcm = Pcm::open(name, Direction::Playback).map_err(|error| told(&error))?;
        pcm.is_paced = !pcm.swallows();
        Ok(Box::new(pcm))
    }
}

/// An open device.
struct Pcm {
    pcm: PCM,
    rate: u32,
    channels: usize,
    buffer: usize,
    is_paced: bool,
    interleaved: Vec<i16>,
}

impl Pcm {
    fn open(name: &str, direction: Direction) -> alsa::Result<Self> {
        let pcm = PCM::new(name, direction, true)?;
        let (rate, channels, buffer) = {
            let params = HwParams::any(&pcm)?;
            params.set_access(Access::RWInterleaved)?;
            params.set_format(Format::s16())?;
            params.set_rate_resample(false)?;
            let rate = params.set_rate_near(RATE_HZ, ValueOr::Nearest)?;
            let channels = params.set_channels_near(1)?.min(MOST_CHANNELS);
            params.set_period_time_near(PERIOD_US, ValueOr::Nearest)?;
            params.set_buffer_time_near(BUFFER_US, ValueOr::Nearest)?;
            pcm.hw_params(&params)?;
            (rate, channels as usize, size(params.get_buffer_size()?))
        };
        let software = pcm.sw_params_current()?;
        software.set_start_threshold(Frames::from(1_u8))?;
        pcm.sw_params(&software)?;
        drop(software);
        pcm.prepare()?;
        let interleaved = vec![0; buffer * channels];
        Ok(Self { pcm, rate, channels, buffer, is_paced: true, interleaved })
    }

    /// Whether what is given to it is gone at once: it plays by no clock. Neither a device's name nor its number tells,
    /// since a sound server's has neither and paces.
    fn swallows(&mut self) -> bool {
        let silence = vec![0; (self.rate * FIRST_MS / 1_000) as usize];
        let written = Sink::write(self, &silence).unwrap_or(0);
        let is_empty = self.pcm.avail_update().is_ok_and(|room| size(room) >= self.buffer);
        written > 0 && is_empty
    }

    /// What follows from an error; a card that ran full or empty begins anew.
    fn fault(&self, error: &alsa::Error) -> Fault {
        match Errno::from_raw(error.errno()) {
            Errno::EPIPE | Errno::ESTRPIPE => match self.pcm.try_recover(*error, true) {
                Ok(()) => {
                    // A microphone does not begin by being read where it may not wait.
                    if self.pcm.state() == State::Prepared {
                        let _ = self.pcm.start();
                    }
                    Fault::Xrun
                }
                Err(error) => Fault::Gone(told(&error)),
            },
            _ => Fault::Gone(told(error)),
        }
    }

    fn available(&mut self) -> Result<usize, Fault> {
        match self.pcm.avail_update() {
            Ok(frames) => Ok(size(frames).min(self.buffer)),
            Err(error) => Err(self.fault(&error)),
        }
    }
}

impl Source for Pcm {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn is_paced(&self) -> bool {
        self.is_paced
    }

    fn waiting(&mut self) -> Result<usize, Fault> {
        self.available()
    }

    fn read(&mut self, samples: &mut [i16]) -> Result<usize, Fault> {
        let channels = self.channels;
        let frames = samples.len().min(self.buffer);
        let into = &mut self.interleaved[..frames * channels];
        // A plugin may count frames that it does not write.
        into.fill(0);
        let outcome = self.pcm.io_i16().and_then(|io| io.readi(into));
        let read = match outcome {
            Ok(read) => read.min(frames),
            Err(error) if error.errno() == Errno::EAGAIN as i32 => 0,
            Err(error) => return Err(self.fault(&error)),
        };
        // The first channel: a handset's microphone is on each of them.
        let first = self.interleaved.chunks_exact(channels).map(|frame| frame[0]);
        samples.iter_mut().zip(first.take(read)).for_each(|(to, from)| *to = from);
        Ok(read)
    }
}

impl Sink for Pcm {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn is_paced(&self) -> bool {
        self.is_paced
    }

    fn queued(&mut self) -> Result<usize, Fault> {
        let room = self.available()?;
        Ok(self.buffer - room)
    }

    fn write(&mut self, samples: &[i16]) -> Result<usize, Fault> {
        let channels = self.channels;
        let frames = samples.len().min(self.buffer);
        let given = &mut self.interleaved[..frames * channels];
        for (frame, sample) in given.chunks_exact_mut(channels).zip(samples) {
            frame.fill(*sample);
        }
        match self.pcm.io_i16().and_then(|io| io.writei(given)) {
            Ok(written) => Ok(written),
            Err(error) if error.errno() == Errno::EAGAIN as i32 => Ok(0),
            Err(error) => Err(self.fault(&error)),
        }
    }
}

/// Sizes that ALSA gives are never negative where they are no error.
fn size(frames: Frames) -> usize {
    usize::try_from(frames).unwrap_or(0)
}

/// In the system's words, without the name of a function.
fn told(error: &alsa::Error) -> String {
    Errno::from_raw(error.errno()).desc().to_owned()
}
