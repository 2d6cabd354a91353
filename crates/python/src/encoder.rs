//! Networks that look at pictures: their layers, and what these see.

use crate::error::{Class, of_error, of_problems, raise};
use crate::order::{NetworkArgs, missing_folder};
use crate::picture::Picked;
use crate::process;
use impasto::LayerName;
use impasto::compute::{Device, Network, TapRequest};
use impasto::encoder::{Encoder as Inner, EncoderOptions};
use impasto::job::{Problem, find_encoder, open_device};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict};

/// A network that looks at pictures, on a device.
#[pyclass(frozen, module = "impasto._impasto")]
pub struct Encoder {
    inner: Inner,
    device: Box<dyn Device>,
    network: Box<dyn Network>,
}

/// What a layer sees: its shape `[c, h, w]`, and its values as f32.
type Features<'py> = ([usize; 3], Bound<'py, PyByteArray>);

#[pymethods]
impl Encoder {
    /// The encoder of a name, or of a file of weights.
    #[new]
    fn new(py: Python<'_>, network: NetworkArgs) -> PyResult<Self> {
        process::enter(py)?;
        let mut lines = Vec::new();
        let (encoder, device) = network.read(&mut lines);
        if !lines.is_empty() {
            return Err(raise(py, Class::Invalid, lines));
        }
        let made = py.detach(|| {
            let mut problems: Vec<Problem> = missing_folder(&encoder).into_iter().collect();
            let inner = find_encoder(&encoder, &mut problems);
            let device = open_device(&device, &mut problems);
            let (Some(inner), Some(device), true) = (inner, device, problems.is_empty()) else {
                return Err(problems);
            };
            let network = device.network(&inner.spec(&EncoderOptions::default()));
            let network = network.map_err(|error| vec![Problem::Failed(error.into())])?;
            Ok(Self {
                inner,
                device,
                network,
            })
        });
        made.map_err(|problems| of_problems(py, &problems))
    }

    /// Its name, or its file's.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// Number of weights and biases.
    #[getter]
    fn parameters(&self) -> usize {
        self.inner.parameters()
    }

    /// The layers that losses can look at, shallow to deep.
    fn taps(&self) -> Vec<String> {
        names(&self.inner.taps())
    }

    /// The layers that content and style look at unless a recipe names others.
    fn default_layers(&self) -> (Vec<String>, Vec<String>) {
        let layers = self.inner.default_layers();
        (names(&layers.content), names(&layers.style))
    }

    /// Its layers in order, each a dictionary.
    fn layers<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let layers = self.inner.layers().into_iter().map(|layer| {
            let told = PyDict::new(py);
            told.set_item("name", layer.layer)?;
            told.set_item("kind", layer.kind)?;
            told.set_item("channels", layer.channels)?;
            told.set_item("parameters", layer.parameters)?;
            told.set_item("receptive_field", layer.receptive_field)?;
            told.set_item("tap", layer.tap)?;
            Ok(told)
        });
        layers.collect()
    }

    /// What layers see of an image, at its own size.
    fn features<'py>(
        &self,
        py: Python<'py>,
        image: Picked,
        layers: Vec<String>,
    ) -> PyResult<Vec<Features<'py>>> {
        process::enter(py)?;
        let names: Result<Vec<LayerName>, _> = layers.iter().map(|name| name.parse()).collect();
        let names = names.map_err(|error: impasto::encoder::BadLayerName| {
            raise(py, Class::Invalid, vec![error.to_string()])
        })?;
        let seen = py.detach(|| self.look(&image, &names));
        let seen = seen.map_err(|error| match error {
            impasto::Error::Encoder(error) => raise(py, Class::Invalid, vec![error.to_string()]),
            error => of_error(py, error),
        })?;
        let arrays = seen.into_iter().map(|(shape, values)| {
            let bytes = PyByteArray::new_with(py, 4 * values.len(), |bytes| {
                let values = bytes.chunks_exact_mut(4).zip(&values);
                values.for_each(|(to, value)| to.copy_from_slice(&value.to_ne_bytes()));
                Ok(())
            })?;
            Ok((shape, bytes))
        });
        arrays.collect()
    }
}

impl Encoder {
    fn look(
        &self,
        image: &Picked,
        names: &[LayerName],
    ) -> impasto::Result<Vec<([usize; 3], Vec<f32>)>> {
        let image = image.0.open()?;
        let taps = names.iter().map(|name| self.inner.tap(*name));
        let taps = taps.collect::<Result<Vec<_>, _>>()?;
        let shape = [3, image.height(), image.width()];
        let tensor = self.device.upload(image.rgb(), &shape)?;
        let requests: Vec<_> = taps.iter().map(|tap| TapRequest::features(*tap)).collect();
        let tape = self.network.forward(&tensor, &requests)?;
        let seen = taps.iter().map(|tap| {
            let shape = self.network.spec().shape_at(*tap, image.size())?;
            Ok((shape, self.device.download(tape.features(*tap)?)?))
        });
        let seen = seen.collect();
        self.network.forget();
        seen
    }
}

fn names(layers: &[LayerName]) -> Vec<String> {
    layers.iter().map(ToString::to_string).collect()
}
