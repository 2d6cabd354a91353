//! What every target does with its bytes, and what `crates/weights/tests/corpus.rs` does with those that were kept.

use impasto_weights::{Checkpoint, Limits, WeightsFile};
use std::collections::BTreeMap;

/// Tight, so that a reader that ignores them runs into the fuzzer's own limit on one allocation (32 MB).
const LIMITS: Limits = Limits {
    file_bytes: 1 << 20,
    tensors: 200,
    header_bytes: 1 << 16,
    values: 1 << 18,
};

/// Reads `bytes` as a file of weights, all of it, and checks what a reader promises. Shards of a TensorFlow.js model
/// follow its JSON after a zero byte; each is all of what follows.
pub fn read(bytes: &[u8]) {
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    let is_json = text.trim_ascii_start().starts_with(b"{");
    let (bytes, shard) = match bytes.split_at_checked(text.len()) {
        Some((text, shard)) if is_json => (text, shard),
        _ => (bytes, &[][..]),
    };
    let shard = shard.get(1..).unwrap_or_default();
    let shards = BTreeMap::from([("a".to_string(), shard), ("b".to_string(), shard)]);
    let Ok(file) = WeightsFile::with_shards(bytes, &shards, "fuzz", &LIMITS) else {
        return;
    };
    assert!(file.tensors().count() <= LIMITS.tensors);
    if let Ok(vgg) = file.read_vgg() {
        check(&vgg);
    }
    // What was read counts towards the limit; a second look needs a file that has not been read.
    let again = WeightsFile::with_shards(bytes, &shards, "fuzz", &LIMITS);
    let Ok(checkpoint) = again.and_then(|file| file.read_all(|_| true)) else {
        return;
    };
    check(&checkpoint);
}

fn check(checkpoint: &Checkpoint) {
    let mut values = 0;
    for tensor in checkpoint.tensors.values() {
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len());
        assert!(tensor.values.iter().all(|value| value.is_finite()));
        values += tensor.values.len() as u64;
    }
    assert!(values <= LIMITS.values);
}
