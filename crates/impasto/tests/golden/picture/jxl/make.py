"""Makes the JPEG XL files in this folder and what they should decode to.

    python make.py          # needs pillow and pillow-jxl-plugin (libjxl)

`pictures.json` is as that of the folder above: lossless files have the samples they were made from, and JPEGs packed
without loss those that libjpeg sees; colours with a profile are littleCMS's.
"""

import io
import json
import random
import tempfile
from pathlib import Path

import pillow_jxl  # noqa: F401, registers the format
from PIL import Image, ImageCms, ImageOps

HERE = Path(__file__).parent
RANDOM = random.Random(21)
CASES = []


def noise(mode, channels, width=7, height=5, size=1):
    """A picture, and its samples pixel by pixel."""
    data = bytes(RANDOM.randrange(256) for _ in range(width * height * channels * size))
    return Image.frombytes(mode, (width, height), data), data


def case(name, picture, rgb, alpha=None, depth=8, tolerance=0, **options):
    picture.save(HERE / name, **options)
    entry = {"file": f"jxl/{name}", "width": picture.width, "height": picture.height}
    entry |= {"depth": depth, "tolerance": tolerance, "rgb": rgb}
    CASES.append(entry | ({"alpha": alpha} if alpha else {}))


picture, data = noise("RGB", 3)
case("rgb.jxl", picture, data.hex(), lossless=True)
picture, data = noise("RGBA", 4)
colours = b"".join(data[i : i + 3] for i in range(0, len(data), 4))
case("rgba.jxl", picture, colours.hex(), data[3::4].hex(), lossless=True)
picture, data = noise("L", 1)
case("grey.jxl", picture, bytes(v for v in data for _ in range(3)).hex(), lossless=True)
picture, data = noise("I;16", 1, size=2)
# The encoder takes 16 bits to be proportional to light.
light = [(data[i] + 256 * data[i + 1]) / 65535 for i in range(0, len(data), 2)]
coded = [12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in light]
digits = "".join(3 * format(round(65535 * v), "04x") for v in coded)
case("grey16.jxl", picture, digits, depth=16, tolerance=64, lossless=True)
profile = Image.open(HERE.parent / "p3.png").info["icc_profile"]
exif = Image.Exif()
exif[0x0112] = 6
for name, options in [("rgb", {}), ("p3", {"icc_profile": profile}), ("orientation6", {"exif": exif})]:
    # Smooth, and colours as fine as brightness: there all decoders agree.
    smooth = Image.new("RGB", (21, 13))
    smooth.putdata([(110 + 4 * x, 190 - 5 * y, 120 + 2 * x + 2 * y) for y in range(13) for x in range(21)])
    # The encoder packs a file.
    file = Path(tempfile.mkdtemp()) / "smooth.jpg"
    smooth.save(file, quality=95, subsampling=0, **options)
    jpeg = Image.open(file)
    seen = ImageOps.exif_transpose(jpeg)
    case(f"{name}-jpeg.jxl", jpeg, "", tolerance=3, lossless_jpeg=True)
    if "icc_profile" in options:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        seen = ImageCms.profileToProfile(seen, source, ImageCms.createProfile("sRGB"))
        CASES[-1]["tolerance"] = 5
    CASES[-1] |= {"width": seen.width, "height": seen.height, "rgb": seen.tobytes().hex()}
lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in CASES)
(HERE / "pictures.json").write_text(f"[\n{lines}\n]\n")
