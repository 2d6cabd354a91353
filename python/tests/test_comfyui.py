"""The node of ComfyUI, against a stub of its interface."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import types
from pathlib import Path

import impasto
import numpy as np
import pytest

FOLDER = Path(__file__).parent.parent.parent / "comfyui"


class Stopped(Exception):
    """ComfyUI's button."""


@pytest.fixture
def comfy(monkeypatch):
    """ComfyUI, as far as a node sees it."""
    told = types.SimpleNamespace(bars=[], stop_after=None)

    class Input:
        def __init__(self, id, **keywords):
            self.id, self.keywords = id, keywords

    def kind(name):
        return type(name, (), {"Input": type("Input", (Input,), {"kind": name}), "Output": lambda **keywords: (name, keywords)})

    class Schema:
        def __init__(self, *, node_id, display_name, category, description, inputs, outputs):
            self.node_id, self.inputs, self.outputs = node_id, inputs, outputs

    class NodeOutput:
        def __init__(self, *values):
            self.values = values

    class ProgressBar:
        def __init__(self, total):
            self.total, self.values = total, []
            told.bars.append(self)

        def update_absolute(self, value):
            self.values.append(value)

    def check():
        if told.stop_after is not None and len(told.bars[-1].values) >= told.stop_after:
            raise Stopped

    kinds = {name: kind(name) for name in ("Image", "Mask", "Combo", "Int", "Float")}
    io = types.SimpleNamespace(ComfyNode=type("ComfyNode", (), {}), Schema=Schema, NodeOutput=NodeOutput, **kinds)
    latest = types.ModuleType("comfy_api.latest")
    latest.io, latest.ComfyExtension = io, type("ComfyExtension", (), {})
    management = types.ModuleType("comfy.model_management")
    management.throw_exception_if_processing_interrupted = check
    utils = types.ModuleType("comfy.utils")
    utils.ProgressBar = ProgressBar
    package = types.ModuleType("comfy")
    package.model_management, package.utils = management, utils
    modules = {
        "comfy_api": types.ModuleType("comfy_api"),
        "comfy_api.latest": latest,
        "comfy": package,
        "comfy.model_management": management,
        "comfy.utils": utils,
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    if not FOLDER.exists():
        pytest.skip("the sources are not here")
    spec = importlib.util.spec_from_file_location("impasto_node", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)])
    told.module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "impasto_node", told.module)
    spec.loader.exec_module(told.module)
    extension = asyncio.run(told.module.comfy_entrypoint())
    [told.node] = asyncio.run(extension.get_node_list())
    yield told
    sys.modules.pop("impasto_node.nodes", None)


def arguments(node, **given):
    """The schema's defaults, and what is given."""
    inputs = node.define_schema().inputs
    defaults = {one.id: one.keywords["default"] for one in inputs if "default" in one.keywords}
    return {**defaults, **given}


def test_a_batch_is_painted(comfy, photo):
    content = np.stack([photo, photo[::-1]]).astype(np.float32) / 255
    style = impasto.Picture("@swirls").resized(48).numpy("float32")[None]
    output = comfy.node.execute(**arguments(comfy.node, content=content, style=style, quality="instant"))
    [painted] = output.values
    assert painted.shape == content.shape and painted.dtype == np.float32 and 0 <= painted.min() <= painted.max() <= 1
    alone = impasto.stylize(content[0], style, quality="instant", size="original")
    assert np.array_equal(painted[0], alone.numpy("float32"))
    assert comfy.bars[0].values[-1] == comfy.bars[0].total
    # The first step of the widget that is not 0 is below the least size.
    [small] = comfy.node.execute(**arguments(comfy.node, content=content, style=style, quality="instant", size=8)).values
    assert max(small.shape[1:3]) == 16


def test_a_mask_keeps_the_rest(comfy, photo):
    content = photo[None].astype(np.float32) / 255
    mask = np.zeros((1, *photo.shape[:2]), np.float32)
    mask[:, :, 40:] = 1
    given = arguments(comfy.node, content=content, style=content, mask=mask, quality="instant", colors="content")
    [painted] = comfy.node.execute(**given).values
    assert np.array_equal(painted[0, :, :30], content[0, :, :30])


def test_the_button_stops(comfy, photo):
    content = photo[None].astype(np.float32) / 255
    comfy.stop_after = 2
    with pytest.raises(Stopped):
        comfy.node.execute(**arguments(comfy.node, content=content, style=content, quality="fine"))
    assert len(comfy.bars[0].values) == 2


def test_what_the_schema_offers_can_be(comfy):
    recipe = impasto.Recipe("impasto")
    rows = {row["keyword"]: row for row in impasto._impasto.settings()}
    for one in comfy.node.define_schema().inputs:
        if one.id == "colors":
            assert set(one.keywords["options"]) <= set(rows["colors"]["names"])
        if one.id == "strokes":
            for end in ("min", "max"):
                recipe.replace(style_scale=one.keywords[end])
