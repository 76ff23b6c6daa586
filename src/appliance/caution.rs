//! How often the engine's unit has been started without becoming stable: after two of these it is started with
//! caution, as the front does it with an engine of its own.
//!
//! One small file in the unit's runtime folder, which systemd keeps over restarts. Nothing depends on it: where it
//! cannot be read or written there is no caution.

use std::path::{Path, PathBuf};

use super::engine::health::CAUTIOUS_AFTER;
pub use super::engine::health::STABLE_AFTER;

/// The starts since one was stable.
#[derive(Clone, Debug)]
pub struct Starts {
    file: PathBuf,
    before: u32,
}

impl Starts {
    /// Counts this one.
    pub fn begin(runtime: &Path) -> Self {
        let file = runtime.join("starts");
        let before = std::fs::read_to_string(&file).ok();
        let before = before.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        // Without the file the next start is the first one.
        let _ = std::fs::write(&file, u32::saturating_add(before, 1).to_string());
        Self { file, before }
    }

    /// The two before this one came to nothing.
    pub const fn wants_caution(&self) -> bool {
        self.before >= CAUTIOUS_AFTER
    }

    /// The engine is stable: the next start is the first.
    pub fn forget(&self) {
        // It may be gone.
        let _ = std::fs::remove_file(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_start_that_follows_two_short_ones_is_careful_and_a_stable_one_ends_that() {
        let folder = std::env::temp_dir().join(format!("starts-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let careful: Vec<bool> = (0..4).map(|_| Starts::begin(&folder).wants_caution()).collect();
        assert_eq!(careful, [false, false, true, true]);
        Starts::begin(&folder).forget();
        assert!(!Starts::begin(&folder).wants_caution());
        std::fs::write(folder.join("starts"), "many").unwrap();
        assert!(!Starts::begin(&folder).wants_caution());
        assert!(!Starts::begin(Path::new("/nonexistent")).wants_caution());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
