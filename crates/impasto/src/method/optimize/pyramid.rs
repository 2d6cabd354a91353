//! A picture as its Laplacian pyramid (Burt and Adelson 1983): the parameters are what each size has that the next coarser
//! one has not, and the coarsest.
//!
//! ```text
//! x₀ = image        xₖ₊₁ = half xₖ        level k = xₖ − up xₖ₊₁        the last level = xₙ
//! image = level 0 + up (level 1 + up (… + up level n))
//! ```
//!
//! A step of the same size in every number moves large shapes at once, by the coarse levels, where pixels would have to move
//! one by one. Halves are means of 2×2 pixels (bilinear, of sizes that are odd), enlarging is bilinear.

use super::parameterization::Parameterization;
use crate::Result;
use crate::optim::{Parameters, Shapes};
use crate::recipe::Pixels;
use impasto_compute::{Align, Device, Tensor};

/// The pyramid of a picture in the units of a recipe.
#[derive(Clone, Copy, Debug)]
pub(in crate::method) struct PyramidParameters {
    pub(in crate::method) pixels: Pixels,
    /// Halvings, as far as there is anything to halve.
    pub(in crate::method) levels: usize,
    /// Where enlarged pixels lie.
    pub(in crate::method) align: Align,
}

impl PyramidParameters {
    /// Heights and widths of the levels.
    fn sizes(&self, (height, width): (usize, usize)) -> Vec<[usize; 2]> {
        let halves = |size: &[usize; 2]| {
            let half = size.map(|side| side / 2);
            (!half.contains(&0)).then_some(half)
        };
        std::iter::successors(Some([height, width]), halves)
            .take(self.levels + 1)
            .collect()
    }
}

fn size(image: &Tensor) -> (usize, usize) {
    match *image.shape() {
        [_, height, width] => (height, width),
        _ => (0, 0),
    }
}

impl Parameterization for PyramidParameters {
    fn shapes(&self, size: (usize, usize)) -> Shapes {
        let sizes = self.sizes(size).into_iter();
        sizes
            .map(|[height, width]| vec![3, height, width])
            .collect()
    }

    /// None: what a level may be depends on the others. Pictures are clipped when they are done.
    fn range(&self) -> Option<(f32, f32)> {
        None
    }

    fn parameters(
        &self,
        device: &dyn Device,
        planes: Vec<f32>,
        (height, width): (usize, usize),
    ) -> Result<Parameters> {
        let mut levels = vec![device.upload(&self.pixels.encode(planes), &[3, height, width])?];
        let sizes = self.sizes((height, width));
        for pair in sizes.windows(2) {
            let Some(mut level) = levels.pop() else {
                break;
            };
            let coarser = device.resized(&level, pair[1], Align::Borders)?;
            let up = device.resized(&coarser, pair[0], self.align)?;
            device.axpby(-1.0, &up, 1.0, &mut level)?;
            levels.extend([level, coarser]);
        }
        Ok(Parameters::new(levels))
    }

    fn to_image<'p>(
        &self,
        device: &dyn Device,
        parameters: &'p Parameters,
        made: &'p mut Option<Tensor>,
    ) -> Result<&'p Tensor> {
        let mut levels = parameters.tensors().iter().rev();
        let mut image = match levels.next() {
            Some(coarsest) => device.copy(coarsest)?,
            None => device.zeros(&[3, 0, 0])?,
        };
        for level in levels {
            let (height, width) = size(level);
            image = device.resized(&image, [height, width], self.align)?;
            device.axpby(1.0, level, 1.0, &mut image)?;
        }
        Ok(made.insert(image))
    }

    fn gradient(&self, device: &dyn Device, image: Tensor) -> Result<Parameters> {
        let sizes = self.sizes(size(&image));
        let mut levels = vec![image];
        for coarser in sizes.into_iter().skip(1) {
            if let Some(last) = levels.last() {
                levels.push(device.resized_adjoint(last, coarser, self.align)?);
            }
        }
        Ok(Parameters::new(levels))
    }

    fn planes(
        &self,
        device: &dyn Device,
        values: Vec<Vec<f32>>,
        size: (usize, usize),
    ) -> Result<Vec<f32>> {
        let shapes = self.shapes(size);
        let levels = values.iter().zip(&shapes);
        let levels = levels.map(|(values, shape)| Ok(device.upload(values, shape)?));
        let levels = Parameters::new(levels.collect::<Result<_>>()?);
        let mut made = None;
        let image = self.to_image(device, &levels, &mut made)?;
        Ok(self.pixels.decode(device.download(image)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Choice, open};
    use impasto_testing::{Tolerance, assert_close, assert_near, noise};

    fn pyramid(levels: usize) -> PyramidParameters {
        PyramidParameters {
            pixels: Pixels::Byte,
            levels,
            align: Align::Borders,
        }
    }

    fn planes(count: usize) -> Vec<f32> {
        noise(1, count).iter().map(|x| 0.5 + 0.4 * x).collect()
    }

    /// Also of pictures that are smaller than the pyramid.
    #[test]
    fn pictures_come_back() {
        let device = open(&Choice::default()).unwrap();
        for (size, levels) in [((24, 37), 4), ((1, 1), 5), ((3, 90), 9), ((16, 16), 0)] {
            let (it, wanted) = (pyramid(levels), planes(3 * size.0 * size.1));
            let parameters = it.parameters(&*device, wanted.clone(), size).unwrap();
            assert_eq!(parameters.shapes(), it.shapes(size), "{size:?}");
            let values = parameters.download(&*device).unwrap();
            let got = it.planes(&*device, values, size).unwrap();
            assert_close(
                &format!("{size:?}"),
                &got,
                &wanted,
                Tolerance::absolute(1e-6),
            );
        }
        assert_eq!(pyramid(9).shapes((24, 37)).len(), 5);
    }

    #[test]
    fn gradients_come_by_the_adjoint() {
        let device = open(&Choice::default()).unwrap();
        for align in [Align::Borders, Align::Corners] {
            let (it, size) = (
                PyramidParameters {
                    align,
                    ..pyramid(3)
                },
                (13, 18),
            );
            let other = it.parameters(&*device, planes(3 * 13 * 18), size).unwrap();
            let mut made = None;
            let image = it.to_image(&*device, &other, &mut made).unwrap();
            let gradient = device.upload(&noise(2, 3 * 13 * 18), &[3, 13, 18]).unwrap();
            let there = device.dot(image, &gradient).unwrap().value().unwrap();
            let back = it.gradient(&*device, gradient).unwrap();
            let back = back.dot(&*device, &other).unwrap();
            assert_near("adjoint", there, back, Tolerance::relative(1e-4));
        }
    }
}
