//! PCM to payloads. Made for a call slot at start, reset for every call.

use audio_codec::Encoder as _;
use audio_codec::g722::G722Encoder;

use super::g711::Law;
use super::{Codec, CodecError, MAX_PACKET_BYTES};

/// What the peer and the network ask of Opus; G.711 and G.722 have nothing to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderSettings {
    /// Bits a second; `None` lets libopus choose for 16 kHz speech (about 20 kbit/s).
    pub bitrate_bps: Option<u32>,
    /// Send each frame a second time, coarsely, inside the next packet (RFC 7587 `useinbandfec`).
    pub inband_fec: bool,
    /// Loss that the peer reports, in percent; it decides how much of the rate the copies get.
    pub expected_loss_pct: u8,
    /// Send next to nothing in silence (RFC 7587 `usedtx`): payloads of at most 2 bytes.
    pub dtx: bool,
}

impl Default for EncoderSettings {
    fn default() -> Self {
        Self { bitrate_bps: None, inband_fec: true, expected_loss_pct: 5, dtx: false }
    }
}

/// One direction of one codec: what we say, to payloads.
pub struct Encoder(Core);

enum Core {
    G711(Law),
    G722(Box<G722Encoder>),
    Opus(opus::Encoder),
    L16,
}

/// libopus' effort, 0 to 10. At 16 kHz, 5 is not told from 10 by ear and costs half.
const OPUS_COMPLEXITY: i32 = 5;

impl Encoder {
    /// Allocates all that the encoder will ever need.
    pub fn new(codec: Codec, settings: EncoderSettings) -> Result<Self, CodecError> {
        let core = match codec {
            Codec::Pcmu => Core::G711(Law::Mu),
            Codec::Pcma => Core::G711(Law::A),
            Codec::G722 => Core::G722(Box::default()),
            Codec::Opus => {
                let rate_hz = Codec::Opus.sample_rate_hz();
                let mut opus =
                    opus::Encoder::new(rate_hz, opus::Channels::Mono, opus::Application::Voip)?;
                opus.set_complexity(OPUS_COMPLEXITY)?;
                opus.set_signal(opus::Signal::Voice)?;
                Core::Opus(opus)
            }
            Codec::L16 => Core::L16,
        };
        let mut encoder = Self(core);
        encoder.configure(settings)?;
        Ok(encoder)
    }

    /// Takes over what was negotiated for this call. RT safe.
    pub fn configure(&mut self, settings: EncoderSettings) -> Result<(), CodecError> {
        let Core::Opus(opus) = &mut self.0 else { return Ok(()) };
        opus.set_bitrate(match settings.bitrate_bps {
            // The range of RFC 7587 section 6.1, maxaveragebitrate.
            Some(bps) => opus::Bitrate::Bits(bps.clamp(6_000, 510_000) as i32),
            None => opus::Bitrate::Auto,
        })?;
        opus.set_inband_fec(settings.inband_fec)?;
        opus.set_packet_loss_perc(i32::from(settings.expected_loss_pct.min(100)))?;
        opus.set_dtx(settings.dtx)?;
        Ok(())
    }

    /// Back to the state of a new call; the settings stay. RT safe.
    pub fn reset(&mut self) {
        match &mut self.0 {
            Core::G711(_) | Core::L16 => {}
            Core::G722(g722) => **g722 = G722Encoder::new(),
            // Cannot fail on a state that was created; an old state is audible for a moment only.
            Core::Opus(opus) => drop(opus.reset_state()),
        }
    }

    /// Encodes one packet of PCM at `Codec::sample_rate_hz` into `out` and returns its bytes. The
    /// length is 10 to 60 ms; with Opus one that [`super::packet_ms`] gives. 0 means that the
    /// length is not one of these or that `out` is too small
    /// ([`MAX_PACKET_BYTES`] is always enough). RT safe.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        match &mut self.0 {
            Core::G711(law) => {
                let Some(out) = out.get_mut(..pcm.len()) else { return 0 };
                for (code, &sample) in out.iter_mut().zip(pcm) {
                    *code = law.encode(sample);
                }
                pcm.len()
            }
            Core::G722(g722) => {
                // Checked before: a half-encoded packet would leave the predictor out of step.
                if !pcm.len().is_multiple_of(2) || out.len() < pcm.len() / 2 {
                    return 0;
                }
                g722.encode_into(pcm, out).unwrap_or(0)
            }
            Core::Opus(opus) => {
                let limit = out.len().min(MAX_PACKET_BYTES);
                let Some(out) = out.get_mut(..limit) else { return 0 };
                opus.encode(pcm, out).unwrap_or(0)
            }
            Core::L16 => {
                let Some(out) = out.get_mut(..pcm.len() * 2) else { return 0 };
                for (bytes, sample) in out.chunks_exact_mut(2).zip(pcm) {
                    bytes.copy_from_slice(&sample.to_be_bytes());
                }
                out.len()
            }
        }
    }
}
