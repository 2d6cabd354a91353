//! What stands upright before the city: promenade, lamps, big wheel, bridge and ferry.

use super::{QUAY, lamplight};
use crate::colour::{linear, ramp};
use crate::noise::{fbm, noise};
use crate::vector::{V2, V3, lerp, smooth, v2, v3};

/// Everything drawn on upright planes between `near` and `far`, over what is behind.
pub fn planes(from: V3, ray: V3, near: f32, far: f32, behind: V3) -> V3 {
    let mut seen = behind;
    let at = |z: f32| {
        let t = (z - from[2]) / ray[2];
        (t > near && t < far).then(|| from + ray * t)
    };
    let soft =
        |distance: f32, half: f32, blur: f32| smooth(half + blur, half - blur, distance.abs());
    if let Some(p) = at(QUAY + 12.0) {
        // Trees along the promenade, lit from below.
        let crown = 5.0
            + 5.5 * fbm(v2(p[0] / 9.0, 0.0), 3, 440)
            + 1.2 * noise(v2(p[0] / 1.6, p[1] / 1.6), 441);
        let leaf = smooth(0.3, -0.3, p[1] - crown)
            * smooth(0.34, 0.42, noise(v2(p[0] / 17.0, 4.0), 442))
            * smooth(1.5, 3.0, p[1]);
        let shade = linear(0x12180f).mix(
            linear(0x5a4a1c),
            smooth(crown, 2.0, p[1]) * noise(v2(p[0], p[1]) / 1.3, 443),
        );
        seen = seen.mix(shade, leaf);
    }
    if let Some(p) = at(QUAY + 1.0) {
        let wall = smooth(2.4, 2.2, p[1]);
        let stones = linear(0x3a3430) * (0.6 + 0.5 * fbm(v2(p[0] / 2.0, p[1]), 3, 444));
        let pool = 0.5 + 0.5 * (p[0] / 15.0 * std::f32::consts::TAU).cos();
        seen = seen.mix(
            stones * (v3(0.35, 0.32, 0.5) + v3(1.0, 0.6, 0.25) * (1.4 * pool.powi(3))),
            wall,
        );
        let x = (p[0] / 15.0).round() * 15.0;
        let lamp = (v2(p[0] - x, p[1] - 6.4)).len();
        seen = seen.mix(
            linear(0x14120f),
            soft(p[0] - x, 0.10, 0.06) * smooth(6.4, 6.2, p[1]),
        );
        seen =
            seen + lamplight(0.35) * (9.0 * smooth(0.55, 0.30, lamp) + 0.30 * (-lamp / 1.6).exp());
    }
    if let Some(p) = at(QUAY - 9.0) {
        seen = wheel(v2(p[0], p[1]), seen);
    }
    if let Some(p) = at(QUAY - 35.0) {
        seen = bridge(v2(p[0], p[1]), seen);
    }
    if let Some(p) = at(104.0) {
        seen = ferry(v2(p[0] - 26.0, p[1]), seen);
    }
    seen
}

fn wheel(p: V2, behind: V3) -> V3 {
    let arm = p - v2(112.0, 31.0);
    let r = arm.len();
    if r > 34.0 && p[1] > 31.0 {
        return behind;
    }
    let soft = |distance: f32, half: f32| smooth(half + 0.12, half - 0.12, distance.abs());
    let mut seen = behind;
    let leg =
        soft((arm[0].abs() - (-arm[1]).max(0.0) * 0.42) * 0.9, 0.5) * smooth(0.0, -0.5, arm[1]);
    seen = seen.mix(linear(0x5a5a70), leg);
    let turn = arm.angle() / std::f32::consts::TAU * 24.0;
    let spoke = (turn - turn.round()) / 24.0 * std::f32::consts::TAU * r;
    let glow = ramp(
        &[linear(0xff4f9a), linear(0xb060ff), linear(0x50a0ff)],
        (arm[1] + 27.0) / 54.0,
    );
    seen = seen + glow * (0.8 * soft(spoke, 0.10) * smooth(26.0, 25.0, r));
    seen = seen + glow * (2.6 * soft(r - 26.0, 0.35) + 1.2 * soft(r - 22.5, 0.18));
    let cabin = V2::polar(turn.round() / 24.0 * std::f32::consts::TAU) * 28.2;
    let off = arm - cabin + v2(0.0, 0.8);
    let inside = soft(off[0], 0.95) * soft(off[1], 1.1);
    seen.mix(lamplight(0.7) * 1.6, inside) + linear(0xffffff) * (2.5 * smooth(2.2, 1.2, r))
}

