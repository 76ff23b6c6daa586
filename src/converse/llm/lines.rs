//! Bytes as they arrive to whole lines, and lines to server-sent events.

use crate::base::limits;

/// The line is longer than `limits::LLM_LINE_BYTES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Cuts at line feeds; a carriage return before one is dropped.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Gives each whole line to `line`, while it wants more.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        mut line: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), TooLong> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (head, tail) = bytes.split_at(end);
            bytes = tail.get(1..).unwrap_or_default();
            self.take(head)?;
            let whole = std::mem::take(&mut self.rest);
            if !line(whole.strip_suffix(b"\r").unwrap_or(&whole)) {
                return Ok(());
            }
        }
        self.take(bytes)
    }

    /// The last line, if it has no line feed.
    pub fn end(&mut self) -> Option<Vec<u8>> {
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then_some(rest)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.rest.len() + bytes.len() > limits::LLM_LINE_BYTES {
            return Err(TooLong);
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }
}

/// Lines to the data of events, as in the HTML standard, section 9.2.6, without names and ids.
#[derive(Debug, Default)]
pub struct Events {
    data: Option<Vec<u8>>,
}

impl Events {
    /// The data of the event that ends with this line.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Vec<u8>>, TooLong> {
        if line.is_empty() {
            return Ok(self.end());
        }
        // Older llama.cpp names an error as a field of its own.
        let value = line.strip_prefix(b"data:").or_else(|| line.strip_prefix(b"error:"));
        let Some(value) = value else { return Ok(None) };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &mut self.data {
            Some(data) if data.len() + value.len() >= limits::LLM_LINE_BYTES => {
                return Err(TooLong);
            }
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            None => self.data = Some(value.to_vec()),
        }
        Ok(None)
    }

    /// An event that no empty line ended.
    pub fn end(&mut self) -> Option<Vec<u8>> {
        self.data.take()
    }
}
