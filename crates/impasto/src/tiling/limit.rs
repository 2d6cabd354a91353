//! How much memory there is: what the system has to give, and what it lets this process have.

use std::fs;
use std::path::{Component, Path};

/// Bytes that this process can still have without driving others out, if the system says: what it calls available, or
/// less where a control group or the limit of the address space (`ulimit -v`) allows less.
pub fn free_memory() -> Option<u64> {
    let limits = [
        of_system(),
        of_groups(Path::new("/")),
        of_address_space(Path::new("/")),
    ];
    limits.into_iter().flatten().min()
}

/// What no process uses, caches included.
#[cfg(not(target_family = "wasm"))]
fn of_system() -> Option<u64> {
    use sysinfo::{MemoryRefreshKind, RefreshKind, System};
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(memory).ok()?;
    // What is called available includes pages in use on macOS; elsewhere both are one number.
    let unused = system.total_memory().checked_sub(system.used_memory())?;
    Some(unused.min(system.available_memory())).filter(|&bytes| bytes > 0)
}

#[cfg(target_family = "wasm")]
fn of_system() -> Option<u64> {
    None
}

/// How a version of control groups says what a group may have and what it has.
struct Groups {
    /// The controller in `/proc/self/cgroup`.
    controller: &'static str,
    /// Where the groups are mounted.
    mount: &'static str,
    /// Files of limits in bytes; what is no number is no limit.
    limits: &'static [&'static str],
    /// File of the bytes that are in use.
    usage: &'static str,
    /// Line of `memory.stat`: bytes among those in use that are given back when somebody needs them.
    cache: &'static str,
}

/// Versions 2 and 1 (`cgroup-v2.rst` and `cgroup-v1/memory.rst` of Linux).
const GROUPS: [Groups; 2] = [
    Groups {
        controller: "",
        mount: "sys/fs/cgroup",
        limits: &["memory.max", "memory.high"],
        usage: "memory.current",
        cache: "inactive_file",
    },
    Groups {
        controller: "memory",
        mount: "sys/fs/cgroup/memory",
        limits: &["memory.limit_in_bytes"],
        usage: "memory.usage_in_bytes",
        cache: "total_inactive_file",
    },
];

/// The least that the control groups of this process leave it, each group and all that it is in; `None` where there
/// is no limit. `root` is the folder that has `proc` and `sys`.
fn of_groups(root: &Path) -> Option<u64> {
    let own = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mut least: Option<u64> = None;
    for line in own.lines() {
        // `4:memory:/user/session`, and `0::/user/session` of version 2.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let named = |groups: &&Groups| controllers.split(',').any(|c| c == groups.controller);
        let Some(groups) = GROUPS.iter().find(named) else {
            continue;
        };
        let path = path.trim_start_matches('/');
        // A group outside of what this container is shown is not at its path; the mount itself is the container's.
        let shown = Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let path = Path::new(if shown { path } else { "" });
        let left = path
            .ancestors()
            .filter_map(|group| groups.left(&root.join(groups.mount).join(group)));
        least = left.chain(least).min();
    }
    least
}

impl Groups {
    /// Bytes that the group in a folder leaves to what is in it; `None` without a limit, or without such a group.
    fn left(&self, folder: &Path) -> Option<u64> {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let number = |name: &str| -> Option<u64> { read(name)?.trim().parse().ok() };
        let limit = self.limits.iter().filter_map(|name| number(name)).min()?;
        let stat = read("memory.stat").unwrap_or_default();
        let cache = stat
            .lines()
            .find_map(|line| line.strip_prefix(self.cache)?.trim().parse().ok());
        let used = number(self.usage)
            .unwrap_or(0)
            .saturating_sub(cache.unwrap_or(0));
        Some(limit.saturating_sub(used))
    }
}

