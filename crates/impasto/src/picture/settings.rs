//! The settings that a picture was made with, read back from the places where they are written to.
//!
//! Bytes are anybody's: lengths are checked, nothing is decompressed, and what is not found is not there.

use super::decode::{Kind, sniff};

/// A text of more bytes is none of ours.
const LONGEST: usize = 1 << 20;
/// EXIF 2.32, 4.6.4: the tag of a description, and of texts the number of their type.
const DESCRIPTION: u16 = 270;
const ASCII: u16 = 2;

/// The text that a program left in the file of a PNG, JPEG, WebP or TIFF for the settings of its run: what
/// [`SaveOptions::settings`](super::SaveOptions::settings) was, in ASCII. `None` if there is none.
pub fn settings_of(bytes: &[u8]) -> Option<String> {
    let text = match sniff(bytes)? {
        Kind::Png => png(bytes),
        Kind::Jpeg => jpeg(bytes),
        Kind::WebP => webp(bytes),
        Kind::Tiff => description(bytes),
        _ => None,
    }?;
    let text = std::str::from_utf8(text).ok()?.trim_end_matches('\0');
    (text.len() <= LONGEST && text.starts_with('{')).then(|| text.into())
}

/// The uncompressed `iTXt` with the key `impasto`, before the pixels or behind them.
fn png(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 8;
    loop {
        let head: &[u8; 8] = bytes.get(at..)?.first_chunk()?;
        let [l0, l1, l2, l3, kind @ ..] = head;
        let length = u32::from_be_bytes([*l0, *l1, *l2, *l3]) as usize;
        let end = at.checked_add(8)?.checked_add(length)?;
        let content = bytes.get(at + 8..end)?;
        // Key, NUL, two zeros for no compression, a language and a translated key, each with its NUL.
        if kind == b"iTXt"
            && let Some(rest) = content.strip_prefix(b"impasto\0\0\0")
        {
            return rest.splitn(3, |byte| *byte == 0).nth(2);
        }
        at = end.checked_add(4)?;
    }
}

/// The first comment that is JSON.
fn jpeg(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 2;
    loop {
        let [0xff, marker, l0, l1] = *bytes.get(at..)?.first_chunk()? else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let content = bytes.get(at + 4..at + 2 + length.max(2))?;
        match marker {
            0xfe if content.starts_with(b"{") => return Some(content),
            // The pixels begin, or end.
            0xda | 0xd9 => return None,
            _ => at += 2 + length.max(2),
        }
    }
}

/// The description in the EXIF of a WebP.
fn webp(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 12;
    loop {
        let head: &[u8; 8] = bytes.get(at..)?.first_chunk()?;
        let [kind @ .., l0, l1, l2, l3] = head;
        let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
        let end = at.checked_add(8)?.checked_add(length)?;
        if kind == b"EXIF" {
            let exif = bytes.get(at + 8..end)?;
            return description(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif));
        }
        at = end.checked_next_multiple_of(2)?;
    }
}

/// The description in the first directory of a TIFF, or of EXIF, which is built like one.
fn description(bytes: &[u8]) -> Option<&[u8]> {
    let little = bytes.starts_with(b"II");
    let short = |at: usize| {
        let pair = *bytes.get(at..)?.first_chunk()?;
        Some(match little {
            true => u16::from_le_bytes(pair),
            false => u16::from_be_bytes(pair),
        })
    };
    let long = |at: usize| {
        let four = *bytes.get(at..)?.first_chunk()?;
        Some(match little {
            true => u32::from_le_bytes(four),
            false => u32::from_be_bytes(four),
        } as usize)
    };
    let directory = long(4)?;
    let entries = usize::from(short(directory)?);
    for entry in 0..entries {
        let at = directory.checked_add(2 + 12 * entry)?;
        if short(at)? == DESCRIPTION && short(at + 2)? == ASCII {
            let length = long(at + 4)?;
            // Texts of up to four bytes stand in the entry itself.
            let start = if length <= 4 { at + 8 } else { long(at + 8)? };
            return bytes.get(start..start.checked_add(length)?);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Picture;
    use crate::picture::{Depth, Format, SaveOptions};

    const FORMATS: [Format; 4] = [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff];

    fn file(format: Format, settings: Option<&str>, depth: Depth) -> Vec<u8> {
        let picture = Picture::new(5, 3, vec![0.25; 45]).unwrap();
        let options = SaveOptions {
            settings: settings.map(String::from),
            depth: Some(depth),
            ..SaveOptions::default()
        };
        picture.encode(format, &options).unwrap()
    }

    #[test]
    fn settings_come_back_from_every_format() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(60_000));
        for format in FORMATS {
            for depth in [Depth::Eight, Depth::Sixteen] {
                for text in [r#"{"styles":["a"],"b":1}"#, "{}", &long] {
                    let found = settings_of(&file(format, Some(text), depth));
                    assert_eq!(found.as_deref(), Some(text), "{format:?}");
                }
                assert_eq!(settings_of(&file(format, None, depth)), None, "{format:?}");
            }
        }
    }

    #[test]
    fn a_file_that_ends_anywhere_or_says_anything_is_no_danger() {
        for format in FORMATS {
            let whole = file(format, Some(r#"{"a":[1,2,3]}"#), Depth::Eight);
            for end in 0..whole.len() {
                settings_of(&whole[..end]);
                let mut other = whole.clone();
                other[end] = 0xff;
                settings_of(&other);
            }
        }
    }

    #[test]
    fn what_is_longer_than_settings_are_is_left() {
        let text = format!(r#"{{"a":"{}"}}"#, "x".repeat(LONGEST));
        assert_eq!(
            settings_of(&file(Format::Png, Some(&text), Depth::Eight)),
            None
        );
    }
}
