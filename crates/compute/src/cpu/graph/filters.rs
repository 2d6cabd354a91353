//! Filters of graphs, laid out for the kernels when a graph is prepared.

use super::product::CHANNELS;
use crate::graph::{Border, Convolution, TransposedConvolution};
use crate::{Padding, Size};

/// What lies before the first place that is read, and beyond the border.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reach {
    /// As much as the border of a convolution with filters of these sides says.
    Border(Border, [usize; 2]),
    /// So many places downwards and to the right.
    Fixed([usize; 2], Padding),
}

impl Reach {
    /// Places before the first one, downwards and to the right, of a map of some size.
    pub(super) fn before(self, size: Size, stride: usize) -> [usize; 2] {
        match self {
            Reach::Border(border, [h, w]) => [
                border.before(size.height, h, stride),
                border.before(size.width, w, stride),
            ],
            Reach::Fixed(before, _) => before,
        }
    }

    pub(super) fn padding(self) -> Padding {
        match self {
            Reach::Border(border, _) => border.padding(),
            Reach::Fixed(_, padding) => padding,
        }
    }
}

/// Filters of a convolution, by taps.
///
/// With `phases` s above 1, the result is `s` times as high and wide as what is read, and each of the s² places over one
/// place read has taps of its own: transposed convolutions, and convolutions of doubled maps.
#[derive(Debug)]
pub(super) struct Filters {
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    pub(super) groups: usize,
    pub(super) stride: usize,
    pub(super) reach: Reach,
    pub(super) phases: usize,
    /// Height and width of what is read for one place.
    pub(super) span: [usize; 2],
    /// By phase, in reading order: rows and columns of its taps within the span, the same for every input.
    taps: Vec<Vec<(usize, usize)>>,
    /// By phase: `[group][block of outputs][input][tap][output]`.
    weights: Vec<Vec<f32>>,
    pub(super) bias: Vec<f32>,
}

impl Filters {
    /// Those of an ordinary convolution.
    pub(super) fn ordinary(op: &Convolution) -> Self {
        let [h, w] = op.kernel;
        let taps = (0..h).flat_map(|y| (0..w).map(move |x| (y, x))).collect();
        let mut filters = Self {
            outputs: op.outputs,
            inputs: op.inputs,
            groups: op.groups,
            stride: op.stride,
            reach: Reach::Border(op.border, op.kernel),
            phases: 1,
            span: op.kernel,
            taps: vec![taps],
            weights: Vec::new(),
            bias: op.bias.to_vec(),
        };
        let each = op.inputs / op.groups;
        filters.lay_out(|_, (y, x), out, input| op.weight[((out * each + input) * h + y) * w + x]);
        filters
    }

