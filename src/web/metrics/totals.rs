//! Sums over calls: what stays of a call in the metrics once it is forgotten.

use std::collections::BTreeMap;

use crate::call::one_way::OneWay;
use crate::call::record::{CallRecord, Direction, Progress, Turn};

/// Upper bounds of a gap's buckets, in milliseconds: around what is promised, 200 and 400.
pub(super) const GAP_BOUNDS_MS: [u32; 10] =
    [100, 150, 200, 300, 400, 500, 800, 1_200, 2_000, 5_000];
/// Those of a gap's parts and of the stages' own work.
pub(super) const PART_BOUNDS_MS: [u32; 12] =
    [10, 20, 50, 100, 150, 200, 300, 500, 800, 1_200, 2_000, 5_000];
/// Those of what a call's part of the GPU's energy is, in joules.
pub(super) const ENERGY_BOUNDS_J: [f64; 8] =
    [10.0, 50.0, 100.0, 500.0, 1_000.0, 5_000.0, 10_000.0, 50_000.0];
/// Upper bounds of a mean opinion score's buckets: the steps of G.107 annex B, by which users are "nearly
/// all dissatisfied" below 2.58 and "very satisfied" above 4.34.
pub(super) const MOS_BOUNDS: [f32; 7] = [2.0, 2.58, 3.1, 3.6, 4.03, 4.34, 4.5];

/// Counts in buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram<const BUCKETS: usize> {
    pub(super) counts: [u64; BUCKETS],
    pub(super) sum: f64,
}

impl<const BUCKETS: usize> Default for Histogram<BUCKETS> {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], sum: 0.0 }
    }
}

impl<const BUCKETS: usize> Histogram<BUCKETS> {
    fn add<T: PartialOrd + Copy + Into<f64>>(&mut self, bounds: &[T], value: T) {
        let bucket = bounds.iter().take_while(|bound| **bound < value).count();
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
            self.sum += value.into();
        }
    }
}

/// Times of a gap's parts.
pub(super) type Parts = Histogram<{ PART_BOUNDS_MS.len() + 1 }>;

/// Who dialled, who ended it, and why: words of our own tables.
pub type EndingKey = (&'static str, &'static str, &'static str);

/// Sums over calls, since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    endings: BTreeMap<EndingKey, u64>,
    /// Calls now, by who dialled and how far they have come.
    pub(super) live: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) one_way: BTreeMap<OneWay, u64>,
    pub(super) packets_received: u64,
    pub(in crate::web) packets_sent: u64,
    pub(super) packets_lost: u64,
    pub(super) packets_late: u64,
    pub(super) concealed_ms: u64,
    /// With remote agents.
    pub(super) agent_ms: u64,
    /// Why agents did not hold calls to their end.
    pub(super) agent_faults: BTreeMap<&'static str, u64>,
    pub(super) turns: u64,
    pub(super) interrupted: u64,
    pub(super) gaps: Histogram<{ GAP_BOUNDS_MS.len() + 1 }>,
    /// What each gap is made of, in the order of [`Latency::parts`](crate::call::latency::Latency::parts).
    pub(super) parts: [Parts; 6],
    /// How long recogniser, model and voice themselves worked for it.
    pub(super) decodes: Parts,
    pub(super) models: Parts,
    pub(super) voices: Parts,
    /// From the ACK to the first packet of the greeting.
    pub(super) greetings: Parts,
    /// Each ended call's part of the GPU's energy, where that is told.
    pub(super) energy: Histogram<{ ENERGY_BOUNDS_J.len() + 1 }>,
    /// The worst of each call that has ended.
    pub(super) mos_incoming: Histogram<{ MOS_BOUNDS.len() + 1 }>,
    pub(super) mos_outgoing: Histogram<{ MOS_BOUNDS.len() + 1 }>,
}

impl Totals {
    /// How calls have ended.
    pub fn endings(&self) -> impl Iterator<Item = (EndingKey, u64)> {
        self.endings.iter().map(|(key, count)| (*key, *count))
    }

    pub(in crate::web) fn add(&mut self, record: &CallRecord) {
        let direction = direction(record.direction);
        match record.progress {
            Progress::Ended { ending, .. } => {
                let key = (direction, ending.by.name(), ending.cause.wording().name);
                *self.endings.entry(key).or_default() += 1;
                if let Some(found) = record.one_way {
                    *self.one_way.entry(found).or_default() += 1;
                }
                if let Some(joules) = record.gpu_energy_j {
                    self.energy.add(&ENERGY_BOUNDS_J, joules);
                }
                if let Some(mos) = record.rtp.mos_incoming {
                    self.mos_incoming.add(&MOS_BOUNDS, mos.worst);
                }
                if let Some(mos) = record.rtp.mos_outgoing {
                    self.mos_outgoing.add(&MOS_BOUNDS, mos.worst);
                }
            }
            Progress::Dialling
            | Progress::Ringing
            | Progress::EarlyMedia
            | Progress::Waiting { .. }
            | Progress::Active { .. } => {
                *self.live.entry((direction, record.progress.name())).or_default() += 1;
            }
        }
        if let Some(fault) = record.agent.as_ref().and_then(|agent| agent.fault) {
            *self.agent_faults.entry(fault.name()).or_default() += 1;
        }
        self.add_sound(record);
        self.turns += record.turns().len() as u64;
        record.turns().iter().for_each(|turn| self.add_turn(turn));
        if let Some(ms) = record.greeting_delay_ms {
            self.greetings.add(&PART_BOUNDS_MS, ms);
        }
    }

    fn add_turn(&mut self, turn: &Turn) {
        self.interrupted += u64::from(turn.interrupted);
        // A turn of ours alone, as the greeting, has neither a gap nor a decode.
        let Some(gap_ms) = turn.gap_ms else { return };
        self.gaps.add(&GAP_BOUNDS_MS, gap_ms);
        self.decodes.add(&PART_BOUNDS_MS, turn.decode_ms);
        for (stage, ms) in [(&mut self.models, turn.model_ms), (&mut self.voices, turn.voice_ms)] {
            if let Some(ms) = ms {
                stage.add(&PART_BOUNDS_MS, ms);
            }
        }
        let parts = turn.latency.map(|latency| latency.parts()).into_iter().flatten();
        for (histogram, (_, ms)) in self.parts.iter_mut().zip(parts) {
            histogram.add(&PART_BOUNDS_MS, ms);
        }
    }

    /// What its packets count: of an attempt whose record another attempt of the same call takes over.
    pub(in crate::web) fn add_sound(&mut self, record: &CallRecord) {
        self.packets_received += record.rtp.packets_received;
        self.packets_sent += record.rtp.packets_sent;
        self.packets_lost += record.rtp.packets_lost;
        self.packets_late += record.rtp.packets_late;
        self.concealed_ms += record.rtp.concealed_ms;
        self.agent_ms += record.agent.as_ref().map_or(0, |agent| agent.used_ms);
    }
}

pub(super) const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}
