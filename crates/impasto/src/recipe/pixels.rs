//! In which units the optimiser sees the picture, and what a run starts from.

use super::MethodName;
use crate::named::Named;
use impasto_compute::InputNorm;

/// The units in which the picture is optimised: those of learning rate, total variation and noise.
///
/// The optimiser works on `y = s·x` of a picture `x` in 0..1. Where the origin lies makes no difference to any
/// optimiser, so units that subtract a mean are the same as those that do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pixels {
    /// 0..1.
    Unit,
    /// 0..255, with or without a mean subtracted.
    Byte,
    /// As torchvision normalises: `(x − mean)/(.229, .224, .225)`.
    Torch,
}

impl Named for Pixels {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("unit", Pixels::Unit),
        ("byte", Pixels::Byte),
        ("torch", Pixels::Torch),
    ];
}

impl Pixels {
    /// The factor `s` of each channel.
    pub fn scale(self) -> [f32; 3] {
        match self {
            Pixels::Unit => [1.0; 3],
            Pixels::Byte => [255.0; 3],
            Pixels::Torch => [1.0 / 0.229, 1.0 / 0.224, 1.0 / 0.225],
        }
    }

    /// The range of pictures in these units, if it is the same for every channel.
    pub fn range(self) -> Option<(f32, f32)> {
        let scale = self.scale();
        (scale == [scale[0]; 3]).then_some((0.0, scale[0]))
    }

    /// A network's preparation of pictures in 0..1 as one of pictures in these units.
    pub fn input(self, input: InputNorm) -> InputNorm {
        let (scale, mut own) = (self.scale(), input);
        for c in 0..3 {
            own.mean[c] *= scale[c];
            own.scale[c] /= scale[c];
        }
        own
    }

    /// Planes `[3, h·w]` in 0..1 in these units.
    pub(crate) fn encode(self, mut planes: Vec<f32>) -> Vec<f32> {
        if self != Pixels::Unit {
            self.multiply(&mut planes, self.scale());
        }
        planes
    }

    /// Planes in these units as a picture's, clipped to 0..1.
    pub(crate) fn decode(self, mut planes: Vec<f32>) -> Vec<f32> {
        if self != Pixels::Unit {
            self.multiply(&mut planes, self.scale().map(|s| 1.0 / s));
        }
        planes.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
        planes
    }

    fn multiply(self, planes: &mut [f32], factors: [f32; 3]) {
        let plane = (planes.len() / 3).max(1);
        for (plane, factor) in planes.chunks_mut(plane).zip(factors) {
            plane.iter_mut().for_each(|v| *v *= factor);
        }
    }
}

/// What a run starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Init {
    /// The content.
    Content,
    /// Noise.
    Noise,
    /// The content mixed with noise.
    Mixed,
    /// Noise with the mean colour and the colour covariance of the styles.
    Style,
    /// A picture, handed over with the job.
    Picture,
    /// What a network paints by this method, one that has a network.
    Network(MethodName),
}

impl Init {
    /// The method whose picture the run starts from, if it is one's.
    pub fn method(self) -> Option<MethodName> {
        match self {
            Init::Network(MethodName::Optimize | MethodName::Nnst | MethodName::Strotss) => None,
            Init::Network(method) => Some(method),
            Init::Content | Init::Noise | Init::Mixed | Init::Style | Init::Picture => None,
        }
    }
}

impl Named for Init {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("content", Init::Content),
        ("noise", Init::Noise),
        ("mixed", Init::Mixed),
        ("style", Init::Style),
        ("picture", Init::Picture),
        ("paint", Init::Network(MethodName::Paint)),
        ("wct", Init::Network(MethodName::Wct)),
        ("adain", Init::Network(MethodName::Adain)),
        ("microast", Init::Network(MethodName::Microast)),
        ("ghiasi", Init::Network(MethodName::Ghiasi)),
        ("fast", Init::Network(MethodName::Fast)),
    ];
}

/// The noise of [`Init::Noise`], `m + n`, and of [`Init::Mixed`], `m + r·n + (1−r)·(content − m)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseSettings {
    /// How `n` is distributed.
    pub distribution: Distribution,
    /// Its amplitude in the units of the recipe's `pixels`: half the width of uniform noise, the standard deviation of
    /// normal noise.
    pub amplitude: f32,
    /// The colour `m` that it lies around.
    pub centre: Centre,
    /// Its share `r` where it is mixed with the content.
    pub ratio: f32,
}

/// How noise is distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// Evenly.
    Uniform,
    /// Normally.
    Normal,
}

impl Named for Distribution {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("uniform", Distribution::Uniform),
        ("normal", Distribution::Normal),
    ];
}

/// The colour that noise lies around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Centre {
    /// Medium grey.
    Grey,
    /// The mean colour of ImageNet, (123.68, 116.779, 103.939) of 255: the zero of networks that subtract it.
    Mean,
}

impl Named for Centre {
    const NAMES: &'static [(&'static str, Self)] =
        &[("grey", Centre::Grey), ("mean", Centre::Mean)];
}

impl Centre {
    /// The colour, in 0..1.
    pub fn colour(self) -> [f32; 3] {
        match self {
            Centre::Grey => [0.5; 3],
            Centre::Mean => [123.68, 116.779, 103.939].map(|v: f32| v / 255.0),
        }
    }
}

impl Default for NoiseSettings {
    /// Uniform in the range of pictures in 0..1.
    fn default() -> Self {
        Self {
            distribution: Distribution::Uniform,
            amplitude: 0.5,
            centre: Centre::Grey,
            ratio: 0.5,
        }
    }
}
