//! JPEG XL, which is read with the feature `jxl`: limits and damage. Its pixels are compared with the others'.

use std::fs;

use impasto::picture::{Limits, Picture, PictureError};
use proptest::prelude::*;

use super::golden;

const FILES: [&str; 5] = [
    "jxl/rgb.jxl",
    "jxl/rgba.jxl",
    "jxl/grey16.jxl",
    "jxl/p3-jpeg.jxl",
    "jxl/orientation6-jpeg.jxl",
];

#[test]
fn limits_are_checked() {
    for name in FILES {
        let bytes = fs::read(golden(name)).unwrap();
        let limits = Limits {
            max_side: 4,
            ..Limits::default()
        };
        let refused = Picture::decode(&bytes, name, &limits);
        assert!(
            matches!(refused, Err(PictureError::Limit { .. })),
            "{name}: {refused:?}"
        );
    }
}

/// Never half a picture: what is cut is refused, or only its end is missing, and all pixels are there.
#[test]
fn what_is_cut_is_whole_or_refused() {
    for name in FILES {
        let bytes = fs::read(golden(name)).unwrap();
        let whole = Picture::decode(&bytes, name, &Limits::default()).unwrap();
        for end in 1..bytes.len() {
            match Picture::decode(&bytes[..end], name, &Limits::default()) {
                Ok(picture) => assert_eq!(picture, whole, "{name} up to byte {end}"),
                Err(error) => assert!(error.to_string().contains(name), "{error}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn damaged_bytes_never_panic(
        file in 0..FILES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = fs::read(golden(FILES[file])).unwrap();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let _ = Picture::decode(&bytes, FILES[file], &Limits { max_pixels: 1 << 20, ..Limits::default() });
    }
}
