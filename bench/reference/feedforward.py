"""Feed-forward networks in PyTorch, each as its paper defines it, for comparison with the program.

    wct     Li et al. 2017, arXiv 1705.08086, with the whitening of the authors' Lua program and of three that came after it,
            and with the optimal-transport map between two Gaussians (Peyré and Cuturi 2019, arXiv 1803.00567, remark 2.31)
    adain   Huang and Belongie 2017, arXiv 1703.06868
    johnson Johnson et al. 2016, arXiv 1603.08155, in the form of instance norms, nearest enlargement and reflected borders

Pictures are [3, h, w], RGB 0..1, their sides multiples of all strides. Weights are {name: tensor} under the names that files
of these networks have. Nothing here was taken from the program that is compared, and nothing is fast.
"""

import torch
import torch.nn.functional as F

# Convolutions in the blocks of VGG-19; the last block that is used has its first alone.
BLOCKS = (2, 2, 4, 4)

# Added to the content's variances and to the style's, eigenvalues up to which are dropped, whether pictures are clamped
# between levels.
PROGRAMS = {
    "lua": (0.0, 0.0, 1e-5, False),
    "pytorch": (1.0, 0.0, 1e-5, False),
    "tf": (1e-8, 1e-8, 1e-5, True),
    "distilled": (0.0, 0.0, 1e-100, False),
}
# Of the transport: shares of the mean variance that are added to the content's variances and to the style's.
RIDGES = (1e-5, 1e-7)


def encoder_places(level):
    """Block and index of the convolutions up to relu{level}_1."""
    whole = [(block + 1, index + 1) for block in range(level - 1) for index in range(BLOCKS[block])]
    return whole + [(level, 1)]


def reflected(x, weights, name):
    """A convolution whose border is reflected."""
    weight = weights[f"{name}.weight"]
    margin = weight.shape[-1] // 2
    return F.conv2d(F.pad(x[None], (margin,) * 4, mode="reflect"), weight, weights[f"{name}.bias"])[0]


def encode(weights, picture, level, name):
    """Features of relu{level}_1; `name(place, number)` is what a convolution is called, and the 1×1 in front for None."""
    front = name(None, 0)
    x = F.conv2d(picture[None], weights[f"{front}.weight"], weights[f"{front}.bias"])[0]
    for number, place in enumerate(encoder_places(level)):
        if place[1] == 1 and place[0] > 1:
            x = F.max_pool2d(x[None], 2)[0]
        x = F.relu(reflected(x, weights, name(place, number)))
    return x


def decode(weights, features, level, name, relu_last):
    """The mirror of an encoder: nearest ×2 where that pools, ReLU everywhere but at the end, unless `relu_last`."""
    x = features
    places = encoder_places(level)[::-1]
    for number, place in enumerate(places):
        # The first of a block, seen from behind, is where the encoder's pool was.
        if number and place[0] < places[number - 1][0]:
            x = F.interpolate(x[None], scale_factor=2, mode="nearest")[0]
        x = reflected(x, weights, name(place, number))
        if number + 1 < len(places) or relu_last:
            x = F.relu(x)
    return x


def power(matrix, exponent, least=-1.0):
    """A power of a symmetric matrix, on the eigenvectors of eigenvalues above `least`."""
    values, vectors = torch.linalg.eigh(matrix)
    kept = values > least
    values, vectors = values[kept], vectors[:, kept]
    return vectors @ torch.diag(values**exponent) @ vectors.T


def moments(features, divisor_less):
    """Mean [c, 1] and covariance [c, c] of features, with `n - divisor_less` in the denominator."""
    f = features.flatten(1)
    mean = f.mean(1, keepdim=True)
    return mean, (f - mean) @ (f - mean).T / (f.shape[1] - divisor_less)


def whitened(content, style, program):
    """Whitening and colouring (Li et al., equations 1 and 2)."""
    content_ridge, style_ridge, least, _ = PROGRAMS[program]
    mean, covariance = moments(content, 1)
    style_mean, style_covariance = moments(style, 1)
    eye = torch.eye(len(mean), dtype=content.dtype)
    whitening = power(covariance + content_ridge * eye, -0.5, least)
    colouring = power(style_covariance + style_ridge * eye, 0.5, least)
    moved = colouring @ whitening @ (content.flatten(1) - mean) + style_mean
    return moved.view_as(content)


