//! The tensors of a file under the names that a network's authors gave them, read one by one and checked.
//!
//! Converters write more into names than authors did: `module.` and `state_dict.` before them (PyTorch), the number
//! of the tensor and a colon (TFLite), `:0` behind (TensorFlow). All of that is taken off here.

use super::NetError;
use impasto_weights::{WeightTensor, WeightsFile};
use std::collections::BTreeMap;

/// How filters lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[out, in/groups, h, w]`: PyTorch, ONNX.
    OutInSides,
    /// `[h, w, in, out]`: TensorFlow, Keras.
    SidesInOut,
    /// `[out, h, w, in]`: TFLite.
    OutSidesIn,
    /// `[1, h, w, channels]`: TFLite's depthwise convolutions.
    Depthwise,
    /// `[h, w, channels, 1]`: TensorFlow's depthwise convolutions.
    SidesDepthwise,
    /// `[in, out, h, w]`: PyTorch's transposed convolutions.
    InOutSides,
    /// `[h, w, out, in]`: TensorFlow's transposed convolutions.
    SidesOutIn,
}

impl Layout {
    /// Which dimension of a tensor is which of `[first, second, h, w]`: out and in, or, for transposed convolutions,
    /// in and out.
    fn order(self) -> [usize; 4] {
        match self {
            Layout::OutInSides | Layout::InOutSides => [0, 1, 2, 3],
            Layout::SidesInOut | Layout::SidesOutIn => [3, 2, 0, 1],
            Layout::OutSidesIn => [0, 3, 1, 2],
            Layout::Depthwise => [3, 0, 1, 2],
            Layout::SidesDepthwise => [2, 3, 0, 1],
        }
    }
}

/// Filters `[first, second, h, w]`: `[out, in/groups, h, w]` of a convolution, `[in, out, h, w]` of a transposed one.
#[derive(Clone, Debug)]
pub(super) struct Filters {
    pub(super) shape: [usize; 4],
    pub(super) values: Vec<f32>,
}

/// The tensors of a file by their plain names.
#[derive(Clone, Debug)]
pub(super) struct Tensors<'f> {
    file: &'f WeightsFile<'f>,
    /// What the file looks like, for messages.
    network: &'static str,
    /// Plain name to the name in the file, and the shape.
    names: BTreeMap<String, (String, Vec<usize>)>,
}

/// A name without what converters add.
fn plain(name: &str) -> &str {
    let name = name.strip_suffix(":0").unwrap_or(name);
    match name.split_once(':') {
        Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => name,
    }
}

impl<'f> Tensors<'f> {
    pub(super) fn of(file: &'f WeightsFile<'f>) -> Self {
        let names = file.tensors().map(|tensor| {
            let (name, shape) = (tensor.name.to_string(), tensor.shape.to_vec());
            (plain(&name).to_string(), (name, shape))
        });
        Self {
            names: names.collect(),
            file,
            network: "",
        }
    }

    /// The file's name for messages.
    pub(super) fn file(&self) -> &str {
        self.file.name()
    }

