//! The network layer by layer: every activation is kept, every gradient is the transpose of its forward loop.

use super::{get, put};
use crate::request::{Asked, merged_whole, missing};
use crate::{
    Answer, Conv3x3, Cotangent, Head, Input, Layer, Moments, NetSpec, Network, Pool, PoolKind,
    Result, Size, Tap, TapRequest, Tape, Tensor, Window,
};

#[derive(Debug)]
pub(super) struct ReferenceNetwork {
    spec: NetSpec,
}

/// Features of one layer, row-major `[c, h, w]`.
#[derive(Clone)]
struct Map {
    c: usize,
    h: usize,
    w: usize,
    data: Vec<f64>,
}

impl Map {
    fn zeros(c: usize, h: usize, w: usize) -> Self {
        Self {
            c,
            h,
            w,
            data: vec![0.0; c * h * w],
        }
    }
    fn plane(&self, c: usize) -> &[f64] {
        &self.data[c * self.h * self.w..][..self.h * self.w]
    }
    fn shape(&self) -> [usize; 3] {
        [self.c, self.h, self.w]
    }
}

impl ReferenceNetwork {
    pub(super) fn new(spec: NetSpec) -> Result<Self> {
        spec.validate()?;
        Ok(Self { spec })
    }
}

impl Network for ReferenceNetwork {
    fn spec(&self) -> &NetSpec {
        &self.spec
    }

    fn forward<'a>(&'a self, image: &Tensor, taps: &[TapRequest]) -> Result<Box<dyn Tape + 'a>> {
        self.run(image, None, taps)
    }

    fn has_tiles(&self) -> bool {
        true
    }

    fn forward_tile<'a>(
        &'a self,
        image: Tensor,
        window: &Window,
        taps: &[TapRequest],
    ) -> Result<Box<dyn Tape + 'a>> {
        self.run(&image, Some(*window), taps)
    }
}

impl ReferenceNetwork {
    /// The forward pass; moments are those of a window of the image, if there is one.
    fn run<'a>(
        &'a self,
        image: &Tensor,
        window: Option<Window>,
        taps: &[TapRequest],
    ) -> Result<Box<dyn Tape + 'a>> {
        let size = self.spec.size_of(image.shape())?;
        let (h, w) = (size.height, size.width);
        if let Some(window) = &window {
            self.spec.check_window(window, size, taps)?;
        }
        let wanted = merged_whole(taps)?;
        let channels = self.spec.input.channels();
        let mut deepest = 0;
        for request in &wanted {
            self.spec.shape_at(request.tap, size)?;
            deepest = deepest.max(self.spec.layer_of(request.tap)?);
        }
        let values = get("forward", image)?;
        let mut input = Map {
            c: channels,
            h,
            w,
            data: values.to_vec(),
        };
        if let Input::Image(norm) = &self.spec.input {
            for c in 0..channels {
                let (mean, scale) = (f64::from(norm.mean[c]), f64::from(norm.scale[c]));
                for value in &mut input.data[c * h * w..][..h * w] {
                    *value = (*value - mean) * scale;
                }
            }
        }
        // `maps[0]` is the image, `maps[i + 1]` what layer `i` makes of `maps[i]`.
        let mut maps = vec![input];
        for layer in &self.spec.layers[..=deepest] {
            let x = &maps[maps.len() - 1];
            maps.push(match layer {
                Layer::Conv(conv) => convolve(conv, x),
                Layer::Relu => Map {
                    data: x.data.iter().map(|v| v.max(0.0)).collect(),
                    ..*x
                },
                Layer::Pool(pool) => pool_forward(pool, x),
            });
        }
        let mut seen = Vec::new();
        for request in wanted {
            let layer = self.spec.layer_of(request.tap)?;
            let map = match request.tap {
                Tap::Layer(_) => maps[layer + 1].clone(),
                Tap::Head(head) => head_forward(&self.spec.heads[head], &maps[layer + 1]),
            };
            let window = match window {
                Some(window) => window.at_stride(self.spec.stride(layer)),
                None => Window::whole(Size {
                    width: map.w,
                    height: map.h,
                }),
            };
            let moments = request.moments.then(|| moments(&map, &window));
            let features = request
                .features
                .then(|| put(map.data.clone(), &map.shape()));
            seen.push(Seen {
                tap: request.tap,
                map,
                window,
                features,
                moments,
                replay: request.replay,
            });
        }
        Ok(Box::new(ReferenceTape {
            network: self,
            maps,
            seen,
        }))
    }
}

