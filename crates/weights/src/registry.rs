//! The models that are known by name: what they are, who made them, where they are, and what their publishers say
//! of the files.
//!
//! Hashes and sizes are those that the publishers, or others who checked them, state in public; where nobody states
//! any, there is none here, and a download is checked by its shapes and numbers alone.

use crate::Checksum;

/// A model that can be pulled by name.
#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// `vgg19` or `vgg16`.
    pub architecture: &'static str,
    /// Weights and biases of its convolutions; the classifier is not needed.
    pub parameters: u64,
    /// What it expects of a picture: `torch` or `caffe`.
    pub preprocessing: &'static str,
    /// Under which licence it was published.
    pub licence: &'static str,
    /// Whom to name.
    pub attribution: &'static str,
    /// Where it is, the best place first.
    pub origins: &'static [Origin],
}

/// A place where a model is.
#[derive(Debug, PartialEq, Eq)]
pub struct Origin {
    /// The address of the file.
    pub url: &'static str,
    /// Bytes of the whole file, if stated.
    pub size: Option<u64>,
    /// What the file must hash to, if stated.
    pub checksum: Option<Checksum>,
    /// The file says where its tensors lie, so that only the convolutions need to be fetched.
    pub ranges: bool,
}

impl Origin {
    /// The last part of the address.
    pub fn file_name(&self) -> &'static str {
        self.url.rsplit('/').next().unwrap_or(self.url)
    }
}

impl Model {
    /// Bytes of its convolutions in `f32`: what is kept on disk, but for a header.
    pub fn installed_bytes(&self) -> u64 {
        4 * self.parameters
    }

    /// Bytes to fetch from the first place, if known.
    pub fn download_bytes(&self) -> Option<u64> {
        match self.origins.first()? {
            Origin { ranges: true, .. } => Some(self.installed_bytes()),
            Origin { size, .. } => *size,
        }
    }
}

/// Simonyan and Zisserman's own weights, by way of others' conversions.
const OXFORD: &str = "Karen Simonyan and Andrew Zisserman, Visual Geometry Group, University of Oxford: \
    Very Deep Convolutional Networks for Large-Scale Image Recognition (arXiv 1409.1556)";
const OXFORD_LICENCE: &str = "CC BY 4.0";

/// Weights of the same network, trained anew by the authors of torchvision.
const TORCHVISION: &str = "the torchvision authors, after Simonyan and Zisserman (arXiv 1409.1556); \
    safetensors by Ross Wightman (timm)";
const TORCHVISION_LICENCE: &str = "BSD-3-Clause";

const VGG19_PARAMETERS: u64 = 20_024_384;
const VGG16_PARAMETERS: u64 = 14_714_688;

