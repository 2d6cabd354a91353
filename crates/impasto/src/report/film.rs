//! The report of a film as a page: a strip of its frames, how they agree with each other, its shots, and every setting.

use super::html::{Inline, command, made, pair, recipe, save, source, subtitle};
use super::text::{duration, escape, significant};
use crate::Result;
use crate::picture::Picture;
use crate::recipe::Recipe;
use crate::style::Style;
use crate::video::Known;
use std::fmt::Write;
use std::path::Path;

/// Long side of the pictures of the strip, in pixels.
const SIDE: usize = 360;
/// JPEG quality of these.
const QUALITY: u8 = 85;
/// Width and height of the chart in its own units.
const CHART: (f64, f64) = (1000.0, 320.0);

/// A frame of a film.
#[derive(Clone, Copy, Debug)]
pub struct FilmFrame {
    /// Its number in the film that was read, from 0.
    pub number: u64,
    /// Whether it begins a shot.
    pub begins: bool,
    /// How it agrees with what was painted before; `None` of a shot's first frame, and where frames do not depend on each other.
    pub known: Option<Known>,
}

/// A frame that is shown, as it was and as it was painted.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its number in the film that was read, from 0.
    pub number: u64,
    /// The frame.
    pub content: Picture,
    /// What it became.
    pub painted: Picture,
}

/// What the page of a film is made of. It only borrows.
#[derive(Clone, Copy, Debug)]
pub struct FilmPage<'a> {
    /// The name of the film.
    pub name: &'a str,
    /// All frames that were painted, in their order.
    pub frames: &'a [FilmFrame],
    /// Some of them.
    pub strip: &'a [Shown],
    /// Width and height of the painted film in pixels.
    pub size: (usize, usize),
    /// How long it took.
    pub seconds: f64,
    /// The paintings.
    pub styles: &'a [Style],
    /// Every setting.
    pub recipe: &'a Recipe,
    /// The encoder, or the network that painted.
    pub encoder: &'a str,
    /// The device, as it describes itself.
    pub device: &'a str,
    /// The command line that makes the film again, if there is one.
    pub command: Option<&'a str>,
}

