//! How much memory there is.

/// Bytes that this process can still have without driving others out, if the system says: what Linux calls available,
/// or less where a control group allows less.
pub fn free_memory() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let available = field(&read("/proc/meminfo")?, "MemAvailable:")?;
    let group = || -> Option<u64> {
        let limit: u64 = read("/sys/fs/cgroup/memory.max")?.trim().parse().ok()?;
        let used: u64 = read("/sys/fs/cgroup/memory.current")?.trim().parse().ok()?;
        Some(limit.saturating_sub(used))
    };
    Some(group().map_or(available, |group| group.min(available)))
}

/// The bytes of a line such as `MemAvailable:   123 kB`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn the_kernel_is_read_as_it_writes() {
        let text = "MemTotal:       24576 kB\nMemAvailable:    1024 kB\nBuffers:  7 kB\n";
        assert_eq!(field(text, "MemAvailable:"), Some(1 << 20));
        assert_eq!(field(text, "SwapFree:"), None);
        assert_eq!(field("MemAvailable: many kB", "MemAvailable:"), None);
    }
}
