//! Which format the bytes are, whatever the name of the file says.

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::picture) enum Kind {
    Jpeg,
    Png,
    WebP,
    Tiff,
    Bmp,
    Gif,
    Pnm,
    Qoi,
    #[cfg(feature = "jxl")]
    JpegXl,
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
            Kind::Pnm => "PNM",
            Kind::Qoi => "QOI",
            #[cfg(feature = "jxl")]
            Kind::JpegXl => "JPEG XL",
        }
    }
}

/// What else a file may be, and what makes a picture of it that can be read.
type Other = (&'static str, &'static str);

const HEIC: Other = (
    "HEIC",
    "make a PNG of it with `sips -s format png FILE --out FILE.png` (macOS), `heif-convert FILE \
     FILE.png` or `magick FILE FILE.png`",
);
const AVIF: Other = (
    "AVIF",
    "make a PNG of it with `avifdec FILE FILE.png`, `ffmpeg -i FILE FILE.png` or `magick FILE \
     FILE.png`",
);
#[cfg(feature = "jxl")]
const JPEG_XL: Result<Kind, Other> = Ok(Kind::JpegXl);
#[cfg(not(feature = "jxl"))]
const JPEG_XL: Result<Kind, Other> = Err((
    "JPEG XL",
    "make a PNG of it with `djxl FILE FILE.png` or `magick FILE FILE.png`, or build impasto with `--features jxl`",
));
const JPEG_2000: Other = (
    "JPEG 2000",
    "make a PNG of it with `opj_decompress -i FILE -o FILE.png` or `magick FILE FILE.png`",
);
const VIDEO: Other = (
    "a video",
    "take a picture from it with `ffmpeg -i FILE -frames:v 1 FILE.png`",
);
const DEVELOP: &str = "develop it with a program for raw files, such as darktable or RawTherapee, and save \
                       a TIFF or PNG";
const MAGICK: &str = "make a PNG of it with `magick FILE FILE.png`";
const EXPORT: &str = "export a PNG from the program that made it";
const UNPACK: &str = "unpack it first";
const PAGE: &str = "make a PNG of a page with `pdftoppm -png FILE FILE` or `magick`";
const CHECK: &str = "check that this is the file you mean; JPEG, PNG, WebP, TIFF, BMP, GIF, PNM and QOI \
                     are read";

/// Offset, bytes that are there, and the format or what else it is. The first match counts.
const SIGNATURES: &[(usize, &[u8], Result<Kind, Other>)] = &[
    (0, b"\xff\xd8\xff", Ok(Kind::Jpeg)),
    (0, b"\x89PNG\r\n\x1a\n", Ok(Kind::Png)),
    (8, b"WEBP", Ok(Kind::WebP)),
    (8, b"CR\x02", Err(("a camera raw file, CR2", DEVELOP))),
    (0, b"II*\0", Ok(Kind::Tiff)),
    (0, b"MM\0*", Ok(Kind::Tiff)),
    (0, b"II+\0", Ok(Kind::Tiff)),
    (0, b"MM\0+", Ok(Kind::Tiff)),
    (0, b"GIF87a", Ok(Kind::Gif)),
    (0, b"GIF89a", Ok(Kind::Gif)),
    (0, b"BM", Ok(Kind::Bmp)),
    (0, b"qoif", Ok(Kind::Qoi)),
    (4, b"ftypcrx ", Err(("a camera raw file, CR3", DEVELOP))),
    (4, b"ftyp", Err(VIDEO)),
    (0, b"\xff\x0a", JPEG_XL),
    (0, b"\0\0\0\x0cJXL ", JPEG_XL),
    (0, b"\0\0\0\x0cjP  ", Err(JPEG_2000)),
    (0, b"\xff\x4f\xff\x51", Err(JPEG_2000)),
    (0, b"8BPS", Err(("a Photoshop document", EXPORT))),
    (0, b"gimp xcf", Err(("a GIMP document", EXPORT))),
    (0, b"\x76\x2f\x31\x01", Err(("OpenEXR", MAGICK))),
    (0, b"#?RADIANCE", Err(("Radiance HDR", MAGICK))),
    (0, b"DDS ", Err(("DDS", MAGICK))),
    (0, b"FUJIFILM", Err(("a camera raw file, RAF", DEVELOP))),
    (0, b"IIU\0", Err(("a camera raw file, RW2", DEVELOP))),
    (0, b"IIRO", Err(("a camera raw file, ORF", DEVELOP))),
    (0, b"\0\0\x01\0", Err(("an icon", MAGICK))),
    (0, b"%PDF", Err(("PDF", PAGE))),
    (0, b"%!PS", Err(("PostScript", PAGE))),
    (0, b"PK\x03\x04", Err(("a ZIP archive", UNPACK))),
    (0, b"\x1f\x8b", Err(("a gzip archive", UNPACK))),
    (0, b"\x28\xb5\x2f\xfd", Err(("a Zstandard archive", UNPACK))),
    (0, b"\x1aE\xdf\xa3", Err(VIDEO)),
    (
        0,
        b"<svg",
        Err((
            "SVG",
            "make a PNG of it with `rsvg-convert FILE -o FILE.png`",
        )),
    ),
    (
        0,
        b"<",
        Err((
            "a web page or XML",
            "save the picture itself, not the page around it",
        )),
    ),
    (
        0,
        b"version https://git-lfs",
        Err((
            "a Git LFS pointer, not the file itself",
            "fetch the file with `git lfs pull`",
        )),
    ),
];