/// What was asked of one tap.
struct Seen {
    tap: Tap,
    map: Map,
    /// Where its moments are taken.
    window: Window,
    features: Option<Tensor>,
    moments: Option<Moments>,
    replay: bool,
}

struct ReferenceTape<'a> {
    network: &'a ReferenceNetwork,
    maps: Vec<Map>,
    seen: Vec<Seen>,
}

impl Tape for ReferenceTape<'_> {
    fn features(&self, tap: Tap) -> Result<&Tensor> {
        let seen = self.seen.iter().find(|seen| seen.tap == tap);
        let features = seen.and_then(|seen| seen.features.as_ref());
        features.ok_or_else(|| missing(tap, "features"))
    }

    fn moments(&self, tap: Tap) -> Result<&Moments> {
        let seen = self.seen.iter().find(|seen| seen.tap == tap);
        let moments = seen.and_then(|seen| seen.moments.as_ref());
        moments.ok_or_else(|| missing(tap, "moments"))
    }

    /// Nothing was asked for in parts: [`merged_whole`] refuses that.
    fn backward_in_parts(
        self: Box<Self>,
        cotangents: Vec<Cotangent>,
        _: &mut Answer<'_>,
    ) -> Result<Tensor> {
        let spec = &self.network.spec;
        let mut gradients: Vec<Option<Map>> = vec![None; self.maps.len()];
        for cotangent in &cotangents {
            let tap = cotangent.tap;
            let Some(seen) = self.seen.iter().find(|seen| seen.tap == tap) else {
                return Err(missing(tap, "features and moments"));
            };
            let mut gradient = Map::zeros(seen.map.c, seen.map.h, seen.map.w);
            let asked = Asked {
                features: seen.features.is_some(),
                moments: seen.moments.is_some() || seen.replay,
                shape: seen.map.shape(),
            };
            asked.check(cotangent)?;
            if let Some(features) = &cotangent.features {
                add(&mut gradient.data, get("backward", features)?);
            }
            if let Some(towards) = &cotangent.moments {
                moments_backward(&seen.map, &seen.window, towards, &mut gradient)?;
            }
            let layer = spec.layer_of(tap)?;
            let gradient = match tap {
                Tap::Layer(_) => gradient,
                Tap::Head(head) => {
                    head_backward(&spec.heads[head], &gradient, self.maps[layer + 1].c)
                }
            };
            match &mut gradients[layer + 1] {
                Some(sum) => add(&mut sum.data, &gradient.data),
                slot => *slot = Some(gradient),
            }
        }
        for (index, layer) in spec.layers[..self.maps.len() - 1].iter().enumerate().rev() {
            let Some(gradient) = gradients[index + 1].take() else {
                continue;
            };
            let (x, y) = (&self.maps[index], &self.maps[index + 1]);
            let towards_input = match layer {
                Layer::Conv(conv) => convolve_backward(conv, &gradient, x),
                Layer::Relu => Map {
                    data: gradient
                        .data
                        .iter()
                        .zip(&x.data)
                        .map(|(g, x)| if *x > 0.0 { *g } else { 0.0 })
                        .collect(),
                    ..*x
                },
                Layer::Pool(pool) => pool_backward(pool, &gradient, x, y),
            };
            match &mut gradients[index] {
                Some(sum) => add(&mut sum.data, &towards_input.data),
                slot => *slot = Some(towards_input),
            }
        }
        let image = &self.maps[0];
        let mut gradient = gradients[0]
            .take()
            .unwrap_or_else(|| Map::zeros(image.c, image.h, image.w));
        if let Input::Image(norm) = &spec.input {
            for c in 0..image.c {
                for value in &mut gradient.data[c * image.h * image.w..][..image.h * image.w] {
                    *value *= f64::from(norm.scale[c]);
                }
            }
        }
        Ok(put(gradient.data, &image.shape()))
    }
}

