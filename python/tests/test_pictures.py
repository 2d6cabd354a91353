"""Pictures come in as anything and go out as they were."""

from __future__ import annotations

import copy
import io
import pickle

import impasto
import numpy as np
import pytest
from impasto import InvalidError, MissingError, Picture

RANDOM = np.random.default_rng(1)
RGB = RANDOM.integers(0, 256, (5, 7, 3), dtype=np.uint8)
RGBA = np.dstack([RGB, RANDOM.integers(0, 255, (5, 7), dtype=np.uint8)])


def views(array: np.ndarray) -> dict[str, np.ndarray]:
    """The same values in memory of all kinds."""
    padded = np.zeros((9, 20, array.shape[2]), array.dtype)
    padded[1:6, 3:17:2] = array
    backwards = np.ascontiguousarray(array[::-1, ::-1, ::-1])
    frozen = array.copy()
    frozen.flags.writeable = False
    return {
        "C": array,
        "Fortran": np.asfortranarray(array),
        "strided": padded[1:6, 3:17:2],
        "negative": backwards[::-1, ::-1, ::-1],
        "read-only": frozen,
        "other bytes": array.astype(array.dtype.newbyteorder()),
        "unaligned": np.frombuffer(b"x" + array.tobytes(), np.uint8)[1:].view(array.dtype).reshape(array.shape),
    }


@pytest.mark.parametrize("array", [RGB, RGBA], ids=["RGB", "RGBA"])
def test_bytes_come_back_from_every_layout(array):
    for kind, view in views(array).items():
        assert np.array_equal(Picture(view).numpy(), array), kind
        planar = np.moveaxis(view, -1, 0)
        assert np.array_equal(Picture(planar).numpy(), array), f"{kind}, planar"
        assert np.array_equal(Picture(view[None]).numpy(layout="chw"), np.moveaxis(array, -1, 0)), f"{kind}, batch"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_value_comes_back(dtype):
    values = np.linspace(0, 1, 4096, dtype=np.float32) if dtype == "float32" else np.arange(np.iinfo(dtype).max + 1)
    array = np.repeat(values.astype(dtype).reshape(-1, 16)[..., None], 3, axis=2)
    back = Picture(array).numpy(dtype)
    assert back.dtype == dtype and np.array_equal(back, array)
    planar = np.moveaxis(array, -1, 0)
    assert np.array_equal(Picture(planar).numpy(dtype, "chw"), planar)


def test_floats_are_rounded_as_in_files(tmp_path):
    halves = ((np.arange(255) + 0.5) / 255).astype(np.float32)
    around = [halves, np.nextafter(halves, np.float32(0)), np.nextafter(halves, np.float32(1)), [-0.25, -1e-9, 0.0, 1.0, 1.25]]
    values = np.concatenate(around).astype(np.float32)
    picture = Picture.from_array(np.repeat(values.reshape(1, -1, 1), 3, axis=2), layout="hwc")
    assert np.array_equal(picture.numpy(), Picture(picture.save(tmp_path / "a.png")).numpy())
    for dtype, most in (("uint8", 255), ("uint16", 65535)):
        # Halves go upwards; the product is rounded to 24 bits first, as any of f32 is.
        expected = np.floor((np.clip(values, 0, 1) * np.float32(most)).astype(np.float64) + 0.5)
        assert np.array_equal(picture.numpy(dtype)[0, :, 0], expected)


def test_floats_of_all_widths_and_whole_numbers():
    exact = RGB.astype(np.float32) / 255
    for dtype in (np.float64, np.float32, np.float16):
        assert np.array_equal(Picture(exact.astype(dtype)).numpy("float32"), exact.astype(dtype).astype(np.float32))
    for dtype in (np.int64, np.int32, np.uint64):
        assert np.array_equal(Picture(RGB.astype(dtype)).numpy(), RGB)
    mask = RGB[..., 0] > 127
    assert np.array_equal(Picture(mask).numpy()[..., 0], np.where(mask, 255, 0))
    grey = Picture(RGB[..., 0])
    assert np.array_equal(grey.numpy(), np.repeat(RGB[..., :1], 3, axis=2))
    assert np.array_equal(Picture(RGBA[..., 2:]).numpy()[..., 3], RGBA[..., 3])


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.float32(0.5), "no picture in it"),
        (np.zeros((0, 4, 3)), "no picture in it"),
        (np.zeros((4, 0)), "no picture in it"),
        (np.zeros(12), r"\[h, w\]"),
        (np.zeros((2, 5, 7, 3)), r"\[h, w\]"),
        (np.zeros((5, 7, 9)), "channels"),
        (np.zeros((3, 7, 4)), "layout="),
        (np.full((4, 4), np.nan), "no numbers"),
        (np.full((4, 4), np.inf), "no numbers"),
        (np.full((4, 4), 255.0), "divide by 255"),
        (np.full((4, 4), 300), "0..255"),
        (np.full((4, 4), -1), "0..255"),
        (np.full((4, 4), 1j), "complex"),
        (np.full((4, 4), "a"), "<U1"),
        (np.full((4, 4), None), "object"),
        (object(), "not object"),
        (3.5, "not float"),
        (None, "not NoneType"),
        ({"a": 1}, "not dict"),
    ],
)
def test_what_is_no_picture_is_refused(array, problem):
    with pytest.raises(InvalidError, match=problem):
        Picture(array)