const MODELS: [Model; 5] = [
    Model {
        name: "vgg19",
        purpose: "what most recipes mean; used by default once it is installed",
        architecture: "vgg19",
        parameters: VGG19_PARAMETERS,
        preprocessing: "torch",
        licence: TORCHVISION_LICENCE,
        attribution: TORCHVISION,
        origins: &[
            Origin {
                url: "https://huggingface.co/timm/vgg19.tv_in1k/resolve/128d4708565b3a414bcbb9bbad440b2fe37b9f18/model.safetensors",
                size: None,
                checksum: Some(Checksum::Sha256(
                    "11aea017b543ff59233749d8f1cf544cda749378f5790d2fedab841fb86b7669",
                )),
                ranges: true,
            },
            Origin {
                url: "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
                size: Some(574_673_361),
                checksum: Some(Checksum::Sha256(
                    "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
                )),
                ranges: false,
            },
        ],
    },
    Model {
        name: "vgg16",
        purpose: "Johnson's fast style transfer, LPIPS",
        architecture: "vgg16",
        parameters: VGG16_PARAMETERS,
        preprocessing: "torch",
        licence: TORCHVISION_LICENCE,
        attribution: TORCHVISION,
        origins: &[
            Origin {
                url: "https://huggingface.co/timm/vgg16.tv_in1k/resolve/3394518cba29aee1ea82a49d971be90d2dd1dab7/model.safetensors",
                size: None,
                checksum: Some(Checksum::Sha256(
                    "57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8",
                )),
                ranges: true,
            },
            Origin {
                url: "https://download.pytorch.org/models/vgg16-397923af.pth",
                size: Some(553_433_881),
                checksum: Some(Checksum::Sha256(
                    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
                )),
                ranges: false,
            },
        ],
    },
    Model {
        name: "vgg19-caffe",
        purpose: "the paper's own weights, as Gatys, neural-style and Keras use them",
        architecture: "vgg19",
        parameters: VGG19_PARAMETERS,
        preprocessing: "caffe",
        licence: OXFORD_LICENCE,
        attribution: OXFORD,
        origins: &[
            Origin {
                url: "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
                size: Some(80_134_624),
                checksum: Some(Checksum::Md5("253f8cb515780f3b799900260a226db6")),
                ranges: false,
            },
            Origin {
                url: "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
                size: Some(80_134_624),
                checksum: Some(Checksum::Md5("253f8cb515780f3b799900260a226db6")),
                ranges: false,
            },
            Origin {
                url: "https://web.eecs.umich.edu/~justincj/models/vgg19-d01eb7cb.pth",
                size: None,
                checksum: Some(Checksum::Sha256Prefix("d01eb7cb")),
                ranges: false,
            },
        ],
    },
    Model {
        name: "vgg16-caffe",
        purpose: "the paper's own weights of the 16-layer network",
        architecture: "vgg16",
        parameters: VGG16_PARAMETERS,
        preprocessing: "caffe",
        licence: OXFORD_LICENCE,
        attribution: OXFORD,
        origins: &[
            Origin {
                url: "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
                size: Some(58_889_256),
                checksum: Some(Checksum::Md5("6d6bbae143d832006294945121d1f1fc")),
                ranges: false,
            },
            Origin {
                url: "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
                size: Some(58_889_256),
                checksum: Some(Checksum::Md5("6d6bbae143d832006294945121d1f1fc")),
                ranges: false,
            },
            Origin {
                url: "https://web.eecs.umich.edu/~justincj/models/vgg16-00b39a1b.pth",
                size: None,
                checksum: Some(Checksum::Sha256Prefix("00b39a1b")),
                ranges: false,
            },
        ],
    },
    Model {
        name: "vgg19-normalised",
        purpose: "AdaIN and WCT: the paper's weights, rescaled to mean activations of 1",
        architecture: "vgg19",
        parameters: VGG19_PARAMETERS,
        preprocessing: "caffe",
        licence: OXFORD_LICENCE,
        attribution: "Simonyan and Zisserman, University of Oxford (arXiv 1409.1556); rescaled by Gatys, Ecker and \
            Bethge (arXiv 1505.07376); converted by Xun Huang and Naoto Inoue (AdaIN)",
        origins: &[Origin {
            url: "https://github.com/naoto0804/pytorch-AdaIN/releases/download/v0.0.0/vgg_normalised.pth",
            size: Some(80_102_481),
            checksum: Some(Checksum::Sha256(
                "804ca2835ecf7539f0cd2a7ac3c18ce81e6f8468969ae7117ac0c148d286bb4a",
            )),
            ranges: false,
        }],
    },
];

/// The models that are known by name.
pub fn models() -> &'static [Model] {
    &MODELS
}

/// The model of a name.
pub fn model(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_consistent() {
        let mut names = BTreeSet::new();
        for model in models() {
            assert!(names.insert(model.name), "{} is there twice", model.name);
            assert_eq!(super::model(model.name).unwrap().name, model.name);
            let parameters = match model.architecture {
                "vgg19" => VGG19_PARAMETERS,
                "vgg16" => VGG16_PARAMETERS,
                other => panic!("{}: {other}", model.name),
            };
            assert_eq!(model.parameters, parameters);
            assert!(!model.origins.is_empty());
            for origin in model.origins {
                assert!(origin.url.starts_with("https://"), "{}", origin.url);
                let Some(checksum) = origin.checksum else {
                    continue;
                };
                let length = match checksum {
                    Checksum::Sha256(_) => 64,
                    Checksum::Sha256Prefix(_) => 8,
                    Checksum::Md5(_) => 32,
                };
                let digits = checksum.digits();
                assert!(
                    digits.len() == length
                        && digits.bytes().all(|b| b"0123456789abcdef".contains(&b)),
                    "{digits}"
                );
                // PyTorch's names carry the first digits of the hash.
                if let Some((_, rest)) = origin.file_name().split_once('-')
                    && let Some(named) = rest.strip_suffix(".pth")
                {
                    assert!(digits.starts_with(named), "{}", origin.url);
                }
            }
        }
    }

    #[test]
    fn parameters_follow_from_the_layers() {
        for (blocks, expected) in [
            ([2, 2, 4, 4, 4], VGG19_PARAMETERS),
            ([2, 2, 3, 3, 3], VGG16_PARAMETERS),
        ] {
            let mut channels = 3;
            let mut parameters = 0;
            for (convolutions, out) in blocks.into_iter().zip([64, 128, 256, 512, 512]) {
                for _ in 0..convolutions {
                    parameters += 9 * channels * out + out;
                    channels = out;
                }
            }
            assert_eq!(parameters, expected);
        }
    }
}
