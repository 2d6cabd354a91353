#!/usr/bin/env bash
# The comparison on a machine with a graphics card, in one command: builds this project, says what the machine offers, tests
# the device, times feed-forward networks at 512 and 1024 px on the card and on the processor, and a step of VGG-19 at 512, 1024
# and 2048 px, in f32 and f16, against PyTorch CUDA. Needs Rust, a Vulkan driver (docs/gpu.md) and a Python with torch; writes
# gpu.json.
#
#     bench/gpu.sh                         # the best card
#     DEVICE=gpu:1 PYTHON=venv/bin/python bench/gpu.sh
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked -p impasto-cli --features gpu
program=target/release/impasto
"$program" devices
cargo test --release --locked -p impasto-compute --features gpu --test gpu --test conformance_network \
  --test conformance_graph
for size in 64 512; do
  for run in first second; do
    echo "stylize at $size px, $run run:"
    time "$program" stylize @lake --style @swirls --size "$size" --device "${DEVICE:-gpu}" --progress none -o "gpu-$size.png"
    rm -f "gpu-$size.png"
  done
done
for size in 512 1024; do
  for network in johnson_32_64_128 microast_content predictor_mobilenet; do
    for device in gpu ""; do
      cargo run --quiet --release --locked --manifest-path bench/micro/Cargo.toml --features gpu --example graph_time -- \
        "$network" "$size" "$size" 20 $device
    done
  done
done
python="${PYTHON:-python3}"
"$python" bench/run.py --gpu --python "$python" --device "${DEVICE:-gpu}" --program "$program" \
  --rounds 3 --iters 20 --output gpu.json
