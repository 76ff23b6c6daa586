//! Every dialog's id and the leg that it belongs to, in a table with a limit.
//!
//! A leg has several dialogs while it is early and its INVITE was forked, one afterwards.
//! Invariant: a dialog is in the table exactly as long as its leg holds it.

use std::collections::HashMap;

use super::DialogId;
use crate::base::limits;

/// Dialog ids to the legs, of the type `L`, that own them.
pub struct DialogTable<L> {
    legs: HashMap<DialogId, L>,
    capacity: usize,
}

impl<L: Copy> Default for DialogTable<L> {
    fn default() -> Self {
        Self::new(limits::SIP_DIALOGS)
    }
}

impl<L: Copy> DialogTable<L> {
    pub fn new(capacity: usize) -> Self {
        Self { legs: HashMap::new(), capacity }
    }

    pub fn len(&self) -> usize {
        self.legs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    pub fn has_room(&self) -> bool {
        self.legs.len() < self.capacity
    }

    /// The leg that a dialog belongs to.
    pub fn leg(&self, id: &DialogId) -> Option<L> {
        self.legs.get(id).copied()
    }

    /// False if the table is full, or another leg has this dialog.
    pub fn insert(&mut self, id: DialogId, leg: L) -> bool {
        if !self.has_room() || self.legs.contains_key(&id) {
            return false;
        }
        self.legs.insert(id, leg);
        true
    }

    pub fn remove(&mut self, id: &DialogId) {
        self.legs.remove(id);
    }
}
