#!/usr/bin/env python3
"""Writes small feed-forward networks and what they paint in PyTorch, in float64, for the tests of the methods.

    python crates/impasto/tests/golden/nets/make.py      (needs torch 2.15, safetensors; a second)

wct/, adain/, ghiasi-*/, johnson.safetensors   the networks, of made-up weights, under the names and in the forms of published files
vectors.safetensors                 pictures as bytes [h, w, 3]; features and pictures [c, h, w]

The networks are bench/reference/feedforward.py. One channel of relu3_1 of wct hardly sees the content, so that there is an
eigenvalue that some programs drop and others do not.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[4] / "bench" / "reference"))
import feedforward as nets  # noqa: E402

WIDTHS = {1: 4, 2: 5, 3: 6, 4: 8}
MEAN_BGR = (103.939, 116.779, 123.68)
BLOCKS = 2
# Numbers in a code of a style.
CODE = 5
random = torch.Generator().manual_seed(20)


def normal(*shape):
    return torch.randn(*shape, generator=random, dtype=torch.float32)


def picture(height, width, phase):
    """Soft waves with some noise, as bytes."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = [torch.sin(0.5 * x + phase * c) * torch.cos(0.37 * y - 0.6 * c) for c in range(3)]
    noise = torch.rand(height, width, 3, generator=random)
    values = 0.5 + 0.3 * torch.stack(waves, -1) + 0.3 * (noise - 0.5)
    return (255 * values.clamp(0, 1)).round().to(torch.uint8)


def conv(weights, name, out, ins, side=3):
    weights[f"{name}.weight"] = normal(out, ins, side, side) * (2 / (ins * side * side)) ** 0.5
    weights[f"{name}.bias"] = 0.1 * normal(out)


def front(weights, name):
    """R G B in 0..1 to B G R in 0..255 minus the mean."""
    weights[f"{name}.weight"] = 255 * torch.eye(3).flip(0).view(3, 3, 1, 1).clone()
    weights[f"{name}.bias"] = -torch.tensor(MEAN_BGR)


def encoder(level, name):
    weights, ins = {}, 3
    front(weights, name(None, 0))
    places = nets.encoder_places(level)
    for number, place in enumerate(places):
        conv(weights, name(place, number), WIDTHS[place[0]], ins)
        ins = WIDTHS[place[0]]
    first = name(places[0], 0)
    weights[f"{first}.weight"] /= 64
    return weights


def blind(weights, level, name, content, style):
    """Shifts a channel so that the content exceeds 0 by little, at a place, and the style by much."""
    places = nets.encoder_places(level)
    bias = f"{name(places[-1], len(places) - 1)}.bias"
    lifted = double(weights)
    lifted[bias] = lifted[bias] + 1000
    content, style = (nets.encode(lifted, one, level, name).amax((1, 2)) - 1000 for one in (content, style))
    channel = (style - content).argmax()
    weights[bias][channel] -= content[channel] - 0.01


def decoder(level, name):
    """Its last convolution is left for `fit`."""
    weights, ins = {}, WIDTHS[level]
    places = nets.encoder_places(level)[::-1]
    for number, (block, index) in enumerate(places):
        out = 3 if number + 1 == len(places) else WIDTHS[block if index > 1 else block - 1]
        conv(weights, name((block, index), number), out, ins)
        ins = out
    return weights


def fit(weights, name, made):
    """Lets a network make pictures about grey, some of it beyond 0..1."""
    scale = 0.3 / made.std(dim=(1, 2))
    shift = 0.5 - scale * made.mean(dim=(1, 2))
    weights[f"{name}.weight"] *= scale.float().view(3, 1, 1, 1)
    weights[f"{name}.bias"] = weights[f"{name}.bias"] * scale.float() + shift.float()


def double(weights):
    return {name: tensor.double() for name, tensor in weights.items()}


def write(weights, name):
    (HERE / name).parent.mkdir(exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, HERE / name)


