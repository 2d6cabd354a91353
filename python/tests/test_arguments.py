"""Arguments that cannot be are told of, all at once and in Python's words, whatever their type."""

from __future__ import annotations

import os
import pathlib

import impasto
import numpy as np
import pytest
from impasto import ImpastoError, InvalidError, MissingError, Picture


@pytest.mark.parametrize("side", [0, -1, 32769, 10**7, 10**20, 1.5, "5", True])
def test_sides_have_bounds(side):
    lake = Picture("@lake")
    with pytest.raises(InvalidError, match="max_dim is .*1 to 32768"):
        lake.resized(side)
    with pytest.raises(InvalidError, match="size is .*1 to 32768"):
        lake.resized(size=(side, 2))
    with pytest.raises(InvalidError):
        impasto.load_img("@lake", side)


@pytest.mark.parametrize("size", [(5,), (1, 2, 3), "ab", 5, (2**62, 2)])
def test_sizes_are_two_sides(size):
    with pytest.raises(InvalidError, match="size is "):
        Picture("@lake").resized(size=size)


@pytest.mark.skipif(os.name == "nt", reason="limits are others there")
def test_too_little_memory_is_an_exception(program):
    import resource
    import subprocess
    import sys

    script = "import impasto; impasto.Picture('@lake').resized(size=(32768, 32768))"
    limit = 4 << 30
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode == 1 and "MemoryError: a picture of 32768×32768 needs" in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"memory": "3 parsecs"}, 'memory is "3 parsecs": must be a number with its unit, such as 3GB'),
        ({"memory": -1}, "memory is -1: must be a whole number of at least 1"),
        ({"memory": 1.5}, "memory is 1.5"),
        ({"threads": -3}, "threads is -3: must be a whole number of at least 1"),
        ({"threads": 1.0}, "threads is 1.0"),
        ({"tile": "x"}, "tile is 'x'"),
        ({"device": 3}, "device is 3: must be a text"),
        ({"quality": 3}, "quality is 3: must be a text"),
        ({"encoder": b"x"}, "encoder is b'x': must be a path"),
        ({"model": 3}, "model is 3: must be a path"),
        ({"recipe": 3}, "recipe is 3: must be the name of a recipe"),
        ({"regions": 3}, "regions is 3: must be a list"),
        ({"regions": [None]}, "a region is"),
        ({"style_masks": 3}, "style_masks is 3: must be a list of pictures"),
        ({"style_masks": "@lake"}, "style_masks is '@lake': must be a list of pictures"),
        ({"style_masks": [None]}, "style_masks: a picture is"),
        ({"mask": 3}, "mask: a picture is"),
        ({"colors": b"style"}, "colors is b'style': a setting is"),
        ({"seed": 10**5000}, "seed is of type int"),
        ({"colors": "\udcff"}, "must be Unicode"),
        ({"frames_every": "a"}, "frames_every is 'a'"),
        ({"callback": 3}, "callback is 3: must be a function"),
        ({"on_interrupt": 3}, "on_interrupt is 3: must be raise or return"),
        ({"progress": 3}, "progress is 3"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_types_hide_nothing_else(options, problem):
    with pytest.raises(InvalidError) as caught:
        impasto.stylize("@lake", "@swrils", **options)
    problems = "\n".join(caught.value.problems)
    assert problem in problems and "there is no example picture @swrils" in problems


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: impasto.stylize(3, "@ink", style_weight=-1), "content: a picture is.*\n.*style_weight is -1"),
        (lambda: impasto.stylize("@lake", 3, style_weight=-1), "style: a picture is.*\n.*style_weight is -1"),
        (lambda: impasto.stylize("@lake", [None], seed=-1), "seed is (.|\n)*style: a picture is"),
        (lambda: impasto.stylize("@lake", {"@ink": "a"}), "the weight of style '@ink' is 'a': must be a number"),
        (lambda: impasto.Recipe(3), "name is 3: must be the name of a recipe"),
        (lambda: impasto.Recipe().diff(3), "must be the name of a recipe"),
        (lambda: impasto.Recipe(steps=object(), size=3), "steps is of type object(.|\n)*size is 3"),
        (lambda: impasto.Recipe.parse(3), "text is 3"),
        (lambda: impasto.Encoder(3), "encoder is 3: must be a path"),
        (lambda: impasto.Encoder("lite", threads=-1, device="abacus"), "threads is -1(.|\n)*device: "),
        (lambda: impasto.Encoder("lite").features("@lake", 3), "layers is 3"),
        (lambda: impasto.compare("@lake", "@ink", ["paint", 3]), "one of recipes is 3"),
        (lambda: impasto.compare("@lake", "@ink", impasto.Recipe("paint")), "must be a list of names and recipes"),
        (lambda: impasto.gallery("@lake", ["@ink"], "folder"), "contents is '@lake': must be a list of pictures"),
        (lambda: impasto.gallery(["@lake"], Picture("@ink")), "styles is of type Picture: must be a list of pictures"),
        (lambda: impasto.gallery([3], ["@ink"]), "contents: a picture is"),
        (lambda: impasto.Stylizer("@ink", quality="instant").map("@lake"), "contents is '@lake'"),
        (lambda: impasto.video("@lake", "@ink", 3, fps="x", frames=3), "output is 3(.|\n)*fps is 'x'(.|\n)*frames is 3"),
        (lambda: impasto.video(np.zeros((2, 4, 4, 3)), "@ink", "a.gif", frames=(1,)), r"film is of type ndarray(.|\n)*frames is \(1,\)"),
        (lambda: impasto.train_style(3, "a.safetensors", steps="x"), "steps is 'x'(.|\n)*painting: a picture is"),
        (lambda: Picture("@lake").save("a.jpg", quality=0), "quality is 0: must be a whole number from 1 to 100"),
        (lambda: Picture("@lake").encode("jpg", quality=256), "quality is 256"),
        (lambda: Picture("@lake").encode(3), "format is 3"),
    ],
)
def test_wrong_types_are_invalid(call, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidError, match=problem) as caught:
        call()
    assert "--" not in str(caught.value)
    assert not list(tmp_path.iterdir()), "nothing was begun"


