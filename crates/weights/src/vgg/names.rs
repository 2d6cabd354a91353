//! What each tradition calls the convolutions of a VGG, as a table.

use super::Place;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[out, in, 3, 3]`
    OutFirst,
    /// `[3, 3, in, out]`
    OutLast,
}

/// The names of one kind of file. `{b}` and `{i}` stand for block and place, `{t}` for the number in torchvision's
/// sequence, `{a}` for that in AdaIN's, `{k}` for nothing, `_1`, `_2` … in order.
pub(super) struct Tradition {
    pub(super) filters: &'static str,
    pub(super) bias: &'static str,
    pub(super) layout: Layout,
    pub(super) preprocessing: &'static str,
    /// A 1×1 convolution that prepares the picture, by the name before `.weight` and `.bias`.
    pub(super) front: Option<&'static str>,
}

const fn tradition(
    filters: &'static str,
    bias: &'static str,
    layout: Layout,
    preprocessing: &'static str,
    front: Option<&'static str>,
) -> Tradition {
    Tradition {
        filters,
        bias,
        layout,
        preprocessing,
        front,
    }
}

/// The longer of two names that end alike comes first.
#[rustfmt::skip]
pub(super) const TRADITIONS: [Tradition; 9] = {
    use Layout::{OutFirst, OutLast};
    [
        tradition("conv{b}_{i}.weight", "conv{b}_{i}.bias", OutFirst, "caffe", None),
        tradition("features.{t}.weight", "features.{t}.bias", OutFirst, "torch", None),
        tradition("block{b}_conv{i}/block{b}_conv{i}/kernel:0", "block{b}_conv{i}/block{b}_conv{i}/bias:0", OutLast, "caffe", None),
        tradition("block{b}_conv{i}/block{b}_conv{i}/kernel", "block{b}_conv{i}/block{b}_conv{i}/bias", OutLast, "caffe", None),
        tradition("block{b}_conv{i}/block{b}_conv{i}_W_1:0", "block{b}_conv{i}/block{b}_conv{i}_b_1:0", OutLast, "caffe", None),
        tradition("block{b}_conv{i}/kernel", "block{b}_conv{i}/bias", OutLast, "caffe", None),
        tradition("layers/conv2d{k}/vars/0", "layers/conv2d{k}/vars/1", OutLast, "caffe", None),
        tradition("conv{b}{i}.weight", "conv{b}{i}.bias", OutFirst, "caffe", Some("conv0")),
        tradition("{a}.weight", "{a}.bias", OutFirst, "caffe", Some("0")),
    ]
};

/// Every convolution of a network in order.
pub(super) fn places(blocks: [u8; 5]) -> impl Iterator<Item = Place> {
    (1u8..)
        .zip(blocks)
        .flat_map(|(block, convolutions)| (1..=convolutions).map(move |index| (block, index)))
}

/// A tradition's name of a convolution.
pub(super) fn spell(pattern: &str, blocks: [u8; 5], (block, index): Place) -> String {
    let before: usize = places(blocks)
        .take_while(|place| *place != (block, index))
        .count();
    let pools = usize::from(block) - 1;
    let counted = match before {
        0 => String::new(),
        number => format!("_{number}"),
    };
    pattern
        .replace("{b}", &block.to_string())
        .replace("{i}", &index.to_string())
        // Convolution and ReLU; in AdaIN's sequence with a padding before, and a 1×1 convolution first.
        .replace("{t}", &(2 * before + pools).to_string())
        .replace("{a}", &(2 + 3 * before + pools).to_string())
        .replace("{k}", &counted)
}
