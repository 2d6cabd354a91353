//! Where a picture is painted, and in which styles, as pictures by name.

use super::{Problem, Source, open};
use crate::{Guide, Mask, Picture, Style};
use std::cmp::Reverse;
use std::collections::HashMap;

/// Colours of a map that are told, if one is not in it.
const COLORS_TOLD: usize = 6;

/// Where a picture is painted, and in which styles beside those of the order.
#[derive(Clone, Debug, Default)]
pub struct RegionOrder {
    /// White is painted, black keeps the content.
    pub mask: Option<Source>,
    /// White is drawn towards the style in full, black not at all.
    pub strength: Option<Source>,
    /// White holds on to the photo in full, black not at all.
    pub content: Option<Source>,
    /// A picture with one colour for each region.
    pub map: Option<Source>,
    /// The styles of regions.
    pub styles: Vec<RegionStyle>,
    /// What of the order's styles is looked at, in their order.
    pub style_masks: Vec<Source>,
    /// Points of the content that take after points of the first style.
    pub guides: Vec<Guide>,
}

/// A style of a region.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionStyle {
    /// The region.
    pub place: Place,
    /// The painting.
    pub style: Source,
    /// Its weight, greater than 0.
    pub weight: f32,
}

/// Where a region is.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// Where this picture is white.
    Mask(Source),
    /// Where the map of regions has this colour: red, green and blue, sRGB.
    Color([u8; 3]),
}

/// What is wrong with masks and regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionProblem {
    /// A region is a colour of a map that there is not.
    NoMap([u8; 3]),
    /// No pixel of the map has the colour.
    NoSuchColor {
        /// The colour.
        color: [u8; 3],
        /// Those that most of the map has.
        most: Vec<[u8; 3]>,
    },
    /// A map was given, and no region of a colour.
    NoColors,
    /// There are more masks of styles than styles.
    StyleMasks {
        /// Masks.
        masks: usize,
        /// Styles.
        styles: usize,
    },
    /// Nothing is to be seen of a picture that gives colours: it is transparent.
    NothingSeen(String),
    /// Nothing of a style is left by its mask.
    NothingLeft(String),
    /// Points are guided, and the method of this name takes no notice of them.
    Guides(&'static str),
}

/// A colour as people write it: `#ff8000`.
pub fn hexadecimal([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

impl std::fmt::Display for RegionProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RegionProblem::NoMap(color) => {
                write!(f, "region {} needs a map of regions", hexadecimal(*color))
            }
            RegionProblem::NoSuchColor { color, most } => {
                let most: Vec<_> = most.iter().copied().map(hexadecimal).collect();
                let (color, most) = (hexadecimal(*color), most.join(", "));
                write!(f, "the map of regions has no {color}; most of it is {most}")
            }
            RegionProblem::NoColors => {
                f.write_str("a map of regions goes with regions that are colours of it")
            }
            RegionProblem::StyleMasks { masks, styles } => write!(
                f,
                "there are {masks} masks of styles, but {styles} styles: the first mask is of the first style"
            ),
            RegionProblem::NothingSeen(name) => {
                write!(
                    f,
                    "{name} is transparent throughout, and so has no colours to give"
                )
            }
            RegionProblem::NothingLeft(style) => {
                write!(f, "the mask of style {style} leaves nothing of it")
            }
            RegionProblem::Guides(method) => {
                write!(f, "points can be guided by strotss, not by {method}")
            }
        }
    }
}

/// Masks and styles of regions, opened.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenRegions {
    regions: crate::Regions,
    styles: Vec<Style>,
    style_masks: Vec<Mask>,
}