def test_layout_decides_what_could_be_both():
    array = RANDOM.integers(0, 256, (3, 7, 4), dtype=np.uint8)
    assert Picture.from_array(array, layout="chw").size == (4, 7)
    assert Picture.from_array(array, layout="hwc").size == (7, 3)
    with pytest.raises(InvalidError):
        Picture.from_array(RGB[..., 0], layout="chw")


def test_paths_bytes_and_files(tmp_path):
    lake = Picture("@lake")
    path = lake.save(tmp_path / "läke ☃.png")
    data = path.read_bytes()
    for source in (path, str(path), data, bytearray(data), memoryview(data)):
        assert Picture(source) == lake
    assert Picture(path).name == "läke ☃.png"
    with pytest.raises(MissingError) as missing:
        Picture(tmp_path / "nothing.png")
    assert isinstance(missing.value, FileNotFoundError)
    with pytest.raises(impasto.ImpastoError, match="damaged|picture"):
        Picture(data[:100])
    with pytest.raises(InvalidError):
        lake.save(tmp_path / "lake.txt")
    for name in ("a.jpg", "a.webp", "a.tif"):
        assert Picture(lake.save(tmp_path / name)).size == lake.size


def test_pil_pictures_of_all_modes(tmp_path):
    image = pytest.importorskip("PIL.Image")
    rgb = image.fromarray(RGB)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"):
        picture = Picture(rgb.convert(mode) if mode != "LAB" else rgb)
        assert picture.size == (7, 5), mode
    assert np.array_equal(Picture(rgb).numpy(), RGB)
    assert np.array_equal(Picture(image.fromarray(RGBA)).numpy(), RGBA)
    sixteen = np.arange(35, dtype=np.uint16).reshape(5, 7) * 1000
    assert np.array_equal(Picture(image.fromarray(sixteen)).numpy("uint16")[..., 0], sixteen)
    rgb.save(tmp_path / "named.png")
    with image.open(tmp_path / "named.png") as opened:
        assert Picture(opened).name == "named.png"
    assert np.array_equal(np.asarray(Picture(RGBA).pil()), RGBA)


