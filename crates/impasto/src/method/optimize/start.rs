//! What a run starts from: the content, noise, the styles' colours, or a picture.

use super::Session;
use super::state::State;
use crate::method::feedforward::{Means, painted};
use crate::named::Named;
use crate::observer::Scale;
use crate::picture::{Filter, Picture};
use crate::random::Random;
use crate::recipe::{Distribution, Init, MethodSettings, Optimize, Problem};
use crate::style::Style;
use crate::{Error, Result};
use impasto_compute::Size;

impl Session<'_> {
    /// What the run starts from at its first scale.
    pub(super) fn begin(
        &self,
        content: &Picture,
        scale: Scale,
        painted: Option<&Picture>,
    ) -> Result<State> {
        let planes = self.start_planes(content, scale, painted);
        let is_limited = self.layers.calibration.is_some();
        State::new(
            self.device(),
            self.settings,
            self.parameterization(scale),
            planes,
            scale,
            is_limited,
        )
    }

    /// What a network paints at the first scale, if that is what the run starts from.
    pub(super) fn painted(&self, content: &Picture, scales: &[Scale]) -> Result<Option<Picture>> {
        let setup = self.setup;
        let (Some(method), Some(first)) = (self.settings.init.method(), scales.first()) else {
            return Ok(None);
        };
        let Some(painter) = setup.painter.as_deref() else {
            let problem = Problem::new("init", method.name(), "needs a network that paints");
            return Err(Error::Invalid(vec![problem]));
        };
        // The first scale is the smallest.
        let (means, settings) = (
            Means::within(setup, content, setup.limits.memory),
            MethodSettings::of(method),
        );
        let content = content.resized(first.width, first.height, Filter::Bicubic);
        let (picture, _) = painted(setup, means, painter, &settings, &content, None)?;
        Ok(Some(picture))
    }

    /// The planes of what a run starts from at its first scale, in 0..1.
    pub(super) fn start_planes(
        &self,
        content: &Picture,
        scale: Scale,
        painted: Option<&Picture>,
    ) -> Vec<f32> {
        let start = Start {
            settings: self.settings,
            seed: self.setup.recipe.seed,
            content,
            picture: painted.or(self.setup.start.as_ref()),
            styles: &self.setup.styles,
        };
        let mut planes = start.planes((scale.height, scale.width));
        let size = Size {
            width: scale.width,
            height: scale.height,
        };
        if let Some(shares) = self.setup.shares(size) {
            let content = content.resized(size.width, size.height, Filter::Bicubic);
            shares.keep(&mut planes, content.rgb());
        }
        planes
    }
}

/// What the picture that a run starts from is made of.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) settings: &'a Optimize,
    pub(super) seed: u64,
    pub(super) content: &'a Picture,
    /// The picture of [`Init::Picture`], or what a network has painted.
    pub(super) picture: Option<&'a Picture>,
    pub(super) styles: &'a [Style],
}

impl Start<'_> {
    /// Pixels `[3, height, width]` to start from.
    ///
    /// Noise is what the [`NoiseSettings`](crate::recipe::NoiseSettings) say, and may leave the range of pictures. The
    /// styles' statistics are normal noise with the mean colour and the covariance of colours of what is to be seen of the
    /// styles, weighted, clamped to 0..1.
    pub(super) fn planes(&self, (height, width): (usize, usize)) -> Vec<f32> {
        let mut random = Random::new(self.seed);
        let pixels = height * width;
        let resized = |picture: &Picture| {
            let resized = picture.resized(width, height, Filter::Bicubic);
            resized.rgb().to_vec()
        };
        match (self.settings.init, self.picture) {
            (Init::Noise, _) => self.noise(None, pixels, &mut random),
            (Init::Mixed, _) => self.noise(Some(&resized(self.content)), pixels, &mut random),
            (Init::Style, _) => {
                let (mean, factor) = colours(self.styles);
                let mut planes = vec![0.0; 3 * pixels];
                for pixel in 0..pixels {
                    let normal = [random.normal(), random.normal(), random.normal()];
                    for c in 0..3 {
                        let colour =
                            mean[c] + (0..=c).map(|k| factor[c][k] * normal[k]).sum::<f64>();
                        planes[c * pixels + pixel] = colour.clamp(0.0, 1.0) as f32;
                    }
                }
                planes
            }
            (Init::Content, _) | (_, None) => resized(self.content),
            (_, Some(picture)) => resized(picture),
        }
    }

    /// Noise, mixed with the planes of a content if one is given.
    fn noise(&self, content: Option<&[f32]>, pixels: usize, random: &mut Random) -> Vec<f32> {
        let (noise, scale) = (&self.settings.noise, self.settings.pixels.scale());
        let centre = noise.centre.colour();
        let share = if content.is_some() { noise.ratio } else { 1.0 };
        let value = |place: usize| {
            let c = place / pixels;
            let unit = match noise.distribution {
                Distribution::Uniform => 2.0 * random.uniform() - 1.0,
                Distribution::Normal => random.normal() as f32,
            };
            let content = content.map_or(0.0, |planes| planes[place] - centre[c]);
            centre[c] + share * unit * noise.amplitude / scale[c] + (1.0 - share) * content
        };
        (0..3 * pixels).map(value).collect()
    }
}

