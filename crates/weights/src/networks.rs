//! The feed-forward networks that are known by name: what they are, whose, and where their files are.
//!
//! Unlike a model of [`registry`](crate::registry), a network has several files, which are kept as they were published, in
//! a folder of the network's name in the store. Hashes are those of the files at the revision that the address names; where
//! nobody could compute or state one, there is none, and what arrives is checked by its tensors and numbers alone.

use crate::registry::Origin;
use crate::{Checksum, Limits, Result, Store, WeightsError, WeightsFile};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A feed-forward network that can be pulled by name.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownNetwork {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Under which licence it was published.
    pub licence: &'static str,
    /// Whether its authors publish it for research only.
    pub research_only: bool,
    /// Whom to name.
    pub attribution: &'static str,
    /// Its files: what each is called in the store, and where it is.
    pub files: &'static [(&'static str, Origin)],
}

impl KnownNetwork {
    /// Bytes of all its files, if all are known.
    pub fn bytes(&self) -> Option<u64> {
        self.files.iter().map(|(_, origin)| origin.size).sum()
    }

    /// Its files in a folder, in order, under the names that they were published with or that they have in the store.
    fn files_in(&self, folder: &Path) -> impl Iterator<Item = PathBuf> {
        let path = move |(name, origin): &(&str, Origin)| {
            let published = folder.join(origin.file_name());
            match published.is_file() {
                true => published,
                false => folder.join(name),
            }
        };
        self.files.iter().map(path)
    }
}

const fn file(url: &'static str, size: u64, sha256: &'static str) -> Origin {
    Origin {
        url,
        size: Some(size),
        checksum: Some(Checksum::Sha256(sha256)),
        ranges: false,
    }
}

macro_rules! microast {
    ($file:literal) => {
        concat!(
            "https://raw.githubusercontent.com/EndyWon/MicroAST/5a6c9050d8c408191cb9db12c697f3e4c7ebe137/models/",
            $file
        )
    };
}

macro_rules! distilled {
    ($file:literal) => {
        concat!(
            "https://raw.githubusercontent.com/MingSun-Tse/Collaborative-Distillation/",
            "4a269dc90020721ef9b279b2926c62f5bcd6d209/trained_models/",
            $file
        )
    };
}

macro_rules! magenta {
    ($file:literal) => {
        concat!(
            "https://storage.googleapis.com/download.tensorflow.org/models/tflite/task_library/style_transfer/android/",
            "magenta_arbitrary-image-stylization-v1-256_",
            $file
        )
    };
}

