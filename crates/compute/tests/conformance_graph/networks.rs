//! Networks as people have them: what stands next to what is where devices fuse.

use super::*;
use impasto_compute::StripsPlan;

pub(super) const REFLECT: Border = Border::Centred(Padding::Reflect);
const RELU: Op = Op::Activation(Activation::Relu);
const END: Activation = Activation::Tanh {
    scale: 0.5,
    shift: 0.5,
};

/// Convolution, norm, and ReLU if there is one.
fn normed(spec: &mut GraphSpec, x: Value, filters: &Filters, relu: bool) -> Value {
    let seed = spec.nodes.len() as u64;
    let x = spec.push(filters.op(seed), &[x]);
    let x = spec.push(norm(seed, filters.outputs), &[x]);
    match relu {
        true => spec.push(RELU, &[x]),
        false => x,
    }
}

/// The network of Johnson, Alahi and Fei-Fei (2016) with nearest upsampling, of some widths.
pub(super) fn johnson([a, b, c]: [usize; 3], border: Border, scaled: bool) -> GraphSpec {
    let mut spec = GraphSpec::new();
    let image = spec.input("image", Kind::Map(3));
    let square = |i, o, k, s| Filters::square(i, o, k, s, border);
    let mut x = image;
    if scaled {
        x = spec.push(Op::Scale(scaling(50, 3)), &[x]);
    }
    x = normed(&mut spec, x, &square(3, a, 9, 1), true);
    x = normed(&mut spec, x, &square(a, b, 3, 2), true);
    x = normed(&mut spec, x, &square(b, c, 3, 2), true);
    for _ in 0..2 {
        let y = normed(&mut spec, x, &square(c, c, 3, 1), true);
        let y = normed(&mut spec, y, &square(c, c, 3, 1), false);
        x = spec.push(Op::Add, &[x, y]);
    }
    for (from, to) in [(c, b), (b, a)] {
        x = spec.push(Op::Upsample(Upsampling::Nearest), &[x]);
        x = normed(&mut spec, x, &square(from, to, 3, 1), true);
    }
    x = spec.push(square(a, 3, 9, 1).op(99), &[x]);
    x = spec.push(Op::Activation(END), &[x]);
    spec.output(x);
    spec
}

/// Part of MobileNetV2 (Sandler et al. 2018), and a predictor behind it.
pub(super) fn mobile() -> GraphSpec {
    let mut spec = GraphSpec::new();
    let image = spec.input("image", Kind::Map(3));
    let same = Border::Same(Padding::Zero);
    let relu6 = Op::Activation(Activation::Relu6);
    let x = spec.push(Filters::square(3, 16, 3, 2, same).op(1), &[image]);
    let mut x = spec.push(relu6.clone(), &[x]);
    for (stride, from, to) in [(1, 16, 24), (1, 24, 24), (2, 24, 32), (1, 32, 32)] {
        let wide = 6 * from;
        let seed = spec.nodes.len() as u64;
        let y = spec.push(Filters::square(from, wide, 1, 1, same).op(seed), &[x]);
        let y = spec.push(relu6.clone(), &[y]);
        let depthwise = Filters {
            groups: wide,
            ..Filters::square(wide, wide, 3, stride, same)
        };
        let y = spec.push(depthwise.op(seed + 1), &[y]);
        let y = spec.push(relu6.clone(), &[y]);
        let y = spec.push(Filters::square(wide, to, 1, 1, same).op(seed + 2), &[y]);
        x = match from == to {
            true => spec.push(Op::Add, &[x, y]),
            false => y,
        };
    }
    let mean = spec.push(Op::ChannelMean, &[x]);
    let linear = Op::Linear(Linear {
        weight: noise(77, 32 * 100).into(),
        bias: noise(78, 100).into(),
    });
    let code = spec.push(linear, &[mean]);
    spec.output(code);
    spec.output(x);
    spec
}

