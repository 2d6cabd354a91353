//! The real-time arbitrary network of Ghiasi et al. 2017, "Exploring the structure of a real-time, arbitrary neural artistic
//! stylization network" (arXiv 1705.06830), in the forms of Magenta's files.
//!
//! A *predictor* ([`predictor`](super::predictor)) makes a code of a style, 100 numbers, of its picture; a *transfer network*
//! paints a picture in the style of a code: each of its norms has a scale and a shift that are linear in the code. Codes may
//! be mixed: those of several styles, and, for less strength, that of the content's own picture ([`mixed`]).
//!
//! Both read RGB in 0..1 of any size; the predictor was trained on styles of 256×256. The transfer network's picture is
//! `4·⌈⌈n/2⌉/2⌉` places high and wide: the caller cuts it ([`cropped`](super::cropped)). The variance's ε is that of the
//! file, 1.00136e-5 in Magenta's for telephones, if it says one.

use super::NetError;
use super::build::checked;
use super::forms::{Form, GHIASI, GHIASI_LITE};
use super::predictor;
use super::tensors::Tensors;
use super::transformer::TransformerSpec;
use impasto_compute::graph::GraphSpec;

/// Predictor and transfer network.
#[derive(Clone, Debug)]
pub struct Ghiasi {
    /// From a style's picture `[3, h, w]`, RGB in 0..1, to its code.
    pub predictor: GraphSpec,
    /// The least height and width of a picture that the predictor can look at.
    pub least: usize,
    /// From a picture `[3, h, w]` and a code to a picture.
    pub transfer: TransformerSpec,
    /// Numbers in a code.
    pub code: usize,
}

/// A weighted sum of codes, of which those of several styles, or of style and content, are mixed.
pub fn mixed(codes: &[(&[f32], f32)]) -> Vec<f32> {
    let length = codes.iter().map(|(code, _)| code.len()).max().unwrap_or(0);
    let mut sum = vec![0.0; length];
    for (code, weight) in codes {
        for (sum, value) in sum.iter_mut().zip(*code) {
            *sum += weight * value;
        }
    }
    sum
}

/// The form of a transfer network.
fn form(tensors: &Tensors<'_>) -> &'static Form {
    match tensors.has("transformer/contract/conv1/Conv2D_bias") {
        true => &GHIASI_LITE,
        false => &GHIASI,
    }
}

/// The tensors of a transfer network.
pub(super) fn transfer<'f>(tensors: &Tensors<'f>) -> Option<Tensors<'f>> {
    let found = GHIASI.among(tensors)?;
    let coded = found.names().any(|name| name.starts_with("style_params/"));
    coded.then_some(found)
}

impl Ghiasi {
    pub(super) fn read(predictor: &Tensors<'_>, transfer: &Tensors<'_>) -> Result<Self, NetError> {
        let spec = form(transfer).read(transfer)?;
        checked(transfer, spec.name, spec.graph())?;
        let code = spec.code().unwrap_or(0);
        let (graph, least) = predictor::read(predictor, code)?;
        Ok(Self {
            predictor: checked(predictor, predictor.network(), graph)?,
            least,
            transfer: spec,
            code,
        })
    }
}
