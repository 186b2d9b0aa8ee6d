//! How much memory this process has, and how much it may have: by its own limits, by those of its control
//! groups, and by what the machine has. Known on Linux only.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::{fmt, fs};

/// Addresses that the allocator asks for, to memory that the program asks it for: it takes them in pieces
/// of 128 MiB or 1 GiB, of which a part stays unused. `docs/guarantees.md` has what was measured.
const ADDRESSES: u64 = 3;

/// Something that bounds the memory of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Name in messages.
    pub name: String,
    /// Bytes that the process could have if all else gave way.
    pub most: u64,
    /// Bytes that it could have more than now, as things stand.
    pub free: u64,
}

/// All that bounds this process; nothing where the system does not tell.
pub fn limits() -> Vec<Limit> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let mut limits = own(
        &read(Path::new("/proc/self/limits")).unwrap_or_default(),
        &read(Path::new("/proc/self/status")).unwrap_or_default(),
    );
    let memory = read(Path::new("/proc/meminfo")).unwrap_or_default();
    let groups = groups(
        &read(Path::new("/proc/self/cgroup")).unwrap_or_default(),
        &read(Path::new("/proc/self/mountinfo")).unwrap_or_default(),
    );
    let swap = bytes_of(&memory, "SwapTotal").unwrap_or(0);
    limits.extend(groups.iter().flat_map(Group::folders).filter_map(|(version, folder)| {
        version.limit(&folder, swap, |name| read(&folder.join(name)))
    }));
    limits.extend(machine(&memory));
    limits
}

