//! The records of a zip archive as PyTorch writes it: none compressed, aligned, with 64-bit sizes where needed.
//!
//! PKWARE, [APPNOTE.TXT](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), 6.3.10, sections 4.3 and 4.5.3.

use std::collections::BTreeMap;

use flate2::Crc;

/// Beginning of a zip archive.
pub(super) const SIGNATURE: &[u8] = b"PK\x03\x04";

/// Signature, sizes and offset of the directory, length of the comment.
const END: usize = 22;
/// What says where [`END64`] is.
const LOCATOR: usize = 20;
/// As [`END`] with 64-bit numbers.
const END64: usize = 56;
/// A row of the directory, without its names.
const ROW: usize = 46;
/// What stands before a record, without its names.
const HEADER: usize = 30;

/// A file inside the archive.
#[derive(Clone, Copy, Debug)]
struct Record<'a> {
    bytes: &'a [u8],
    checksum: u32,
}

/// Files of an archive by name.
#[derive(Clone, Debug)]
pub(super) struct Archive<'a> {
    records: BTreeMap<&'a str, Record<'a>>,
}

impl<'a> Archive<'a> {
    /// # Errors
    ///
    /// If the archive is cut or damaged, or a record compressed or encrypted.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let (start, rows) = directory(bytes).ok_or("its directory is missing")?;
        let mut rest = bytes.get(start..).ok_or("its directory lies outside")?;
        let mut records = BTreeMap::new();
        for _ in 0..rows {
            let (name, record, length) = row(bytes, rest)?;
            if records.insert(name, record).is_some() {
                return Err(format!("two records are called `{name}`"));
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(Self { records })
    }

    /// Names of all records.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.records.keys().copied()
    }

    /// The bytes of a record.
    ///
    /// # Errors
    ///
    /// If there is none of that name, or its checksum is wrong.
    pub(super) fn get(&self, name: &str) -> Result<&'a [u8], String> {
        let record =
            self.records.get(name).ok_or_else(|| format!("it lacks the record `{name}`"))?;
        let mut crc = Crc::new();
        crc.update(record.bytes);
        if crc.sum() == record.checksum {
            return Ok(record.bytes);
        }
        Err(format!("the record `{name}` has another checksum than the directory says"))
    }
}

/// Where the directory begins, and how many rows it has.
fn directory(bytes: &[u8]) -> Option<(usize, u64)> {
    // A comment of at most 65,535 bytes may stand behind the end record.
    let first = bytes.len().saturating_sub(END + usize::from(u16::MAX));
    let end = (first..=bytes.len().checked_sub(END)?).rev().find(|&at| {
        let comment = number(bytes, at + 20, 2);
        signed(bytes, at, b"PK\x05\x06") && comment == Some((bytes.len() - at - END) as u64)
    })?;
    let (rows, start) = (number(bytes, end + 10, 2)?, number(bytes, end + 16, 4)?);
    if rows != u64::from(u16::MAX) && start != u64::from(u32::MAX) {
        return Some((usize::try_from(start).ok()?, rows));
    }
    let locator = end.checked_sub(LOCATOR).filter(|&at| signed(bytes, at, b"PK\x06\x07"));
    // Without a locator they are what they say.
    let Some(locator) = locator else { return Some((usize::try_from(start).ok()?, rows)) };
    let end = usize::try_from(number(bytes, locator + 8, 8)?).ok()?;
    let whole = signed(bytes, end, b"PK\x06\x06") && bytes.len().checked_sub(END64)? >= end;
    let (rows, start) = (number(bytes, end.checked_add(32)?, 8)?, number(bytes, end + 48, 8)?);
    whole.then_some((usize::try_from(start).ok()?, rows))
}

/// A row of the directory: name and record, and how long the row is.
fn row<'a>(bytes: &'a [u8], row: &'a [u8]) -> Result<(&'a str, Record<'a>, usize), String> {
    const CUT: &str = "its directory is cut";
    let field = |at, length| number(row, at, length).ok_or(CUT);
    if !signed(row, 0, b"PK\x01\x02") {
        return Err(CUT.to_owned());
    }
    let (name_length, extra) = (field(28, 2)? as usize, field(30, 2)? as usize);
    let name = row.get(ROW..ROW + name_length).ok_or(CUT)?;
    let name = str::from_utf8(name).map_err(|_| "a record's name is no text")?;
    if field(10, 2)? != 0 || field(8, 2)? & 1 != 0 {
        return Err(format!(
            "the record `{name}` is compressed or encrypted, which `torch.save` does not do"
        ));
    }
    let extra_bytes = row.get(ROW + name_length..ROW + name_length + extra).ok_or(CUT)?;
    let mut wide = wide_numbers(extra_bytes);
    let mut sized = |at| -> Result<usize, String> {
        let narrow = field(at, 4)?;
        let size =
            if narrow == u64::from(u32::MAX) { wide.next().unwrap_or(narrow) } else { narrow };
        usize::try_from(size).map_err(|_| CUT.to_owned())
    };
    // In this order, which is that of the wide numbers too.
    let (size, stored, header) = (sized(24)?, sized(20)?, sized(42)?);
    let outside = || format!("the record `{name}` lies outside");
    if size != stored || !signed(bytes, header, SIGNATURE) {
        return Err(outside());
    }
    let names = number(bytes, header + 26, 2).zip(number(bytes, header + 28, 2));
    let (own_name, own_extra) = names.ok_or_else(outside)?;
    let from = header + HEADER + (own_name + own_extra) as usize;
    let to = from.checked_add(size).ok_or_else(outside)?;
    let bytes = bytes.get(from..to).ok_or_else(outside)?;
    let record = Record { bytes, checksum: field(16, 4)? as u32 };
    Ok((name, record, ROW + name_length + extra + field(32, 2)? as usize))
}

/// The 64-bit numbers of the extra field number 1.
fn wide_numbers(mut extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut found: &[u8] = &[];
    while let (Some(id), Some(length)) = (number(extra, 0, 2), number(extra, 2, 2)) {
        let end = 4 + length as usize;
        if id == 1 {
            found = extra.get(4..end).unwrap_or_default();
        }
        extra = extra.get(end..).unwrap_or_default();
    }
    found.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes))
}

fn signed(bytes: &[u8], at: usize, signature: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(signature))
}

/// A little-endian number of so many bytes, at most eight.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let digits = bytes.get(at..at.checked_add(length)?)?;
    Some(digits.iter().rev().fold(0, |number, digit| number << 8 | u64::from(*digit)))
}
