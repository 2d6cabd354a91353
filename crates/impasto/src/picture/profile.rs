//! Colour management: from what a file says of its colours to sRGB, and the sRGB profile that is
//! written.
//!
//! A file has an ICC profile, code points of ITU-T H.273, or primaries and an exponent; the latter
//! two become profiles of matrix and curves.
//!
//! Conversion is perceptual, as browsers do it: a profile with tables uses its perceptual table,
//! one of matrix and curves has only the colorimetric rendering. What lies outside sRGB is
//! clipped. A profile that cannot be read or belongs to other colours than the picture's is
//! ignored with a warning. A profile that changes no colour by half a step of 8 bits *is* sRGB,
//! and the samples pass unchanged.

use std::sync::Arc;

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace,
    Layout, MatrixCoefficients, RenderingIntent, ToneReprCurve, TransferCharacteristics,
    Transform16BitExecutor, TransformOptions, Xyzd,
};

/// The colours of a pixel as they are in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    Grey,
    Rgb,
    /// Inks, 0 (none) to 1 (full).
    Cmyk,
}

impl Model {
    pub(super) fn channels(self) -> usize {
        match self {
            Model::Grey => 1,
            Model::Rgb => 3,
            Model::Cmyk => 4,
        }
    }

    /// One row of interleaved colours to planes, taken as sRGB; without a profile inks are taken
    /// to be ideal: `red = (1 − cyan)(1 − black)`.
    pub(super) fn row(self, colours: &[f32], planes: [&mut [f32]; 3]) {
        for (c, plane) in planes.into_iter().enumerate() {
            for (x, out) in plane.iter_mut().enumerate() {
                *out = match self {
                    Model::Grey => colours[x],
                    Model::Rgb => colours[3 * x + c],
                    Model::Cmyk => (1.0 - colours[4 * x + c]) * (1.0 - colours[4 * x + 3]),
                };
            }
        }
    }
}

/// What a file says of its colours.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Profile {
    /// The bytes of an ICC profile.
    Icc(Vec<u8>),
    Cicp(Cicp),
    Calibrated(Calibration),
}

/// Code points of ITU-T H.273 for red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cicp {
    /// Table 2.
    pub(super) primaries: u8,
    /// Table 3.
    pub(super) transfer: u8,
    /// Whether samples go from 0 to their largest value, and not as in video.
    pub(super) full_range: bool,
}

impl Cicp {
    /// Whether both are among those that can be converted: the primaries with chromaticities, and
    /// BT.709 and its equals, BT.470, linear and sRGB transfers.
    pub(super) fn is_known(&self) -> bool {
        matches!(self.primaries, 1 | 4..=12 | 22)
            && matches!(self.transfer, 1 | 4..=6 | 8 | 13..=15)
    }

    /// The name of a transfer whose white is far brighter than a screen's, so that it would have
    /// to be mapped by taste.
    pub(super) fn high_dynamic_range(&self) -> Option<&'static str> {
        match self.transfer {
            16 => Some("PQ"),
            18 => Some("HLG"),
            _ => None,
        }
    }
}

/// How the samples of a file relate to light, in PNG's `gAMA` and `cHRM`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Calibration {
    /// `sample = light^gamma`; sRGB's curve if it is not said.
    pub(super) gamma: Option<f32>,
    /// x and y of white, red, green and blue; sRGB's if they are not said.
    pub(super) chromaticities: Option<[[f32; 2]; 4]>,
}

impl Calibration {
    pub(super) fn is_there(&self) -> bool {
        self.gamma.is_some() || self.chromaticities.is_some()
    }

    /// None if the numbers make no sense.
    fn profile(&self) -> Option<ColorProfile> {
        let mut profile = target();
        profile.cicp = None;
        if let Some(values) = self.chromaticities {
            let inside = |[x, y]: [f32; 2]| (0.0..=1.0).contains(&x) && (0.001..=1.0).contains(&y);
            if !values.into_iter().all(inside) {
                return None;
            }
            let [white, red, green, blue] = values.map(|[x, y]| Chromaticity { x, y });
            let primaries = ColorPrimaries { red, green, blue };
            profile.update_rgb_colorimetry(white.to_xyyb(), primaries);
            let colorants = [
                profile.red_colorant,
                profile.green_colorant,
                profile.blue_colorant,
            ];
            // Primaries on one line span no colours.
            let usable = |c: &Xyzd| [c.x, c.y, c.z].iter().all(|v| v.abs() < 16.0);
            if !colorants.iter().all(usable) {
                return None;
            }
        }
        if let Some(gamma) = self.gamma {
            if !(0.05..=20.0).contains(&gamma) {
                return None;
            }
            // The exponent that stands for sRGB in `gAMA`, where the curve itself cannot be said;
            // decoders take what is within 5 % of it as a screen's (libpng's threshold).
            if (gamma * 2.2 - 1.0).abs() > 0.05 {
                let curve = ToneReprCurve::Parametric(vec![1.0 / gamma]);
                profile.red_trc = Some(curve.clone());
                profile.green_trc = Some(curve.clone());
                profile.blue_trc = Some(curve);
            }
        }
        Some(profile)
    }
}

