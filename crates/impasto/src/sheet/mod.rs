//! Sheets: many pictures on one, with words beside them, to be posted or printed.
//!
//! ```text
//! Grid            styles            ContactSheet
//!          [A]   [B]   [C]            [content] [style] [result] [result]
//!      [1] [1A]  [1B]  [1C]            caption   caption  caption  caption
//!      [2] [2A]  [2B]  [2C]            [result] …
//! ```
//!
//! Every picture keeps its aspect: it is as large as fits a box of `side` × 1¼ `side` pixels. Gutters are even, the
//! paper is the off-white of the report. Words are in Latin, Greek and Cyrillic letters; other letters become boxes, and
//! what is too long for its place loses its middle to an ellipsis.
//!
//! What it refuses: nothing. A sheet that would be too large to handle takes smaller boxes instead, as far as something can
//! be seen in them; whether a format holds it can be asked before there are any results ([`Grid::size`]).

mod canvas;
mod text;

#[cfg(test)]
mod tests;

use crate::Result;
use crate::picture::{Filter, Picture};
use canvas::{Canvas, Colour};

/// The side of a picture's box in pixels, unless told otherwise.
pub const SIDE: usize = 400;

/// The least side of a box, however many there are.
const LEAST_SIDE: usize = 48;

/// The most pixels of a sheet: 60 million are 180 MB of bytes, and more than any screen shows.
const PIXELS: f64 = 60e6;

/// The longest side of a sheet, what a JPEG holds and viewers bear.
const LONGEST: usize = 30_000;

/// The height of a box, in its widths; that of a style above its column, so that upright ones do not tower.
const BOX_HEIGHT: f64 = 1.25;
const HEADING_HEIGHT: f64 = 0.8;

const PAPER: Colour = [0.984, 0.976, 0.961];
const INK: Colour = [0.141, 0.129, 0.110];
const SOFT: Colour = [0.427, 0.404, 0.365];

/// A picture and what it is called.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// Its name.
    pub name: &'a str,
    /// The picture.
    pub picture: &'a Picture,
}

/// Every content in every style, the contents in front of the rows and the styles above the columns.
#[derive(Clone, Copy, Debug)]
pub struct Grid<'a> {
    /// The contents, one for each row.
    pub contents: &'a [Labelled<'a>],
    /// The styles, one for each column.
    pub styles: &'a [Labelled<'a>],
    /// The results, row by row: `cells[content * styles.len() + style]`. What is missing stays empty.
    pub cells: &'a [Option<&'a Picture>],
    /// The side of a picture's box in pixels, at least 48; [`SIDE`] is a good one. It is made smaller until the sheet
    /// has no more than 60 million pixels and no side above 30,000, but not below 48: of some hundred rows or columns the
    /// sheet may be larger ([`Grid::size`]).
    pub side: usize,
}

/// Where the parts of a grid lie.
struct GridLayout {
    frame: Frame,
    /// The height of a line of words with its gutter.
    label: usize,
    /// The height of the styles above the columns.
    heading: usize,
    row_tops: Vec<usize>,
    width: usize,
    height: usize,
}

impl GridLayout {
    /// The upper edge of the styles, and the left one of the contents.
    fn edge(&self) -> usize {
        self.frame.margin + self.label
    }

    /// The left edge of a column, that of the contents first. Names of styles and contents are set off from their pictures,
    /// and these from the results.
    fn column(&self, index: usize) -> usize {
        let Frame { side, gutter, .. } = self.frame;
        self.edge() + index * (side + gutter) + if index > 0 { gutter } else { 0 }
    }
}

