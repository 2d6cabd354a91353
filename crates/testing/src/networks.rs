//! Made-up networks of the VGG kind, as names, shapes and numbers.

use crate::numbers::Numbers;

/// Weights `[outputs, inputs, 3, 3]` and biases of a convolution that keeps the scale of what it sees, as those of
/// trained networks do: before a ReLU, `√(2/n)` is the standard deviation that does (K. He et al., "Delving deep into
/// rectifiers", 2015), and that of even numbers in −1..1 is `1/√3`.
pub fn convolution(numbers: &mut Numbers, inputs: usize, outputs: usize) -> (Vec<f32>, Vec<f32>) {
    let scale = (6.0 / (9 * inputs) as f32).sqrt();
    let mut weight = numbers.many(outputs * inputs * 9);
    weight.iter_mut().for_each(|w| *w *= scale);
    let mut bias = numbers.many(outputs);
    bias.iter_mut().for_each(|b| *b *= 0.2);
    (weight, bias)
}

/// A linear map from `inputs` to `outputs` channels that keeps their scale: weights `[outputs, inputs]` and biases.
pub fn head(numbers: &mut Numbers, inputs: usize, outputs: usize) -> (Vec<f32>, Vec<f32>) {
    let scale = (1.0 / inputs as f32).sqrt();
    let mut weight = numbers.many(outputs * inputs);
    weight.iter_mut().for_each(|w| *w *= scale);
    (weight, numbers.many(outputs))
}

/// A named tensor of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// `conv3_1.weight` or `conv3_1.bias`, as VGG's authors count.
    pub name: String,
    /// `[outputs, inputs, 3, 3]`, or `[outputs]`.
    pub shape: Vec<usize>,
    /// As many as the shape says, row-major.
    pub values: Vec<f32>,
}

/// The tensors of a VGG whose blocks have so many convolutions of so many channels each.
pub fn vgg(seed: u64, blocks: &[(usize, usize)]) -> Vec<Named> {
    let mut numbers = Numbers(seed);
    let mut inputs = 3;
    let mut tensors = Vec::new();
    for (block, &(convolutions, outputs)) in blocks.iter().enumerate() {
        for index in 1..=convolutions {
            let (weight, bias) = convolution(&mut numbers, inputs, outputs);
            let name = |part: &str| format!("conv{}_{index}.{part}", block + 1);
            tensors.push(Named {
                name: name("weight"),
                shape: vec![outputs, inputs, 3, 3],
                values: weight,
            });
            tensors.push(Named {
                name: name("bias"),
                shape: vec![outputs],
                values: bias,
            });
            inputs = outputs;
        }
    }
    tensors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_named_and_have_their_shapes() {
        let tensors = vgg(1, &[(2, 4), (1, 5)]);
        let named: Vec<_> = tensors
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()))
            .collect();
        assert_eq!(
            named,
            [
                ("conv1_1.weight", &[4, 3, 3, 3][..]),
                ("conv1_1.bias", &[4]),
                ("conv1_2.weight", &[4, 4, 3, 3]),
                ("conv1_2.bias", &[4]),
                ("conv2_1.weight", &[5, 4, 3, 3]),
                ("conv2_1.bias", &[5]),
            ]
        );
        for tensor in tensors {
            assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>());
        }
    }
}
