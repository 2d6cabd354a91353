//! Words in pictures: a line of text as coverage of pixels.
//!
//! Written in Noto Sans, which is part of the library in the letters of Latin, Greek and Cyrillic
//! (`crates/impasto/fonts`). A letter that it lacks becomes an empty box. There is no shaping: letters stand one
//! behind the other from left to right, which those three alphabets do, and Arabic or Hebrew would not.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use std::sync::LazyLock;

static FONT: LazyLock<Option<FontRef<'static>>> =
    LazyLock::new(|| FontRef::try_from_slice(include_bytes!("../../fonts/noto-sans.ttf")).ok());

/// The most letters of a line: more are cut before they are measured.
const LETTERS: usize = 400;

/// How much of a pixel is ink: `[height, width]`, 0..1.
pub(super) struct Mask {
    pub width: usize,
    pub height: usize,
    pub coverage: Vec<f32>,
}

/// Pixels from one line to the next for letters of this size.
pub(super) fn line_height(size: f32) -> usize {
    (1.4 * size).ceil() as usize
}

/// One line in letters of `size` pixels (the height of a line without lead), no wider than `width` pixels.
///
/// What does not fit loses letters in its middle to an ellipsis, so that names that begin alike stay apart. The mask
/// is as wide as its text and [`line_height`] high.
pub(super) fn line(text: &str, size: f32, width: usize) -> Mask {
    let letters: Vec<char> = text.chars().filter_map(printable).take(LETTERS).collect();
    draw(&shortened(&letters, size, width as f32), size)
}

/// What stands in a picture for a character: nothing for those that only join or vary others; a box for those that
/// control, or turn the direction of writing.
fn printable(c: char) -> Option<char> {
    match c {
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => None,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some('\u{fffd}')
        }
        '\n' | '\t' => Some(' '),
        c if c.is_control() => Some('\u{fffd}'),
        c => Some(c),
    }
}

fn shortened(letters: &[char], size: f32, width: f32) -> Vec<char> {
    if measure(letters, size) <= width {
        return letters.to_vec();
    }
    for kept in (0..letters.len()).rev() {
        // The larger half in front: that is where names differ most.
        let front = kept.div_ceil(2);
        let mut short = letters[..front].to_vec();
        short.push('…');
        short.extend(&letters[letters.len() - (kept - front)..]);
        if measure(&short, size) <= width {
            return short;
        }
    }
    vec![]
}

/// Pixels from the start of the first letter to the end of the last.
fn measure(letters: &[char], size: f32) -> f32 {
    let Some(font) = FONT.as_ref() else {
        return 0.0;
    };
    let font = font.as_scaled(PxScale::from(size));
    letters
        .iter()
        .map(|&c| font.h_advance(font.glyph_id(c)))
        .sum()
}

fn draw(letters: &[char], size: f32) -> Mask {
    let (width, height) = (
        measure(letters, size).ceil() as usize + 1,
        line_height(size),
    );
    let mut mask = Mask {
        width,
        height,
        coverage: vec![0.0; width * height],
    };
    let Some(font) = FONT.as_ref() else {
        return mask;
    };
    let scale = PxScale::from(size);
    let scaled = font.as_scaled(scale);
    let lead = (height as f32 - scaled.height()) / 2.0;
    let baseline = (lead + scaled.ascent()).round();
    let mut x = 0.0;
    for &c in letters {
        let id = scaled.glyph_id(c);
        let glyph = id.with_scale_and_position(scale, point(x, baseline));
        x += scaled.h_advance(id);
        let Some(outline) = font.outline_glyph(glyph) else {
            continue;
        };
        let corner = outline.px_bounds().min;
        outline.draw(|column, row, coverage| {
            let (x, y) = (
                corner.x as i64 + i64::from(column),
                corner.y as i64 + i64::from(row),
            );
            let inside = (0..width as i64).contains(&x) && (0..height as i64).contains(&y);
            if inside {
                let ink = &mut mask.coverage[y as usize * width + x as usize];
                *ink = (*ink + coverage).min(1.0);
            }
        });
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ink(mask: &Mask) -> f32 {
        mask.coverage.iter().sum()
    }

    fn text(letters: &[char]) -> String {
        letters.iter().collect()
    }

    fn letters(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn letters_leave_ink_and_longer_words_more() {
        let (short, long) = (line("lake", 20.0, 500), line("lake lake", 20.0, 500));
        assert!(ink(&short) > 30.0);
        assert!((ink(&long) / ink(&short) - 2.0).abs() < 0.05);
        assert_eq!(short.height, line_height(20.0));
        assert_eq!(ink(&line("", 20.0, 500)), 0.0);
        assert_eq!(ink(&line("   ", 20.0, 500)), 0.0);
    }

    #[test]
    fn every_letter_of_three_alphabets_has_a_form_of_its_own() {
        let word = "Größe, Łódź, ŠĐČ; Ελλάδα; Київ, Ёлка";
        let missing = line("\u{fdd0}", 24.0, 500).coverage;
        for c in word.chars().filter(|c| !c.is_whitespace()) {
            let mask = line(&c.to_string(), 24.0, 500);
            assert!(mask.coverage != missing, "{c} is a box");
        }
    }

    #[test]
    fn what_the_font_lacks_is_a_box_and_not_a_gap() {
        let one = ink(&line("花", 24.0, 500));
        assert!(one > 10.0);
        assert!((ink(&line("花火", 24.0, 500)) - 2.0 * one).abs() < 0.1 * one);
        let joined = line("a\u{200d}\u{fe0f}b", 24.0, 500);
        assert_eq!(joined.coverage, line("ab", 24.0, 500).coverage);
        assert!(ink(&line("\u{202e}", 24.0, 500)) > 10.0);
    }

    #[test]
    fn long_names_lose_their_middle() {
        let name = letters("photograph-of-a-mountain-lake-0001");
        let whole = measure(&name, 20.0);
        assert_eq!(shortened(&name, 20.0, whole), name);
        for width in [200.0, 100.0, 50.0, 25.0] {
            let short = shortened(&name, 20.0, width);
            assert!(measure(&short, 20.0) <= width);
            assert!(text(&short).contains('…'), "{width}");
        }
        let short = text(&shortened(&name, 20.0, 150.0));
        assert!(
            short.starts_with("photo") && short.ends_with("0001"),
            "{short}"
        );
        assert_eq!(text(&shortened(&name, 20.0, 3.0)), "");
        assert!(line(&"x".repeat(100_000), 20.0, 300).width <= 301);
    }

    #[test]
    fn no_size_is_too_small_or_too_large() {
        for size in [0.5, 1.0, 7.0, 300.0] {
            let mask = line("Ägypten gjpq", size, 10_000);
            assert_eq!(mask.coverage.len(), mask.width * mask.height);
        }
    }
}