/// Modulation by another picture's statistics, mixtures, skips, values that are read several times.
pub(super) fn modulated() -> GraphSpec {
    let mut spec = GraphSpec::new();
    let content = spec.input("content", Kind::Map(3));
    let style = spec.input("style", Kind::Map(3));
    let strength = spec.input("strength", Kind::Vector(1));
    let first = Filters::square(3, 16, 3, 2, REFLECT);
    let s = spec.push(first.op(1), &[style]);
    let mean = spec.push(Op::ChannelMean, &[s]);
    let deviation = Op::ChannelDeviation {
        epsilon: 1e-5,
        variance: Variance::Unbiased,
    };
    let deviation = spec.push(deviation, &[s]);
    let c = spec.push(first.op(1), &[content]);
    let given = InstanceNorm {
        epsilon: 1e-5,
        variance: Variance::Unbiased,
        affine: Affine::Given,
    };
    let styled = spec.push(Op::InstanceNorm(given), &[c, deviation, mean]);
    let x = spec.push(Op::Mix, &[c, styled, strength]);
    let grouped = Filters {
        groups: 4,
        ..Filters::square(16, 16, 3, 1, REFLECT)
    };
    let y = spec.push(grouped.op(3), &[x]);
    let y = spec.push(RELU, &[y]);
    let y = spec.push(Op::Add, &[y, mean]);
    let z = spec.push(Op::Concat, &[x, y]);
    let z = spec.push(Op::Upsample(Upsampling::Nearest), &[z]);
    let z = spec.push(Filters::square(32, 16, 3, 1, REFLECT).op(4), &[z]);
    let w = spec.push(Op::Upsample(Upsampling::Bilinear), &[y]);
    let z = spec.push(Op::Multiply, &[z, w]);
    let z = spec.push(Op::Activation(Activation::Sigmoid), &[z]);
    let z = spec.push(Filters::square(16, 3, 5, 1, REFLECT).op(5), &[z]);
    spec.output(z);
    spec.output(styled);
    spec.output(content);
    spec.output(mean);
    spec
}

/// What devices may look through or leave out: frames and doubling before convolutions, with one reader and with several,
/// functions that are read alone and beside what they are of, sums of a value with itself, what nobody asks for, and what is
/// handed out twice.
fn fused() -> GraphSpec {
    let mut spec = GraphSpec::new();
    let image = spec.input("image", Kind::Map(3));
    let t = spec.input("t", Kind::Vector(1));
    let valid = |i, o, k, s| Filters::square(i, o, k, s, Border::Valid);
    let pad = |amount, padding| Op::Pad { amount, padding };
    let x = spec.push(pad(4, Padding::Reflect), &[image]);
    let x = spec.push(valid(3, 8, 3, 1).op(1), &[x]);
    let x = spec.push(RELU, &[x]);
    let doubled = spec.push(Op::Upsample(Upsampling::Nearest), &[x]);
    let framed = spec.push(pad(1, Padding::Replicate), &[doubled]);
    let y = spec.push(valid(8, 8, 3, 2).op(2), &[framed]);
    let y = spec.push(Op::Crop { amount: 1 }, &[y]);
    let y = spec.push(valid(8, 5, 3, 1).op(3), &[y]);
    let high = spec.push(Op::Activation(Activation::Relu6), &[y]);
    let low = spec.push(Op::Activation(Activation::Sigmoid), &[y]);
    let low = spec.push(RELU, &[low]);
    let sum = spec.push(Op::Add, &[high, low]);
    let sum = spec.push(Op::Add, &[sum, sum]);
    let mixed = spec.push(Op::Mix, &[sum, y, t]);
    let end = spec.push(Op::Activation(END), &[mixed]);
    let z = spec.push(valid(8, 4, 1, 1).op(4), &[doubled]);
    let z = spec.push(norm(5, 4), &[z]);
    let z = spec.push(Op::Scale(scaling(6, 4)), &[z]);
    spec.push(valid(3, 4, 1, 1).op(7), &[image]);
    for value in [end, high, doubled, image, doubled, z] {
        spec.output(value);
    }
    spec
}