impl Profile {
    /// What this is called in messages.
    fn name(&self) -> &'static str {
        match self {
            Profile::Icc(_) => "ICC profile",
            Profile::Cicp(_) => "cICP chunk",
            Profile::Calibrated(_) => "gAMA or cHRM chunk",
        }
    }

    fn parse(&self) -> Result<ColorProfile, String> {
        match self {
            Profile::Icc(icc) => {
                ColorProfile::new_from_slice(icc).map_err(|error| error.to_string())
            }
            Profile::Cicp(cicp) => {
                let transfer = TransferCharacteristics::try_from(cicp.transfer);
                let primaries = CicpColorPrimaries::try_from(cicp.primaries);
                Ok(ColorProfile::new_from_cicp(CicpProfile {
                    color_primaries: primaries.map_err(|error| error.to_string())?,
                    transfer_characteristics: transfer.map_err(|error| error.to_string())?,
                    matrix_coefficients: MatrixCoefficients::Identity,
                    full_range: true,
                }))
            }
            Profile::Calibrated(calibration) => {
                let profile = calibration.profile();
                profile.ok_or_else(|| "its numbers make no sense".into())
            }
        }
    }
}

/// Turns rows of one picture's colours into sRGB.
pub(super) struct Converter {
    transform: Arc<Transform16BitExecutor>,
    /// What the profile takes: grey pictures may come with an RGB profile.
    takes: Model,
    has: Model,
}

impl Converter {
    /// None if the profile says sRGB, or cannot be used (which is logged with `name`).
    pub(super) fn new(profile: &Profile, has: Model, name: &str) -> Option<Converter> {
        let what = profile.name();
        let ignored = |why: String| {
            log::warn!("{name}: its {what} is ignored ({why}); colours are taken as sRGB");
        };
        let profile = match profile.parse() {
            Ok(profile) => profile,
            Err(why) => {
                ignored(why);
                return None;
            }
        };
        let (takes, layout) = match (profile.color_space, has) {
            (DataColorSpace::Gray, Model::Grey) => (Model::Grey, Layout::Gray),
            (DataColorSpace::Rgb, Model::Grey | Model::Rgb) => (Model::Rgb, Layout::Rgb),
            // Four samples, whatever they mean.
            (DataColorSpace::Cmyk, Model::Cmyk) => (Model::Cmyk, Layout::Rgba),
            (other, _) => {
                ignored(format!("it is for {other:?}, the picture is {has:?}"));
                return None;
            }
        };
        let options = TransformOptions {
            rendering_intent: RenderingIntent::Perceptual,
            prefer_fixed_point: false,
            ..TransformOptions::default()
        };
        match profile.create_transform_16bit(layout, &target(), Layout::Rgb, options) {
            Ok(transform) => {
                let converter = Converter {
                    transform,
                    takes,
                    has,
                };
                (!converter.changes_nothing()).then_some(converter)
            }
            Err(error) => {
                ignored(error.to_string());
                None
            }
        }
    }

    /// One row of interleaved colours 0..1 to planes; `steps` are buffers to reuse.
    pub(super) fn row(&self, colours: &[f32], steps: &mut [Vec<u16>; 2], planes: [&mut [f32]; 3]) {
        let [source, target] = steps;
        let step = |value: &f32| (value * 65535.0).round() as u16;
        source.clear();
        if self.takes == self.has {
            source.extend(colours.iter().map(step));
        } else {
            source.extend(colours.iter().flat_map(|grey| [step(grey); 3]));
        }
        target.resize(3 * planes[0].len(), 0);
        // Lengths agree by construction; a failure would leave the last row's values.
        if let Err(error) = self.transform.transform(source, target) {
            log::warn!("a row of colours could not be converted: {error}");
            return self.has.row(colours, planes);
        }
        for (c, plane) in planes.into_iter().enumerate() {
            for (x, out) in plane.iter_mut().enumerate() {
                *out = f32::from(target[3 * x + c]) / 65535.0;
            }
        }
    }

