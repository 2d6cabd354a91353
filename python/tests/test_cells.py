"""Cells as readers of the six tutorials type them, with the import changed: they run, and give the pictures of the recipes.

Cells that define what the modules have already are left out, and so are those that need the course's own framework.
"""

from __future__ import annotations

import textwrap
import warnings
from typing import Any

import impasto
import numpy as np
import pytest

# Small, so that all of it takes seconds: whoever types the cells leaves the sizes out.
CONTENT, STYLE = (impasto.Picture(impasto.load_img(name, 48).numpy()) for name in ("@lake", "@swirls"))


def recipe(name: str, content: Any = CONTENT, style: Any = STYLE, **settings: Any) -> impasto.Result:
    return impasto.stylize(content, style, recipe=name, size="original", **settings)


def run(*cells: str, **names: Any) -> dict[str, Any]:
    """The names that there are after the cells, which are run as a notebook does, one after another."""
    for cell in cells:
        exec(compile(textwrap.dedent(cell), "a cell", "exec"), names)
    return names


@pytest.fixture
def plt():
    """matplotlib without a screen, if it is there."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield pyplot
    pyplot.close("all")


def test_tensorflow(tmp_path, capsys):
    cells = run(
        "from impasto.courses.tensorflow import *",
        """
        content_image = load_img(content_path, 48)
        style_image = load_img(style_path, 48)
        """,
        """
        extractor = StyleContentModel(style_layers, content_layers)
        results = extractor(content_image)
        for name, output in sorted(results['style'].items()):
            print("  ", name, output.numpy().shape, output.numpy().min(), output.numpy().max(), output.numpy().mean())
        for name, output in sorted(results["content"].items()):
            print("  ", name, output.numpy().shape)
        """,
        """
        style_targets = extractor(style_image)['style']
        content_targets = extractor(content_image)['content']
        image = Variable(content_image)
        """,
        "first = style_content_loss(extractor(image))",
        """
        train_step(image)
        train_step(image)
        train_step(image)
        """,
        "stylized = tensor_to_image(image); stylized.save(file_name)",
        """
        x_deltas, y_deltas = high_pass_x_y(content_image)
        rough = total_variation_loss(image)
        """,
        content_path="@lake",
        style_path="@swirls",
        file_name=str(tmp_path / "stylized-image.png"),
    )
    expected = recipe("tensorflow", cells["content_image"], cells["style_image"], steps=3)
    assert np.array_equal(cells["image"].numpy()[0], np.clip(expected.numpy("float32"), 0, 1))
    assert impasto.Picture(tmp_path / "stylized-image.png").size == CONTENT.size
    assert cells["first"] > 0 and cells["rough"] > 0 and "block5_conv2" in capsys.readouterr().out


def test_what_the_tutorials_reader_changes_takes_effect():
    imported = "from impasto.courses.tensorflow import *"
    common = """
        extractor = StyleContentModel(style_layers, content_layers)
        style_targets = extractor(style_image)['style']
        content_targets = extractor(content_image)['content']
        image = Variable(content_image)
    """
    pictures = {"content_image": CONTENT.numpy("float32")[None], "style_image": STYLE.numpy("float32")[None]}
    usual = run(imported, common, "losses = [train_step(image) for n in range(2)]", **pictures)
    other = run(imported, common, "total_variation_weight = 3000", "losses = [train_step(image) for n in range(2)]", **pictures)
    assert other["losses"] == recipe("tensorflow", steps=2, total_variation_weight=3000).losses != usual["losses"]
    layers = run(imported, "style_layers = ['block1_conv1']", common, "loss = train_step(image)", **pictures)
    assert layers["loss"] == recipe("tensorflow", steps=1, style_layers=["block1_conv1"]).losses[0]
    changed = run(imported, common, "before = train_step(image)", "style_weight = 1.0", "after = train_step(image)", **pictures)
    assert changed["after"] > 10 * changed["before"], "weights that are changed in the middle are taken"


def test_keras(plt):
    cells = run(
        "from impasto.courses.keras import *",
        """
        plt.figure(figsize=(10, 10))
        content = load_img(content_path).astype('uint8')
        style = load_img(style_path).astype('uint8')
        plt.subplot(1, 2, 1)
        imshow(content, 'Content Image')
        plt.subplot(1, 2, 2)
        imshow(style, 'Style Image')
        plt.show()
        """,
        "best, best_loss = run_style_transfer(content_path, style_path, num_iterations=2)",
        "show_results(best, content_path, style_path)",
        plt=plt,
        content_path=CONTENT,
        style_path=STYLE,
    )
    large = [impasto.load_img(picture, 512) for picture in (CONTENT, STYLE)]
    expected = recipe("keras-eager", *large, steps=2)
    assert np.array_equal(cells["best"], expected.numpy()) and cells["best_loss"] == min(expected.losses)


def test_pytorch(plt):
    cells = run(
        "from impasto.courses.pytorch import *",
        """
        style_img = image_loader(style_path, 32)
        content_img = image_loader(content_path, 32)
        assert style_img.size() == content_img.size(), "we need to import style and content images of the same size"
        """,
        """
        plt.figure()
        imshow(style_img, title='Style Image')
        """,
        "input_img = content_img.clone()",
        """
        output = run_style_transfer(cnn, cnn_normalization_mean, cnn_normalization_std,
                                    content_img, style_img, input_img, num_steps=20)
        """,
        """
        plt.figure()
        imshow(output, title='Output Image')
        plt.ioff()
        plt.show()
        """,
        plt=plt,
        content_path=CONTENT,
        style_path=CONTENT.resized(size=(96, 64)),
    )
    content, style = cells["content_img"], cells["style_img"]
    assert content.size == content.numpy().size == 3 * content.size(2) * content.size(3)
    expected = recipe("pytorch", content, style, steps=20).numpy("float32", "chw")
    assert np.array_equal(cells["output"][0], expected)


def test_pytorch_with_tensors_of_torch():
    torch = pytest.importorskip("torch")
    content, style = (torch.from_numpy(picture.numpy("float32", "chw"))[None] for picture in (CONTENT, STYLE))
    cells = run(
        "from impasto.courses.pytorch import *",
        "output = run_style_transfer(cnn, None, None, content_img, style_img, content_img.clone(), num_steps=20)",
        "output = torch.from_numpy(output)",
        content_img=content,
        style_img=style,
        torch=torch,
    )
    assert np.array_equal(cells["output"][0].numpy(), recipe("pytorch", steps=20).numpy("float32", "chw"))


def test_udacity(plt):
    cells = run(
        "from impasto.courses.udacity import *",
        """
        content = load_image(content_path).to("cpu")
        style = load_image(style_path, shape=content.shape[-2:]).to("cpu")
        """,
        """
        fig, (ax1, ax2) = plt.subplots(1, 2, figsize=(20, 10))
        ax1.imshow(im_convert(content))
        ax2.imshow(im_convert(style))
        """,
        """
        content_features = get_features(content, vgg)
        style_features = get_features(style, vgg)
        style_grams = {layer: gram_matrix(style_features[layer]) for layer in style_features}
        target = content.clone().requires_grad_(True).to("cpu")
        """,
        """
        target_features = get_features(target, vgg)
        content_loss = ((target_features['conv4_2'] - content_features['conv4_2'])**2).mean()
        for layer in style_weights:
            _, d, h, w = target_features[layer].shape
            assert gram_matrix(target_features[layer]).shape == style_grams[layer].shape == (d, d)
        """,
        "target = style_transfer(content, style, target, steps=3, show_every=2, style_weights=style_weights, style_weight=style_weight)",
        "ax1.imshow(im_convert(target))",
        plt=plt,
        content_path=CONTENT,
        style_path=STYLE,
    )
    expected = recipe("udacity", CONTENT, STYLE.resized(size=CONTENT.size), steps=3)
    assert cells["content_loss"] == 0
    assert np.abs(impasto.courses.udacity.im_convert(cells["target"]) - expected.numpy("float32")).max() < 1e-4


def test_coursera(capsys):
    cells = run(
        "from impasto.courses.coursera import *",
        "assert abs(compute_content_cost(np.ones((1, 1, 4, 4, 3)), np.zeros((1, 1, 4, 4, 3))) - 0.25) < 1e-6",
        """
        vgg_model_outputs = get_layer_outputs(vgg, STYLE_LAYERS + content_layer)
        content_target = vgg_model_outputs(content_image)
        style_targets = vgg_model_outputs(style_image)
        a_C = vgg_model_outputs(Variable(content_image))
        a_S = vgg_model_outputs(Variable(style_image))
        """,
        """
        generated_image = Variable(content_image)
        a_G = vgg_model_outputs(generated_image)
        J_content = compute_content_cost(a_C, a_G)
        J_style = compute_style_cost(a_S, a_G)
        J = total_cost(J_content, J_style, alpha=10, beta=40)
        """,
        """
        epochs = 3
        for i in range(epochs):
            train_step(generated_image)
            if i % 2 == 0:
                print(f"Epoch {i} ")
        image = tensor_to_image(generated_image)
        """,
        np=np,
        content_image=CONTENT.numpy("float32")[None],
        # The assignment makes both pictures one size.
        style_image=STYLE.resized(size=CONTENT.size).numpy("float32")[None],
    )
    expected = recipe("coursera", CONTENT, cells["style_image"], steps=3, init=CONTENT).numpy("float32")
    assert np.array_equal(cells["generated_image"].numpy()[0], expected)
    assert cells["J_content"] == 0 and cells["J"] == pytest.approx(40 * cells["J_style"])
    assert capsys.readouterr().out == "Epoch 0 \nEpoch 2 \n"


def test_holberton(capsys):
    cells = run(
        "from impasto.courses import NST",
        """
        nst = NST(style_image, content_image)
        scaled_style = nst.scale_image(style_image)
        print(type(nst.style_image), nst.style_image.shape, np.min(nst.style_image), np.max(nst.style_image), nst.alpha, nst.beta)
        """,
        """
        total, content, style, var = nst.total_cost(nst.content_image)
        variational = nst.variational_cost(nst.content_image)
        grads, *costs = nst.compute_grads(nst.content_image)
        """,
        "generated_image, cost = nst.generate_image(iterations=2, step=1, lr=0.002)",
        np=np,
        content_image=CONTENT.numpy(),
        style_image=STYLE.numpy(),
    )
    large = [impasto.Picture(cells["nst"].scale_image(picture.numpy())) for picture in (CONTENT, STYLE)]
    expected = recipe("holberton", *large, steps=2, learning_rate=0.002)
    assert np.array_equal(cells["generated_image"], expected.numpy("float32")) and cells["cost"] == min(expected.losses)
    assert cells["var"] == pytest.approx(cells["variational"], rel=1e-3) and cells["content"] == 0
    assert cells["nst"].model.name in ("lite", "vgg19") and "Cost at iteration 0: " in capsys.readouterr().out
