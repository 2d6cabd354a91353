//! Reads a network of a form: its layers' tensors by name, and what is made of them.

use super::{BATCH, Form, Growth, LayerName, MAPS, Names, NormForm};
use crate::nets::NetError;
use crate::nets::build::{Batch, convolution, linear};
use crate::nets::tensors::Tensors;
use crate::nets::transformer::{Filters, Layer, Norm, Stage, TransformerSpec};
use impasto_compute::graph::{Activation, Convolution, Scaling, TransposedConvolution, Upsampling};

impl Form {
    /// Reads the network.
    pub(in crate::nets) fn read(&self, tensors: &Tensors<'_>) -> Result<TransformerSpec, NetError> {
        let mut reader = Reader {
            form: self,
            tensors,
            channels: 3,
        };
        let layers = self.layers(tensors);
        let mut stages = Vec::new();
        for (number, name) in layers.contract.iter().enumerate() {
            let stride = 1 + usize::from(number > 0);
            stages.push(Stage::Layer(reader.layer(name, stride, true)?));
        }
        for [first, second] in &layers.residual {
            let pair = [
                reader.layer(first, 1, true)?,
                reader.layer(second, 1, false)?,
            ];
            stages.push(Stage::Residual(Box::new(pair)));
        }
        let last = layers.expand.len().saturating_sub(1);
        for (number, name) in layers.expand.iter().enumerate() {
            stages.push(Stage::Layer(match number == last {
                true => reader.layer(name, 1, false)?,
                false => reader.larger(name)?,
            }));
        }
        if self.bgr {
            reverse_colours(&mut stages);
        }
        Ok(TransformerSpec {
            name: self.name,
            input: self.input,
            stages,
            end: self.end,
            output: self.output,
        })
    }

    /// The names of the tensors of all layers.
    fn layers(&self, tensors: &Tensors<'_>) -> Layers {
        match &self.names {
            Names::Spelled {
                contract,
                residual,
                first,
                expand,
                filters,
                norm,
            } => {
                let spell = |number: usize, (layer, norms): &LayerName| {
                    let name = |base: &str, part: &str| {
                        format!("{}{part}", base.replace("{n}", &number.to_string()))
                    };
                    LayerTensors {
                        filters: name(layer, filters[0]),
                        bias: Some(name(layer, filters[1])),
                        norm: (!norms.is_empty()).then(|| norm.map(|part| name(norms, part))),
                        base: name(norms, ""),
                        parts: *filters,
                    }
                };
                let blocks = (*first..)
                    .map(|number| residual.each_ref().map(|name| spell(number, name)))
                    .take_while(|[first, _]| tensors.has(&first.filters));
                Layers {
                    contract: contract.iter().map(|name| spell(0, name)).collect(),
                    residual: blocks.collect(),
                    expand: expand.iter().map(|name| spell(0, name)).collect(),
                }
            }
            Names::Counted => {
                let name = |number: usize| match number {
                    0 => "Variable".to_string(),
                    number => format!("Variable_{number}"),
                };
                let layer = |number: usize| LayerTensors {
                    filters: name(3 * number),
                    bias: None,
                    norm: Some([name(3 * number + 2), name(3 * number + 1)]),
                    base: String::new(),
                    parts: ["", ""],
                };
                let filters = (0..).take_while(|&number| {
                    // An optimiser's numbers may stand behind; filters have four dimensions.
                    let shape = tensors.shape(&name(3 * number));
                    shape.is_some_and(|shape| shape.len() == 4)
                });
                // Three layers before the blocks and three behind.
                let blocks = filters.count().saturating_sub(6) / 2;
                Layers {
                    contract: (0..3).map(layer).collect(),
                    residual: (0..blocks)
                        .map(|block| [layer(3 + 2 * block), layer(4 + 2 * block)])
                        .collect(),
                    expand: (0..3)
                        .map(|number| layer(3 + 2 * blocks + number))
                        .collect(),
                }
            }
        }
    }
}

/// The tensors of a layer by name.
struct LayerTensors {
    filters: String,
    bias: Option<String>,
    /// Scale and shift, or the maps to them.
    norm: Option<[String; 2]>,
    /// What the norm is called.
    base: String,
    /// What follows the name of a map to a scale or a shift: its filters, its bias.
    parts: [&'static str; 2],
}

struct Layers {
    contract: Vec<LayerTensors>,
    residual: Vec<[LayerTensors; 2]>,
    expand: Vec<LayerTensors>,
}

/// Reads layers one after the other.
struct Reader<'r, 'f> {
    form: &'r Form,
    tensors: &'r Tensors<'f>,
    /// Channels that the last one made.
    channels: usize,
}

impl Reader<'_, '_> {
    fn convolution(
        &mut self,
        names: &LayerTensors,
        stride: usize,
    ) -> Result<Convolution, NetError> {
        let bias = names.bias.as_deref().unwrap_or_default();
        let made = convolution(
            self.tensors,
            [&names.filters, bias],
            self.form.layout,
            self.channels,
            stride,
            self.form.border,
        )?;
        self.channels = made.outputs;
        Ok(made)
    }

    /// A layer that keeps the size or makes it smaller.
    fn layer(
        &mut self,
        names: &LayerTensors,
        stride: usize,
        relu: bool,
    ) -> Result<Layer, NetError> {
        let convolution = self.convolution(names, stride)?;
        self.with_norm(
            names,
            relu,
            Filters::Convolution {
                enlarge: None,
                convolution,
            },
        )
    }

