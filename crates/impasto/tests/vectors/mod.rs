//! Files of vectors: what others computed, to hold our networks against.

#[path = "../devices/mod.rs"]
mod devices;

pub use devices::devices;

use std::collections::BTreeMap;
use std::path::Path;

/// A shape, and values in row-major order.
pub type Array = (Vec<usize>, Vec<f32>);

/// The tensors of a safetensors file of vectors; bytes are taken as pictures, 0..1.
pub struct Vectors(BTreeMap<String, Array>);

impl Vectors {
    pub fn open(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let data = &bytes[8 + length..];
        let tensors = header.as_object().unwrap().iter();
        let tensors = tensors.filter(|(name, _)| *name != "__metadata__");
        let read = |(name, entry): (&String, &serde_json::Value)| {
            let numbers = |key: &str| -> Vec<usize> {
                let list = entry[key].as_array().unwrap().iter();
                list.map(|n| n.as_u64().unwrap() as usize).collect()
            };
            let span = numbers("data_offsets");
            let data = &data[span[0]..span[1]];
            let values = match entry["dtype"].as_str().unwrap() {
                "U8" => data.iter().map(|&byte| f32::from(byte) / 255.0).collect(),
                "F32" => data
                    .chunks_exact(4)
                    .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
                    .collect(),
                other => panic!("{name} is of {other}"),
            };
            (name.clone(), (numbers("shape"), values))
        };
        Self(tensors.map(read).collect())
    }

    /// A tensor.
    pub fn get(&self, name: &str) -> &Array {
        &self.0[name]
    }

    /// A tensor `[h, w, 3]` as planes `[3, h, w]`.
    pub fn planes(&self, name: &str) -> Array {
        let (shape, values) = self.get(name);
        let &[height, width, 3] = shape.as_slice() else {
            panic!("{name} has the shape {shape:?}")
        };
        let planes = (0..3).flat_map(|c| values.iter().skip(c).step_by(3).copied());
        (vec![3, height, width], planes.collect())
    }
}
