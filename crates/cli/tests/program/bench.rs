//! Measuring: what is printed is complete and adds up.

use crate::workshop::Workshop;
use impasto_testing::{Tolerance, assert_near};
use serde_json::Value;

#[test]
fn a_step_is_timed() {
    let shop = Workshop::new();
    let call = "bench step --encoder vgg19 --random-weights --size 32 --threads 2 --precision strict --steps 3";
    let said = shop.run(&format!("{call} --json")).done();
    let printed: Value = serde_json::from_str(&said.stdout).unwrap();
    let number = |key: &str| printed[key].as_f64().unwrap();
    assert_eq!(
        (number("size"), number("threads"), number("steps")),
        (32.0, 2.0, 3.0)
    );
    assert_eq!(printed["precision"], "strict");
    assert!(number("step_seconds_median") >= number("step_seconds_min"));
    assert!(number("step_seconds_min") > 0.0);
    let share = number("gflops") / number("peak_gflops");
    let tolerance = Tolerance::absolute(1e-9);
    assert_near("share", number("share_of_peak"), share, tolerance);
    #[cfg(target_os = "linux")]
    assert!(number("peak_rss_mb") > 10.0);
    assert!(printed["level"].is_string());
    assert!(shop.run(call).done().stdout.contains("share of peak"));
}

#[test]
fn loading_is_timed() {
    let shop = Workshop::new();
    let said = shop.run("bench load --encoder lite --json").done();
    let printed: Value = serde_json::from_str(&said.stdout).unwrap();
    let number = |key: &str| printed[key].as_f64().unwrap();
    assert_eq!(number("parameters"), 468_704.0);
    let parts = number("read_seconds") + number("filters_seconds");
    let tolerance = Tolerance::absolute(1e-9);
    assert_near("ready", number("ready_seconds"), parts, tolerance);
    assert!(parts > 0.0);
    #[cfg(target_os = "linux")]
    assert!(number("peak_rss_mb_ready") >= number("peak_rss_mb_read"));
    let table = shop.run("bench load --encoder lite").done().stdout;
    assert!(table.contains("ready"), "{table}");
    shop.run("bench load").refused(1, &["models pull vgg19"]);
}

#[test]
fn what_cannot_be_timed_is_refused() {
    let shop = Workshop::new();
    shop.run("bench step --encoder lite --random-weights --size 3 --threads 0 --steps 0")
        .refused(
            2,
            &[
                "--steps is 0",
                "--size is 3",
                "0 threads",
                "--encoder is lite: --random-weights can fill vgg19 and vgg16",
            ],
        );
}
