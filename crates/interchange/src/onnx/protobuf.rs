//! Protocol buffers, as far as ONNX needs them: a message is its fields, one behind the other.
//!
//! Google, [Encoding](https://protobuf.dev/programming-guides/encoding/).

/// A message that is being written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

/// How a field's value is written.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Length = 2,
    FourBytes = 5,
}

impl Message {
    /// A whole number.
    pub(super) fn integer(mut self, field: u64, value: i64) -> Self {
        self.key(field, Wire::Varint);
        self.varint(value as u64);
        self
    }

    /// A 32-bit float.
    pub(super) fn float(mut self, field: u64, value: f32) -> Self {
        self.key(field, Wire::FourBytes);
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// A text.
    pub(super) fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    /// Bytes.
    pub(super) fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.key(field, Wire::Length);
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
        self
    }

    /// Another message.
    pub(super) fn message(self, field: u64, value: &Message) -> Self {
        self.bytes(field, &value.bytes)
    }

    /// 32-bit floats one behind the other, in a field of bytes.
    pub(super) fn raw_floats(mut self, field: u64, values: &[f32]) -> Self {
        self.key(field, Wire::Length);
        self.varint(size_of_val(values) as u64);
        self.bytes.reserve(size_of_val(values));
        values.iter().for_each(|value| self.bytes.extend_from_slice(&value.to_le_bytes()));
        self
    }

    /// The message's bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn key(&mut self, field: u64, wire: Wire) {
        self.varint(field << 3 | wire as u64);
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_in_the_documentation() {
        // Its examples: 150 in field 1, "testing" in field 2, {150} in field 3.
        let inner = Message::default().integer(1, 150);
        assert_eq!(inner.clone().into_bytes(), [0x08, 0x96, 0x01]);
        let text = Message::default().text(2, "testing").into_bytes();
        assert_eq!(text, *b"\x12\x07testing");
        let outer = Message::default().message(3, &inner).into_bytes();
        assert_eq!(outer, [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }

    #[test]
    fn negative_numbers_take_ten_bytes_and_floats_four() {
        let minus_two = Message::default().integer(1, -2).into_bytes();
        assert_eq!(minus_two, [8, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        let one = Message::default().float(2, 1.0).into_bytes();
        assert_eq!(one, [0x15, 0, 0, 0x80, 0x3f]);
        let raw = Message::default().raw_floats(9, &[1.0, -2.0]).into_bytes();
        assert_eq!(raw, [0x4a, 8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
    }
}
