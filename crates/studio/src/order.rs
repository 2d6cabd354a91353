//! What a page orders, as JSON, and the job that it is.
//!
//! Pictures are named by id, recipes by name or sent as text: no path and no address is taken from a page, and names that
//! are not expected are refused. Everything that is wrong is told at once.

use crate::pictures::{Pictures, Reference};
use crate::told::{of_setting, sentences};
use impasto::job::{Order, Outputs, Place, Problem, RegionOrder, RegionStyle, Run, Source};
use impasto::named::Named;
use impasto::recipe::file::RecipeFile;
use impasto::recipe::{Field, Init, MethodName, MethodSettings, StyleSize, Value, book, field};
use impasto::{OutputSize, Quality, Recipe};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most styles and regions of an order.
const MOST: usize = 16;
/// How much a slider at its end changes the weight of the content, as a power of 10.
const KEEP: f32 = 1.25;
/// The long side of what is seen at once: a network paints that in a few tenths of a second.
const FIRST_LOOK: usize = 320;
/// Steps at each smaller size after a knob was turned.
const STEERING: usize = 6;
/// The least and the most long side.
const SIDES: std::ops::RangeInclusive<u32> = 16..=16_384;

/// What a page orders.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Told {
    /// What is painted.
    pub content: String,
    /// In which styles.
    pub styles: Vec<ToldStyle>,
    /// A recipe by name; empty for that of the quality.
    pub recipe: String,
    /// The text of a recipe file, which comes before one by name.
    pub text: String,
    /// How much work goes into it, where no recipe is chosen.
    pub quality: String,
    /// The long side of the result in pixels; 0 for what the recipe says.
    pub size: u32,
    /// From −100 (all style) to 100 (all photo).
    pub keep: f32,
    /// From −100 (fine strokes) to 100 (broad ones).
    pub strokes: f32,
    /// Settings by path, as command lines have them.
    pub settings: BTreeMap<String, String>,
    /// White is painted, black keeps the photo.
    pub mask: Option<String>,
    /// Styles of regions.
    pub regions: Vec<ToldRegion>,
    /// What it starts from: `present` is the picture that is being painted.
    pub start: Option<String>,
    /// Steps from there; 0 for those of the recipe.
    pub steps: u32,
    /// The film, of which the content is a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub film: Option<ToldFilm>,
    /// What the pictures are called; the server's own word.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
}

/// A film, and what is said of it beside what is said of pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldFilm {
    /// The clip.
    pub clip: String,
    /// How much strokes stay what they were, from 0 to 1.
    pub consistency: f32,
}

/// A style and its weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldStyle {
    /// The picture.
    pub picture: String,
    /// How much it counts among the styles.
    pub weight: f32,
}

/// Where a style of its own is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldRegion {
    /// White is the region.
    pub mask: String,
    /// The picture of its style.
    pub picture: String,
    /// How much it counts among the styles of the region.
    pub weight: f32,
}

impl Told {
    /// Every picture that it names.
    pub fn pictures(&self) -> impl Iterator<Item = &str> {
        let styles = self.styles.iter().map(|style| style.picture.as_str());
        let regions = self.regions.iter();
        let regions = regions.flat_map(|one| [one.mask.as_str(), one.picture.as_str()]);
        let others = [Some(&self.content), self.mask.as_ref(), self.start.as_ref()];
        let others = others.into_iter().flatten().map(String::as_str);
        others.chain(styles).chain(regions)
    }

    /// What a picture is called.
    pub(crate) fn name<'a>(&'a self, picture: &'a str) -> &'a str {
        let built_in = picture.strip_prefix('@');
        built_in.unwrap_or_else(|| self.names.get(picture).map_or("picture", |name| name))
    }

    /// What it is called: `lake in swirls + waves`.
    pub fn title(&self) -> String {
        let stem = |picture: &str| {
            let name = self.name(picture);
            name.rsplit_once('.')
                .map_or(name, |(stem, _)| stem)
                .to_string()
        };
        let styles = self.styles.iter().map(|style| &style.picture);
        let styles = styles.chain(self.regions.iter().map(|region| &region.picture));
        let mut styles: Vec<_> = styles.map(|picture| stem(picture)).collect();
        styles.dedup();
        format!("{} in {}", stem(&self.content), styles.join(" + "))
    }

