//! What makes a job this one: two jobs of one identity come to the same picture, bit for bit.

use crate::mask::Mask;
use crate::nets::Model;
use crate::picture::{Depth, Picture};
use crate::recipe::Recipe;
use crate::regions::Regions;
use crate::report::settings;
use crate::style::Style;
use impasto_compute::{Device, Input, NetSpec};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::Path;

/// Digits of a fingerprint that are kept.
const DIGITS: usize = 16;

/// Names and values of everything that the result depends on, in the order in which people are told of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity(Vec<(String, String)>);

/// Something in which two jobs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is, such as `content`, `device` or the setting `style.weight`.
    pub field: String,
    /// Its value in the job that was saved, if that has it.
    pub saved: Option<String>,
    /// Its value in the job that was to go on, if this has it.
    pub asked: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
        let (saved, asked) = (value(&self.saved), value(&self.asked));
        write!(f, "{} was {saved} and is {asked}", self.field)
    }
}

/// Everything that the result of a run depends on.
#[derive(Clone, Copy)]
pub(crate) struct RunInputs<'a> {
    pub(crate) content: &'a Picture,
    pub(crate) styles: &'a [Style],
    pub(crate) start: Option<&'a Picture>,
    pub(crate) regions: &'a Regions,
    /// The network that paints what the run starts from.
    pub(crate) painter: Option<&'a Model>,
    pub(crate) encoder: &'a str,
    pub(crate) spec: &'a NetSpec,
    pub(crate) device: &'a dyn Device,
    pub(crate) recipe: &'a Recipe,
    /// What terms beside those of the recipe depend on.
    pub(crate) extra_terms: Option<&'a str>,
}

impl RunInputs<'_> {
    /// Hashes pictures and weights.
    pub(crate) fn identity(&self) -> Identity {
        let mut fields = vec![("content".to_string(), picture(self.content))];
        for (index, style) in self.styles.iter().enumerate() {
            let mut value = format!("{}, weight {}", picture(&style.picture), style.weight);
            if let Some(region) = style.region {
                value = format!("{value}, region {}", region + 1);
            }
            fields.push((format!("style {}", index + 1), value));
        }
        if let Some(start) = self.start {
            fields.push(("start".into(), picture(start)));
        }
        let masks = self.regions.masks().enumerate();
        fields
            .extend(masks.map(|(index, (name, it))| (format!("{name} ({})", index + 1), mask(it))));
        for (index, guide) in self.regions.guides().iter().enumerate() {
            fields.push((format!("guide {}", index + 1), format!("{guide:?}")));
        }
        if let Some(painter) = self.painter {
            let painter = fingerprint(painter.numbers());
            fields.push(("network of the start".into(), painter));
        }
        // A file may lie elsewhere the next time.
        let encoder = Path::new(self.encoder).file_name().unwrap_or_default();
        let encoder = format!("{} {}", encoder.display(), weights(self.spec));
        fields.push(("encoder".into(), encoder));
        for group in settings::groups(self.recipe) {
            for row in group.rows {
                let name = match group.name.as_str() {
                    "" => row.name,
                    group => format!("{group}.{}", row.name),
                };
                fields.push((name, row.value));
            }
        }
        if let Some(extra) = self.extra_terms {
            fields.push(("extra terms".into(), extra.into()));
        }
        let arithmetic = self.device.arithmetic();
        let device = arithmetic.unwrap_or_else(|| self.device.describe());
        fields.push(("device".into(), device));
        let program = format!("impasto {}", env!("CARGO_PKG_VERSION"));
        fields.push(("program".into(), program));
        Identity(fields)
    }
}

impl Identity {
    /// An identity of these names and values.
    #[cfg(test)]
    pub(crate) fn of<'n>(fields: impl IntoIterator<Item = (&'n str, String)>) -> Self {
        let fields = fields.into_iter();
        Self(fields.map(|(name, value)| (name.into(), value)).collect())
    }

    /// By what its files are called.
    pub(super) fn name(&self) -> String {
        let mut hash = Sha256::new();
        for (name, value) in &self.0 {
            for text in [name, value] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
        }
        digits(hash)
    }

    /// Everything in which this job differs from one that was saved.
    pub(super) fn differences(&self, saved: &Self) -> Vec<Difference> {
        let value = |of: &Self, name: &str| {
            let mut found = of.0.iter().filter(|(other, _)| other == name);
            found.next().map(|(_, value)| value.clone())
        };
        let only_saved = saved
            .0
            .iter()
            .filter(|(name, _)| value(self, name).is_none());
        let fields = self.0.iter().chain(only_saved);
        fields
            .map(|(name, _)| Difference {
                field: name.clone(),
                saved: value(saved, name),
                asked: value(self, name),
            })
            .filter(|difference| difference.saved != difference.asked)
            .collect()
    }
}

