//! A gallery, every content in every style, as a page and as a sheet.
//!
//! The page is one HTML file that holds everything, needs no script and asks nobody for anything: a grid of
//! thumbnails, each of which opens the full picture over the page, then times and settings. On a telephone each
//! content has its results below it, on paper the full pictures follow the grid.

use super::html::{Inline, command, made, pair, recipe, save};
use super::text::{duration, escape};
use crate::Result;
use crate::picture::{Filter, Picture, fit_long_side};
use crate::recipe::Recipe;
use crate::sheet::{Grid, Labelled, Tile};
use std::fmt::Write;
use std::path::Path;

/// Long sides, in pixels, above which pictures are made smaller for the page.
const FULL_SIDE: usize = 1200;
const THUMB_SIDE: usize = 480;

/// JPEG quality of full pictures and of thumbnails.
const FULL_QUALITY: u8 = 88;
const THUMB_QUALITY: u8 = 82;

/// A picture made ready for pages and sheets, after which it is no longer needed itself: some hundred kilobytes.
#[derive(Clone, Debug)]
pub struct Plate {
    name: String,
    width: usize,
    height: usize,
    full: Inline,
    thumb: Inline,
    small: Picture,
}

impl Plate {
    /// A picture under the name that it will be shown with. `side` is that of a box of the sheet it is meant for;
    /// see [`Grid::side`].
    ///
    /// # Errors
    /// Those of [`Picture::encode`].
    pub fn new(name: impl Into<String>, picture: &Picture, side: usize) -> Result<Self> {
        let (width, height) = (picture.width(), picture.height());
        // As high as a box may be, so that a sheet never enlarges what was larger.
        let (columns, rows) =
            fit_long_side(width, height, (side + side / 4).min(width.max(height)));
        Ok(Self {
            name: name.into(),
            width,
            height,
            full: Inline::new(picture, FULL_SIDE, FULL_QUALITY)?,
            thumb: Inline::new(picture, THUMB_SIDE, THUMB_QUALITY)?,
            small: picture.resized(columns, rows, Filter::Bicubic),
        })
    }

    /// The name that it is shown with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The thumbnail as an `img`.
    pub(super) fn thumb(&self, alt: &str) -> String {
        self.thumb.tag(alt)
    }

    /// A tile of a contact sheet.
    pub(super) fn tile<'a>(&'a self, note: &'a str) -> Tile<'a> {
        Tile {
            picture: &self.small,
            caption: &self.name,
            note,
        }
    }

    fn labelled(&self) -> Labelled<'_> {
        Labelled {
            name: &self.name,
            picture: &self.small,
        }
    }
}

/// A finished picture of a gallery.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The picture, under the name of its file.
    pub plate: Plate,
    /// Steps taken, over all scales.
    pub steps: usize,
    /// Wall-clock seconds that painting took.
    pub seconds: f64,
}

/// Every content in every style.
#[derive(Clone, Copy, Debug)]
pub struct Gallery<'a> {
    /// The contents, one for each row.
    pub contents: &'a [Plate],
    /// The styles, one for each column.
    pub styles: &'a [Plate],
    /// The results, row by row: `cells[content * styles.len() + style]`; `None` for what is not painted yet.
    pub cells: &'a [Option<Cell>],
    /// The settings of all of them.
    pub recipe: &'a Recipe,
    /// The encoder.
    pub encoder: &'a str,
    /// The device, as it describes itself.
    pub device: &'a str,
    /// The command line that makes the gallery again, if there is one.
    pub command: Option<&'a str>,
}

