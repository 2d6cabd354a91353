"""The words of the courses in which people meet style transfer: a module for each, with that course's names and defaults.

| module | course | its words |
|---|---|---|
| `impasto.courses.tensorflow` | TensorFlow's tutorial | `load_img`, `StyleContentModel`, `train_step`, `total_variation_loss` |
| `impasto.courses.keras` | R. Yuan's tf.keras notebook | `run_style_transfer(content_path, style_path, num_iterations=1000)` |
| `impasto.courses.pytorch` | PyTorch's tutorial | `image_loader`, `run_style_transfer(…, num_steps=300)` |
| `impasto.courses.udacity` | Udacity's notebook | `load_image`, `get_features`, `style_weights` |
| `impasto.courses.coursera` | A. Ng's assignment | `compute_content_cost`, `total_cost`, `model_nn` |
| `impasto.courses.holberton` | Holberton's class | `NST(style, content, alpha, beta).generate_image(…)` |

Each is a recipe underneath, `impasto.Recipe("tensorflow")` and so on, which says where its numbers are from. They look through
vgg19 if it is installed (`impasto.pull("vgg19")`), and otherwise through the network that comes along, which imitates four of
its layers; nearest ones stand in.
"""

from __future__ import annotations

from . import coursera, holberton, keras, pytorch, tensorflow, udacity
from .coursera import total_cost
from .holberton import NST
from .pytorch import run_style_transfer
from .tensorflow import StyleContentModel, content_layers, load_img, style_layers
from .udacity import load_image

__all__ = [
    "NST",
    "StyleContentModel",
    "content_layers",
    "coursera",
    "holberton",
    "keras",
    "load_image",
    "load_img",
    "pytorch",
    "run_style_transfer",
    "style_layers",
    "tensorflow",
    "total_cost",
    "udacity",
]
