//! Where a picture is painted, and in which styles: the options, and how they are read.

use crate::problems::Problems;
use crate::settings::standard;
use clap::{Args, ValueHint};
use impasto::Guide;
use impasto::job::{BadWeight, Place, RegionOrder, RegionStyle, Source};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Where it is painted, and in which styles.
#[derive(Args)]
pub struct Regions {
    /// Paint where this picture is white, and keep the photo where it is black; stretched to the photo
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::FilePath, help_heading = "Regions")]
    pub mask: Option<OsString>,

    /// Draw towards the style where this picture is white, less where it is grey, and not at all where it is black
    #[arg(long = "style-strength", value_name = "IMAGE", value_hint = ValueHint::FilePath, help_heading = "Regions")]
    pub strength: Option<OsString>,

    /// Hold on to the photo where this picture is white, less where it is grey, and not at all where it is black
    #[arg(long = "content-mask", value_name = "IMAGE", value_hint = ValueHint::FilePath, help_heading = "Regions")]
    pub content_mask: Option<OsString>,

    /// Paint where MASK is white in a style of its own; may be given several times. The rest is painted in the --style, or
    /// kept if there is none. With --regions, MASK is a colour such as #ff0000
    #[arg(
        long = "region",
        value_name = "MASK=STYLE[:WEIGHT]",
        help_heading = "Regions"
    )]
    pub in_regions: Vec<OsString>,

    /// A picture with a colour for each region
    #[arg(long = "regions", value_name = "IMAGE", value_hint = ValueHint::FilePath, help_heading = "Regions")]
    pub map: Option<OsString>,

    /// Look at the first --style where this picture is white; given again, at the second, and so on
    #[arg(long = "style-mask", value_name = "IMAGE", value_hint = ValueHint::FilePath, help_heading = "Regions")]
    pub style_masks: Vec<OsString>,

    /// Let a point of the photo take after a point of the first --style, both in percent from the upper left corner; may be
    /// given several times. With --method strotss
    #[arg(long = "guide", value_name = "X,Y=X,Y", help_heading = "Regions")]
    pub guides: Vec<String>,
}

/// What the options say.
pub fn read(args: &Regions, problems: &mut Problems) -> RegionOrder {
    let mut named = |name: &OsString| standard(Source::new(name), problems);
    let mask = args.mask.as_ref().and_then(&mut named);
    let strength = args.strength.as_ref().and_then(&mut named);
    let content = args.content_mask.as_ref().and_then(&mut named);
    let map = args.map.as_ref().and_then(&mut named);
    let style_masks = args.style_masks.iter().filter_map(named).collect();
    let styles = args
        .in_regions
        .iter()
        .filter_map(|text| region(text, problems));
    RegionOrder {
        mask,
        strength,
        content,
        map,
        styles: styles.collect(),
        style_masks,
        guides: args
            .guides
            .iter()
            .filter_map(|text| guide(text, problems))
            .collect(),
    }
}

/// Reads `X,Y=X,Y`, in percent.
fn guide(text: &str, problems: &mut Problems) -> Option<Guide> {
    let point = |text: &str| -> Option<[f32; 2]> {
        let (x, y) = text.split_once(',')?;
        let share = |text: &str| text.trim().parse().ok().map(|percent: f32| percent / 100.0);
        let point = [share(x)?, share(y)?];
        let inside = |share: &f32| (0.0..=1.0).contains(share);
        point.iter().all(inside).then_some(point)
    };
    let pair = text.split_once('=');
    let guide = pair.and_then(|(content, style)| {
        Some(Guide {
            content: point(content)?,
            style: point(style)?,
        })
    });
    if guide.is_none() {
        problems.usage(format!(
            "--guide is {text}: must be X,Y=X,Y, a point of the photo and one of the painting in percent, such as 30,50=40,20"
        ));
    }
    guide
}

/// Reads `MASK=STYLE[:WEIGHT]`. Names may hold `=`: what is before the first one behind which both are there, or else the
/// first, is the mask.
fn region(text: &OsStr, problems: &mut Problems) -> Option<RegionStyle> {
    let whole = text.to_string_lossy();
    let cuts = || {
        whole
            .match_indices('=')
            .map(|(at, _)| (&whole[..at], &whole[at + 1..]))
    };
    let is_there = |(mask, style): &(&str, &str)| {
        let mask = color(mask).is_some() || mask.starts_with('@') || Path::new(mask).exists();
        let style = Source::weighted(style.as_ref());
        mask && style.is_ok_and(|(style, _)| style.file().is_none_or(Path::exists))
    };
    let found = cuts().find(is_there).or_else(|| cuts().next());
    let Some((mask, style)) = found.filter(|(mask, style)| !mask.is_empty() && !style.is_empty())
    else {
        problems.usage(format!(
            "--region is {whole}: must be MASK=STYLE[:WEIGHT], such as sky.png=@swirls"
        ));
        return None;
    };
    let place = match color(mask) {
        Some(color) => Place::Color(color),
        None if mask.starts_with('#') && !Path::new(mask).exists() => {
            problems.usage(format!(
                "--region is {whole}: a colour must be as #ff8000 or #f80; there is no file {mask} either"
            ));
            return None;
        }
        None => Place::Mask(standard(Source::new(mask.as_ref()), problems)?),
    };
    match Source::weighted(style.as_ref()) {
        Ok((style, weight)) => Some(RegionStyle {
            place,
            style: standard(style, problems)?,
            weight,
        }),
        Err(BadWeight { weight, .. }) => {
            problems.usage(format!(
                "the weight of --region {whole} is {weight}: must be a number greater than 0"
            ));
            None
        }
    }
}

/// A colour such as `#ff8000`, or `#f80`.
fn color(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#')?;
    let digit = |at: usize| u8::from_str_radix(digits.get(at..at + 1)?, 16).ok();
    match digits.len() {
        3 => Some([digit(0)? * 17, digit(1)? * 17, digit(2)? * 17]),
        6 => {
            let pair = |at: usize| Some(digit(at)? * 16 + digit(at + 1)?);
            Some([pair(0)?, pair(2)?, pair(4)?])
        }
        _ => None,
    }
}
