"""Writes a seeded VGG-19 of full size, convolutions only, in every format that impasto reads.

    python make.py FOLDER

Needs torch, h5py, numpy and safetensors. The values are such that f16 holds them exactly, and all files have
torchvision's preprocessing stated or meant, so every file is the same network.
"""

import json
import os
import sys

import h5py
import numpy as np
import torch
from safetensors.numpy import save_file

FOLDER = sys.argv[1]
rng = np.random.default_rng(19)


def path(name):
    return os.path.join(FOLDER, name)


tensors, number, c_in = {}, 0, 3
for block, (count, c_out) in enumerate(zip((2, 2, 4, 4, 4), (64, 128, 256, 512, 512)), 1):
    for index in range(1, count + 1):
        scale = np.sqrt(2 / (9 * c_in)) * np.sqrt(12)
        weight = ((rng.random((c_out, c_in, 3, 3), np.float32) - 0.5) * scale).astype(np.float16)
        bias = (rng.random(c_out, np.float32) * 0.1).astype(np.float16)
        tensors[(block, index)] = number, weight, bias
        number, c_in = number + 2, c_out
    number += 1

torchvision = {}
for number, weight, bias in tensors.values():
    torchvision[f"features.{number}.weight"], torchvision[f"features.{number}.bias"] = weight, bias
wide = {name: array.astype(np.float32) for name, array in torchvision.items()}
save_file(wide, path("f32.safetensors"))
save_file(torchvision, path("f16.safetensors"))
np.savez(path("f16.npz"), **torchvision)
state = {name: torch.from_numpy(array) for name, array in wide.items()}
torch.save(state, path("zip.pth"))
torch.save(state, path("legacy.pth"), _use_new_zipfile_serialization=False)

with h5py.File(path("keras.h5"), "w") as file:
    for (block, index), (_, weight, bias) in tensors.items():
        layer = f"block{block}_conv{index}"
        file[f"{layer}/{layer}/kernel:0"] = weight.transpose(2, 3, 1, 0).astype(np.float32)
        file[f"{layer}/{layer}/bias:0"] = bias.astype(np.float32)

weights, shards, quantization = [], [], {"dtype": "float16", "original_dtype": "float32"}
for (block, index), (_, weight, bias) in tensors.items():
    shard = f"shard-{block}-{index}.bin"
    shards.append(shard)
    with open(path(shard), "wb") as file:
        for part, array in (("kernel", weight.transpose(2, 3, 1, 0)), ("bias", bias)):
            name = f"block{block}_conv{index}/{part}"
            shape = list(array.shape)
            weights.append({"name": name, "shape": shape, "dtype": "float32", "quantization": quantization})
            file.write(np.ascontiguousarray(array).tobytes())
with open(path("model.json"), "w") as file:
    json.dump({"weightsManifest": [{"paths": shards, "weights": weights}]}, file)
