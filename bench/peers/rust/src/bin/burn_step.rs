//! Times the step in burn with its `flex` back end, f32, with AVX-512 matrix products where the processor has them.

use burn::tensor::activation::relu;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use impasto_bench_peers::{
    CONTENT, DEVIATION, LAYERS, MEAN, STYLE_WEIGHT, is_style, picture, pooled_before, run, weights,
};

struct Net {
    layers: Vec<(Tensor<4>, Tensor<1>)>,
    mean: Tensor<4>,
    deviation: Tensor<4>,
}

impl Net {
    fn new(device: &Device) -> Self {
        let row = |values: [f32; 3]| {
            Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), device)
        };
        let layer = |(&(_, inputs, outputs), (weight, bias)): (
            &(_, usize, usize),
            (Vec<f32>, Vec<f32>),
        )| {
            let weight = TensorData::new(weight, [outputs, inputs, 3, 3]);
            let bias = TensorData::new(bias, [outputs]);
            (
                Tensor::from_data(weight, device),
                Tensor::from_data(bias, device),
            )
        };
        Self {
            layers: LAYERS.iter().zip(weights()).map(layer).collect(),
            mean: row(MEAN),
            deviation: row(DEVIATION),
        }
    }

    /// The Gram matrices of the style layers and the features of the content layer.
    fn views(&self, image: Tensor<4>) -> (Vec<Tensor<2>>, Tensor<4>) {
        let mut x = (image - self.mean.clone()) / self.deviation.clone();
        let (mut grams, mut content) = (Vec::new(), None);
        for (position, (weight, bias)) in self.layers.iter().enumerate() {
            let name = LAYERS[position].0;
            if pooled_before(position) {
                x = max_pool2d(x, MaxPoolOptions::new([2, 2]));
            }
            let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
            x = relu(conv2d(x, weight.clone(), Some(bias.clone()), options));
            if is_style(name) {
                let [_, c, h, w] = x.dims();
                let flat: Tensor<2> = x.clone().reshape([c, h * w]);
                grams.push(flat.clone().matmul(flat.transpose()) / (c * h * w) as f32);
            }
            if name == CONTENT {
                content = Some(x.clone());
            }
        }
        (
            grams,
            content.expect("the content layer is among the layers"),
        )
    }
}

fn squares<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone() * x
}

fn build(size: usize) -> impl FnMut() -> f32 {
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let load = |seed, device: &Device| {
        Tensor::<4>::from_data(
            TensorData::new(picture(size, seed), [1, 3, size, size]),
            device,
        )
    };
    let fixed = Net::new(&plain);
    let tracked = |x: TensorData, d: &Device| Tensor::<4>::from_data(x, d);
    let wanted = tracked(fixed.views(load(1, &plain)).1.into_data(), &device);
    let grams: Vec<Tensor<2>> = fixed
        .views(load(2, &plain))
        .0
        .into_iter()
        .map(|g| Tensor::from_data(g.into_data(), &device))
        .collect();
    drop(fixed);
    let net = Net::new(&device);
    let image = load(3, &device).require_grad();
    move || {
        let (found, content) = net.views(image.clone());
        let mut loss = squares(content - wanted.clone()).mean();
        for (gram, target) in found.into_iter().zip(&grams) {
            loss = loss + squares(gram - target.clone()).sum() * (STYLE_WEIGHT / 5.0);
        }
        let across = image.clone().narrow(3, 1, size - 1) - image.clone().narrow(3, 0, size - 1);
        let down = image.clone().narrow(2, 1, size - 1) - image.clone().narrow(2, 0, size - 1);
        loss = loss + squares(across).mean() + squares(down).mean();
        let mut gradients = loss.backward();
        let gradient = image
            .grad_remove(&mut gradients)
            .expect("the picture has a gradient");
        std::hint::black_box(gradient.into_data());
        loss.into_scalar()
    }
}

fn main() {
    run("burn flex", "0.22.1", build);
}
