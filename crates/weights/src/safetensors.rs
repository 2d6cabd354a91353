//! The safetensors format: eight bytes of header length, a JSON header, then the tensors' bytes.
//!
//! Source: the format's public description (huggingface/safetensors, README, "Format"). The header maps names to
//! `{"dtype", "shape", "data_offsets": [begin, end]}`, offsets counted from the end of the header; `__metadata__`
//! maps strings to strings. Tensors must neither overlap nor leave the file. Integer types are refused.

use crate::{Checkpoint, Limits, Result, WeightTensor, WeightsError};
use half::{bf16, f16};
use serde_json::Value;

/// True for a header length that fits, followed by the opening brace of a JSON object.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    header_length(bytes).is_some_and(|length| length >= 2) && bytes.get(8) == Some(&b'{')
}

fn header_length(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?))
}

/// The number types that a tensor may have: name, bytes per value, and how a value is read.
type Decode = fn(&[u8]) -> f32;
const DTYPES: [(&str, usize, Decode); 4] = [
    ("F16", 2, |b| f16::from_le_bytes([b[0], b[1]]).to_f32()),
    ("BF16", 2, |b| bf16::from_le_bytes([b[0], b[1]]).to_f32()),
    ("F32", 4, |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
    ("F64", 8, |b| {
        f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32
    }),
];

pub(crate) fn read(bytes: &[u8], file: &str, limits: &Limits) -> Result<Checkpoint> {
    let damaged = |problem: String| WeightsError::Damaged {
        file: file.into(),
        problem,
    };
    let length = header_length(bytes).unwrap_or(0);
    if length > limits.header_bytes {
        return Err(WeightsError::TooLarge {
            file: file.into(),
            what: "the header".into(),
            size: length,
            limit: limits.header_bytes,
        });
    }
    let end = 8 + length as usize;
    let Some(header) = bytes.get(8..end) else {
        return Err(damaged(format!(
            "the header says {length} bytes, the file has {}",
            bytes.len()
        )));
    };
    let data = &bytes[end..];
    let header: Value =
        serde_json::from_slice(header).map_err(|e| damaged(format!("its header: {e}")))?;
    let Value::Object(header) = header else {
        return Err(damaged("its header is not a JSON object".into()));
    };
    if header.len() > limits.tensors {
        return Err(WeightsError::TooLarge {
            file: file.into(),
            what: "the number of tensors".into(),
            size: header.len() as u64,
            limit: limits.tensors as u64,
        });
    }
    let mut checkpoint = Checkpoint::default();
    let mut spans = Vec::new();
    for (name, entry) in &header {
        if name == "__metadata__" {
            for (key, value) in entry.as_object().into_iter().flatten() {
                if let Some(value) = value.as_str() {
                    checkpoint.metadata.insert(key.clone(), value.into());
                }
            }
            continue;
        }
        let broken = |problem: String| damaged(format!("tensor {name}: {problem}"));
        let dtype = entry["dtype"]
            .as_str()
            .ok_or_else(|| broken("it has no dtype".into()))?;
        let Some(&(_, width, decode)) = DTYPES.iter().find(|(known, ..)| *known == dtype) else {
            let known = DTYPES.map(|(known, ..)| known).join(", ");
            return Err(broken(format!(
                "values of type {dtype} cannot be read, only {known}"
            )));
        };
        let shape = whole_numbers(&entry["shape"])
            .ok_or_else(|| broken("its shape is not a list of sizes".into()))?;
        let count = shape
            .iter()
            .try_fold(1usize, |product, &side| product.checked_mul(side));
        let size = count.and_then(|count| count.checked_mul(width));
        let (Some(size), Some(&[begin, stop])) = (
            size,
            whole_numbers(&entry["data_offsets"])
                .as_deref()
                .and_then(|o| o.first_chunk::<2>()),
        ) else {
            return Err(broken("its shape or place overflows".into()));
        };
        if begin > stop || stop - begin != size {
            return Err(broken(format!(
                "shape {shape:?} needs {size} bytes, its place has {begin}..{stop}"
            )));
        }
        let Some(place) = data.get(begin..stop) else {
            return Err(broken(format!("it ends at byte {stop} of {}", data.len())));
        };
        spans.push((begin, stop, name));
        let values: Vec<f32> = place.chunks_exact(width).map(decode).collect();
        if let Some(position) = values.iter().position(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite {
                file: file.into(),
                tensor: name.clone(),
                value: values[position],
                position,
            });
        }
        checkpoint
            .tensors
            .insert(name.clone(), WeightTensor { shape, values });
    }
    spans.sort_unstable();
    if let Some(pair) = spans.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        return Err(damaged(format!(
            "tensors {} and {} overlap",
            pair[0].2, pair[1].2
        )));
    }
    if checkpoint.tensors.is_empty() {
        return Err(damaged("it holds no tensors".into()));
    }
    Ok(checkpoint)
}