    /// Those of a 3×3 convolution of a map that is doubled first (every place four times): over each place read there are
    /// four places, which see 2×2 places of what is read through sums of filters, 16 products instead of 36. What lies
    /// beyond the border of the doubled map is then what the padding gives beyond that of the map itself; one mirrored
    /// place of a doubled map is its nearest.
    pub(super) fn doubled(op: &Convolution) -> Self {
        let padding = match op.border.padding() {
            Padding::Zero => Padding::Zero,
            Padding::Replicate | Padding::Reflect => Padding::Replicate,
        };
        // Rows of the filter over the two rows that a place sees.
        const ROWS: [[&[usize]; 2]; 2] = [[&[0], &[1, 2]], [&[0, 1], &[2]]];
        let mut taps = Vec::new();
        for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            taps.push(vec![(a, b), (a, b + 1), (a + 1, b), (a + 1, b + 1)]);
        }
        let mut filters = Self {
            outputs: op.outputs,
            inputs: op.inputs,
            groups: 1,
            stride: 1,
            reach: Reach::Fixed([1; 2], padding),
            phases: 2,
            span: [3, 3],
            taps,
            weights: Vec::new(),
            bias: op.bias.to_vec(),
        };
        filters.lay_out(|phase, (y, x), out, input| {
            let (a, b) = (phase / 2, phase % 2);
            let filter = &op.weight[(out * op.inputs + input) * 9..][..9];
            let mut sum = 0.0;
            for &row in ROWS[a][y - a] {
                for &column in ROWS[b][x - b] {
                    sum += f64::from(filter[row * 3 + column]);
                }
            }
            sum as f32
        });
        filters
    }

    /// Those of the transpose of a convolution.
    pub(super) fn transposed(op: &TransposedConvolution) -> Self {
        let (k, s) = (op.kernel, op.stride);
        // Along one direction: the place read by tap t of the filter for phase a, and how far the first one lies before.
        let line = |a: usize| {
            let here = (0..k).filter(move |t| (a + op.before) % s == t % s);
            here.map(move |t| ((a + op.before) as isize - t as isize).div_euclid(s as isize))
        };
        let all = || (0..s).flat_map(line);
        let (least, most) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
        let before = (-least).max(0);
        let span = (most.max(0) + before + 1) as usize;
        let mut taps = Vec::new();
        for phase in 0..s * s {
            let (a, b) = (phase / s, phase % s);
            let place = |d: isize| (d + before) as usize;
            let of_rows = line(a).flat_map(|y| line(b).map(move |x| (place(y), place(x))));
            taps.push(of_rows.collect());
        }
        let mut filters = Self {
            outputs: op.outputs,
            inputs: op.inputs,
            groups: 1,
            stride: 1,
            reach: Reach::Fixed([before as usize; 2], Padding::Zero),
            phases: s,
            span: [span; 2],
            taps,
            weights: Vec::new(),
            bias: op.bias.to_vec(),
        };
        filters.lay_out(|phase, (y, x), out, input| {
            let (a, b) = (phase / s, phase % s);
            // Which tap of the filter reads that place.
            let tap = |a: usize, y: usize| (a + op.before + s * before as usize) - s * y;
            op.weight[((input * op.outputs + out) * k + tap(a, y)) * k + tap(b, x)]
        });
        filters
    }

    /// Those of the gradient of a convolution towards all that it reads, also beyond the border, from that towards what it
    /// makes: over each place of the latter there are as many as the stride has phases.
    pub(super) fn adjoint(op: &Convolution) -> Self {
        let s = op.stride;
        // Places that lie before, each way, at most.
        let [top, left] = op.kernel.map(|k| (k - 1) / s);
        // Along one direction: the place within the span of every tap for a phase.
        let line = |a: usize, k: usize, last: usize| (a..k).step_by(s).map(move |t| last - t / s);
        let mut taps = Vec::new();
        for (a, b) in (0..s).flat_map(|a| (0..s).map(move |b| (a, b))) {
            let rows = line(a, op.kernel[0], top);
            let places = rows.flat_map(|y| line(b, op.kernel[1], left).map(move |x| (y, x)));
            taps.push(places.collect());
        }
        let mut filters = Self {
            outputs: op.inputs,
            inputs: op.outputs,
            groups: op.groups,
            stride: 1,
            reach: Reach::Fixed([top, left], Padding::Zero),
            phases: s,
            span: [top + 1, left + 1],
            taps,
            weights: Vec::new(),
            bias: vec![0.0; op.inputs],
        };
        let [from, to] = [op.inputs, op.outputs].map(|channels| channels / op.groups);
        filters.lay_out(|phase, (y, x), channel, of_group| {
            let (row, column) = (phase / s + s * (top - y), phase % s + s * (left - x));
            let out = channel / from * to + of_group;
            let filter = (out * from + channel % from) * op.kernel[0];
            op.weight[(filter + row) * op.kernel[1] + column]
        });
        filters
    }

    /// Those of the gradient of a 3×3 convolution towards what lies beyond one edge of what it reads, along which there are
    /// taps `of` of its filters; so many places lie before the first one.
    pub(super) fn edge(op: &Convolution, before: usize, of: impl Fn(usize) -> usize) -> Self {
        let mut filters = Self {
            outputs: op.inputs,
            inputs: op.outputs,
            groups: 1,
            stride: 1,
            reach: Reach::Fixed([0, before], Padding::Zero),
            phases: 1,
            span: [1, 3],
            taps: vec![(0..3).map(|x| (0, x)).collect()],
            weights: Vec::new(),
            bias: vec![0.0; op.inputs],
        };
        filters
            .lay_out(|_, (_, x), input, out| op.weight[(out * op.inputs + input) * 9 + of(2 - x)]);
        filters
    }

    /// Those of the gradient of a transposed convolution towards what it reads: the convolution.
    pub(super) fn straight(op: &TransposedConvolution) -> Self {
        let k = op.kernel;
        let mut filters = Self {
            outputs: op.inputs,
            inputs: op.outputs,
            groups: 1,
            stride: op.stride,
            reach: Reach::Fixed([op.before; 2], Padding::Zero),
            phases: 1,
            span: [k; 2],
            taps: vec![(0..k).flat_map(|y| (0..k).map(move |x| (y, x))).collect()],
            weights: Vec::new(),
            bias: vec![0.0; op.inputs],
        };
        filters.lay_out(|_, (y, x), input, out| {
            op.weight[((input * op.outputs + out) * k + y) * k + x]
        });
        filters
    }

    /// Fills the weights, from the number for a phase, tap, output and input of its group.
    fn lay_out(&mut self, weight: impl Fn(usize, (usize, usize), usize, usize) -> f32) {
        let (inputs, outputs) = (self.inputs / self.groups, self.outputs / self.groups);
        for (phase, taps) in self.taps.iter().enumerate() {
            let mut weights = Vec::with_capacity(self.outputs * inputs * taps.len());
            for group in 0..self.groups {
                for first in (0..outputs).step_by(CHANNELS) {
                    let block = first..(first + CHANNELS).min(outputs);
                    for input in 0..inputs {
                        for &tap in taps {
                            let out = |out: usize| group * outputs + out;
                            weights
                                .extend(block.clone().map(|o| weight(phase, tap, out(o), input)));
                        }
                    }
                }
            }
            self.weights.push(weights);
        }
    }

    /// Phases, both ways together.
    pub(super) fn squares(&self) -> usize {
        self.phases * self.phases
    }

    /// Places of the taps of all inputs of a group in rows of some pitch, in planes of some size; columns lie by their
    /// remainder to the stride.
    pub(super) fn places(&self, phase: usize, packed: &Packed) -> Vec<u32> {
        let inputs = 0..self.inputs / self.groups;
        let places = inputs.flat_map(|input| {
            self.taps[phase].iter().map(move |&(y, x)| {
                let column = x % self.stride * packed.part + x / self.stride;
                (input * packed.plane + y * packed.pitch + column) as u32
            })
        });
        places.collect()
    }

    /// The weights of a block of outputs of a group.
    pub(super) fn block(&self, phase: usize, group: usize, first: usize, count: usize) -> &[f32] {
        let outputs = self.outputs / self.groups;
        let each = self.inputs / self.groups * self.taps[phase].len();
        &self.weights[phase][(group * outputs + first) * each..][..count * each]
    }
}

/// How rows that were read for a convolution lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed {
    /// From one row to the next.
    pub(super) pitch: usize,
    /// From one remainder of columns to the next, within a row.
    pub(super) part: usize,
    /// From one channel to the next.
    pub(super) plane: usize,
}