#[rustfmt::skip]
const NETWORKS: [KnownNetwork; 3] = [
    KnownNetwork {
        name: "microast",
        purpose: "any style at once, small and fast",
        licence: "MIT",
        research_only: false,
        attribution: "Zhizhong Wang, Lei Zhao, Zhiwen Zuo, Ailin Li, Haibo Chen, Wei Xing and Dongming Lu: MicroAST (arXiv 2211.15313)",
        files: &[
            ("content_encoder.pth", file(microast!("content_encoder_iter_160000.pth.tar"), 634_983,
                "c8d895c0eec52507c157e102fab217c37f0c399ef3e168ef8b0b2677714660a4")),
            ("style_encoder.pth", file(microast!("style_encoder_iter_160000.pth.tar"), 634_983,
                "94f6b3fa386828692c20809a0af8bd0eba9c04e90a7d8842086976e4d223c5af")),
            ("modulator.pth", file(microast!("modulator_iter_160000.pth.tar"), 12_158,
                "8588055baf7d5ad8398d595d5518c6f030e3ff8dbb6007a7c1779776e11da28b")),
            ("decoder.pth", file(microast!("decoder_iter_160000.pth.tar"), 619_135,
                "32e04a46b953fd9f94ec9e20f351511305a5260e000c18f9aef6570d5f1e23d9")),
        ],
    },
    KnownNetwork {
        name: "wct-16x",
        purpose: "universal style transfer (WCT) with encoders and decoders of a sixteenth of the numbers",
        licence: "MIT",
        research_only: false,
        attribution: "Huan Wang, Yijun Li, Yuehai Wang, Haoji Hu and Ming-Hsuan Yang: Collaborative Distillation (arXiv 2003.08436)",
        files: &[
            ("encoder1.pth", file(distilled!("wct_se_16x_new/20191110-133713_E20.pth"), 10_271,
                "f74755a65164a88e0db8cbb7d99d7078b9fa505df0953fac5123bfc7c84e0ea4")),
            ("encoder2.pth", file(distilled!("wct_se_16x_new/20191110-132713_E20.pth"), 52_833,
                "cb654af6bae77176f8c7721c965483e865b987f2f1612dda1ba0d0b5c3819a61")),
            ("encoder3.pth", file(distilled!("wct_se_16x_new/20191110-132705_E20.pth"), 231_124,
                "269cdd0e2634e3e1e5d3005b9e7eca0f4cc8077653fee1ac8c0cf1cbe9ab8758")),
            ("encoder4.pth", file(distilled!("wct_se_16x_new/20191110-132643_E20.pth"), 1_235_183,
                "d2f059cbcd6669556a43aadef58d20c8b280462c18b60a9e7424a14dd271cd6b")),
            ("encoder5.pth", file(distilled!("wct_se_16x_new/20191109-211322_E20.pth"), 3_862_288,
                "9417c34d0d8d621bc6af78be745f1b8d30f5f210efa01e50655c60eb3770816b")),
            ("decoder1.pth", file(distilled!("wct_se_16x_new_sd/20191111-091942_E20.pth"), 3_220,
                "05f26ad40044c019da0cf731372d5bd2ee4b477825c7f45508da70b1cd5a95fd")),
            ("decoder2.pth", file(distilled!("wct_se_16x_new_sd/20191111-091932_E20.pth"), 30_672,
                "94dd26f0e69857f79bf284a43a3708aa05c09c2593427c7f6e400ad12ce314e6")),
            ("decoder3.pth", file(distilled!("wct_se_16x_new_sd/20191111-091929_E20.pth"), 142_014,
                "005faba27859435762a8a9386116c00629cd8835a01617d0a71defa577c42174")),
            ("decoder4.pth", file(distilled!("wct_se_16x_new_sd/20191111-092553_E20.pth"), 881_308,
                "902f65e2c6033d803d02df552eb898e5985190a7ae67d155e384826eec6f04cb")),
            ("decoder5.pth", file(distilled!("wct_se_16x_new_sd/20191110-204615_E20.pth"), 3_243_622,
                "17fd0f81622f01366eb21cb4d40140ee38cf988ed6eaf266629709c397a8b485")),
        ],
    },
    KnownNetwork {
        name: "ghiasi",
        purpose: "Magenta's arbitrary style network, the form for telephones",
        licence: "Apache-2.0",
        research_only: false,
        attribution: "Golnaz Ghiasi, Honglak Lee, Manjunath Kudlur, Vincent Dumoulin and Jonathon Shlens (arXiv 1705.06830); the Magenta authors, Google",
        files: &[
            ("predictor.tflite", Origin {
                url: magenta!("int8_prediction_1.tflite"),
                size: None,
                checksum: Some(Checksum::Sha256Prefix("af6ad4b2")),
                ranges: false,
            }),
            ("transfer.tflite", Origin {
                url: magenta!("fp16_transfer_1.tflite"),
                size: None,
                checksum: None,
                ranges: false,
            }),
        ],
    },
];

/// The feed-forward networks that are known by name.
pub fn networks() -> &'static [KnownNetwork] {
    &NETWORKS
}

/// The feed-forward network whose files are all in a folder, told by their names.
pub fn network_in(folder: &Path) -> Option<&'static KnownNetwork> {
    let whole = |network: &&KnownNetwork| network.files_in(folder).all(|path| path.is_file());
    NETWORKS.iter().find(whole)
}

/// The feed-forward network of a name.
pub fn network(name: &str) -> Option<&'static KnownNetwork> {
    NETWORKS.iter().find(|network| network.name == name)
}

impl Store {
    /// The folder of an installed feed-forward network: one that has all its files.
    pub fn find_network(&self, name: &str) -> Option<PathBuf> {
        let known = network(name)?;
        let folder = self.network_folder(known);
        let there = |(file, _): &(&str, Origin)| folder.join(file).is_file();
        known.files.iter().all(there).then_some(folder)
    }

    /// Where the files of a feed-forward network belong.
    pub fn network_folder(&self, network: &KnownNetwork) -> PathBuf {
        self.folder().join(network.name)
    }