impl Grid<'_> {
    /// Width and height of the grid in pixels. Its cells need not be there yet.
    pub fn size(&self) -> (usize, usize) {
        let GridLayout { width, height, .. } = self.layout();
        (width, height)
    }

    fn layout(&self) -> GridLayout {
        let (rows, columns) = (self.contents.len() + 1, self.styles.len() + 1);
        let frame = Frame::new(bounded(self.side, columns, rows, 1.0));
        let shapes = |pictures: &[Labelled<'_>]| -> Vec<(usize, usize)> {
            let shapes = pictures.iter().map(|labelled| shape(labelled.picture));
            shapes.collect()
        };
        let (styles, contents) = (shapes(self.styles), shapes(self.contents));
        let label = text::line_height(frame.letters) + frame.gutter / 2;
        let heading = styles
            .iter()
            .map(|&shape| frame.fitted(shape, HEADING_HEIGHT).1)
            .max();
        let mut layout = GridLayout {
            label,
            heading: heading.unwrap_or(0),
            row_tops: Vec::with_capacity(contents.len()),
            width: 0,
            height: 0,
            frame,
        };
        let Frame { gutter, margin, .. } = layout.frame;
        let mut bottom = layout.edge() + layout.heading + 2 * gutter;
        for &content in &contents {
            layout.row_tops.push(bottom);
            bottom += layout.frame.fitted(content, BOX_HEIGHT).1 + gutter;
        }
        layout.height = bottom - gutter + margin;
        layout.width = layout.column(self.styles.len()) + layout.frame.side + margin;
        layout
    }

    /// Lays out the grid.
    ///
    /// # Errors
    /// None that a sheet of these bounds can meet; the type is shared with [`Picture::new`].
    pub fn picture(&self) -> Result<Picture> {
        let layout = self.layout();
        let GridLayout {
            frame,
            label,
            heading,
            row_tops,
            width,
            height,
        } = &layout;
        let (label, top, left) = (*label, layout.edge(), layout.edge());
        let mut canvas = Canvas::new(*width, *height, PAPER);
        for (index, style) in self.styles.iter().enumerate() {
            let left = layout.column(index + 1);
            let place = Place {
                left,
                bottom: top + heading,
                limit: HEADING_HEIGHT,
            };
            let picture = frame.paste(&mut canvas, style.picture, place);
            let name = text::line(style.name, frame.letters, frame.side);
            let left = left + frame.side.saturating_sub(name.width) / 2;
            canvas.write(&name, left, picture.saturating_sub(label), INK);
        }
        for (row, content) in self.contents.iter().enumerate() {
            let height = frame.fitted(shape(content.picture), BOX_HEIGHT).1;
            let place = |left| Place {
                left,
                bottom: row_tops[row] + height,
                limit: BOX_HEIGHT,
            };
            frame.paste(&mut canvas, content.picture, place(left));
            let name = text::line(content.name, frame.letters, height);
            let start = row_tops[row] + (height + name.width) / 2;
            canvas.write_upwards(&name, frame.margin, start, INK);
            for index in 0..self.styles.len() {
                let cell = self.cells.get(row * self.styles.len() + index);
                if let Some(Some(picture)) = cell {
                    frame.paste(&mut canvas, picture, place(layout.column(index + 1)));
                }
            }
        }
        Ok(canvas.picture()?)
    }
}

/// A picture of a contact sheet.
#[derive(Clone, Copy, Debug)]
pub struct Tile<'a> {
    /// The picture.
    pub picture: &'a Picture,
    /// What it is.
    pub caption: &'a str,
    /// More about it, in a softer colour; may be empty.
    pub note: &'a str,
}

/// Pictures one behind the other, each with a caption under it.
#[derive(Clone, Copy, Debug)]
pub struct ContactSheet<'a> {
    /// The pictures.
    pub tiles: &'a [Tile<'a>],
    /// The side of a picture's box in pixels; see [`Grid::side`].
    pub side: usize,
}