    /// How it is painted, in a few words: `gatys2015, 512 px`.
    pub fn how(&self) -> String {
        let own = RecipeFile::parse(&self.text).ok().map(|file| file.about);
        let recipe = match (own, self.recipe.as_str(), self.quality.as_str()) {
            (Some(own), ..) if !own.is_empty() => own,
            (Some(_), ..) => "settings of its own".into(),
            (None, "", "") => Quality::default().name().into(),
            (None, "", quality) => quality.into(),
            (None, recipe, _) => recipe.into(),
        };
        let size = (self.size != 0).then(|| format!(", {} px", self.size));
        let film = self.film.as_ref().map_or("", |_| ", film");
        recipe + &size.unwrap_or_default() + film
    }

    /// The recipe, with every knob and setting.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn recipe(&self) -> Result<(Recipe, Vec<&'static str>), Vec<String>> {
        let mut problems = Vec::new();
        let mut recipe = self.base(&mut problems);
        for (name, value) in [("keep", self.keep), ("strokes", self.strokes)] {
            if !(-100.0..=100.0).contains(&value) {
                problems.push(format!("{name} is {value}: must be between -100 and 100"));
            }
        }
        if self.size != 0 {
            recipe.size = OutputSize::LongSide(self.size as usize);
            if !SIDES.contains(&self.size) {
                let (least, most) = SIDES.into_inner();
                problems.push(format!(
                    "size is {}: must be between {least} and {most} pixels",
                    self.size
                ));
            }
            if let Some(settings) = recipe.optimize_mut() {
                settings.schedule.scales.clear();
            }
        }
        self.turn_knobs(&mut recipe);
        let chosen = self.change(&mut recipe, &mut problems);
        if self.start.is_some() {
            start_from_picture(&mut recipe, self.steps as usize);
        }
        let wrong = recipe.problems();
        // A size that is none of ours is told of already.
        let size_told = self.size != 0 && !SIDES.contains(&self.size);
        let wrong = wrong
            .iter()
            .filter(|problem| !(size_told && problem.field == "size"));
        problems.extend(wrong.map(of_setting));
        match problems.is_empty() {
            true => Ok((recipe, chosen)),
            false => Err(problems),
        }
    }

    /// The recipe before anything is changed about it. Names of files are no names here.
    fn base(&self, problems: &mut Vec<String>) -> Recipe {
        let mut recipe = Recipe::default();
        if !self.text.is_empty() {
            match RecipeFile::parse(&self.text) {
                Ok(file) => recipe = file.recipe,
                Err(mistakes) => problems.extend(mistakes.iter().map(ToString::to_string)),
            }
        } else if !self.recipe.is_empty() {
            let found = book::all().iter().find(|one| one.name == self.recipe);
            match found.map(book::BuiltIn::read) {
                Some(Ok(file)) => recipe = file.recipe,
                _ => problems.push(format!("there is no recipe {:?}", self.recipe)),
            }
        } else {
            match Quality::from_name(&self.quality) {
                Ok(quality) => quality.apply(&mut recipe),
                Err(_) if self.quality.is_empty() => Quality::default().apply(&mut recipe),
                Err(_) => problems.push(format!(
                    "quality is {:?}: must be instant, draft, normal, fine or best",
                    self.quality
                )),
            }
        }
        recipe
    }

    /// The knobs in words: photo or style, strokes.
    fn turn_knobs(&self, recipe: &mut Recipe) {
        let factor = 2f32.powf(self.strokes / 100.0);
        if self.strokes != 0.0 {
            recipe.style.size = match recipe.style.size {
                StyleSize::Scale(scale) => StyleSize::Scale((scale * factor).clamp(0.05, 20.0)),
                StyleSize::LongSide(side) => {
                    StyleSize::LongSide(((side as f32 * factor) as usize).clamp(16, 32_768))
                }
                StyleSize::Content => StyleSize::Scale(factor),
            };
        }
        match recipe.optimize_mut() {
            Some(settings) => settings.content.weight *= 10f32.powf(KEEP * self.keep / 100.0),
            None => {
                // A network paints in full unless the photo is to be kept.
                let alpha = 1.0 - (self.keep.max(0.0) / 100.0).min(0.9);
                if let Some(field) = field("network.alpha") {
                    let _ = field.set(recipe, &Value::Single(alpha));
                }
            }
        }
    }

    /// Changes settings; the paths of those that were.
    fn change(&self, recipe: &mut Recipe, problems: &mut Vec<String>) -> Vec<&'static str> {
        let mut changes: Vec<(&'static Field, Value)> = Vec::new();
        for (path, text) in &self.settings {
            let Some(field) = field(path) else {
                problems.push(format!("there is no setting {path:?}"));
                continue;
            };
            match field.parse(text) {
                Ok(value) => changes.push((field, value)),
                Err(allowed) => problems.push(format!("{path} is {text:?}: {allowed}")),
            }
        }
        problems.extend(recipe.change(&changes).iter().map(of_setting));
        changes.iter().map(|(field, _)| field.path).collect()
    }

    /// The job, whose result is the caller's.
    ///
    /// # Errors
    /// Everything that is wrong with it, in sentences.
    pub fn order(&self, pictures: &Pictures, run: &Run) -> Result<Order, Vec<String>> {
        let mut problems = Vec::new();
        if self.styles.len() > MOST || self.regions.len() > MOST {
            problems.push(format!(
                "there may be {MOST} styles and {MOST} regions at most"
            ));
        }
        if let Some(ToldFilm { consistency, .. }) = self.film
            && !(0.0..=1.0).contains(&consistency)
        {
            problems.push(format!(
                "consistency is {consistency}: must be between 0 and 1"
            ));
        }
        let (recipe, chosen) = self.recipe().unwrap_or_else(|more| {
            problems.extend(more);
            Default::default()
        });
        let weights = self.styles.iter().map(|style| style.weight);
        let weights = weights.chain(self.regions.iter().map(|region| region.weight));
        for weight in weights.filter(|weight| !(weight.is_finite() && *weight > 0.0)) {
            problems.push(format!("a weight is {weight}: must be more than 0"));
        }
        if self.styles.is_empty() && self.regions.is_empty() && recipe.method.needs_styles() {
            problems.push("a painting to learn from is missing".into());
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut find = |picture: &str| self.find(picture, pictures, &mut problems);
        let content = find(&self.content);
        let styles: Vec<_> = self
            .styles
            .iter()
            .map(|style| (find(&style.picture), style.weight))
            .collect();
        let mask = self.mask.as_deref().map(&mut find);
        let start = self.start.as_deref().map(&mut find);
        let regions: Vec<_> = self
            .regions
            .iter()
            .map(|region| (find(&region.mask), find(&region.picture), region.weight))
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let regions = regions.into_iter().filter_map(|(mask, style, weight)| {
            Some(RegionStyle {
                place: Place::Mask(mask?),
                style: style?,
                weight,
            })
        });
        let run = Run {
            recipe,
            chosen,
            start: start.flatten(),
            regions: RegionOrder {
                mask: mask.flatten(),
                styles: regions.collect(),
                ..RegionOrder::default()
            },
            ..run.clone()
        };
        Ok(Order {
            contents: content.into_iter().collect(),
            styles: styles
                .into_iter()
                .filter_map(|(source, weight)| Some((source?, weight)))
                .collect(),
            run,
            outputs: Outputs::Caller,
            page: None,
            recipe: None,
            strict: true,
            record: None,
        })
    }

    fn find(
        &self,
        picture: &str,
        pictures: &Pictures,
        problems: &mut Vec<String>,
    ) -> Option<Source> {
        if picture.is_empty() {
            problems.push("a photo to paint is missing".into());
            return None;
        }
        let found = Reference::read(picture);
        let found = found.and_then(|found| pictures.source(&found, self.name(picture)));
        if found.is_none() {
            let shown: String = picture.chars().take(40).collect();
            problems.push(format!("there is no picture {shown:?} in the studio"));
        }
        found
    }

    /// The job that is painted at once, small and by a network, while the real one is prepared; none if masks say where what
    /// is painted, or if it starts from a picture that is there already.
    pub fn at_once(&self, recipe: &Recipe) -> Option<Recipe> {
        let plain = self.regions.is_empty() && self.mask.is_none() && self.start.is_none();
        if !plain || recipe.painter() != Some(MethodName::Paint) && recipe.optimize().is_none() {
            return None;
        }
        let side = match recipe.size {
            OutputSize::LongSide(side) => side.min(FIRST_LOOK),
            OutputSize::Original => FIRST_LOOK,
        };
        let mut small = Recipe {
            size: OutputSize::LongSide(side),
            method: MethodSettings::of(MethodName::Paint),
            ..recipe.clone()
        };
        let told = Self {
            keep: self.keep,
            ..Self::default()
        };
        told.turn_knobs(&mut small);
        small.problems().is_empty().then_some(small)
    }
}