    /// Installs the files of a feed-forward network from a folder, where they lie under the names that they were published
    /// with or that they have in the store. Each is compared with the hash that is known of it and read to its end.
    ///
    /// # Errors
    /// [`WeightsError::Io`] if one is missing, [`WeightsError::OtherFile`], and all errors of reading and
    /// writing.
    pub fn import_network(&self, network: &KnownNetwork, from: &Path) -> Result<PathBuf> {
        for ((name, origin), path) in network.files.iter().zip(network.files_in(from)) {
            self.take_file(network, name, origin, &path)?;
        }
        Ok(self.network_folder(network))
    }

    /// Reads all files of an installed feed-forward network and compares those whose hash is known; its folder.
    ///
    /// # Errors
    /// [`WeightsError::NotInstalled`] if a file is missing, [`WeightsError::OtherFile`], and all errors of reading.
    pub fn verify_network(&self, network: &KnownNetwork) -> Result<PathBuf> {
        let folder = self.network_folder(network);
        for (name, origin) in network.files {
            let path = folder.join(name);
            if !path.is_file() {
                return Err(WeightsError::NotInstalled {
                    name: network.name.into(),
                    expected: path,
                });
            }
            check(network, origin, &path)?;
        }
        Ok(folder)
    }

    /// Checks a file of a network and puts it into its place.
    pub(crate) fn take_file(
        &self,
        network: &KnownNetwork,
        name: &str,
        origin: &Origin,
        path: &Path,
    ) -> Result<()> {
        check(network, origin, path)?;
        let folder = self.network_folder(network);
        let write = |error: io::Error| WeightsError::Write {
            path: folder.clone(),
            error,
        };
        fs::create_dir_all(&folder).map_err(write)?;
        // Whole or not at all, as all files here.
        let part = folder.join(format!("{name}.part"));
        fs::copy(path, &part).map_err(write)?;
        fs::rename(&part, folder.join(name)).map_err(write)
    }

    /// Removes what is there of a feed-forward network; false if nothing is.
    ///
    /// # Errors
    /// [`WeightsError::Write`].
    pub fn remove_network(&self, network: &KnownNetwork) -> Result<bool> {
        let folder = self.network_folder(network);
        match fs::remove_dir_all(&folder) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(WeightsError::Write {
                path: folder,
                error,
            }),
        }
    }
}

/// Compares a file of a network with the hash that is known of it, and reads it to its end.
fn check(network: &KnownNetwork, origin: &Origin, path: &Path) -> Result<()> {
    let io = |error| WeightsError::Io {
        path: path.into(),
        error,
    };
    let hashes = crate::hash::Hashes::of(fs::File::open(path).map_err(io)?).map_err(io)?;
    if let Some(checksum) = origin.checksum
        && !checksum.fits(&hashes)
    {
        return Err(WeightsError::OtherFile {
            path: path.into(),
            name: network.name.into(),
            expected: checksum.digits().into(),
            found: hashes.sha256,
        });
    }
    WeightsFile::open(path, &Limits::default())?.read_all(|_| true)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_consistent() {
        let mut names: BTreeSet<_> = registry::models().iter().map(|model| model.name).collect();
        for known in networks() {
            assert!(names.insert(known.name), "{} is there twice", known.name);
            assert_eq!(network(known.name), Some(known));
            let mut files = BTreeSet::new();
            for (file, origin) in known.files {
                assert!(files.insert(file), "{file} is there twice");
                assert!(origin.url.starts_with("https://"), "{}", origin.url);
                let Some(checksum) = origin.checksum else {
                    continue;
                };
                let length = match checksum {
                    Checksum::Sha256Prefix(_) => 8,
                    _ => 64,
                };
                assert_eq!(checksum.digits().len(), length, "{file}");
            }
        }
        assert_eq!(
            network("wct-16x").and_then(KnownNetwork::bytes),
            Some(9_692_535)
        );
    }

    #[test]
    fn another_file_is_not_installed_under_a_known_name() {
        let folder = impasto_testing::Folder::new();
        let store = Store::at(folder.path().join("models"));
        let known = network("microast").unwrap();
        for (file, _) in known.files {
            folder.write(file, "other bytes");
        }
        let problem = store.import_network(known, folder.path()).unwrap_err();
        assert!(
            matches!(problem, WeightsError::OtherFile { .. }),
            "{problem}"
        );
        assert_eq!(store.find_network("microast"), None);
        assert!(!store.remove_network(known).unwrap());
    }
}
