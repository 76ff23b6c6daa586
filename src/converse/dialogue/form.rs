//! The values that an intent needs, as far as they are known.

use std::fmt;

use crate::base::Private;
use crate::converse::Message;
use crate::converse::matching::slots::{Found, SlotKind, Value};
use crate::converse::people::PersonId;
use crate::converse::playbook::{Intent, IntentId, Slot};

/// One intent on its way.
#[derive(Clone)]
pub struct Form {
    pub intent: IntentId,
    /// Who was named along with it.
    pub person: Option<PersonId>,
    pub values: Vec<SlotValue>,
    /// Digits heard so far for the slot that is asked for.
    pub partial: Value,
    /// The last words for the slot that is asked for that were not believed.
    pub doubted: Option<Value>,
    /// How often the caller said no to what we understood.
    pub refusals: u32,
}

#[derive(Clone, PartialEq)]
pub enum SlotValue {
    Empty,
    /// Understood, but not yet confirmed by the caller.
    Heard(Value),
    Settled(String),
    /// The caller does not know it.
    Skipped,
}

impl SlotValue {
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Heard(Value { text, .. }) | Self::Settled(text) => Some(text),
            Self::Empty | Self::Skipped => None,
        }
    }

    pub fn value(&self) -> Option<Value> {
        match self {
            Self::Heard(value) => Some(value.clone()),
            Self::Settled(text) => Some(Value::certain(text.clone())),
            Self::Empty | Self::Skipped => None,
        }
    }
}

impl Form {
    /// A form with what was said along with its intent.
    pub fn new(id: IntentId, intent: &Intent, found: &[Found]) -> Self {
        let partial = Value::default();
        let values = Vec::new();
        let mut form =
            Self { intent: id, person: None, values, partial, doubted: None, refusals: 0 };
        for (index, slot) in intent.slots.iter().enumerate() {
            let value = match found.get(index) {
                Some(Found::Value(value)) if is_kept(slot, value) => {
                    SlotValue::Heard(value.clone())
                }
                // Only what is asked for first can go on in the next turn.
                Some(Found::Partial(digits)) if index == 0 => {
                    form.partial = digits.clone();
                    SlotValue::Empty
                }
                Some(Found::Value(_) | Found::Partial(_) | Found::Nothing) | None => {
                    SlotValue::Empty
                }
            };
            form.values.push(value);
        }
        form
    }

    #[must_use]
    pub fn naming(self, person: Option<PersonId>) -> Self {
        Self { person, ..self }
    }

    pub fn set(&mut self, slot: usize, value: SlotValue) {
        if let Some(place) = self.values.get_mut(slot) {
            *place = value;
        }
        self.partial = Value::default();
        self.doubted = None;
    }

    /// The value of the slot called `name`.
    pub fn value<'a>(&'a self, intent: &Intent, name: &str) -> Option<&'a str> {
        let index = intent.slots.iter().position(|slot| slot.name == name)?;
        self.values.get(index)?.text()
    }

    /// What the firm's people get.
    pub fn message(&self, intent: &Intent) -> Message {
        let mut message = Message { topic: intent.title.clone(), ..Message::default() };
        for (slot, value) in intent.slots.iter().zip(&self.values) {
            let Some(text) = value.text() else { continue };
            let text = Private::new(text.to_owned());
            match slot.kind {
                SlotKind::Name if message.name.is_none() => message.name = Some(text),
                SlotKind::Phone { .. } if message.number.is_none() => message.number = Some(text),
                SlotKind::Text if message.text.is_none() => message.text = Some(text),
                _ => message.fields.push((slot.name.clone(), text)),
            }
        }
        message
    }
}

/// Of what was said along with a wish: a number is read back in doubt, which costs the caller less
/// than to say it again; anything else that is not believed is asked for.
fn is_kept(slot: &Slot, value: &Value) -> bool {
    slot.kind.count().is_some() || slot.believes(value)
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filled = self.values.iter().filter(|value| value.text().is_some()).count();
        write!(f, "Form({:?}, {filled} of {} filled)", self.intent, self.values.len())
    }
}
