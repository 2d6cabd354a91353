//! The machine that a report is written on, as far as the system tells it without asking twice.

use std::fs;

/// Processor, cores and system, each in a few words.
pub(super) struct Machine {
    /// The processor's name, if the system says it.
    pub processor: Option<String>,
    /// Threads that run at once.
    pub threads: usize,
    /// Name and architecture of the system.
    pub system: String,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        let system = fs::read_to_string("/etc/os-release").ok();
        let system = system.and_then(|text| release(&text));
        Self {
            processor: processor(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!(
                "{}, {}",
                system.as_deref().unwrap_or(std::env::consts::OS),
                std::env::consts::ARCH
            ),
        }
    }
}

/// The name of the first processor; the others of a machine are like it.
#[cfg(not(target_family = "wasm"))]
fn processor() -> Option<String> {
    use sysinfo::{CpuRefreshKind, RefreshKind, System};
    let processors = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(processors).ok()?;
    system.cpus().first().and_then(|cpu| words(cpu.brand()))
}

#[cfg(target_family = "wasm")]
fn processor() -> Option<String> {
    None
}

/// What a system calls itself in `os-release`.
fn release(text: &str) -> Option<String> {
    let mut names = text
        .lines()
        .filter_map(|line| line.strip_prefix("PRETTY_NAME="));
    names.find_map(|name| words(name.trim().trim_matches('"')))
}

/// A text with one space between its words, if it has any.
fn words(text: &str) -> Option<String> {
    let words: Vec<_> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_what_systems_write() {
        let text = "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(
            release(text).as_deref(),
            Some("Debian GNU/Linux 12 (bookworm)")
        );
        for text in ["", "PRETTY_NAME=\"\"\n", "NAME=Debian\n", "PRETTY_NAME"] {
            assert_eq!(release(text), None, "{text:?}");
        }
        let name = words(" Intel(R) Xeon(R)  CPU @ 2.60GHz ");
        assert_eq!(name.as_deref(), Some("Intel(R) Xeon(R) CPU @ 2.60GHz"));
        assert_eq!(words(" "), None);
    }

    #[test]
    fn this_machine_has_a_thread_and_a_system() {
        let machine = Machine::here();
        assert!(machine.threads >= 1);
        assert!(machine.system.contains(std::env::consts::ARCH));
        if cfg!(target_arch = "x86_64") {
            assert!(machine.processor.is_some());
        }
    }
}