    /// What they are of, for messages.
    pub(super) fn network(&self) -> &'static str {
        self.network
    }

    /// The file.
    pub(super) fn weights(&self) -> &'f WeightsFile<'f> {
        self.file
    }

    /// All plain names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The same tensors, told as those of a network in messages.
    pub(super) fn told_as(mut self, network: &'static str) -> Self {
        self.network = network;
        self
    }

    /// The tensors that stand beside the one of this name, without what stands before all their names; `None` if there is
    /// none. With `side`, only what stands before names with that word counts.
    pub(super) fn beside(&self, name: &str, side: Option<&str>) -> Option<Self> {
        let prefix = self.names().find_map(|full| {
            let prefix = full.strip_suffix(name)?;
            let whole = prefix.is_empty() || prefix.ends_with(['.', '/']);
            (whole && side.is_none_or(|side| prefix.contains(side))).then_some(prefix)
        })?;
        let names = self.names.iter().filter_map(|(full, tensor)| {
            let rest = full.strip_prefix(prefix)?;
            Some((rest.to_string(), tensor.clone()))
        });
        Some(Self {
            names: names.collect(),
            ..self.clone()
        })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.names.get(name).map(|(_, shape)| shape.as_slice())
    }

    pub(super) fn missing(&self, name: &str) -> NetError {
        NetError::Missing {
            file: self.file().into(),
            network: self.network,
            tensor: name.into(),
        }
    }

    pub(super) fn misfit(
        &self,
        name: &str,
        got: &[usize],
        expected: impl Into<String>,
    ) -> NetError {
        NetError::Shape {
            file: self.file().into(),
            network: self.network,
            tensor: name.into(),
            got: got.to_vec(),
            expected: expected.into(),
        }
    }

    /// A tensor as it lies in the file.
    pub(super) fn read(&self, name: &str) -> Result<WeightTensor, NetError> {
        match self.names.get(name) {
            Some((full, _)) => Ok(self.file.read(full)?),
            None => Err(self.missing(name)),
        }
    }

    /// So many numbers, whatever dimensions of 1 are around them.
    pub(super) fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, NetError> {
        let tensor = self.read(name)?;
        let long = tensor.shape.iter().filter(|&&side| side != 1).count();
        match tensor.values.len() == length && long <= 1 {
            true => Ok(tensor.values),
            false => Err(self.misfit(name, &tensor.shape, format!("[{length}]"))),
        }
    }

    /// The bias of a layer, or zeros if the file has none.
    pub(super) fn bias(&self, name: Option<&str>, length: usize) -> Result<Vec<f32>, NetError> {
        match name.filter(|name| self.has(name)) {
            Some(name) => self.vector(name, length),
            None => Ok(vec![0.0; length]),
        }
    }

    /// A matrix `[rows, columns]`, whatever dimensions of 1 are around it.
    pub(super) fn matrix(
        &self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<Vec<f32>, NetError> {
        let tensor = self.read(name)?;
        let sides = tensor.shape.iter().copied().filter(|&side| side != 1);
        let expected = [rows, columns].into_iter().filter(|&side| side != 1);
        match sides.eq(expected) {
            true => Ok(tensor.values),
            false => Err(self.misfit(name, &tensor.shape, format!("[{rows}, {columns}]"))),
        }
    }

    /// Filters of a convolution whose odd sides are read from the file.
    pub(super) fn filters(&self, name: &str, layout: Layout) -> Result<Filters, NetError> {
        let tensor = self.read(name)?;
        let Ok(shape) = <[usize; 4]>::try_from(tensor.shape.as_slice()) else {
            return Err(self.misfit(name, &tensor.shape, "four dimensions"));
        };
        let order = layout.order();
        let ordered = order.map(|dimension| shape[dimension]);
        let odd = |side: usize| side % 2 == 1 && side <= 31;
        if ordered.contains(&0) || !odd(ordered[2]) || !odd(ordered[3]) {
            return Err(self.misfit(name, &shape, "filters with odd sides up to 31"));
        }
        Ok(Filters {
            values: permuted(&tensor.values, shape, order),
            shape: ordered,
        })
    }
}

/// The values of a tensor with its dimensions in another order.
fn permuted(values: &[f32], shape: [usize; 4], order: [usize; 4]) -> Vec<f32> {
    if order == [0, 1, 2, 3] {
        return values.to_vec();
    }
    let strides = [
        shape[1] * shape[2] * shape[3],
        shape[2] * shape[3],
        shape[3],
        1,
    ];
    let [a, b, c, d] = order.map(|dimension| (shape[dimension], strides[dimension]));
    let mut permuted = Vec::with_capacity(values.len());
    for i in 0..a.0 {
        for j in 0..b.0 {
            for k in 0..c.0 {
                let row = i * a.1 + j * b.1 + k * c.1;
                permuted.extend((0..d.0).filter_map(|l| values.get(row + l * d.1)));
            }
        }
    }
    permuted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_converters_add() {
        assert_eq!(plain("12:a/b"), "a/b");
        assert_eq!(plain("Variable_3:0"), "Variable_3");
        assert_eq!(plain("a:b"), "a:b");
    }

    #[test]
    fn dimensions_change_places() {
        let values: Vec<f32> = (0..24).map(|i| i as f32).collect();
        // [h 2, w 3, in 4, out 1] to [out, in, h, w].
        let turned = permuted(&values, [2, 3, 4, 1], Layout::SidesInOut.order());
        assert_eq!(turned[..6], [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]);
        assert_eq!(turned.len(), 24);
    }
}
