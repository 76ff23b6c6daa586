//! What the board shows of handsets.

use super::Board;
use crate::appliance::handset::Report;

impl Report {
    /// What is wrong, as a sentence.
    pub(super) fn sentence(&self) -> Option<String> {
        let (name, fault) = (&self.name, self.fault.as_ref()?);
        Some(format!("handset {name}: {fault}; it is tried again"))
    }
}

impl Board {
    /// What is wrong with a handset is a reason of the health, too.
    pub fn set_handsets(&self, reports: Vec<Report>) {
        self.change_health(|shown| shown.handsets = reports);
    }

    pub fn handsets(&self) -> Vec<Report> {
        self.lock().handsets.clone()
    }
}
