//! Words of model cards.

/// A table of two columns without a head.
pub fn table(rows: &[(&str, String)]) -> String {
    let mut table = String::from("| | |\n|---|---|\n");
    for (name, text) in rows {
        table += &format!("| {name} | {text} |\n");
    }
    table
}

/// Things in a row.
pub fn list<T: ToString>(items: impl Iterator<Item = T>, between: &str) -> String {
    let items: Vec<_> = items.map(|item| item.to_string()).collect();
    items.join(between)
}

/// Processor and threads.
pub fn machine() -> String {
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = known
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(':'))
        .map_or(std::env::consts::ARCH, |(_, name)| name.trim());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{threads} threads of {name}")
}

/// Bytes in hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