impl RegionOrder {
    /// Every picture that is read.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        let places = self.styles.iter().filter_map(|style| match &style.place {
            Place::Mask(source) => Some(source),
            Place::Color(_) => None,
        });
        let styles = self.styles.iter().map(|style| &style.style);
        let masks = self.mask.iter().chain(&self.strength).chain(&self.content);
        let masks = masks.chain(&self.map).chain(&self.style_masks);
        masks.chain(places).chain(styles)
    }

    /// Everything that results depend on beside the pictures, as one text.
    pub(super) fn described(&self) -> String {
        let place = |style: &RegionStyle| match &style.place {
            Place::Mask(_) => format!("mask {}", style.weight),
            Place::Color(color) => format!("{} {}", hexadecimal(*color), style.weight),
        };
        let places: Vec<_> = self.styles.iter().map(place).collect();
        let given = [&self.mask, &self.strength, &self.content, &self.map];
        let given = given.map(|source| source.is_some());
        let masks = self.style_masks.len();
        let guides = &self.guides;
        format!("{given:?} {masks} {} {guides:?}", places.join(", "))
    }

    /// Opens everything; what is wrong is noted.
    pub(super) fn open(&self, problems: &mut Vec<Problem>) -> OpenRegions {
        let mut wrong = |problem| problems.push(Problem::Region(problem));
        let mut colors = Vec::new();
        for style in &self.styles {
            if let Place::Color(color) = style.place {
                match self.map {
                    None => wrong(RegionProblem::NoMap(color)),
                    Some(_) if !colors.contains(&color) => colors.push(color),
                    Some(_) => {}
                }
            }
        }
        if self.map.is_some() && colors.is_empty() {
            wrong(RegionProblem::NoColors);
        }
        let mut picture = |source: &Source| open(source, problems);
        let given = [&self.mask, &self.strength, &self.content];
        let given = given.map(|source| {
            let source = source.as_ref()?;
            Some(Mask::of(&picture(source)?).named(source.name()))
        });
        let [mask, strength, content] = given;
        let map = self.map.as_ref().and_then(&mut picture);
        let style_masks: Vec<_> = self.style_masks.iter().filter_map(&mut picture).collect();
        let (mut places, mut masks, mut styles) = (Vec::new(), Vec::new(), Vec::new());
        for style in &self.styles {
            let known = places.iter().position(|place| *place == &style.place);
            let region = match known {
                Some(region) => region,
                None => {
                    let Some(mask) = find(&style.place, map.as_ref(), &colors, problems) else {
                        continue;
                    };
                    places.push(&style.place);
                    masks.push(mask);
                    masks.len() - 1
                }
            };
            if let Some(picture) = open(&style.style, problems) {
                styles.push(Style {
                    region: Some(region),
                    ..Style::new(style.style.name(), picture, style.weight)
                });
            }
        }
        OpenRegions {
            regions: crate::Regions::new(mask, masks)
                .with_strength(strength)
                .with_content(content)
                .with_guides(self.guides.clone()),
            styles,
            style_masks: style_masks.iter().map(Mask::of).collect(),
        }
    }
}

/// The mask of a region.
fn find(
    place: &Place,
    map: Option<&Picture>,
    colors: &[[u8; 3]],
    problems: &mut Vec<Problem>,
) -> Option<Mask> {
    match place {
        Place::Mask(source) => Some(Mask::of(&open(source, problems)?).named(source.name())),
        Place::Color(color) => {
            let of = |color: &[u8; 3]| color.map(|value| f32::from(value) / 255.0);
            let all: Vec<_> = colors.iter().map(of).collect();
            let mask = Mask::of_color(map?, of(color), &all);
            if mask.shares().iter().all(|share| *share == 0.0) {
                let (color, most) = (*color, commonest(map?));
                let problem = RegionProblem::NoSuchColor { color, most };
                problems.push(Problem::Region(problem));
            }
            Some(mask.named(hexadecimal(*color)))
        }
    }
}

/// The colours that most of a map has, the commonest first.
fn commonest(map: &Picture) -> Vec<[u8; 3]> {
    let pixels = map.width() * map.height();
    let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
    for pixel in 0..pixels {
        let value = |plane: usize| (map.rgb()[plane * pixels + pixel] * 255.0).round() as u8;
        *counts.entry([0, 1, 2].map(value)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(color, count)| (Reverse(*count), *color));
    counts.truncate(COLORS_TOLD);
    counts.into_iter().map(|(color, _)| color).collect()
}

impl OpenRegions {
    /// The regions, and all styles: those given, of which masks leave some, and those of regions.
    ///
    /// # Errors
    /// What does not fit the styles.
    pub(super) fn with(
        self,
        given: Vec<Style>,
    ) -> Result<(crate::Regions, Vec<Style>), Vec<Problem>> {
        let (masks, count) = (self.style_masks.len(), given.len());
        if masks > count {
            let styles = count;
            return Err(vec![Problem::Region(RegionProblem::StyleMasks {
                masks,
                styles,
            })]);
        }
        let (mut problems, mut masks) = (Vec::new(), self.style_masks.into_iter());
        let mut styles = Vec::with_capacity(count + self.styles.len());
        for style in given {
            let picture = match masks.next() {
                Some(mask) => style.picture.masked(&mask),
                None => style.picture,
            };
            if picture.is_clear() {
                problems.push(Problem::Region(RegionProblem::NothingLeft(
                    style.name.clone(),
                )));
            }
            styles.push(Style { picture, ..style });
        }
        styles.extend(self.styles);
        match problems.is_empty() {
            true => Ok((self.regions, styles)),
            false => Err(problems),
        }
    }
}
