//! Numbers, texts and sound as bytes, and back. Reading never takes more than is there.

use super::FlightError;

/// Writes values one after the other.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow (LEB128).
    pub(super) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Small values of either sign are short (zigzag).
    pub(super) fn signed(&mut self, value: i64) {
        self.number(((value << 1) ^ (value >> 63)) as u64);
    }

    pub(super) fn float(&mut self, value: f32) {
        self.0.extend_from_slice(&value.to_bits().to_le_bytes());
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.number(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    pub(super) fn some_float(&mut self, value: Option<f32>) {
        self.byte(value.is_some().into());
        if let Some(value) = value {
            self.float(value);
        }
    }
}

/// Reads them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], FlightError> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or(FlightError::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, FlightError> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    pub(super) fn flag(&mut self) -> Result<bool, FlightError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(FlightError::Malformed("a flag is neither yes nor no")),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, FlightError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(FlightError::Malformed("a number is too long"))
    }

    pub(super) fn small(&mut self) -> Result<u32, FlightError> {
        u32::try_from(self.number()?).map_err(|_| FlightError::Malformed("a number is too big"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, FlightError> {
        let value = self.number()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn float(&mut self) -> Result<f32, FlightError> {
        let bytes = self.take(4)?.try_into().map_err(|_| FlightError::Malformed("a fraction"))?;
        Ok(f32::from_bits(u32::from_le_bytes(bytes)))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], FlightError> {
        let length = self.number()?;
        // What is longer than memory is longer than what is left.
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, FlightError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| FlightError::Malformed("a text is no text"))
    }

    pub(super) fn some_float(&mut self) -> Result<Option<f32>, FlightError> {
        match self.flag()? {
            true => self.float().map(Some),
            false => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_and_a_cut_one_is_an_error() {
        let mut writer = Writer::default();
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        numbers.iter().for_each(|n| writer.number(*n));
        let signed = [0, -1, 1, -64, 64, i64::MIN, i64::MAX];
        signed.iter().for_each(|n| writer.signed(*n));
        writer.float(f32::NAN);
        writer.text("grüß");
        writer.some_float(Some(-0.0));
        let mut reader = Reader(&writer.0);
        numbers.iter().for_each(|n| assert_eq!(reader.number().unwrap(), *n));
        signed.iter().for_each(|n| assert_eq!(reader.signed().unwrap(), *n));
        assert_eq!(reader.float().unwrap().to_bits(), f32::NAN.to_bits());
        assert_eq!(reader.text().unwrap(), "grüß");
        assert_eq!(reader.some_float().unwrap().unwrap().to_bits(), (-0.0f32).to_bits());
        assert!(reader.is_empty());
        assert!(Reader(&[0xff; 12]).number().is_err());
        assert!(Reader(&[0x80]).number().is_err());
        assert!(Reader(&[0xff, 0xff, 0xff, 0x7f]).bytes().is_err());
        assert!(Reader(&[2]).flag().is_err());
    }
}
