//! The memory that this process may use, as the system reports it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::limits::{
    BODY_MEMORY_DIVISOR, BODY_MEMORY_MAX_BYTES, BODY_MEMORY_MIN_BYTES, MEMORY_FILE_MAX_BYTES,
};

/// The default of `server.body_memory` where there are `memory` bytes.
pub(crate) fn body_memory(memory: u64) -> u64 {
    (memory / BODY_MEMORY_DIVISOR).clamp(BODY_MEMORY_MIN_BYTES, BODY_MEMORY_MAX_BYTES)
}

/// Bytes of memory: of the machine, or of the control group of this process or one above it if that has less. None where
/// the system reports neither.
pub(crate) fn available() -> Option<u64> {
    available_below(Path::new("/"))
}

fn available_below(root: &Path) -> Option<u64> {
    let machine = read(&root.join("proc/meminfo")).and_then(|text| total(&text));
    let groups = read(&root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(|line| files(root, line)).filter_map(|file| read(&file));
    // "max" means no limit, as does a number beyond all memory.
    machine.into_iter().chain(limits.filter_map(|text| text.trim().parse().ok())).min()
}

/// The `MemTotal` of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The files that hold the limits of a control group and of its ancestors. `line`: of `/proc/self/cgroup`; version 2 names no
/// controller. In a container the path may be one of the host's; the group's own files are then at the top.
fn files(root: &Path, line: &str) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (top, name) = match controllers {
        "" => ("sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|it| it == "memory") => {
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let group = Path::new(path.trim_start_matches('/'));
    group.ancestors().map(|group| root.join(top).join(group).join(name)).collect()
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(MEMORY_FILE_MAX_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_bound_counts() {
        let meminfo = ("proc/meminfo", "MemTotal:        8000 kB\nMemFree:  1 kB\n");
        let check = |files: &[(&str, &str)], expected: Option<u64>| {
            let folder = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = folder.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            assert_eq!(available_below(folder.path()), expected, "{files:?}");
        };
        let group = |text| ("proc/self/cgroup", text);
        check(&[], None);
        check(&[meminfo], Some(8_192_000));
        check(&[("proc/meminfo", "MemTotal: many kB\n")], None);
        let second = group("0::/a.slice/b.service\n");
        check(&[meminfo, second], Some(8_192_000));
        check(&[meminfo, second, ("sys/fs/cgroup/a.slice/b.service/memory.max", "max\n")], Some(8_192_000));
        check(&[meminfo, second, ("sys/fs/cgroup/a.slice/b.service/memory.max", "4096\n")], Some(4096));
        check(&[meminfo, second, ("sys/fs/cgroup/a.slice/memory.max", "4096\n")], Some(4096));
        // In a container: the path is the host's.
        check(&[meminfo, second, ("sys/fs/cgroup/memory.max", "4096\n")], Some(4096));
        check(&[second, ("sys/fs/cgroup/memory.max", "4096\n")], Some(4096));
        let first = group("5:cpu,cpuacct:/x\n4:memory:/x\n");
        let unbounded = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        check(&[meminfo, first, unbounded], Some(8_192_000));
        check(&[meminfo, first, ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "77\n")], Some(77));
        check(&[meminfo, group("nonsense\n")], Some(8_192_000));
    }

    #[test]
    fn a_part_of_it_is_for_bodies() {
        for (memory, expected) in
            [(0, 64 << 20), (1 << 30, 128 << 20), (2 << 30, 256 << 20), (1 << 40, 1 << 30)]
        {
            assert_eq!(body_memory(memory), expected, "{memory}");
        }
    }

    #[test]
    fn this_machine_reports_its_memory() {
        assert!(available().unwrap() > 16 << 20);
    }
}