fn add(sum: &mut [f64], x: &[f64]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
}

/// Calls `visit(filter tap 0..9, output place, input place)` for every product of a 3×3 convolution.
fn for_each_product(
    conv: &Conv3x3,
    h: usize,
    w: usize,
    mut visit: impl FnMut(usize, usize, usize),
) {
    for y in 0..h {
        for x in 0..w {
            for tap in 0..9 {
                let (dy, dx) = ((tap / 3) as isize - 1, (tap % 3) as isize - 1);
                let row = conv.padding.source(y as isize + dy, h);
                let column = conv.padding.source(x as isize + dx, w);
                if let (Some(row), Some(column)) = (row, column) {
                    visit(tap, y * w + x, row * w + column);
                }
            }
        }
    }
}

fn convolve(conv: &Conv3x3, x: &Map) -> Map {
    let mut y = Map::zeros(conv.out_channels, x.h, x.w);
    let area = x.h * x.w;
    for out in 0..conv.out_channels {
        y.data[out * area..][..area].fill(f64::from(conv.bias[out]));
        for input in 0..conv.in_channels {
            let filter = &conv.weight[(out * conv.in_channels + input) * 9..][..9];
            let plane = x.plane(input);
            let sum = &mut y.data[out * area..][..area];
            for_each_product(conv, x.h, x.w, |tap, to, from| {
                sum[to] += f64::from(filter[tap]) * plane[from]
            });
        }
    }
    y
}

fn convolve_backward(conv: &Conv3x3, gradient: &Map, x: &Map) -> Map {
    let mut towards = Map::zeros(x.c, x.h, x.w);
    let area = x.h * x.w;
    for out in 0..conv.out_channels {
        let plane = gradient.plane(out);
        for input in 0..conv.in_channels {
            let filter = &conv.weight[(out * conv.in_channels + input) * 9..][..9];
            let sum = &mut towards.data[input * area..][..area];
            for_each_product(conv, x.h, x.w, |tap, to, from| {
                sum[from] += f64::from(filter[tap]) * plane[to]
            });
        }
    }
    towards
}

/// The four places that a pooled place is made of, in reading order.
fn window(w: usize, y: usize, x: usize) -> [usize; 4] {
    let corner = 2 * y * w + 2 * x;
    [corner, corner + 1, corner + w, corner + w + 1]
}

fn pool_forward(pool: &Pool, x: &Map) -> Map {
    let mut y = Map::zeros(x.c, x.h / 2, x.w / 2);
    for c in 0..x.c {
        let plane = x.plane(c);
        for row in 0..y.h {
            for column in 0..y.w {
                let four = window(x.w, row, column).map(|place| plane[place]);
                let value = match pool.kind {
                    PoolKind::Max => four.into_iter().fold(f64::NEG_INFINITY, f64::max),
                    PoolKind::Average => four.iter().sum::<f64>() / 4.0,
                    PoolKind::L2 => four.iter().map(|v| v * v).sum::<f64>().sqrt(),
                };
                y.data[(c * y.h + row) * y.w + column] = f64::from(pool.factor) * value;
            }
        }
    }
    y
}