/// Bytes of memory that the process has now, as far as the system tells.
pub fn resident() -> Option<u64> {
    bytes_of(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS")
}

/// The bytes that a line of `/proc/self/status` or `/proc/meminfo` tells, such as `VmHWM:  1234 kB`.
pub fn bytes_of(text: &str, name: &str) -> Option<u64> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(':').map(str::to_owned);
    let value = text.lines().find_map(value)?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// What the process itself is limited to, `ulimit -v` and `-d` of a shell, by `/proc/self/limits` and
/// `/proc/self/status`.
fn own(limits: &str, status: &str) -> Vec<Limit> {
    let limit = |line: &str, name: &str| {
        let text = limits.lines().find_map(|found| found.strip_prefix(line))?;
        // The soft limit stands first; `unlimited` is no number.
        let most: u64 = text.split_whitespace().next()?.parse().ok()?;
        let free = (most / ADDRESSES).saturating_sub(bytes_of(status, "VmRSS").unwrap_or(0));
        Some(Limit { name: name.to_owned(), most, free })
    };
    [
        limit("Max address space", "the limit on its address space (`ulimit -v`)"),
        limit("Max data size", "the limit on its data (`ulimit -d`)"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the machine has, by `/proc/meminfo`.
fn machine(memory: &str) -> Option<Limit> {
    let bytes = |name| bytes_of(memory, name);
    Some(Limit {
        name: "what this machine has".to_owned(),
        most: bytes("MemTotal")? + bytes("SwapTotal").unwrap_or(0),
        free: bytes("MemAvailable")? + bytes("SwapFree").unwrap_or(0),
    })
}

/// A control group that the process is in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    version: Version,
    /// Where the hierarchy is mounted.
    mount: PathBuf,
    /// The group's path below that, without a slash in front.
    path: PathBuf,
}

/// Versions of control groups, which count memory in files of other names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The groups that count memory, by `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn groups(cgroup: &str, mounts: &str) -> Vec<Group> {
    let group = |line: &str| {
        // `0::/user.slice`, `4:memory:/docker/5a`
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let version = match controllers {
            "" if number == "0" => Version::Two,
            controllers if controllers.split(',').any(|it| it == "memory") => Version::One,
            _ => return None,
        };
        let (root, mount) = mounts.lines().find_map(|line| version.mounted(line))?;
        // In a container the hierarchy is mounted from its own group on, which the path may begin with.
        let path = Path::new(path);
        let path = path.strip_prefix(root).or_else(|_| path.strip_prefix("/")).ok()?;
        Some(Group { version, mount: mount.into(), path: path.to_owned() })
    };
    cgroup.lines().filter_map(group).collect()
}

impl Group {
    /// The group's folder and those of the groups around it, each of which limits it too.
    fn folders(&self) -> impl Iterator<Item = (Version, PathBuf)> {
        self.path.ancestors().map(|path| (self.version, self.mount.join(path)))
    }
}

impl Version {
    /// Root and place of this hierarchy, if a line of `/proc/self/mountinfo` is its.
    fn mounted(self, line: &str) -> Option<(&str, &str)> {
        // `35 31 0:32 /docker/5a /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let (name, options) = (kind.next()?, kind.nth(1).unwrap_or_default());
        let is_its = match self {
            Self::Two => name == "cgroup2",
            Self::One => name == "cgroup" && options.split(',').any(|it| it == "memory"),
        };
        let mut place = place.split(' ').skip(3);
        is_its.then_some((place.next()?, place.next()?))
    }

    /// The limit of the group with this folder, whose files `read` reads, on a machine with so much swap.
    fn limit(
        self,
        folder: &Path,
        swap: u64,
        read: impl Fn(&str) -> Option<String>,
    ) -> Option<Limit> {
        let [limit, usage, cache] = match self {
            Self::One => ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "],
            Self::Two => ["memory.max", "memory.current", "inactive_file "],
        };
        let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
        // `max` is no number; the first version writes the greatest number of pages instead.
        let most = number(limit).filter(|&most| most < 1 << 60)?;
        // What is kept of files gives way.
        let stat = read("memory.stat").unwrap_or_default();
        let cache = stat.lines().find_map(|line| line.strip_prefix(cache)?.trim().parse().ok());
        let taken = number(usage).unwrap_or(0).saturating_sub(cache.unwrap_or(0));
        Some(Limit {
            name: format!("the memory limit of the control group {}", folder.display()),
            most: most.saturating_add(swap),
            free: most.saturating_sub(taken).saturating_add(swap),
        })
    }
}

/// Shows bytes as a person reads them: `102.8 MB`, `3.2 GB`.
pub fn megabytes(bytes: u64) -> impl fmt::Display {
    struct Megabytes(u64);
    impl fmt::Display for Megabytes {
        // Without asking for memory: it is shown where there is none.
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {
                0..1_000 => write!(f, "{} bytes", self.0),
                1_000..1_000_000 => write!(f, "{:.1} kB", self.0 as f64 / 1e3),
                1_000_000..1_000_000_000 => write!(f, "{:.1} MB", self.0 as f64 / 1e6),
                _ => write!(f, "{:.1} GB", self.0 as f64 / 1e9),
            }
        }
    }
    Megabytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max data size             unlimited            unlimited            bytes     
Max resident set          unlimited            unlimited            bytes     
Max address space         1536000000           unlimited            bytes     
";
    const STATUS: &str = "Name:\tbackburn\nVmSize:\t 900000 kB\nVmRSS:\t  100000 kB\n";

    #[test]
    fn the_soft_limits_of_the_process_are_read() {
        let [limit] = own(LIMITS, STATUS).try_into().unwrap();
        assert!(limit.name.contains("`ulimit -v`"));
        assert_eq!((limit.most, limit.free), (1_536_000_000, 512_000_000 - 102_400_000));
        let data = LIMITS.replace("Max data size             unlimited", "Max data size   30000");
        let [_, limit] = own(&data, STATUS).try_into().unwrap();
        assert_eq!((limit.most, limit.free), (30_000, 0));
        assert_eq!(own("", ""), []);
    }

    #[test]
    fn a_machine_has_its_memory_and_its_swap() {
        let memory =
            "MemTotal: 1000 kB\nMemAvailable: 600 kB\nSwapTotal: 100 kB\nSwapFree: 50 kB\n";
        let limit = machine(memory).unwrap();
        assert_eq!((limit.most, limit.free), (1100 * 1024, 650 * 1024));
        assert_eq!(machine("MemTotal: 1000 kB\n"), None);
    }

    #[test]
    fn the_control_groups_that_count_memory_are_found() {
        let group = |version, mount: &str, path: &str| Group {
            version,
            mount: mount.into(),
            path: path.into(),
        };
        let two = "31 23 0:28 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = groups("0::/user.slice/a.scope\n", two);
        assert_eq!(found, [group(Version::Two, "/sys/fs/cgroup", "user.slice/a.scope")]);
        let folders: Vec<_> = found[0].folders().map(|(_, folder)| folder).collect();
        let expected =
            ["user.slice/a.scope", "user.slice", ""].map(|it| Path::new("/sys/fs/cgroup").join(it));
        assert_eq!(folders, expected);

        let one = "\
32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
35 31 0:32 /docker/5a /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";
        let found = groups("4:memory:/docker/5a/b\n1:cpu:/\n0::/\n", one);
        let expected = [
            group(Version::One, "/sys/fs/cgroup/memory", "b"),
            group(Version::Two, "/sys/fs/cgroup/unified", ""),
        ];
        assert_eq!(found, expected);
        // What lies outside of what is mounted.
        assert_eq!(groups("4:memory:/elsewhere\n", one)[0].path, Path::new("elsewhere"));
        assert_eq!(groups("4:memory:/docker/5a\n", ""), []);
        assert_eq!(groups("nonsense\n0:\n", one), []);
    }

    #[test]
    fn a_control_group_has_its_limit_and_what_files_take_gives_way() {
        let folder = Path::new("/sys/fs/cgroup/a");
        let files = |name: &str| {
            Some(match name {
                "memory.max" => "1000\n".to_owned(),
                "memory.current" => "700\n".to_owned(),
                "memory.stat" => "anon 300\ninactive_file 250\n".to_owned(),
                _ => return None,
            })
        };
        let limit = Version::Two.limit(folder, 0, files).unwrap();
        assert_eq!((limit.most, limit.free), (1000, 550));
        assert!(limit.name.ends_with("/sys/fs/cgroup/a"));
        assert_eq!(Version::Two.limit(folder, 40, files).unwrap().free, 590);
        let unlimited = |name: &str| (name == "memory.max").then(|| "max\n".to_owned());
        assert_eq!(Version::Two.limit(folder, 0, unlimited), None);

        let files = |name: &str| {
            Some(match name {
                "memory.limit_in_bytes" => "1000\n".to_owned(),
                "memory.usage_in_bytes" => "1200\n".to_owned(),
                "memory.stat" => "inactive_file 1\ntotal_inactive_file 100\n".to_owned(),
                _ => return None,
            })
        };
        assert_eq!(Version::One.limit(folder, 0, files).unwrap().free, 0);
        let unlimited = |name: &str| {
            (name == "memory.limit_in_bytes").then(|| "9223372036854771712\n".to_owned())
        };
        assert_eq!(Version::One.limit(folder, 0, unlimited), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_its_machine_more() {
        let resident = resident().unwrap();
        let machine = limits().pop().unwrap();
        assert!(resident > 1_000_000 && resident < machine.most, "{resident}, {machine:?}");
    }

    #[test]
    fn bytes_are_shown_in_the_unit_that_suits_them() {
        let shown = [7, 15_300, 102_760_448, 3_210_000_000].map(|it| megabytes(it).to_string());
        assert_eq!(shown, ["7 bytes", "15.3 kB", "102.8 MB", "3.2 GB"]);
    }
}
