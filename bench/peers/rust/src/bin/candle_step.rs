//! Times the step in candle on the CPU, f32.
//!
//! Two things to know about its gradients: a convolution computes its filters' gradient even where nobody wants it, and
//! max pooling passes on a quarter of the gradient where the maximum is unique. The first costs time, the second none.

use candle_core::{Device, Result, Tensor, Var};
use impasto_bench_peers::{
    CONTENT, DEVIATION, LAYERS, MEAN, STYLE_WEIGHT, is_style, picture, pooled_before, run, weights,
};

struct Net {
    layers: Vec<(Tensor, Tensor)>,
    mean: Tensor,
    deviation: Tensor,
}

impl Net {
    fn new(device: &Device) -> Result<Self> {
        let mut layers = Vec::new();
        for (&(_, inputs, outputs), (weight, bias)) in LAYERS.iter().zip(weights()) {
            let weight = Tensor::from_vec(weight, (outputs, inputs, 3, 3), device)?;
            layers.push((weight, Tensor::from_vec(bias, (1, outputs, 1, 1), device)?));
        }
        let row = |values: [f32; 3]| Tensor::from_vec(values.to_vec(), (1, 3, 1, 1), device);
        Ok(Self {
            layers,
            mean: row(MEAN)?,
            deviation: row(DEVIATION)?,
        })
    }

    /// The Gram matrices of the style layers and the features of the content layer.
    fn views(&self, image: &Tensor) -> Result<(Vec<Tensor>, Tensor)> {
        let mut x = image
            .broadcast_sub(&self.mean)?
            .broadcast_div(&self.deviation)?;
        let (mut grams, mut content) = (Vec::new(), None);
        for (position, (weight, bias)) in self.layers.iter().enumerate() {
            let name = LAYERS[position].0;
            if pooled_before(position) {
                x = x.max_pool2d(2)?;
            }
            x = x.conv2d(weight, 1, 1, 1, 1)?.broadcast_add(bias)?.relu()?;
            if is_style(name) {
                let (_, c, h, w) = x.dims4()?;
                let flat = x.reshape((c, h * w))?;
                grams.push((flat.matmul(&flat.t()?)? / (c * h * w) as f64)?);
            }
            if name == CONTENT {
                content = Some(x.clone());
            }
        }
        Ok((
            grams,
            content.expect("the content layer is among the layers"),
        ))
    }
}

struct Step {
    net: Net,
    wanted: Tensor,
    grams: Vec<Tensor>,
    image: Var,
}

impl Step {
    fn new(size: usize) -> Result<Self> {
        let device = Device::Cpu;
        let load = |seed| Tensor::from_vec(picture(size, seed), (1, 3, size, size), &device);
        let net = Net::new(&device)?;
        let wanted = net.views(&load(1)?)?.1;
        let grams = net.views(&load(2)?)?.0;
        Ok(Self {
            net,
            wanted,
            grams,
            image: Var::from_tensor(&load(3)?)?,
        })
    }

    fn run(&self) -> Result<f32> {
        let image = self.image.as_tensor();
        let (found, content) = self.net.views(image)?;
        let mut loss = (content - &self.wanted)?.sqr()?.mean_all()?;
        for (gram, target) in found.into_iter().zip(&self.grams) {
            let apart = (gram - target)?.sqr()?.sum_all()?;
            loss = (loss + (apart * f64::from(STYLE_WEIGHT / 5.0))?)?;
        }
        let rest = image.dim(3)? - 1;
        for dim in [3, 2] {
            let apart = (image.narrow(dim, 1, rest)? - image.narrow(dim, 0, rest)?)?;
            loss = (loss + apart.sqr()?.mean_all()?)?;
        }
        let gradients = loss.backward()?;
        std::hint::black_box(gradients.get(image).expect("the picture has a gradient"));
        loss.to_scalar()
    }
}

fn main() {
    run("candle", "0.11.1", |size| {
        let step = Step::new(size).expect("the step is built");
        move || step.run().expect("the step runs")
    });
}