fn bridge(p: V2, behind: V3) -> V3 {
    if p[0] > -28.0 {
        return behind;
    }
    let soft = |distance: f32, half: f32| smooth(half + 0.12, half - 0.12, distance.abs());
    let (deck, top, span) = (15.0, 58.0, 84.0);
    let steel = linear(0x3a2a38).mix(linear(0xa04a48), smooth(4.0, 60.0, p[1]));
    let mut seen = behind;
    // Towers stand at -70 and -154; the cable hangs between them and falls to the banks.
    let near = if p[0] > -112.0 { -70.0 } else { -154.0 };
    let inner = p[0] < -70.0 && p[0] > -154.0;
    let s = if inner {
        (p[0] + 112.0) / (span * 0.5)
    } else {
        1.0 - (p[0] - near).abs() / 44.0
    };
    let cable = if inner {
        lerp(deck + 3.5, top, s * s)
    } else {
        lerp(deck + 1.0, top, s.max(0.0).powf(1.25))
    };
    let x = (p[0] / 3.5).round() * 3.5;
    seen = seen.mix(
        steel * 0.9,
        soft(p[0] - x, 0.06) * f32::from(p[1] < cable && p[1] > deck),
    );
    seen = seen.mix(steel * 1.3, soft(p[1] - cable, 0.34) * f32::from(s > -0.02));
    let girder = soft(p[1] - deck, 0.9);
    seen = seen.mix(steel * 0.55, girder);
    let truss = (p[0] / 3.5).fract();
    seen = seen.mix(
        steel * 0.5,
        soft(
            p[1] - deck + 2.4 - 1.4 * (2.0 * (truss - 0.5).abs() - 0.5),
            0.2,
        ) * f32::from(p[1] < deck),
    );
    // Two legs, braced.
    let leg = (p[0] - near).abs();
    let spread = 3.1 - 0.014 * p[1];
    let brace = (p[1] / 9.0).fract() - 0.5;
    let cross =
        soft((leg / spread - 2.0 * brace.abs()) * spread * 0.7, 0.22).max(soft(brace * 9.0, 0.35));
    let shaft =
        soft(leg - spread, 0.85).max(cross * f32::from(leg < spread)) * f32::from(p[1] < top + 3.0);
    let lit = 0.8 + 1.6 * (-(p[1] - deck).abs() / 14.0).exp();
    seen = seen.mix(steel * lit + linear(0xff9050) * 0.08, shaft);
    let lamp = (v2(p[0] - (p[0] / 10.5).round() * 10.5, p[1] - deck - 2.6)).len();
    let string = v2(p[0] - (p[0] / 5.25).round() * 5.25, p[1] - cable).len();
    seen + lamplight(0.5)
        * (8.0 * smooth(0.5, 0.25, lamp) + 3.0 * smooth(0.36, 0.16, string) * f32::from(s > 0.0))
        + linear(0xff3020) * (5.0 * smooth(0.9, 0.5, v2(p[0] - near, p[1] - top - 4.0).len()))
}

fn ferry(p: V2, behind: V3) -> V3 {
    let inside = |x: f32, y: f32, half: V2| {
        f32::from((p[0] - x).abs() < half[0] && (p[1] - y).abs() < half[1])
    };
    let hull = f32::from(p[1] > -0.5 && p[1] < 1.9 && p[0].abs() < 10.5 + 0.7 * p[1]);
    let mut seen = behind
        .mix(linear(0x1c2434), hull)
        .mix(linear(0x8a2a24) * 0.5, hull * smooth(0.5, 0.3, p[1]))
        .mix(linear(0xb8b0b0) * 0.55, hull * smooth(1.3, 1.5, p[1]));
    seen = seen.mix(
        linear(0xd8c0b8) * (0.30 + 0.12 * smooth(-8.0, 8.0, p[0])),
        inside(-0.5, 3.1, v2(7.6, 1.3)).max(inside(0.5, 5.2, v2(4.6, 0.9))),
    );
    let port = v2((p[0] / 1.5).fract() - 0.5, 0.0)[0].abs() < 0.33;
    let rows = inside(-0.5, 3.2, v2(7.0, 0.6)).max(inside(0.5, 5.3, v2(4.1, 0.42)));
    seen = seen.mix(lamplight(0.55) * 1.9, rows * f32::from(port));
    seen = seen.mix(linear(0xa03028), inside(2.6, 7.4, v2(1.0, 1.4)));
    seen.mix(linear(0x101010), inside(-3.6, 8.0, v2(0.09, 2.6)))
        + linear(0xffffff) * (6.0 * smooth(0.45, 0.2, v2(p[0] + 3.6, p[1] - 10.7).len()))
}