impl Gallery<'_> {
    /// The labelled grid; `side` is that of a picture's box, see [`Grid::side`].
    ///
    /// # Errors
    /// Those of [`Grid::picture`].
    pub fn sheet(&self, side: usize) -> Result<Picture> {
        let cells: Vec<_> = self
            .cells
            .iter()
            .map(|cell| cell.as_ref().map(|cell| &cell.plate.small))
            .collect();
        let grid = Grid {
            contents: &labelled(self.contents),
            styles: &labelled(self.styles),
            cells: &cells,
            side,
        };
        grid.picture()
    }

    /// Width and height of that grid in pixels, which follow from contents and styles.
    pub fn sheet_size(contents: &[Plate], styles: &[Plate], side: usize) -> (usize, usize) {
        let grid = Grid {
            contents: &labelled(contents),
            styles: &labelled(styles),
            cells: &[],
            side,
        };
        grid.size()
    }

    /// The page. Full pictures are embedded at up to 1200 px on the long side, thumbnails at up to 480.
    pub fn html(&self) -> String {
        let title = self.title();
        format!(
            include_str!("gallery.html"),
            version = env!("CARGO_PKG_VERSION"),
            title = escape(&title),
            css = concat!(include_str!("page.css"), include_str!("gallery.css")),
            subtitle = escape(&names(self.contents)),
            columns = self.styles.len(),
            facts = self.facts(),
            grid = self.grid(),
            times = self.times(),
            settings = recipe(self.recipe),
            command = self.command.map(command).unwrap_or_default(),
            made = made(env!("CARGO_PKG_VERSION"), self.encoder, self.device),
            plates = self.plates(),
        )
    }

    /// Writes the page. It appears complete or not at all, as pictures do.
    ///
    /// # Errors
    /// [`crate::picture::PictureError::Write`] if the system refuses.
    pub fn save(&self, path: &Path) -> Result<()> {
        save(&self.html(), path)
    }

    fn title(&self) -> String {
        let count = |plates: &[Plate], one: &str, more: &str| match plates.len() {
            1 => one.to_string(),
            count => format!("{count} {more}"),
        };
        let contents = count(self.contents, "one picture", "pictures");
        let styles = count(self.styles, "one style", "styles");
        let mut title = format!("{contents} in {styles}");
        title[..1].make_ascii_uppercase();
        title
    }

    fn facts(&self) -> String {
        let mut out = String::new();
        let done = self.cells.iter().flatten();
        let (count, all) = (done.clone().count(), self.cells.len());
        let seconds: f64 = done.clone().map(|cell| cell.seconds).sum();
        let side = done
            .clone()
            .map(|cell| cell.plate.width.max(cell.plate.height));
        let painted = match count == all {
            true => count.to_string(),
            false => format!("{count} of {all}"),
        };
        pair(&mut out, "painted", &painted);
        let side = side.max().map_or("–".into(), |side| format!("{side} px"));
        pair(&mut out, "long side", &side);
        pair(&mut out, "time", &duration(seconds));
        let each = match count {
            0 => "–".into(),
            count => duration(seconds / count as f64),
        };
        pair(&mut out, "a picture", &each);
        out
    }

    /// Row, column and cell of all results in order.
    fn results(&self) -> impl Iterator<Item = (&Plate, &Plate, usize, Option<&Cell>)> {
        let pairs = self
            .contents
            .iter()
            .flat_map(|content| self.styles.iter().map(move |style| (content, style)));
        pairs.enumerate().map(|(index, (content, style))| {
            let cell = self.cells.get(index).and_then(Option::as_ref);
            (content, style, index, cell)
        })
    }

    fn grid(&self) -> String {
        let mut out = String::from("<div class=\"corner\"></div>\n");
        for style in self.styles {
            let _ = writeln!(out, "<figure class=\"style\">{}</figure>", captioned(style));
        }
        for (content, style, index, cell) in self.results() {
            if index.is_multiple_of(self.styles.len()) {
                let _ = writeln!(
                    out,
                    "<figure class=\"content\">{}</figure>",
                    captioned(content)
                );
            }
            let name = escape(&style.name);
            let _ = match cell {
                Some(cell) => writeln!(
                    out,
                    "<figure id=\"g{index}\"><a href=\"#p{index}\">{}</a><figcaption><b>{name} · </b>{}</figcaption></figure>",
                    cell.plate.thumb.tag(&alt(content, style)),
                    duration(cell.seconds),
                ),
                None => writeln!(
                    out,
                    "<figure class=\"missing\"><figcaption><b>{name} · </b>not painted</figcaption></figure>"
                ),
            };
        }
        out
    }

    fn times(&self) -> String {
        let mut out = String::from("<table class=\"times\"><thead><tr><th></th>");
        for style in self.styles {
            let _ = write!(out, "<th>{}</th>", escape(&style.name));
        }
        out.push_str("<th>all</th></tr></thead><tbody>");
        let columns = self.styles.len().max(1);
        for (row, content) in self.contents.iter().enumerate() {
            let _ = write!(out, "<tr><th>{}</th>", escape(&content.name));
            let cells = self
                .cells
                .iter()
                .skip(row * columns)
                .take(self.styles.len());
            for cell in cells.clone() {
                let time = cell
                    .as_ref()
                    .map_or("–".into(), |cell| duration(cell.seconds));
                let _ = write!(out, "<td>{time}</td>");
            }
            let sum: f64 = cells.flatten().map(|cell| cell.seconds).sum();
            let _ = write!(out, "<td>{}</td></tr>", duration(sum));
        }
        out.push_str("</tbody></table>");
        out
    }

    fn plates(&self) -> String {
        let full = self.results().filter_map(|(content, style, index, cell)| {
            let cell = cell?;
            let title = alt(content, style);
            let steps = match cell.steps {
                1 => "1 step".into(),
                steps => format!("{steps} steps"),
            };
            let facts = format!("{steps} · {} · {}", duration(cell.seconds), cell.plate.name);
            Some((index, &cell.plate, title, facts))
        });
        plates(&full.collect::<Vec<_>>())
    }
}