/// Size and fingerprint of a picture.
fn picture(picture: &Picture) -> String {
    let mut hash = Sha256::new();
    let (width, height) = (picture.width(), picture.height());
    hash.update([u8::from(picture.depth() == Depth::Sixteen)]);
    add(&mut hash, picture.rgb());
    add(&mut hash, picture.alpha().unwrap_or_default());
    format!("{width}×{height} px {}", digits(hash))
}

/// Size and fingerprint of a mask.
fn mask(mask: &Mask) -> String {
    let (width, height) = mask.size();
    format!("{width}×{height} px {}", fingerprint([mask.shares()]))
}

/// The fingerprint of numbers.
pub(crate) fn fingerprint<'n>(numbers: impl IntoIterator<Item = &'n [f32]>) -> String {
    let mut hash = Sha256::new();
    numbers
        .into_iter()
        .for_each(|numbers| add(&mut hash, numbers));
    digits(hash)
}

/// The fingerprint of a network's weights and of what it does to the image first.
fn weights(spec: &NetSpec) -> String {
    let mut hash = Sha256::new();
    if let Input::Image(norm) = spec.input {
        add(&mut hash, &norm.mean);
        add(&mut hash, &norm.scale);
    }
    for param in spec.params() {
        add(&mut hash, param.values);
    }
    digits(hash)
}

fn add(hash: &mut Sha256, values: &[f32]) {
    hash.update((values.len() as u64).to_le_bytes());
    let mut block = Vec::with_capacity(1 << 16);
    for values in values.chunks(1 << 14) {
        block.clear();
        block.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        hash.update(&block);
    }
}

fn digits(hash: Sha256) -> String {
    let bytes = hash.finalize();
    let bytes = bytes.iter().take(DIGITS / 2);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Encoder;
    use impasto_compute::reference::ReferenceDevice;

    fn flat(value: f32, side: usize) -> Picture {
        Picture::new(side, side, vec![value; 3 * side * side]).unwrap()
    }

    #[test]
    fn whatever_changes_the_result_is_told() {
        let encoder = Encoder::lite().unwrap();
        let device = ReferenceDevice::new();
        let recipe = Recipe::default();
        let spec = encoder.spec(&recipe.encoder);
        let content = flat(0.5, 4);
        let styles = [Style::new("a", flat(0.25, 3), 1.0)];
        let job = RunInputs {
            content: &content,
            styles: &styles,
            start: None,
            regions: &Regions::default(),
            painter: None,
            encoder: "lite",
            spec: &spec,
            device: &device,
            recipe: &recipe,
            extra_terms: None,
        };
        let saved = job.identity();
        assert_eq!(job.identity().differences(&saved), []);
        assert_eq!(job.identity().name(), saved.name());
        assert_eq!(saved.name().len(), DIGITS);

        let fields = |job: RunInputs<'_>| {
            let identity = job.identity();
            assert_ne!(identity.name(), saved.name());
            let differences = identity.differences(&saved).into_iter();
            differences.map(|d| d.field).collect::<Vec<_>>()
        };
        let other = flat(0.75, 4);
        let more = [styles[0].clone(), Style::new("b", flat(0.1, 2), 2.0)];
        let mut changed = recipe.clone();
        changed.optimize_mut().unwrap().style.weight = 2.0;
        changed.seed = 9;
        let mut spoiled = spec.clone();
        spoiled.input = Input::Features(3);
        for (job, names) in [
            (
                RunInputs {
                    content: &other,
                    ..job
                },
                vec!["content"],
            ),
            (
                RunInputs {
                    styles: &more,
                    ..job
                },
                vec!["style 2"],
            ),
            (
                RunInputs {
                    styles: &more[1..],
                    ..job
                },
                vec!["style 1"],
            ),
            (
                RunInputs {
                    start: Some(&other),
                    ..job
                },
                vec!["start"],
            ),
            (
                RunInputs {
                    spec: &spoiled,
                    ..job
                },
                vec!["encoder"],
            ),
            (
                RunInputs {
                    recipe: &changed,
                    ..job
                },
                vec!["seed", "style.weight"],
            ),
            (
                RunInputs {
                    extra_terms: Some("frame 7"),
                    ..job
                },
                vec!["extra terms"],
            ),
        ] {
            assert_eq!(fields(job), names);
        }
        let differences = Identity::of([("seed", "1".into())])
            .differences(&Identity::of([("start", "4×4 px".into())]));
        let lines: Vec<_> = differences.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "seed was nothing and is 1",
                "start was 4×4 px and is nothing"
            ]
        );
    }
}
