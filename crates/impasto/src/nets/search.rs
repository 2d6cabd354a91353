//! Which networks are in some files, and which of them is meant.

use super::build::checked;
use super::forms::Form;
use super::ghiasi::{self, Ghiasi};
use super::microast::{self, MicroAst};
use super::tensors::Tensors;
use super::wct::{self, Found, Trunk};
use super::{Model, NetError, paint, predictor};
use impasto_weights::WeightsFile;

/// The families, as messages name them.
pub(super) const KNOWN: &str = "networks of pytorch/examples, Magenta's image stylization, lengstrom's fast-style-transfer and \
    VangoghCrazyWorld, Magenta's arbitrary style network, MicroAST, and encoders with decoders of WCT or AdaIN";

/// The operations of the networks that are known, as ONNX and TensorFlow Lite write them: the forward pass itself, and what
/// exporters make of sizes and of instance norms. A file that has others is another network.
#[rustfmt::skip]
const OPERATIONS: [&str; 61] = [
    // ONNX
    "Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant", "ConstantOfShape", "Conv",
    "ConvTranspose", "Div", "Floor", "Gather", "GlobalAveragePool", "Identity", "InstanceNormalization", "MaxPool", "Mul",
    "Pad", "Pow", "ReduceMean", "Relu", "Reshape", "Resize", "Shape", "Sigmoid", "Slice", "Sqrt", "Squeeze", "Sub", "Tanh",
    "Transpose", "Unsqueeze", "Upsample",
    // TensorFlow Lite
    "ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "DEQUANTIZE", "DIV", "FULLY_CONNECTED", "LOGISTIC", "MAX_POOL_2D", "MEAN",
    "MIRROR_PAD", "MUL", "PAD", "POW", "QUANTIZE", "RELU", "RELU6", "RESHAPE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SQRT", "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE", "SUB", "TANH",
    "TRANSPOSE_CONV",
];

/// A kind of network, of which there may be one among files that have others too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// [`Model::Transformer`].
    Transformer,
    /// [`Model::Ghiasi`].
    Ghiasi,
    /// [`Model::MicroAst`].
    MicroAst,
    /// [`Model::Cascade`].
    Cascade,
    /// [`Model::Paint`].
    Paint,
}

/// Which of the networks among files is meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meant {
    /// The only one.
    Any,
    /// That of a family if there is one, else the only one.
    Rather(Family),
    /// That of a family.
    Only(Family),
}

impl Meant {
    /// Whether a network of a family may be it.
    fn admits(self, family: Family) -> bool {
        match self {
            Meant::Any | Meant::Rather(_) => true,
            Meant::Only(only) => only == family,
        }
    }
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Family::Transformer => "a transformer network",
            Family::Ghiasi => "Magenta's arbitrary style network",
            Family::MicroAst => microast::NETWORK,
            Family::Cascade => "a network of WCT or AdaIN",
            Family::Paint => "decoders of lite",
        }
    }

    /// The family of which parts are there and others missing, if that is the problem.
    pub(super) fn incomplete(problem: &NetError) -> Option<Self> {
        let name = match problem {
            NetError::Incomplete { network, .. } => *network,
            NetError::Alike { .. } => microast::NETWORK,
            _ => return None,
        };
        let all = [Family::Ghiasi, Family::MicroAst, Family::Cascade];
        all.into_iter().find(|family| family.name() == name)
    }
}

/// What some files have.
#[derive(Debug, Default)]
pub(super) struct Search<'f> {
    transformers: Vec<(&'static Form, Tensors<'f>)>,
    predictor: Option<Tensors<'f>>,
    transfer: Option<Tensors<'f>>,
    micro: microast::Parts<'f>,
    decoders: Vec<Found<'f>>,
    trunks: Vec<Trunk<'f>>,
    paint: Option<Tensors<'f>>,
    /// A file with an operation that no network here has.
    foreign: Option<(String, String)>,
    /// Some of the tensors' names, for whom nothing is told by them.
    names: Vec<String>,
}

