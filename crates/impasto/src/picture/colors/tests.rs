use super::*;
use crate::picture::Depth;
use crate::random::Random;
use impasto_testing::{Tolerance, assert_close, assert_near};

const MAPS: [ColorMode; 5] = [
    ColorMode::Content,
    ColorMode::Cholesky,
    ColorMode::Pca,
    ColorMode::Coral,
    ColorMode::Histogram,
];

fn colors(mode: ColorMode) -> Colors {
    Colors {
        mode,
        ..Colors::default()
    }
}

/// Correlated colours around a mean, well inside of the range.
fn picture(seed: u64, mean: [f32; 3], spread: f32) -> Picture {
    let (mut random, (width, height)) = (Random::new(seed), (23, 17));
    let pixels = width * height;
    let mut rgb = vec![0.0; 3 * pixels];
    for pixel in 0..pixels {
        let [x, y, z] = [(); 3].map(|()| random.uniform() - 0.5);
        let away = [x + 0.5 * y, 0.8 * x - 0.2 * z, 0.3 * x + 0.6 * z];
        for plane in 0..3 {
            rgb[plane * pixels + pixel] = mean[plane] + spread * away[plane];
        }
    }
    Picture::new(width, height, rgb).unwrap()
}

fn moments(picture: &Picture, space: ColorSpace) -> Moments {
    let seen: Vec<_> = picture
        .colors()
        .map(|rgb| (space.enter(rgb), 1.0))
        .collect();
    Moments::of(seen.into_iter())
}

#[test]
fn the_same_colours_stay_as_they_are() {
    let same = picture(1, [0.4, 0.5, 0.6], 0.3);
    for mode in MAPS
        .into_iter()
        .chain([ColorMode::ContentExact, ColorMode::Luminance])
    {
        for space in [ColorSpace::Oklab, ColorSpace::Srgb] {
            let given = Colors {
                space,
                ..colors(mode)
            }
            .give(&same, &same);
            let tolerance = 2e-5;
            assert_close(
                mode.name(),
                given.rgb(),
                same.rgb(),
                Tolerance::absolute(tolerance),
            );
        }
    }
}

#[test]
fn mean_and_deviation_are_the_others() {
    let (own, other) = (
        picture(2, [0.5, 0.5, 0.5], 0.2),
        picture(3, [0.55, 0.45, 0.4], 0.12),
    );
    for mode in MAPS {
        for space in [ColorSpace::Oklab, ColorSpace::Srgb] {
            let given = Colors {
                space,
                ..colors(mode)
            }
            .give(&own, &other);
            let (got, wanted) = (moments(&given, space), moments(&other, space));
            assert_near(
                mode.name(),
                got.first().0,
                wanted.first().0,
                Tolerance::absolute(2e-3),
            );
            assert_near(
                mode.name(),
                got.first().1,
                wanted.first().1,
                Tolerance::relative(0.03),
            );
        }
    }
}

#[test]
fn strength_is_how_far_colours_go() {
    let (own, other) = (
        picture(4, [0.5, 0.4, 0.5], 0.2),
        picture(5, [0.4, 0.5, 0.45], 0.15),
    );
    for mode in MAPS {
        let at = |strength| {
            let space = ColorSpace::Srgb;
            Colors {
                strength,
                space,
                ..colors(mode)
            }
            .give(&own, &other)
        };
        assert_eq!(at(0.0), own, "{}", mode.name());
        let (half, all) = (at(0.5), at(1.0));
        let middle: Vec<f32> = own
            .rgb()
            .iter()
            .zip(all.rgb())
            .map(|(a, b)| (a + b) / 2.0)
            .collect();
        assert_close(mode.name(), half.rgb(), &middle, Tolerance::absolute(1e-6));
    }
}

#[test]
fn flat_grey_and_two_coloured_pictures_stay_pictures() {
    let flat = Picture::new(4, 3, vec![0.5; 36]).unwrap();
    let white = Picture::new(1, 1, vec![1.0; 3]).unwrap();
    let two = Picture::new(2, 1, vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0]).unwrap();
    let grey: Vec<f32> = (0..36).map(|at| (at % 12) as f32 / 11.0).collect();
    let grey = Picture::new(4, 3, grey).unwrap();
    let rich = picture(6, [0.5, 0.5, 0.5], 0.4);
    let pictures = [&flat, &white, &two, &grey, &rich];
    for (mode, _) in ColorMode::NAMES.iter().map(|(_, mode)| (*mode, ())) {
        for (own, like) in pictures
            .iter()
            .flat_map(|own| pictures.map(move |like| (*own, like)))
        {
            for picture in [
                colors(mode).give(own, like),
                colors(mode).prepare_style(own, like),
            ] {
                let fits = picture
                    .rgb()
                    .iter()
                    .all(|value| (0.0..=1.0).contains(value));
                assert!(fits, "{}: {:?}", mode.name(), picture.rgb());
            }
        }
    }
    // A flat picture has the other's mean, and no noise.
    let given = colors(ColorMode::Content).give(&flat, &rich);
    assert!(
        given.rgb()[..12]
            .iter()
            .all(|value| *value == given.rgb()[0])
    );
}

