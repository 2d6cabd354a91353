use super::{Page, Report, ScaleReport, StepReport, curves};
use crate::examples;
use crate::picture::{Filter, Picture};
use crate::recipe::Recipe;
use crate::style::Style;

/// A report of scales with the given numbers of steps; `loss` says the total of a step.
pub(super) fn report(steps: &[usize], loss: impl Fn(usize) -> f64) -> Report {
    let mut report = Report {
        version: "1.2.3",
        encoder: "lite".into(),
        device: "a device".into(),
        styles: vec![],
        recipe: Recipe::default(),
        terms: vec![
            ("content:relu3_3".into(), 0.5),
            ("style:relu1_1".into(), 2.0),
        ],
        scales: vec![],
        steps: vec![],
        setbacks: vec![],
        concerns: vec![],
        seconds: 10.0,
        stopped: false,
    };
    for (scale, &steps) in steps.iter().enumerate() {
        report.scales.push(ScaleReport {
            width: 128 << scale,
            height: 96 << scale,
            steps,
            seconds: 5.0,
        });
        for step in 1..=steps {
            let total = loss(report.steps.len());
            report.steps.push(StepReport {
                scale,
                step,
                total,
                terms: vec![total, total / 4.0],
                seconds: 1.0,
            });
        }
    }
    report
}

/// A picture that is the same everywhere.
pub(super) fn plain(width: usize, height: usize) -> Picture {
    Picture::new(width, height, vec![0.4; 3 * width * height]).unwrap()
}

fn page(report: &Report, name: &str, command: Option<&str>) -> String {
    let styles = [
        Style::new(name, plain(5, 3), 1.0),
        Style::new(name, plain(1, 1), 3.0),
    ];
    let (content, result) = (plain(7, 2), plain(7, 2));
    let page = Page {
        report,
        content: (name, &content),
        styles: &styles,
        result: &result,
        command,
    };
    page.html().unwrap()
}

/// What stands at `<` signs, in order: `div`, `/div`; text of scripts and style sheets is skipped.
///
/// Panics on attributes without quotes and on tags that do not end.
pub(super) fn tags(html: &str) -> Vec<String> {
    let (mut tags, mut rest) = (Vec::new(), html);
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let mut quoted = false;
        let end = rest.find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        let (tag, after) = rest.split_at(end.expect("a tag without end"));
        let bare: Vec<_> = tag.split('"').step_by(2).collect();
        assert!(
            bare.iter().all(|text| !text.contains(['<', '\''])),
            "<{tag}>"
        );
        let (last, before) = bare.split_last().unwrap();
        assert!(before.iter().all(|text| text.ends_with('=')), "<{tag}>");
        assert!(!last.contains('='), "<{tag}>");
        let name = tag.split_whitespace().next().unwrap_or("");
        rest = after;
        if let "script" | "style" = name {
            rest = &rest[rest
                .find(&format!("</{name}>"))
                .expect("a script without end")..];
        }
        if !tag.ends_with('/') {
            tags.push(name.to_lowercase());
        }
    }
    tags
}

