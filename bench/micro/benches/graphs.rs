//! Feed-forward networks: `cargo bench --manifest-path bench/micro/Cargo.toml --bench graphs [-- FILTER]`.
//!
//! Throughput: products of numbers, as direct convolutions would need them. The same networks in other programs:
//! `bench/peers/graphs.py`.

use divan::Bencher;
use divan::counter::ItemsCount;
use impasto_compute::Size;
use impasto_compute::graph::{GraphSpec, Shape};
use impasto_micro::graphs::{johnson, microast, predictor};
use impasto_micro::{device, tensor};

fn main() {
    divan::main();
}

/// Width and height.
const SIZES: [(usize, usize); 3] = [(256, 256), (512, 512), (1920, 1080)];
/// What a benchmark cannot go on without.
const SET_UP: &str = "the device computes what its tests compute";

fn measure(bencher: Bencher<'_, '_>, spec: &GraphSpec, (width, height): (usize, usize)) {
    let device = device().expect(SET_UP);
    let graph = device.graph(spec).expect(SET_UP);
    let image = tensor(&*device, &[3, height, width]).expect(SET_UP);
    let size = Size { width, height };
    let shape = Shape::Map { channels: 3, size };
    let products = ItemsCount::new(spec.products(&[shape]).expect(SET_UP));
    let run = || graph.run(&[&image], None).expect(SET_UP);
    bencher.counter(products).bench_local(run);
}

/// 28 thousand numbers.
#[divan::bench(args = SIZES)]
fn johnson_4_8_16(bencher: Bencher, size: (usize, usize)) {
    measure(bencher, &johnson([4, 8, 16], 5), size);
}

#[divan::bench(args = SIZES)]
fn johnson_8_16_32(bencher: Bencher, size: (usize, usize)) {
    measure(bencher, &johnson([8, 16, 32], 5), size);
}

#[divan::bench(args = SIZES, sample_count = 20)]
fn johnson_32_64_128(bencher: Bencher, size: (usize, usize)) {
    measure(bencher, &johnson([32, 64, 128], 5), size);
}

#[divan::bench(args = SIZES, sample_count = 20)]
fn microast_content(bencher: Bencher, size: (usize, usize)) {
    measure(bencher, &microast(), size);
}

#[divan::bench(args = SIZES[..2].iter().copied())]
fn predictor_mobilenet(bencher: Bencher, size: (usize, usize)) {
    measure(bencher, &predictor(), size);
}
