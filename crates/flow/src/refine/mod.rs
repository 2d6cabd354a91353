//! Variational refinement (Brox et al. 2004, normalised as Zimmer et al. 2011).
//!
//! The flow w = (u, v) becomes one of less energy
//!
//! E(w) = Σ δ·ψ(Σ_c (I₁(x + w) − I₀(x))² / N) + γ·ψ(Σ_c |∇I₁(x + w) − ∇I₀(x)|² / N') + α·g·ψ(|∇u|² + |∇v|²)
//!
//! with ψ(s²) = √(s² + ε²), the mean over channels c, N = |∇I|² + ζ² (so that a difference counts as the motion that would
//! make it), and g = 1 / (1 + (|∇I₀| / edges)²), which lets motion change at edges. The second frame is warped by the flow
//! so far, all is linearised there, ψ' is taken there, and the linear system is solved roughly by red–black successive
//! over-relaxation; then again. What looks out of the second frame has no data term.

mod data;
mod median;
mod smoothness;
mod solver;

use crate::field::Flow;
use crate::pyramid::Level;
use crate::settings::Refinement;
use data::Differences;
use solver::System;

/// ε, in pixels.
const EPSILON: f32 = 0.001;

/// Refines a flow. `colors` is 3 where red, green and blue are compared, 1 for luma.
pub(crate) fn refine(first: &Level, second: &Level, flow: &mut Flow, settings: &Refinement) {
    if settings.warps == 0 {
        return;
    }
    if settings.colors {
        refine_by::<3>(first, second, flow, settings)
    } else {
        refine_by::<1>(first, second, flow, settings)
    }
}

fn refine_by<const C: usize>(
    first: &Level,
    second: &Level,
    flow: &mut Flow,
    settings: &Refinement,
) {
    let (width, height) = flow.size();
    let permeability = smoothness::permeability(first, settings);
    let mut differences = Differences::<C>::new(width, height);
    let mut system = System::new(width, height);
    let mut smooth = vec![0.0; width * height];
    for _ in 0..settings.warps {
        differences.take(first, second, flow);
        smoothness::weigh(flow, &permeability, &mut smooth);
        system.build(&differences, flow, &smooth, settings);
        system.solve(settings.sweeps, settings.relaxation);
        system.add_to(flow);
        median::smooth(flow);
    }
}

/// Rows that one task works on: few tasks for small pictures.
fn stripe(width: usize) -> usize {
    (8192 / width).max(8)
}
