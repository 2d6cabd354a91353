//! Recipes of one's own: files in the studio's folder, that the program reads as well as any.

use crate::folder::Folder;
use crate::told::Refused;
use impasto::Recipe;
use impasto::picture::write_whole;
use impasto::recipe::book;
use impasto::recipe::file::RecipeFile;
use serde::Serialize;
use std::fs;
use std::path::PathBuf;

/// The most letters of a name.
const LONGEST: usize = 40;
/// The most bytes of a recipe.
const LARGEST: usize = 64 << 10;
/// The most recipes that are kept.
const MOST: usize = 500;
/// Names that Windows keeps for devices, which no file may have.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

/// A recipe that was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// What it is called.
    pub name: String,
    /// The file.
    pub text: String,
}

/// Whether a name can be that of a file, on every system.
fn is_name(name: &str) -> bool {
    let plain = |letter: char| {
        letter.is_alphabetic() || letter.is_ascii_digit() || matches!(letter, ' ' | '-' | '_')
    };
    let lower = name.to_lowercase();
    let device = |device: &str| {
        let rest = lower.strip_prefix(device);
        rest.is_some_and(|rest| rest.chars().all(|letter| letter.is_ascii_digit()))
    };
    !name.is_empty()
        && name.chars().count() <= LONGEST
        && name.chars().all(plain)
        && name.trim() == name
        && !DEVICES.iter().any(|word| device(word))
}

fn path(folder: &Folder, name: &str) -> PathBuf {
    folder.join("recipes").join(format!("{name}.toml"))
}

/// Every recipe that was kept, by name; what is no recipe is left out.
pub fn all(folder: &Folder) -> Vec<Kept> {
    let entries = fs::read_dir(folder.join("recipes")).into_iter().flatten();
    let kept = entries.flatten().filter_map(|entry| {
        let path = entry.path();
        let name = path.file_stem()?.to_str()?.to_string();
        let is_ours = path.extension()? == "toml" && is_name(&name);
        let text = is_ours.then(|| fs::read_to_string(&path).ok()).flatten()?;
        RecipeFile::parse(&text).ok()?;
        Some(Kept { name, text })
    });
    let mut kept: Vec<_> = kept.collect();
    kept.sort_by(|one, other| one.name.cmp(&other.name));
    kept.truncate(MOST);
    kept
}

/// Keeps a recipe, in the place of the one that had its name.
///
/// # Errors
/// If it cannot have this name, or cannot be written.
pub fn keep(folder: &Folder, name: &str, recipe: Recipe) -> Result<(), Refused> {
    if !is_name(name) {
        let problem = format!(
            "a recipe's name has up to {LONGEST} letters, digits, spaces and dashes, and is no word of the system"
        );
        return Err(Refused::new(422, problem));
    }
    if book::all().iter().any(|one| one.name == name) {
        let problem = format!("{name} is a recipe of the program: choose another name");
        return Err(Refused::new(422, problem));
    }
    let path = path(folder, name);
    if !path.exists() && all(folder).len() >= MOST {
        return Err(Refused::new(
            507,
            format!("{MOST} recipes are kept already: delete some first"),
        ));
    }
    let about = name.to_string();
    let text = RecipeFile { about, recipe }.to_toml();
    if text.len() > LARGEST {
        return Err(Refused::new(413, "that is too much for a recipe"));
    }
    let written = write_whole(&path, text.as_bytes());
    written.map_err(|source| crate::Error::File { path, source }.into())
}

/// Removes one; whether it was there.
///
/// # Errors
/// None now; the type is that of what is asked for over the net.
pub fn remove(folder: &Folder, name: &str) -> Result<bool, Refused> {
    Ok(is_name(name) && fs::remove_file(path(folder, name)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn a_name_is_a_file_on_every_system_and_nothing_else() {
        for name in ["dusk", "Grün 2", "my-own_one", "consul", "computer"] {
            assert!(is_name(name), "{name}");
        }
        let long = "a".repeat(41);
        for name in [
            "", " ", "../x", "a/b", "a\\b", ".x", "a.b", "CON", "com1", "nul", "a ", "a\0", &long,
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