#[test]
fn lightness_is_the_results_and_chroma_the_contents() {
    let (result, content) = (
        picture(7, [0.5, 0.5, 0.5], 0.25),
        picture(8, [0.5, 0.55, 0.45], 0.2),
    );
    let given = colors(ColorMode::ContentExact).give(&result, &content);
    for ((given, result), content) in given.colors().zip(result.colors()).zip(content.colors()) {
        let [given, result, content] = [given, result, content].map(oklab::from_srgb);
        assert_near("L", given[0], result[0], Tolerance::absolute(1e-3));
        for axis in [1, 2] {
            assert_near(
                "chroma",
                given[axis],
                content[axis],
                Tolerance::absolute(1e-3),
            );
        }
    }
    // Of a grey content nothing but greys.
    let grey = luma::grey(Luma::Oklab, &content);
    let given = colors(ColorMode::ContentExact).give(&result, &grey);
    let pixels = given.width() * given.height();
    let (red, blue) = (&given.rgb()[..pixels], &given.rgb()[2 * pixels..]);
    assert_close("grey", red, blue, Tolerance::absolute(1e-4));
}

#[test]
fn what_is_hidden_does_not_count_and_depth_stays() {
    let (own, like) = (
        picture(9, [0.4, 0.4, 0.4], 0.2),
        picture(10, [0.6, 0.5, 0.5], 0.2),
    );
    let pixels = like.width() * like.height();
    // The same picture twice as wide, its right half red and hidden.
    let (width, height) = (like.width(), like.height());
    let place = |pixel: usize| (pixel / (2 * width), pixel % (2 * width));
    let rgb = (0..3 * 2 * pixels).map(|at| {
        let (plane, (row, column)) = (at / (2 * pixels), place(at % (2 * pixels)));
        match column < width {
            true => like.rgb()[plane * pixels + row * width + column],
            false => [1.0, 0.0, 0.0][plane],
        }
    });
    let alpha = (0..2 * pixels).map(|pixel| f32::from(u8::from(place(pixel).1 < width)));
    let hidden = Picture::new(2 * width, height, rgb.collect()).unwrap();
    let hidden = hidden.with_alpha(alpha.collect()).unwrap();
    let own = own.with_depth(Depth::Sixteen);
    for mode in MAPS {
        let (given, wanted) = (
            colors(mode).give(&own, &hidden),
            colors(mode).give(&own, &like),
        );
        let tolerance = if mode == ColorMode::Histogram {
            2e-2
        } else {
            1e-5
        };
        assert_close(
            mode.name(),
            given.rgb(),
            wanted.rgb(),
            Tolerance::absolute(tolerance),
        );
        assert_eq!(given.depth(), Depth::Sixteen);
    }
}

/// Flat areas get the other's mean colour where they are all there is, and no colours that nothing has elsewhere.
#[test]
fn flat_areas_have_no_colours_of_their_own() {
    let other = picture(11, [0.6, 0.5, 0.5], 0.2);
    let mean = |picture: &Picture| -> Vec<f32> {
        let pixels = picture.width() * picture.height();
        let planes = picture.rgb().chunks_exact(pixels);
        planes
            .map(|plane| plane.iter().sum::<f32>() / pixels as f32)
            .collect()
    };
    for flat in [[0.5, 0.5, 0.5], [0.8, 0.1, 0.1], [1.0, 1.0, 1.0]] {
        let flat = Picture::new(8, 8, flat.iter().flat_map(|&x| [x; 64]).collect()).unwrap();
        let given = colors(ColorMode::Histogram).give(&flat, &other);
        assert_close(
            "flat",
            &mean(&given),
            &mean(&other),
            Tolerance::absolute(0.02),
        );
    }
    // Half of it flat: the whole has the other's mean still.
    let own = picture(12, [0.4, 0.4, 0.4], 0.2);
    let rgb = own.rgb().chunks_exact(23 * 17).flat_map(|plane| {
        let values = plane.iter().enumerate();
        values.map(|(at, value)| if at % 2 == 0 { 0.9 } else { *value })
    });
    let half = Picture::new(23, 17, rgb.collect()).unwrap();
    let given = colors(ColorMode::Histogram).give(&half, &other);
    assert_close(
        "half",
        &mean(&given),
        &mean(&other),
        Tolerance::absolute(0.04),
    );
}
