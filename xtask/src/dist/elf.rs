//! What a Linux program asks of the system that it is started on: shared libraries, and the version of glibc.
//!
//! Linux Standard Base Core 5.0, sections 10.7.2 and 11.1; of 64 bits, little-endian.

/// The shared libraries that a manylinux wheel may count on: those of glibc, and the unwinder of GCC, which came before
/// any glibc that is asked for here.
const EVERYWHERE: [&str; 8] = [
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
];

/// What a program asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needs {
    /// Kind of CPU, as wheels name it.
    machine: &'static str,
    /// Names of shared libraries.
    libraries: Vec<String>,
    /// The newest glibc that any symbol is of: the oldest that the program starts with.
    glibc: Option<(u32, u32)>,
}

impl Needs {
    /// The platforms that a wheel with the program may be installed on: by the version of glibc
    /// ([PEP 600](https://peps.python.org/pep-0600/)), or, where more is needed than that, those like this one.
    pub(super) fn platform_tag(&self) -> String {
        let machine = self.machine;
        let everywhere = |name: &String| EVERYWHERE.contains(&name.as_str());
        match self.glibc {
            Some((major, minor)) if self.libraries.iter().all(everywhere) => {
                format!("manylinux_{major}_{minor}_{machine}")
            }
            _ => format!("linux_{machine}"),
        }
    }
}

/// Reads what a program asks for.
///
/// # Errors
///
/// If it is no program for 64-bit Linux on x86 or ARM, or damaged.
pub(super) fn needs(program: &[u8]) -> Result<Needs, String> {
    let file = Bytes(program);
    if program.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Err("the program is no little-endian ELF file of 64 bits".to_owned());
    }
    let machine = match file.number::<2>(18)? {
        62 => "x86_64",
        183 => "aarch64",
        other => return Err(format!("the program is for a CPU of the kind {other}")),
    };
    let segments = file.segments()?;
    let none = || Needs { machine, libraries: Vec::new(), glibc: None };
    let Some(dynamic) = segments.iter().find(|it| it.kind == DYNAMIC) else { return Ok(none()) };
    let mut entries = Vec::new();
    for at in (dynamic.offset..dynamic.offset.saturating_add(dynamic.size)).step_by(16) {
        match file.number::<8>(at)? {
            0 => break,
            tag => entries.push((tag, file.number::<8>(at + 8)?)),
        }
    }
    let entry = |wanted| entries.iter().find(|(tag, _)| *tag == wanted).map(|&(_, value)| value);
    let place = |address: u64| {
        let inside = |it: &&Segment| {
            it.kind == LOAD && (it.address..it.address.saturating_add(it.size)).contains(&address)
        };
        let segment = segments.iter().find(inside).ok_or("an address outside of the program")?;
        Ok::<u64, String>(address - segment.address + segment.offset)
    };
    let names = place(entry(NAMES).ok_or("the program has no table of names")?)?;
    let name = |offset: u64| file.name(names.saturating_add(offset));
    let mut needs = none();
    for &(_, offset) in entries.iter().filter(|(tag, _)| *tag == NEEDED) {
        needs.libraries.push(name(offset)?);
    }
    let (Some(versions), Some(count)) = (entry(VERSIONS), entry(VERSIONS_COUNT)) else {
        return Ok(needs);
    };
    let mut at = place(versions)?;
    for _ in 0..count {
        let mut version = at.saturating_add(file.number::<4>(at + 8)?);
        for _ in 0..file.number::<2>(at + 2)? {
            let asked = glibc_version(&name(file.number::<4>(version + 8)?)?)?;
            needs.glibc = needs.glibc.max(asked);
            version = version.saturating_add(file.number::<4>(version + 12)?);
        }
        at = at.saturating_add(file.number::<4>(at + 12)?);
    }
    Ok(needs)
}

/// The version in `GLIBC_2.34`; `None` if the name is of another library.
fn glibc_version(name: &str) -> Result<Option<(u32, u32)>, String> {
    let Some(version) = name.strip_prefix("GLIBC_") else { return Ok(None) };
    if version == "ABI_DT_RELR" {
        // Not of a symbol, but of compact relocations, which came with it.
        return Ok(Some((2, 36)));
    }
    let mut parts = version.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok(Some((major, minor))),
        _ => Err(format!("the program asks for {name}, which is no version of glibc")),
    }
}

// Kinds of segments.
const LOAD: u64 = 1;
const DYNAMIC: u64 = 2;

// Tags of dynamic entries.
const NEEDED: u64 = 1;
const NAMES: u64 = 5;
const VERSIONS: u64 = 0x6fff_fffe;
const VERSIONS_COUNT: u64 = 0x6fff_ffff;

