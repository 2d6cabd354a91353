//! Files made to hurt: each is refused, and the message says what is wrong.

use impasto_weights::{Checkpoint, Limits};
use std::path::Path;

fn message(bytes: &[u8]) -> String {
    match Checkpoint::read(bytes, "w", &Limits::default()) {
        Ok(checkpoint) => format!("read {:?}", checkpoint.tensors.keys()),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    let message = message(bytes);
    assert!(message.contains(expected), "{expected}: {message}");
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

#[test]
fn safetensors_headers_that_lie() {
    let cases: [(&str, usize, &str); 14] = [
        (
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            7,
            "tensor a: it ends at byte 8 of 7",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
            8,
            "does not fit its place 0..8",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}"#,
            8,
            "header",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,8]}}"#,
            8,
            "overflows",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#,
            8,
            "more than 8 dimensions",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
            8,
            "its place is 8..0",
        ),
        (r#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, 4, "no dtype"),
        (r#"{"a":{"dtype":"F32","shape":[1]}}"#, 4, "no data_offsets"),
        (
            r#"{"a":{"dtype":"F32","data_offsets":[0,4]}}"#,
            4,
            "no shape",
        ),
        (r#"{}"#, 0, "no tensors"),
        (r#"{"a":[[[["#, 0, "header"),
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
            8,
            "a and b overlap",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            8,
            "a and b overlap",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            8,
            "two tensors are called a",
        ),
    ];
    for (header, data, expected) in cases {
        refused(&safetensors(header, &vec![0; data]), expected);
    }
    let mut long = u64::from(u32::MAX).to_le_bytes().to_vec();
    long.push(b'{');
    refused(&long, "the header is 4294967295, the limit is");
    // A counter is no weight; alone it leaves nothing, beside weights it is left out.
    let header = r#"{"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#;
    assert_eq!(message(&safetensors(header, &[0; 12])), r#"read ["w"]"#);
}

#[test]
fn a_nan_is_refused_with_its_tensor_and_place() {
    let header = r#"{"conv1_1.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let data = [1.0f32, f32::NAN].map(f32::to_le_bytes).concat();
    refused(
        &safetensors(header, &data),
        "conv1_1.bias holds NaN at position 1",
    );
    // Finite in the file, infinite in f32.
    let header = r#"{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#;
    refused(
        &safetensors(header, &1e300f64.to_le_bytes()),
        "a holds inf at position 0",
    );
}

#[test]
fn limits_hold_for_all_tensors_together() {
    let limits = Limits {
        values: 5,
        ..Limits::default()
    };
    let header = r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}}"#;
    let error = Checkpoint::read(&safetensors(header, &[0; 24]), "w", &limits).unwrap_err();
    assert!(
        error.to_string().contains("values is 6, the limit is 5"),
        "{error}"
    );
    let limits = Limits {
        file_bytes: 10,
        ..Limits::default()
    };
    let error = Checkpoint::read(&safetensors(header, &[0; 24]), "w", &limits).unwrap_err();
    assert!(error.to_string().contains("the file is"), "{error}");
}

