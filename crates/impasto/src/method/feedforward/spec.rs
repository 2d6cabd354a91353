//! Networks that paint, as data: which there are, and by which methods they paint.

use crate::checkpoint::fingerprint;
use crate::named::Named;
use crate::nets::{Family, Model};
use crate::recipe::{MethodName, Problem};
use crate::{Error, LayerName, Result};
use impasto_weights::Store;
use std::path::Path;

/// A network that paints, as data, and the method that paints with it.
#[derive(Clone, Debug)]
pub struct PainterSpec {
    /// What it is called, or the file that it was read from.
    pub name: String,
    /// The method.
    pub method: MethodName,
    /// The network.
    pub model: Model,
}

impl PainterSpec {
    /// The network of a file or folder of weights, with the method that is its own.
    ///
    /// # Errors
    /// [`Error::Net`] if it is none.
    pub fn open(path: &Path) -> Result<Self> {
        let model = Model::open(path)?;
        let name = path.display().to_string();
        let method = methods(&model)[0];
        Ok(Self {
            name,
            method,
            model,
        })
    }

    /// The network by which a method paints: that of a name or path, or the method's own. Of a folder with several, and of a
    /// folder of models, it is the method's.
    ///
    /// # Errors
    /// [`Error::Net`] if there is none; [`Error::Invalid`] if it paints by another method.
    pub fn find(method: MethodName, model: Option<&Path>, store: Option<&Store>) -> Result<Self> {
        let name = match model {
            Some(path) => {
                let installed = Store::at(path).find_network(own(method));
                installed.as_deref().unwrap_or(path).display().to_string()
            }
            None => own(method).into(),
        };
        let model = match (model, method) {
            (None, MethodName::Paint) => Model::embedded()?,
            (None, MethodName::Fast) => {
                Model::find_in(&name, family(method), store).map_err(|_| {
                    let needs = "must be a network that has learned its style: name its file";
                    Error::Invalid(vec![Problem::new("model", "none", needs)])
                })?
            }
            _ => Model::find_in(&name, family(method), store)?,
        };
        let others = methods(&model);
        if !others.contains(&method) {
            let names: Vec<_> = others.iter().map(|other| other.name()).collect();
            let allowed = format!("{name} paints by {}", names.join(" or "));
            return Err(Error::Invalid(vec![Problem::new(
                "method",
                method.name(),
                allowed,
            )]));
        }
        Ok(Self {
            name,
            method,
            model,
        })
    }

    /// The fingerprint of its weights.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.model.numbers())
    }
}

/// The name of the network by which a method paints unless another is named.
fn own(method: MethodName) -> &'static str {
    match method {
        // Its decoder of relu4_1 serves means and deviations as well.
        MethodName::Wct | MethodName::Adain => "wct-16x",
        other => other.name(),
    }
}

/// The kind of network by which a method paints.
fn family(method: MethodName) -> Option<Family> {
    match method {
        MethodName::Optimize | MethodName::Nnst | MethodName::Strotss => None,
        MethodName::Paint => Some(Family::Paint),
        MethodName::Wct | MethodName::Adain => Some(Family::Cascade),
        MethodName::Microast => Some(Family::MicroAst),
        MethodName::Ghiasi => Some(Family::Ghiasi),
        MethodName::Fast => Some(Family::Transformer),
    }
}

/// The methods that paint with a network, its own first.
fn methods(model: &Model) -> &'static [MethodName] {
    let deep = LayerName::Relu { block: 4, index: 1 };
    match model {
        Model::Transformer(_) => &[MethodName::Fast],
        Model::Ghiasi(_) => &[MethodName::Ghiasi],
        Model::MicroAst(_) => &[MethodName::Microast],
        Model::Paint(_) => &[MethodName::Paint],
        Model::Cascade(cascade) if cascade.level(deep).is_none() => &[MethodName::Wct],
        Model::Cascade(cascade) if cascade.levels.len() == 1 => {
            &[MethodName::Adain, MethodName::Wct]
        }
        Model::Cascade(_) => &[MethodName::Wct, MethodName::Adain],
    }
}
