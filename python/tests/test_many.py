"""Comparisons, galleries, films, networks of one's own, and what there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import impasto
import numpy as np
import pytest
from impasto import ImpastoError, InvalidError, MissingError, Picture


def test_compare(photo, tmp_path):
    recipes = {"fast one": impasto.Recipe("paint"), "slow one": impasto.Recipe("impasto", steps=1)}
    compared = impasto.compare(photo, "@swirls", recipes, size=48)
    assert list(compared) == ["fast one", "slow one"] and len(compared) == 2
    alone = impasto.stylize(photo, "@swirls", recipe="paint", size=48)
    assert np.array_equal(compared["fast one"].numpy(), alone.numpy())
    assert compared.picture.width > 400 and "data:image/jpeg" in compared._repr_html_()
    assert "fast one" in compared.save(tmp_path / "page.html").read_text(encoding="utf-8")
    assert np.array_equal(Picture(compared.save(tmp_path / "sheet.png")).numpy(), compared.picture.numpy())
    with pytest.raises(InvalidError, match="tensorflow: size is 1"):
        impasto.compare(photo, "@swirls", ["paint", "tensorflow"], size=1)
    for wrong in ([], "paint", ["paint", "paint"]):
        with pytest.raises(InvalidError):
            impasto.compare(photo, "@swirls", wrong)


def test_gallery_in_memory(photo):
    made = impasto.gallery([photo, "@city"], ["@swirls", "@ink", photo], quality="instant", size=32)
    assert [len(row) for row in made.results] == [3, 3]
    alone = impasto.stylize("@city", "@ink", quality="instant", size=32)
    assert np.array_equal(made[1, 1].numpy(), alone.numpy())
    assert "of 2 × 3" in repr(made)
    with pytest.raises(InvalidError):
        impasto.gallery([], ["@ink"])
    with pytest.raises(InvalidError, match="out_dir"):
        impasto.gallery([photo], ["@ink"], shard=(1, 2))


def test_gallery_in_a_folder(photo, tmp_path, program):
    options = {"quality": "instant", "size": 32, "colors": "content"}
    folder = impasto.gallery([photo, "@city"], ["@swirls"], tmp_path / "mine", **options)
    names = sorted(path.name for path in folder.iterdir())
    assert "city-swirls.png" in names and "gallery.html" in names
    words = ["--quality", "instant", "--size", "32", "--colors", "content", "--out-dir", "cli"]
    done = program("gallery", "@city", "--style", "@swirls", *words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cli" / "city-swirls.png").read_bytes() == (folder / "city-swirls.png").read_bytes()
    before = (folder / "city-swirls.png").stat().st_mtime_ns
    impasto.gallery([photo, "@city"], ["@swirls"], folder, **options)
    assert (folder / "city-swirls.png").stat().st_mtime_ns == before, "what is finished is kept"
    with pytest.raises(ImpastoError, match=r"nothing\.png"):
        impasto.gallery(["nothing.png"], ["@swirls"], folder, **options)


def test_a_film(photo, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(3):
        Picture(np.roll(photo, number, axis=1)).save(frames / f"{number:04}.png")
    film = impasto.video(frames, "@swirls", tmp_path / "film.gif", quality="instant", size=48, frames=(0, 1), fps=5)
    assert film.read_bytes()[:3] == b"GIF"
    with pytest.raises(InvalidError, match="exists: overwrite=True replaces it"):
        impasto.video(frames, "@swirls", film, quality="instant", size=48, frames="0..1")


def test_a_network_of_ones_own(photo, tmp_path):
    network = impasto.train_style("@swirls", tmp_path / "swirls.safetensors", course="quick", steps=2, batch=1)
    result = impasto.stylize(photo, method="fast", model=network, size=48)
    assert result.picture.width == 48 and result.steps == 0
    before = network.read_bytes()
    with pytest.raises(InvalidError, match="exists: overwrite=True replaces it"):
        impasto.train_style("@swirls", network, course="quick", steps=2, batch=1)
    assert network.read_bytes() == before
    with pytest.raises(InvalidError):
        impasto.train_style("@swirls", tmp_path / "a.safetensors", steps=0)
    with pytest.raises(InvalidError):
        impasto.train_style("@swirls", tmp_path / "a.safetensors", course="slow")  # type: ignore[arg-type]


def test_names_are_no_options(photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for wrong in ("--size=32", "--help", "-"):
        with pytest.raises(MissingError):
            impasto.gallery([wrong, "@lake"], ["@ink"], "gallery", quality="instant", size=48)
        with pytest.raises(MissingError):
            impasto.video(wrong, "@ink", "film.gif", quality="instant", size=48)
        with pytest.raises(MissingError):
            impasto.train_style(wrong, "a.safetensors", course="quick", steps=1)
    Picture(photo).save("--size=32.png")
    folder = impasto.gallery(["--size=32.png"], ["--size=32.png"], "--help", quality="instant", size=48)
    assert Picture(folder / "--size=32---size=32.png").width == 48
    with pytest.raises(ImpastoError) as caught:
        impasto.pull("--help")
    assert "--help" in str(caught.value)


def test_what_the_program_says_is_in_pythons_words():
    from impasto._program import translated

    for said, expected in (
        ("a.gif exists: --overwrite replaces it", "a.gif exists: overwrite=True replaces it"),
        ("-o is x.png: must end in .safetensors", "output is x.png: must end in .safetensors"),
        ("the same command with --resume goes on", "the same call with resume=True goes on"),
        ("choose a new or an empty folder with --out-dir", "choose a new or an empty folder with out_dir"),
        ("--style-mask and --style, not --style-size", "style_masks and style, not style_size"),
        ("./--size=32.png is no \"--model\"", "./--size=32.png is no \"--model\""),
        ("`impasto models pull vgg19` installs it", "impasto.pull('vgg19') installs it"),
    ):
        assert translated(said) == expected


def test_other_files_in_a_gallerys_folder(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ImpastoError, match="other files in it") as caught:
        impasto.gallery(["@lake"], ["@ink"], tmp_path, quality="instant", size=32)
    assert "--" not in str(caught.value) and "out_dir" in str(caught.value)


def test_what_there_is(tmp_path):
    assert "@swirls" in impasto.styles() and "@lake" in impasto.contents()
    assert "gatys2016" in impasto.recipes() and "cpu" in impasto.devices()
    listed = impasto.models(tmp_path)
    assert listed["folder"] == str(tmp_path) and listed["installed"] == []
    assert "vgg19" in [model["name"] for model in listed["known"]]
    with pytest.raises(ImpastoError, match="vgg91"):
        impasto.pull("vgg91", models_dir=tmp_path)


def test_the_program_comes_along(program):
    version = program("--version")
    assert version.stdout.split() == ["impasto", impasto.__version__]
    script = Path(sys.executable).with_name("impasto")
    if script.exists():
        assert subprocess.run([script, "--version"], capture_output=True, text=True).stdout == version.stdout
    wrong = program("stylize", "@lake", "--style", "@swirls", "--sise", "3")
    assert wrong.returncode == 2 and "impasto: " in wrong.stderr
