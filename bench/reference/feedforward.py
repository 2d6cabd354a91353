"""Feed-forward networks in PyTorch, each as its paper defines it, for comparison with the program.

    wct     Li et al. 2017, arXiv 1705.08086, with the whitening of the authors' Lua program and of three that came after it,
            and with the optimal-transport map between two Gaussians (Peyré and Cuturi 2019, arXiv 1803.00567, remark 2.31)
    adain   Huang and Belongie 2017, arXiv 1703.06868
    johnson Johnson et al. 2016, arXiv 1603.08155, in the form of instance norms, nearest enlargement and reflected borders
    inception, mobile, coded    the two style predictors and the transfer network of Ghiasi et al. 2017, arXiv 1705.06830

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


# The blocks of Inception-v3 up to Mixed_6e, as its paper has them (Szegedy et al. 2016, arXiv 1512.00567, figures 5, 6 and 10),
# each a list of branches; a number is the stride of a 3x3 convolution without borders.
SQUARES = (("0a_1x1",), ("0a_1x1", "0b_5x5"), ("0a_1x1", "0b_3x3", "0c_3x3"), ("mean", "0b_1x1"))
LINES = (
    ("0a_1x1",),
    ("0a_1x1", "0b_1x7", "0c_7x1"),
    ("0a_1x1", "0b_7x1", "0c_1x7", "0d_7x1", "0e_1x7"),
    ("mean", "0b_1x1"),
)
INCEPTION = (
    ("5b", SQUARES),
    ("5c", (SQUARES[0], ("0b_1x1", "Conv_1_0c_5x5"), SQUARES[2], SQUARES[3])),
    ("5d", SQUARES),
    ("6a", (("1a_1x1",), ("0a_1x1", "0b_3x3", "1a_1x1"), ("max",))),
    ("6b", LINES),
    ("6c", LINES),
    ("6d", LINES),
    ("6e", LINES),
)
# Blocks of MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381, table 2) and the strides of their depthwise convolutions.
MOBILE_STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)


def same(x, kernel, stride):
    """TensorFlow's SAME: so much on both sides that there are ceil(n / stride) places, the odd one behind."""
    margins = []
    for side, size in zip((x.shape[-1], x.shape[-2]), (kernel[1], kernel[0])):
        whole = max((-(-side // stride) - 1) * stride + size - side, 0)
        margins += [whole // 2, whole - whole // 2]
    return F.pad(x, margins)


def slim(weights, x, scope, stride=1, padded=True, depthwise=False, relu=True):
    """A convolution of TensorFlow's Slim [h, w, in, out] and its batch norm, which may lack a scale, and a ReLU up to 6."""
    kernel = weights[f"{scope}/{'depthwise_' if depthwise else ''}weights"]
    kernel = kernel.permute(2, 3, 0, 1) if depthwise else kernel.permute(3, 2, 0, 1)
    x = same(x[None], kernel.shape[2:], stride) if padded else x[None]
    x = F.conv2d(x, kernel, stride=stride, groups=len(kernel) if depthwise else 1)
    mean, variance, shift = (weights[f"{scope}/BatchNorm/{part}"] for part in ("moving_mean", "moving_variance", "beta"))
    scale = weights.get(f"{scope}/BatchNorm/gamma")
    x = F.batch_norm(x, mean, variance, scale, shift, eps=1e-3)[0]
    return x.clamp(0, 6) if relu else x


def inception(weights, picture):
    """The code of a style's picture by the predictor of Ghiasi et al. 2017 (arXiv 1705.06830)."""
    def scope_of(name):
        return name if name.startswith("Conv") else f"Conv2d_{name}"

    def step(x, scope, name):
        if name == "mean":
            return F.avg_pool2d(x[None], 3, 1, 1, count_include_pad=False)[0]
        if name == "max":
            return F.max_pool2d(x[None], 3, 2)[0]
        bare = name == "1a_1x1"
        return slim(weights, x, f"{scope}/{scope_of(name)}", 2 if bare else 1, not bare)

    x = slim(weights, picture, "InceptionV3/Conv2d_1a_3x3", 2, False)
    x = slim(weights, x, "InceptionV3/Conv2d_2a_3x3", 1, False)
    x = slim(weights, x, "InceptionV3/Conv2d_2b_3x3")
    x = F.max_pool2d(x[None], 3, 2)[0]
    x = slim(weights, x, "InceptionV3/Conv2d_3b_1x1", 1, False)
    x = slim(weights, x, "InceptionV3/Conv2d_4a_3x3", 1, False)
    x = F.max_pool2d(x[None], 3, 2)[0]
    for block, branches in INCEPTION:
        made = []
        for number, names in enumerate(branches):
            y = x
            for name in names:
                y = step(y, f"InceptionV3/Mixed_{block}/Branch_{number}", name)
            made.append(y)
        x = torch.cat(made)
    return x.mean((1, 2)) @ weights["Conv/weights"][0, 0] + weights["Conv/biases"]


def mobile(weights, picture):
    """The code of a style's picture by the predictor for telephones."""
    x = slim(weights, picture, "MobilenetV2/Conv", 2)
    for block, stride in enumerate(MOBILE_STRIDES):
        scope = "MobilenetV2/expanded_conv" + (f"_{block}" if block else "")
        y = slim(weights, x, f"{scope}/expand") if block else x
        y = slim(weights, y, f"{scope}/depthwise", stride, depthwise=True)
        y = slim(weights, y, f"{scope}/project", relu=False)
        x = x + y if y.shape == x.shape else y
    x = slim(weights, x, "MobilenetV2/Conv_1").mean((1, 2))
    return x @ weights["mobilenet_conv/Conv/weights"][0, 0] + weights["mobilenet_conv/Conv/biases"]


def coded(weights, picture, code, blocks):
    """The picture of the transfer network of Ghiasi et al. for a code, with so many residual blocks."""
    def conv(x, scope, stride=1):
        kernel = weights[f"{scope}/weights"].permute(3, 2, 0, 1)
        x = F.pad(x[None], (kernel.shape[-1] // 2,) * 4, mode="reflect")
        return F.conv2d(x, kernel, stride=stride)[0]

    def norm(x, scope):
        def of(part):
            base = f"style_params/{scope}/StyleNorm/{part}"
            return (code @ weights[f"{base}/weights"][0, 0] + weights[f"{base}/biases"])[:, None, None]

        return F.instance_norm(x[None], eps=1e-5)[0] * of("Conv_1") + of("Conv")

    x = picture
    for number, stride in ((1, 1), (2, 2), (3, 2)):
        scope = f"transformer/contract/conv{number}"
        batch = (weights[f"{scope}/BatchNorm/{part}"] for part in ("moving_mean", "moving_variance", "beta"))
        mean, variance, shift = batch
        x = F.relu(F.batch_norm(conv(x, scope, stride)[None], mean, variance, None, shift, eps=1e-3)[0])
    for number in range(1, blocks + 1):
        first, second = (f"transformer/residual/residual{number}/conv{part}" for part in (1, 2))
        x = x + norm(conv(F.relu(norm(conv(x, first), first)), second), second)
    for number in (1, 2):
        scope = f"transformer/expand/conv{number}/conv"
        x = F.interpolate(x[None], scale_factor=2, mode="nearest")[0]
        x = F.relu(norm(conv(x, scope), scope))
    scope = "transformer/expand/conv3/conv"
    return torch.sigmoid(norm(conv(x, scope), scope))
