//! Two sides of a call, or one, as Opus in Ogg (RFC 7845): 20 ms a packet, a second a page.

use std::io;

use ogg::{PacketWriteEndInfo, PacketWriter};

use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};

/// Ogg counts Opus at 48 kHz whatever it was made from.
const UNITS: u64 = 48_000;
const UNITS_PER_FRAME: u64 = UNITS / 50;
const FRAMES_PER_PAGE: u64 = 50;
/// Speech of two people who mostly take turns.
const BITRATE_BPS: i32 = 32_000;
/// Of one.
const MONO_BPS: i32 = 24_000;
/// libopus' own recommendation for the longest packet.
const PACKET_BYTES: usize = 4_000;
const EFFORT: i32 = 5;

/// One recording's encoder; what it gives is written in the order in which it gives it.
pub struct Encoder {
    opus: ::opus::Encoder,
    channels: u8,
    ogg: PacketWriter<'static, Vec<u8>>,
    serial: u32,
    pre_skip: u64,
    frames: u64,
    /// The newest packet, which waits to know whether it is the last.
    waiting: Option<Vec<u8>>,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encoder({} frames)", self.frames)
    }
}

impl Encoder {
    /// # Errors
    /// libopus has no memory.
    pub fn new(serial: u32) -> io::Result<Self> {
        Self::with(serial, ::opus::Channels::Stereo, BITRATE_BPS)
    }

    /// Of one side alone.
    ///
    /// # Errors
    /// libopus has no memory.
    pub fn mono(serial: u32) -> io::Result<Self> {
        Self::with(serial, ::opus::Channels::Mono, MONO_BPS)
    }

    fn with(serial: u32, channels: ::opus::Channels, bits: i32) -> io::Result<Self> {
        let voip = ::opus::Application::Voip;
        let mut opus = ::opus::Encoder::new(SAMPLE_RATE_HZ, channels, voip).map_err(other)?;
        opus.set_bitrate(::opus::Bitrate::Bits(bits)).map_err(other)?;
        opus.set_complexity(EFFORT).map_err(other)?;
        let lookahead = u64::try_from(opus.get_lookahead().map_err(other)?).unwrap_or(0);
        let pre_skip = lookahead * UNITS / u64::from(SAMPLE_RATE_HZ);
        let mut encoder = Self {
            opus,
            channels: if channels == ::opus::Channels::Mono { 1 } else { 2 },
            ogg: PacketWriter::new(Vec::new()),
            serial,
            pre_skip,
            frames: 0,
            waiting: None,
        };
        encoder.head()?;
        Ok(encoder)
    }

    /// RFC 7845 sections 5.1 and 5.2.
    fn head(&mut self) -> io::Result<()> {
        let pre_skip = u16::try_from(self.pre_skip).unwrap_or(u16::MAX);
        let mut head = b"OpusHead\x01".to_vec();
        head.push(self.channels);
        head.extend(pre_skip.to_le_bytes());
        head.extend(SAMPLE_RATE_HZ.to_le_bytes());
        // No gain, and channels as they come: left, right.
        head.extend([0, 0, 0]);
        self.ogg.write_packet(head, self.serial, PacketWriteEndInfo::EndPage, 0)?;
        let vendor = concat!("attendant ", env!("CARGO_PKG_VERSION")).as_bytes();
        let mut tags = b"OpusTags".to_vec();
        tags.extend(u32::try_from(vendor.len()).unwrap_or(0).to_le_bytes());
        tags.extend(vendor);
        tags.extend(0_u32.to_le_bytes());
        self.ogg.write_packet(tags, self.serial, PacketWriteEndInfo::EndPage, 0)
    }

    /// 20 ms of both.
    ///
    /// # Errors
    /// What libopus refuses.
    pub fn push(&mut self, left: &Frame, right: &Frame) -> io::Result<()> {
        let mut both = [0; 2 * FRAME_SAMPLES];
        for (pair, (left, right)) in both.chunks_exact_mut(2).zip(left.0.iter().zip(&right.0)) {
            pair.copy_from_slice(&[*left, *right]);
        }
        self.encode(&both)
    }

    /// 20 ms of one side.
    ///
    /// # Errors
    /// What libopus refuses.
    pub fn push_mono(&mut self, frame: &Frame) -> io::Result<()> {
        self.encode(&frame.0)
    }

    fn encode(&mut self, samples: &[i16]) -> io::Result<()> {
        let packet = self.opus.encode_vec(samples, PACKET_BYTES).map_err(other)?;
        self.write(false)?;
        self.waiting = Some(packet);
        self.frames += 1;
        Ok(())
    }

    fn write(&mut self, is_last: bool) -> io::Result<()> {
        let Some(packet) = self.waiting.take() else { return Ok(()) };
        let end = match () {
            () if is_last => PacketWriteEndInfo::EndStream,
            () if self.frames.is_multiple_of(FRAMES_PER_PAGE) => PacketWriteEndInfo::EndPage,
            () => PacketWriteEndInfo::NormalPacket,
        };
        let position = self.frames * UNITS_PER_FRAME;
        self.ogg.write_packet(packet, self.serial, end, position)
    }

    /// Whole pages that are there since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.ogg.inner_mut())
    }

    /// The last page.
    ///
    /// # Errors
    /// What libopus refuses.
    pub fn finish(mut self) -> io::Result<Vec<u8>> {
        // What the encoder still holds back comes out behind silence.
        match self.channels {
            1 => self.push_mono(&Frame::SILENCE)?,
            _ => self.push(&Frame::SILENCE, &Frame::SILENCE)?,
        }
        self.write(true)?;
        Ok(self.take())
    }
}

fn other(error: ::opus::Error) -> io::Error {
    io::Error::other(error)
}