/// The format, or what is there instead and the way out.
pub(super) fn kind(bytes: &[u8]) -> Result<Kind, Other> {
    if let Some(other) = heif(bytes) {
        return Err(other);
    }
    if is_pnm(bytes) {
        return Ok(Kind::Pnm);
    }
    let matching = SIGNATURES
        .iter()
        .find(|(offset, magic, _)| bytes.get(*offset..).is_some_and(|b| b.starts_with(magic)));
    match matching {
        Some((_, _, kind)) => *kind,
        None if is_text(bytes) => Err(("text", CHECK)),
        None if bytes.iter().all(|&byte| byte == 0) => Err(("nothing but zeros", CHECK)),
        None => Err(("other data", CHECK)),
    }
}

/// Which of the formats in the HEIF container (ISO/IEC 23008-12) it is: by the brands of the file,
/// and where these only say that it is a picture, by the codec of its items.
fn heif(bytes: &[u8]) -> Option<Other> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let header = bytes.get(4..length.clamp(16, 1024).min(bytes.len()))?;
    let brands = header.strip_prefix(b"ftyp")?.as_chunks::<4>().0;
    let (major, compatible) = brands.split_first()?;
    // Between the two is the minor version.
    let brands = || [major].into_iter().chain(compatible.iter().skip(1));
    let codec = |brand: &[u8; 4]| match brand {
        b"avif" | b"avis" | b"av01" => Some(AVIF),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hvc1" => Some(HEIC),
        b"jpeg" | b"jpgs" | b"avci" | b"j2ki" | b"vvic" => Some(("HEIF", MAGICK)),
        _ => None,
    };
    brands().find_map(codec).or_else(|| {
        let is_picture =
            brands().any(|brand| matches!(brand, b"mif1" | b"mif2" | b"msf1" | b"miaf"));
        let start = &bytes[..bytes.len().min(1 << 16)];
        let items = || start.windows(4).filter_map(<[u8]>::first_chunk);
        let of_items = || items().find_map(|kind| if kind == b"ftyp" { None } else { codec(kind) });
        is_picture.then(|| of_items().unwrap_or(("HEIF", MAGICK)))
    })
}

/// Portable bit-, grey-, pixel- and arbitrary maps: P, a digit, white space.
fn is_pnm(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'1'..=b'7', next, ..] if next.is_ascii_whitespace() || *next == b'#')
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
