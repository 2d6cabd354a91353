//! Which format the bytes are, whatever the name of the file says.

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Png,
    WebP,
    Tiff,
    Bmp,
    Gif,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Jpeg => "JPEG",
            Kind::Png => "PNG",
            Kind::WebP => "WebP",
            Kind::Tiff => "TIFF",
            Kind::Bmp => "BMP",
            Kind::Gif => "GIF",
        }
    }
}

/// Offset, bytes that are there, and the format or what else it is. The first match counts.
const SIGNATURES: &[(usize, &[u8], Result<Kind, &str>)] = &[
    (0, b"\xff\xd8\xff", Ok(Kind::Jpeg)),
    (0, b"\x89PNG\r\n\x1a\n", Ok(Kind::Png)),
    (8, b"WEBP", Ok(Kind::WebP)),
    (8, b"CR\x02", Err("a camera raw file, CR2")),
    (0, b"II*\0", Ok(Kind::Tiff)),
    (0, b"MM\0*", Ok(Kind::Tiff)),
    (0, b"II+\0", Ok(Kind::Tiff)),
    (0, b"MM\0+", Ok(Kind::Tiff)),
    (0, b"GIF87a", Ok(Kind::Gif)),
    (0, b"GIF89a", Ok(Kind::Gif)),
    (0, b"BM", Ok(Kind::Bmp)),
    (4, b"ftypavif", Err("AVIF")),
    (4, b"ftypavis", Err("AVIF")),
    (4, b"ftyphei", Err("HEIC")),
    (4, b"ftyphev", Err("HEIC")),
    (4, b"ftypmif1", Err("HEIC")),
    (4, b"ftypcrx ", Err("a camera raw file, CR3")),
    (4, b"ftyp", Err("a video")),
    (0, b"\xff\x0a", Err("JPEG XL")),
    (0, b"\0\0\0\x0cJXL ", Err("JPEG XL")),
    (0, b"\0\0\0\x0cjP  ", Err("JPEG 2000")),
    (0, b"\xff\x4f\xff\x51", Err("JPEG 2000")),
    (0, b"8BPS", Err("a Photoshop document")),
    (0, b"gimp xcf", Err("a GIMP document")),
    (0, b"\x76\x2f\x31\x01", Err("OpenEXR")),
    (0, b"#?RADIANCE", Err("Radiance HDR")),
    (0, b"qoif", Err("QOI")),
    (0, b"DDS ", Err("DDS")),
    (0, b"FUJIFILM", Err("a camera raw file, RAF")),
    (0, b"IIU\0", Err("a camera raw file, RW2")),
    (0, b"IIRO", Err("a camera raw file, ORF")),
    (0, b"\0\0\x01\0", Err("an icon")),
    (0, b"%PDF", Err("PDF")),
    (0, b"%!PS", Err("PostScript")),
    (0, b"PK\x03\x04", Err("a ZIP archive")),
    (0, b"\x1f\x8b", Err("a gzip archive")),
    (0, b"\x1aE\xdf\xa3", Err("a video")),
    (0, b"<svg", Err("SVG")),
    (0, b"<", Err("a web page or XML")),
    (
        0,
        b"version https://git-lfs",
        Err("a Git LFS pointer, not the file itself"),
    ),
];

/// The format, or what is there instead.
pub(super) fn kind(bytes: &[u8]) -> Result<Kind, &'static str> {
    let matching = SIGNATURES
        .iter()
        .find(|(offset, magic, _)| bytes.get(*offset..).is_some_and(|b| b.starts_with(magic)));
    match matching {
        Some((_, _, kind)) => *kind,
        None if is_text(bytes) => Err("text"),
        None if bytes.iter().all(|&byte| byte == 0) => Err("nothing but zeros"),
        None => Err("other data"),
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(512)];
    let readable = |byte: &u8| *byte >= b' ' || byte.is_ascii_whitespace();
    let utf8 = match std::str::from_utf8(start) {
        Ok(_) => true,
        // The cut at 512 bytes may go through a letter.
        Err(error) => error.error_len().is_none(),
    };
    utf8 && start.iter().all(readable)
}
