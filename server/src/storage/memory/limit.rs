//! The memory available to this process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The memory available to this process in octets: the least of the physical memory and the limits
/// of its control groups. `None` if unknown (other systems than Linux). Determined once.
pub(super) fn memory_limit() -> Option<u64> {
    static LIMIT: OnceLock<Option<u64>> = OnceLock::new();
    *LIMIT.get_or_init(|| limit_below(Path::new("/")))
}

/// The same, with the files of the system below this directory.
fn limit_below(root: &Path) -> Option<u64> {
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let physical = text("proc/meminfo").lines().find_map(|line| {
        let kibibytes = line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?;
        kibibytes.trim().parse::<u64>().ok()?.checked_mul(1024)
    });
    let groups = text("proc/self/cgroup");
    let limits = groups.lines().filter_map(|line| {
        // `hierarchy:controllers:path`; of version 2 the controllers are empty.
        let (_, line) = line.split_once(':')?;
        let (controllers, path) = line.split_once(':')?;
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        least_limit(&root.join(mount), path, file)
    });
    limits.chain(physical).min()
}

/// The lowest limit of a control group and its ancestors. In a container the path may be that of
/// the host, which does not exist: then only the top is used.
fn least_limit(mount: &Path, path: &str, file: &str) -> Option<u64> {
    let group: PathBuf = Path::new(path)
        .strip_prefix("/")
        .unwrap_or_else(|_| Path::new(""))
        .into();
    let limits = group.ancestors().filter_map(|group| {
        let text = fs::read_to_string(mount.join(group).join(file)).ok()?;
        // Without a limit there is `max` (version 2) or a number beyond all memory (version 1).
        text.trim().parse().ok()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use rstest::rstest;

    const MEMORY: (&str, &str) = ("proc/meminfo", "MemTotal:       16384 kB\nMemFree: 5 kB\n");

    #[rstest]
    #[case::nothing_known(&[], None)]
    #[case::physical_memory(&[MEMORY], Some(16 << 20))]
    #[case::version_2(
        &[
            MEMORY,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/memory.max", "1048576\n"),
        ],
        Some(1 << 20)
    )]
    #[case::version_2_in_a_container(
        &[MEMORY, ("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "2097152\n")],
        Some(2 << 20)
    )]
    #[case::version_1(
        &[
            MEMORY,
            ("proc/self/cgroup", "5:cpu:/\n4:memory,hugetlb:/c\n0::/\n"),
            ("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "3145728\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ],
        Some(3 << 20)
    )]
    #[case::version_1_with_the_path_of_the_host(
        &[
            ("proc/self/cgroup", "4:memory:/docker/0123\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "4194304\n"),
        ],
        Some(4 << 20)
    )]
    #[case::nonsense(&[("proc/meminfo", "MemTotal: x kB"), ("proc/self/cgroup", "::\n\n0:")], None)]
    fn the_least_limit_counts(#[case] files: &[(&str, &str)], #[case] limit: Option<u64>) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert_eq!(limit_below(root.path()), limit);
    }
}
