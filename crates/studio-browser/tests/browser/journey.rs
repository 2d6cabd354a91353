//! The studio as somebody uses it, in Chromium: what is dropped is seen, steered, kept, compared, masked and exported.

use crate::page::{Page, assert_accessible, assert_clean, drop_file, files, shot};
use impasto_studio_browser::Browser;
use impasto_testing::skip;

#[test]
fn an_artist_paints_a_picture() {
    let page = match Page::open() {
        Ok(page) => page,
        Err(why) => return skip(why),
    };
    let (browser, address) = (&page.browser, page.address());
    assert_eq!(
        browser.run("return location.search"),
        "",
        "the token does not stay in the address"
    );
    shot(browser, "welcome");
    assert_accessible(browser, "welcome");

    // A photo by dropping it, a painting by choosing it.
    let [_, painting] = files(page.profile.path());
    drop_file(browser, "/api/pictures/@lake", "photo.jpg");
    browser.until(
        "the photo is there",
        "document.querySelector('#content .name')?.textContent === 'photo.jpg'",
    );
    browser.run("document.getElementById('size').value = '384'; document.getElementById('size').dispatchEvent(new Event('change'))");
    browser.keys("#file-style", &painting);
    browser.until(
        "a first look",
        "document.getElementById('picture').src.includes('/api/preview')",
    );
    browser.until(
        "steps",
        "document.getElementById('phase').textContent.includes('step')",
    );
    browser.until(
        "a curve",
        "!document.getElementById('losses').hasAttribute('hidden')",
    );
    shot(browser, "painting");

    // A slider steers, Esc stops and keeps.
    browser.run("document.getElementById('quality').value = 'fine'; document.getElementById('quality').dispatchEvent(new Event('change'))");
    browser.until(
        "it begins anew",
        "document.getElementById('phase').textContent.includes('of 4, step')",
    );
    browser.run("const keep = document.getElementById('keep'); keep.value = -40; keep.dispatchEvent(new Event('input'))");
    browser.until("it is steered", "document.getElementById('keep-out').textContent === 'more style' && document.getElementById('phase').textContent.includes('size 1 of 2')");
    browser.run(
        "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}))",
    );
    browser.until(
        "it is kept",
        "document.getElementById('phase').textContent.startsWith('Stopped and kept')",
    );
    browser.click("#star");
    browser.until(
        "it is starred",
        "document.getElementById('star').getAttribute('aria-pressed') === 'true'",
    );
    browser.until("the result is shown", "document.getElementById('picture').complete && document.getElementById('picture').naturalWidth > 0");
    shot(browser, "paint");
    assert_accessible(browser, "paint");

    // The page is a view: what was ordered is there when it is loaded again.
    browser.open(page.home());
    browser.until(
        "the order is there",
        "document.querySelectorAll('#styles .slot').length === 1",
    );
    browser.click("nav [data-view=history]");
    browser.until(
        "a result",
        "document.querySelectorAll('#results article').length >= 1",
    );
    browser.until(
        "its star",
        "document.querySelector('#results [aria-pressed=true]') !== null",
    );
    browser.until(
        "its picture",
        "[...document.querySelectorAll('#results img')].every((image) => image.complete)",
    );
    shot(browser, "history");
    assert_accessible(browser, "history");

    // Against the photo, behind a slider and side by side.
    browser.run("[...document.querySelectorAll('#results button')].find((one) => one.textContent === 'Compare').click()");
    browser.until("two pictures", "document.querySelectorAll('#stage img').length === 2 && document.getElementById('divider')");
    browser.run("for (let n = 0; n < 3; n++) document.getElementById('divider').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}))");
    assert_eq!(
        browser.run("return document.getElementById('divider').getAttribute('aria-valuenow')"),
        "56"
    );
    shot(browser, "compare");
    browser.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'f', bubbles: true}))");
    browser.until(
        "in turn",
        "document.querySelector('[data-how=flip]').getAttribute('aria-pressed') === 'true'",
    );
    assert_accessible(browser, "compare");
    masks_and_exports(browser);
    assert_clean(browser, address);
    small_screens(browser);
}

