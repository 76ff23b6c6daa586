//! How some values are written where a type is kept in a file by its fields.

/// `#[serde(with = "serial::ms")]`: whole milliseconds.
pub mod ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// The same for three of them.
pub mod three_ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &[Duration; 3], to: S) -> Result<S::Ok, S::Error> {
        value.map(|one| u64::try_from(one.as_millis()).unwrap_or(u64::MAX)).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[Duration; 3], D::Error> {
        Ok(<[u64; 3]>::deserialize(from)?.map(Duration::from_millis))
    }
}

/// `#[serde(with = "serial::revealed")]`: a private value itself. Only the flight record, which the
/// owner switches on, is made of such types; every field that can get there says so.
pub mod revealed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::base::Private;

    pub fn serialize<T: Serialize, S: Serializer>(
        value: &Private<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.reveal().serialize(to)
    }

    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Private<T>, D::Error> {
        T::deserialize(from).map(Private::new)
    }
}