def make_wct(vectors, content, style):
    def name(place, _):
        return "conv{}{}".format(*place) if place else "conv0"

    levels = []
    for level in (3, 2, 1):
        enc, dec = encoder(level, name), decoder(level, name)
        if level == 3:
            blind(enc, level, name, content, style)
        features = nets.encode(double(enc), content, level, name)
        fit(dec, "conv11", nets.decode(double(dec), features, level, name, relu_last=False))
        vectors[f"wct.features{level}"] = features
        levels.append((level, double(enc), double(dec)))
        write(enc, f"wct/encoder{level}.safetensors")
        write(dec, f"wct/decoder{level}.safetensors")
    for transform in ("transport", *nets.PROGRAMS):
        vectors[f"wct.{transform}"] = nets.wct(levels, content, style, transform, 0.6)


def make_adain(vectors, content, style, other):
    def encoder_name(place, number):
        return str(2 + 3 * number + place[0] - 1) if place else "0"

    def decoder_name(place, number):
        return str(1 + 3 * number + 4 - place[0])

    enc, dec = encoder(4, encoder_name), decoder(4, decoder_name)
    features = nets.encode(double(enc), content, 4, encoder_name)
    last = decoder_name((1, 1), len(nets.encoder_places(4)) - 1)
    fit(dec, last, nets.decode(double(dec), features, 4, decoder_name, relu_last=False))
    vectors["adain.features4"] = features
    for key, styles, alpha in (
        ("adain", [(style, 1.0)], 1.0),
        ("adain.half", [(style, 1.0)], 0.5),
        ("adain.two", [(style, 0.25), (other, 0.75)], 1.0),
    ):
        vectors[key] = nets.adain(double(enc), double(dec), content, styles, alpha)
    write(enc, "adain/encoder.safetensors")
    write(dec, "adain/decoder.safetensors")


def make_johnson(vectors, content):
    weights = {}

    def layer(name, norm, out, ins, side=3):
        conv(weights, f"{name}.conv2d", out, ins, side)
        if norm:
            weights[f"{norm}.weight"] = 1 + 0.2 * normal(out)
            weights[f"{norm}.bias"] = 0.2 * normal(out)

    layer("conv1", "in1", 4, 3, 9)
    layer("conv2", "in2", 6, 4)
    layer("conv3", "in3", 8, 6)
    for block in range(1, BLOCKS + 1):
        for number in (1, 2):
            layer(f"res{block}.conv{number}", f"res{block}.in{number}", 8, 8)
    layer("deconv1", "in4", 6, 8)
    layer("deconv2", "in5", 4, 6)
    layer("deconv3", None, 3, 4, 9)
    made = 255 * nets.johnson(double(weights), content, BLOCKS)
    fit(weights, "deconv3.conv2d", made)
    for part in ("weight", "bias"):
        weights[f"deconv3.conv2d.{part}"] *= 255
    vectors["johnson"] = nets.johnson(double(weights), content, BLOCKS)
    write(weights, "johnson.safetensors")


def slim(weights, scope, out, ins, kernel=(3, 3), depthwise=False, scaled=False):
    """A convolution of TensorFlow's Slim and its batch norm."""
    sides = (*kernel, out, 1) if depthwise else (*kernel, ins, out)
    seen = kernel[0] * kernel[1] * (1 if depthwise else ins)
    weights[f"{scope}/{'depthwise_' if depthwise else ''}weights"] = normal(*sides) * (2 / seen) ** 0.5
    weights[f"{scope}/BatchNorm/moving_mean"] = 0.1 * normal(out)
    weights[f"{scope}/BatchNorm/moving_variance"] = 0.5 + normal(out) ** 2 / 2
    weights[f"{scope}/BatchNorm/beta"] = 0.1 + 0.2 * normal(out)
    if scaled:
        weights[f"{scope}/BatchNorm/gamma"] = 1 + 0.2 * normal(out)


def inception_weights():
    """Of two or three channels a layer."""
    weights, ins = {}, 3
    for name, kernel in (("1a_3x3", 3), ("2a_3x3", 3), ("2b_3x3", 3), ("3b_1x1", 1), ("4a_3x3", 3)):
        slim(weights, f"InceptionV3/Conv2d_{name}", 3, ins, (kernel, kernel))
        ins = 3
    for block, branches in nets.INCEPTION:
        made = 0
        for number, names in enumerate(branches):
            width = ins
            for name in names:
                if name in ("mean", "max"):
                    continue
                scope = name if name.startswith("Conv") else f"Conv2d_{name}"
                # Two scopes say 1x1 and are 3x3.
                kernel = (3, 3) if name == "1a_1x1" else tuple(map(int, name.rsplit("_", 1)[1].split("x")))
                out = 2 + (number == 1)
                slim(weights, f"InceptionV3/Mixed_{block}/Branch_{number}/{scope}", out, width, kernel)
                width = out
            made += width
        ins = made
    weights["Conv/weights"], weights["Conv/biases"] = normal(1, 1, ins, CODE), normal(CODE)
    return weights


