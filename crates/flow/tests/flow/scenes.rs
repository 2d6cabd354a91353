//! Pictures that move in a known way.

use impasto_flow::{Flow, Frame, Mask};
use std::path::Path;

/// What a picture shows at a place between its pixels: red, green, blue.
pub type Texture = Box<dyn Fn(f32, f32) -> [f32; 3]>;

/// Something between 0 and 1 for each whole place.
fn lattice(seed: u32, x: i32, y: i32) -> f32 {
    let mut h = seed ^ (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    (h ^ (h >> 15)) as f32 / u32::MAX as f32
}

/// Smooth noise of that grain in pixels.
fn grain(seed: u32, x: f32, y: f32, size: f32) -> f32 {
    let (x, y) = (x / size, y / size);
    let (left, top) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (fx, fy) = (ease(x - left), ease(y - top));
    let at = |dx: i32, dy: i32| lattice(seed, left as i32 + dx, top as i32 + dy);
    let upper = at(0, 0) + (at(1, 0) - at(0, 0)) * fx;
    let lower = at(0, 1) + (at(1, 1) - at(0, 1)) * fx;
    upper + (lower - upper) * fy
}

/// Coloured noise of coarse and fine grain.
pub fn noise(seed: u32) -> Texture {
    Box::new(move |x, y| {
        let fine = 0.35 * grain(seed, x, y, 5.0) + 0.2 * grain(seed + 1, x, y, 2.5);
        [0, 1, 2].map(|c| fine + 0.45 * grain(seed + 2 + c, x, y, 23.0))
    })
}

/// A frame of what a texture shows.
pub fn shown(texture: impl Fn(f32, f32) -> [f32; 3], width: usize, height: usize) -> Frame {
    let mut data = vec![0.0; 3 * width * height];
    for i in 0..width * height {
        let color = texture((i % width) as f32, (i / width) as f32);
        for c in 0..3 {
            data[c * width * height + i] = color[c];
        }
    }
    Frame::new(3, height, width, data).unwrap()
}

/// A round thing in front of a ground that turns and grows around the middle, and shifts.
pub struct Scene {
    pub size: (usize, usize),
    /// Radians.
    pub turn: f32,
    pub growth: f32,
    pub shift: [f32; 2],
    pub radius: f32,
    /// Motion of the round thing.
    pub flight: [f32; 2],
}

/// Two frames, the true flow from the first to the second, and which pixels of the first are seen in the second.
pub struct Pair {
    pub first: Frame,
    pub second: Frame,
    pub truth: Flow,
    pub seen: Mask,
}

impl Scene {
    fn middle(&self) -> [f32; 2] {
        [self.size.0 as f32 / 2.0, self.size.1 as f32 / 2.0]
    }

    /// Where a place of the ground is in the second frame.
    fn ground(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let [cx, cy] = self.middle();
        let (s, c) = (self.turn.sin() * self.growth, self.turn.cos() * self.growth);
        let (dx, dy) = (x - cx, y - cy);
        [
            cx + c * dx - s * dy + self.shift[0],
            cy + s * dx + c * dy + self.shift[1],
        ]
    }

    /// Where a place of the second frame was in the first, on the ground.
    fn ground_before(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let [cx, cy] = self.middle();
        let by = 1.0 / (self.growth * self.growth);
        let (s, c) = (
            self.turn.sin() * self.growth * by,
            self.turn.cos() * self.growth * by,
        );
        let (dx, dy) = (x - cx - self.shift[0], y - cy - self.shift[1]);
        [cx + c * dx + s * dy, cy - s * dx + c * dy]
    }

    /// Whether a place is on the round thing, once it has flown this share of its way.
    fn in_front(&self, [x, y]: [f32; 2], flown: f32) -> bool {
        let [cx, cy] = self.middle();
        (x - cx - flown * self.flight[0]).hypot(y - cy - flown * self.flight[1]) < self.radius
    }

    pub fn pair(&self, ground: &Texture, front: &Texture) -> Pair {
        let (width, height) = self.size;
        let first = shown(
            |x, y| {
                if self.in_front([x, y], 0.0) {
                    front(x, y)
                } else {
                    ground(x, y)
                }
            },
            width,
            height,
        );
        let second = shown(
            |x, y| {
                if self.in_front([x, y], 1.0) {
                    return front(x - self.flight[0], y - self.flight[1]);
                }
                let [x, y] = self.ground_before([x, y]);
                ground(x, y)
            },
            width,
            height,
        );
        let target = |x: usize, y: usize| {
            let place = [x as f32, y as f32];
            let front = self.in_front(place, 0.0);
            (
                front,
                if front {
                    [place[0] + self.flight[0], place[1] + self.flight[1]]
                } else {
                    self.ground(place)
                },
            )
        };
        let truth = Flow::from_fn(height, width, |x, y| {
            let (_, [tx, ty]) = target(x, y);
            [tx - x as f32, ty - y as f32]
        });
        let seen = (0..width * height).map(|i| {
            let (front, [x, y]) = target(i % width, i / width);
            let inside =
                x >= 0.0 && y >= 0.0 && x <= (width - 1) as f32 && y <= (height - 1) as f32;
            inside && (front || !self.in_front([x, y], 1.0))
        });
        Pair {
            first,
            second,
            truth: truth.unwrap(),
            seen: Mask::new(height, width, seen.collect()).unwrap(),
        }
    }
}

/// Mean end-point error over pixels whose true motion is known.
pub fn end_point_error(got: &Flow, truth: &Flow) -> f64 {
    assert_eq!(got.size(), truth.size());
    let errors = end_point_errors(got, truth);
    let known: Vec<f64> = errors.into_iter().flatten().collect();
    assert!(!known.is_empty());
    known.iter().sum::<f64>() / known.len() as f64
}

/// End-point error of each pixel; none where true motion is not known.
pub fn end_point_errors(got: &Flow, truth: &Flow) -> Vec<Option<f64>> {
    let pixels = 0..got.u().len();
    let error = |i: usize| {
        let (u, v) = (truth.u()[i], truth.v()[i]);
        (u.abs() < 1e9 && v.abs() < 1e9).then(|| f64::from((got.u()[i] - u).hypot(got.v()[i] - v)))
    };
    pixels.map(error).collect()
}

/// A picture of eight bits, red, green, blue.
pub fn png(path: &Path) -> Frame {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb, "{}", path.display());
    Frame::from_rgb8(info.height as usize, info.width as usize, &bytes).unwrap()
}

/// What a frame shows between its pixels, bilinear; its edges go on.
pub fn photo(frame: Frame) -> Texture {
    Box::new(move |x, y| {
        let (width, height) = (frame.width(), frame.height());
        let (x, y) = (
            x.clamp(0.0, (width - 1) as f32),
            y.clamp(0.0, (height - 1) as f32),
        );
        let (left, top) = (
            (x as usize).min(width.max(2) - 2),
            (y as usize).min(height.max(2) - 2),
        );
        let (fx, fy) = (x - left as f32, y - top as f32);
        [0, 1, 2].map(|c| {
            let at =
                |dx: usize, dy: usize| frame.data()[(c * height + top + dy) * width + left + dx];
            let upper = at(0, 0) + (at(1, 0) - at(0, 0)) * fx;
            let lower = at(0, 1) + (at(1, 1) - at(0, 1)) * fx;
            upper + (lower - upper) * fy
        })
    })
}