/// Full pictures, each of which is seen while it is the target of a link, `#pN`: number, picture, title, facts. The
/// thumbnail it belongs to is `#gN`.
pub(super) fn plates(full: &[(usize, &Plate, String, String)]) -> String {
    let mut out = String::new();
    for (place, (index, plate, title, facts)) in full.iter().enumerate() {
        let before = full[(place + full.len() - 1) % full.len()].0;
        let after = full[(place + 1) % full.len()].0;
        let _ = writeln!(
            out,
            "<figure class=\"plate\" id=\"p{index}\">{}<figcaption><strong>{}</strong><span>{} × {} px · {}</span>\
             </figcaption><nav><a href=\"#p{before}\" aria-label=\"previous\">‹</a>\
             <a href=\"#g{index}\" aria-label=\"close\">×</a><a href=\"#p{after}\" aria-label=\"next\">›</a></nav></figure>",
            plate.full.tag(title),
            escape(title),
            plate.width,
            plate.height,
            escape(facts),
        );
    }
    out
}

fn labelled(plates: &[Plate]) -> Vec<Labelled<'_>> {
    plates.iter().map(Plate::labelled).collect()
}

/// A thumbnail with the name of the picture under it.
pub(super) fn captioned(plate: &Plate) -> String {
    let name = escape(&plate.name);
    format!(
        "{}<figcaption>{name}</figcaption>",
        plate.thumb.tag(&plate.name)
    )
}

fn alt(content: &Plate, style: &Plate) -> String {
    format!("{} in the style of {}", content.name, style.name)
}

