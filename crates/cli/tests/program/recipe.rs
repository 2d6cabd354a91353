//! Recipes by name and by file.

use crate::workshop::Workshop;
use impasto::Recipe;
use impasto::recipe::book;

#[test]
fn recipes_are_listed_and_shown_as_files() {
    let shop = Workshop::new();
    let list = shop.run("recipe list").done().stdout;
    for built_in in book::all() {
        assert!(list.contains(built_in.name), "{list}");
    }
    let shown = shop.run("recipe show coursera").done().stdout;
    assert!(shown.contains("# NOISE_RATIO: of the noise"), "{shown}");
    std::fs::write(shop.path("mine.toml"), &shown).unwrap();
    let said = shop.run("recipe check mine.toml").done();
    assert_eq!(said.stdout, "mine.toml: good\n");
}

/// Weights that were made for another network: both numbers, in a file and at the start of a run.
#[test]
fn calibrated_weights_are_told() {
    let shop = Workshop::new();
    let shown = shop.run("recipe show pytorch --encoder lite").done().stdout;
    for part in [
        "# On lite, ",
        "content  conv2_2       1.00  ->  relu2_1    6.80e-4",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    std::fs::write(shop.path("mine.toml"), &shown).unwrap();
    shop.run("recipe check mine.toml").done();
    for (name, is_shared) in [("tensorflow", true), ("pytorch", false), ("crowson", false)] {
        let show = format!("recipe show {name} --encoder lite");
        let shown = shop.run(&show).done().stdout;
        let says = shown.contains("deep style layers are lacking");
        assert_eq!(says, is_shared, "{shown}");
    }
    let ours = shop.run("recipe show impasto --encoder lite").done().stdout;
    assert!(!ours.contains("# On lite"), "{ours}");

    shop.picture("photo.png", 16, 11);
    shop.picture("painting.png", 9, 12);
    let run = "stylize photo.png --style painting.png --encoder lite --recipe pytorch --size 16 --steps 3 -o out.png";
    let line = "the recipe's weights were made for torchvision's VGG-19 (vgg19); on lite they are calibrated: content × 6.80e-4";
    let said = shop.run(run).done();
    assert!(said.stderr.contains(line), "{said:?}");
    let said = shop.run(&format!("{run} --faithful"));
    assert!(!said.stderr.contains("calibrated"), "{said:?}");
}

#[test]
fn every_mistake_of_a_file_is_told_with_its_line() {
    let shop = Workshop::new();
    let text = "version = 1\nzeed = 3\n[style]\nweight = \"much\"\n[optimizer]\nbeta1 = 2\n";
    std::fs::write(shop.path("mine.toml"), text).unwrap();
    shop.picture("photo.png", 16, 11);
    shop.picture("painting.png", 9, 12);
    for command in [
        "recipe check mine.toml",
        "stylize photo.png --style painting.png --recipe mine.toml",
    ] {
        let said = shop.run(command);
        assert_eq!(said.status, Some(2), "{said:?}");
        for line in [
            "impasto: mine.toml, line 2: there is no zeed; did you mean seed?",
            "impasto: mine.toml, line 4: style.weight: not string \"much\", expected a number",
            "impasto: mine.toml, line 6: optimizer.beta1 is 2: must be at least 0 and less than 1",
        ] {
            assert!(said.stderr.contains(line), "{said:?}");
        }
    }
    let said = shop.run("recipe show tensorflaw");
    assert!(said.stderr.contains("there are tensorflow, "), "{said:?}");
    assert_eq!(said.status, Some(2));
}

/// Options override the recipe; what was run is written, and reads as the same.
#[test]
fn the_recipe_of_a_run_is_written_with_its_options() {
    let shop = Workshop::new();
    shop.picture("photo.png", 16, 11);
    shop.picture("painting.png", 9, 12);
    let said = shop
        .run(
            "stylize photo.png --style painting.png --encoder lite --recipe pytorch --size 16 \
             --steps 3 --style-weight 0.5 --save-recipe mine.toml -o out.png",
        )
        .done();
    assert!(
        said.stderr.contains("lite lacks layers of the recipe"),
        "{said:?}"
    );
    assert!(
        said.stderr
            .contains("L-BFGS keeps up to 100 pairs: 1 MiB at 16×11 px"),
        "{said:?}"
    );
    let path = shop.path("mine.toml");
    let mine = Recipe::named(path.to_str().unwrap()).unwrap();
    let mut expected = Recipe::named("pytorch").unwrap();
    expected.size = impasto::OutputSize::LongSide(16);
    let settings = expected.optimize_mut().unwrap();
    settings.schedule.steps = vec![3];
    settings.style.weight = 0.5;
    assert_eq!(mine, expected);
    shop.run(
        "stylize photo.png --style painting.png --encoder lite --recipe mine.toml -o again.png",
    )
    .done();
    assert_eq!(shop.open("out.png").rgb(), shop.open("again.png").rgb());
}

#[test]
fn what_cannot_be_together_is_refused() {
    let shop = Workshop::new();
    shop.picture("photo.png", 16, 11);
    shop.picture("painting.png", 9, 12);
    for (options, line) in [
        (
            "--recipe pytorch --quality fine",
            "--recipe and --quality are both given",
        ),
        (
            "--recipe pytorch --averaging 0.5",
            "--averaging is 0.5: goes with the optimizer adam only",
        ),
        (
            "--recipe holberton --averaging 0.5",
            "must be 0 where keep asks for",
        ),
        (
            "--recipe gatys2016 --strict-taps",
            "impasto models pull vgg19",
        ),
        (
            "--optimizer lbfgs --learning-rate 0",
            "--learning-rate is 0",
        ),
    ] {
        let said = shop.run(&format!(
            "stylize photo.png --style painting.png --encoder lite {options} -o out.png"
        ));
        assert_eq!(said.status, Some(2), "{options}: {said:?}");
        assert!(said.stderr.contains(line), "{options}: {said:?}");
    }
}
