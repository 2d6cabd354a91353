//! The surfaces of the still life: colours and patterns of skins, glaze, wood and cloth.

use super::Matter;
use super::form::{cloth, flat};
use crate::colour::linear;
use crate::noise::{fbm, fbm3, noise, noise3};
use crate::vector::{V, V3, lerp, smooth, v2, v3};

/// What a surface looks like.
pub struct Skin {
    /// Its colour in linear light.
    pub colour: V3,
    /// How sharply it mirrors.
    pub gloss: f32,
    /// How much it mirrors when looked at straight, 0..1.
    pub mirror: f32,
    /// How far light wanders inside, 0..1.
    pub soft: f32,
    /// What its fine relief adds to the normal.
    pub bump: V3,
}

/// The skin of `matter` at `p`, which is `q` seen from its object's origin, with the normal `n`.
pub fn skin(matter: Matter, p: V3, q: V3, n: V3) -> Skin {
    let rough = |frequency: f32, depth: f32| {
        let at = |shift: f32| noise3(p * frequency + V::splat(shift), 31) - 0.5;
        v3(at(0.0), at(40.0), at(80.0)) * depth
    };
    let none = V::splat(0.0);
    match matter {
        Matter::Apple(kind) => {
            let around = q[0].atan2(q[2]);
            let streaks = fbm3(
                v3(
                    around.sin() * 9.0,
                    around.cos() * 9.0,
                    q[1] * 1.3 + kind as f32 * 9.0,
                ),
                4,
                12,
            );
            let patch = fbm3(q * 1.6 + V::splat(kind as f32 * 3.7), 3, 13);
            let (skin, blush) = if kind == 3 {
                (linear(0x9fb832), linear(0xc8c850))
            } else {
                (linear(0xd9a83a), linear(0xb0141a))
            };
            let red = smooth(
                0.36,
                0.62,
                streaks * 0.5 + patch * 0.75 - 0.10 * q[1] + if kind == 3 { -0.12 } else { 0.06 },
            );
            let dots = smooth(0.80, 0.86, noise3(q * 26.0, 14)) * 0.35;
            let pit = smooth(0.30, 0.05, flat(q)) * smooth(0.0, 0.3, q[1]);
            let colour = skin
                .mix(blush, red)
                .mix(linear(0xe8d8a0), dots)
                .mix(linear(0x6a5a1c), pit * 0.7);
            Skin {
                colour,
                gloss: 60.0,
                mirror: 0.045,
                soft: 0.15,
                bump: rough(14.0, 0.02),
            }
        }
        Matter::Orange => {
            let pores = rough(34.0, 0.22);
            let tint = fbm3(q * 2.5, 3, 15);
            let navel = smooth(0.10, 0.04, (q - v3(-0.1, 0.4, -0.15)).len());
            let colour = linear(0xe87a10)
                .mix(linear(0xf09c28), tint)
                .mix(linear(0x4a6a20), navel);
            Skin {
                colour,
                gloss: 26.0,
                mirror: 0.045,
                soft: 0.2,
                bump: pores,
            }
        }
        Matter::Lemon => {
            let tint = fbm3(q * 3.0, 3, 16);
            Skin {
                colour: linear(0xe4b81c).mix(linear(0xdcc040), tint),
                gloss: 34.0,
                mirror: 0.045,
                soft: 0.2,
                bump: rough(24.0, 0.18),
            }
        }
        Matter::Pear => {
            let blush = smooth(
                0.05,
                0.6,
                q[0] * 0.9 - q[2] * 0.2 + 0.5 * (fbm3(q * 2.0, 3, 17) - 0.5),
            );
            let dots = smooth(0.74, 0.86, noise3(q * 48.0, 18)) * 0.32;
            let colour = linear(0xb0a83c)
                .mix(linear(0xb8602c), blush * 0.8)
                .mix(linear(0x7a6428), dots + 0.5 * smooth(0.75, 0.95, q[1]));
            Skin {
                colour,
                gloss: 30.0,
                mirror: 0.035,
                soft: 0.2,
                bump: rough(20.0, 0.04),
            }
        }
        Matter::Grape => {
            let bloom = smooth(0.35, 0.75, fbm3(p * 7.0, 3, 19)) * 0.30;
            let colour = linear(0x3a1248)
                .mix(linear(0x6a1f50), noise3(p * 2.3, 20))
                .mix(linear(0x9a92b8), bloom);
            Skin {
                colour,
                gloss: 90.0,
                mirror: 0.05 * (1.0 - bloom),
                soft: 0.45,
                bump: none,
            }
        }
        Matter::Wood => Skin {
            colour: linear(0x4a3420),
            gloss: 8.0,
            mirror: 0.02,
            soft: 0.0,
            bump: none,
        },
        Matter::Jug => {
            let throwing = 0.014 * (q[1] * 55.0 + 2.0 * noise(v2(q[1] * 9.0, 0.0), 21)).sin();
            let drip = 0.42 + 0.10 * fbm(v2(q[0].atan2(q[2]) * 3.0, 0.0), 3, 22);
            let cloud = fbm3(q * v3(1.3, 2.4, 1.3), 4, 23) * 0.7 + 0.25 * (q[1] / 2.6);
            let glaze = linear(0x174a6c)
                .mix(linear(0x3f8a9c), smooth(0.25, 0.75, cloud))
                .mix(
                    linear(0xb8cfc0),
                    smooth(2.30, 2.62, q[1] + 0.2 * cloud) * 0.8,
                );
            let clay = linear(0xa8653c) * (0.85 + 0.3 * fbm3(q * 14.0, 3, 24));
            let glazed = smooth(drip - 0.012, drip + 0.012, q[1]);
            let colour = clay.mix(glaze, glazed);
            Skin {
                colour,
                gloss: lerp(8.0, 180.0, glazed),
                mirror: lerp(0.01, 0.07, glazed),
                soft: 0.0,
                bump: v3(0.0, throwing, 0.0),
            }
        }
        Matter::Bowl => {
            let band = smooth(0.012, 0.0, (q[1] - 0.66).abs() - 0.030).max(smooth(
                0.010,
                0.0,
                (q[1] - 0.58).abs() - 0.010,
            ));
            let outside = smooth(-0.1, 0.1, n.dot(v3(q[0], 0.0, q[2])));
            let speck = smooth(0.84, 0.90, noise3(p * 30.0, 25)) * 0.5;
            let colour = linear(0xe6dfcf)
                .mix(linear(0x1f3f86), band * outside)
                .mix(linear(0x8a7a64), speck);
            Skin {
                colour,
                gloss: 140.0,
                mirror: 0.055,
                soft: 0.1,
                bump: none,
            }
        }
        Matter::Wall => {
            let plaster = fbm(v2(p[0], p[1]) * 2.2, 5, 26);
            Skin {
                colour: linear(0x77766a).mix(linear(0x93907e), plaster),
                gloss: 4.0,
                mirror: 0.0,
                soft: 0.0,
                bump: rough(9.0, 0.06),
            }
        }
        Matter::Table => {
            let on = cloth(p).1;
            let q = v2(p[0] - 0.75, p[2] + 0.45).turned(0.32);
            let stripe =
                |at: f32, half: f32| smooth(half + 0.008, half - 0.008, (q[0].abs() - at).abs());
            let stripes = stripe(1.38, 0.10)
                .max(stripe(1.18, 0.03))
                .max(stripe(1.58, 0.03));
            let weave = 0.5 + 0.25 * ((q[0] * 260.0).sin() + (q[1] * 260.0).sin());
            let linen = linear(0xe4dcc8).mix(linear(0x2f4f8c), stripes) * (0.88 + 0.12 * weave);
            let (plank, place) = ((p[2] * 0.95 + 40.0).floor(), p[2] * 0.95);
            let shift = plank * 7.3;
            let ring = fbm(v2(p[0] * 0.5 + shift, place * 3.5 + shift), 3, 27);
            let grain = (ring * 42.0).sin() * 0.5 + 0.5;
            let fibre = fbm(v2(p[0] * 6.0 + shift, place * 90.0), 3, 28);
            let gap = smooth(0.012, 0.004, (place - place.round()).abs());
            let wood = linear(0x6a3d20).mix(
                linear(0xa86c3a),
                0.35 * grain + 0.5 * fibre + 0.2 * (shift.sin()),
            );
            Skin {
                colour: (wood * (1.0 - 0.8 * gap)).mix(linen, on),
                gloss: 16.0,
                mirror: lerp(0.03, 0.0, on),
                soft: 0.0,
                bump: v3(0.0, 0.0, 0.10 * (fibre - 0.5)) * (1.0 - on) + rough(40.0, 0.05) * on,
            }
        }
    }
}
