//! The report as a page to look at and pass on: one HTML file that holds everything and asks nobody for anything.
//!
//! ```text
//! pictures ─▶ smaller ─▶ JPEG ─▶ data URI ┐
//! Report ─▶ curves (SVG), times, settings ┼─▶ page.html + page.css + page.js ─▶ String ─▶ file
//! this machine, the caller's command ─────┘
//! ```
//!
//! It opens from a disk, in the light and in the dark, on a telephone, on paper, and without scripts. The page
//! tells which processor and system made the picture; it knows no user, no path and no time but what the caller
//! puts into names and command.

use super::machine::Machine;
use super::text::{base64, duration, escape, significant};
use super::{Cause, Report, Setback, curves, settings};
use crate::Result;
use crate::picture::{
    Filter, Format, Picture, PictureError, SaveOptions, fit_long_side, write_whole,
};
use crate::recipe::Recipe;
use crate::style::Style;
use std::fmt::Write;
use std::path::Path;

/// What a page is made of. It only borrows.
///
/// ```no_run
/// # fn page(stylizer: &impasto::Stylizer, photo: impasto::Picture, stylized: impasto::Stylized) -> impasto::Result<()> {
/// let page = impasto::Page {
///     report: &stylized.report,
///     content: ("lake", &photo),
///     styles: stylizer.styles(),
///     result: &stylized.picture,
///     command: Some("impasto stylize lake.jpg --style @swirls"),
/// };
/// page.save("lake.html".as_ref())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// What happened.
    pub report: &'a Report,
    /// Name and picture of the content.
    pub content: (&'a str, &'a Picture),
    /// The paintings.
    pub styles: &'a [Style],
    /// The stylized picture.
    pub result: &'a Picture,
    /// The command line that makes the picture again, if there is one.
    pub command: Option<&'a str>,
}

/// Long sides, in pixels, above which pictures are made smaller for the page.
const RESULT_SIDE: usize = 1600;
const SOURCE_SIDE: usize = 640;

/// JPEG quality of the pictures in the page.
const QUALITY: u8 = 90;

impl Page<'_> {
    /// The page. Result and content are embedded at up to 1600 px on the long side, the content no larger than the
    /// result; paintings, and the content once more beside them, at up to 640 px.
    ///
    /// # Errors
    /// Those of [`Picture::encode`].
    pub fn html(&self) -> Result<String> {
        let (content, picture) = self.content;
        let (width, height) = (self.result.width(), self.result.height());
        let names: Vec<_> = self
            .styles
            .iter()
            .map(|style| style.name.as_str())
            .collect();
        let title = match names.is_empty() {
            true => content.to_string(),
            false => format!("{content} in the style of {}", names.join(", ")),
        };
        let side = RESULT_SIDE.min(width.max(height));
        let alt = format!("{title}: the result");
        let command = self.command.map(command).unwrap_or_default();
        Ok(format!(
            include_str!("page.html"),
            version = escape(self.report.version),
            title = escape(&title),
            css = include_str!("page.css"),
            content = escape(content),
            subtitle = subtitle(&names),
            width = width,
            height = height,
            before = image(picture, side, &format!("{content}: the content"))?,
            after = image(self.result, side, &alt)?,
            facts = facts(self.report, width, height),
            sources = self.sources()?,
            losses = curves::figure(self.report),
            times = times(self.report),
            settings = recipe(&self.report.recipe),
            command = command,
            made = made(
                self.report.version,
                &self.report.encoder,
                &self.report.device
            ),
            js = include_str!("page.js"),
        ))
    }

    /// Writes the page. It appears complete or not at all, as pictures do.
    ///
    /// # Errors
    /// Those of [`Page::html`], and [`PictureError::Write`] if the system refuses.
    pub fn save(&self, path: &Path) -> Result<()> {
        save(&self.html()?, path)
    }

    /// The content and the paintings, each with its size, and the paintings' shares if there are several.
    fn sources(&self) -> Result<String> {
        let (name, content) = self.content;
        let mut out = source(name, content, "content", "")?;
        let sum: f32 = self.styles.iter().map(|style| style.weight).sum();
        for style in self.styles {
            let share = match self.styles.len() {
                1 => String::new(),
                _ => format!(" · {:.0} %", 100.0 * style.weight / sum),
            };
            out += &source(&style.name, &style.picture, "style", &share)?;
        }
        Ok(out)
    }
}

pub(super) fn source(name: &str, picture: &Picture, part: &str, share: &str) -> Result<String> {
    let (width, height) = (picture.width(), picture.height());
    Ok(format!(
        "<figure>{}<figcaption>{} <span>{part} · {width} × {height} px{share}</span></figcaption></figure>\n",
        image(picture, SOURCE_SIDE, name)?,
        escape(name),
    ))
}

/// An `img` with the picture in it, at most `side` pixels long.
fn image(picture: &Picture, side: usize, alt: &str) -> Result<String> {
    Ok(Inline::new(picture, side, QUALITY)?.tag(alt))
}

/// A picture as it stands in a page: a JPEG, spelt out.
#[derive(Clone, Debug)]
pub(super) struct Inline {
    width: usize,
    height: usize,
    base64: String,
}

impl Inline {
    /// The picture at no more than `side` pixels on its long side.
    pub(super) fn new(picture: &Picture, side: usize, quality: u8) -> Result<Self> {
        let (width, height) = (picture.width(), picture.height());
        let smaller = (width.max(height) > side).then(|| {
            let (width, height) = fit_long_side(width, height, side);
            picture.resized(width, height, Filter::Bicubic)
        });
        let picture = smaller.as_ref().unwrap_or(picture);
        let options = SaveOptions {
            quality,
            ..SaveOptions::default()
        };
        Ok(Self {
            width: picture.width(),
            height: picture.height(),
            base64: base64(&picture.encode(Format::Jpeg, &options)?),
        })
    }