impl FilmPage<'_> {
    /// The page.
    ///
    /// # Errors
    /// Those of [`Picture::encode`].
    pub fn html(&self) -> Result<String> {
        let names: Vec<_> = self
            .styles
            .iter()
            .map(|style| style.name.as_str())
            .collect();
        let version = env!("CARGO_PKG_VERSION");
        let sources = self.styles.iter();
        let sources = sources.map(|style| source(&style.name, &style.picture, "style", ""));
        Ok(format!(
            include_str!("film.html"),
            version = version,
            title = escape(&format!("{}, painted", self.name)),
            css = include_str!("page.css"),
            name = escape(self.name),
            subtitle = subtitle(&names),
            strip = self.strip()?,
            facts = self.facts(),
            sources = sources.collect::<Result<String>>()?,
            chart = self.chart(),
            shots = self.shots(),
            settings = recipe(self.recipe),
            command = self.command.map(command).unwrap_or_default(),
            made = made(version, self.encoder, self.device),
        ))
    }

    /// Writes the page. It appears complete or not at all, as pictures do.
    ///
    /// # Errors
    /// Those of [`FilmPage::html`], and if the system refuses.
    pub fn save(&self, path: &Path) -> Result<()> {
        save(&self.html()?, path)
    }

    fn strip(&self) -> Result<String> {
        let mut out = String::new();
        for Shown {
            number,
            content,
            painted,
        } in self.strip
        {
            let [content, painted] =
                [(content, ""), (painted, ", painted")].map(|(picture, what)| {
                    let alt = format!("frame {number}{what}");
                    Ok::<_, crate::Error>(Inline::new(picture, SIDE, QUALITY)?.tag(&alt))
                });
            let _ = writeln!(
                out,
                "<figure>{}{}<figcaption>{number}</figcaption></figure>",
                content?, painted?
            );
        }
        Ok(out)
    }

    fn facts(&self) -> String {
        let mut out = String::new();
        let (width, height) = self.size;
        let count = self.frames.len();
        pair(&mut out, "frames", &count.to_string());
        pair(&mut out, "pixels", &format!("{width} × {height}"));
        pair(&mut out, "time", &duration(self.seconds));
        if count > 0 && self.seconds > 0.0 {
            let pace = significant(count as f64 / self.seconds);
            pair(&mut out, "frames a second", &pace);
        }
        if let Some((share, apart)) = self.agreement() {
            pair(
                &mut out,
                "known from before",
                &format!("{:.0} %", 100.0 * share),
            );
            pair(&mut out, "changed there", &significant(apart));
        }
        out
    }

    /// Of all frames that have some before them, the mean share that is known, and the root of the mean square there.
    fn agreement(&self) -> Option<(f64, f64)> {
        let known: Vec<_> = self.frames.iter().filter_map(|frame| frame.known).collect();
        let shares: f64 = known.iter().map(|known| f64::from(known.share)).sum();
        let squares = known
            .iter()
            .map(|known| f64::from(known.share * known.apart.powi(2)));
        let apart = (squares.sum::<f64>() / shares.max(f64::MIN_POSITIVE)).sqrt();
        (!known.is_empty()).then(|| (shares / known.len() as f64, apart))
    }

    /// Two lines over all frames: the share that is known, and how much that changes, as a share of the most that any does.
    fn chart(&self) -> String {
        if self.frames.iter().all(|frame| frame.known.is_none()) {
            return "<p>Every frame was painted by itself.</p>".into();
        }
        let apart = |frame: &FilmFrame| frame.known.map(|known| f64::from(known.apart));
        let most = self.frames.iter().filter_map(apart).fold(0.0, f64::max);
        let share = |frame: &FilmFrame| frame.known.map(|known| f64::from(known.share));
        let (width, height) = CHART;
        let mut out = format!(
            "<div class=\"plot\"><svg viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"How frames agree with those before\">"
        );
        let place = |at: usize| width * (at as f64 + 0.5) / self.frames.len() as f64;
        for (at, _) in self
            .frames
            .iter()
            .enumerate()
            .filter(|(at, frame)| frame.begins && *at > 0)
        {
            let x = width * at as f64 / self.frames.len() as f64;
            let _ = write!(out, "<path class=\"border\" d=\"M{x:.1} 0V{height}\"/>");
        }
        let mut line = |class: &str, name: &str, value: &dyn Fn(&FilmFrame) -> Option<f64>| {
            let mut path = String::new();
            let mut pen = 'M';
            for (at, frame) in self.frames.iter().enumerate() {
                let Some(value) = value(frame) else {
                    pen = 'M';
                    continue;
                };
                let _ = write!(path, "{pen}{:.1} {:.1}", place(at), height * (1.0 - value));
                pen = 'L';
            }
            let _ = write!(
                out,
                "<path class=\"curve {class}\" d=\"{path}\"><title>{name}</title></path>"
            );
        };
        line("total", "known from before", &share);
        let relative = |frame: &FilmFrame| apart(frame).map(|apart| apart / most.max(1e-9));
        line("dashed", "changed there", &relative);
        out.push_str("</svg></div>");
        let _ = write!(
            out,
            "<p>The full line is the share of each frame that the frames before tell of, from none to all. The dashed one is how far \
             it became something else there, at most {} of 0 to 1 (root of the mean square, along flow of our own). Where a shot \
             begins nothing is known.</p>",
            significant(most)
        );
        out
    }

    /// Where shots begin and how long they are.
    fn shots(&self) -> String {
        let begins = |at: usize| at == 0 || self.frames[at].begins;
        let starts: Vec<_> = (0..self.frames.len()).filter(|&at| begins(at)).collect();
        let mut out = String::from(
            "<table class=\"times\"><thead><tr><th>from frame</th><th>frames</th></tr></thead><tbody>",
        );
        for (place, &start) in starts.iter().enumerate() {
            let end = starts.get(place + 1).copied().unwrap_or(self.frames.len());
            let number = self.frames[start].number;
            let _ = write!(out, "<tr><th>{number}</th><td>{}</td></tr>", end - start);
        }
        out + "</tbody></table>"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_of_every_shot() {
        let known = |share, apart| Some(Known { share, apart });
        let frame = |number, begins, known| FilmFrame {
            number,
            begins,
            known,
        };
        let frames = [
            frame(10, true, None),
            frame(11, false, known(0.9, 0.02)),
            frame(12, true, None),
            frame(13, false, known(0.5, 0.04)),
        ];
        let picture = Picture::new(4, 3, vec![0.5; 36]).unwrap();
        let strip = [Shown {
            number: 11,
            content: picture.clone(),
            painted: picture,
        }];
        let recipe = Recipe::default();
        let page = FilmPage {
            name: "<clip>.mp4",
            frames: &frames,
            strip: &strip,
            size: (4, 3),
            seconds: 2.0,
            styles: &[],
            recipe: &recipe,
            encoder: "lite",
            device: "cpu",
            command: Some("impasto video 'clip & more.mp4'"),
        };
        let html = page.html().unwrap();
        assert!(html.contains("&lt;clip&gt;.mp4") && html.contains("clip &amp; more.mp4"));
        assert!(html.contains("<tr><th>10</th><td>2</td></tr><tr><th>12</th><td>2</td></tr>"));
        assert!(html.contains("70 %") && html.contains(">0.0288<"), "{html}");
        assert_eq!(html.matches("data:image/jpeg").count(), 2);
        let alone = FilmPage {
            frames: &frames[..1],
            ..page
        };
        assert!(alone.html().unwrap().contains("by itself"));
        assert!(
            FilmPage {
                frames: &[],
                ..page
            }
            .html()
            .is_ok()
        );
    }
}
