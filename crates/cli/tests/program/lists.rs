//! What the program tells of itself: help, built-in pictures, completions.

use crate::workshop::Workshop;
use impasto::Quality;
use impasto::named::Named;
use impasto::recipe::StyleLoss;

#[test]
fn the_built_in_pictures_are_listed() {
    let said = Workshop::new().run("styles").done();
    for example in impasto::examples::all() {
        let line = format!("@{} ", example.name);
        assert!(said.stdout.contains(&line), "{said:?}");
        assert!(said.stdout.contains(example.about), "{said:?}");
    }
    assert!(!said.stdout.contains('\x1b'), "colours without a terminal");
}

#[test]
fn every_shell_gets_completions() {
    let shop = Workshop::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = shop.run(&format!("completions {shell}")).done();
        assert!(said.stdout.contains("style-layers"), "{shell}");
        assert!(said.stdout.contains("wasserstein"), "{shell}");
    }
    assert_eq!(shop.run("completions cmd").status, Some(2));
}

#[test]
fn help_shows_defaults_and_names() {
    let shop = Workshop::new();
    let said = shop.run("--help").done();
    assert!(
        said.stdout
            .contains("impasto stylize @lake --style @swirls"),
        "{said:?}"
    );
    let said = shop.run("stylize --help").done();
    for (name, _) in StyleLoss::NAMES {
        assert!(said.stdout.contains(name), "{name}");
    }
    for (name, _) in Quality::NAMES {
        assert!(said.stdout.contains(name), "{name}");
    }
    for heading in [
        "Picture:",
        "Style:",
        "Content:",
        "Optimisation:",
        "Device:",
        "Output:",
    ] {
        assert!(said.stdout.contains(heading), "{heading}");
    }
    let said = shop.run("");
    assert_eq!((said.status, said.stdout.as_str()), (Some(2), ""));
    assert!(said.stderr.starts_with("Paints a photograph"), "{said:?}");
    assert!(shop.run("--version").done().stdout.starts_with("impasto "));
}

#[test]
fn the_examples_of_the_help_are_calls_that_are_understood() {
    let shop = Workshop::new();
    let help = shop.run("--help").done().stdout;
    let examples: Vec<_> = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("impasto "))
        .collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        // The last problem of many, so that nothing is painted.
        let said = shop.run(&format!("{example} --seed x"));
        said.refused(2, &["--seed is x"]);
    }
}

#[test]
fn devices_are_listed() {
    let said = Workshop::new().run("devices").done();
    for name in ["cpu ", "gpu", "reference ", "auto "] {
        let listed = said.stdout.lines().any(|line| line.starts_with(name));
        assert!(listed, "{name}: {said:?}");
    }
}