fn pool_backward(pool: &Pool, gradient: &Map, x: &Map, y: &Map) -> Map {
    let mut towards = Map::zeros(x.c, x.h, x.w);
    let factor = f64::from(pool.factor);
    for c in 0..x.c {
        let plane = x.plane(c);
        for row in 0..y.h {
            for column in 0..y.w {
                let out = (c * y.h + row) * y.w + column;
                let g = factor * gradient.data[out];
                let places = window(x.w, row, column);
                let sum = &mut towards.data[c * x.h * x.w..][..x.h * x.w];
                match pool.kind {
                    PoolKind::Max => {
                        let mut best = places[0];
                        for place in places {
                            if plane[place] > plane[best] {
                                best = place;
                            }
                        }
                        sum[best] += g;
                    }
                    PoolKind::Average => places.iter().for_each(|&place| sum[place] += g / 4.0),
                    PoolKind::L2 => {
                        let norm = y.data[out] / factor;
                        if norm > 0.0 {
                            places
                                .iter()
                                .for_each(|&place| sum[place] += g * plane[place] / norm);
                        }
                    }
                }
            }
        }
    }
    towards
}

fn head_forward(head: &Head, x: &Map) -> Map {
    let mut y = Map::zeros(head.out_channels, x.h, x.w);
    let area = x.h * x.w;
    for out in 0..head.out_channels {
        let sum = &mut y.data[out * area..][..area];
        sum.fill(f64::from(head.bias[out]));
        for input in 0..x.c {
            let weight = f64::from(head.weight[out * x.c + input]);
            sum.iter_mut()
                .zip(x.plane(input))
                .for_each(|(sum, x)| *sum += weight * x);
        }
    }
    y
}

fn head_backward(head: &Head, gradient: &Map, in_channels: usize) -> Map {
    let mut towards = Map::zeros(in_channels, gradient.h, gradient.w);
    let area = gradient.h * gradient.w;
    for out in 0..head.out_channels {
        for input in 0..in_channels {
            let weight = f64::from(head.weight[out * in_channels + input]);
            let sum = &mut towards.data[input * area..][..area];
            sum.iter_mut()
                .zip(gradient.plane(out))
                .for_each(|(sum, g)| *sum += weight * g);
        }
    }
    towards
}

/// The part of a plane that lies in a window, in reading order.
fn part<'a>(map: &'a Map, c: usize, window: &'a Window) -> impl Iterator<Item = &'a f64> {
    let rows = map.plane(c).chunks_exact(map.w.max(1));
    rows.skip(window.top)
        .take(window.height)
        .flat_map(|row| &row[window.left..window.right()])
}

fn moments(map: &Map, window: &Window) -> Moments {
    let n = window.pixels() as f64;
    let mean = (0..map.c)
        .map(|c| part(map, c, window).sum::<f64>() / n)
        .collect();
    let mut second = vec![0.0; map.c * map.c];
    for i in 0..map.c {
        for j in 0..map.c {
            second[i * map.c + j] = part(map, i, window)
                .zip(part(map, j, window))
                .map(|(x, y)| x * y)
                .sum::<f64>()
                / n;
        }
    }
    Moments {
        mean: put(mean, &[map.c]),
        second: put(second, &[map.c, map.c]),
    }
}

/// `dF += (dμ + (dS + dSᵀ)·F) / n` inside the window.
fn moments_backward(
    map: &Map,
    window: &Window,
    towards: &Moments,
    gradient: &mut Map,
) -> Result<()> {
    let c = map.c;
    let (mean, second) = (
        get("backward", &towards.mean)?,
        get("backward", &towards.second)?,
    );
    let n = window.pixels() as f64;
    for i in 0..c {
        for y in window.top..window.bottom() {
            let start = (i * map.h + y) * map.w;
            let sum = &mut gradient.data[start + window.left..start + window.right()];
            sum.iter_mut().for_each(|g| *g += mean[i] / n);
            for j in 0..c {
                let factor = (second[i * c + j] + second[j * c + i]) / n;
                let row = &map.plane(j)[y * map.w..][window.left..window.right()];
                sum.iter_mut().zip(row).for_each(|(g, x)| *g += factor * x);
            }
        }
    }
    Ok(())
}
