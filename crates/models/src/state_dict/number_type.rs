//! Types of numbers as PyTorch and safetensors name them, and how they become 32-bit floats.

/// What numbers of a type are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 64-bit floats.
    Double,
    /// 32-bit floats.
    Single,
    /// IEEE 754's 16-bit floats: 5 bits of exponent, 10 of fraction.
    Half,
    /// The upper 16 bits of a 32-bit float.
    BFloat16,
    /// Counts and the like, which are no weights.
    Integer,
    /// Nothing that a weight can be.
    Other,
}

/// A type of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumberType {
    /// PyTorch's name.
    pub(super) name: &'static str,
    /// Its class of storages, without `Storage`.
    pub(super) storage: &'static str,
    /// The name in safetensors.
    safetensors: &'static str,
    /// Bytes of a number.
    pub(super) bytes: usize,
    pub(super) kind: Kind,
}

const fn row(
    name: &'static str,
    storage: &'static str,
    safetensors: &'static str,
    bytes: usize,
    kind: Kind,
) -> NumberType {
    NumberType { name, storage, safetensors, bytes, kind }
}

/// Every type that has a class of storages or a name in safetensors.
static TYPES: &[NumberType] = &[
    row("float32", "Float", "F32", 4, Kind::Single),
    row("float64", "Double", "F64", 8, Kind::Double),
    row("float16", "Half", "F16", 2, Kind::Half),
    row("bfloat16", "BFloat16", "BF16", 2, Kind::BFloat16),
    row("int64", "Long", "I64", 8, Kind::Integer),
    row("int32", "Int", "I32", 4, Kind::Integer),
    row("int16", "Short", "I16", 2, Kind::Integer),
    row("int8", "Char", "I8", 1, Kind::Integer),
    row("uint8", "Byte", "U8", 1, Kind::Integer),
    row("uint16", "", "U16", 2, Kind::Integer),
    row("uint32", "", "U32", 4, Kind::Integer),
    row("uint64", "", "U64", 8, Kind::Integer),
    row("bool", "Bool", "BOOL", 1, Kind::Other),
    row("complex64", "ComplexFloat", "C64", 8, Kind::Other),
    row("complex128", "ComplexDouble", "", 16, Kind::Other),
    row("quint8", "QUInt8", "", 1, Kind::Other),
    row("qint8", "QInt8", "", 1, Kind::Other),
    row("qint32", "QInt32", "", 4, Kind::Other),
    row("quint4x2", "QUInt4x2", "", 1, Kind::Other),
    row("quint2x4", "QUInt2x4", "", 1, Kind::Other),
    row("float8_e5m2", "", "F8_E5M2", 1, Kind::Other),
    row("float8_e4m3fn", "", "F8_E4M3", 1, Kind::Other),
    // Bytes without a type: what is read from them says its own.
    row("bytes", "Untyped", "", 1, Kind::Other),
];

impl NumberType {
    /// The type of PyTorch's class `FloatStorage` and the like.
    pub(super) fn of_storage(class: &str) -> Option<&'static Self> {
        let stem = class.strip_suffix("Storage").filter(|stem| !stem.is_empty())?;
        TYPES.iter().find(|row| row.storage == stem)
    }

    /// The type of PyTorch's name, such as `uint16`.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        TYPES.iter().find(|row| row.name == name)
    }

    /// The type of a name in safetensors.
    pub(super) fn of_safetensors(name: &str) -> Option<&'static Self> {
        TYPES.iter().find(|row| row.safetensors == name && !name.is_empty())
    }

    /// Little-endian numbers as 32-bit floats.
    ///
    /// # Errors
    ///
    /// The first number that is finite, and infinite as a 32-bit float. [`Kind::Integer`] and [`Kind::Other`] give none.
    pub(super) fn floats(&self, bytes: &[u8]) -> Result<Vec<f32>, f64> {
        match self.kind {
            Kind::Single => Ok(each(bytes, f32::from_le_bytes)),
            Kind::Half => Ok(each(bytes, |two| half(u16::from_le_bytes(two)))),
            Kind::BFloat16 => {
                Ok(each(bytes, |two| f32::from_bits(u32::from(u16::from_le_bytes(two)) << 16)))
            }
            Kind::Double => {
                let (numbers, _) = bytes.as_chunks::<8>();
                numbers.iter().map(|&number| single(f64::from_le_bytes(number))).collect()
            }
            Kind::Integer | Kind::Other => Ok(Vec::new()),
        }
    }
}

fn each<const N: usize>(bytes: &[u8], float: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<N>();
    numbers.iter().map(|&number| float(number)).collect()
}

/// The nearest 32-bit float, unless only an infinite one is near.
fn single(number: f64) -> Result<f32, f64> {
    let float = number as f32;
    if float.is_infinite() && number.is_finite() { Err(number) } else { Ok(float) }
}

/// A 16-bit float: sign · 2^(exponent − 15) · (1 + fraction / 1024), without the 1 for the least exponent.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * (-24_f32).exp2(),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1024.0 + fraction) * ((exponent - 25) as f32).exp2(),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_read_exactly() {
        let cases = [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65_504.0),
            (0x0400, 6.103_515_6e-5),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 1023.0 / 16_777_216.0),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (bits, expected) in cases {
            assert_eq!(half(bits).to_bits(), f32::to_bits(expected), "{bits:#06x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn doubles_are_rounded_and_refused_only_beyond_the_range() {
        let double = NumberType::named("float64").unwrap();
        let read = |number: f64| double.floats(&number.to_le_bytes()).map(|floats| floats[0]);
        assert_eq!(read(0.1), Ok(0.1_f32));
        assert_eq!(read(1e-300), Ok(0.0));
        assert_eq!(read(f64::NEG_INFINITY), Ok(f32::NEG_INFINITY));
        assert!(read(f64::NAN).unwrap().is_nan());
        assert_eq!(read(-1e39), Err(-1e39));
        assert_eq!(read(f64::from(f32::MAX)), Ok(f32::MAX));
    }

    #[test]
    fn a_type_is_found_by_each_of_its_names_and_no_name_finds_none() {
        let name = |found: Option<&NumberType>| found.map(|row| row.name);
        assert_eq!(name(NumberType::of_storage("BFloat16Storage")), Some("bfloat16"));
        assert_eq!(name(NumberType::of_safetensors("I64")), Some("int64"));
        for none in [NumberType::of_storage("Storage"), NumberType::of_safetensors("")] {
            assert_eq!(none, None);
        }
    }
}
