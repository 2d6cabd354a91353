//! What a run is asked for: plain values that become a [`Run`] of the library.

use crate::picture::Picked;
use crate::recipe::Recipe;
use crate::{settings, words};
use impasto::RunLimits;
use impasto::device::{Kind, Precision};
use impasto::encoder::Preprocessing;
use impasto::job::{
    DeviceChoice, EncoderChoice, Made, Place, Problem, RegionOrder, RegionStyle, Run, Source,
    hexadecimal,
};
use impasto::named::Named;
use impasto::picture::PictureError;
use impasto::picture::colors::ColorMode;
use impasto::recipe::{Init, Quality, Value, book, field};
use pyo3::prelude::*;
use std::path::PathBuf;

/// How something is painted, and on what; a dictionary with every key.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct RunArgs {
    /// A recipe, or the name or file of one.
    recipe: Option<Base>,
    quality: Option<String>,
    /// The picture whose settings are taken.
    settings_from: Option<Picked>,
    /// Settings by keyword, each as its text.
    changes: Vec<(String, String)>,
    /// The name of what to start from, or a picture.
    init: Option<String>,
    start: Option<Picked>,
    mask: Option<Picked>,
    style_strength: Option<Picked>,
    content_mask: Option<Picked>,
    region_map: Option<Picked>,
    /// Region, style, weight.
    regions: Vec<(Region, Picked, f32)>,
    style_masks: Vec<Picked>,
    palette: Option<Picked>,
    model: Option<PathBuf>,
    network: NetworkArgs,
    memory: Option<Memory>,
    tile: Option<usize>,
}

/// What a recipe is to be changed from.
#[derive(FromPyObject)]
enum Base {
    #[pyo3(transparent)]
    Recipe(Py<Recipe>),
    #[pyo3(transparent)]
    Name(String),
}

/// How much memory may be used.
#[derive(FromPyObject)]
enum Memory {
    #[pyo3(transparent)]
    Bytes(u64),
    /// A number and its unit.
    #[pyo3(transparent)]
    Text(String),
}

/// The network that looks at pictures, and what does the work.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct NetworkArgs {
    encoder: Option<PathBuf>,
    preprocessing: Option<String>,
    models_dir: Option<PathBuf>,
    device: Option<String>,
    threads: Option<usize>,
    precision: Option<String>,
    /// What is wrong with arguments already, these and others.
    problems: Vec<String>,
}

/// Where a region is: a colour of the map, or a mask.
#[derive(FromPyObject)]
enum Region {
    #[pyo3(transparent)]
    Color([u8; 3]),
    #[pyo3(transparent)]
    Mask(Picked),
}

/// The value of a name, if one was given and is one.
fn named<T: Named>(what: &str, text: Option<&str>, problems: &mut Vec<String>) -> Option<T> {
    let found = text.map(T::from_name)?;
    found
        .map_err(|problem| problems.push(format!("{what}: {problem}")))
        .ok()
}

impl NetworkArgs {
    /// The encoder and the device that are chosen; what cannot be is noted.
    pub fn read(self, problems: &mut Vec<String>) -> (EncoderChoice, DeviceChoice) {
        problems.extend(self.problems);
        let preprocessing = self.preprocessing.and_then(|text| {
            let found = Preprocessing::ALL
                .into_iter()
                .find(|(name, _)| *name == text);
            if found.is_none() {
                let names: Vec<_> = Preprocessing::ALL.iter().map(|(name, _)| *name).collect();
                problems.push(format!(
                    "preprocessing: {text:?} is none of {}",
                    names.join(", ")
                ));
            }
            found.map(|(_, preprocessing)| preprocessing)
        });
        let encoder = EncoderChoice {
            name: self.encoder,
            preprocessing,
            models: self.models_dir,
        };
        let kind = named::<Kind>("device", self.device.as_deref(), problems);
        let precision = named::<Precision>("precision", self.precision.as_deref(), problems);
        let device = DeviceChoice {
            kind: kind.unwrap_or_default(),
            threads: self.threads,
            precision,
            cache: None,
        };
        (encoder, device)
    }
}

impl Memory {
    /// The bytes; what cannot be is noted.
    fn read(self, problems: &mut Vec<String>) -> Option<u64> {
        match self {
            Memory::Bytes(bytes) => Some(bytes),
            Memory::Text(text) => impasto_cli::amount(&text)
                .map_err(|why| problems.push(format!("memory is {text:?}: {why}")))
                .ok(),
        }
    }
}

/// A folder of models that was named and is not there.
pub fn missing_folder(encoder: &EncoderChoice) -> Option<Problem> {
    let path = encoder.models.clone().filter(|folder| !folder.is_dir())?;
    Some(Problem::Failed(PictureError::Missing { path }.into()))
}

impl RunArgs {
    /// What is wrong with arguments already.
    pub fn problems(&self) -> Vec<String> {
        self.network.problems.clone()
    }

