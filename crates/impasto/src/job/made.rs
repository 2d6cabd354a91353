//! How a picture was made, as its own file says.

use super::Source;
use crate::picture::settings_of;
use crate::{Error, Recipe, Result, Stylizer};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What the file of a result says about how it was made: what [`describe`] wrote.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Made {
    program: String,
    /// The version of the program.
    pub version: String,
    /// The network that looked at pictures, or that painted.
    pub encoder: String,
    /// The styles.
    pub styles: Vec<MadeStyle>,
    /// Every setting.
    pub recipe: Recipe,
    /// What else it says, such as its masks, or what the program that made it has noted.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A style that a picture was made with.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MadeStyle {
    /// The name of its file.
    pub name: String,
    /// Its weight.
    pub weight: f32,
    /// The number of its region, from 1, if it was of one.
    pub region: Option<usize>,
}

impl Made {
    /// Reads the settings out of the bytes of a PNG, JPEG, WebP or TIFF; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::NoSettings`], [`Error::Settings`].
    pub fn read(bytes: &[u8], name: &str) -> Result<Self> {
        let none = || Error::NoSettings { name: name.into() };
        let text = settings_of(bytes).ok_or_else(none)?;
        let wrong = |what: String| Error::Settings {
            name: name.into(),
            what,
        };
        let tree: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if tree["program"] != "impasto" {
            return Err(none());
        }
        serde_json::from_value(tree).map_err(|error| wrong(error.to_string()))
    }

    /// Reads the settings of a picture.
    ///
    /// # Errors
    /// As [`Made::read`]; those of a file that cannot be read.
    pub fn of(source: &Source) -> Result<Self> {
        Self::read(&source.bytes()?, &source.name())
    }
}

/// What the metadata of a result says about how it was made: nothing of the machine, so that the same job gives the
/// same file everywhere.
pub fn describe(stylizer: &Stylizer) -> String {
    let styles = stylizer.styles().iter();
    let styles: Vec<_> = styles
        .map(|style| match style.region {
            None => json!({"name": style.name, "weight": style.weight}),
            Some(region) => {
                json!({"name": style.name, "weight": style.weight, "region": region + 1})
            }
        })
        .collect();
    let mut told = json!({
        "program": "impasto",
        "version": env!("CARGO_PKG_VERSION"),
        "encoder": stylizer.encoder(),
        "styles": styles,
        "recipe": stylizer.recipe(),
    });
    let masks = stylizer.regions().masks();
    let masks: Vec<_> = masks
        .map(|(purpose, mask)| json!({"for": purpose, "name": mask.name()}))
        .collect();
    if !masks.is_empty() {
        told["masks"] = masks.into();
    }
    told.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Format, SaveOptions};
    use crate::{Encoder, Picture, Style, Stylizer, device};

    fn file(settings: &str) -> Vec<u8> {
        let options = SaveOptions {
            settings: Some(settings.into()),
            ..SaveOptions::default()
        };
        let picture = Picture::new(2, 2, vec![0.5; 12]).unwrap();
        picture.encode(Format::Png, &options).unwrap()
    }

    #[test]
    fn what_a_job_describes_comes_back() {
        let mut recipe = Recipe::default();
        recipe.optimize_mut().unwrap().content.weight = 0.25;
        let device = device::open(&device::Choice::default()).unwrap();
        let picture = Picture::new(2, 2, vec![0.5; 12]).unwrap();
        let styles = vec![Style::new("Überfluß.png", picture, 0.5)];
        let encoder = Encoder::lite().unwrap();
        let stylizer = Stylizer::new(device, &encoder, styles, recipe.clone()).unwrap();
        let made = Made::read(&file(&describe(&stylizer)), "a.png").unwrap();
        assert_eq!(made.recipe, recipe);
        let style = MadeStyle {
            name: "Überfluß.png".into(),
            weight: 0.5,
            region: None,
        };
        assert_eq!(made.styles, [style]);
        assert_eq!(made.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(made.encoder, stylizer.encoder());
    }

    #[test]
    fn what_others_wrote_is_told_from_what_is_wrong() {
        for none in [r#"{"program":"other"}"#, "{}"] {
            let error = Made::read(&file(none), "a.png").unwrap_err();
            assert!(matches!(error, Error::NoSettings { .. }), "{error}");
        }
        let deep = "[".repeat(10_000);
        for wrong in [
            r#"{"program":"impasto""#,
            r#"{"program":"impasto","version":"1","encoder":"lite","styles":[],"recipe":{"sed":1}}"#,
            r#"{"program":"impasto","version":"1","encoder":"lite","styles":3,"recipe":{}}"#,
            &format!(r#"{{"program":"impasto","a":{deep}"#),
        ] {
            let error = Made::read(&file(wrong), "a.png").unwrap_err();
            let text = error.to_string();
            assert!(
                text.starts_with("the settings in a.png cannot be read: "),
                "{text}"
            );
        }
    }
}