    /// An `img` with the picture in it.
    pub(super) fn tag(&self, alt: &str) -> String {
        format!(
            "<img width=\"{}\" height=\"{}\" alt=\"{}\" src=\"data:image/jpeg;base64,{}\">",
            self.width,
            self.height,
            escape(alt),
            self.base64
        )
    }
}

/// Writes a page. It appears complete or not at all, as pictures do.
pub(super) fn save(html: &str, path: &Path) -> Result<()> {
    let written = write_whole(path, html.as_bytes());
    Ok(written.map_err(|source| PictureError::Write {
        path: path.into(),
        source,
    })?)
}

pub(super) fn subtitle(names: &[&str]) -> String {
    let names: Vec<_> = names
        .iter()
        .map(|name| format!("<em>{}</em>", escape(name)))
        .collect();
    match names.split_last() {
        None => "painted without a style".into(),
        Some((only, [])) => format!("painted in the style of {only}"),
        Some((last, others)) => {
            format!("painted in the style of {} and {last}", others.join(", "))
        }
    }
}

/// `dt` and `dd` of a list, each pair in a `div`.
pub(super) fn pair(out: &mut String, name: &str, value: &str) {
    let (name, value) = (escape(name), escape(value));
    let _ = writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
}

fn facts(report: &Report, width: usize, height: usize) -> String {
    let mut out = String::new();
    let steps = report.steps.len();
    let stopped = if report.stopped {
        "steps, then stopped"
    } else {
        "steps"
    };
    pair(&mut out, "pixels", &format!("{width} × {height}"));
    pair(&mut out, stopped, &steps.to_string());
    for setback in &report.setbacks {
        let Setback {
            scale,
            step,
            factor,
            cause,
        } = setback;
        let (what, then) = match cause {
            Cause::NotANumber => ("no number", format!("{factor} of the step size from there")),
            Cause::Rose => (
                "diverged",
                "back to the best picture, shorter steps from there".into(),
            ),
        };
        pair(
            &mut out,
            what,
            &format!("scale {}, step {step}: {then}", scale + 1),
        );
    }
    for concern in &report.concerns {
        pair(&mut out, "concern", &concern.to_string());
    }
    pair(&mut out, "time", &duration(report.seconds));
    pair(&mut out, "steps a second", &rate(steps, report.seconds));
    out
}

/// Steps a second.
fn rate(steps: usize, seconds: f64) -> String {
    match steps as f64 / seconds {
        rate if seconds > 0.0 && rate.is_finite() => significant(rate),
        _ => "–".into(),
    }
}

fn times(report: &Report) -> String {
    let mut out = String::from(
        "<table class=\"times\"><thead><tr><th>scale</th><th>steps</th><th>time</th><th>steps a second</th>\
         <th>share</th></tr></thead><tbody>",
    );
    for scale in &report.scales {
        let share = match 100.0 * scale.seconds / report.seconds {
            share if share.is_finite() => share.clamp(0.0, 100.0),
            _ => 0.0,
        };
        let _ = write!(
            out,
            "<tr><th>{} × {}</th><td>{}</td><td>{}</td><td>{}</td>\
             <td><span class=\"bar\"><i style=\"width:{share:.1}%\"></i></span></td></tr>",
            scale.width,
            scale.height,
            scale.steps,
            duration(scale.seconds),
            rate(scale.steps, scale.seconds),
        );
    }
    let steps = report.steps.len();
    let _ = write!(
        out,
        "</tbody><tfoot><tr><th>whole run</th><td>{steps}</td><td>{}</td><td>{}</td><td></td></tr></tfoot></table>\
         <p class=\"note\">Seconds of the clock; those of a scale include looking at content and paintings in its \
         size.</p>",
        duration(report.seconds),
        rate(steps, report.seconds),
    );
    out
}

/// Every setting of a recipe, as tables.
pub(super) fn recipe(recipe: &Recipe) -> String {
    let mut out = String::new();
    for group in settings::groups(recipe) {
        let name = match group.name.as_str() {
            "" => "recipe",
            name => name,
        };
        let _ = write!(out, "<table><caption>{}</caption><tbody>", escape(name));
        for row in group.rows {
            let (class, default) = match row.default {
                Some(default) => (
                    " class=\"set\"",
                    format!("<small>default {}</small>", escape(&default)),
                ),
                None => ("", String::new()),
            };
            let _ = write!(
                out,
                "<tr{class}><th>{}</th><td>{}{default}</td></tr>",
                escape(&row.name),
                escape(&row.value),
            );
        }
        out.push_str("</tbody></table>\n");
    }
    out
}

/// The section that shows a command line.
pub(super) fn command(line: &str) -> String {
    format!(
        "<section>\n<h2>Run it again</h2>\n<div class=\"command\"><pre><code>{}</code></pre></div>\n</section>\n",
        escape(line)
    )
}

/// With what a picture was made, as rows of a list.
pub(super) fn made(version: &str, encoder: &str, device: &str) -> String {
    let machine = Machine::here();
    let mut out = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(value));
    };
    row("impasto", version);
    row("encoder", encoder);
    row("device", device);
    let threads = machine.threads;
    match machine.processor {
        Some(name) => row("processor", &format!("{name}, {threads} threads")),
        None => row("processor", &format!("{threads} threads")),
    }
    row("system", &machine.system);
    out
}
