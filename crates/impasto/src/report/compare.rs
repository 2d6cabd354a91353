//! Several runs of one content and the same styles beside each other, as a page and as a contact sheet.
//!
//! The page shows every result with its facts, the losses of all runs side by side, and in one table the settings in
//! which the recipes differ. Like the gallery's it is one HTML file without scripts. Totals of different recipes have
//! different units, so each run's curves have an axis of their own.

use super::gallery::{Plate, captioned, plates};
use super::html::{command, made, save};
use super::text::{duration, escape, significant};
use super::{Report, curves, settings};
use crate::Result;
use crate::picture::Picture;
use crate::sheet::ContactSheet;
use std::fmt::Write;
use std::path::Path;

/// One run of a comparison.
#[derive(Clone, Debug)]
pub struct Contender {
    /// The result, under the name of its recipe.
    pub plate: Plate,
    /// What happened.
    pub report: Report,
}

/// Several runs of one content.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The content.
    pub content: &'a Plate,
    /// The styles.
    pub styles: &'a [Plate],
    /// The runs.
    pub contenders: &'a [Contender],
    /// The command line that makes the comparison again, if there is one.
    pub command: Option<&'a str>,
}

impl Comparison<'_> {
    /// Content, styles and results with captions; `side` is that of a picture's box, see [`ContactSheet`].
    ///
    /// # Errors
    /// Those of [`ContactSheet::picture`].
    pub fn sheet(&self, side: usize) -> Result<Picture> {
        let notes: Vec<_> = self.contenders.iter().map(facts).collect();
        let mut tiles = vec![self.content.tile("content")];
        tiles.extend(self.styles.iter().map(|style| style.tile("style")));
        let results = self.contenders.iter().zip(&notes);
        tiles.extend(results.map(|(contender, note)| contender.plate.tile(note)));
        let sheet = ContactSheet {
            tiles: &tiles,
            side,
        };
        sheet.picture()
    }

    /// The page. Results are embedded as in [`super::Gallery::html`].
    pub fn html(&self) -> String {
        let count = self.contenders.len();
        let recipes = if count == 1 { "recipe" } else { "recipes" };
        let title = format!("{} by {count} {recipes}", self.content.name());
        let styles: Vec<_> = self.styles.iter().map(Plate::name).collect();
        let first = self.contenders.first().map(|contender| &contender.report);
        format!(
            include_str!("compare.html"),
            version = env!("CARGO_PKG_VERSION"),
            title = escape(&title),
            css = concat!(include_str!("page.css"), include_str!("gallery.css")),
            subtitle = escape(&format!("in the style of {}", styles.join(", "))),
            grid = self.grid(),
            losses = self.losses(),
            settings = self.settings(),
            command = self.command.map(command).unwrap_or_default(),
            made = first.map_or(String::new(), |report| {
                made(report.version, &report.encoder, &report.device)
            }),
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

    fn grid(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "<figure>{}</figure>", captioned(self.content));
        for style in self.styles {
            let _ = writeln!(out, "<figure>{}</figure>", captioned(style));
        }
        for (index, contender) in self.contenders.iter().enumerate() {
            let plate = &contender.plate;
            let _ = writeln!(
                out,
                "<figure id=\"g{index}\"><a href=\"#p{index}\">{}</a><figcaption><strong>{}</strong><span>{}</span></figcaption>\
                 </figure>",
                plate.thumb(&self.alt(plate)),
                escape(plate.name()),
                escape(&facts(contender)),
            );
        }
        out
    }

    fn losses(&self) -> String {
        let mut out = String::new();
        for contender in self.contenders {
            let steps = &contender.report.steps;
            let ends = match (steps.first(), steps.last()) {
                (Some(first), Some(last)) => format!(
                    "<p class=\"note\">total {} → {}</p>",
                    significant(first.total),
                    significant(last.total)
                ),
                _ => String::new(),
            };
            let _ = writeln!(
                out,
                "<section><h3>{}</h3>{ends}{}</section>",
                escape(contender.plate.name()),
                curves::figure(&contender.report)
            );
        }
        out
    }

    /// The settings in which the recipes differ, a column for each.
    fn settings(&self) -> String {
        let columns: Vec<Vec<(String, String)>> = self
            .contenders
            .iter()
            .map(|contender| rows(&contender.report))
            .collect();
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in columns.iter().flatten() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let mut out = String::from("<table class=\"differences\"><thead><tr><th></th>");
        for contender in self.contenders {
            let _ = write!(out, "<th>{}</th>", escape(contender.plate.name()));
        }
        out.push_str("</tr></thead><tbody>");
        for name in names {
            let values: Vec<&str> = columns
                .iter()
                .map(|rows| {
                    let row = rows.iter().find(|(other, _)| other == name);
                    row.map_or("–", |(_, value)| value.as_str())
                })
                .collect();
            if values.iter().all(|value| *value == values[0]) {
                continue;
            }
            let _ = write!(out, "<tr><th>{}</th>", escape(name));
            for value in values {
                let _ = write!(out, "<td>{}</td>", escape(value));
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table>");
        out
    }

    fn plates(&self) -> String {
        let full = self
            .contenders
            .iter()
            .enumerate()
            .map(|(index, contender)| {
                let plate = &contender.plate;
                let title = format!("{}: {}", plate.name(), self.alt(plate));
                (index, plate, title, facts(contender))
            });
        plates(&full.collect::<Vec<_>>())
    }

    fn alt(&self, plate: &Plate) -> String {
        let styles: Vec<_> = self.styles.iter().map(Plate::name).collect();
        let (content, styles) = (self.content.name(), styles.join(", "));
        format!("{content} in the style of {styles} by {}", plate.name())
    }
}

/// `500 steps in 3.42 s`.
fn facts(contender: &Contender) -> String {
    let report = &contender.report;
    let steps = match report.steps.len() {
        1 => "1 step".into(),
        steps => format!("{steps} steps"),
    };
    let stopped = if report.stopped { ", stopped" } else { "" };
    format!("{steps} in {}{stopped}", duration(report.seconds))
}

/// Every setting of a run under its full name, `style.weight`.
fn rows(report: &Report) -> Vec<(String, String)> {
    let groups = settings::groups(&report.recipe).into_iter();
    let rows = groups.flat_map(|group| {
        let prefix = match group.name.as_str() {
            "" => String::new(),
            name => format!("{name}."),
        };
        let rows = group.rows.into_iter();
        rows.map(move |row| (format!("{prefix}{}", row.name), row.value))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_balanced, plain, report, tags};
    use super::*;
    use crate::recipe::StyleLoss;

    fn html(names: &[&str], steps: &[usize]) -> String {
        let plate = |name: &str| Plate::new(name, &plain(6, 4), 100).unwrap();
        let contenders = names.iter().enumerate().map(|(index, name)| {
            let mut report = report(steps, |i| 1.0 / (i + 1) as f64);
            if index == 1 {
                let style = &mut report.recipe.optimize_mut().unwrap().style;
                style.loss = StyleLoss::Gram;
                style.weight = 100.0;
            }
            Contender {
                plate: plate(name),
                report,
            }
        });
        let comparison = Comparison {
            content: &plate(names.first().unwrap_or(&"lake")),
            styles: &[plate("swirls"), plate("ink")],
            contenders: &contenders.collect::<Vec<_>>(),
            command: Some("impasto"),
        };
        comparison.html()
    }

    #[test]
    fn every_run_has_its_picture_its_curves_and_its_settings() {
        let page = html(&["one", "two", "three"], &[3, 2]);
        assert_balanced(&page);
        assert_eq!(page.matches("class=\"plate\"").count(), 3);
        assert_eq!(page.matches("class=\"plot\"").count(), 3);
        assert!(page.contains("one by 3 recipes"));
        assert!(page.contains("5 steps in 10.0 s"));
        let table = page.split("class=\"differences\"").nth(1).unwrap();
        let table = table.split("</table>").next().unwrap();
        let rows =
            "<tr><th>style.loss</th><td>wasserstein</td><td>gram</td><td>wasserstein</td></tr>";
        assert!(table.contains(rows), "{table}");
        assert!(table.contains("<th>style.weight</th><td>1</td><td>100</td><td>1</td>"));
        assert!(!table.contains("seed"), "only what differs");
    }

    #[test]
    fn pages_of_nothing_and_of_one_are_whole() {
        for names in [&[][..], &["alone"]] {
            for steps in [&[][..], &[1]] {
                assert_balanced(&html(names, steps));
            }
        }
    }

    #[test]
    fn names_of_recipes_cannot_become_markup() {
        let hostile = "</h3><script>alert('\"&')</script>";
        let page = html(&[hostile, "b"], &[1]);
        assert_eq!(tags(&page), tags(&html(&["a", "b"], &[1])));
        assert!(!page.contains("<script"));
    }
}