/// A part of the file that is mapped into memory.
struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    /// A number of `N` bytes, of which there may be 8.
    fn number<const N: usize>(&self, at: u64) -> Result<u64, String> {
        let from = usize::try_from(at).map_err(|error| error.to_string())?;
        let bytes = from.checked_add(N).and_then(|to| self.0.get(from..to));
        let bytes = bytes.ok_or("the program ends too early")?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A name that a zero ends.
    fn name(&self, at: u64) -> Result<String, String> {
        let from = usize::try_from(at).map_err(|error| error.to_string())?;
        let rest = self.0.get(from..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == 0).ok_or("the program ends too early")?;
        Ok(String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned())
    }

    fn segments(&self) -> Result<Vec<Segment>, String> {
        let (table, size, count) =
            (self.number::<8>(32)?, self.number::<2>(54)?, self.number::<2>(56)?);
        let segment = |index: u64| {
            let at = table.saturating_add(index * size);
            Ok(Segment {
                kind: self.number::<4>(at)?,
                offset: self.number::<8>(at.saturating_add(8))?,
                address: self.number::<8>(at.saturating_add(16))?,
                size: self.number::<8>(at.saturating_add(32))?,
            })
        };
        (0..count).map(segment).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that asks for `libraries`, and for versions of the first. Addresses are 4096 beyond places in the file.
    fn program(libraries: &[&str], versions: &[&str]) -> Vec<u8> {
        const TABLE: u64 = 64 + 2 * 56;
        let mut names = vec![0];
        let mut put = |name: &&str| {
            let at = names.len() as u64;
            names.extend_from_slice(name.as_bytes());
            names.push(0);
            at
        };
        let libraries: Vec<u64> = libraries.iter().map(&mut put).collect();
        let versions: Vec<u64> = versions.iter().map(&mut put).collect();
        let names_at = TABLE + 16 * (libraries.len() as u64 + 4);
        let versions_at = names_at + names.len() as u64;

        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(64, 0);
        bytes[18] = 62;
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 2;
        for (kind, at, size) in [(LOAD, 0, 1 << 20), (DYNAMIC, TABLE, names_at - TABLE)] {
            for number in [kind, at, at + 4096, 0, size, size, 0] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        let mut entries: Vec<(u64, u64)> = libraries.iter().map(|&at| (NEEDED, at)).collect();
        entries.extend([(NAMES, names_at + 4096), (VERSIONS, versions_at + 4096)]);
        entries.extend([(VERSIONS_COUNT, 1), (0, 0)]);
        for (tag, value) in entries {
            bytes.extend_from_slice(&tag.to_le_bytes());
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(&names);
        let head = [1, versions.len() as u16, libraries[0] as u16, 0, 16, 0, 0, 0];
        head.iter().for_each(|number: &u16| bytes.extend_from_slice(&number.to_le_bytes()));
        for name in versions {
            for number in [0, 0, name as u32, 16] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        bytes
    }

    #[test]
    fn the_newest_glibc_that_a_symbol_is_of_decides() {
        let versions = ["GLIBC_2.2.5", "GLIBC_2.34", "GCC_4.2.0", "GLIBC_2.9"];
        let needs = needs(&program(&["libc.so.6", "libm.so.6"], &versions)).unwrap();
        assert_eq!(needs.libraries, ["libc.so.6", "libm.so.6"]);
        assert_eq!(needs.glibc, Some((2, 34)));
        assert_eq!(needs.platform_tag(), "manylinux_2_34_x86_64");
    }

    #[test]
    fn compact_relocations_need_the_glibc_that_they_came_with() {
        let needs = needs(&program(&["libc.so.6"], &["GLIBC_2.17", "GLIBC_ABI_DT_RELR"])).unwrap();
        assert_eq!(needs.platform_tag(), "manylinux_2_36_x86_64");
    }

    #[test]
    fn libraries_that_are_not_everywhere_make_it_a_wheel_for_machines_like_this() {
        let needs = needs(&program(&["libc.so.6", "libz.so.1"], &["GLIBC_2.17"])).unwrap();
        assert_eq!(needs.platform_tag(), "linux_x86_64");
    }

    #[test]
    fn what_is_no_whole_program_is_refused() {
        let whole = program(&["libc.so.6"], &["GLIBC_2.17"]);
        for length in 0..whole.len() {
            let cut = needs(&whole[..length]);
            assert!(cut.is_err(), "{length}: {cut:?}");
        }
        assert!(needs(b"#!/bin/sh\n").unwrap_err().contains("no little-endian ELF"));
        let private = needs(&program(&["libc.so.6"], &["GLIBC_PRIVATE"])).unwrap_err();
        assert!(private.contains("GLIBC_PRIVATE"), "{private}");
    }

    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
    #[test]
    fn this_program_needs_a_c_library() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = needs(&own).unwrap();
        assert!(needs.libraries.contains(&"libc.so.6".to_owned()), "{needs:?}");
        assert!(needs.glibc >= Some((2, 17)), "{needs:?}");
    }
}
