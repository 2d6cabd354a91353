//! Text for the page: escaped, and numbers as people write them.

/// Text for HTML, as content or in a quoted attribute.
///
/// Names come from files and files from anywhere: besides the five signs of markup, control characters and those
/// that turn the direction of writing, with which a name can pose as another, become `�`. Line ends and tabs stay.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push('\u{fffd}');
            }
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Three significant digits: `0.0412`, `41.2`, `4120`, `4.12e-6`.
pub(super) fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if !value.is_finite() {
        return "–".into();
    }
    // Of the rounded value, so that .09996 gets the digits of .1.
    let rounded = format!("{value:.2e}");
    let exponent: i32 = match rounded.split_once('e') {
        Some((_, exponent)) => exponent.parse().unwrap_or(0),
        None => 0,
    };
    match exponent {
        -3..=4 => format!("{value:.*}", (2 - exponent).max(0) as usize),
        _ => rounded,
    }
}

/// The same without zeros at the end: `0.05`, `1`, `1e-6`.
pub(super) fn short(value: f64) -> String {
    let text = significant(value);
    let (digits, exponent) = match text.split_once('e') {
        Some((digits, exponent)) => (digits, format!("e{exponent}")),
        None => (text.as_str(), String::new()),
    };
    match digits.contains('.') {
        true => format!(
            "{}{exponent}",
            digits.trim_end_matches('0').trim_end_matches('.')
        ),
        false => format!("{digits}{exponent}"),
    }
}

/// A span of time: `3.42 s`, `41.2 s`, `5 min 03 s`, `1 h 05 min`.
pub(super) fn duration(seconds: f64) -> String {
    if seconds.is_nan() || seconds < 99.95 {
        return format!("{} s", significant(seconds.max(0.0)));
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match hours {
        0 => format!("{minutes} min {rest:02} s"),
        _ => format!("{hours} h {minutes:02} min"),
    }
}

/// Base 64 of RFC 4648, section 4.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() { letter.into() } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_markup_survives() {
        assert_eq!(
            escape("<img src=x onerror=\"alert('&')\">"),
            "&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;"
        );
        assert_eq!(escape("a\nb\tc"), "a\nb\tc");
        assert_eq!(
            escape("a\0b\u{1b}[31m\u{85}"),
            "a\u{fffd}b\u{fffd}[31m\u{fffd}"
        );
        assert_eq!(escape("photo\u{202e}gpj.exe"), "photo\u{fffd}gpj.exe");
        assert_eq!(escape("Blumen – 花 🌻"), "Blumen – 花 🌻");
    }

    #[test]
    fn numbers_have_three_digits() {
        for (value, text, trimmed) in [
            (0.0, "0", "0"),
            (0.05, "0.0500", "0.05"),
            (1.0, "1.00", "1"),
            (0.09996, "0.100", "0.1"),
            (9.996, "10.0", "10"),
            (412.3, "412", "412"),
            (41_234.0, "41234", "41234"),
            (100.0, "100", "100"),
            (1e5, "1.00e5", "1e5"),
            (1.234e-6, "1.23e-6", "1.23e-6"),
            (-0.5, "-0.500", "-0.5"),
            (f64::NAN, "–", "–"),
            (f64::INFINITY, "–", "–"),
            (f64::MAX, "1.80e308", "1.8e308"),
        ] {
            assert_eq!(significant(value), text);
            assert_eq!(short(value), trimmed);
        }
    }

    #[test]
    fn times_are_told_in_the_units_of_people() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (-1.0, "0 s"),
            (0.0123, "0.0123 s"),
            (3.416, "3.42 s"),
            (99.94, "99.9 s"),
            (99.96, "1 min 40 s"),
            (303.2, "5 min 03 s"),
            (3599.7, "1 h 00 min"),
            (7500.0, "2 h 05 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn base64_agrees_with_the_vectors_of_its_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
