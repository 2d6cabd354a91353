//! The transformer networks that people have files of, as rows of a table: what their tensors are called, how filters
//! lie, and what the tensors do not say.
//!
//! | form | norm, ε | border, growth | end | reads |
//! |---|---|---|---|---|
//! | Magenta's image stylization | conditional instance norm everywhere, 1e-5 | reflected; nearest | sigmoid | RGB 0..1 |
//! | pytorch/examples, fast neural style | instance norm but behind the last, 1e-5 | reflected; nearest | none | RGB 0..255 |
//! | pytorch-neural-style-transfer-johnson | the same | the same | none | as ImageNet's networks |
//! | fast-neural-style-pytorch | the same | reflected; transposed | 150·tanh | BGR 0..255 |
//! | lengstrom's fast-style-transfer | instance norm everywhere, 1e-3 | zeros, as many as needed; transposed | 150·tanh + 127.5 | RGB 0..255 |
//! | VangoghCrazyWorld | the same, 1e-9 | reflected; transposed with zeros | the same | RGB 0..255 |
//!
//! How many residual blocks there are, how wide layers are, how large filters, and how many styles, is read from the
//! tensors. The last two forms have the same tensors under the same names (`Variable`, `Variable_1` … in the order in
//! which TensorFlow met them); the first is always 32 channels wide, the second is told by being narrower.
//! Running means beside instance norms, which old files of pytorch/examples have, are not used by that network.

mod read;
mod write;

use super::tensors::{Layout, Tensors};
use super::transformer::{Colours, End};
use impasto_compute::Padding;
use impasto_compute::graph::Border;

/// A form of transformer network.
#[derive(Debug)]
pub(super) struct Form {
    /// What it is called.
    pub(super) name: &'static str,
    /// What its layers are called.
    names: Names,
    /// How its filters lie.
    layout: Layout,
    /// What stands beyond the border of a convolution.
    border: Border,
    /// How what is made becomes larger.
    growth: Growth,
    /// What follows a convolution.
    norm: NormForm,
    /// Added to variances, unless the file says it.
    epsilon: f32,
    end: End,
    input: Colours,
    output: Colours,
    /// Whether channels are in the order blue, green, red.
    bgr: bool,
}