    /// Whether a lattice of RGB colours comes back within half a step of 8 bits.
    fn changes_nothing(&self) -> bool {
        const SIDE: usize = 9;
        if self.takes != Model::Rgb {
            return false;
        }
        let level = |i: usize| i as f32 / (SIDE - 1) as f32;
        let lattice: Vec<f32> = (0..SIDE * SIDE * SIDE)
            .flat_map(|i| {
                [
                    level(i % SIDE),
                    level(i / SIDE % SIDE),
                    level(i / SIDE / SIDE),
                ]
            })
            .collect();
        let lattice_of_rgb = Converter {
            has: Model::Rgb,
            transform: self.transform.clone(),
            ..*self
        };
        let mut planes = [const { [0.0; SIDE * SIDE * SIDE] }; 3];
        let [red, green, blue] = &mut planes;
        lattice_of_rgb.row(&lattice, &mut Default::default(), [red, green, blue]);
        let close = |(i, value): (usize, &f32)| (value - planes[i % 3][i / 3]).abs() < 0.5 / 255.0;
        lattice.iter().enumerate().all(close)
    }
}

/// White of the connection space, X, Y, Z in 1/65536.
const D50: [u32; 3] = [0xf6d6, 0x1_0000, 0xd32d];

/// The primaries of sRGB, adapted from D65 to D50 by Bradford's method and rounded so that they
/// sum to white.
const COLORANTS: [(&[u8; 4], [u32; 3]); 3] = [
    (b"rXYZ", [0x6fa0, 0x38f5, 0x0390]),
    (b"gXYZ", [0x6297, 0xb787, 0x18d9]),
    (b"bXYZ", [0x249f, 0x0f84, 0xb6c4]),
];

/// sRGB to convert to: the library's curves, which are formulas, and our colorants, which are
/// those of other programs to the last digit.
fn target() -> ColorProfile {
    let [red, green, blue] = COLORANTS.map(|(_, xyz)| {
        let [x, y, z] = xyz.map(|value| f64::from(value) / 65536.0);
        Xyzd { x, y, z }
    });
    let mut srgb = ColorProfile::new_srgb();
    srgb.red_colorant = red;
    srgb.green_colorant = green;
    srgb.blue_colorant = blue;
    srgb
}

/// An sRGB profile (ICC version 2.1, IEC 61966-2-1 curve in 1024 points), the same bytes always.
///
/// Version 2 because every reader of the last decades knows it.
pub(super) fn srgb() -> Vec<u8> {
    let xyz = |values: [u32; 3]| {
        let mut tag = b"XYZ \0\0\0\0".to_vec();
        values
            .iter()
            .for_each(|value| tag.extend(value.to_be_bytes()));
        tag
    };
    let name = b"sRGB\0";
    let mut description = b"desc\0\0\0\0\0\0\0\x05".to_vec();
    description.extend(name);
    // No description in Unicode or for the Macintosh.
    description.extend([0; 4 + 4 + 2 + 1 + 67]);

    let mut tags = vec![
        (vec![b"desc"], description),
        (vec![b"cprt"], b"text\0\0\0\0CC0\0".to_vec()),
        (vec![b"wtpt"], xyz(D50)),
        (vec![b"rTRC", b"gTRC", b"bTRC"], srgb_curve()),
    ];
    tags.extend(COLORANTS.map(|(signature, values)| (vec![signature], xyz(values))));

    let count: usize = tags.iter().map(|(signatures, _)| signatures.len()).sum();
    let mut table = (count as u32).to_be_bytes().to_vec();
    let mut data: Vec<u8> = Vec::new();
    for (signatures, tag) in tags {
        let offset = 128 + 4 + 12 * count + data.len();
        for signature in signatures {
            table.extend(signature);
            table.extend((offset as u32).to_be_bytes());
            table.extend((tag.len() as u32).to_be_bytes());
        }
        data.extend(tag);
        data.resize(data.len().next_multiple_of(4), 0);
    }

    let mut profile = ((128 + table.len() + data.len()) as u32)
        .to_be_bytes()
        .to_vec();
    profile.extend(b"\0\0\0\0\x02\x10\0\0mntrRGB XYZ ");
    // A fixed date, so that the same picture gives the same bytes.
    profile.extend(
        [2000u16, 1, 1, 0, 0, 0]
            .iter()
            .flat_map(|field| field.to_be_bytes()),
    );
    profile.extend(b"acsp");
    profile.resize(68, 0);
    D50.iter()
        .for_each(|value| profile.extend(value.to_be_bytes()));
    profile.resize(128, 0);
    profile.extend(table);
    profile.extend(data);
    profile
}

/// IEC 61966-2-1: `v / 12.92` up to 0.04045, then `((v + 0.055) / 1.055)^2.4`.
fn srgb_curve() -> Vec<u8> {
    const POINTS: u32 = 1024;
    let mut tag = b"curv\0\0\0\0".to_vec();
    tag.extend(POINTS.to_be_bytes());
    for i in 0..POINTS {
        let v = f64::from(i) / f64::from(POINTS - 1);
        let linear = if v <= 0.04045 {
            v / 12.92
        } else {
            ((v + 0.055) / 1.055).powf(2.4)
        };
        tag.extend(((linear * 65535.0).round() as u16).to_be_bytes());
    }
    tag
}