def test_memory_is_what_the_program_takes(photo):
    painted = impasto.stylize(photo, "@swirls", quality="instant", size=32, memory="3GB")
    assert np.array_equal(painted.numpy(), impasto.stylize(photo, "@swirls", quality="instant", size=32, memory=3 * 10**9).numpy())


@pytest.mark.parametrize(
    "call",
    [
        lambda: impasto.video("nofilm.mp4", "@ink", "a.gif"),
        lambda: impasto.gallery(["nothing.png"], ["@ink"], "folder"),
        lambda: impasto.train_style("nothing.png", "a.safetensors"),
        lambda: impasto.stylize("@lake", method="fast", model="./nothing.pth"),
        lambda: impasto.stylize("@lake", "@ink", encoder="./nothing"),
        lambda: impasto.stylize("@lake", "@ink", models_dir="nothing"),
        lambda: impasto.Encoder(pathlib.Path("nothing.pth")),
        lambda: impasto.Encoder(models_dir="nothing"),
        lambda: Picture("nothing.png"),
        lambda: Picture("@lake").save("nodir/x.png"),
        lambda: impasto.Recipe().save("nodir/x.toml"),
    ],
)
def test_what_is_missing_is_a_file_that_is_missing(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingError) as caught:
        call()
    assert caught.value.errno == 2 and caught.value.filename is not None
    assert not list(tmp_path.iterdir())


def test_a_report_into_no_folder(instant, photo, tmp_path):
    with pytest.raises(MissingError, match="no such folder"):
        instant(photo).report(tmp_path / "nodir" / "r.html")


def test_paths_are_files_and_texts_may_be_built_in(tmp_path, monkeypatch, photo):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingError):
        Picture(pathlib.Path("@lake"))
    Picture(photo).save("@lake.png")
    assert Picture(pathlib.Path("@lake.png")) == Picture(photo)
    assert impasto.stylize("@lake", "@ink", quality="instant", size=32).picture.name == "lake.png"


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_no_unicode(photo, tmp_path):
    name = os.fsencode(tmp_path) + b"/bad\xff.png"
    try:
        Picture(Picture(photo).save(os.fsdecode(name)))
    except ImpastoError:
        pytest.skip("this system has no such names")
    result = impasto.stylize(os.fsdecode(name), "@ink", quality="instant", size=32)
    assert result.picture.name == "bad\ufffd.png"
    folder = impasto.gallery([os.fsdecode(name)], ["@ink"], tmp_path / "out", quality="instant", size=32)
    assert (folder / "bad\ufffd-ink.png").exists()
    row = impasto.ray.Painter("@ink", tmp_path / "many", quality="instant", size=32).paint(os.fsdecode(name))
    assert row["error"] == "" and row["output"].endswith("bad\ufffd-ink.png")
    with pytest.raises(InvalidError, match="must be Unicode"):
        impasto.Recipe("bad\udcff.toml")


def test_modules_are_there_when_they_are_asked_for():
    import subprocess
    import sys

    script = "import impasto; impasto.courses.tensorflow, impasto.ray.Painter; print(dir(impasto))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "'stylize'" in done.stdout and "TYPE_CHECKING" not in done.stdout


def test_packages_that_are_not_installed_are_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ModuleNotFoundError, match="imshow needs matplotlib: pip install matplotlib"):
        impasto.courses.tensorflow.imshow("@lake")


def test_a_folder_named_ray_is_no_ray(tmp_path):
    import subprocess
    import sys

    (tmp_path / "ray").mkdir()
    script = f"""
import sys, impasto.ray
sys.path = [{str(tmp_path)!r}]
print(impasto.ray._assigned_cpus())
impasto.ray.paint(["a.png"], "@ink", "out", quality="instant")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "1\n" and "impasto.ray needs \"ray[data]\": pip install" in done.stderr, done.stderr
