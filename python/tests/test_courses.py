"""The courses' own words give the pictures of their recipes."""

from __future__ import annotations

import warnings

import impasto
import numpy as np
import pytest
from impasto import courses
from impasto.courses import coursera, holberton, keras, pytorch, tensorflow, udacity


def recipe(name: str, content, style, **settings) -> np.ndarray:
    """What the recipe itself paints."""
    return impasto.stylize(content, style, recipe=name, size="original", **settings).numpy("float32")


@pytest.fixture(scope="module")
def content() -> impasto.Picture:
    return impasto.Picture(impasto.Picture("@lake").resized(48).numpy())


@pytest.fixture(scope="module")
def style() -> impasto.Picture:
    return impasto.Picture(impasto.Picture("@swirls").resized(40).numpy())


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (tensorflow, {"content_weight": 1e4, "style_weight": 1e-2, "total_variation_weight": 30}),
        (coursera, {"content_weight": 10, "style_weight": 40}),
        (udacity, {"content_weight": 1, "style_weight": 1e6, "steps": [2000]}),
        (pytorch, {"content_weight": 1, "style_weight": 1e6}),
        (keras, {"content_weight": 1e3, "style_weight": 1e-2, "steps": [1000]}),
        (holberton, {"content_weight": 1e4, "style_weight": 1, "total_variation_weight": 10, "steps": [1000]}),
    ],
    ids=lambda value: getattr(value, "__name__", "").rpartition(".")[2],
)
def test_defaults_are_the_recipes(module, expected):
    settings = impasto.Recipe(module.RECIPE).settings
    for name, value in expected.items():
        assert settings[name] == (value if isinstance(value, list) else pytest.approx(value)), name


def test_tensorflow(content, style):
    from impasto.courses.tensorflow import (
        StyleContentModel,
        Variable,
        content_layers,
        epochs,
        high_pass_x_y,
        load_img,
        num_style_layers,
        steps_per_epoch,
        style_layers,
        style_transfer,
        tensor_to_image,
        total_variation_loss,
        train_step,
    )

    assert (epochs, steps_per_epoch, num_style_layers) == (10, 100, 5)
    assert load_img("@lake").shape == (1, 341, 512, 3) and load_img("@lake").dtype == np.float32
    content_image, style_image = content.numpy("float32")[None], style.numpy("float32")[None]
    extractor = StyleContentModel(style_layers, content_layers)
    results = extractor(content_image)
    assert list(results["style"]) == style_layers and list(results["content"]) == content_layers
    gram = results["style"]["block1_conv1"]
    assert gram.ndim == 3 and gram.shape[1] == gram.shape[2]
    assert tensorflow.style_content_loss(results, results["style"], results["content"]) == 0
    x_deltas, y_deltas = high_pass_x_y(content_image)
    assert total_variation_loss(content_image) == pytest.approx(np.abs(x_deltas).sum() + np.abs(y_deltas).sum())

    image = Variable(content_image)
    losses = [train_step(image, content_image, style_image) for _ in range(3)]
    expected = recipe("tensorflow", content, style, steps=3)
    assert np.array_equal(image.numpy()[0], np.clip(expected, 0, 1))
    assert losses == impasto.stylize(content, style, recipe="tensorflow", size="original", steps=3).losses
    image.assign(content_image)
    assert train_step(image, content_image, style_image) == losses[0], "begun anew"
    whole = style_transfer(content_image, style_image, epochs=1, steps_per_epoch=3)
    assert np.array_equal(whole[0], expected)
    assert tensor_to_image(image).size == content.size


def test_keras(content, style):
    best, best_loss = keras.run_style_transfer(content, style, num_iterations=3, max_dim=48)
    scaled = style.resized(48)
    result = impasto.stylize(content, scaled, recipe="keras-eager", size="original", steps=3)
    assert np.array_equal(best, result.numpy()) and best_loss == min(result.losses)
    assert keras.load_img("@lake").max() > 200
    features = np.random.default_rng(0).random((4, 5, 3))
    assert keras.get_style_loss(features, keras.gram_matrix(features)) == 0
    assert keras.get_content_loss(features, features + 1) == pytest.approx(1)