/// Mean colour of what is to be seen of the styles, and Cholesky factor of its colours' covariance.
fn colours(styles: &[Style]) -> ([f64; 3], [[f64; 3]; 3]) {
    let total: f64 = styles.iter().map(|style| f64::from(style.weight)).sum();
    let (mut mean, mut second) = ([0.0; 3], [[0.0; 3]; 3]);
    for style in styles {
        let pixels = style.picture.width() * style.picture.height();
        let alpha = style
            .picture
            .alpha()
            .filter(|_| style.picture.is_partly_hidden());
        let visible = alpha.map_or(pixels as f64, |alpha| {
            alpha.iter().map(|&alpha| f64::from(alpha)).sum()
        });
        let share = f64::from(style.weight) / total / visible;
        for pixel in 0..pixels {
            let share = match alpha {
                Some(alpha) => share * f64::from(alpha[pixel]),
                None => share,
            };
            let colour = [0, 1, 2].map(|c| f64::from(style.picture.rgb()[c * pixels + pixel]));
            for i in 0..3 {
                mean[i] += share * colour[i];
                for j in 0..=i {
                    second[i][j] += share * colour[i] * colour[j];
                }
            }
        }
    }
    let mut factor = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..=i {
            let rest = second[i][j]
                - mean[i] * mean[j]
                - (0..j).map(|k| factor[i][k] * factor[j][k]).sum::<f64>();
            factor[i][j] = match () {
                () if i == j => rest.max(0.0).sqrt(),
                () if factor[j][j] > 0.0 => rest / factor[j][j],
                () => 0.0,
            };
        }
    }
    (mean, factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Centre, NoiseSettings, Pixels};
    use impasto_testing::compare::{differences, greatest};
    use impasto_testing::{Tolerance, assert_close, assert_near};

    fn flat(colours: [f32; 3], size: usize) -> Picture {
        Picture::new(
            size,
            size,
            colours.iter().flat_map(|&c| vec![c; size * size]).collect(),
        )
        .unwrap()
    }

    /// A start without picture and styles.
    fn from<'a>(settings: &'a Optimize, content: &'a Picture) -> Start<'a> {
        Start {
            settings,
            seed: 0,
            content,
            picture: None,
            styles: &[],
        }
    }

    #[test]
    fn noise_follows_its_seed() {
        let content = flat([0.5; 3], 4);
        let noise = |seed| {
            let init = Init::Noise;
            let settings = Optimize {
                init,
                ..Optimize::default()
            };
            let start = Start {
                seed,
                ..from(&settings, &content)
            };
            start.planes((5, 7))
        };
        assert_eq!(noise(1), noise(1));
        assert_ne!(noise(1), noise(2));
        assert_eq!(noise(3).len(), 3 * 5 * 7);
        assert!(noise(3).iter().all(|v| (0.0..1.0).contains(v)));
    }

    /// Coursera's start: 0.6 of uniform ±20 of 255 and 0.4 of the content, both about the mean colour.
    #[test]
    fn noise_is_mixed_about_its_centre_in_the_units_of_the_recipe() {
        let content = flat([0.9, 0.1, 0.5], 4);
        let settings = Optimize {
            init: Init::Mixed,
            pixels: Pixels::Byte,
            noise: NoiseSettings {
                amplitude: 20.0,
                centre: Centre::Mean,
                ratio: 0.6,
                ..NoiseSettings::default()
            },
            ..Optimize::default()
        };
        let n = 64 * 64;
        let planes = from(&settings, &content).planes((64, 64));
        let means = [123.68, 116.779, 103.939];
        for (c, colour) in [0.9, 0.1, 0.5].into_iter().enumerate() {
            let middle = (means[c] + 0.4 * (255.0 * colour - means[c])) / 255.0;
            let plane = &planes[c * n..][..n];
            let case = format!("plane {c}");
            let middles = vec![middle; n];
            assert_close(&case, plane, &middles, Tolerance::absolute(12.001 / 255.0));
            let furthest = greatest(&differences(&case, plane, &middles));
            assert!(furthest > 11.8 / 255.0, "{case}: {furthest}");
            let mean = plane.iter().sum::<f32>() / n as f32;
            assert_near(&case, mean, middle, Tolerance::absolute(0.002));
        }
        let normal = Optimize {
            init: Init::Noise,
            noise: NoiseSettings {
                distribution: Distribution::Normal,
                amplitude: 25.5,
                ..settings.noise
            },
            ..settings
        };
        let planes = from(&normal, &content).planes((64, 64));
        let deviation = planes[..n]
            .iter()
            .map(|v| (v - means[0] / 255.0).powi(2))
            .sum::<f32>();
        let deviation = (deviation / n as f32).sqrt();
        assert_near("deviation", deviation, 0.1, Tolerance::absolute(0.005));
    }

    #[test]
    fn style_noise_has_the_colours_of_the_styles() {
        let (red, grey) = (flat([0.8, 0.2, 0.2], 3), flat([0.4, 0.4, 0.4], 5));
        let styles = [
            Style::new("red", red, 3.0),
            Style::new("grey", grey.clone(), 1.0),
        ];
        let settings = Optimize {
            init: Init::Style,
            ..Optimize::default()
        };
        let start = Start {
            styles: &styles,
            ..from(&settings, &grey)
        };
        let planes = start.planes((64, 64));
        let n = 64 * 64;
        let mean = |c: usize| planes[c * n..][..n].iter().sum::<f32>() / n as f32;
        let means = [mean(0), mean(1)];
        assert_close("means", &means, &[0.7, 0.25], Tolerance::absolute(0.01));
        // Red and green vary in opposite directions between the two styles.
        let covariance: f32 = (0..n)
            .map(|i| (planes[i] - mean(0)) * (planes[n + i] - mean(1)))
            .sum::<f32>()
            / n as f32;
        assert_near("covariance", covariance, -0.015, Tolerance::absolute(0.003));
    }
}