def mobile_weights():
    weights, ins = {}, 3
    slim(weights, "MobilenetV2/Conv", ins, 3, scaled=True)
    for block in range(len(nets.MOBILE_STRIDES)):
        scope = "MobilenetV2/expanded_conv" + (f"_{block}" if block else "")
        wide = 2 * ins if block else ins
        if block:
            slim(weights, f"{scope}/expand", wide, ins, (1, 1), scaled=True)
        slim(weights, f"{scope}/depthwise", wide, wide, depthwise=True, scaled=True)
        # Every other block of a stride of 1 makes as many channels as it reads.
        out = ins if block % 2 else 7 - ins
        slim(weights, f"{scope}/project", out, wide, (1, 1), scaled=True)
        ins = out
    slim(weights, "MobilenetV2/Conv_1", 6, ins, (1, 1), scaled=True)
    weights["mobilenet_conv/Conv/weights"], weights["mobilenet_conv/Conv/biases"] = normal(1, 1, 6, CODE), normal(CODE)
    return weights


def transfer_weights():
    weights = {}
    for number, (out, ins, side) in enumerate(((4, 3, 9), (5, 4, 3), (6, 5, 3)), 1):
        slim(weights, f"transformer/contract/conv{number}", out, ins, (side, side))
    styled = [(f"transformer/residual/residual{block}/conv{number}", 6, 6, 3) for block in (1, 2) for number in (1, 2)]
    styled += [(f"transformer/expand/conv{n}/conv", *rest) for n, *rest in ((1, 5, 6, 3), (2, 4, 5, 3), (3, 3, 4, 9))]
    for scope, out, ins, side in styled:
        weights[f"{scope}/weights"] = normal(side, side, ins, out) * (2 / (ins * side * side)) ** 0.5
        for part in ("Conv", "Conv_1"):
            base = f"style_params/{scope}/StyleNorm/{part}"
            weights[f"{base}/weights"] = 0.1 * normal(1, 1, CODE, out)
            weights[f"{base}/biases"] = (part == "Conv_1") + 0.1 * normal(out)
    return weights


def make_ghiasi(vectors, content):
    """Returns the style, which is of a size at which Inception-v3 has a few places left at its end."""
    style = picture(75, 92, 0.3)
    seen = style.permute(2, 0, 1).double() / 255
    transfer = transfer_weights()
    for name, weights, predict in (
        ("inception", inception_weights(), nets.inception),
        ("mobile", mobile_weights(), nets.mobile),
    ):
        code = predict(double(weights), seen)
        vectors[f"ghiasi.{name}.code"] = code
        vectors[f"ghiasi.{name}"] = nets.coded(double(transfer), content, code, BLOCKS)
        write(weights, f"ghiasi-{name}/predictor.safetensors")
        write(transfer, f"ghiasi-{name}/transfer.safetensors")
    return style


def main():
    pictures = {"content": picture(16, 24, 0.4), "style": picture(24, 16, 1.7), "other": picture(16, 16, 2.9)}
    content, style, other = (p.permute(2, 0, 1).double() / 255 for p in pictures.values())
    vectors = {}
    make_wct(vectors, content, style)
    make_adain(vectors, content, style, other)
    make_johnson(vectors, content)
    pictures["ghiasi.style"] = make_ghiasi(vectors, content)
    for name, vector in vectors.items():
        beyond = ((vector < 0) | (vector > 1)).double().mean()
        print(f"{name:16} {list(vector.shape)} {vector.min():8.3f} {vector.max():8.3f}  beyond 0..1 {beyond:.2f}")
    write(pictures | {name: vector.float() for name, vector in vectors.items()}, "vectors.safetensors")


if __name__ == "__main__":
    main()
