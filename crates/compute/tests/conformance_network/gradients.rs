//! The gradient of the reference device against finite differences.

use super::*;
use impasto_testing::assert_near;

/// The reference's gradient against differences of a linear functional of everything it can show.
#[test]
fn the_reference_gradient_is_the_slope() -> Result<()> {
    for (kind, padding) in [
        (PoolKind::Max, Padding::Reflect),
        (PoolKind::Average, Padding::Replicate),
        (PoolKind::L2, Padding::Zero),
    ] {
        let mut network_spec = small_vgg([4, 5, 6], padding, kind, 1.5)?;
        network_spec.heads = vec![head(&mut Numbers(2), 5, 5, 3)];
        let device = ReferenceDevice::new();
        let network = device.network(&network_spec)?;
        let taps = [Tap::Layer(2), Tap::Head(0), Tap::Layer(10)];
        let requests = both(taps);
        let (h, w) = (9, 7);
        let shape = [3, h, w];
        let mut numbers = Numbers(17);
        let image: Vec<f64> = numbers
            .many(3 * h * w)
            .iter()
            .map(|&v| f64::from(v) * 0.5 + 0.5)
            .collect();
        // Weights of the functional, in the order of the views.
        let weights = numbers.many(4000);
        let evaluate = |image: &[f64], differentiate: bool| -> Result<(f64, Vec<f64>)> {
            let tape =
                network.forward(&ReferenceDevice::tensor(image.to_vec(), &shape)?, &requests)?;
            let mut next = 0;
            let mut value = 0.0;
            let mut cotangents = Vec::new();
            let mut weigh = |tensor: &Tensor| -> Result<Tensor> {
                let weights = &weights[next..next + tensor.len()];
                next += tensor.len();
                let pairs = ReferenceDevice::values(tensor)?.iter().zip(weights);
                value += pairs.map(|(v, &w)| v * f64::from(w)).sum::<f64>();
                device.upload(weights, tensor.shape())
            };
            for tap in taps {
                cotangents.push(Cotangent::features(tap, weigh(tape.features(tap)?)?));
                let moments = tape.moments(tap)?;
                let towards = Moments {
                    mean: weigh(&moments.mean)?,
                    second: weigh(&moments.second)?,
                };
                cotangents.push(Cotangent::moments(tap, towards));
            }
            if !differentiate {
                return Ok((value, vec![]));
            }
            let gradient = tape.backward(cotangents)?;
            Ok((value, ReferenceDevice::values(&gradient)?.to_vec()))
        };
        let (_, gradient) = evaluate(&image, true)?;
        let step = 1e-6;
        for place in (0..image.len()).step_by(13) {
            let mut moved = image.clone();
            moved[place] += step;
            let (up, _) = evaluate(&moved, false)?;
            moved[place] -= 2.0 * step;
            let (down, _) = evaluate(&moved, false)?;
            let slope = (up - down) / (2.0 * step);
            let case = format!("{kind:?} {padding:?} at {place}");
            let tolerance = Tolerance {
                absolute: 1e-5,
                relative: 1e-5,
            };
            assert_near(&case, gradient[place], slope, tolerance);
        }
    }
    Ok(())
}
