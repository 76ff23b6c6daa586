//! Deliveries that must not be lost with the program: one file for each until it is delivered.
//!
//! A file is written whole or not at all. What cannot be written is told once, and is delivered all the same as long
//! as the program runs.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::queue::Delivery;
use crate::base::limits;
use crate::store::{bounded, whole};

/// The folder of one webhook.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
    has_told: bool,
}

impl Outbox {
    /// Makes the folder; gives what was left there, the oldest first.
    pub fn open(folder: PathBuf) -> io::Result<(Self, Vec<Delivery>)> {
        fs::create_dir_all(&folder)?;
        let mut left = Vec::new();
        for entry in fs::read_dir(&folder)?.flatten().take(limits::WEBHOOK_QUEUE) {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = bounded::text(&path, limits::WEBHOOK_FILE_BYTES).ok();
            match text.and_then(|text| serde_json::from_str::<Delivery>(&text).ok()) {
                Some(delivery) => left.push(delivery),
                None => {
                    tracing::warn!("a delivery of a webhook cannot be read and is thrown away");
                    // If it stays it is met again at the next start.
                    let _ = fs::remove_file(&path);
                }
            }
        }
        left.sort_by_key(|delivery| delivery.due_ms);
        Ok((Self { folder, has_told: false }, left))
    }

    /// Keeps one that is to be kept, as it is now.
    pub fn keep(&mut self, delivery: &Delivery) {
        if !delivery.is_kept {
            return;
        }
        let text = serde_json::to_vec(delivery).unwrap_or_default();
        if let Err(error) = whole::write(&self.path(delivery), &text)
            && !std::mem::replace(&mut self.has_told, true)
        {
            tracing::error!(%error, "what a webhook is to get cannot be kept over a restart");
        }
    }

    /// It is delivered, or given up.
    pub fn forget(&self, delivery: &Delivery) {
        if delivery.is_kept {
            // It may never have been written.
            let _ = fs::remove_file(self.path(delivery));
        }
    }

    /// Ids are digits and hyphens.
    fn path(&self, delivery: &Delivery) -> PathBuf {
        self.folder.join(format!("{}.json", delivery.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_delivered_is_there_after_a_restart() {
        let folder = std::env::temp_dir().join(format!("outbox-{}", std::process::id()));
        let delivery = |id: &str, is_kept| Delivery {
            id: id.into(),
            body: crate::base::Private::new("{\"a\":1}".to_owned()),
            is_kept,
            attempts: 2,
            due_ms: 7,
        };
        let (mut outbox, left) = Outbox::open(folder.clone()).unwrap();
        assert!(left.is_empty());
        [delivery("7-1", true), delivery("7-2", true), delivery("7-3", false)]
            .iter()
            .for_each(|delivery| outbox.keep(delivery));
        outbox.forget(&delivery("7-2", true));
        fs::write(folder.join("7-9.json"), "{").unwrap();
        let (_, left) = Outbox::open(folder.clone()).unwrap();
        assert_eq!(left, [delivery("7-1", true)]);
        assert!(!folder.join("7-9.json").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
