//! `still-life`: a bowl of fruit and a jug on a wooden table, in the light of a window.
//!
//! Every object is a signed distance function; rays march through their union (sphere tracing, Hart 1996). The window
//! is a soft lamp from the left: shadows widen with distance, corners darken by ambient occlusion, glaze and skins
//! mirror the window's four panes. Skins, wood and cloth get their patterns from noise. Light is linear throughout.

mod form;
mod skin;

use crate::canvas::Canvas;
use crate::colour::{film, linear};
use crate::noise::Rng;
use crate::shape::{points, spline};
use crate::vector::{V, V3, lerp, smooth, v2, v3};

use form::{Form, Profile, Scene, Thing};
use skin::skin;

const W: usize = 1440;
const H: usize = 1152;
const EYE: V3 = v3(0.1, 2.75, -6.6);
const LOOK_AT: V3 = v3(0.26, 1.0, 0.2);
const WALL: f32 = 2.6;

#[derive(Clone, Copy, PartialEq)]
enum Matter {
    Table,
    Wall,
    Jug,
    Bowl,
    Apple(i32),
    Orange,
    Lemon,
    Pear,
    Grape,
    Wood,
}

fn scene() -> Scene {
    let mut things = Vec::new();
    let mut put = |matter, centre: V3, bound: f32, form| {
        things.push(Thing {
            matter,
            centre,
            bound,
            form,
        })
    };
    put(Matter::Jug, v3(-1.55, 0.0, 0.75), 2.75, Form::Jug);
    put(Matter::Bowl, v3(0.62, 0.03, 0.25), 1.62, Form::Bowl);
    let stem = |put: &mut dyn FnMut(Matter, V3, f32, Form), at: V3, to: V3| {
        put(Matter::Wood, at, 0.45, Form::Stick { to, thick: 0.022 })
    };
    let apples = [
        (v3(0.12, 0.98, 0.05), 0.56, v3(-0.25, 1.0, -0.35), 1),
        (v3(1.12, 0.93, 0.62), 0.55, v3(0.3, 1.0, 0.1), 2),
        (v3(-1.02, 0.46, -1.05), 0.54, v3(0.25, 1.0, -0.28), 3),
    ];
    for (centre, size, tilt, kind) in apples {
        let tilt = tilt.unit();
        put(
            Matter::Apple(kind),
            centre,
            size * 1.1,
            Form::Apple { size, tilt },
        );
        stem(
            &mut put,
            centre + tilt * (0.48 * size),
            tilt * 0.26 + v3(0.05, 0.0, 0.02),
        );
    }
    for (centre, radius) in [
        (v3(1.12, 0.92, -0.22), 0.47),
        (v3(0.35, 0.93, 0.86), 0.46),
        (v3(-0.42, 0.43, -1.62), 0.43),
    ] {
        put(Matter::Orange, centre, radius + 0.01, Form::Sphere(radius));
    }
    let lean = v3(-0.30, 1.0, 0.12).unit();
    put(
        Matter::Pear,
        v3(0.66, 1.20, 0.38),
        1.05,
        Form::Pear { axis: lean },
    );
    stem(
        &mut put,
        v3(0.66, 1.20, 0.38) + lean * 0.92,
        v3(-0.02, 0.26, 0.04),
    );
    put(
        Matter::Lemon,
        v3(2.12, 0.41, -0.85),
        0.62,
        Form::Lemon {
            axis: v3(0.85, 0.06, -0.5).unit(),
        },
    );
    put(
        Matter::Lemon,
        v3(2.42, 0.39, -0.05),
        0.62,
        Form::Lemon {
            axis: v3(0.3, 0.02, 0.9).unit(),
        },
    );
    // A bunch of grapes hangs over the rim: berries pushed apart until they only touch.
    let mut rng = Rng::new(5);
    let path = [
        v3(0.30, 1.02, -0.62),
        v3(0.42, 0.80, -1.02),
        v3(0.58, 0.45, -1.25),
        v3(0.86, 0.2, -1.42),
        v3(1.2, 0.2, -1.5),
    ];
    let mut berries: Vec<V3> = (0..34)
        .map(|i| {
            let t = i as f32 / 34.0 * 3.999;
            path[t as usize].mix(path[t as usize + 1], t.fract())
                + v3(rng.normal(), rng.normal(), rng.normal()) * 0.13
        })
        .collect();
    for _ in 0..60 {
        for i in 0..berries.len() {
            for j in 0..i {
                let apart = berries[i] - berries[j];
                let push = (0.30 - apart.len()).max(0.0) * 0.5;
                berries[i] = berries[i] + apart.unit() * push;
                berries[j] = berries[j] - apart.unit() * push;
            }
            berries[i].0[1] = berries[i][1].max(0.18);
        }
    }
    for centre in berries {
        put(Matter::Grape, centre, 0.165, Form::Sphere(0.16));
    }
    Scene {
        things,
        handle: spline(
            &points("0.40,2.30 0.72,2.42 1.02,2.30 1.17,1.95 1.10,1.45 0.94,1.16 0.78,1.04"),
            9,
        ),
        jug: Profile::new(
            "0,0.56 0.08,0.60 0.45,0.82 0.85,0.93 1.2,0.88 1.6,0.66 1.95,0.47 2.2,0.42 2.45,0.47 2.62,0.56",
        ),
        bowl: Profile::new("0,0.50 0.07,0.50 0.12,0.55 0.22,0.80 0.40,1.08 0.62,1.30 0.80,1.42"),
    }
}