    /// A layer that makes it twice as large.
    fn larger(&mut self, names: &LayerTensors) -> Result<Layer, NetError> {
        let filters = match self.form.growth {
            Growth::Nearest => Filters::Convolution {
                enlarge: Some(Upsampling::Nearest),
                convolution: self.convolution(names, 1)?,
            },
            Growth::Transposed(layout, before) => {
                let read = self.tensors.filters(&names.filters, layout)?;
                let [inputs, outputs, height, width] = read.shape;
                if inputs != self.channels || height != width {
                    let got = self.tensors.shape(&names.filters).unwrap_or_default();
                    let expected = format!("square filters that read {} channels", self.channels);
                    return Err(self.tensors.misfit(&names.filters, got, expected));
                }
                self.channels = outputs;
                Filters::Transposed(TransposedConvolution {
                    inputs,
                    outputs,
                    kernel: height,
                    stride: 2,
                    before,
                    weight: read.values.into(),
                    bias: self.tensors.bias(names.bias.as_deref(), outputs)?.into(),
                })
            }
        };
        self.with_norm(names, true, filters)
    }

    fn with_norm(
        &mut self,
        names: &LayerTensors,
        relu: bool,
        mut filters: Filters,
    ) -> Result<Layer, NetError> {
        let norm = match &names.norm {
            None => Norm::None,
            Some(norm) => self.norm(names, norm, &mut filters)?,
        };
        Ok(Layer {
            filters,
            norm,
            activation: relu.then_some(Activation::Relu),
        })
    }

    fn norm(
        &self,
        names: &LayerTensors,
        [scale, shift]: &[String; 2],
        filters: &mut Filters,
    ) -> Result<Norm, NetError> {
        let (tensors, channels) = (self.tensors, self.channels);
        let epsilon = self.form.epsilon;
        let mean = format!("{}.running_mean", names.base);
        match self.form.norm {
            NormForm::Coded if names.base.ends_with(BATCH) => {
                fold(&Batch::slim(tensors, &names.base, channels)?, filters);
                Ok(Norm::None)
            }
            NormForm::Coded => {
                let map = |base: &str| {
                    let [weight, bias] = names.parts.map(|part| format!("{MAPS}{base}{part}"));
                    linear(tensors, [&weight, &bias], self.form.layout, None, channels)
                };
                let stated = format!("{}/batchnorm/add/y", names.base);
                let epsilon = match tensors.has(&stated) {
                    true => tensors.vector(&stated, 1)?[0],
                    false => epsilon,
                };
                Ok(Norm::Coded {
                    epsilon,
                    scale: map(scale)?,
                    shift: map(shift)?,
                })
            }
            NormForm::InstanceOrBatch if tensors.has(&mean) => {
                let variance = format!("{}.running_var", names.base);
                let names = [mean.as_str(), &variance, shift];
                let batch = Batch::read(tensors, names, Some(scale), epsilon, channels)?;
                fold(&batch, filters);
                Ok(Norm::None)
            }
            NormForm::Instance | NormForm::InstanceOrBatch => {
                let Some(shape) = tensors.shape(scale) else {
                    return Err(tensors.missing(scale));
                };
                // A row for each style, where there are rows.
                let styles = match *shape {
                    [styles, width] if width == channels => Some(styles),
                    _ => None,
                };
                match styles {
                    Some(styles) => Ok(Norm::Conditional {
                        epsilon,
                        scales: tensors.matrix(scale, styles, channels)?.into(),
                        shifts: tensors.matrix(shift, styles, channels)?.into(),
                    }),
                    None => Ok(Norm::Instance {
                        epsilon,
                        scaling: Scaling {
                            scale: tensors.vector(scale, channels)?.into(),
                            shift: tensors.vector(shift, channels)?.into(),
                        },
                    }),
                }
            }
        }
    }
}

/// Folds a batch norm into the convolution of a layer.
fn fold(batch: &Batch, filters: &mut Filters) {
    match filters {
        Filters::Convolution { convolution, .. } => batch.fold_into(convolution),
        Filters::Transposed(transposed) => {
            let size = transposed.kernel * transposed.kernel;
            let outputs = transposed.outputs;
            batch.fold(&mut transposed.weight, &mut transposed.bias, |i| {
                i / size % outputs
            });
        }
    }
}

/// Makes a network that reads and makes blue, green, red one for red, green, blue.
fn reverse_colours(stages: &mut [Stage]) {
    if let Some(Stage::Layer(Layer {
        filters: Filters::Convolution { convolution, .. },
        ..
    })) = stages.first_mut()
    {
        let size = convolution.kernel[0] * convolution.kernel[1];
        let filters = convolution.weight.chunks_exact(3 * size);
        convolution.weight = filters
            .flat_map(|filter| filter.chunks_exact(size).rev().flatten().copied())
            .collect();
    }
    // No network in this order has a norm behind its last convolution.
    if let Some(Stage::Layer(Layer {
        filters: Filters::Convolution { convolution, .. },
        ..
    })) = stages.last_mut()
    {
        let size = convolution.weight.len() / convolution.outputs.max(1);
        let filters = convolution.weight.chunks_exact(size.max(1));
        convolution.weight = filters.rev().flatten().copied().collect();
        convolution.bias = convolution.bias.iter().rev().copied().collect();
    }
}
