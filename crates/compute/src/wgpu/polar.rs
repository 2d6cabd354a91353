//! The orthogonal factor `U` of the polar decomposition `X = U·H`, by products only.
//!
//! The polynomials are those of [`cpu`](crate::cpu), whose table this uses. How many of them are needed depends on the
//! numbers at hand. The host does not wait to learn that: all steps are recorded, and each looks on the device whether
//! its turn has come. Steps that are not needed cost the start of a few empty kernels.

use super::context::Context;
use super::fidelity::{FIRST_STEP, NORM_M, NORM_N, SQUARED, into};
use super::kernel::{Kernel, Launch, Param, reads, writes};
use super::memory::Array;
use super::product::{How, Operand, product};
use super::scalar::CHUNK;
use super::vector::each;
use crate::Result;
use crate::cpu::polar::{ROOM, STEPS};
use std::fmt::Write;

const FILE: &str = include_str!("polar.wgsl");
const CHOOSE: Kernel = Kernel {
    name: "choose",
    file: FILE,
    operands: &[writes("controls")],
};
const SYMMETRIC_NORM: Kernel = Kernel {
    name: "symmetric_norm",
    file: FILE,
    operands: &[reads("x"), writes("partials")],
};
const POLYNOMIAL: Kernel = Kernel {
    name: "polynomial",
    file: FILE,
    operands: &[
        reads("linear"),
        reads("square"),
        reads("controls"),
        writes("out"),
    ],
};
const STEP_DONE: Kernel = Kernel {
    name: "step_done",
    file: FILE,
    operands: &[reads("x"), reads("controls"), writes("out")],
};

/// Places of a step among the controls.
pub(super) const STEP_LEN: usize = 8;
/// Places of all steps.
pub(super) const STEPS_LEN: usize = STEP_LEN * STEPS.len();

/// The table as a shader reads it.
fn table() -> String {
    let mut text = format!(
        "struct Step {{ low: f32, high: f32, a: f32, b: f32, c: f32 }}\nconst ROOM = {ROOM:?};\n\
         const STEPS = array<Step, {}>(",
        STEPS.len()
    );
    for step in &STEPS {
        let [a, b, c] = step.coefficients;
        let _ = write!(
            text,
            "Step({:?}, {:?}, {a:?}, {b:?}, {c:?}),",
            step.low, step.high
        );
    }
    text + ");\n"
}

/// Replaces `x` `[c, c]` by its orthogonal polar factor; norms are among the controls.
pub(super) fn orthogonalise(
    context: &Context,
    c: usize,
    x: &Array,
    controls: &Array,
) -> Result<()> {
    let n = c * c;
    let take = || context.pool.take(n);
    let (square, fourth, polynomial, next) = (take()?, take()?, take()?, take()?);
    // A = XᵀX and A².
    let squares = |gate: Option<(&Array, usize)>| -> Result<()> {
        let full = How {
            gate,
            ..How::default()
        };
        let lower = How {
            lower: true,
            ..full
        };
        let size = [c; 3];
        product(
            context,
            size,
            Operand::transposed(x),
            Operand::plain(x),
            full,
            &square,
        )?;
        let a = Operand::plain(&square);
        product(context, size, a, a, lower, &fourth)
    };
    squares(None)?;
    let groups = n.div_ceil(CHUNK);
    let partials = context.pool.take(groups)?;
    context.run(&Launch {
        kernel: &SYMMETRIC_NORM,
        constants: &[],
        more: None,
        operands: &[Some(&fourth), Some(&partials)],
        params: &[n, groups, c].map(Param::U),
        groups,
        batches: 1,
    })?;
    into(context, &partials, controls, SQUARED)?;
    let constants = [
        ("SQUARED", SQUARED as u32),
        ("NORM_M", NORM_M as u32),
        ("NORM_N", NORM_N as u32),
        ("FIRST_STEP", FIRST_STEP as u32),
    ];
    context.run(&Launch {
        kernel: &CHOOSE,
        constants: &constants,
        more: Some(("table", &table)),
        operands: &[Some(controls)],
        params: &[Param::U(STEPS.len())],
        groups: 1,
        batches: 1,
    })?;
    for step in 0..STEPS.len() {
        let place = FIRST_STEP + step * STEP_LEN;
        if step > 0 {
            squares(Some((controls, place)))?;
        }
        let operands = [
            Some(&square),
            Some(&fourth),
            Some(controls),
            Some(&polynomial),
        ];
        each(
            context,
            &POLYNOMIAL,
            n,
            &operands,
            &[n, c, place].map(Param::U),
        )?;
        let how = How {
            gate: Some((controls, place + 1)),
            ..How::default()
        };
        let (left, right) = (Operand::plain(x), Operand::plain(&polynomial));
        product(context, [c; 3], left, right, how, &next)?;
        let operands = [Some(&next), Some(controls), Some(x)];
        each(context, &STEP_DONE, n, &operands, &[n, place].map(Param::U))?;
    }
    Ok(())
}
