//! What the board shows of handsets.

use super::Board;
use crate::appliance::handset::Report;

impl Report {
    /// What is wrong, as a sentence.
    pub(super) fn sentence(&self) -> Option<String> {
        let Self { name, fault, lack, .. } = self;
        let parts: Vec<&str> = fault.iter().chain(lack).map(String::as_str).collect();
        (!parts.is_empty())
            .then(|| format!("handset {name}: {}; it is tried again", parts.join("; ")))
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
