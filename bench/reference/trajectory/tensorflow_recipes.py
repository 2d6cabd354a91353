"""Three of the published methods in TensorFlow, as their tutorials define them; see torch_recipes.py.

    python tensorflow_recipes.py tensorflow WEIGHTS.safetensors CONTENT.png STYLE.png START.png STEPS RESULT.npz

writes `losses` and `picture` [3, h, w] in 0..1. float32, as TensorFlow runs them. Adam is TensorFlow's own:
tf.keras.optimizers.Adam, of the oldest tutorial tf.compat.v1's. It is a process of its own because TensorFlow and PyTorch
do not load into the same one everywhere.
"""

import sys

import numpy as np
import tensorflow as tf
from PIL import Image
from safetensors.numpy import load_file

from layers import NEAREST, convolutions

STYLE = ["block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"]
CONTENT = "block5_conv2"


class Model:
    """Keras' VGG-19 as far as a file of weights goes: layers hold their ReLU."""

    def __init__(self, weights, pool="max"):
        self.layers = convolutions(weights)
        self.filters = {}
        for block, index in self.layers:
            kernel = weights[f"conv{block}_{index}.weight"].transpose(2, 3, 1, 0)
            bias = weights[f"conv{block}_{index}.bias"]
            self.filters[block, index] = tf.constant(kernel), tf.constant(bias)
        self.pool = tf.nn.max_pool2d if pool == "max" else tf.nn.avg_pool2d

    def nearest(self, layer):
        block, index = int(layer[5]), int(layer[-1])
        if (block, index) in self.layers:
            return block, index
        return tuple(map(int, NEAREST[f"{block}_{index}"].split("_")))

    def __call__(self, x):
        """Of a preprocessed batch of one: the style layers, then the content layer."""
        found = {}
        for block, index in self.layers:
            if index == 1 and block > 1:
                x = self.pool(x, 2, 2, "VALID")
            kernel, bias = self.filters[block, index]
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + bias)
            found[block, index] = x
        return [found[self.nearest(layer)] for layer in [*STYLE, CONTENT]]


def preprocess(image255):
    """tf.keras.applications.vgg19.preprocess_input."""
    return tf.keras.applications.vgg19.preprocess_input(image255)


def gram_matrix(features):
    result = tf.linalg.einsum("bijc,bijd->bcd", features, features)
    return result / tf.cast(features.shape[1] * features.shape[2], tf.float32)


def batch(picture):
    """[h, w, 3] to [1, h, w, 3]."""
    return tf.constant(picture[None])


def load(path):
    return np.asarray(Image.open(path).convert("RGB"), np.float32) / 255


def planes(image):
    return np.asarray(image)[0].transpose(2, 0, 1)


class Costs:
    def __init__(self, model, content, style):
        self.model = model
        self.grams = [gram_matrix(f) for f in model(preprocess(255.0 * batch(style)))[:-1]]
        self.wanted = model(preprocess(255.0 * batch(content)))[-1]

    def __call__(self, prepared):
        *style, content = self.model(prepared)
        layers = [tf.reduce_mean((gram_matrix(f) - g) ** 2) for f, g in zip(style, self.grams)]
        return tf.add_n(layers) / len(layers), tf.reduce_mean((content - self.wanted) ** 2)


def tensorflow(weights, content, style, start, steps):
    costs = Costs(Model(weights), content, style)
    image = tf.Variable(batch(start))
    optimizer = tf.keras.optimizers.Adam(learning_rate=0.02, beta_1=0.99, epsilon=1e-1)
    losses = []
    for _ in range(steps):
        with tf.GradientTape() as tape:
            style_loss, content_loss = costs(preprocess(image * 255.0))
            loss = 1e-2 * style_loss + 1e4 * content_loss
            loss += 30 * tf.reduce_sum(tf.image.total_variation(image))
        optimizer.apply_gradients([(tape.gradient(loss, image), image)])
        image.assign(tf.clip_by_value(image, 0.0, 1.0))
        losses.append(float(loss))
    return losses, planes(image)


def keras_eager(weights, content, style, start, steps):
    costs = Costs(Model(weights), content, style)
    image = tf.Variable(preprocess(255.0 * batch(start)))
    optimizer = tf.compat.v1.train.AdamOptimizer(learning_rate=5, beta1=0.99, epsilon=1e-1)
    means = np.array([103.939, 116.779, 123.68], np.float32)
    losses, best_loss, best = [], float("inf"), None
    for _ in range(steps):
        with tf.GradientTape() as tape:
            style_score, content_score = costs(image)
            loss = 1e-2 * style_score + 1e3 * content_score
        optimizer.apply_gradients([(tape.gradient(loss, image), image)])
        image.assign(tf.clip_by_value(image, -means, 255 - means))
        losses.append(float(loss))
        if losses[-1] < best_loss:
            best_loss, best = losses[-1], image.numpy()
    return losses, planes((best + means)[..., ::-1] / 255)


def holberton(weights, content, style, start, steps):
    costs = Costs(Model(weights, "average"), content, style)
    image = tf.Variable(batch(start))
    optimizer = tf.keras.optimizers.Adam(0.01, 0.9, 0.99)
    losses, best_cost, best = [], float("inf"), None
    for _ in range(steps):
        with tf.GradientTape() as tape:
            style_cost, content_cost = costs(preprocess(image * 255.0))
            cost = 1e4 * content_cost + 1 * style_cost + 10 * tf.squeeze(tf.image.total_variation(image))
        gradient = tape.gradient(cost, image)
        losses.append(float(cost))
        if losses[-1] < best_cost:
            best_cost, best = losses[-1], image.numpy()
        optimizer.apply_gradients([(gradient, image)])
        image.assign(tf.clip_by_value(image, 0.0, 1.0))
    return losses, planes(best)


RECIPES = {"tensorflow": tensorflow, "keras-eager": keras_eager, "holberton": holberton}


def main():
    recipe, weights, content, style, start, steps, result = sys.argv[1:]
    inputs = [load(path) for path in (content, style, start)]
    losses, picture = RECIPES[recipe](load_file(weights), *inputs, int(steps))
    np.savez(result, losses=losses, picture=picture)


if __name__ == "__main__":
    main()