pub(super) fn assert_balanced(html: &str) {
    let mut open = Vec::new();
    for tag in tags(html) {
        match tag.strip_prefix('/') {
            Some(tag) => assert_eq!(open.pop().as_deref(), Some(tag)),
            None if ["!doctype", "meta", "img"].contains(&tag.as_str()) => {}
            None => open.push(tag),
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
}

#[test]
fn every_tag_is_closed() {
    let runs: [&[usize]; 4] = [&[], &[1], &[3, 2], &[40, 20, 20, 0, 1]];
    for steps in runs {
        let report = report(steps, |i| 1.0 / (i + 1) as f64);
        for command in [None, Some("impasto a.jpg --style b.jpg")] {
            assert_balanced(&page(&report, "a name", command));
        }
    }
    let picture = plain(2, 2);
    let bare = Page {
        report: &report(&[2], |_| 1.0),
        content: ("", &picture),
        styles: &[],
        result: &picture,
        command: None,
    };
    assert_balanced(&bare.html().unwrap());
}

#[test]
#[should_panic(expected = "never closed")]
fn the_check_of_tags_finds_an_open_one() {
    assert_balanced("<!doctype html><p class=\"a\">one <b>two</b>");
}

#[test]
fn names_cannot_become_markup() {
    let hostile = "</title></style></script><script>alert('\"&{x}')</script><img src=x onerror=\"alert(1)\">.jpg";
    let mut report = report(&[2, 2], |_| 1.0);
    let harmless = tags(&page(&report, "name", Some("command")));
    report.encoder = hostile.into();
    report.device = hostile.into();
    report.terms[0].0 = hostile.into();
    let html = page(&report, hostile, Some(hostile));
    assert_balanced(&html);
    assert_eq!(tags(&html), harmless);
    assert!(!html.contains("alert('"));
    assert!(html.contains("&lt;script&gt;alert(&#39;&quot;&amp;{x}&#39;)&lt;/script&gt;"));
}

#[test]
fn the_page_asks_nobody_for_anything() {
    let report = report(&[3, 2], |i| 1.0 + i as f64);
    let html = page(&report, "name", Some("command"));
    for word in [
        "http:", "https:", "href", "url(", "@import", "srcset", "fetch(",
    ] {
        assert!(!html.contains(word), "{word}");
    }
    let sources: Vec<_> = html.split("src=\"").skip(1).collect();
    assert_eq!(sources.len(), 5);
    for source in sources {
        assert!(source.starts_with("data:image/jpeg;base64,/9j/"));
    }
}

/// The numbers of all paths of curves, by the letter before them.
fn coordinates(figure: &str) -> Vec<f64> {
    let paths = figure.split(" d=\"").skip(1);
    let paths = paths.map(|path| path.split('"').next().unwrap_or(""));
    paths
        .flat_map(|path| path.split(|c: char| c.is_ascii_alphabetic() || c == ' '))
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().expect(number))
        .collect()
}

#[test]
fn odd_histories_are_drawn_in_numbers_within_the_frame() {
    type Loss = fn(usize) -> f64;
    let losses: [(&str, Loss); 12] = [
        ("constant", |_| 0.25),
        ("zero", |_| 0.0),
        ("falling", |i| 0.5_f64.powi(i as i32)),
        ("rising", |i| 3.0_f64.powi(i as i32)),
        ("negative", |i| -(i as f64)),
        ("now and then zero", |i| (i % 2) as f64),
        ("no number", |_| f64::NAN),
        ("now and then no number", |i| 1.0 / (i % 3) as f64),
        ("huge", |i| f64::MAX / (i + 1) as f64),
        ("tiny", |i| f64::MIN_POSITIVE / (i + 1) as f64),
        ("smallest", |_| 5e-324),
        ("everything", |i| 10f64.powi(i as i32 * 40 - 300)),
    ];
    let runs: [&[usize]; 6] = [&[1], &[2], &[1, 1, 1], &[7], &[5, 0, 3], &[1500, 1]];
    for (name, loss) in losses {
        for steps in runs {
            let figure = curves::figure(&report(steps, loss));
            assert!(
                !figure.contains("NaN") && !figure.contains("inf"),
                "{name} {steps:?}: {figure}"
            );
            for number in coordinates(&figure) {
                assert!(
                    (0.0..=1000.0).contains(&number),
                    "{name} {steps:?}: {number}"
                );
            }
            for percent in figure.split('%').filter_map(|part| part.rsplit_once(':')) {
                let percent: f64 = percent.1.parse().unwrap_or(0.0);
                assert!(
                    (0.0..=100.0).contains(&percent),
                    "{name} {steps:?}: {percent}"
                );
            }
            assert_balanced(&figure);
        }
    }
}

#[test]
fn reports_whose_parts_do_not_fit_each_other_are_drawn() {
    let mut report = report(&[4], |i| i as f64);
    report.scales.clear();
    report.seconds = 0.0;
    report.terms.push(("tv".into(), f32::INFINITY));
    report.steps[1].terms.clear();
    report.steps[2].scale = usize::MAX;
    assert_balanced(&page(&report, "name", None));
}

#[test]
fn the_legend_tells_weighted_values_and_shares() {
    // 0.5·1 + 2·(1/4) = 1: two halves.
    let figure = curves::figure(&report(&[3], |i| 3.0 - i as f64));
    let row = |name: &str| {
        let row = figure
            .split("<tr>")
            .find(|row| row.contains(&format!("</svg> {name}<")));
        let cells = row.unwrap().split("<td").skip(1);
        let cells = cells.map(|cell| cell.split(['>', '<']).nth(1).unwrap_or(""));
        cells.map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(row("total"), ["", "3.00", "1.00", "100 %"]);
    assert_eq!(row("content:relu3_3"), ["0.5", "1.50", "0.500", "50 %"]);
    assert_eq!(row("style:relu1_1"), ["2", "1.50", "0.500", "50 %"]);
}

#[test]
fn a_long_run_keeps_its_spikes_and_a_short_page() {
    let spiky = |i: usize| if i == 31_415 { 1e3 } else { 1.0 };
    let figure = curves::figure(&report(&[20_000, 30_000], spiky));
    assert!(figure.len() < 120_000, "{}", figure.len());
    // The spike is the highest point, near the top of the frame; x is its place among the steps.
    let spike = format!("L{:.1} ", 1000.0 * 31_415.5 / 50_000.0);
    assert_eq!(figure.matches(&spike).count(), 3);
}

#[test]
fn a_page_of_512_pixels_is_smaller_than_two_megabytes() {
    // Paint all over is about the worst that JPEG meets.
    let painting = examples::open("@swirls").unwrap();
    let result = painting.resized(512, 410, Filter::Bicubic);
    let styles = [Style::new("swirls", painting.clone(), 1.0)];
    let report = report(&[80, 40, 40, 40, 40], |i| 1.0 / (i + 1) as f64);
    let page = Page {
        report: &report,
        content: ("swirls", &painting),
        styles: &styles,
        result: &result,
        command: None,
    };
    let html = page.html().unwrap();
    assert!(html.len() < 2_000_000, "{}", html.len());
}

#[test]
fn large_pictures_are_made_smaller() {
    let styles = [Style::new("s", plain(1000, 10), 1.0)];
    let (content, result) = (plain(4000, 6), plain(3000, 5));
    let page = Page {
        report: &report(&[1], |_| 1.0),
        content: ("c", &content),
        styles: &styles,
        result: &result,
        command: None,
    };
    let html = page.html().unwrap();
    assert!(html.contains("pixels</dt><dd>3000 × 5"));
    assert!(html.contains("1000 × 10 px"));
    for (size, count) in [("width=\"1600\"", 2), ("width=\"640\" height=\"6\"", 1)] {
        assert_eq!(html.matches(size).count(), count, "{size}");
    }
}

#[test]
fn the_page_is_written_whole_or_not_at_all() {
    let folder = impasto_testing::Folder::new();
    let picture = plain(3, 3);
    let report = report(&[1], |_| 1.0);
    let page = Page {
        report: &report,
        content: ("c", &picture),
        styles: &[],
        result: &picture,
        command: None,
    };
    let path = folder.path().join("report.html");
    page.save(&path).unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        page.html().unwrap()
    );
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    let error = page
        .save(&folder.path().join("none/report.html"))
        .unwrap_err();
    assert!(
        error.to_string().contains("create the folder first"),
        "{error}"
    );
}
