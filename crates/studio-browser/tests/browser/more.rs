//! What a longer visit brings: pasting, several paintings, recipes of one's own, many pictures, a sheet, undo.

use crate::page::{Page, assert_accessible, assert_clean, shot};
use impasto_studio_browser::Browser;
use impasto_testing::skip;
use serde_json::json;

/// Chooses something in the form, as somebody does.
fn choose(browser: &Browser, id: &str, value: &str) {
    browser.run(&format!(
        "const field = document.getElementById('{id}'); field.value = '{value}'; field.dispatchEvent(new Event('change'))"
    ));
}

/// Presses the button that has a text, in some place.
fn press(browser: &Browser, place: &str, text: &str) {
    browser.until(
        text,
        &format!("(() => {{ const found = [...document.querySelectorAll('{place} button')].find((one) => one.textContent === '{text}' || one.getAttribute('aria-label')?.startsWith('{text}')); found?.click(); return Boolean(found); }})()"),
    );
}

#[test]
fn a_longer_visit() {
    let page = match Page::open() {
        Ok(page) => page,
        Err(why) => return skip(why),
    };
    let browser = &page.browser;
    choose(browser, "quality", "instant");
    choose(browser, "size", "256");

    // A photo from the clipboard, two paintings from those that are there.
    browser.run("return fetch('/api/pictures/@city').then((answer) => answer.blob()).then((blob) => { const data = new DataTransfer();\
        data.items.add(new File([blob], 'pasted.jpg', {type: blob.type}));\
        document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})); })");
    browser.until(
        "the photo is there",
        "document.querySelector('#content .name')?.textContent === 'pasted.jpg'",
    );
    browser.click("#styles .built-in button:nth-child(1)");
    browser.click("#styles .built-in button:nth-child(2)");
    browser.until(
        "two paintings with weights",
        "document.querySelectorAll('#styles .slot input[type=range]').length === 2",
    );
    browser.run("const weight = document.querySelector('#styles .slot input[type=range]'); weight.value = 2; weight.dispatchEvent(new Event('change'))");
    let done = "document.getElementById('phase').textContent.startsWith('Done')";
    browser.until("it is painted", done);

    recipes(&page);
    many(browser);
    sheet_and_undo(browser);
    touch(browser);
    tools(browser);
    queue_by_hand(browser);
    found_again(&page);
    assert_clean(browser, page.address());
}

/// A recipe of one's own is kept, is there after a reload, and is forgotten.
fn recipes(page: &Page) {
    let browser = &page.browser;
    browser.run("document.getElementById('more-settings').open = true");
    choose(browser, "keep", "20");
    browser.run("const keep = document.getElementById('keep'); keep.value = 40; keep.dispatchEvent(new Event('input'))");
    browser.click("#keep-recipe");
    browser.until(
        "the question",
        "document.querySelector('#dialog[open] #asked')",
    );
    browser.keys("#asked", "dusk");
    browser.click("#asked-go");
    let chosen = "document.getElementById('recipe').value === 'own:dusk'";
    browser.until("it is chosen", chosen);
    browser.open(page.home());
    page.loaded();
    browser.until("it is there again", chosen);
    browser.run("document.getElementById('more-settings').open = true");
    press(browser, "#more-settings", "Forget it");
    browser.until(
        "it is gone",
        "document.querySelectorAll('#own-recipes option').length === 0",
    );
    press(browser, "#toasts", "Undo");
    browser.until(
        "it is back",
        "document.querySelectorAll('#own-recipes option').length === 1",
    );
    choose(browser, "quality", "instant");
}

/// A photo and two paintings, one of them a file, in three ways: six pictures.
fn many(browser: &Browser) {
    browser.click("#open-many");
    browser.until(
        "the dialog",
        "document.querySelector('#dialog[open] #many-go')",
    );
    let check = |name: &str, checked: bool| {
        browser.run(&format!(
            "const label = [...document.querySelectorAll('.ways label')].find((one) => one.textContent.trim() === '{name}'); if (label.firstChild.checked !== {checked}) label.click()"
        ));
    };
    check("instant", true);
    check("draft", true);
    check("dusk", true);
    browser.until(
        "six pictures",
        "document.getElementById('many-told').textContent.endsWith(': 6 pictures')",
    );
    shot(browser, "many");
    assert_accessible(browser, "many");
    browser.click("#many-go");
    browser.until("they are sent", "!document.getElementById('dialog').open");
    browser.until(
        "they are painted",
        "fetch('/api/results').then((answer) => answer.json()).then(({results}) => results.length >= 7)",
    );
}

