//! The machine that a report is written on, as far as the system tells it without asking twice.

use std::fs;

/// Processor, cores and system, each in a few words.
pub(super) struct Machine {
    /// The processor's name; systems other than Linux, and Linux on some ARM boards, do not say it in a file.
    pub processor: Option<String>,
    /// Threads that run at once.
    pub threads: usize,
    /// Name and architecture of the system.
    pub system: String,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo").ok();
        let system = fs::read_to_string("/etc/os-release").ok();
        let system = system.and_then(|text| value(&text, "PRETTY_NAME", '='));
        Self {
            processor: processor.and_then(|text| value(&text, "model name", ':')),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!(
                "{}, {}",
                system.as_deref().unwrap_or(std::env::consts::OS),
                std::env::consts::ARCH
            ),
        }
    }
}

/// The first value of a key in lines of `key: value` or `key="value"`, if it is not empty.
fn value(text: &str, key: &str, sign: char) -> Option<String> {
    let pairs = text.lines().filter_map(|line| line.split_once(sign));
    let mut values = pairs
        .filter(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim().trim_matches('"').trim());
    values
        .find(|value| !value.is_empty())
        .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_what_systems_write() {
        let cpuinfo = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 85\n\
                       model name\t: Intel(R) Xeon(R)  CPU @ 2.60GHz\nflags\t\t: fpu sse\n\n\
                       processor\t: 1\nmodel name\t: another\n";
        assert_eq!(
            value(cpuinfo, "model name", ':').as_deref(),
            Some("Intel(R) Xeon(R) CPU @ 2.60GHz")
        );
        let release = "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(
            value(release, "PRETTY_NAME", '=').as_deref(),
            Some("Debian GNU/Linux 12 (bookworm)")
        );
        for text in ["", "model name\t: \n", "Hardware: BCM2835\n", "model name"] {
            assert_eq!(value(text, "model name", ':'), None, "{text:?}");
        }
    }

    #[test]
    fn this_machine_has_a_thread_and_a_system() {
        let machine = Machine::here();
        assert!(machine.threads >= 1);
        assert!(machine.system.contains(std::env::consts::ARCH));
    }
}
