//! What an engine says of itself.

use super::{NAME_BYTES, ProtocolError, Reader, Writer};
use crate::base::LanguageCode;

/// Voices that an engine may list.
const VOICES: usize = 64;

/// What an engine that is ready has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Where Whisper runs, in words, with the reason if it is not where it was wanted.
    pub device: String,
    pub model: String,
    /// SHA-256 of the model file.
    pub model_sha256: [u8; 32],
    /// Longest utterance that is taken.
    pub window_ms: u32,
    /// Lanes with a recogniser state of their own.
    pub lanes: u16,
    /// Decodes at a time.
    pub decoders: u16,
    pub voices: Vec<String>,
    /// The configured languages that the model hears.
    pub languages: Vec<LanguageCode>,
    /// The neural voices that are configured, whether they speak or not.
    pub neural: Vec<VoiceReport>,
    /// The turn model, if one is configured, whether it tells anything or not.
    pub turn: Option<TurnReport>,
    pub load_ms: u32,
    pub warm_ms: u32,
}

/// How a neural voice is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceReport {
    /// As phrases name it.
    pub name: String,
    /// Where it runs, in words; empty while it does not speak.
    pub device: String,
    /// Why it does not speak, and who does instead.
    pub fault: Option<String>,
}

/// How the turn model is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnReport {
    /// As the configuration names it.
    pub name: String,
    /// Why it tells nothing.
    pub fault: Option<String>,
}

impl Ready {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.text(&self.device, NAME_BYTES);
        out.text(&self.model, NAME_BYTES);
        out.0.extend_from_slice(&self.model_sha256);
        out.u32(self.window_ms);
        out.u16(self.lanes);
        out.u16(self.decoders);
        let voices = self.voices.get(..VOICES).unwrap_or(&self.voices);
        out.count(voices.len());
        for voice in voices {
            out.text(voice, NAME_BYTES);
        }
        out.languages(&self.languages);
        out.reports(&self.neural);
        out.u8(u8::from(self.turn.is_some()));
        if let Some(turn) = &self.turn {
            out.turn(turn);
        }
        out.u32(self.load_ms);
        out.u32(self.warm_ms);
    }

    pub(super) fn read(fields: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let device = fields.text(NAME_BYTES)?;
        let model = fields.text(NAME_BYTES)?;
        let model_sha256 = fields.array()?;
        let window_ms = fields.u32()?;
        let (lanes, decoders) = (fields.u16()?, fields.u16()?);
        let count = fields.u32()? as usize;
        if count > VOICES {
            return Err(ProtocolError::BadValue);
        }
        let voices = (0..count).map(|_| fields.text(NAME_BYTES)).collect::<Result<_, _>>()?;
        let languages = fields.languages()?;
        let neural = fields.reports()?;
        let turn = if fields.flag()? { Some(fields.turn()?) } else { None };
        let (load_ms, warm_ms) = (fields.u32()?, fields.u32()?);
        Ok(Self {
            device,
            model,
            model_sha256,
            window_ms,
            lanes,
            decoders,
            voices,
            languages,
            neural,
            turn,
            load_ms,
            warm_ms,
        })
    }
}

impl Writer<'_> {
    pub(super) fn reports(&mut self, reports: &[VoiceReport]) {
        let reports = reports.get(..VOICES).unwrap_or(reports);
        self.count(reports.len());
        for VoiceReport { name, device, fault } in reports {
            self.text(name, NAME_BYTES);
            self.text(device, NAME_BYTES);
            self.fault(fault.as_deref());
        }
    }

    pub(super) fn turn(&mut self, TurnReport { name, fault }: &TurnReport) {
        self.text(name, NAME_BYTES);
        self.fault(fault.as_deref());
    }

    fn fault(&mut self, fault: Option<&str>) {
        self.u8(u8::from(fault.is_some()));
        self.text(fault.unwrap_or_default(), FAULT_BYTES);
    }
}

impl Reader<'_> {
    pub(super) fn reports(&mut self) -> Result<Vec<VoiceReport>, ProtocolError> {
        let count = self.u32()? as usize;
        if count > VOICES {
            return Err(ProtocolError::BadValue);
        }
        let one = |_| {
            let (name, device) = (self.text(NAME_BYTES)?, self.text(NAME_BYTES)?);
            Ok(VoiceReport { name, device, fault: self.fault()? })
        };
        (0..count).map(one).collect()
    }

    pub(super) fn turn(&mut self) -> Result<TurnReport, ProtocolError> {
        Ok(TurnReport { name: self.text(NAME_BYTES)?, fault: self.fault()? })
    }

    fn fault(&mut self) -> Result<Option<String>, ProtocolError> {
        let (is_faulty, text) = (self.flag()?, self.text(FAULT_BYTES)?);
        Ok(is_faulty.then_some(text))
    }

    pub(super) fn flag(&mut self) -> Result<bool, ProtocolError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(ProtocolError::BadValue),
        }
    }
}

/// Bytes of the reason why a voice or a turn model does not work.
const FAULT_BYTES: usize = 1_024;
