//! A tradition of names applied to a file: which convolutions it has, and what else does not belong.

use super::names::{Layout, Tradition, places, spell};
use super::{Find, Place, VGG16, VGG19, Wanted};
use std::collections::BTreeMap;

/// A tradition applied to a file.
pub(super) struct Network<'n> {
    pub(super) shapes: &'n BTreeMap<&'n str, &'n [usize]>,
    pub(super) tradition: &'n Tradition,
    pub(super) prefix: &'n str,
}

impl Network<'_> {
    /// A tensor's name in the file, if it is there.
    fn name(&self, pattern: &str, place: Place) -> String {
        let spelled = spell(pattern, self.blocks(), place);
        let name = format!("{}{spelled}", self.prefix);
        if self.shape(&name).is_some() || !pattern.starts_with("block") {
            return name;
        }
        // Keras may repeat the layer's name before: block1_conv1/sequential/block1_conv1/kernel.
        let ends = |name: &&&str| {
            let before = name.strip_suffix(&spelled);
            before.is_some_and(|before| before.ends_with('/'))
        };
        let mut ending = self.shapes.keys().filter(ends);
        match (ending.next(), ending.next()) {
            (Some(only), None) => (*only).into(),
            _ => name,
        }
    }

    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.shapes.get(name).copied()
    }

    /// The network that gives numbers their meaning, where names are numbers.
    fn blocks(&self) -> [u8; 5] {
        let has = |number: &str| {
            let name = format!("{}features.{number}.weight", self.prefix);
            self.shapes.contains_key(name.as_str())
        };
        // Convolution 8 is the last of block 3 in VGG-19 and the first of block 4, twice as wide, in VGG-16.
        let eighth = self.shape(&format!("{}layers/conv2d_7/vars/0", self.prefix));
        let widens = eighth.is_some_and(|shape| shape.get(2) != shape.get(3));
        if has("17") && !has("16") || widens {
            VGG16
        } else {
            VGG19
        }
    }

    /// The convolutions that are there. A block may have fewer than VGG-19's, as VGG-16's do, and the file may
    /// stop early; a gap is refused.
    pub(super) fn convolutions(&self) -> Find<Vec<Place>> {
        let mut convs: Vec<Place> = Vec::new();
        let mut missing = None;
        for place in places(self.blocks()) {
            let name = self.name(self.tradition.filters, place);
            if self.shape(&name).is_none() {
                missing = Some(name);
                continue;
            }
            let (block, index) = convs.last().copied().unwrap_or((1, 0));
            if place != (block, index + 1) && place != (block + 1, 1) {
                return Err(format!(
                    "it has {name} but not {}",
                    missing.unwrap_or_default()
                ));
            }
            convs.push(place);
        }
        Ok(convs)
    }

    /// Refuses a network that has more layers of the same sequence than a VGG, or others: where names are numbers of a
    /// sequence, a number that is no convolution of a VGG is another kind of layer.
    pub(super) fn refuse_others(&self, convs: &[Place]) -> Find<()> {
        let filters = self.tradition.filters;
        let Some(start) = ["features.", "layers/conv2d"]
            .into_iter()
            .find(|start| filters.starts_with(start))
        else {
            return Ok(());
        };
        if let Some((expected, _)) = places(self.blocks())
            .zip(convs)
            .find(|(expected, found)| expected != *found)
        {
            let (missing, last) = (self.name(filters, expected), convs.last().copied());
            let last = last.map(|last| self.name(filters, last));
            return Err(format!(
                "it has {} but not {missing}",
                last.unwrap_or_default()
            ));
        }
        let known: Vec<String> = [filters, self.tradition.bias]
            .into_iter()
            .flat_map(|pattern| convs.iter().map(move |&place| self.name(pattern, place)))
            .collect();
        let start = format!("{}{start}", self.prefix);
        let other = self
            .shapes
            .keys()
            .find(|name| name.starts_with(&start) && !known.iter().any(|known| known == *name));
        match other {
            Some(other) => Err(format!(
                "it has a layer {other}, which no VGG has: it is another network"
            )),
            None => Ok(()),
        }
    }

    /// Checks the shapes of a convolution that `channels` reach, and gives the number of those that leave it.
    pub(super) fn convolution(
        &self,
        place: Place,
        channels: usize,
        wanted: &mut Vec<Wanted>,
    ) -> Find<usize> {
        let canonical = format!("conv{}_{}", place.0, place.1);
        let name = self.name(self.tradition.filters, place);
        let shape = self.shape(&name).unwrap_or_default();
        let layout = self.tradition.layout;
        let (out, input) = match (layout, shape) {
            (Layout::OutFirst, &[out, input, 3, 3]) => (out, input),
            (Layout::OutLast, &[3, 3, input, out]) => (out, input),
            (Layout::OutLast, [_, _, 3, 3]) => {
                return Err(format!(
                    "{name} has the shape {shape:?} of a Theano back end, which turns filters around; use the file for TensorFlow (tf_dim_ordering_tf_kernels)"
                ));
            }
            _ => {
                let expected = match layout {
                    Layout::OutFirst => "[out, in, 3, 3]",
                    Layout::OutLast => "[3, 3, in, out]",
                };
                return Err(format!(
                    "{name} has the shape {shape:?}, expected {expected}"
                ));
            }
        };
        if input != channels || out == 0 {
            return Err(format!(
                "{name} has the shape {shape:?}, but {channels} channels reach it"
            ));
        }
        let bias = self.name(self.tradition.bias, place);
        match self.shape(&bias) {
            Some(shape) if shape == [out] => {}
            Some(shape) => {
                return Err(format!("{bias} has the shape {shape:?}, expected [{out}]"));
            }
            None => return Err(format!("the tensor {bias} is missing")),
        }
        wanted.push(Wanted {
            name: format!("{canonical}.weight"),
            from: name,
            shape: vec![out, input, 3, 3],
            layout,
        });
        wanted.push(Wanted {
            name: format!("{canonical}.bias"),
            from: bias,
            shape: vec![out],
            layout: Layout::OutFirst,
        });
        Ok(out)
    }
}