impl ContactSheet<'_> {
    /// Lays out the sheet, in as many columns as bring it nearest to the shape of a page.
    ///
    /// # Errors
    /// None that a sheet of these bounds can meet; the type is shared with [`Picture::new`].
    pub fn picture(&self) -> Result<Picture> {
        let shapes: Vec<_> = self.tiles.iter().map(|tile| shape(tile.picture)).collect();
        let columns = columns(&shapes);
        let rows = shapes.len().div_ceil(columns);
        let frame = Frame::new(bounded(self.side, columns, rows, 1.3));
        let notes = self.tiles.iter().any(|tile| !tile.note.is_empty());
        let line = text::line_height(frame.letters);
        let small = 0.8 * frame.letters;
        let words = line + if notes { text::line_height(small) } else { 0 };
        let width = 2 * frame.margin + columns * (frame.side + frame.gutter) - frame.gutter;
        let heights: Vec<usize> = shapes
            .chunks(columns)
            .map(|row| {
                row.iter()
                    .map(|&shape| frame.fitted(shape, BOX_HEIGHT).1)
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let between = frame.gutter / 3 + words + frame.gutter;
        let height = 2 * frame.margin + heights.iter().sum::<usize>() + rows * between
            - rows.min(1) * frame.gutter;
        let mut canvas = Canvas::new(width, height, PAPER);
        let mut top = frame.margin;
        for (row, &height) in self.tiles.chunks(columns).zip(&heights) {
            for (index, tile) in row.iter().enumerate() {
                let left = frame.margin + index * (frame.side + frame.gutter);
                let place = Place {
                    left,
                    bottom: top + height,
                    limit: BOX_HEIGHT,
                };
                frame.paste(&mut canvas, tile.picture, place);
                let below = top + height + frame.gutter / 3;
                let lines = [
                    (tile.caption, frame.letters, below, INK),
                    (tile.note, small, below + line, SOFT),
                ];
                for (words, size, top, ink) in lines {
                    let mask = text::line(words, size, frame.side);
                    canvas.write(
                        &mask,
                        left + (frame.side.saturating_sub(mask.width)) / 2,
                        top,
                        ink,
                    );
                }
            }
            top += height + between;
        }
        Ok(canvas.picture()?)
    }
}

fn shape(picture: &Picture) -> (usize, usize) {
    (picture.width(), picture.height())
}

/// Columns of a sheet of these pictures: the sheet comes near 3:2, and the last row is as full as may be.
fn columns(shapes: &[(usize, usize)]) -> usize {
    let count = shapes.len().max(1);
    let unit = Frame::new(SIDE);
    let tallest = shapes
        .iter()
        .map(|&shape| unit.fitted(shape, BOX_HEIGHT).1)
        .max()
        .unwrap_or(SIDE);
    let cost = |columns: usize| {
        let rows = count.div_ceil(columns);
        let (width, height) = (
            (columns * SIDE) as f64,
            (rows * (tallest + SIDE / 5)) as f64,
        );
        let blank = (rows * columns - count) as f64 / count as f64;
        (width / height / 1.5).ln().abs() + 2.0 * blank
    };
    (1..=count)
        .min_by(|&a, &b| cost(a).total_cmp(&cost(b)))
        .unwrap_or(1)
}

/// The side of a box that keeps a sheet within bounds; `words` is what captions add to a row, at least 1.
fn bounded(side: usize, columns: usize, rows: usize, words: f64) -> usize {
    let (columns, rows) = (
        columns as f64 * 1.15,
        rows as f64 * BOX_HEIGHT * 1.15 * words,
    );
    let by_area = (PIXELS / (columns * rows)).sqrt();
    let by_side = LONGEST as f64 / columns.max(rows);
    side.min(by_area.min(by_side) as usize).max(LEAST_SIDE)
}

/// The measures of a sheet, which all follow from the side of a box.
struct Frame {
    side: usize,
    gutter: usize,
    margin: usize,
    /// Size of letters in pixels.
    letters: f32,
}

/// Where a picture stands: in the middle of its column, on the lower edge of its row.
#[derive(Clone, Copy)]
struct Place {
    left: usize,
    bottom: usize,
    /// The height of the box, in its widths.
    limit: f64,
}

impl Frame {
    fn new(side: usize) -> Self {
        let gutter = (side / 20).max(4);
        Self {
            side,
            gutter,
            margin: 2 * gutter,
            letters: (side as f32 / 14.0).max(12.0),
        }
    }

    /// Width and height of a picture in its box, whose height is `limit` times its width.
    fn fitted(&self, (width, height): (usize, usize), limit: f64) -> (usize, usize) {
        let side = self.side as f64;
        let scale = (side / width as f64).min(limit * side / height as f64);
        let length = |pixels: usize| ((pixels as f64 * scale).round() as usize).max(1);
        (length(width), length(height))
    }

    /// Sets a picture in its place; gives its upper edge.
    fn paste(&self, canvas: &mut Canvas, picture: &Picture, place: Place) -> usize {
        let (width, height) = self.fitted(shape(picture), place.limit);
        let left = place.left + self.side.saturating_sub(width) / 2;
        let top = place.bottom.saturating_sub(height);
        canvas.paste(&picture.resized(width, height, Filter::Bicubic), left, top);
        top
    }
}