impl<'f> Search<'f> {
    pub(super) fn of(files: &'f [WeightsFile<'_>]) -> Self {
        let mut search = Self::default();
        for file in files {
            search.look(&Tensors::of(file));
        }
        search
    }

    fn look(&mut self, tensors: &Tensors<'f>) {
        let operations = tensors.weights().operations();
        let unknown = |operation: &&String| !OPERATIONS.contains(&operation.as_str());
        if let Some(operation) = operations.iter().find(unknown) {
            self.foreign = Some((tensors.file().into(), operation.clone()));
            return;
        }
        self.transformers.extend(Form::find(tensors));
        self.predictor = self.predictor.take().or_else(|| predictor::find(tensors));
        self.transfer = self.transfer.take().or_else(|| ghiasi::transfer(tensors));
        let name = tensors.file();
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        self.micro.take(tensors, name);
        self.decoders.extend(Found::find(tensors));
        self.paint = self.paint.take().or_else(|| paint::find(tensors));
        if let Ok(vgg) = tensors.weights().vgg() {
            let tensors = tensors.clone();
            self.trunks.push(Trunk { tensors, vgg });
        }
        let names = tensors.names().take(3 - self.names.len().min(3));
        self.names.extend(names.map(String::from));
    }

    /// The network that is meant.
    pub(super) fn model(mut self, place: &str, meant: Meant) -> Result<Model, NetError> {
        self.settle();
        let pairs = wct::pairs(&self.trunks, &self.decoders);
        let whole = [
            (Family::Transformer, self.transformers.len()),
            (
                Family::Ghiasi,
                usize::from(self.predictor.is_some() && self.transfer.is_some()),
            ),
            (
                Family::MicroAst,
                usize::from(self.micro.names(false).is_empty()),
            ),
            (Family::Cascade, usize::from(!pairs.is_empty())),
            (Family::Paint, usize::from(self.paint.is_some())),
        ];
        let mut there: Vec<(Family, usize)> = whole
            .into_iter()
            .filter(|&(of, count)| count > 0 && meant.admits(of))
            .collect();
        if let Meant::Rather(family) = meant
            && there.iter().any(|&(of, _)| of == family)
        {
            there.retain(|&(of, _)| of == family);
        }
        match there.as_slice() {
            [] => Err(self.nothing(place, meant)),
            [(Family::Transformer, 1)] => {
                let (form, tensors) = &self.transformers[0];
                let spec = form.read(tensors)?;
                checked(tensors, form.name, spec.graph())?;
                Ok(Model::Transformer(spec))
            }
            [(Family::Ghiasi, _)] => match (&self.predictor, &self.transfer) {
                (Some(predictor), Some(transfer)) => {
                    Ok(Model::Ghiasi(Box::new(Ghiasi::read(predictor, transfer)?)))
                }
                _ => Err(self.nothing(place, meant)),
            },
            [(Family::MicroAst, _)] => match &self.micro {
                microast::Parts {
                    content: Some(content),
                    style: Some(style),
                    modulator: Some(modulator),
                    decoder: Some(decoder),
                    ..
                } => {
                    let made = MicroAst::read(content, style, modulator, decoder)?;
                    Ok(Model::MicroAst(Box::new(made)))
                }
                _ => Err(self.nothing(place, meant)),
            },
            [(Family::Cascade, _)] => Ok(Model::Cascade(wct::read(&self.trunks, &pairs)?)),
            [(Family::Paint, _)] => match &self.paint {
                Some(tensors) => Ok(Model::Paint(paint::read(tensors)?)),
                None => Err(self.nothing(place, meant)),
            },
            several => {
                let names = several.iter().map(|&(family, count)| match count {
                    1 => family.name().to_string(),
                    count => format!("{count} transformer networks"),
                });
                Err(NetError::Several {
                    folder: place.into(),
                    found: names.collect::<Vec<_>>().join(", "),
                })
            }
        }
    }

    /// An encoder of MicroAST whose side is not clear is the one that is missing, if the other is there.
    fn settle(&mut self) {
        let parts = &mut self.micro;
        if let [only] = parts.unclear.as_slice() {
            let side = match (&parts.content, &parts.style) {
                (Some(_), None) => &mut parts.style,
                (None, Some(_)) => &mut parts.content,
                _ => return,
            };
            *side = Some(only.clone());
            parts.unclear.clear();
        }
    }

    /// Whether a part of a network that has several is there.
    fn has_part(&self, family: Family) -> bool {
        match family {
            Family::Ghiasi => self.predictor.is_some() || self.transfer.is_some(),
            Family::MicroAst => {
                !self.micro.unclear.is_empty() || !self.micro.names(true).is_empty()
            }
            Family::Cascade => !self.decoders.is_empty(),
            Family::Transformer | Family::Paint => false,
        }
    }

    /// Why there is no network.
    fn nothing(&self, place: &str, meant: Meant) -> NetError {
        let incomplete = |family: Family, found: String, missing: String| NetError::Incomplete {
            place: place.into(),
            found,
            network: family.name(),
            missing,
        };
        // What is asked for is what is missed first.
        let wanted = |of: Family| match meant {
            Meant::Rather(family) if self.has_part(family) => family == of,
            meant => meant.admits(of),
        };
        let micro = self.micro.names(true);
        if wanted(Family::MicroAst) && self.micro.unclear.len() > 1 {
            return NetError::Alike {
                place: place.into(),
                parts: "content encoder of MicroAST, and which its style encoder,",
            };
        }
        if wanted(Family::Ghiasi)
            && let Some((found, missing)) = match (&self.predictor, &self.transfer) {
                (Some(_), None) => Some(("the style predictor", "the transfer network")),
                (None, Some(_)) => Some(("the transfer network", "the style predictor")),
                _ => None,
            }
        {
            return incomplete(Family::Ghiasi, found.into(), missing.into());
        }
        if wanted(Family::MicroAst) && (!micro.is_empty() || !self.micro.unclear.is_empty()) {
            let unclear = self.micro.unclear.iter().map(|_| "an encoder");
            let found: Vec<_> = micro.into_iter().chain(unclear).collect();
            let missing = self.micro.names(false).join(", ");
            return incomplete(Family::MicroAst, found.join(", "), missing);
        }
        if wanted(Family::Cascade) && !self.decoders.is_empty() {
            let found: Vec<_> = self.decoders.iter().map(Found::title).collect();
            let missing = "an encoder that makes the features that it reads".to_string();
            return incomplete(Family::Cascade, found.join(", "), missing);
        }
        if let Some((file, operation)) = &self.foreign {
            return NetError::Operation {
                file: file.clone(),
                operation: operation.clone(),
                known: KNOWN.into(),
            };
        }
        match self.trunks.first() {
            Some(trunk) => NetError::IsEncoder {
                file: trunk.tensors.file().into(),
                found: trunk.vgg.title.clone(),
            },
            None => NetError::Foreign {
                file: place.into(),
                tensors: format!("{} …", self.names.join(", ")),
                known: KNOWN.into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::Folder;
    use std::path::Path;

    fn problem(path: &Path) -> String {
        Model::open(path).expect_err("another file").to_string()
    }

    /// A field of a protocol buffer that holds bytes, fewer than 128.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut field = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        field.extend_from_slice(bytes);
        field
    }

    #[test]
    fn an_operation_that_no_network_here_has_is_named() {
        let folder = Folder::new();
        let tensor = [&[0x08, 1, 0x10, 1][..], &field(8, b"w"), &field(9, &[0; 4])].concat();
        let graph = |operation: &[u8]| {
            let node = field(1, &field(4, operation));
            [vec![0x08, 8], field(7, &[node, field(5, &tensor)].concat())].concat()
        };
        let path = folder.write("a.onnx", graph(b"LSTM"));
        let said = problem(&path);
        assert!(said.contains("has the operation LSTM"), "{said}");
        let said = problem(&folder.write("a.onnx", graph(b"Conv")));
        assert!(said.contains("its tensors are called w"), "{said}");
    }
}
