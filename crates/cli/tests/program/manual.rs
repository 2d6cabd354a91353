//! The manual pages.

use crate::workshop::Workshop;

/// The commands that the help of a command lists.
fn commands(shop: &Workshop, command: &str) -> Vec<String> {
    let help = shop.run(&format!("{command} --help")).done().stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    // Names are indented by two, what does not fit beside them by more.
    let names = listed
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(|name| format!("{command} {name}").trim().to_string())
        .collect()
}

#[test]
fn every_command_has_a_manual_page() {
    let shop = Workshop::new();
    shop.run("man share/man1").done();
    let folder = shop.path("share/man1");
    let mut left = vec![String::new()];
    let mut expected = Vec::new();
    while let Some(command) = left.pop() {
        let name = format!("impasto {command}").trim().replace(' ', "-");
        let page = std::fs::read_to_string(folder.join(format!("{name}.1"))).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let title = format!(".TH {name} 1  \"impasto {version}\"");
        assert!(page.contains(&title), "{page}");
        left.extend(commands(&shop, &command));
        expected.push(format!("{name}.1"));
    }
    assert!(expected.len() > 10, "{expected:?}");
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut written: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    written.sort();
    expected.sort();
    assert_eq!(written, expected);
    let page = std::fs::read_to_string(folder.join("impasto-stylize.1")).unwrap();
    assert!(page.contains("style\\-weight") && page.contains("Weight of the content"));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let shop = Workshop::new();
    let said = shop.run("man photo.png/man1");
    said.refused(1, &["cannot write manual pages to photo.png/man1: "]);
}
