//! Every kernel by itself, through the public operations of a device:
//! `cargo bench --manifest-path bench/micro/Cargo.toml [-- FILTER]`.
//!
//! Throughput: of convolutions and products of matrices, products of numbers (as a direct convolution would need them);
//! of what waits for memory, the bytes of its operands.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use impasto_compute::{
    AdamBuffers, AdamStep, Cotangent, Device, Network, Reduction, Result, Tap, TapRequest,
    TotalVariation,
};
use impasto_micro::{convolution, device, moments, tensor};

fn main() {
    divan::main();
}

/// Channels in and out, and the side of a map, as VGG-19 has them at 512 px.
const CONVOLUTIONS: [(usize, usize, usize); 6] = [
    (3, 64, 512),
    (64, 64, 512),
    (64, 128, 256),
    (128, 128, 256),
    (256, 256, 128),
    (512, 512, 64),
];
/// Channels of a map, and its side.
const MAPS: [(usize, usize); 4] = [(64, 512), (128, 256), (256, 128), (512, 64)];
const CHANNELS: [usize; 4] = [64, 128, 256, 512];
/// Sides of images.
const SIDES: [usize; 3] = [256, 512, 1024];
/// What a benchmark cannot go on without.
const SET_UP: &str = "the device computes what its tests compute";

/// Measures a call that gives a result, which must be good.
fn measure<T>(bencher: Bencher<'_, '_>, call: impl Fn() -> Result<T> + Sync) {
    bencher.bench(|| call().expect(SET_UP));
}

/// A tap behind the convolution and its ReLU.
const LAST: Tap = Tap::Layer(1);

/// The network of a case, its input, and its products.
fn case(
    (from, to, side): (usize, usize, usize),
) -> (Box<dyn Device>, Box<dyn Network>, ItemsCount) {
    let device = device().expect(SET_UP);
    let spec = convolution(from, to).expect(SET_UP);
    let network = device.network(&spec).expect(SET_UP);
    (
        device,
        network,
        ItemsCount::new(9 * from * to * side * side),
    )
}

#[divan::bench(args = CONVOLUTIONS)]
fn convolution_forward(bencher: Bencher, case_of: (usize, usize, usize)) {
    let (device, network, products) = case(case_of);
    let x = tensor(&*device, &[case_of.0, case_of.2, case_of.2]).expect(SET_UP);
    let taps = [TapRequest::features(LAST)];
    measure(bencher.counter(products), || {
        network.forward(&x, &taps).map(drop)
    });
}

/// Forward and backward: a gradient needs its tape.
#[divan::bench(args = CONVOLUTIONS)]
fn convolution_with_gradient(bencher: Bencher, case_of: (usize, usize, usize)) {
    let (device, network, _) = case(case_of);
    let (from, to, side) = case_of;
    let products = ItemsCount::new(2 * 9 * from * to * side * side);
    let x = tensor(&*device, &[from, side, side]).expect(SET_UP);
    let slope = tensor(&*device, &[to, side, side]).expect(SET_UP);
    let taps = [TapRequest::features(LAST)];
    measure(bencher.counter(products), || {
        let slope = device.copy(&slope)?;
        let tape = network.forward(&x, &taps)?;
        tape.backward(vec![Cotangent::features(LAST, slope)])
    });
}

/// Behind a convolution of four channels, which takes next to no time.
#[divan::bench(args = MAPS)]
fn moments_of_features(bencher: Bencher, (channels, side): (usize, usize)) {
    let (device, network, _) = case((4, channels, side));
    let x = tensor(&*device, &[4, side, side]).expect(SET_UP);
    let taps = [TapRequest::moments(LAST)];
    // The product of a matrix and its own transposed is symmetric.
    let products = ItemsCount::new(channels * (channels + 1) / 2 * side * side);
    measure(bencher.counter(products), || {
        network.forward(&x, &taps).map(drop)
    });
}

#[divan::bench(args = CHANNELS)]
fn cholesky(bencher: Bencher, c: usize) {
    let device = device().expect(SET_UP);
    let moments = moments(&*device, c).expect(SET_UP);
    let covariance = device.covariance(&moments, 1e-3).expect(SET_UP);
    measure(bencher, || device.cholesky(&covariance));
}

#[divan::bench(args = CHANNELS)]
fn fidelity(bencher: Bencher, c: usize) {
    let device = device().expect(SET_UP);
    let moments = moments(&*device, c).expect(SET_UP);
    let covariance = device.covariance(&moments, 1e-3).expect(SET_UP);
    let target = device.covariance(&moments, 0.5).expect(SET_UP);
    let factor = device.cholesky(&target).expect(SET_UP);
    measure(bencher, || device.fidelity(&covariance, &factor));
}

#[divan::bench(args = MAPS)]
fn squared_error(bencher: Bencher, (channels, side): (usize, usize)) {
    let device = device().expect(SET_UP);
    let shape = [channels, side, side];
    let x = tensor(&*device, &shape).expect(SET_UP);
    let target = device.zeros(&shape).expect(SET_UP);
    let bytes = BytesCount::new(3 * 4 * channels * side * side);
    measure(bencher.counter(bytes), || {
        device.squared_error(&x, &target, 2.0)
    });
}

#[divan::bench(args = MAPS)]
fn dot(bencher: Bencher, (channels, side): (usize, usize)) {
    let device = device().expect(SET_UP);
    let x = tensor(&*device, &[channels, side, side]).expect(SET_UP);
    let bytes = BytesCount::new(2 * 4 * channels * side * side);
    measure(bencher.counter(bytes), || device.dot(&x, &x));
}

#[divan::bench(args = SIDES)]
fn total_variation(bencher: Bencher, side: usize) {
    let device = device().expect(SET_UP);
    let image = tensor(&*device, &[3, side, side]).expect(SET_UP);
    let bytes = BytesCount::new(2 * 4 * 3 * side * side);
    measure(bencher.counter(bytes), || {
        device.total_variation(&image, TotalVariation::NinePoint, Reduction::Mean, 1.0)
    });
}

#[divan::bench(args = SIDES)]
fn adam(bencher: Bencher, side: usize) {
    let device = device().expect(SET_UP);
    let zeros = || device.zeros(&[3, side, side]).expect(SET_UP);
    let gradient = tensor(&*device, &[3, side, side]).expect(SET_UP);
    let (mut image, mut first, mut second, mut average) = (zeros(), zeros(), zeros(), zeros());
    let step = AdamStep {
        learning_rate: 0.02,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        correction1: 0.5,
        correction2: 0.5,
        clamp: Some((0.0, 1.0)),
        average_decay: 0.99,
    };
    let bytes = BytesCount::new(9 * 4 * 3 * side * side);
    bencher.counter(bytes).bench_local(|| {
        let buffers = AdamBuffers {
            image: &mut image,
            gradient: &gradient,
            first: &mut first,
            second: &mut second,
            average: &mut average,
        };
        device.adam(buffers, &step).expect(SET_UP);
    });
}
