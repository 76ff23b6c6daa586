//! What handsets have counted.

use super::exposition::{Exposition, Kind};
use crate::appliance::handset::{Report, Side};
use crate::web::board::Board;

/// How a handset may be.
const STATES: [&str; 4] = ["idle", "ringing", "talking", "away"];

pub(super) fn handsets(out: &mut Exposition, board: &Board) {
    let reports = board.handsets();
    if reports.is_empty() {
        return;
    }
    let state = |report: &Report| if report.fault.is_some() { "away" } else { report.state };
    let mut family =
        out.family("attendant_handsets", Kind::Gauge, "Handsets of this machine by their state.");
    for name in STATES {
        let count = reports.iter().filter(|report| state(report) == name).count();
        family.sample(&[("state", name)], count as u64);
    }
    let sum = |of: &dyn Fn(&Report) -> [u64; 3], side: Side| {
        reports.iter().map(|report| of(report)[side as usize]).sum::<u64>()
    };
    let mut family = out.family(
        "attendant_handset_xruns_total",
        Kind::Counter,
        "Times that a sound card ran full or empty.",
    );
    for side in Side::ALL {
        family.sample(&[("side", side.name())], sum(&|report| report.figures.xruns, side));
    }
    let mut family = out.family(
        "attendant_handset_lost_total",
        Kind::Counter,
        "Times that a sound card could not be used any more.",
    );
    for side in Side::ALL {
        family.sample(&[("side", side.name())], sum(&|report| report.figures.losses, side));
    }
    out.family(
        "attendant_handset_frames_lost_total",
        Kind::Counter,
        "Frames that were not played.",
    )
    .sample(&[], reports.iter().map(|report| report.figures.lost_frames).sum());
    let mut family = out.family(
        "attendant_handset_drift_ratio",
        Kind::Gauge,
        "By which share the clock of a sound card differs most from the box's.",
    );
    for side in Side::ALL {
        let drifts = reports.iter().map(|report| report.figures.drift_ppm[side as usize]);
        let most = drifts.max_by_key(|ppm| ppm.unsigned_abs()).unwrap_or(0);
        family.fraction(&[("side", side.name())], f64::from(most) * 1e-6);
    }
}