class Tensor:
    """What torch, TensorFlow and JAX offer."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    def __dlpack__(self, **arguments):
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Legacy:
    """What has `__array__` alone."""

    def __array__(self, dtype=None, copy=None):
        return RGB


def test_arrays_of_others():
    floats = np.moveaxis(RGB, -1, 0).astype(np.float32) / 255
    assert np.array_equal(Picture(Tensor(floats[None])).numpy(), RGB)
    assert np.array_equal(Picture(Legacy()).numpy(), RGB)
    assert np.array_equal(Picture(RGB.tolist()).numpy(), RGB)
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(floats).requires_grad_()
    assert np.array_equal(Picture(tensor).numpy(), RGB)
    assert np.array_equal(torch.from_dlpack(Picture(RGB)).numpy(), floats)


def test_a_picture_is_an_array():
    picture = Picture(RGB)
    assert np.array_equal(np.asarray(picture), RGB)
    assert np.array_equal(np.asarray(picture, dtype=np.float32), RGB.astype(np.float32) / 255)
    assert np.from_dlpack(picture).shape == (3, 5, 7)
    with pytest.raises(ValueError, match="copy"):
        np.asarray(picture, copy=False)
    back = picture.numpy()
    back[:] = 0
    assert np.array_equal(picture.numpy(), RGB), "it never changes"


def test_pictures_are_equal_and_travel():
    picture = Picture.from_array(RGBA, name="mine")
    for other in (pickle.loads(pickle.dumps(picture)), copy.copy(picture), copy.deepcopy(picture)):
        assert other == picture and other.name == "mine"
    assert picture != Picture(RGB)
    assert picture != "mine"


def test_sizes(photo):
    assert impasto.load_img("@lake").size == (512, 341)
    assert impasto.load_img("@lake", max_dim=None).size == Picture("@lake").size
    assert Picture(photo).resized(size=(10, 20)).size == (10, 20)
    with pytest.raises(InvalidError):
        Picture(photo).resized()


def test_notebooks_see_it(photo):
    picture = Picture(photo)
    assert Picture(picture._repr_png_()) == picture, "small ones to the last bit"
    assert picture._repr_jpeg_() is None
    large = Picture("@lake").resized(1500)
    assert large._repr_png_() is None and Picture(large._repr_jpeg_()).width == 1024
    assert Picture(RGBA)._repr_png_() is not None, "what is transparent stays so"
    image = pytest.importorskip("PIL.Image")
    assert image.open(io.BytesIO(picture.encode("jpg"))).size == picture.size


def test_a_mask_of_zeros_and_ones_is_one_of_bool(photo):
    mask = np.zeros(photo.shape[:2], bool)
    mask[:, 32:] = True
    options = {"size": 64, "quality": "instant", "feather": 0}
    expected = impasto.stylize(photo, "@swirls", mask=mask, **options).numpy()
    assert not np.array_equal(expected, photo)
    for kind in (np.uint8, np.int64):
        assert np.array_equal(impasto.stylize(photo, "@swirls", mask=mask.astype(kind), **options).numpy(), expected)
    regions = [(mask.astype(int), "@ink"), ((~mask).astype(int), "@waves")]
    by_bool = impasto.stylize(photo, regions=[(mask, "@ink"), (~mask, "@waves")], **options).numpy()
    assert np.array_equal(impasto.stylize(photo, regions=regions, **options).numpy(), by_bool)


def test_pil_pictures_of_rare_modes():
    image = pytest.importorskip("PIL.Image")
    bright = image.fromarray(np.full((5, 7), 300, np.int32))
    assert bright.mode == "I"
    with pytest.raises(InvalidError, match="from 300 to 300"):
        Picture(bright)
    assert np.array_equal(Picture(image.fromarray(RGB[..., 0].astype(np.int32))).numpy()[..., 0], RGB[..., 0])
    sixteen = np.arange(35, dtype=np.uint16).reshape(5, 7) * 1000
    assert np.array_equal(Picture(image.fromarray(sixteen)).numpy("uint16")[..., 0], sixteen)
    assert Picture(image.fromarray(RGBA).convert("RGBa")).has_alpha
    assert Picture(image.fromarray(RGB).convert("LA").convert("La")).size == (7, 5)

    class Odd:
        mode = "odd"
        getbands = tuple

        def convert(self, mode):
            raise ValueError("conversion not supported")

    with pytest.raises(InvalidError, match="mode odd"):
        Picture(Odd())


def test_pictures_are_keys():
    ink = Picture("@ink")
    assert hash(ink) == hash(Picture("@ink")) and hash(Picture(RGB)) != hash(Picture(RGBA))
    weighted = impasto.stylize("@lake", {ink: 2, Picture("@swirls"): 1}, quality="instant", size=32)
    by_name = impasto.stylize("@lake", {"@ink": 2, "@swirls": 1}, quality="instant", size=32)
    assert np.array_equal(weighted.numpy(), by_name.numpy())


def test_files_that_are_open_and_arrays_that_are_odd():
    data = Picture(RGB).encode("png")
    for source in (io.BytesIO(data), bytearray(data), memoryview(data)):
        assert Picture.open(source) == Picture(RGB)
    with pytest.raises(InvalidError, match="opened for bytes"):
        Picture(io.StringIO("a"))
    with pytest.raises(InvalidError, match="layout is 'xyz'"):
        Picture.from_array(RGB, layout="xyz")
    with pytest.raises(InvalidError, match="grey and alpha, or two pictures"):
        Picture(np.zeros((2, 5, 7)))
    with pytest.raises(InvalidError, match="masked"):
        Picture(np.ma.masked_equal(RGB, RGB[0, 0, 0]))
    with pytest.raises(InvalidError, match="no array"):
        Picture([[1, 2], [3]])
    assert Picture(RGB).numpy(np.uint8).dtype == np.uint8 and Picture(RGB).numpy(np.dtype("float32")).dtype == np.float32

    class Closed:
        def __dlpack__(self, **arguments):
            raise RuntimeError("it is closed")

        def __dlpack_device__(self):
            return (1, 0)

    with pytest.raises(InvalidError, match="it is closed"):
        Picture(Closed())