def test_pytorch(content, style):
    content_img, style_img = content.numpy("float32", "chw")[None], style.numpy("float32", "chw")[None]
    input_img = content_img.copy()
    expected = recipe("pytorch", content, style, steps=20)
    before = (pytorch.cnn, pytorch.cnn_normalization_mean, pytorch.cnn_normalization_std)
    output = pytorch.run_style_transfer(*before, content_img, style_img, input_img, num_steps=20)
    assert np.array_equal(output[0].transpose(1, 2, 0), expected)
    short = courses.run_style_transfer(content_img, style_img, num_steps=20)
    assert np.array_equal(short, output)
    assert pytorch.image_loader("@lake").shape[2] == 128
    target = np.random.default_rng(0).random((1, 3, 4, 5))
    loss = pytorch.StyleLoss(target)
    assert loss(target) is target and loss.loss == 0
    assert pytorch.gram_matrix(target).shape == (3, 3)
    with pytest.raises(impasto.InvalidError):
        pytorch.run_style_transfer(content_img)


def test_udacity(content, style, capsys):
    pictures = [udacity.load_image(one, shape=one.size[::-1]) for one in (content, style)]
    shown: list[np.ndarray] = []
    target = udacity.style_transfer(*pictures, steps=4, show_every=2, show=shown.append)
    expected = recipe("udacity", content, style, steps=4)
    assert udacity.im_convert(target) == pytest.approx(expected, abs=1e-4)
    assert len(shown) == 2 and capsys.readouterr().out.count("Total loss:") == 2
    assert udacity.load_image("@lake").shape[-1] == 400
    features = udacity.get_features(pictures[0])
    assert list(features) == ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv4_2", "conv5_1"]
    assert udacity.gram_matrix(features["conv1_1"]).ndim == 2
    heavier = {**udacity.style_weights, "conv1_1": 0.5}
    with pytest.raises(impasto.InvalidError, match="style_layers"):
        # Whoever chooses layers means them, and the small network lacks some.
        udacity.style_transfer(*pictures, steps=1, style_weights=heavier)


def test_coursera(content, style, capsys):
    expected = recipe("coursera", content, style, steps=3)
    generated = coursera.model_nn(content, style, num_iterations=3)
    assert np.array_equal(generated.numpy("float32"), expected)
    assert "total cost" in capsys.readouterr().out
    rng = np.random.default_rng(3)
    a_C, a_G = rng.normal(1, 4, (1, 4, 4, 3)), rng.normal(1, 4, (1, 4, 4, 3))
    assert coursera.compute_content_cost(a_C[None], a_G[None]) == coursera.compute_content_cost([a_C], [a_G])
    assert coursera.compute_content_cost([a_C], [a_G]) == pytest.approx(((a_C - a_G) ** 2).sum() / (4 * 48))
    grams = [array.reshape(16, 3).T @ array.reshape(16, 3) for array in (a_C, a_G)]
    cost = ((grams[0] - grams[1]) ** 2).sum() / (4 * 9 * 256)
    assert coursera.compute_layer_style_cost(a_C, a_G) == pytest.approx(cost)
    layers = [("a", 0.25), ("b", 0.75)]
    assert coursera.compute_style_cost([a_C, a_C, a_C], [a_G, a_G, a_G], layers) == pytest.approx(cost)
    assert courses.total_cost(0.2, 0.8) == pytest.approx(34)
    noise = coursera.generate_noise_image(content)
    assert noise.shape == (1, 32, 48, 3) and 0 <= noise.min() <= noise.max() <= 1
    image = coursera.Variable(content.numpy("float32")[None])
    costs = [coursera.train_step(image, content, style) for _ in range(2)]
    assert costs[1] < costs[0]