/// What is listed on one sheet; a picture is deleted, and comes back.
fn sheet_and_undo(browser: &Browser) {
    browser.click("nav [data-view=history]");
    let count = "document.querySelectorAll('#results article').length";
    browser.until("results", &format!("{count} >= 7"));
    browser.click("#sheet");
    browser.until(
        "the sheet",
        "document.querySelector('#dialog[open] .sheet')?.naturalWidth > 500",
    );
    shot(browser, "sheet");
    press(browser, "#dialog", "Close");
    let before = browser.run(&format!("return {count}")).as_i64().unwrap();
    press(browser, "#results", "Delete:");
    browser.until("it is gone", &format!("{count} === {}", before - 1));
    press(browser, "#toasts", "Undo");
    browser.until("it is back", &format!("{count} === {before}"));
}

/// A finger paints a region.
fn touch(browser: &Browser) {
    browser.click("nav [data-view=paint]");
    browser.click("#open-mask");
    browser.until(
        "the board",
        "document.getElementById('board')?.getBoundingClientRect().width > 100",
    );
    let sum = "(() => { const board = document.getElementById('board'); const {data} = board.getContext('2d').getImageData(0, 0, board.width, board.height);\
               let sum = 0; for (let at = 0; at < data.length; at += 4) sum += data[at]; return sum; })()";
    let before = browser.run(&format!("return {sum}"));
    let place = browser.run("const box = document.getElementById('board').getBoundingClientRect(); return [box.left + box.width / 3, box.top + box.height / 3, box.width]");
    let at = |index: usize| place[index].as_f64().unwrap();
    browser.touch(&[(at(0), at(1)), (at(0) + at(2) / 4.0, at(1) + 10.0)]);
    assert_ne!(
        before,
        browser.run(&format!("return {sum}")),
        "a finger paints"
    );
    // To cancel is to have it as it was.
    browser.click("#mask-cancel");
    browser.click("#open-mask");
    browser.until(
        "the board",
        "document.getElementById('board')?.getBoundingClientRect().width > 100",
    );
    assert_eq!(before, browser.run(&format!("return {sum}")));
    browser.click("#mask-cancel");
}

