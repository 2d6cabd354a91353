//! SHA-256 and MD5 of files and tensors.

use md5::Md5;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{self, Read};

/// What a publisher says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksum {
    /// The SHA-256 of the whole file, in hexadecimal.
    Sha256(&'static str),
    /// The first digits of the SHA-256, as the names of PyTorch's files have them.
    Sha256Prefix(&'static str),
    /// The MD5 of the whole file: it tells damage, but not malice.
    Md5(&'static str),
}

impl Checksum {
    /// The kind of checksum.
    pub fn name(self) -> &'static str {
        match self {
            Checksum::Sha256(_) | Checksum::Sha256Prefix(_) => "SHA-256",
            Checksum::Md5(_) => "MD5",
        }
    }

    /// The digits.
    pub fn digits(self) -> &'static str {
        match self {
            Checksum::Sha256(digits) | Checksum::Sha256Prefix(digits) | Checksum::Md5(digits) => {
                digits
            }
        }
    }

    /// Whether a file with these hashes is the one that is meant.
    pub(crate) fn fits(self, hashes: &Hashes) -> bool {
        match self {
            Checksum::Sha256(digits) => hashes.sha256 == digits,
            Checksum::Sha256Prefix(digits) => hashes.sha256.starts_with(digits),
            Checksum::Md5(digits) => hashes.md5 == digits,
        }
    }

    /// The one of a file's hashes that this is compared with.
    pub(crate) fn counterpart(self, hashes: &Hashes) -> &str {
        match self {
            Checksum::Sha256(_) | Checksum::Sha256Prefix(_) => &hashes.sha256,
            Checksum::Md5(_) => &hashes.md5,
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dots = match self {
            Checksum::Sha256Prefix(_) => "…",
            _ => "",
        };
        write!(f, "{} {}{dots}", self.name(), self.digits())
    }
}

/// The hashes of a file in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hashes {
    pub(crate) sha256: String,
    pub(crate) md5: String,
}

impl Hashes {
    /// Reads everything there is.
    pub(crate) fn of(mut reader: impl Read) -> io::Result<Self> {
        let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
        let mut block = vec![0; 1 << 18];
        loop {
            let count = reader.read(&mut block)?;
            if count == 0 {
                break;
            }
            sha256.update(&block[..count]);
            md5.update(&block[..count]);
        }
        Ok(Self {
            sha256: hexadecimal(&sha256.finalize()),
            md5: hexadecimal(&md5.finalize()),
        })
    }
}

/// The SHA-256 of blocks, one behind the other.
pub(crate) fn sha256<'b>(blocks: impl IntoIterator<Item = std::borrow::Cow<'b, [u8]>>) -> String {
    let mut hasher = Sha256::new();
    for block in blocks {
        hasher.update(&block);
    }
    hexadecimal(&hasher.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standards() {
        let hashes = Hashes::of(&b"abc"[..]).unwrap();
        // FIPS 180-2, appendix B.1; RFC 1321, appendix A.5.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hashes.sha256, sha256);
        assert_eq!(hashes.md5, "900150983cd24fb0d6963f7d28e17f72");
        assert!(Checksum::Sha256(sha256).fits(&hashes));
        assert!(Checksum::Sha256Prefix("ba7816bf").fits(&hashes));
        assert!(!Checksum::Md5(sha256).fits(&hashes));
    }
}