def test_holberton(content, style, capsys):
    small = impasto.Picture("@lake").resized(32).numpy(), impasto.Picture("@swirls").resized(32).numpy()
    nst = courses.NST(small[1], small[0])
    assert nst.content_image.shape == (1, 341, 512, 3) or max(nst.content_image.shape) == 512
    # The class makes everything 512 px wide; smaller here, for speed.
    nst.content_image, nst.style_image = content.numpy("float32")[None], style.numpy("float32")[None]
    nst.generate_features()
    image, cost = nst.generate_image(iterations=3, step=2)
    result = impasto.stylize(content, style, recipe="holberton", size="original", steps=3)
    assert np.array_equal(image, result.numpy("float32")) and cost == min(result.losses)
    assert capsys.readouterr().out.startswith("Cost at iteration 0: ")
    J, J_content, J_style, J_var = nst.total_cost(nst.content_image)
    assert J == pytest.approx(1e4 * J_content + J_style + 10 * J_var, rel=1e-5)
    gradients, *costs = nst.compute_grads(nst.content_image)
    assert gradients.shape == nst.content_image.shape and costs == [J, J_content, J_style, J_var]
    outputs = [np.zeros((1, 4, 4, gram.shape[-1])) for gram in nst.gram_style_features]
    assert nst.style_cost(outputs) > 0 and nst.content_cost(nst.content_feature) == 0


def test_what_a_course_has_beside_is_named(content, style):
    for module, name in (
        (tensorflow, "vgg_layers"), (keras, "load_and_process_img"), (keras, "deprocess_img"), (keras, "get_model"),
        (pytorch, "get_style_model_and_losses"), (pytorch, "Normalization"),
    ):
        with pytest.raises(ImportError, match=f"has no {name}: .+"):
            exec(f"from {module.__name__} import {name}")
        assert not hasattr(module, "anything_else")
    image = tensorflow.Variable(content.numpy("float32")[None])
    for call in (
        lambda: tensorflow.train_step(image),
        lambda: tensorflow.style_content_loss({"style": {}, "content": {}}),
        lambda: coursera.train_step(image),
    ):
        with pytest.raises(impasto.InvalidError, match="has in globals"):
            call()
    look = coursera.get_layer_outputs(None, [*coursera.STYLE_LAYERS, ("block5_conv4", 1)])
    outputs = look(content.numpy("float32")[None])
    assert len(outputs) == 6 and outputs[0].shape == (1, *content.size[::-1], outputs[0].shape[-1])
    assert coursera.compute_content_cost(outputs, outputs) == 0
    loaded = udacity.load_image(content).to("cpu")
    assert np.array_equal(loaded.clone().requires_grad_(True).cpu().detach().numpy(), loaded)
    assert pytorch.image_loader(content).clone().shape[2] == 128


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda a: courses.NST(a[..., 0], a), "style_image must be a numpy.ndarray with shape (h, w, 3)"),
        (lambda a: courses.NST(a, "lake"), "content_image must be a numpy.ndarray with shape (h, w, 3)"),
        (lambda a: courses.NST(a, a, -1), "alpha must be a non-negative number"),
        (lambda a: courses.NST(a, a, beta="1"), "beta must be a non-negative number"),
        (lambda a: courses.NST.gram_matrix(a), "input_layer must be a tensor of rank 4"),
        (lambda a: courses.NST(a, a).style_cost([]), "style_outputs must be a list with a length of 5"),
        (lambda a: courses.NST(a, a).generate_image(iterations="3"), "iterations must be an integer"),
        (lambda a: courses.NST(a, a).generate_image(iterations=3, step=3), "step must be positive and less than iterations"),
        (lambda a: courses.NST(a, a).generate_image(lr=-1), "lr must be positive"),
        (lambda a: courses.NST(a, a).generate_image(beta1=2.0), "beta1 must be in the range [0, 1]"),
    ],
)
def test_holberton_refuses_in_its_own_words(call, error, photo):
    with pytest.raises((TypeError, ValueError)) as caught:
        call(photo)
    assert str(caught.value) == error


def test_runs_that_nobody_ends_end(content, style):
    import gc
    import threading
    import time

    image = tensorflow.Variable(content.numpy("float32")[None])
    tensorflow.train_step(image, content, style)
    before = threading.active_count()
    del image
    gc.collect()
    for _ in range(200):
        if threading.active_count() < before:
            break
        time.sleep(0.01)
    assert threading.active_count() < before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()
