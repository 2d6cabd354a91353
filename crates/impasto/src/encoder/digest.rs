//! What an encoder is, as one number: two files with the same layers and weights are the same encoder.

use super::Encoder;
use impasto_compute::Conv3x3;
use sha2::{Digest, Sha256};

impl Encoder {
    /// The SHA-256 of everything that decides what the encoder sees, in hexadecimal: layers, weights, preprocessing.
    /// The name is no part of it.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.preprocessing.name());
        for conv in &self.convs {
            let Conv3x3 {
                in_channels,
                out_channels,
                padding,
                weight,
                bias,
            } = &conv.conv;
            let (block, index) = (conv.block, conv.index);
            hasher.update(format!(
                "conv{block}_{index} {in_channels} {out_channels} {padding:?} "
            ));
            hash_numbers(&mut hasher, weight);
            hash_numbers(&mut hasher, bias);
        }
        for head in &self.heads {
            hasher.update(format!("head {} {} ", head.layer, head.out_channels));
            hash_numbers(&mut hasher, &head.weight);
            hash_numbers(&mut hasher, &head.bias);
        }
        let digest = hasher.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn hash_numbers(hasher: &mut Sha256, numbers: &[f32]) {
    let mut bytes = Vec::with_capacity(1 << 16);
    for block in numbers.chunks(1 << 14) {
        bytes.clear();
        bytes.extend(block.iter().flat_map(|number| number.to_le_bytes()));
        hasher.update(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::Preprocessing;

    #[test]
    fn every_weight_counts_and_the_name_does_not() {
        let lite = Encoder::lite().unwrap();
        let digest = lite.digest();
        assert_eq!(digest.len(), 64);
        let mut other = lite.clone();
        other.name = "another".into();
        assert_eq!(other.digest(), digest);
        let change = |change: &dyn Fn(&mut Encoder)| {
            let mut other = lite.clone();
            change(&mut other);
            other.digest()
        };
        let touched = |numbers: &std::sync::Arc<[f32]>| {
            let mut numbers = numbers.to_vec();
            let last = numbers.len() - 1;
            numbers[last] += 1.0;
            std::sync::Arc::<[f32]>::from(numbers)
        };
        let changes: [&dyn Fn(&mut Encoder); 5] = [
            &|encoder| encoder.preprocessing = Preprocessing::Caffe,
            &|encoder| encoder.convs[1].conv.weight = touched(&encoder.convs[1].conv.weight),
            &|encoder| encoder.convs[1].conv.bias = touched(&encoder.convs[1].conv.bias),
            &|encoder| encoder.heads[0].weight = touched(&encoder.heads[0].weight),
            &|encoder| drop(encoder.heads.pop()),
        ];
        let mut digests = vec![digest];
        for one in changes {
            let digest = change(one);
            assert!(!digests.contains(&digest));
            digests.push(digest);
        }
    }
}
