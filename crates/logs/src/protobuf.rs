//! Protocol buffers by hand: fields are written one after the other and read as they come.
//!
//! [Encoding](https://protobuf.dev/programming-guides/encoding/). A field is a key, `number · 8 + wire type`, and its value.

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

/// A message that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl Message {
    /// A message without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an integer: `int32`, `int64`, `bool` or an enum; a negative one as its two's complement.
    #[must_use]
    pub fn int(mut self, number: u64, value: u64) -> Self {
        self.key(number, VARINT);
        self.varint(value);
        self
    }

    /// Adds a `double`.
    #[must_use]
    pub fn double(mut self, number: u64, value: f64) -> Self {
        self.key(number, FIXED_64);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Adds a `float`.
    #[must_use]
    pub fn float(mut self, number: u64, value: f32) -> Self {
        self.key(number, FIXED_32);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Adds `bytes` or a `string`.
    #[must_use]
    pub fn bytes(mut self, number: u64, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.key(number, BYTES);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// Adds a message.
    #[must_use]
    pub fn message(self, number: u64, value: &Self) -> Self {
        self.bytes(number, &value.0)
    }

    /// Adds a packed `repeated double`.
    #[must_use]
    pub fn doubles(self, number: u64, values: &[f64]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.bytes(number, bytes)
    }

    /// Adds the bytes of floats, one behind the other, in a field of bytes.
    #[must_use]
    pub fn raw_floats(mut self, number: u64, values: &[f32]) -> Self {
        self.key(number, BYTES);
        self.varint(size_of_val(values) as u64);
        self.0.reserve(size_of_val(values));
        values.iter().for_each(|value| self.0.extend_from_slice(&value.to_le_bytes()));
        self
    }

    /// What has been written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, number: u64, wire_type: u64) {
        self.varint(number << 3 | wire_type);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// A field's value as it was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Int(u64),
    Double(f64),
    Float(f32),
    Bytes(&'a [u8]),
}

/// The fields of a message with their numbers, up to the first that cannot be read.
pub(crate) fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let key = take_varint(&mut bytes)?;
        let value = match key & 7 {
            VARINT => Value::Int(take_varint(&mut bytes)?),
            FIXED_64 => Value::Double(f64::from_le_bytes(*take(&mut bytes)?)),
            FIXED_32 => Value::Float(f32::from_le_bytes(*take(&mut bytes)?)),
            BYTES => {
                let length = usize::try_from(take_varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Value::Bytes(value)
            }
            _ => return None,
        };
        Some((key >> 3, value))
    })
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (value, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(value)
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for place in 0..10 {
        let [byte] = *take::<1>(bytes)?;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_encoding_guide() {
        // The guide's own examples: `a: 150` in field 1, `b: "testing"` in field 2, the first inside field 3.
        let a = Message::new().int(1, 150);
        assert_eq!(a.clone().into_bytes(), [0x08, 0x96, 0x01]);
        let b = Message::new().bytes(2, "testing");
        assert_eq!(b.into_bytes(), b"\x12\x07testing");
        assert_eq!(Message::new().message(3, &a).into_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = Message::new().int(1, u64::MAX).double(2, -0.5).float(17, 0.25).bytes(3, "x");
        let bytes = bytes.into_bytes();
        let read: Vec<_> = fields(&bytes).collect();
        let expected = [
            (1, Value::Int(u64::MAX)),
            (2, Value::Double(-0.5)),
            (17, Value::Float(0.25)),
            (3, Value::Bytes(b"x")),
        ];
        assert_eq!(read, expected);
        for cut in 0..bytes.len() {
            assert!(fields(&bytes[..cut]).count() < 4);
        }
    }

    #[test]
    fn what_is_no_message_ends() {
        for bytes in
            [&[0xff; 32][..], &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1], &[0x0b], &[0x09, 1]]
        {
            assert_eq!(fields(bytes).count(), 0, "{bytes:?}");
        }
    }

    #[test]
    fn negative_numbers_take_ten_bytes_and_floats_four() {
        let minus_two = Message::default().int(1, -2_i64 as u64).into_bytes();
        assert_eq!(minus_two, [8, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        let one = Message::default().float(2, 1.0).into_bytes();
        assert_eq!(one, [0x15, 0, 0, 0x80, 0x3f]);
        let raw = Message::default().raw_floats(9, &[1.0, -2.0]).into_bytes();
        assert_eq!(raw, [0x4a, 8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
    }
}