/// Fill, eraser, a larger brush by a key; two fingers zoom and paint nothing.
fn tools(browser: &Browser) {
    browser.click("#open-mask");
    browser.until(
        "the board",
        "document.getElementById('board')?.getBoundingClientRect().width > 100",
    );
    let place = browser.run("const box = document.getElementById('board').getBoundingClientRect(); return [box.left, box.top, box.width, box.height]");
    let side = |at: usize| place[at].as_f64().unwrap();
    let at = |x: f64, y: f64| (side(0) + x * side(2), side(1) + y * side(3));
    // How much of the region there is: what its colour changes about the photo, summed up.
    browser.run("const board = document.getElementById('board'); window.bare = board.getContext('2d').getImageData(0, 0, board.width, board.height).data");
    let painted = || {
        let sum = browser.run("const board = document.getElementById('board'); const {data} = board.getContext('2d').getImageData(0, 0, board.width, board.height);\
            let sum = 0; for (let at = 0; at < data.length; at++) sum += Math.abs(data[at] - window.bare[at]); return sum");
        sum.as_f64().unwrap()
    };
    let key = |key: &str, control: bool| {
        browser.run(&format!("document.getElementById('mask').dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', ctrlKey: {control}, bubbles: true}}))"));
    };
    assert_eq!(painted(), 0.0);
    browser.pen(&[at(0.2, 0.5), at(0.8, 0.5)], 1.0);
    let line = painted();
    assert!(line > 0.0);
    key("z", true);
    assert_eq!(painted(), 0.0, "undone by keys");
    browser.pen(&[at(0.2, 0.5), at(0.8, 0.5)], 0.1);
    let light = painted();
    assert!(
        light < 0.7 * line,
        "a pen that is pressed less paints less: {light} {line}"
    );
    key("z", true);
    (0..4).for_each(|_| key("]", false));
    browser.pen(&[at(0.2, 0.5), at(0.8, 0.5)], 1.0);
    assert!(
        painted() > 1.4 * line,
        "a larger brush: {} {line}",
        painted()
    );
    let broad = painted();
    key("e", false);
    browser.pen(&[at(0.2, 0.5), at(0.5, 0.5)], 1.0);
    assert!(painted() < 0.8 * broad, "erased: {} {broad}", painted());
    press(browser, "#mask", "Fill");
    browser.pen(&[at(0.5, 0.9), at(0.5, 0.9)], 1.0);
    assert!(painted() > 3.0 * broad, "filled: {} {broad}", painted());
    let filled = painted();
    let fingers = |kind: &str, gap: f64| {
        let points = match kind {
            "touchEnd" => json!([]),
            _ => {
                json!([{"x": at(0.5 - gap, 0.5).0, "y": at(0.5, 0.5).1, "id": 1}, {"x": at(0.5 + gap, 0.5).0, "y": at(0.5, 0.5).1, "id": 2}])
            }
        };
        browser.chromium(
            "Input.dispatchTouchEvent",
            json!({"type": kind, "touchPoints": points}),
        );
    };
    fingers("touchStart", 0.1);
    fingers("touchMove", 0.2);
    fingers("touchMove", 0.3);
    fingers("touchEnd", 0.3);
    let width = "document.getElementById('board').getBoundingClientRect().width";
    let zoomed = browser.run(&format!("return {width}")).as_f64().unwrap();
    assert!(zoomed > 1.8 * side(2), "{zoomed} {}", side(2));
    assert_eq!(painted(), filled, "two fingers paint nothing");
    press(browser, "#mask", "Cancel");
}

/// Jobs are put into another order, taken out and let go by the buttons of the queue.
fn queue_by_hand(browser: &Browser) {
    let empty =
        "fetch('/api/queue').then((answer) => answer.json()).then(({jobs}) => jobs.length === 0)";
    browser.until("what waited is painted", empty);
    browser.run("return fetch('/api/queue/pause', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{\"paused\": true}'}).then(() => 0)");
    for quality in ["draft", "instant"] {
        choose(browser, "quality", quality);
        browser.click("#enqueue");
    }
    browser.click("nav [data-view=queue]");
    let first = |how: &str| {
        format!("document.querySelector('#queue li small')?.textContent.startsWith('{how}')")
    };
    browser.until(
        "two wait",
        "document.querySelectorAll('#queue li').length === 2",
    );
    browser.until("the first", &first("draft"));
    press(browser, "#queue", "Later:");
    browser.until("they are exchanged", &first("instant"));
    shot(browser, "queue");
    assert_accessible(browser, "queue");
    press(browser, "#queue", "Remove:");
    browser.until(
        "one waits",
        "document.querySelectorAll('#queue li').length === 1",
    );
    press(browser, "#queue", "Let it go on");
    browser.until(
        "it is painted",
        "document.querySelectorAll('#queue li').length === 0",
    );
    browser.click("nav [data-view=paint]");
}

/// A page that is loaded again finds what is painted; Esc stops it, and it goes on.
fn found_again(page: &Page) {
    let browser = &page.browser;
    let key = |key: &str, control: bool| {
        browser.run(&format!("document.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', ctrlKey: {control}, bubbles: true}}))"));
    };
    choose(browser, "size", "384");
    choose(browser, "quality", "fine");
    key("Enter", true);
    let steps = "document.getElementById('phase').textContent.includes('step') && document.getElementById('picture').src.includes('/api/preview')";
    browser.until("steps", steps);
    browser.open(page.home());
    page.loaded();
    browser.until("the running job", steps);
    let stopped = "document.getElementById('phase').textContent.startsWith('Stopped and kept')";
    key("Escape", false);
    browser.until("it is kept", stopped);
    browser.click("#on");
    browser.until("it goes on", steps);
    key("Escape", false);
    browser.until("it is kept again", stopped);
}
