//! The tasks that answer calls, each under the work that it was asked for.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::AbortHandle;

use crate::base::{CallId, WorkId};

/// Work that is waited for. Dropping it ends all of it.
#[derive(Debug, Default)]
pub(super) struct OpenWork(HashMap<(CallId, WorkId), AbortHandle>);

impl OpenWork {
    /// Runs `task` on the runtime that this is called in.
    pub(super) fn begin(
        &mut self,
        call: CallId,
        work: WorkId,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.0.insert((call, work), tokio::spawn(task).abort_handle());
    }

    /// False if there is no such work.
    pub(super) fn cancel(&mut self, call: CallId, work: WorkId) -> bool {
        let task = self.0.remove(&(call, work));
        task.map(|task| task.abort()).is_some()
    }

    pub(super) fn cancel_all(&mut self, call: CallId) {
        self.0.retain(|(of, _), task| {
            if *of == call {
                task.abort();
            }
            *of != call
        });
    }

    pub(super) fn is_open(&self, call: CallId, work: WorkId) -> bool {
        self.0.contains_key(&(call, work))
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing more is waited for of it; false if nothing was.
    pub(super) fn end(&mut self, call: CallId, work: WorkId) -> bool {
        self.0.remove(&(call, work)).is_some()
    }
}

impl Drop for OpenWork {
    fn drop(&mut self) {
        self.0.values().for_each(AbortHandle::abort);
    }
}
