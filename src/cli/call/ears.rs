//! `--transcribe`: what the far end said, as our own speech engine hears it after the call.

use super::caller::CallLog;
use super::far_end::Words;
use super::script::Exchange;
use crate::appliance::engine::link::EnginePlace;
use crate::base::limits;
use crate::base::pcm::{FRAME_MS, Frame};
use crate::cli::listening::{Listening, ListeningError};
use crate::listen::{DecodeWish, Heard, transcript};

/// Frames before the first with speech that may hold a faint beginning.
const LEAD: usize = 10;
/// Frames that the engine takes at once.
const WINDOW: usize = (limits::UTTERANCE_MS / FRAME_MS) as usize;
/// A long reply is cut in its quietest frame after this many.
const CUT_FROM: usize = WINDOW / 2;

/// The words of the greeting and of each turn's reply; what cannot be recognised has none.
pub(super) fn listen(place: EnginePlace, log: &CallLog) -> Result<Vec<Words>, ListeningError> {
    let mut engine = Listening::start(place)?;
    let mut all = Vec::new();
    let acts = log.acts.iter().map(|act| &act.exchange);
    for exchange in std::iter::once(&log.greeting).chain(acts) {
        let reply = words(&mut engine, stretch(exchange, &log.heard));
        all.push(Words { reply, ..Words::default() });
    }
    Ok(all)
}

/// What is said in these frames, as far as it can be recognised.
pub(super) fn words(engine: &mut Listening, frames: &[Frame]) -> String {
    let mut words = String::new();
    for piece in pieces(frames) {
        let audio = piece.iter().flat_map(|frame| frame.0).collect();
        let heard = engine.hear(audio, DecodeWish::default());
        let text = match heard.map(|heard| transcript::read(&heard.recognition, None).heard) {
            Ok(Heard::Words { text, .. }) => text.into_revealed(),
            Ok(Heard::Nothing | Heard::Unclear) | Err(_) => String::new(),
        };
        words = format!("{words} {}", text.trim()).trim().to_owned();
    }
    words
}

/// The reply's frames.
fn stretch<'a>(exchange: &Exchange, heard: &'a [Frame]) -> &'a [Frame] {
    let Some(from) = exchange.reply_from else { return &[] };
    let to = exchange.reply_to.map_or(heard.len(), |mark| mark.number + 1 + LEAD);
    heard.get(from.number.saturating_sub(LEAD)..to.min(heard.len())).unwrap_or_default()
}

/// Cuts what is longer than the engine takes at once.
fn pieces(mut frames: &[Frame]) -> Vec<&[Frame]> {
    let mut pieces = Vec::new();
    while frames.len() > WINDOW {
        let level = |at: &usize| frames.get(*at).map_or(0.0, Frame::level_dbfs);
        let quietest = (CUT_FROM..WINDOW).min_by(|a, b| level(a).total_cmp(&level(b)));
        let (piece, rest) = frames.split_at(quietest.unwrap_or(WINDOW));
        pieces.push(piece);
        frames = rest;
    }
    if !frames.is_empty() {
        pieces.push(frames);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pcm::FRAME_SAMPLES;

    #[test]
    fn a_long_reply_is_cut_where_it_is_quiet_and_nothing_is_lost() {
        let mut frames = vec![Frame([9_000; FRAME_SAMPLES]); 1_100];
        frames[400] = Frame::SILENCE;
        let cut: Vec<usize> = pieces(&frames).iter().map(|piece| piece.len()).collect();
        assert_eq!(cut.iter().sum::<usize>(), 1_100);
        assert_eq!(cut[0], 400);
        assert!(cut.iter().all(|length| *length <= WINDOW));
        assert!(pieces(&[]).is_empty());
    }
}
