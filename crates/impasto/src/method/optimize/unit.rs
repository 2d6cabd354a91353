//! Weights rescaled so that every filter's mean activation is 1.
//!
//! ```text
//! m_l[i] = mean over pictures and places of relu_l[i]
//! W_l[i, j] ← W_l[i, j] · m_{l−1}[j] / m_l[i]        b_l[i] ← b_l[i] / m_l[i]
//! ```
//!
//! Because ReLU, pools and convolutions are homogeneous, the network sees what it saw, `F_l[i] / m_l[i]`, and one pass
//! through the old weights tells all means. Source: Gatys, Ecker and Bethge 2016, section 2, who take the mean over
//! pictures of ImageNet; here it is that over the what is to be seen of the pictures of the run, each of which counts the same, because those
//! are at hand: a run needs no other file. A filter that none of them excites stays as it is. A head, which is no
//! filter of the network and may have any sign, is divided by the root mean square of all its channels.

use super::shown::Viewer;
use crate::Result;
use crate::picture::Picture;
use crate::recipe::Pixels;
use crate::tiling::NetworkView;
use impasto_compute::{Conv3x3, Device, Head, Layer, NetSpec, Tap};

/// The network with rescaled weights up to its layer `deepest`, from pictures in the sizes at which they are used.
pub(super) fn unit_activations(
    device: &dyn Device,
    spec: &NetSpec,
    deepest: usize,
    pixels: Pixels,
    pictures: &[Picture],
) -> Result<NetSpec> {
    let network = device.network(spec)?;
    // A convolution that is looked at before its ReLU is rescaled by what comes behind it.
    let last = (deepest + 1).min(spec.layers.len() - 1);
    let relus: Vec<usize> = (0..=last)
        .filter(|&index| matches!(spec.layers[index], Layer::Relu))
        .collect();
    let heads: Vec<usize> = (0..spec.heads.len())
        .filter(|&head| spec.heads[head].after <= deepest)
        .collect();
    let taps: Vec<Tap> = relus
        .iter()
        .map(|&index| Tap::Layer(index))
        .chain(heads.iter().map(|&head| Tap::Head(head)))
        .collect();
    let viewer = Viewer {
        device,
        network: NetworkView::Whole(network.as_ref()),
        pixels,
    };
    let mut means: Vec<Vec<f64>> = vec![vec![]; taps.len()];
    let mut squares = vec![0.0; taps.len()];
    for picture in pictures {
        for (place, moments) in viewer.moments(picture, &taps)?.into_iter().enumerate() {
            let mean = device.download(&moments.mean)?;
            means[place].resize(mean.len(), 0.0);
            for (sum, &mean) in means[place].iter_mut().zip(&mean) {
                *sum += f64::from(mean) / pictures.len() as f64;
            }
            let trace = device.trace(&moments.second)?.value()?;
            squares[place] += trace / mean.len() as f64 / pictures.len() as f64;
        }
    }
    let of_relu = |index: usize| {
        let place = relus.iter().position(|&relu| relu == index)?;
        Some(means[place].iter().map(|&mean| positive(mean)).collect())
    };
    let mut unit = spec.clone();
    let mut before = vec![1.0; 3];
    let mut after: Vec<Vec<f64>> = Vec::new();
    for (index, layer) in spec.layers.iter().enumerate() {
        match layer {
            Layer::Conv(conv) => {
                let means: Vec<f64> = of_relu(index + 1).unwrap_or(vec![1.0; conv.out_channels]);
                unit.layers[index] = Layer::Conv(rescaled(conv, &before, &means));
                before = means;
            }
            // What scales with its input needs no scaling of its own.
            Layer::Relu | Layer::Pool(_) => {}
        }
        after.push(before.clone());
    }
    for (place, &head) in heads.iter().enumerate() {
        let size = positive(squares[relus.len() + place].sqrt());
        unit.heads[head] = rescaled_head(&spec.heads[head], &after[spec.heads[head].after], size);
    }
    Ok(unit)
}

