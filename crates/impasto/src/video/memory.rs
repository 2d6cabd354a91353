//! Memories as files: what a program that is started anew needs of the frames before.

use super::Memory;
use crate::nets::NetError;
use crate::picture::Picture;
use crate::recipe::Problem;
use crate::{Error, Result};
use impasto_flow::Flow;
use impasto_weights::{Checkpoint, Precision, WeightTensor, write_safetensors};
use std::path::Path;

const RESULT: &str = "result";
const MOTION: [&str; 2] = ["motion.back", "motion.forth"];

impl Memory {
    /// Writes it, whole or not at all: a safetensors file of single-precision numbers, so that nothing of it is rounded.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut file = Checkpoint::default();
        let mut put = |name: &str, shape: [usize; 3], values: &[f32]| {
            let (shape, values) = (shape.to_vec(), values.to_vec());
            let tensor = WeightTensor { shape, values };
            file.tensors.insert(name.into(), tensor);
        };
        let picture = &self.result;
        put(
            RESULT,
            [3, picture.height(), picture.width()],
            picture.rgb(),
        );
        for (name, flow) in MOTION.iter().zip(self.motion.iter().flatten()) {
            put(name, [2, flow.height(), flow.width()], flow.data());
        }
        write_safetensors(path, &file, Precision::F32)
            .map_err(NetError::from)
            .map_err(Error::from)
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Self> {
        let file = Checkpoint::open(path).map_err(NetError::from)?;
        let unfit = || {
            let problem = Problem::new("memory", path.display(), "is not one of a painted frame");
            Error::Invalid(vec![problem])
        };
        let tensor = |name: &str, channels: usize| {
            let tensor = file.tensors.get(name)?;
            match tensor.shape[..] {
                [c, height, width] if c == channels => Some((height, width, tensor.values.clone())),
                _ => None,
            }
        };
        let (height, width, rgb) = tensor(RESULT, 3).ok_or_else(unfit)?;
        let flow = |name: &str| {
            let (height, width, values) = tensor(name, 2)?;
            Flow::new(height, width, values).ok()
        };
        let motion = match MOTION.map(flow) {
            [Some(back), Some(forth)] => Some([back, forth]),
            [None, None] => None,
            _ => return Err(unfit()),
        };
        Ok(Self {
            result: Picture::new(width, height, rgb)?,
            motion,
        })
    }
}