/// How a network's tensors are called.
#[derive(Debug)]
enum Names {
    /// Each layer has names of its own.
    Spelled {
        /// The layers that make the picture smaller.
        contract: &'static [LayerName],
        /// Both layers of a residual block; `{n}` stands for its number.
        residual: [LayerName; 2],
        /// The number of the first block.
        first: usize,
        /// The layers that make it larger; the last one does not.
        expand: &'static [LayerName],
        /// What follows a convolution's name: its filters, its bias.
        filters: [&'static str; 2],
        /// What follows a norm's name: its scale, its shift.
        norm: [&'static str; 2],
    },
    /// They are counted: filters, shift, scale of each layer in order.
    Counted,
}

/// What a convolution and its norm are called; no norm if empty.
type LayerName = (&'static str, &'static str);

/// How what is made becomes larger.
#[derive(Clone, Copy, Debug)]
enum Growth {
    /// Nearest, then a convolution.
    Nearest,
    /// A transposed convolution: how its filters lie, and how many places are cut off before.
    Transposed(Layout, usize),
}

/// What follows a convolution, where it has a norm.
#[derive(Clone, Copy, Debug, PartialEq)]
enum NormForm {
    /// An instance norm with a scale and a shift, or one of each for each style.
    Instance,
    /// An instance norm, or, if there are running means, a batch norm.
    InstanceOrBatch,
    /// An instance norm whose scale and shift are linear in a code.
    Coded,
}

const REFLECT: Border = Border::Centred(Padding::Reflect);

/// What torchvision's networks expect.
const IMAGENET: Colours = Colours {
    scale: [1.0 / 0.229, 1.0 / 0.224, 1.0 / 0.225],
    shift: [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225],
};

/// From 0..255 to 0..1.
const FROM_BYTES: Colours = Colours {
    scale: [1.0 / 255.0; 3],
    shift: [0.0; 3],
};

/// `tanh` to bytes.
const TANH_BYTES: End = End::Tanh {
    scale: 150.0,
    shift: 127.5,
};

const MAGENTA: Form = Form {
    name: "a network of Magenta's image stylization",
    names: Names::Spelled {
        contract: &[
            (
                "transformer/contract/conv1",
                "transformer/contract/conv1/InstanceNorm",
            ),
            (
                "transformer/contract/conv2",
                "transformer/contract/conv2/InstanceNorm",
            ),
            (
                "transformer/contract/conv3",
                "transformer/contract/conv3/InstanceNorm",
            ),
        ],
        residual: [
            (
                "transformer/residual/residual{n}/conv1",
                "transformer/residual/residual{n}/conv1/InstanceNorm",
            ),
            (
                "transformer/residual/residual{n}/conv2",
                "transformer/residual/residual{n}/conv2/InstanceNorm",
            ),
        ],
        first: 1,
        expand: &[
            (
                "transformer/expand/conv1/conv",
                "transformer/expand/conv1/conv/InstanceNorm",
            ),
            (
                "transformer/expand/conv2/conv",
                "transformer/expand/conv2/conv/InstanceNorm",
            ),
            (
                "transformer/expand/conv3/conv",
                "transformer/expand/conv3/conv/InstanceNorm",
            ),
        ],
        filters: ["/weights", "/biases"],
        norm: ["/gamma", "/beta"],
    },
    layout: Layout::SidesInOut,
    border: REFLECT,
    growth: Growth::Nearest,
    norm: NormForm::Instance,
    epsilon: 1e-5,
    end: End::Sigmoid,
    input: Colours::PLAIN,
    output: Colours::PLAIN,
    bgr: false,
};

/// The layers that make the picture larger in the transfer network of Ghiasi et al.
const CODED_EXPAND: &[LayerName] = &[
    (
        "transformer/expand/conv1/conv",
        "transformer/expand/conv1/conv/StyleNorm",
    ),
    (
        "transformer/expand/conv2/conv",
        "transformer/expand/conv2/conv/StyleNorm",
    ),
    (
        "transformer/expand/conv3/conv",
        "transformer/expand/conv3/conv/StyleNorm",
    ),
];

/// Its residual blocks.
const CODED_RESIDUAL: [LayerName; 2] = [
    (
        "transformer/residual/residual{n}/conv1",
        "transformer/residual/residual{n}/conv1/StyleNorm",
    ),
    (
        "transformer/residual/residual{n}/conv2",
        "transformer/residual/residual{n}/conv2/StyleNorm",
    ),
];

/// The transfer network of Ghiasi et al., which is of this kind, too, as TensorFlow Lite has it: batch norms are folded.
pub(super) const GHIASI_LITE: Form = Form {
    name: "Magenta's transfer network",
    names: Names::Spelled {
        contract: &[
            ("transformer/contract/conv1", ""),
            ("transformer/contract/conv2", ""),
            ("transformer/contract/conv3", ""),
        ],
        residual: CODED_RESIDUAL,
        first: 1,
        expand: CODED_EXPAND,
        filters: ["/weights", "/Conv2D_bias"],
        norm: ["/Conv_1", "/Conv"],
    },
    layout: Layout::OutSidesIn,
    norm: NormForm::Coded,
    ..MAGENTA
};

/// The same as TensorFlow.js and checkpoints have it.
pub(super) const GHIASI: Form = Form {
    names: Names::Spelled {
        contract: &[
            (
                "transformer/contract/conv1",
                "transformer/contract/conv1/BatchNorm",
            ),
            (
                "transformer/contract/conv2",
                "transformer/contract/conv2/BatchNorm",
            ),
            (
                "transformer/contract/conv3",
                "transformer/contract/conv3/BatchNorm",
            ),
        ],
        residual: CODED_RESIDUAL,
        first: 1,
        expand: CODED_EXPAND,
        filters: ["/weights", "/biases"],
        norm: ["/Conv_1", "/Conv"],
    },
    layout: Layout::SidesInOut,
    ..GHIASI_LITE
};

const RESIDUAL: [LayerName; 2] = [
    ("res{n}.conv1.conv2d", "res{n}.in1"),
    ("res{n}.conv2.conv2d", "res{n}.in2"),
];

const CONTRACT: &[LayerName] = &[
    ("conv1.conv2d", "in1"),
    ("conv2.conv2d", "in2"),
    ("conv3.conv2d", "in3"),
];

const PYTORCH: Form = Form {
    name: "a network of pytorch/examples' fast neural style",
    names: Names::Spelled {
        contract: CONTRACT,
        residual: RESIDUAL,
        first: 1,
        expand: &[
            ("deconv1.conv2d", "in4"),
            ("deconv2.conv2d", "in5"),
            ("deconv3.conv2d", ""),
        ],
        filters: [".weight", ".bias"],
        norm: [".weight", ".bias"],
    },
    layout: Layout::OutInSides,
    border: REFLECT,
    growth: Growth::Nearest,
    norm: NormForm::Instance,
    epsilon: 1e-5,
    end: End::Plain,
    input: Colours::BYTES,
    output: FROM_BYTES,
    bgr: false,
};

const JOHNSON_PYTORCH: Form = Form {
    name: "a network of pytorch-neural-style-transfer-johnson",
    names: Names::Spelled {
        contract: CONTRACT,
        residual: RESIDUAL,
        first: 1,
        expand: &[
            ("up1.conv2d.conv2d", "in4"),
            ("up2.conv2d.conv2d", "in5"),
            ("up3.conv2d", ""),
        ],
        filters: [".weight", ".bias"],
        norm: [".weight", ".bias"],
    },
    input: IMAGENET,
    output: Colours {
        scale: [0.229, 0.224, 0.225],
        shift: [0.485, 0.456, 0.406],
    },
    ..PYTORCH
};

const FAST_PYTORCH: Form = Form {
    name: "a network of fast-neural-style-pytorch",
    names: Names::Spelled {
        contract: &[
            ("ConvBlock.0.conv_layer", "ConvBlock.0.norm_layer"),
            ("ConvBlock.2.conv_layer", "ConvBlock.2.norm_layer"),
            ("ConvBlock.4.conv_layer", "ConvBlock.4.norm_layer"),
        ],
        residual: [
            (
                "ResidualBlock.{n}.conv1.conv_layer",
                "ResidualBlock.{n}.conv1.norm_layer",
            ),
            (
                "ResidualBlock.{n}.conv2.conv_layer",
                "ResidualBlock.{n}.conv2.norm_layer",
            ),
        ],
        first: 0,
        expand: &[
            ("DeconvBlock.0.conv_transpose", "DeconvBlock.0.norm_layer"),
            ("DeconvBlock.2.conv_transpose", "DeconvBlock.2.norm_layer"),
            ("DeconvBlock.4.conv_layer", ""),
        ],
        filters: [".weight", ".bias"],
        norm: [".weight", ".bias"],
    },
    growth: Growth::Transposed(Layout::InOutSides, 1),
    norm: NormForm::InstanceOrBatch,
    end: End::Tanh {
        scale: 150.0,
        shift: 0.0,
    },
    bgr: true,
    ..PYTORCH
};

const LENGSTROM: Form = Form {
    name: "a network of lengstrom's fast-style-transfer",
    names: Names::Counted,
    layout: Layout::SidesInOut,
    border: Border::Same(Padding::Zero),
    // A convolution of stride 2 with filters of 3 has one place of zeros behind an even side and none before.
    growth: Growth::Transposed(Layout::SidesOutIn, 0),
    norm: NormForm::Instance,
    epsilon: 1e-3,
    end: TANH_BYTES,
    input: Colours::BYTES,
    output: FROM_BYTES,
    bgr: false,
};

const VANGOGH: Form = Form {
    name: "a network of VangoghCrazyWorld",
    border: REFLECT,
    epsilon: 1e-9,
    ..LENGSTROM
};

/// Forms with names of their own, each told by the filters of its last layer.
const SPELLED: [&Form; 4] = [&MAGENTA, &PYTORCH, &JOHNSON_PYTORCH, &FAST_PYTORCH];

/// What stands before the maps from a code to scales and shifts.
const MAPS: &str = "style_params/";

/// What the scope of a batch norm ends with.
const BATCH: &str = "/BatchNorm";

/// Channels of the first layer of lengstrom's networks.
const LENGSTROM_WIDTH: usize = 32;

impl Form {
    /// The form of a network among tensors, and its tensors without what stands before their names.
    pub(super) fn find<'f>(tensors: &Tensors<'f>) -> Option<(&'static Self, Tensors<'f>)> {
        let spelled = SPELLED.into_iter().find_map(|form| {
            let found = form.among(tensors)?;
            // The transfer network of Ghiasi et al. has the same filters, and maps instead of styles.
            let coded = found.names().any(|name| name.starts_with(MAPS));
            (!coded).then_some((form, found))
        });
        spelled.or_else(|| {
            let found = tensors.beside("Variable_2", None)?;
            let first = found.shape("Variable")?;
            let (&[9, 9, 3, width] | &[3, 3, 3, width]) = first else {
                return None;
            };
            let form = match width {
                LENGSTROM_WIDTH => &LENGSTROM,
                _ => &VANGOGH,
            };
            Some((form, found.told_as(form.name)))
        })
    }

    /// The tensors of a network of this form, told by the filters of its last layer.
    pub(super) fn among<'f>(&self, tensors: &Tensors<'f>) -> Option<Tensors<'f>> {
        let Names::Spelled {
            expand, filters, ..
        } = &self.names
        else {
            return None;
        };
        let (last, _) = expand.last()?;
        let found = tensors.beside(&format!("{last}{}", filters[0]), None)?;
        Some(found.told_as(self.name))
    }
}
