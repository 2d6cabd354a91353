//! Which networks are in some files, and which of them is meant.

use super::build::checked;
use super::forms::Form;
use super::ghiasi::{self, Ghiasi};
use super::microast::{self, MicroAst};
use super::tensors::Tensors;
use super::wct::{self, Found, Trunk};
use super::{Model, NetError, paint};
use impasto_weights::WeightsFile;

/// The families, as messages name them.
const KNOWN: &str = "networks of pytorch/examples, Magenta's image stylization, lengstrom's fast-style-transfer and \
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

/// A kind of network that has parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Transformer,
    Ghiasi,
    MicroAst,
    Cascade,
    Paint,
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
        self.predictor = self.predictor.take().or_else(|| ghiasi::predictor(tensors));
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

    /// The network that there is, of one family if that is given.
    pub(super) fn model(mut self, place: &str, family: Option<Family>) -> Result<Model, NetError> {
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
        let wanted = |of: Family| family.is_none_or(|family| family == of);
        let there: Vec<(Family, usize)> = whole
            .into_iter()
            .filter(|&(of, count)| count > 0 && wanted(of))
            .collect();
        match there.as_slice() {
            [] => Err(self.nothing(place, family)),
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
                _ => Err(self.nothing(place, family)),
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
                _ => Err(self.nothing(place, family)),
            },
            [(Family::Cascade, _)] => Ok(Model::Cascade(wct::read(&self.trunks, &pairs)?)),
            [(Family::Paint, _)] => match &self.paint {
                Some(tensors) => Ok(Model::Paint(paint::read(tensors)?)),
                None => Err(self.nothing(place, family)),
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

    /// Why there is no network.
    fn nothing(&self, place: &str, family: Option<Family>) -> NetError {
        let incomplete = |family: Family, found: String, missing: String| NetError::Incomplete {
            place: place.into(),
            found,
            network: family.name(),
            missing,
        };
        let wanted = |of: Family| family.is_none_or(|family| family == of);
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