fn whole_numbers(value: &Value) -> Option<Vec<usize>> {
    value
        .as_array()?
        .iter()
        .map(|n| usize::try_from(n.as_u64()?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    fn check(bytes: &[u8]) -> std::result::Result<Checkpoint, String> {
        Checkpoint::read(bytes, "w", &Limits::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_number_type_reads_to_the_same_values() {
        let values = [1.0f32, -0.5];
        let cases: [(&str, Vec<u8>); 4] = [
            (
                "F16",
                values
                    .iter()
                    .flat_map(|&v| f16::from_f32(v).to_le_bytes())
                    .collect(),
            ),
            (
                "BF16",
                values
                    .iter()
                    .flat_map(|&v| bf16::from_f32(v).to_le_bytes())
                    .collect(),
            ),
            ("F32", values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            (
                "F64",
                values
                    .iter()
                    .flat_map(|&v| f64::from(v).to_le_bytes())
                    .collect(),
            ),
        ];
        for (dtype, data) in cases {
            let header = format!(
                r#"{{"__metadata__":{{"by":"us"}},"a":{{"dtype":"{dtype}","shape":[2],"data_offsets":[0,{}]}}}}"#,
                data.len()
            );
            let checkpoint = check(&file(&header, &data)).unwrap();
            assert_eq!(
                checkpoint.tensors["a"],
                WeightTensor {
                    shape: vec![2],
                    values: values.to_vec()
                },
                "{dtype}"
            );
            assert_eq!(checkpoint.metadata["by"], "us");
        }
    }

    #[test]
    fn hostile_headers_are_refused_with_a_reason() {
        let cases: [(&str, &[u8], &str); 9] = [
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
                &[0; 7],
                "ends at byte 8 of 7",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
                &[0; 8],
                "needs 12 bytes",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}"#,
                &[0; 8],
                "not a list of sizes",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,8]}}"#,
                &[0; 8],
                "overflows",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
                &[0; 8],
                "its place has 8..0",
            ),
            (
                r#"{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#,
                &[0; 8],
                "type I64",
            ),
            (r#"{"a":{"shape":[1]}}"#, &[], "no dtype"),
            (r#"{}"#, &[], "no tensors"),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
                &[0; 8],
                "a and b overlap",
            ),
        ];
        for (header, data, expected) in cases {
            let message = check(&file(header, data)).unwrap_err();
            assert!(message.contains(expected), "{header}: {message}");
        }
    }

    #[test]
    fn a_nan_is_refused_with_its_tensor() {
        let header = r#"{"conv1_1.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        let data: Vec<u8> = [1.0, f32::NAN]
            .iter()
            .flat_map(|v: &f32| v.to_le_bytes())
            .collect();
        let message = check(&file(header, &data)).unwrap_err();
        assert!(
            message.contains("conv1_1.bias") && message.contains("position 1"),
            "{message}"
        );
    }

    #[test]
    fn cut_files_never_panic() {
        let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        let whole = file(header, &[0; 8]);
        assert!(check(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(check(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_behind_a_header_are_an_error_or_a_checkpoint(
            header in "\\{[ -~]{0,60}\\}", data in proptest::collection::vec(proptest::num::u8::ANY, 0..32)
        ) {
            let _ = check(&file(&header, &data));
        }
    }
}