/// Bytes of address space that this process may still take; `None` where there is no limit.
fn of_address_space(root: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(root.join("proc/self").join(name)).ok();
    let limits = read("limits")?;
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    let limit: u64 = limit.split_whitespace().next()?.parse().ok()?;
    let status = read("status")?;
    let used = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))?;
    let used: u64 = used.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(limit.saturating_sub(used.saturating_mul(1024)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::Folder;

    /// A folder with these files, as `proc` and `sys` would be.
    fn tree(files: &[(&str, &str)]) -> Folder {
        let folder = Folder::new();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn the_tightest_group_counts_without_the_cache_that_it_can_drop() {
        let tree = tree(&[
            ("proc/self/cgroup", "0::/user.slice/job\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "5000\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "4700\n"),
            (
                "sys/fs/cgroup/user.slice/memory.stat",
                "anon 9\ninactive_file 400\nactive_file 8\n",
            ),
            ("sys/fs/cgroup/user.slice/job/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/job/memory.high", "2000\n"),
            ("sys/fs/cgroup/user.slice/job/memory.current", "100\n"),
        ]);
        assert_eq!(of_groups(tree.path()), Some(700));
        let job = tree.path().join("sys/fs/cgroup/user.slice/job");
        fs::write(job.join("memory.max"), "600").unwrap();
        assert_eq!(of_groups(tree.path()), Some(500));
        fs::write(job.join("memory.current"), "601").unwrap();
        assert_eq!(of_groups(tree.path()), Some(0));
    }

    #[test]
    fn groups_of_version_1_have_names_of_their_own() {
        let tree = tree(&[
            (
                "proc/self/cgroup",
                "5:cpu,memory:/a/c\n1:name=systemd:/\n0::/\n",
            ),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "3000\n"),
            ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "2000\n"),
            (
                "sys/fs/cgroup/memory/a/memory.stat",
                "inactive_file 1\ntotal_inactive_file 500\n",
            ),
        ]);
        assert_eq!(of_groups(tree.path()), Some(1500));
    }

    #[test]
    fn a_container_that_sees_no_path_of_its_own_takes_the_mount() {
        for path in ["/docker/0123", "/../0123", "/"] {
            let tree = tree(&[
                ("proc/self/cgroup", &format!("0::{path}\n")),
                ("sys/fs/cgroup/memory.max", "900"),
                // What is outside of the mount is nobody's limit.
                ("sys/fs/0123/memory.max", "1"),
            ]);
            assert_eq!(of_groups(tree.path()), Some(900), "{path}");
        }
    }

    #[test]
    fn what_sets_no_limit_or_cannot_be_read_is_none() {
        for files in [
            &[][..],
            &[("proc/self/cgroup", "")],
            &[("proc/self/cgroup", "nonsense\n0:\n4:memory\n")],
            &[
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/memory.max", "max\n"),
            ],
            &[
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/memory.max", "-1\n"),
            ],
            &[(
                "proc/self/limits",
                "Max address space  unlimited  unlimited  bytes\n",
            )],
            &[("proc/self/limits", "Max address space  7  7  bytes\n")],
            &[
                ("proc/self/limits", ""),
                ("proc/self/status", "VmSize:\t 1 kB\n"),
            ],
        ] {
            let tree = tree(files);
            assert_eq!(of_groups(tree.path()), None, "{files:?}");
            assert_eq!(of_address_space(tree.path()), None, "{files:?}");
        }
    }

    #[test]
    fn an_address_space_has_what_is_not_taken_of_it() {
        for (taken, left) in [("1000", 976_000), ("3000", 0), ("18446744073709551615", 0)] {
            let tree = tree(&[
                (
                    "proc/self/limits",
                    "Max cpu time  1  2  seconds\nMax address space  2000000  unlimited  bytes\n",
                ),
                (
                    "proc/self/status",
                    &format!("VmPeak:\t 9999 kB\nVmSize:\t    {taken} kB\n"),
                ),
            ]);
            assert_eq!(of_address_space(tree.path()), Some(left), "{taken} kB");
        }
    }

    #[test]
    fn this_system_says_what_it_has() {
        assert!(free_memory().unwrap() > 1 << 20);
    }
}