#[test]
fn what_is_no_weights_is_named() {
    for (bytes, expected) in [
        (&b""[..], "an empty file"),
        (b"<!doctype html><title>404</title>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"not found", "text"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"{\"a\": 1}", "without a weightsManifest"),
        (&[200; 40], "unknown bytes"),
    ] {
        refused(bytes, expected);
    }
}

/// A zip archive of stored members. A member is its name, its bytes and the size that it claims.
fn zip(members: &[(&str, &[u8], usize)]) -> Vec<u8> {
    zip_of_method(members, 0)
}

fn zip_of_method(members: &[(&str, &[u8], usize)], method: u16) -> Vec<u8> {
    let (mut bytes, mut directory) = (vec![], vec![]);
    for (name, data, size) in members {
        let offset = bytes.len() as u32;
        let mut common = vec![0, 0];
        common.extend(method.to_le_bytes());
        common.extend([0; 8]);
        common.extend((data.len() as u32).to_le_bytes());
        common.extend((*size as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        bytes.extend(b"PK\x03\x04\x14\0");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(*data);
        directory.extend(b"PK\x01\x02\x14\0\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend((members.len() as u16).to_le_bytes());
    bytes.extend((members.len() as u16).to_le_bytes());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// A tensor as a pickle describes it: name, storage, values in the storage, offset, shape, strides.
type Described<'a> = (&'a str, &'a str, i32, i32, &'a [i32], &'a [i32]);

/// A state dict's pickle, in the opcodes that PyTorch uses.
fn pickle(tensors: &[Described<'_>]) -> Vec<u8> {
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.push(b'X');
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    let number = |bytes: &mut Vec<u8>, value: i32| {
        bytes.push(b'J');
        bytes.extend(value.to_le_bytes());
    };
    let mut bytes = b"\x80\x02}(".to_vec();
    for (name, key, count, offset, shape, strides) in tensors {
        text(&mut bytes, name);
        bytes.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut bytes, "storage");
        bytes.extend(b"ctorch\nFloatStorage\n");
        text(&mut bytes, key);
        text(&mut bytes, "cpu");
        number(&mut bytes, *count);
        bytes.extend(b"tQ");
        number(&mut bytes, *offset);
        for sizes in [shape, strides] {
            bytes.push(b'(');
            for size in *sizes {
                number(&mut bytes, *size);
            }
            bytes.push(b't');
        }
        bytes.extend(b"\x89NtR");
    }
    bytes.extend(b"u.");
    bytes
}

fn torch(tensors: &[Described<'_>], storage: &[u8]) -> Vec<u8> {
    let pickle = pickle(tensors);
    zip(&[
        ("m/data.pkl", &pickle, pickle.len()),
        ("m/data/0", storage, storage.len()),
    ])
}

#[test]
fn pytorch_tensors_that_do_not_fit_their_storage() {
    let storage = [0u8; 32];
    assert_eq!(
        message(&torch(&[("a", "0", 8, 0, &[2, 4], &[4, 1])], &storage)),
        r#"read ["a"]"#
    );
    let cases: [(Described<'_>, &str); 10] = [
        (
            ("a", "0", 8, 1, &[2, 4], &[4, 1]),
            "tensor a: it ends at value 9",
        ),
        (("a", "0", 9, 1, &[2, 4], &[4, 1]), "it ends at value 9"),
        (
            ("a", "0", 8, 0, &[i32::MAX, i32::MAX, i32::MAX], &[1, 1, 1]),
            "overflow",
        ),
        (
            ("a", "0", 8, 0, &[-2, 4], &[4, 1]),
            "description is not one",
        ),
        (("a", "0", 8, -1, &[2], &[1]), "description is not one"),
        (("a", "0", 8, 0, &[2, 4], &[4]), "does not go with strides"),
        (("a", "0", 8, 0, &[1 << 30], &[0]), "its values overlap"),
        (("a", "0", 8, 0, &[4, 4], &[1, 1]), "its values overlap"),
        (("a", "1", 8, 0, &[1], &[1]), "m/data/1 is missing"),
        (("a", "0", 8, 0, &[1; 9], &[1; 9]), "overflows"),
    ];
    for (tensor, expected) in cases {
        refused(&torch(&[tensor], &storage), expected);
    }
    refused(
        &torch(
            &[("a", "0", 8, 0, &[5], &[1]), ("b", "0", 8, 4, &[4], &[1])],
            &storage,
        ),
        "a and b overlap",
    );
}

#[test]
fn archives_that_lie() {
    let npy = b"\x93NUMPY\x01\x00\x40\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }         \n\0\0\0\0";
    refused(&zip(&[("a.npy", npy, npy.len() + 4)]), "is stored, but");
    refused(
        &zip(&[("a.npy", npy, npy.len()), ("a.npy", npy, npy.len())]),
        "two members are called a.npy",
    );
    // A bomb: a few bytes that say they unpack to a gigabyte.
    refused(
        &zip_of_method(&[("a.npy", &[0x63, 0, 0], 1 << 30)], 8),
        "claims to unpack from 3 to 1073741824 bytes",
    );
    refused(
        &zip_of_method(&[("a.npy", npy, npy.len())], 12),
        "method 12",
    );
    // The second member's place is that of the first.
    let mut overlapping = zip(&[("a.npy", npy, npy.len()), ("b.npy", npy, npy.len())]);
    let place = overlapping.len() - 22 - 5 - 4;
    overlapping[place..place + 4].fill(0);
    refused(&overlapping, "overlap");
    let mut encrypted = zip(&[("a.npy", npy, npy.len())]);
    let flags = encrypted.len() - 22 - 5 - 46 + 8;
    encrypted[flags] = 1;
    refused(&encrypted, "encrypted");
    refused(
        &zip(&[("a.txt", b"hello", 5)]),
        "a zip archive without weights",
    );
    for (from, to, expected) in [
        ("(1,)", "(2,)", "shape [2] needs 8 bytes"),
        ("(1,)", "(-1)", "not an array"),
        ("'<f4'", "'>f4'", "no tensors"),
        ("False", "Maybe", "not an array"),
        ("descr", "dcsrb", "not an array"),
    ] {
        let text = String::from_utf8_lossy(&npy[10..]).replace(from, to);
        let changed = [&npy[..10], text.as_bytes()].concat();
        let message = message(&zip(&[("a.npy", &changed, changed.len())]));
        let expected = match expected {
            "no tensors" => "read []",
            other => other,
        };
        assert!(message.contains(expected), "{to}: {message}");
    }
}

#[test]
fn shards_stay_beside_their_model() {
    for path in ["../a", "/etc/passwd", "a/b", "..", "C:\\a", "", ".hidden"] {
        let json = serde_json::json!({"weightsManifest": [{"paths": [path], "weights": []}]});
        refused(json.to_string().as_bytes(), "does not lie beside it");
    }
}

/// Every fixture, cut at many lengths and with many single bytes changed: an error or tensors, never a panic.
#[test]
fn damaged_fixtures_never_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for file in std::fs::read_dir(folder).unwrap() {
        let whole = std::fs::read(file.unwrap().path()).unwrap();
        for length in (0..whole.len()).step_by(101) {
            message(&whole[..length]);
        }
        let mut changed = whole.clone();
        for at in (0..whole.len()).step_by(89) {
            for value in [0xff, whole[at] ^ 0x10] {
                changed[at] = value;
                message(&changed);
            }
            changed[at] = whole[at];
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_behind_a_header_are_an_error_or_a_checkpoint(
        header in "\\{[ -~]{0,60}\\}", data in proptest::collection::vec(proptest::num::u8::ANY, 0..32)
    ) {
        message(&safetensors(&header, &data));
    }
}

/// Graphs that lie; the files are kept in the corpus of the fuzzers.
#[test]
fn graphs_that_lie() {
    for (file, expected) in [
        ("onnx/cut", "damaged"),
        ("onnx/number-does-not-end", "a number in it does not end"),
        ("onnx/length-beyond-file", "a field of 4294967295 bytes"),
        ("onnx/shape-overflows", "tensor a: its shape"),
        ("onnx/many-dimensions", "the number of dimensions is 9"),
        ("onnx/external", "tensor a: its numbers lie in another file"),
        ("onnx/not-packed", "tensor a: its numbers are not packed"),
        (
            "onnx/bytes-do-not-fit",
            "tensor a: its 2 values of type f32 have 4 bytes",
        ),
        ("tflite/cut", "damaged"),
        ("tflite/root-beyond-file", "the file has 24"),
        (
            "tflite/table-before-file",
            "a table in it begins before the file",
        ),
        ("tflite/no-graph", "it has no graph"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/corpus")
            .join(file);
        let message = message(&std::fs::read(path).unwrap());
        assert!(message.contains(expected), "{file}: {expected}: {message}");
    }
}