/// `a, b and c`.
fn names(plates: &[Plate]) -> String {
    let names: Vec<_> = plates.iter().map(|plate| plate.name.as_str()).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).into(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_balanced, plain, tags};
    use super::*;

    fn plates(names: &[&str]) -> Vec<Plate> {
        let plate = |name: &&str| Plate::new(*name, &plain(6, 4), 100).unwrap();
        names.iter().map(plate).collect()
    }

    /// A page whose cells are painted where `painted` says so.
    fn page(contents: &[&str], styles: &[&str], painted: impl Fn(usize) -> bool) -> String {
        let (contents, styles) = (plates(contents), plates(styles));
        let cells = (0..contents.len() * styles.len()).map(|index| {
            let plate = Plate::new("a-b.png", &plain(6, 4), 100).unwrap();
            painted(index).then_some(Cell {
                plate,
                steps: 7,
                seconds: 1.5,
            })
        });
        let gallery = Gallery {
            contents: &contents,
            styles: &styles,
            cells: &cells.collect::<Vec<_>>(),
            recipe: &Recipe::default(),
            encoder: "lite",
            device: "a device",
            command: Some("impasto gallery"),
        };
        gallery.html()
    }

    /// What stands in all attributes of this name.
    fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
        let sign = format!(" {name}=\"");
        let parts = html.split(sign.as_str()).skip(1);
        parts.map(|part| part.split('"').next().unwrap()).collect()
    }

    #[test]
    fn every_tag_is_closed_and_every_link_leads_somewhere() {
        type Painted = fn(usize) -> bool;
        let painted: [Painted; 4] = [|_| true, |_| false, |i| i % 2 == 0, |i| i == 3];
        for painted in painted {
            for (contents, styles) in [(1, 1), (2, 3), (4, 1), (1, 5)] {
                let names = ["a", "b", "c", "d", "e"];
                let html = page(&names[..contents], &names[..styles], painted);
                assert_balanced(&html);
                let ids = attributes(&html, "id");
                for link in attributes(&html, "href") {
                    let id = link.strip_prefix('#').expect(link);
                    assert_eq!(ids.iter().filter(|other| **other == id).count(), 1, "{id}");
                }
                let count = (0..contents * styles).filter(|&i| painted(i)).count();
                assert_eq!(html.matches("class=\"plate\"").count(), count);
                assert_eq!(
                    html.matches("not painted").count(),
                    contents * styles - count
                );
            }
        }
        assert_balanced(&page(&[], &[], |_| true));
    }

    #[test]
    fn names_cannot_become_markup_and_nobody_is_asked_for_anything() {
        let hostile =
            "</title></style><script>alert('\"&{x}')</script><img src=x onerror=\"alert(1)\">";
        let harmless = page(&["a", "b"], &["c"], |_| true);
        let html = page(&[hostile, hostile], &[hostile], |_| true);
        assert_eq!(tags(&html), tags(&harmless));
        assert!(html.contains("&lt;script&gt;alert(&#39;&quot;&amp;{x}&#39;)&lt;/script&gt;"));
        for word in ["<script", "http:", "https:", "url(", "@import", "srcset"] {
            assert!(!harmless.contains(word), "{word}");
        }
        for source in attributes(&harmless, "src") {
            assert!(source.starts_with("data:image/jpeg;base64,/9j/"));
        }
    }

    #[test]
    fn the_page_tells_what_was_painted_and_how_long_it_took() {
        let html = page(&["lake", "city"], &["ink", "dots", "oils"], |i| i != 5);
        for words in [
            "<h1>2 pictures in 3 styles</h1>",
            "<p>lake and city</p>",
            "painted</dt><dd>5 of 6",
            "time</dt><dd>7.50 s",
            "a picture</dt><dd>1.50 s",
            "<strong>city in the style of dots</strong>",
            "6 × 4 px · 7 steps · 1.50 s · a-b.png",
            "<tr><th>city</th><td>1.50 s</td><td>1.50 s</td><td>–</td><td>3.00 s</td></tr>",
            "wasserstein",
        ] {
            assert!(html.contains(words), "{words}");
        }
        assert!(page(&["lake"], &["ink"], |_| true).contains("<h1>One picture in one style</h1>"));
    }

    #[test]
    fn large_pictures_are_kept_small() {
        let plate = Plate::new("large", &plain(3000, 1500), 400).unwrap();
        assert_eq!((plate.width, plate.height), (3000, 1500));
        assert_eq!((plate.small.width(), plate.small.height()), (500, 250));
        let small = Plate::new("small", &plain(30, 50), 400).unwrap();
        assert_eq!((small.small.width(), small.small.height()), (30, 50));
    }
}