def transported(content, style):
    """The map C^-1/2 (C^1/2 S C^1/2)^1/2 C^-1/2 from one Gaussian to the other."""
    mean, covariance = moments(content, 0)
    style_mean, style_covariance = moments(style, 0)
    eye = torch.eye(len(mean), dtype=content.dtype)
    covariance = covariance + RIDGES[0] * covariance.trace() / len(mean) * eye
    style_covariance = style_covariance + RIDGES[1] * style_covariance.trace() / len(mean) * eye
    root, inverse = power(covariance, 0.5), power(covariance, -0.5)
    matrix = inverse @ power(root @ style_covariance @ root, 0.5, 0.0) @ inverse
    return (matrix @ (content.flatten(1) - mean) + style_mean).view_as(content)


def adapted(content, style):
    """AdaIN (Huang and Belongie, equation 8); 1e-5 is added to variances, which have n - 1 in the denominator."""
    def of(x):
        x = x.flatten(1)
        return x.mean(1)[:, None, None], (x.var(1) + 1e-5).sqrt()[:, None, None]

    (mean, deviation), (style_mean, style_deviation) = of(content), of(style)
    return style_deviation * (content - mean) / deviation + style_mean


def wct(levels, content, style, transform, alpha):
    """The picture after all levels. `levels` is [(number, encoder, decoder)], deepest first; `transform` a program or
    "transport"."""
    def front_or(place, _):
        return "conv{}{}".format(*place) if place else "conv0"

    picture = content
    for left, (number, encoder, decoder) in zip(range(len(levels) - 1, -1, -1), levels):
        f = encode(encoder, picture, number, front_or)
        s = encode(encoder, style, number, front_or)
        moved = transported(f, s) if transform == "transport" else whitened(f, s, transform)
        picture = decode(decoder, alpha * moved + (1 - alpha) * f, number, front_or, relu_last=True)
        if left and transform != "transport" and PROGRAMS[transform][3]:
            picture = picture.clamp(0, 1)
    return picture


def adain(encoder, decoder, content, styles, alpha):
    """The picture; `styles` is [(picture, share)], mixed as equation 15 has it."""
    # In a sequence of 1×1, padding, convolution, ReLU, ... and of padding, convolution, ReLU, enlargement, ...
    def encoder_name(place, number):
        return str(2 + 3 * number + place[0] - 1) if place else "0"

    def decoder_name(place, number):
        return str(1 + 3 * number + 4 - place[0])

    f = encode(encoder, content, 4, encoder_name)
    moved = sum(share * adapted(f, encode(encoder, style, 4, encoder_name)) for style, share in styles)
    return decode(decoder, alpha * moved + (1 - alpha) * f, 4, decoder_name, relu_last=False)


def johnson(weights, picture, blocks):
    """The picture of a network with so many residual blocks; it reads and makes 0..255."""
    def norm(x, name):
        return F.instance_norm(x[None], weight=weights[f"{name}.weight"], bias=weights[f"{name}.bias"])[0]

    def conv(x, name, stride=1):
        weight = weights[f"{name}.conv2d.weight"]
        x = F.pad(x[None], (weight.shape[-1] // 2,) * 4, mode="reflect")
        return F.conv2d(x, weight, weights[f"{name}.conv2d.bias"], stride)[0]

    x = 255 * picture
    for number, stride in ((1, 1), (2, 2), (3, 2)):
        x = F.relu(norm(conv(x, f"conv{number}", stride), f"in{number}"))
    for number in range(1, blocks + 1):
        y = F.relu(norm(conv(x, f"res{number}.conv1"), f"res{number}.in1"))
        x = x + norm(conv(y, f"res{number}.conv2"), f"res{number}.in2")
    for number in (1, 2):
        x = F.interpolate(x[None], scale_factor=2, mode="nearest")[0]
        x = F.relu(norm(conv(x, f"deconv{number}"), f"in{number + 3}"))
    return conv(x, "deconv3") / 255