/// Starts from a picture. If steps are named, they are taken at the size of the result alone: what is coarse about it is
/// there. Otherwise somebody has turned a knob, and sees what that does at a small size first.
fn start_from_picture(recipe: &mut Recipe, steps: usize) {
    let side = match recipe.size {
        OutputSize::LongSide(side) if steps == 0 => side,
        _ => 0,
    };
    if let Some(settings) = recipe.optimize_mut() {
        settings.init = Init::Picture;
        let schedule = &mut settings.schedule;
        let last = schedule.steps.last().copied().unwrap_or(16);
        let halved = |&side: &usize| (side > FIRST_LOOK).then_some(side / 2);
        let mut scales: Vec<_> = std::iter::successors(Some(side), halved).collect();
        scales.reverse();
        schedule.steps = vec![STEERING; scales.len() - 1];
        schedule.steps.push(if steps == 0 { last } else { steps });
        schedule.finest = 1;
        schedule.scales = if scales.len() == 1 { vec![] } else { scales };
    }
}

/// Problems that only show when a job is looked at.
pub fn looked_at(problems: &[Problem]) -> Vec<String> {
    sentences(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<Told, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_no_page_says_is_refused() {
        for wrong in [
            r#"{"encoder": "/etc/passwd"}"#,
            r#"{"model": "a.pth"}"#,
            r#"{"keep": 1e400}"#,
            r#"{"keep": NaN}"#,
            r#"{"size": -1}"#,
            r#"{"steps": -1}"#,
            r#"{"styles": [{"picture": "@swirls", "weight": 1, "file": "a"}]}"#,
            &"[".repeat(10_000),
        ] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_mistake_is_told() {
        let told = told(
            r#"{"recipe": "../../a.toml", "keep": 200, "size": 32768,
                "settings": {"sed": "1", "seed": "-1", "variation.weight": "much"}}"#,
        );
        let problems = told.unwrap().recipe().unwrap_err();
        assert_eq!(
            problems,
            [
                "there is no recipe \"../../a.toml\"",
                "keep is 200: must be between -100 and 100",
                "size is 32768: must be between 16 and 16384 pixels",
                "there is no setting \"sed\"",
                "seed is \"-1\": must be a whole number",
                "variation.weight is \"much\": must be a number",
            ]
        );
    }

    #[test]
    fn knobs_change_what_they_say() {
        let recipe = |text: &str| told(text).unwrap().recipe().unwrap().0;
        let weight = |text: &str| recipe(text).optimize().unwrap().content.weight;
        let middle = weight("{}");
        assert!(weight(r#"{"keep": 100}"#) > 10.0 * middle);
        assert!(weight(r#"{"keep": -100}"#) < 0.1 * middle);
        assert_eq!(
            recipe(r#"{"strokes": 100}"#).style.size,
            StyleSize::Scale(2.0)
        );
        assert_eq!(recipe(r#"{"size": 300}"#).size, OutputSize::LongSide(300));
        let mut draft = Recipe::default();
        Quality::Draft.apply(&mut draft);
        assert_eq!(recipe(r#"{"quality": "draft"}"#), draft);
        let instant = recipe(r#"{"quality": "instant", "keep": 50}"#);
        assert_eq!(instant.method.alpha(), Some(0.5));
    }

    #[test]
    fn steering_starts_from_the_picture() {
        let start = told(r#"{"start": "present", "steps": 5}"#).unwrap();
        let (recipe, _) = start.recipe().unwrap();
        let settings = recipe.optimize().unwrap();
        assert_eq!(settings.init, Init::Picture);
        assert_eq!(settings.schedule.plan(512), [(512, 5)]);
        assert!(start.at_once(&recipe).is_none());
        // A knob is seen at a small size first.
        for (size, plan) in [
            (200, vec![(200, 16)]),
            (384, vec![(192, 6), (384, 16)]),
            (512, vec![(256, 6), (512, 16)]),
            (1024, vec![(256, 6), (512, 6), (1024, 16)]),
        ] {
            let start = told(&format!(r#"{{"start": "present", "size": {size}}}"#)).unwrap();
            let (recipe, _) = start.recipe().unwrap();
            assert_eq!(recipe.optimize().unwrap().schedule.plan(size), plan);
        }
        let fresh = told("{}").unwrap();
        let small = fresh.at_once(&fresh.recipe().unwrap().0).unwrap();
        assert_eq!(small.method.name(), MethodName::Paint);
    }
}
