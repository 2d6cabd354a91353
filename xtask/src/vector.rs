//! Small vectors: `V<2>` is a point on a canvas, `V<3>` a point in space or a colour.

use std::ops::{Add, Div, Index, Mul, Neg, Sub};

/// A vector of `N` numbers with the usual arithmetic; `*` of two vectors is by component.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct V<const N: usize>(pub [f32; N]);

/// A point or a direction on a canvas: x to the right, y downwards, in pixels.
pub type V2 = V<2>;
/// A point in space, or a colour as red, green, blue.
pub type V3 = V<3>;

/// A point on a canvas.
pub const fn v2(x: f32, y: f32) -> V2 {
    V([x, y])
}

/// A point in space.
pub const fn v3(x: f32, y: f32, z: f32) -> V3 {
    V([x, y, z])
}

impl<const N: usize> V<N> {
    /// All components the same.
    pub const fn splat(value: f32) -> Self {
        V([value; N])
    }

    /// Each component through `f`.
    pub fn map(self, f: impl FnMut(f32) -> f32) -> Self {
        V(self.0.map(f))
    }

    /// The scalar product.
    pub fn dot(self, other: Self) -> f32 {
        (0..N).map(|i| self.0[i] * other.0[i]).sum()
    }

    /// The Euclidean length.
    pub fn len(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The same direction at length 1; a zero vector stays zero.
    pub fn unit(self) -> Self {
        self / self.len().max(1e-12)
    }

    /// The point at `t` on the way from `self` (0) to `to` (1).
    pub fn mix(self, to: Self, t: f32) -> Self {
        self + (to - self) * t
    }
}

impl V2 {
    /// The unit vector at `angle` radians, clockwise on the canvas from the x axis.
    pub fn polar(angle: f32) -> Self {
        v2(angle.cos(), angle.sin())
    }

    /// Turned by a quarter.
    pub fn perp(self) -> Self {
        v2(-self[1], self[0])
    }

    /// Turned by `angle` radians.
    pub fn turned(self, angle: f32) -> Self {
        let (s, c) = angle.sin_cos();
        v2(self[0] * c - self[1] * s, self[0] * s + self[1] * c)
    }

    /// The signed area of the parallelogram of two vectors.
    pub fn cross(self, other: Self) -> f32 {
        self[0] * other[1] - self[1] * other[0]
    }

    /// The angle of the vector from the x axis, in radians.
    pub fn angle(self) -> f32 {
        self[1].atan2(self[0])
    }
}

impl V3 {
    /// The vector product.
    pub fn cross(self, o: Self) -> Self {
        v3(
            self[1] * o[2] - self[2] * o[1],
            self[2] * o[0] - self[0] * o[2],
            self[0] * o[1] - self[1] * o[0],
        )
    }

    /// `self` as a ray mirrored at a surface with the unit normal `n`.
    pub fn reflect(self, n: Self) -> Self {
        self - n * (2.0 * self.dot(n))
    }

    /// Rec. 709 luma of a colour.
    pub fn luma(self) -> f32 {
        self.dot(v3(0.2126, 0.7152, 0.0722))
    }

    /// A colour with its distance from grey multiplied by `amount`.
    pub fn saturate(self, amount: f32) -> Self {
        V::splat(self.luma()).mix(self, amount)
    }
}

impl<const N: usize> Index<usize> for V<N> {
    type Output = f32;
    fn index(&self, i: usize) -> &f32 {
        &self.0[i]
    }
}

impl<const N: usize> Add for V<N> {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        V(std::array::from_fn(|i| self.0[i] + o.0[i]))
    }
}

impl<const N: usize> Sub for V<N> {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        V(std::array::from_fn(|i| self.0[i] - o.0[i]))
    }
}

impl<const N: usize> Mul for V<N> {
    type Output = Self;
    fn mul(self, o: Self) -> Self {
        V(std::array::from_fn(|i| self.0[i] * o.0[i]))
    }
}

impl<const N: usize> Mul<f32> for V<N> {
    type Output = Self;
    fn mul(self, k: f32) -> Self {
        self.map(|c| c * k)
    }
}

impl<const N: usize> Div<f32> for V<N> {
    type Output = Self;
    fn div(self, k: f32) -> Self {
        self.map(|c| c / k)
    }
}

impl<const N: usize> Neg for V<N> {
    type Output = Self;
    fn neg(self) -> Self {
        self.map(|c| -c)
    }
}

/// The number at `t` on the way from `a` (0) to `b` (1).
pub fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// 0 below `a`, 1 above `b`, a smooth cubic between; `a > b` turns it round.
pub fn smooth(a: f32, b: f32, x: f32) -> f32 {
    let t = ((x - a) / (b - a)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
