"""Nodes that paint a picture in the style of others, by ComfyUI's V3 interface.

Pictures are batches `[b, h, w, c]` of floats in 0..1, masks `[b, h, w]`. Painting is the processor's work, so that the card stays
with the other nodes; it stops where ComfyUI's button says so.
"""

from __future__ import annotations

from typing import Any

import impasto
import numpy as np
from comfy_api.latest import ComfyExtension, io

_QUALITIES = ["instant", "draft", "normal", "fine", "best"]
_COLORS = ["style", "content", "content-exact", "luminance"]
# The least long side of a result, in pixels.
_SMALLEST = 16
# Of how many parts the bar consists.
_BAR = 1000


class ImpastoStylize(io.ComfyNode):
    """Paints each picture of a batch in the style of another batch."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What goes in and out."""
        return io.Schema(
            node_id="ImpastoStylize",
            display_name="Paint in a style (impasto)",
            category="image/style transfer",
            description="Paints a picture in the style of paintings: neural style transfer, without a model to fetch.",
            inputs=[
                io.Image.Input("content", tooltip="what is painted; each picture of a batch by itself"),
                io.Image.Input("style", tooltip="the paintings; those of a batch are mixed"),
                io.Combo.Input("quality", options=_QUALITIES, default="draft", tooltip="how much work goes into it"),
                io.Int.Input("size", default=0, min=0, max=8192, step=8, tooltip="long side in pixels, 16 at least; 0 for the content's"),
                io.Float.Input("strokes", default=1.0, min=0.1, max=8.0, step=0.05, tooltip="size of the strokes"),
                io.Combo.Input("colors", options=_COLORS, default="style", tooltip="whose colours the picture has"),
                io.Int.Input("seed", default=0, min=0, max=2**63 - 1, tooltip="of everything random"),
                io.Mask.Input("mask", optional=True, tooltip="white is painted, black keeps the picture"),
            ],
            outputs=[io.Image.Output(display_name="image")],
        )

    @classmethod
    def execute(
        cls,
        content: Any,
        style: Any,
        quality: str,
        size: int,
        strokes: float,
        colors: str,
        seed: int,
        mask: Any = None,
    ) -> io.NodeOutput:
        """Paints the batch."""
        contents, paintings = _arrays(content), _arrays(style)
        masks = None if mask is None else np.asarray(mask, np.float32)
        options: dict[str, Any] = {
            "quality": quality,
            # The widget goes by steps, and one of them is too small.
            "size": max(size, _SMALLEST) if size else "original",
            "style_scale": strokes,
            "colors": colors,
            "seed": seed,
        }
        styles = [impasto.Picture.from_array(one, name=f"style {number}") for number, one in enumerate(paintings, 1)]
        progress = _Progress(len(contents))
        painted = []
        for number, one in enumerate(contents):
            own = {} if masks is None else {"mask": impasto.Picture.from_array(masks[min(number, len(masks) - 1)])}
            picture = impasto.Picture.from_array(one, layout="hwc")
            result = impasto.stylize(picture, styles, callback=progress, progress=False, **options, **own)
            painted.append(result.numpy("float32", alpha=False))
            progress.next()
        return io.NodeOutput(_like(content, np.clip(np.stack(painted), 0, 1)))


def _arrays(batch: Any) -> np.ndarray[Any, Any]:
    """A batch of the processor's memory, as an array."""
    return np.asarray(batch.cpu() if hasattr(batch, "cpu") else batch, np.float32)


def _like(batch: Any, array: np.ndarray[Any, Any]) -> Any:
    """An array as the kind of batch that came in."""
    if isinstance(batch, np.ndarray):
        return array
    import torch

    return torch.from_numpy(array)


class _Progress:
    """ComfyUI's bar and button, as a callback."""

    def __init__(self, pictures: int) -> None:
        import comfy.model_management
        import comfy.utils

        # Raises where the button was pressed; that comes out of `stylize` as it was raised.
        self._check = comfy.model_management.throw_exception_if_processing_interrupted
        self._bar = comfy.utils.ProgressBar(pictures * _BAR)
        self._done = 0

    def __call__(self, step: impasto.Step) -> None:
        self._check()
        self._bar.update_absolute(self._done + int(step.progress * _BAR))

    def next(self) -> None:
        """A picture is done."""
        self._done += _BAR
        self._check()
        self._bar.update_absolute(self._done)


class ImpastoExtension(ComfyExtension):
    """The nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """All of them."""
        return [ImpastoStylize]


async def comfy_entrypoint() -> ImpastoExtension:
    """What ComfyUI asks for."""
    return ImpastoExtension()
