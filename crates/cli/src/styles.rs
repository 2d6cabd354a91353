//! `impasto styles`: the built-in pictures, with a thumbnail where the terminal can show one.
//!
//! A thumbnail is drawn in half blocks: each character cell shows two pixels, the upper one as the colour of `▀`,
//! the lower one as its background. That takes 24-bit colour, which terminals announce in `COLORTERM`.

use crate::{Exit, print};
use impasto::examples::{self, Example, Kind};
use impasto::picture::Filter;
use std::fmt::Write;
use std::io::IsTerminal;

/// Character cells of a thumbnail.
const COLUMNS: usize = 28;
const ROWS: usize = 9;

/// Lists the built-in pictures.
///
/// # Errors
/// If they cannot be printed.
pub fn list() -> anyhow::Result<Exit> {
    let colour = |value: String| value == "truecolor" || value == "24bit";
    let shown = std::io::stdout().is_terminal()
        && std::env::var("COLORTERM").is_ok_and(colour)
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut text = String::new();
    for (kind, title) in [
        (Kind::Style, "Styles, for --style"),
        (Kind::Content, "Contents, to try them on"),
    ] {
        let _ = writeln!(text, "{title}");
        for example in examples::all().iter().filter(|e| e.kind == kind) {
            if shown {
                thumbnail(example, &mut text)?;
            } else {
                let _ = writeln!(text, "  {}", caption(example));
            }
        }
    }
    print(&text)?;
    Ok(Exit::Done)
}

fn caption(example: &Example) -> String {
    format!("{:<12} {}", format!("@{}", example.name), example.about)
}

/// Draws the picture in its own shape, as large as the cells of a thumbnail allow.
fn thumbnail(example: &Example, text: &mut String) -> anyhow::Result<()> {
    let picture = example.picture()?;
    let (width, height) = (picture.width() as f64, picture.height() as f64);
    let scale = (COLUMNS as f64 / width).min((2 * ROWS) as f64 / height);
    let columns = ((width * scale).round() as usize).clamp(1, COLUMNS);
    let rows = ((height * scale / 2.0).round() as usize).max(1);
    let small = picture.resized(columns, 2 * rows, Filter::Bicubic);
    let plane = small.rgb().len() / 3;
    let colour = |row: usize, column: usize| {
        let at = row * columns + column;
        let byte = |c: usize| (small.rgb()[c * plane + at].clamp(0.0, 1.0) * 255.0).round() as u8;
        let [red, green, blue] = [0, 1, 2].map(byte);
        format!("{red};{green};{blue}")
    };
    for row in 0..rows {
        text.push_str("  ");
        for column in 0..columns {
            let (upper, lower) = (colour(2 * row, column), colour(2 * row + 1, column));
            let _ = write!(text, "\x1b[38;2;{upper};48;2;{lower}m▀");
        }
        text.push_str("\x1b[0m");
        if row == rows / 2 {
            let blank = COLUMNS - columns + 2;
            let _ = write!(text, "{:blank$}{}", "", caption(example));
        }
        text.push('\n');
    }
    text.push('\n');
    Ok(())
}