#[test]
fn networks_agree() {
    for (height, width) in [(1, 1), (4, 8), (7, 5), (33, 50)] {
        let inputs = [map(3, height, width)];
        agree("mobile", 1e-4, &mobile(), &inputs);
        for scaled in [false, true] {
            for border in [REFLECT, Border::Centred(Padding::Zero)] {
                let spec = johnson([4, 8, 16], border, scaled);
                // Variances of a few places are small, and ε is all that is divided by.
                agree("johnson", 1e-3, &spec, &inputs);
            }
        }
        agree("fused", 1e-4, &fused(), &[inputs[0], Shape::Vector(1)]);
        let inputs = [inputs[0], map(3, 9, 16), Shape::Vector(1)];
        agree("modulated", 1e-3, &modulated(), &inputs);
    }
    let inputs = [map(3, 64, 100)];
    agree(
        "johnson",
        1e-4,
        &johnson([32, 64, 128], REFLECT, true),
        &inputs,
    );
}

#[test]
fn threads_and_strips_change_no_bit() {
    let inputs = [map(3, 90, 214)];
    for spec in [
        johnson([4, 8, 16], REFLECT, true),
        johnson([32, 32, 64], REFLECT, false),
        mobile(),
    ] {
        same_for_any_threads("a network", &spec, &inputs);
        let device = cpu(None, 2);
        let whole = run(&*device, &spec, &inputs, None).expect("it runs");
        let graph = device.graph(&spec).expect("it is valid");
        for rows in [1, 16, 50] {
            let plans = graph.strips(&inputs, Some(rows)).expect("it fits");
            for StripsPlan { strips, .. } in &plans {
                let made = run(&*device, &spec, &inputs, Some(strips)).expect("it runs");
                for (got, expected) in made.iter().zip(&whole) {
                    assert_same(&format!("in {strips:?}"), got, expected);
                }
            }
        }
    }
}

/// The way that takes least memory is bounded by the width alone, but for what is read and handed out; less work takes more.
#[test]
fn strips_take_less_memory_for_more_work() -> Result<()> {
    let device = cpu(None, 2);
    let graph = device.graph(&johnson([8, 16, 32], REFLECT, false))?;
    let mut least = Vec::new();
    for height in [600, 4800] {
        let inputs = [map(3, height, 256)];
        let whole = graph.memory(&inputs, None)?;
        let plans = graph.strips(&inputs, Some(32))?;
        for pair in plans.windows(2) {
            assert!(pair[0].memory.forward < pair[1].memory.forward, "{pair:?}");
            assert!(pair[0].work > pair[1].work, "{pair:?}");
        }
        let last = plans.last().expect("there are some");
        assert!(last.work == 1.0 && plans[0].work > 2.0, "{plans:?}");
        for plan in &plans {
            let bytes = graph.memory(&inputs, Some(&plan.strips))?;
            assert_eq!(bytes, plan.memory.forward);
        }
        let made = 4 * 3 * height * 256;
        least.push(plans[0].memory.forward - made);
        assert!(plans[0].memory.forward < whole, "{plans:?}");
    }
    assert!(least[1] < least[0] * 3 / 2, "{least:?}");
    Ok(())
}

/// What a picture becomes does not depend on what was run before.
#[test]
fn a_graph_runs_again_at_other_sizes() -> Result<()> {
    let device = cpu(None, 2);
    let graph = device.graph(&johnson([4, 8, 16], REFLECT, false))?;
    let mut first = Vec::new();
    for round in 0..2 {
        for (index, (height, width)) in [(8, 8), (40, 24), (4, 4)].into_iter().enumerate() {
            let image = device.upload(&noise(3, 3 * height * width), &[3, height, width])?;
            let made = device.download(&graph.run(&[&image], None)?[0])?;
            match round {
                0 => first.push(made),
                _ => assert_same("the second round", &made, &first[index]),
            }
        }
    }
    Ok(())
}
