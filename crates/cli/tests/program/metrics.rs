//! Numbers about results, and the methods that are measured by them.

use crate::workshop::Workshop;
use serde_json::Value;

/// What is the photo is at no distance from it, and what is the painting at none from that.
#[test]
fn results_are_measured_beside_each_other() {
    let shop = Workshop::new();
    shop.picture("photo.png", 64, 48);
    shop.picture("painting.png", 64, 48);
    let said = shop
        .run("metrics photo.png painting.png photo.png painting.png --encoder lite --json")
        .done();
    let told: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(told["encoder"], "lite");
    let [photo, painting] = &told["results"].as_array().unwrap()[..] else {
        panic!("{told}")
    };
    let number = |of: &Value, key: &str| of[key].as_f64().unwrap();
    assert_eq!(
        (&photo["name"], &photo["made_with"]),
        (&"photo.png".into(), &Value::Null)
    );
    for key in ["content", "cfsd"] {
        assert!(number(photo, key) < 1e-6, "{key}: {told}");
        assert!(number(painting, key) > 1e-5, "{key}: {told}");
    }
    for key in ["style", "histogram", "sliced"] {
        assert!(number(painting, key) < 1e-3, "{key}: {told}");
        assert!(number(photo, key) > number(painting, key), "{key}: {told}");
    }
    assert!(
        number(photo, "ssim") > 0.999 && number(painting, "ssim") < 0.9,
        "{told}"
    );
    let said = shop.run("metrics photo.png painting.png photo.png").done();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(
        lines[0].starts_with("result") && lines[1].starts_with("photo.png"),
        "{lines:?}"
    );
    shop.run("metrics photo.png painting.png nowhere.png")
        .refused(1, &["nowhere.png"]);
}

/// Methods of neighbours paint by their options, and their results say what they were made with.
#[test]
fn methods_of_neighbours_have_options() {
    let shop = Workshop::new();
    let call = "photo.png --style painting.png --size 32 --encoder lite";
    for (method, options) in [
        (
            "nnst",
            "--nnst-steps 2 --nnst-splitting 2 --nnst-finish 2 --nnst-alpha 0.5 --nnst-recolor",
        ),
        (
            "strotss",
            "--strotss-steps 2 --strotss-content 0.5 --guide 30,50=40,20 --guide 90,10=5,95",
        ),
    ] {
        shop.run(&format!(
            "stylize {call} --method {method} {options} -o {method}.png"
        ))
        .done();
        let said = shop.run(&format!("inspect picture {method}.png")).done();
        assert!(said.stdout.contains(method), "{}", said.stdout);
    }
    let said = shop
        .run("metrics photo.png painting.png nnst.png strotss.png --encoder lite")
        .done();
    assert!(
        said.stderr.contains("lite measures what was made with it"),
        "{}",
        said.stderr
    );
    shop.run(&format!(
        "stylize {call} --method nnst --strotss-steps 2 -o no.png"
    ))
    .refused(2, &["--strotss-steps"]);
    for (options, told) in [
        (
            "--method strotss --guide 30=40",
            "--guide is 30=40: must be X,Y=X,Y",
        ),
        (
            "--method strotss --guide 30,101=40,20",
            "--guide is 30,101=40,20",
        ),
        (
            "--method strotss --guide NaN,1=40,20",
            "--guide is NaN,1=40,20",
        ),
        ("--method nnst --guide 30,50=40,20", "not by nnst"),
    ] {
        shop.run(&format!("stylize {call} {options} -o no.png"))
            .refused(2, &[told]);
    }
    // LPIPS is on VGG-16, which is not there.
    shop.run("metrics photo.png painting.png nnst.png --encoder lite --lpips vgg.pth")
        .refused(1, &["vgg16"]);
}
