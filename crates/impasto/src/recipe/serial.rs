//! Recipes as trees of names and values, for JSON and whatever else serde knows, by the table of settings.
//!
//! A recipe has one level of tables: `{"seed": 0, "content": {"weight": 0.08, …}, …}`. What a tree leaves out is as in
//! [`Recipe::default`].

use super::field::{Field, METHOD, field, fields};
use super::value::Value;
use super::{MethodName, Recipe};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value as Json};

/// Settings with their values, which are written as a table.
struct Table<'a>(&'a [(&'static Field, Value)]);

impl Serialize for Table<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(field, value)| (field.name(), value)))
    }
}

/// The settings that a recipe has, in the order of the table of settings.
pub(super) fn settings(recipe: &Recipe) -> Vec<(&'static Field, Value)> {
    let values = fields().iter().map(|field| (field, field.get(recipe)));
    values
        .filter_map(|(field, value)| Some((field, value?)))
        .collect()
}

impl Serialize for Recipe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut settings = settings(self);
        // The first method is what a tree without one is of: those that are written by it are as they always were.
        settings.retain(|(field, _)| {
            field.path != METHOD || self.method.name() != MethodName::default()
        });
        let mut tree = serializer.serialize_map(None)?;
        for group in settings.chunk_by(|(one, _), (other, _)| {
            !one.table().is_empty() && one.table() == other.table()
        }) {
            match group {
                [(field, value)] if field.table().is_empty() => {
                    tree.serialize_entry(field.name(), value)?;
                }
                [(first, _), ..] => tree.serialize_entry(first.table(), &Table(group))?,
                [] => {}
            }
        }
        tree.end()
    }
}

impl<'de> Deserialize<'de> for Recipe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut leaves = Vec::new();
        for (name, value) in Map::deserialize(deserializer)? {
            match value {
                Json::Object(table) if field(&name).is_none() => {
                    let entries = table.into_iter();
                    leaves.extend(entries.map(|(entry, value)| (format!("{name}.{entry}"), value)));
                }
                value => leaves.push((name, value)),
            }
        }
        let place = |path: &String| {
            fields()
                .iter()
                .position(|field| field.path == path.as_str())
        };
        // Choices stand before their settings in the table.
        leaves.sort_by_key(|(path, _)| place(path));
        let mut recipe = Recipe::default();
        for (path, json) in &leaves {
            let wrong = |problem: String| D::Error::custom(format!("{path}: {problem}"));
            let field = field(path).ok_or_else(|| wrong("there is no such setting".into()))?;
            let value = field.kind.read(json).map_err(wrong)?;
            field.set(&mut recipe, &value).map_err(wrong)?;
        }
        Ok(recipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{OptimizerSettings, StyleSize};

    #[test]
    fn a_recipe_comes_back_from_json() {
        let mut recipe = Recipe::default();
        recipe.style.size = StyleSize::Scale(0.3);
        recipe.optimize_mut().unwrap().optimizer = OptimizerSettings::of_name("lbfgs").unwrap();
        let text = serde_json::to_string(&recipe).unwrap();
        assert!(text.contains(r#""size":{"scale":0.3}"#), "{text}");
        assert!(text.contains(r#""optimizer":{"method":"lbfgs","#), "{text}");
        assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
        for wrong in [
            r#"{"sed": 1}"#,
            r#"{"seed": -1}"#,
            r#"{"content": 1}"#,
            r#"{"content": {"wait": 1}}"#,
            r#"{"optimizer": {"history": 1}}"#,
        ] {
            assert!(serde_json::from_str::<Recipe>(wrong).is_err(), "{wrong}");
        }
    }
}
