//! The page in a browser, in a studio of its own.

use impasto_studio::{Options, Program, Started, Studio};
use impasto_studio_browser::Browser;
use impasto_testing::{Folder, skip};
use serde_json::json;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One browser at a time: two of them on two cores are slower than one after the other.
static TURN: Mutex<()> = Mutex::new(());

/// A studio, and a browser that shows its page.
pub struct Page {
    pub browser: Browser,
    pub profile: Folder,
    studio: Option<Studio>,
    address: String,
    _folder: Folder,
    _turn: MutexGuard<'static, ()>,
}

impl Page {
    /// Opens both. Why there is no browser, if there is none.
    pub fn open() -> Result<Self, String> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (folder, profile) = (Folder::new(), Folder::new());
        let browser = Browser::start(profile.path())?;
        let options = Options {
            folder: folder.path().into(),
            program: program(),
            ..Options::default()
        };
        let Started::Open(studio) = Studio::start(&options).unwrap() else {
            panic!("the folder is open elsewhere");
        };
        let page = Self {
            address: studio.address().to_string(),
            studio: Some(studio),
            browser,
            profile,
            _folder: folder,
            _turn: turn,
        };
        page.browser.screen(1440, 900, false);
        page.browser.open(&page.address);
        page.loaded();
        Ok(page)
    }

    /// Waits until the page works.
    pub fn loaded(&self) {
        self.browser.until(
            "the page is there",
            "document.querySelectorAll('#tries button').length === 3",
        );
    }

    /// The address with its token.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address without.
    pub fn home(&self) -> &str {
        self.address.split('?').next().unwrap_or_default()
    }
}

/// The program that paints films, if it was built beside these tests.
pub fn program() -> Option<Program> {
    let tests = std::env::current_exe().ok()?;
    let path = tests.parent()?.parent()?.join("impasto");
    path.exists().then(|| Program {
        words: vec![path.into()],
        options: Vec::new(),
    })
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(studio) = self.studio.take() {
            studio.close();
        }
    }
}

/// Leaves a screenshot where that is wanted.
pub fn shot(browser: &Browser, name: &str) {
    let png = browser.screenshot();
    assert!(png.len() > 5_000, "{name}: {} bytes", png.len());
    if let Some(folder) = std::env::var_os("IMPASTO_SCREENSHOTS") {
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), png).unwrap();
    }
}

/// That the page has complained of nothing, and has asked nobody but its program.
pub fn assert_clean(browser: &Browser, address: &str) {
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let home = address.split("/?").next().unwrap();
    let elsewhere = |url: &String| {
        let own = url.starts_with(&format!("{home}/"))
            || url.starts_with("blob:")
            || url.starts_with("data:");
        // The new tab of the browser itself.
        !own && !url.starts_with("chrome") && !url.starts_with("about:")
    };
    let requests = browser.requests();
    assert!(!requests.is_empty());
    let elsewhere: Vec<_> = requests.into_iter().filter(elsewhere).collect();
    assert_eq!(elsewhere, Vec::<String>::new());
}

/// Whether axe-core finds anything serious, if it is there.
pub fn assert_accessible(browser: &Browser, what: &str) {
    let Some(path) = std::env::var_os("IMPASTO_AXE") else {
        return skip("IMPASTO_AXE names no axe.min.js");
    };
    browser.run(&std::fs::read_to_string(path).unwrap());
    let found = browser.run(
        "return axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}).then(({violations}) => violations\
         .filter(({impact}) => impact === 'serious' || impact === 'critical')\
         .map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html.slice(0, 120)).join(' | ')}`))",
    );
    assert_eq!(found, json!([]), "{what}");
}

/// A photo and a painting as files.
pub fn files(folder: &Path) -> [String; 2] {
    [("lake", "photo.jpg"), ("swirls", "painting.jpg")].map(|(name, file)| {
        let path = folder.join(file);
        std::fs::write(&path, impasto::examples::find(name).unwrap().bytes).unwrap();
        path.display().to_string()
    })
}

/// Puts a file of the program's own into the page as somebody who drops it does.
const DROP: &str = "const [url, name] = ARGS; return fetch(url).then((answer) => answer.blob()).then((blob) => {\
    const data = new DataTransfer(); data.items.add(new File([blob], name, {type: blob.type}));\
    document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true})); })";

pub fn drop_file(browser: &Browser, url: &str, name: &str) {
    browser.run(&DROP.replace("ARGS", &json!([url, name]).to_string()));
}
