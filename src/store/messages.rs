//! Messages for the firm's people, one JSON object a line, in a file that only the owner can read.
//!
//! Written by a thread of its own, so that a slow disk never reaches a call. A message that cannot
//! be written is counted and told in the log without its words; calls go on.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;

use serde::Serialize;

use crate::base::CallId;
use crate::converse::Message;

/// Messages that wait for the disk; more come only from a disk that hangs.
const WAITING: usize = 1_000;
/// A file of this size is set aside, once: with the old one 32 MiB hold 100,000 messages.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// A message with where it came from.
#[derive(Debug)]
pub struct Left {
    pub call: CallId,
    pub unix_ms: u64,
    pub message: Message,
}

#[derive(Serialize)]
struct Line<'a> {
    unix_ms: u64,
    call: String,
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    fields: serde_json::Map<String, serde_json::Value>,
}

/// The writing thread; it finishes what waits when this is dropped.
#[derive(Debug)]
pub struct MessageLog {
    sender: Option<SyncSender<Box<Left>>>,
    thread: Option<JoinHandle<()>>,
}

impl MessageLog {
    /// Opens or makes the file, so that a folder that cannot be written is known at start.
    pub fn open(path: &Path) -> io::Result<Self> {
        append_to(path)?;
        let (sender, receiver) = mpsc::sync_channel(WAITING);
        let path = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("messages".to_owned())
            .spawn(move || write_all(&path, &receiver))?;
        Ok(Self { sender: Some(sender), thread: Some(thread) })
    }

    /// Gives a message to the thread without waiting.
    pub fn leave(&self, left: Left) {
        let left = Box::new(left);
        let sent = self.sender.as_ref().map(|sender| sender.try_send(left));
        if let Some(Err(TrySendError::Full(left) | TrySendError::Disconnected(left))) = sent {
            tracing::error!(call_id = %left.call, "a message is lost: the disk does not take it");
        }
    }
}

impl Drop for MessageLog {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there was told when it happened.
            let _ = thread.join();
        }
    }
}

fn write_all(path: &Path, receiver: &Receiver<Box<Left>>) {
    for left in receiver {
        if let Err(error) = write(path, &left) {
            tracing::error!(call_id = %left.call, %error, "a message is lost: it cannot be written");
        }
    }
}

fn write(path: &Path, left: &Left) -> io::Result<()> {
    if path.metadata().is_ok_and(|file| file.len() > FILE_BYTES) {
        std::fs::rename(path, path.with_extension("jsonl.1"))?;
    }
    let mut file = append_to(path)?;
    let mut line = serde_json::to_vec(&Line::from(left)).map_err(io::Error::other)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

impl<'a> From<&'a Left> for Line<'a> {
    fn from(left: &'a Left) -> Self {
        let Left { call, unix_ms, message } = left;
        let fields = message.fields.iter();
        Self {
            unix_ms: *unix_ms,
            call: call.to_string(),
            topic: &message.topic,
            name: message.name.as_ref().map(|name| name.reveal().as_str()),
            number: message.number.as_ref().map(|number| number.reveal().as_str()),
            text: message.text.as_ref().map(|text| text.reveal().as_str()),
            fields: fields.map(|(k, v)| (k.clone(), v.reveal().as_str().into())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Private;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn messages_are_appended_as_lines_that_only_the_owner_reads() {
        let folder =
            std::env::temp_dir().join(format!("attendant-messages-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("messages.jsonl");
        for call in [1, 2] {
            let log = MessageLog::open(&path).unwrap();
            let message = Message {
                topic: "call back".into(),
                name: Some(Private::new("Maria".into())),
                fields: vec![("order".into(), Private::new("4729".into()))],
                ..Message::default()
            };
            log.leave(Left { call: CallId(call), unix_ms: 5, message });
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(mode & 0o777, 0o600);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["call"], "c2");
        assert_eq!(lines[1]["name"], "Maria");
        assert_eq!(lines[1]["fields"]["order"], "4729");
        assert!(lines[1].get("number").is_none());
    }
}