    /// The recipe before anything is changed about it, and the network of the picture that it is from.
    fn base(&self, problems: &mut Vec<String>) -> (impasto::Recipe, Option<String>) {
        let sources = [
            ("recipe", self.recipe.is_some()),
            ("quality", self.quality.is_some()),
            ("settings_from", self.settings_from.is_some()),
        ];
        let given = sources
            .iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| *name);
        let given: Vec<_> = given.collect();
        if given.len() > 1 {
            problems.push(format!(
                "{} are both given: choose one; steps= is the work that a recipe does",
                given.join(" and ")
            ));
        }
        let quality = named::<Quality>("quality", self.quality.as_deref(), problems);
        let mut recipe = impasto::Recipe::default();
        match (&self.recipe, &self.settings_from) {
            (Some(Base::Recipe(own)), _) => recipe = own.get().recipe.clone(),
            (Some(Base::Name(name)), _) => match impasto::Recipe::named(name) {
                Ok(found) => recipe = found,
                Err(error) => problems.extend(words::of_error(&error)),
            },
            (None, Some(Picked(picture))) => match Made::of(picture) {
                Ok(made) => {
                    let encoder = made.recipe.optimize().is_some().then_some(made.encoder);
                    return (made.recipe, encoder);
                }
                Err(error) => problems.extend(words::of_error(&error)),
            },
            (None, None) if self.is_painted() => quality.unwrap_or_default().apply(&mut recipe),
            (None, None) => quality.unwrap_or_default().apply_unpainted(&mut recipe),
        }
        (recipe, None)
    }

    /// What the recipe that is begun with says of itself; nothing if that is a picture's, or no built-in one.
    pub fn about(&self) -> String {
        let named = |name: &str| book::find(name).map(|file| file.about).unwrap_or_default();
        match &self.recipe {
            Some(Base::Recipe(own)) => own.get().about.clone(),
            Some(Base::Name(name)) => named(name),
            None if self.settings_from.is_some() || !self.is_painted() => String::new(),
            None => match self.quality.as_deref().map(Quality::from_name) {
                None | Some(Ok(Quality::Normal)) => named("impasto"),
                Some(Ok(Quality::Instant)) => named("paint"),
                Some(Ok(quality)) => named(&format!("impasto-{}", quality.name())),
                Some(Err(_)) => String::new(),
            },
        }
    }

    /// Whether it starts from what a network paints.
    fn is_painted(&self) -> bool {
        let init = self.init.as_deref();
        let init = init.and_then(|name| Init::from_name(name).ok());
        self.start.is_none() && init.is_none_or(|init| init.method().is_some())
    }

    /// The recipe with everything that was chosen, the paths of that, and the network of the picture that it is from.
    pub fn recipe(
        &self,
        problems: &mut Vec<String>,
    ) -> (impasto::Recipe, Vec<&'static str>, Option<String>) {
        let (mut recipe, encoder) = self.base(problems);
        let mut given = self.changes.clone();
        given.extend(self.init.clone().map(|name| ("init".into(), name)));
        let (mut changes, wrong) = settings::read(&given);
        problems.extend(wrong);
        // A palette is meant to be used.
        let colors = field("colors.mode").filter(|_| self.palette.is_some());
        if let Some(field) =
            colors.filter(|one| changes.iter().all(|(field, _)| field.path != one.path))
        {
            changes.push((field, Value::Name(ColorMode::Content.name())));
        }
        problems.extend(recipe.change(&changes).iter().map(words::of_setting));
        if self.start.is_some()
            && let Some(settings) = recipe.optimize_mut()
        {
            settings.init = Init::Picture;
        }
        let chosen = changes.iter().map(|(field, _)| field.path).collect();
        (recipe, chosen, encoder)
    }

    /// The run; what cannot be is noted.
    pub fn read(self, problems: &mut Vec<String>) -> Run {
        let (recipe, chosen, made_with) = self.recipe(problems);
        let start = self.start.map(|Picked(source)| source);
        let source = |picked: Option<Picked>| picked.map(|Picked(source)| source);
        let regions = self
            .regions
            .into_iter()
            .map(|(region, Picked(style), weight)| {
                if !(weight.is_finite() && weight > 0.0) {
                    let place = match &region {
                        Region::Color(color) => hexadecimal(*color),
                        Region::Mask(Picked(mask)) => mask.name(),
                    };
                    problems.push(format!(
                        "the weight of region {place} is {weight}: must be a number greater than 0"
                    ));
                }
                RegionStyle {
                    place: match region {
                        Region::Color(color) => Place::Color(color),
                        Region::Mask(Picked(mask)) => Place::Mask(mask),
                    },
                    style,
                    weight,
                }
            });
        let regions = regions.collect();
        let masks = self.style_masks.into_iter().map(|Picked(mask)| mask);
        let (mut encoder, device) = self.network.read(problems);
        encoder.name = encoder.name.or(made_with.map(PathBuf::from));
        let memory = self.memory.and_then(|memory| memory.read(problems));
        Run {
            recipe,
            chosen,
            recipe_file: None,
            start,
            regions: RegionOrder {
                mask: source(self.mask),
                strength: source(self.style_strength),
                content: source(self.content_mask),
                map: source(self.region_map),
                styles: regions,
                style_masks: masks.collect::<Vec<Source>>(),
                guides: vec![],
            },
            palette: source(self.palette),
            model: self.model,
            encoder,
            device,
            limits: RunLimits {
                memory,
                tile: self.tile,
            },
        }
    }
}