/// The number, or 1 if it is none to divide by.
fn positive(value: f64) -> f64 {
    if value > 0.0 && value.is_finite() {
        value
    } else {
        1.0
    }
}

fn rescaled(conv: &Conv3x3, before: &[f64], after: &[f64]) -> Conv3x3 {
    let inputs = conv.in_channels;
    let weight = conv.weight.iter().enumerate().map(|(k, &w)| {
        let (i, j) = (k / (9 * inputs), k / 9 % inputs);
        (f64::from(w) * before[j] / after[i]) as f32
    });
    let bias = conv.bias.iter().zip(after);
    Conv3x3 {
        weight: weight.collect(),
        bias: bias.map(|(&b, m)| (f64::from(b) / m) as f32).collect(),
        ..conv.clone()
    }
}

fn rescaled_head(head: &Head, before: &[f64], size: f64) -> Head {
    let weight = head.weight.iter().enumerate();
    let weight = weight.map(|(k, &w)| (f64::from(w) * before[k % before.len()] / size) as f32);
    let bias = head.bias.iter();
    Head {
        weight: weight.collect(),
        bias: bias.map(|&b| (f64::from(b) / size) as f32).collect(),
        ..head.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::{Encoder, EncoderOptions};
    use impasto_compute::TapRequest;
    use impasto_compute::prelude::*;
    use impasto_compute::reference::ReferenceDevice;
    use impasto_testing::{Tolerance, assert_close};

    #[test]
    fn filters_have_mean_activation_1_and_heads_keep_their_shape() -> Result<()> {
        let device = ReferenceDevice::new();
        let spec = Encoder::lite()?.spec(&EncoderOptions::default());
        let picture = |seed: usize| {
            let value = |k: usize| ((k * (37 + seed)) % 101) as f32 / 100.0;
            Picture::new(13, 11, (0..3 * 13 * 11).map(value).collect())
        };
        let pictures = [picture(1)?, picture(2)?];
        let deepest = spec.layers.len() - 2;
        let unit = unit_activations(&device, &spec, deepest, Pixels::Unit, &pictures)?;
        let taps: Vec<_> = (0..spec.layers.len())
            .filter(|&index| matches!(spec.layers[index], Layer::Relu))
            .map(Tap::Layer)
            .collect();
        let requests: Vec<_> = taps.iter().copied().map(TapRequest::moments).collect();
        let head = [TapRequest::features(Tap::Head(2))];
        let mut sums: Vec<Vec<f32>> = vec![vec![]; taps.len()];
        for picture in &pictures {
            let image = device.upload(picture.rgb(), &[3, 11, 13])?;
            let network = device.network(&unit)?;
            let tape = network.forward(&image, &requests)?;
            for (sum, &tap) in sums.iter_mut().zip(&taps) {
                let mean = device.download(&tape.moments(tap)?.mean)?;
                sum.resize(mean.len(), 0.0);
                sum.iter_mut().zip(mean).for_each(|(s, m)| *s += m / 2.0);
            }
            let tape = network.forward(&image, &head)?;
            let got = device.download(tape.features(Tap::Head(2))?)?;
            let network = device.network(&spec)?;
            let tape = network.forward(&image, &head)?;
            let old = device.download(tape.features(Tap::Head(2))?)?;
            let ratio = got[5] / old[5];
            let expected: Vec<f32> = old.iter().map(|old| ratio * old).collect();
            assert_close("head 2", &got, &expected, Tolerance::absolute(1e-4));
        }
        for (tap, means) in taps.iter().zip(&sums) {
            // But for channels that show nothing in these pictures.
            let alive: Vec<f32> = means.iter().copied().filter(|&mean| mean != 0.0).collect();
            assert!(2 * alive.len() > means.len(), "{tap}: {means:?}");
            let ones = vec![1.0; alive.len()];
            assert_close(&tap.to_string(), &alive, &ones, Tolerance::absolute(1e-3));
        }
        Ok(())
    }
}
