//! Finds what an ONNX file wants to read besides itself, before a runtime may see it. Pure.
//!
//! A tensor may keep its data in another file (`external_data`, onnx.proto3), whose name the
//! runtime opens: "../../etc/passwd" and "/dev/zero" are names too. This walks the protobuf through
//! every place where a tensor can stand: graphs, graphs in attributes, sparse tensors, functions,
//! training. Whatever is not as written by a sane encoder is refused, not guessed.

use crate::base::limits;

/// Field of the EXTERNAL location in `TensorProto.data_location`.
const EXTERNAL: u64 = 1;
/// Other files that one model may name.
const MOST_LOCATIONS: usize = 4_096;
const MOST_LOCATION_BYTES: usize = 255;

/// Why a file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnnxError {
    #[error("it is no ONNX model")]
    NotOnnx,
    #[error("it is damaged at byte {0}")]
    Damaged(usize),
    #[error("its messages are nested deeper than {}", limits::ONNX_DEPTH)]
    TooDeep,
    #[error("it names more than {MOST_LOCATIONS} other files")]
    TooMany,
    #[error("it keeps data in {0:?}, which is outside its folder")]
    Outside(String),
    #[error("it keeps data in another file and does not say in which")]
    Nowhere,
}

/// The other files that the model reads: plain names without any folder, each once.
pub fn external_files(model: &[u8]) -> Result<Vec<String>, OnnxError> {
    let mut walk = Walk { locations: Vec::new(), has_graph: false };
    walk.message(Kind::Model, Span { bytes: model, at: 0 }, 0)?;
    if !walk.has_graph {
        return Err(OnnxError::NotOnnx);
    }
    Ok(walk.locations)
}

/// Messages of onnx.proto3 on the way to a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    Function,
    Training,
    Entry,
}

impl Kind {
    /// What stands in field `number`, where a tensor can be below it.
    const fn child(self, number: u64) -> Option<Self> {
        Some(match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) | (Self::Training, 1 | 2) => Self::Graph,
            (Self::Model, 20) => Self::Training,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => {
                Self::Tensor
            }
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::SparseTensor,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Tensor, 13) => Self::Entry,
            _ => return None,
        })
    }
}

/// A part of the file and where it begins.
#[derive(Clone, Copy)]
struct Span<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// One field of a message.
enum Value<'a> {
    Number(u64),
    Bytes(Span<'a>),
    /// Of four or eight bytes.
    Fixed,
}

impl<'a> Span<'a> {
    /// The next field, or `None` at the end.
    fn field(&mut self) -> Result<Option<(u64, Value<'a>)>, OnnxError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let begin = self.at;
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > 0x1fff_ffff {
            return Err(OnnxError::Damaged(begin));
        }
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| OnnxError::Damaged(begin))?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            // Groups (3 and 4) are no part of proto3.
            _ => return Err(OnnxError::Damaged(begin)),
        };
        Ok(Some((number, value)))
    }

    fn take(&mut self, length: usize) -> Result<Self, OnnxError> {
        let damaged = OnnxError::Damaged(self.at);
        let (head, rest) = self.bytes.split_at_checked(length).ok_or(damaged)?;
        let span = Self { bytes: head, at: self.at };
        *self = Self { bytes: rest, at: self.at + length };
        Ok(span)
    }

    fn varint(&mut self) -> Result<u64, OnnxError> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = u64::from(*self.take(1)?.bytes.first().ok_or(OnnxError::NotOnnx)?);
            let part = byte & 0x7f;
            // The tenth byte has room for one bit.
            if shift == 63 && part > 1 {
                break;
            }
            number |= part << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(OnnxError::Damaged(self.at))
    }
}

struct Walk {
    locations: Vec<String>,
    has_graph: bool,
}

impl Walk {
    fn message(&mut self, kind: Kind, mut span: Span<'_>, depth: usize) -> Result<(), OnnxError> {
        if depth > limits::ONNX_DEPTH {
            return Err(OnnxError::TooDeep);
        }
        let (mut is_external, mut has_location) = (false, false);
        while let Some((number, value)) = span.field()? {
            match (kind.child(number), value) {
                (Some(Kind::Entry), Value::Bytes(entry)) => has_location |= self.entry(entry)?,
                (Some(child), Value::Bytes(inner)) => {
                    self.has_graph |= (kind, child) == (Kind::Model, Kind::Graph);
                    self.message(child, inner, depth + 1)?;
                }
                // A message in another wire type: some parser may read it all the same.
                (Some(_), _) => return Err(OnnxError::Damaged(span.at)),
                (None, Value::Number(location)) if (kind, number) == (Kind::Tensor, 14) => {
                    is_external = location == EXTERNAL;
                }
                (None, _) => (),
            }
        }
        match is_external && !has_location {
            true => Err(OnnxError::Nowhere),
            false => Ok(()),
        }
    }

    /// One key and value of `external_data`; whether it is the location.
    fn entry(&mut self, mut span: Span<'_>) -> Result<bool, OnnxError> {
        let (mut key, mut value) = (None, None);
        while let Some((number, field)) = span.field()? {
            let place = match number {
                1 => &mut key,
                2 => &mut value,
                _ => continue,
            };
            let Value::Bytes(text) = field else { return Err(OnnxError::Damaged(span.at)) };
            // Of two the last counts, or the first: not everywhere the same.
            if place.replace(text).is_some() {
                return Err(OnnxError::Damaged(text.at));
            }
        }
        if key.is_none_or(|key| key.bytes != b"location") {
            return Ok(false);
        }
        let value = value.map_or(&[][..], |value| value.bytes);
        let location = plain_name(value)?;
        if !self.locations.contains(&location) {
            if self.locations.len() == MOST_LOCATIONS {
                return Err(OnnxError::TooMany);
            }
            self.locations.push(location);
        }
        Ok(true)
    }
}

/// A file's name in the same folder; anything with a folder in it is refused.
fn plain_name(bytes: &[u8]) -> Result<String, OnnxError> {
    let shown = || {
        let text = String::from_utf8_lossy(bytes);
        text.chars().filter(|c| !c.is_control()).take(MOST_LOCATION_BYTES).collect()
    };
    let name = std::str::from_utf8(bytes).map_err(|_| OnnxError::Outside(shown()))?;
    let plain = !matches!(name, "" | "." | "..")
        && name.len() <= MOST_LOCATION_BYTES
        && !name.contains(['/', '\\', ':'])
        && !name.contains(char::is_control);
    if plain { Ok(name.to_owned()) } else { Err(OnnxError::Outside(shown())) }
}

#[cfg(test)]
pub mod tests;