/// The light that comes from direction `ray` in the room: a window of four panes to the left, dim warm walls elsewhere.
fn room(ray: V3, blur: f32) -> V3 {
    let towards = v3(-0.72, 0.55, -0.43).unit();
    let right = towards.cross(v3(0.0, 1.0, 0.0)).unit();
    let up = right.cross(towards);
    let (facing, x, y) = (ray.dot(towards), ray.dot(right), ray.dot(up));
    let ambient = linear(0x6a5f52).mix(linear(0xa89f90), 0.5 + 0.5 * ray[1]) * 0.5;
    if facing <= 0.05 {
        return ambient;
    }
    let (x, y) = (x / facing, y / facing);
    let pane = |a: f32, half: f32| smooth(half + blur, half - blur, a.abs());
    let bars = (1.0 - pane(x, 0.022)) * (1.0 - pane(y, 0.022));
    ambient
        + v3(1.0, 0.97, 0.90)
            * (7.0 * pane(x, 0.30) * pane(y, 0.40) * lerp(bars, 1.0, smooth(0.02, 0.12, blur)))
}

fn shade(scene: &Scene, p: V3, hit: Option<usize>, ray: V3) -> V3 {
    let thing = hit.map(|i| &scene.things[i]);
    let wall = p[2] > WALL - 0.02 && hit.is_none();
    let matter = thing.map_or(if wall { Matter::Wall } else { Matter::Table }, |thing| {
        thing.matter
    });
    let n = scene.normal(p);
    let skin = skin(matter, p, thing.map_or(p, |thing| p - thing.centre), n);
    let n = (n + skin.bump - n * skin.bump.dot(n)).unit();
    let lamp = (v3(-4.6, 4.6, -3.0) - p).unit();
    let lit = scene.lit(p + n * 0.01, lamp);
    let open = scene.open(p, n);
    let facing = n.dot(lamp);
    let wrap = ((facing + skin.soft) / (1.0 + skin.soft)).max(0.0);
    // Shadows on translucent skins keep some of the light that wandered inside.
    let key = v3(1.0, 0.95, 0.86) * (2.35 * wrap * lerp(lit, 1.0, 0.25 * skin.soft));
    let sky = v3(0.66, 0.70, 0.80) * (0.34 + 0.12 * n[1] - 0.10 * n[0]);
    let bounce = v3(0.80, 0.52, 0.30) * (0.22 * (0.5 - 0.5 * n[1]) * smooth(1.6, 0.0, p[1]));
    let fall = if wall {
        smooth(-5.0, 3.4, -p[0] - 0.3 * p[1]) * 0.9 + 0.1
    } else {
        1.0
    };
    let mut light = skin.colour * (key * fall + (sky + bounce) * open);
    if wall {
        // The window's own patch of light falls across the wall.
        let q = v2(p[0] + 0.35 * p[1] - 2.35, p[1] - 1.95);
        let pane = |a: f32, half: f32| smooth(half + 0.10, half - 0.10, a.abs());
        let bars = (1.0 - pane(q[0], 0.06)) * (1.0 - pane(q[1] + 0.1 * q[0], 0.06));
        light = light
            + skin.colour
                * v3(1.0, 0.86, 0.62)
                * (0.85 * pane(q[0], 1.05) * pane(q[1] + 0.1 * q[0], 1.0) * bars * lit);
    }
    let mirrored = ray.reflect(n);
    let fresnel = skin.mirror
        + (1.0 - skin.mirror)
            * (1.0 + ray.dot(n)).clamp(0.0, 1.0).powi(5)
            * (skin.mirror * 8.0).min(0.6);
    let seen = room(mirrored, 2.2 / skin.gloss.max(6.0) + 0.01);
    light + seen * (fresnel * open * lerp(0.35, 1.0, lit))
}

/// Paints the picture at twice its published size.
pub fn paint() -> Canvas {
    let scene = scene();
    let ahead = (LOOK_AT - EYE).unit();
    let right = v3(0.0, 1.0, 0.0).cross(ahead).unit();
    let up = ahead.cross(right);
    let mut canvas = Canvas::render(W, H, |p| {
        let x = (p[0] - W as f32 * 0.5) / H as f32;
        let y = (H as f32 * 0.5 - p[1]) / H as f32;
        let ray = (ahead + right * (x * 0.69) + up * (y * 0.69)).unit();
        let light = scene
            .march(EYE, ray)
            .map_or(V::splat(0.02), |(p, hit)| shade(&scene, p, hit, ray));
        let vignette = 1.0 - 0.35 * (x * x + y * y);
        film(light * (0.78 * vignette))
    });
    canvas.glow(0.80, 14, 0.10);
    canvas
}
