"""Settings as keyword arguments. Written by `python/tools/settings.py` from the library's table of settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict


class Settings(TypedDict, total=False):
    """Settings of a recipe; what is not given, or None, is what recipe and quality say."""

    # Picture
    method: Literal["optimize", "nnst", "strotss", "paint", "wct", "adain", "microast", "ghiasi", "fast"] | None
    """How the picture is painted: optimised step by step, or by a network in a pass."""
    size: int | Literal["original"] | None
    """Long side of the result in pixels, or original: that of the content [16 to 32768; default: 512]."""

    # Content
    content_weight: float | None
    """Weight of the content; 0 leaves it out [at least 0]."""
    content_factor: float | None
    """A constant of the loss's definition beside its weight: 0.5 for ½ Σ (F − P)² [greater than 0; default: 1]."""
    content_layers: str | Sequence[str] | Mapping[str, float] | None
    """Layers that see the content, each with its share [default: of the encoder, relu4_2 of a VGG]."""
    content_layer_weights: Literal["shared", "absolute"] | None
    """What the layers' weights mean: shares of the content's weight, or factors on it [default: shared]."""
    edges_weight: float | None
    """Weight of the photo's edges, which stay where they are; 0 leaves them out [at least 0; default: 0]."""

    # Style
    style_weight: float | None
    """Weight of the style; 0 leaves it out [at least 0; default: 1]."""
    style_factor: float | None
    """A constant of the loss's definition beside its weight [greater than 0; default: 1]."""
    style_layers: str | Sequence[str] | Mapping[str, float] | None
    """Layers that see the style, each with its share [default: of the encoder, relu1_1 to relu5_1 of a VGG]."""
    style_layer_weights: Literal["shared", "absolute"] | None
    """What the layers' weights mean: shares of the style's weight, or factors on it [default: shared]."""
    style_layer_norm: Literal["none", "chw"] | None
    """What each layer's loss is divided by: nothing, or the layer's c·h·w [default: none]."""
    style_loss: Literal["gram", "wasserstein", "mean-std"] | None
    """What of the features is compared [default: wasserstein]."""
    style_gram_norm: Literal["none", "hw", "chw", "gatys"] | None
    """What a Gram matrix of c features of h·w pixels is divided by; gatys: 2·c·h·w [default: chw]."""
    style_scale: float | None
    """Look at the styles at the picture's size times this: larger makes larger strokes [0.05 to 20; default: 1]."""
    style_size: int | Literal["content"] | None
    """Look at the styles at this long side in pixels, at every scale [16 to 32768]."""
    style_rotate: float | Literal["any"] | None
    """Turn the paintings, and their strokes with them: by degrees counter-clockwise, or any way [-360 to 360; default: 0]."""
    style_spread: int | Sequence[int] | None
    """Percents of their size in which the paintings are looked at, all at once: 100,50 mixes large and small strokes [5 to 400; default: 100]."""
    style_enlarge: bool | None
    """Whether paintings smaller than that are enlarged [default: true]."""

    # Colours
    colors: Literal["style", "content", "content-exact", "cholesky", "pca", "coral", "histogram", "luminance"] | None
    """Whose colours the picture has: the style's or the content's, moved as little as possible, pixel by pixel, or by a published map [default: style]."""
    colors_when: Literal["usual", "before", "after"] | None
    """Whether colours are given to the styles before it is painted, or to the result after; usual: after for content-exact, else before [default: usual]."""
    colors_strength: float | None
    """How far colours go: 0 leaves them, 1 is all the way [0 to 1; default: 1]."""
    colors_space: Literal["oklab", "srgb"] | None
    """In which coordinates colours are mapped: Oklab of linear light, or sRGB as the published programs have it [default: oklab]."""

    # Content
    total_variation_weight: float | None
    """Weight of the total variation, which keeps noise out; 0 leaves it out [at least 0; default: 0.15]."""
    total_variation_factor: float | None
    """A constant of the loss's definition beside its weight [greater than 0; default: 1]."""
    total_variation: Literal["l1", "l2", "9-point"] | None
    """Which differences of neighbours total variation takes [default: 9-point]."""
    total_variation_reduction: Literal["recipe", "mean", "sum"] | None
    """Whether total variation is a mean or a sum, or what the recipe's losses are [default: recipe]."""

    # Optimisation
    normalize: Literal["none", "target", "gradient"] | None
    """What each term is divided by, so that its weight means the same everywhere [default: target]."""
    reduction: Literal["mean", "sum"] | None
    """Whether losses are means or sums [default: mean]."""
    made_for: Literal["any", "oxford", "torchvision", "unit"] | None
    """The network whose activations the weights were chosen beside: on another one they are calibrated [default: any]."""
    faithful: bool | None
    """Do everything as the recipe says it or the method was published: calibrate no weights to the encoder, let L-BFGS diverge, seek neighbours the slow way [default: false]."""

    # Encoder
    pooling: Literal["max", "average", "l2"] | None
    """How each pool makes one value of four [default: max]."""
    plain_pooling: bool | None
    """Do not rescale average and l2 pools to the mean of max pools [default: false]."""
    unit_activations: bool | None
    """Rescale the weights so that every filter's mean activation over the pictures of the run is 1 [default: false]."""
    padding: Literal["zero", "replicate", "reflect"] | None
    """What the first convolution sees beyond the border [default: replicate]."""

    # Picture
    noise_distribution: Literal["uniform", "normal"] | None
    """How noise is distributed [default: uniform]."""
    noise_amplitude: float | None
    """Half the width of uniform noise, the standard deviation of normal noise, in units of the recipe's pixels [at least 0; default: 0.5]."""
    noise_centre: Literal["grey", "mean"] | None
    """The colour that noise lies around: medium grey, or the mean of ImageNet [default: grey]."""
    noise_ratio: float | None
    """Share of the noise where it is mixed with the content [0 to 1; default: 0.5]."""
    feather: float | None
    """How wide the borders of what is painted are, where masks keep the photo, as a share of the long side [0 to 0.25; default: 0.01]."""
    photo: bool | None
    """Give the photo the tones of what was painted, without strokes: a guided filter after it [default: false]."""
    wrap: bool | None
    """The picture goes all around, as a 360° panorama does: its right end goes on at its left one, without a seam [default: false]."""
    seed: int | None
    """Seed of everything random, 0 to 2^64-1 [at least 0; default: 0]."""

    # Optimisation
    pixels: Literal["unit", "byte", "torch"] | None
    """In which units the optimiser sees the picture: 0..1, 0..255, or as torchvision normalises [default: unit]."""
    pyramid: int | None
    """Optimise the picture as a Laplacian pyramid of so many halvings, large shapes at once; 0 for pixel by pixel [0 to 16; default: 0]."""
    clip: Literal["step", "evaluation", "end"] | None
    """When pixels are brought back into their range: after a step, before an evaluation, at the end [default: step]."""
    keep: Literal["last", "best", "after-best"] | None
    """Which picture of a scale is its result: the last, that of the least loss, or the one after it [default: last]."""

    # Encoder
    strict_taps: bool | None
    """Refuse to look at the nearest layer instead of one that the encoder lacks [default: false]."""

    # Optimisation
    scales: int | Sequence[int] | None
    """Long sides in pixels to go through, ascending; the last is the size of the result [16 to 32768; default: from 128 by √2]."""
    coarse_to_fine: bool | None
    """Whether the run goes from 128 px by √2 to its size; otherwise it has one scale [default: true]."""
    finest: int | None
    """Of those scales at most so many, the finest; 0 for all [0 to 99]."""
    steps: int | Sequence[int] | None
    """Steps at each scale, coarsest first; the last number serves all further scales [1 to 1000000]."""
    optimizer: Literal["adam", "lbfgs"] | None
    """How a step is taken [default: adam]."""
    learning_rate: float | None
    """Size of a step, in units of the recipe's pixels: 0..1 unless it says otherwise [>0 to 100]."""
    beta1: float | None
    """Decay of the mean gradient [0 to <1; default: 0.9]."""
    beta2: float | None
    """Decay of the mean squared gradient [0 to <1; default: 0.99]."""
    epsilon: float | None
    """Added to the root of the mean squared gradient [greater than 0; default: 0.00000001]."""
    epsilon_to: Literal["corrected", "uncorrected"] | None
    """To which root: that after its bias correction, or before [default: corrected]."""
    bias_correction: bool | None
    """Whether Adam's means are corrected for their start at 0; without, and with beta1 0, it is RMSprop [default: true]."""
    averaging: float | None
    """Decay of the average over steps that is the result; 0 takes the last step [0 to <1]."""
    history: int | None
    """Pairs of steps and gradient differences that are remembered [1 to 1000000; default: 100]."""
    line_search: Literal["none", "strong-wolfe"] | None
    """How far a step goes: by the learning rate, or to where the strong Wolfe conditions hold [default: none]."""
    max_iter: int | None
    """Iterations of an outer step [1 to 1000000; default: 20]."""
    max_eval: int | None
    """Evaluations after which an outer step ends; 0 stands for 1.25 times max-iter [at least 0; default: 0]."""
    tolerance_grad: float | None
    """An outer step ends where no entry of the gradient is greater; negative for never [default: 0.0000001]."""
    tolerance_change: float | None
    """An outer step ends where neither loss nor any pixel changes by more; negative for never [default: 0.000000001]."""
    nnst_layers: str | Sequence[str] | Mapping[str, float] | None
    """Layers that are matched together, each with its share [default: of the encoder, up to relu4_3 of a VGG]."""
    nnst_steps: int | None
    """Steps at each size, in which every place becomes like the place of the styles that it was matched with [1 to 1000000; default: 80]."""
    nnst_splitting: int | None
    """Steps of a pass in which every layer is matched by itself: it makes the strokes sharp; 0 leaves it out [0 to 1000000; default: 0]."""
    nnst_finish: int | None
    """Steps of the last pass, towards the paintings' statistics as the optimisation takes them: it brings in their colours and textures; 0 leaves it out [0 to 1000000; default: 80]."""
    nnst_learning_rate: float | None
    """Size of a step, of each level of a pyramid of the picture [>0 to 1; default: 0.002]."""
    nnst_alpha: float | None
    """How much of the photo is in what is matched with the paintings: 1 is the photo alone, 0 what was painted at the size before [0 to 1; default: 0.75]."""
    nnst_turns: bool | None
    """Whether paintings are looked at in all four directions, so that strokes follow the photo [default: true]."""
    nnst_refresh: int | None
    """Steps after which the pass layer by layer seeks neighbours anew [1 to 1000000; default: 5]."""
    nnst_samples: int | None
    """Places of the paintings that are matched with, at most [16 to 4000000; default: 65536]."""
    nnst_recolor: bool | None
    """Whether colours are the photo's, moved to the paintings', under the lightness of what was painted [default: false]."""
    strotss_layers: str | Sequence[str] | Mapping[str, float] | None
    """Layers that are compared together with colours, each with its share [default: of the encoder, up to relu4_3 of a VGG]."""
    strotss_steps: int | None
    """Steps at each size [1 to 1000000; default: 90]."""
    strotss_learning_rate: float | None
    """Size of a step, of each level of a pyramid of the picture; half of it at the last size [>0 to 1; default: 0.002]."""
    strotss_content: float | None
    """Weight of the photo's self-similarity: 16 times as much at the first size, half as much at each further one [0 to 1000; default: 1]."""
    strotss_places: int | None
    """Places of the picture that are compared at each step [16 to 16384; default: 1024]."""
    strotss_samples: int | None
    """Places of the paintings that they are compared with [16 to 1000000; default: 1500]."""

    # Feed-forward networks
    alpha: float | None
    """How strongly a feed-forward network paints: 1 the style in full, 0 the photo as well as the network can draw it [0 to 1; default: 1]."""
    levels: int | Sequence[int] | None
    """Levels at which features get the style's statistics, deepest first [1 to 9999; default: 3,2,1]."""
    transform: Literal["transport", "lua", "pytorch", "tf", "distilled"] | None
    """How features get the style's mean and covariance: by optimal transport, or whitened and coloured as a published program does [default: transport]."""
    network_scales: int | None
    """At how many sizes the network paints, each twice the last: more make larger strokes [1 to 5; default: 1]."""
    network_styles: int | Sequence[int] | None
    """Which of the network's own styles, counted from 1; several are mixed [1 to 9999; default: the first]."""
