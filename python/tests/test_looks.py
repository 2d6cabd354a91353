"""Features, Gram matrices, losses, gradients."""

from __future__ import annotations

from pathlib import Path

import impasto
import numpy as np
import pytest
from impasto import InvalidError, Picture


def test_features(photo):
    encoder = impasto.Encoder("lite")
    seen = encoder.features(photo)
    assert list(seen) == encoder.taps and encoder.parameters > 100_000
    assert seen["relu1_1"].shape[1:] == photo.shape[:2] and seen["relu1_1"].dtype == np.float32
    rows = {row["name"]: row["channels"] for row in encoder.layers if row["tap"]}
    assert {name: array.shape[0] for name, array in seen.items()} == rows
    assert set(encoder.content_layers + encoder.style_layers) <= set(encoder.taps)
    # A tutorial's name for it.
    assert np.array_equal(encoder.features(photo, "relu2_1")["relu2_1"], seen["relu2_1"])
    with pytest.raises(InvalidError, match="relu3_3"):
        encoder.features(photo, "relu9_9")
    with pytest.raises(InvalidError):
        encoder.features(photo, "the deep one")


def test_gram_matrix():
    features = np.random.default_rng(0).random((4, 3, 5), np.float32)
    expected = np.einsum("ihw,jhw->ij", features, features)
    assert impasto.gram_matrix(features) == pytest.approx(expected / 15, rel=1e-5)
    for normalize, by in {"none": 1, "hw": 15, "chw": 60, "gatys": 120}.items():
        assert impasto.gram_matrix(features, normalize) == pytest.approx(expected / by, rel=1e-5)
    assert impasto.gram_matrix(np.moveaxis(features, 0, -1)[None], "none", "hwc") == pytest.approx(expected, rel=1e-5)
    for wrong in (features[0], np.zeros((0, 3, 5))):
        with pytest.raises(InvalidError):
            impasto.gram_matrix(wrong)
    with pytest.raises(InvalidError):
        impasto.gram_matrix(features, "wh")  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match="layout"):
        impasto.gram_matrix(features, layout="wh")  # type: ignore[arg-type]


def test_loss_and_its_gradient(photo):
    rng = np.random.default_rng(2)
    image = np.clip(photo / 255 + rng.normal(0, 0.1, photo.shape), 0.1, 0.9).astype(np.float32)
    options = {"recipe": "tensorflow", "encoder": "lite", "precision": "strict", "device": "cpu"}
    loss, gradient = impasto.loss(image, photo, "@swirls", grad=True, **options)
    assert float(loss) == pytest.approx(sum(loss.terms.values())) and loss.terms.keys() == loss.weights.keys()
    assert gradient.shape == (3, *photo.shape[:2])
    # The directional derivative along the gradient is its square.
    direction = gradient / np.linalg.norm(gradient)
    step = 0.02
    moved = [
        float(impasto.loss(Picture.from_array(np.moveaxis(image, -1, 0) + sign * step * direction, layout="chw"), photo, "@swirls", **options))
        for sign in (1, -1)
    ]
    assert (moved[0] - moved[1]) / (2 * step) == pytest.approx(np.linalg.norm(gradient), rel=0.05)
    same = impasto.loss(photo, photo, photo, **options)
    assert sum(value for name, value in same.terms.items() if name != "tv") == pytest.approx(0, abs=1e-3)
    with pytest.raises(InvalidError):
        impasto.loss(photo[:20], photo, "@swirls")


def test_the_losses_of_a_run_are_those(photo):
    style = Picture("@swirls").resized(size=(64, 43))
    options = {"init": "content", "coarse_to_fine": False, "style_size": "content", "size": 64}
    result = impasto.stylize(photo, style, steps=1, **options)
    begun = impasto.loss(photo, photo, style, **options)
    assert result.losses == [pytest.approx(begun.total, rel=1e-4)]
    assert {name: values[0] for name, values in result.terms.items()} == pytest.approx(begun.terms, rel=1e-3, abs=1e-6)


def test_the_page_is_right():
    page = Path(__file__).parent.parent.parent / "docs" / "python.md"
    if not page.exists():
        pytest.skip("the sources are not here")
    block = page.read_text(encoding="utf-8").split("## Looking inside")[1].split("```")[1].removeprefix("python\n")
    names: dict = {"impasto": impasto}
    exec(block.replace("256", "48"), names)
    assert names["gradient"].shape == (3, 32, 48) and float(names["loss"]) > 0