/// A region is painted with a pen, undone and painted again; the result is exported, and knows its settings.
fn masks_and_exports(browser: &Browser) {
    browser.click("nav [data-view=paint]");
    browser.click("#open-mask");
    browser.until(
        "the board",
        "document.getElementById('board')?.getBoundingClientRect().width > 100",
    );
    let place = browser.run("const box = document.getElementById('board').getBoundingClientRect(); return [box.left, box.top, box.width, box.height]");
    let side = |at: usize| place[at].as_f64().unwrap();
    let at = |x: f64, y: f64| (side(0) + x * side(2), side(1) + y * side(3));
    let count = "(() => { const board = document.getElementById('board'); const {data} = board.getContext('2d').getImageData(0, 0, board.width, board.height);\
                 let sum = 0; for (let at = 0; at < data.length; at += 4) sum += data[at]; return sum; })()";
    let before = browser.run(&format!("return {count}"));
    browser.pen(&[at(0.3, 0.3), at(0.5, 0.35), at(0.7, 0.3)], 0.9);
    let painted = browser.run(&format!("return {count}"));
    assert_ne!(before, painted, "a stroke is seen");
    browser.click("#mask-undo");
    assert_eq!(
        before,
        browser.run(&format!("return {count}")),
        "and undone, to the last bit"
    );
    for row in 0..6 {
        let y = 0.1 + 0.07 * f64::from(row);
        browser.pen(&[at(0.05, y), at(0.5, y), at(0.95, y)], 1.0);
    }
    shot(browser, "mask");
    assert_accessible(browser, "mask");
    browser.click("#mask-done");
    browser.until(
        "the region is ordered",
        "!document.getElementById('mask-told').hidden",
    );
    browser.run("document.getElementById('quality').value = 'draft'; document.getElementById('quality').dispatchEvent(new Event('change'))");
    browser.until(
        "it is painted",
        "document.getElementById('phase').textContent.startsWith('Done')",
    );
    browser.click("#export");
    browser.until(
        "the dialog",
        "document.querySelector('#dialog[open] #export-go')",
    );
    browser.run("document.getElementById('dialog').close()");
    let url = browser.run("return document.getElementById('picture').src");
    let export = url
        .as_str()
        .unwrap()
        .replace("/picture", "/export?format=webp&settings=1");
    browser.run("document.getElementById('keep').value = 0; document.getElementById('keep').dispatchEvent(new Event('input'))");
    drop_file(browser, &export, "export.webp");
    browser.until(
        "the question",
        "document.querySelector('#dialog[open] #use-settings')",
    );
    browser.click("#use-settings");
    browser.until(
        "the names are there",
        "document.querySelector('#content .name')?.textContent === 'photo.jpg'",
    );
    browser.until(
        "the settings are there",
        "document.getElementById('keep').value === '-40'",
    );
}

/// A telephone and a dark room.
fn small_screens(browser: &Browser) {
    for (width, height, dark, name) in [
        (390, 844, false, "telephone"),
        (390, 844, true, "telephone-dark"),
        (1440, 900, true, "dark"),
    ] {
        browser.screen(width, height, dark);
        browser.until(
            "it is painted",
            "document.getElementById('phase').textContent.startsWith('Done')",
        );
        for view in ["compare", "queue", "history", "paint"] {
            browser.run(&format!(
                "document.querySelector('nav [data-view={view}]').click()"
            ));
            if view == "compare" {
                browser.until(
                    "two pictures",
                    "document.querySelectorAll('#stage img').length === 2",
                );
            }
            let wide = browser.run("return document.documentElement.scrollWidth");
            assert!(
                wide.as_i64().unwrap() <= i64::from(width),
                "{name}, {view}: {wide} px wide"
            );
        }
        let ground = browser.run("return getComputedStyle(document.body).backgroundColor");
        assert_eq!(ground == "rgb(22, 24, 29)", dark, "{name}: {ground}");
        shot(browser, name);
        assert_accessible(browser, name);
    }
}
