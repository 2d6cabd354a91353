"""Recipes, settings as keywords, and what is written from their table."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import impasto
import pytest
from impasto import InvalidError, Recipe, _impasto, _options

TOOLS = Path(__file__).parent.parent / "tools"


def test_the_settings_are_those_of_the_table():
    if not TOOLS.exists():
        pytest.skip("the sources are not here")
    from impasto import _settings

    written = subprocess.run([sys.executable, TOOLS / "settings.py"], capture_output=True, text=True, check=True).stdout
    assert written == Path(inspect.getfile(_settings)).read_text(encoding="utf-8")


def test_signatures_and_docstrings_have_every_option():
    rows = {row["keyword"]: row["about"] for row in _impasto.settings()}
    assert len(rows) == len(_impasto.settings()), "keywords are told apart"
    for keyword, about in {**rows, **_options.ABOUT}.items():
        assert keyword in inspect.signature(impasto.stylize).parameters
        assert about in (impasto.stylize.__doc__ or "")
    assert _options.ABOUT.keys() == _options.RunOptions.__annotations__.keys()
    taken = {"content", "style", "callback", "progress", "frames_every", "on_interrupt", "grad", "image"}
    assert not taken & {*rows, *_options.ABOUT}
    for name in impasto.__all__:
        assert getattr(impasto, name).__doc__, name


def test_every_recipe_goes_round(tmp_path):
    for name, about in impasto.recipes().items():
        recipe = Recipe(name)
        assert recipe.about == about and about
        assert Recipe.parse(recipe.to_toml()) == recipe
        assert Recipe(recipe.save(tmp_path / f"{name}.toml")) == recipe
        assert pickle.loads(pickle.dumps(recipe)) == recipe and hash(recipe) == hash(Recipe(name))
        # What it says of itself can be said to it.
        assert recipe.replace(**recipe.settings) == recipe


def test_a_recipe_is_a_mapping():
    recipe = Recipe("gatys2016")
    assert "style_weight" in recipe and "nothing" not in recipe and len(recipe) == len(recipe.settings)
    assert dict(recipe) == recipe.settings and list(recipe) == list(recipe.settings)
    assert {**recipe}["style_weight"] == recipe["style_weight"]
    assert recipe.get("nothing") is None


def test_results_say_what_their_recipe_is(photo):
    options = {"size": 32, "steps": 3}
    assert impasto.stylize(photo, "@swirls", recipe="gatys2016", **options).recipe.about == Recipe("gatys2016").about
    own = Recipe.parse('version = 2\nabout = "my own"\n')
    assert impasto.stylize(photo, "@swirls", recipe=own, **options).recipe.about == "my own"
    for quality, name in ((None, "impasto"), ("draft", "impasto-draft"), ("instant", "paint")):
        assert impasto.Stylizer("@swirls", quality=quality).recipe.about == Recipe(name).about
    result = impasto.stylize(photo, "@swirls", **options)
    assert result.recipe.about and pickle.loads(pickle.dumps(result)).recipe.about == result.recipe.about
    assert impasto.Stylizer("@swirls", init="noise").recipe.about == "", "that is none of the built-in ones"


def test_settings_change():
    recipe = Recipe("gatys2016", content_weight=5, style_layers=["relu1_1", "relu2_1"], optimizer="adam", learning_rate=0.02)
    assert recipe["content_weight"] == 5 and recipe["style_layers"] == {"relu1_1": 1, "relu2_1": 1}
    assert recipe["learning_rate"] == 0.02, "as it was written, not as f32 has it"
    assert recipe.diff("gatys2016")["content_weight"] == (5, 0.01)
    assert "history" not in recipe.settings and "beta1" in recipe.settings
    assert recipe.replace() == recipe and recipe.replace(seed=None) == recipe
    assert recipe != Recipe("gatys2016")
    sized = Recipe(style_size=300)
    assert sized["style_size"] == 300 and "style_scale" not in sized.settings
    assert Recipe(style_size="content")["style_size"] == "content"
    assert Recipe(size="original")["size"] == "original"
    assert Recipe(**{"variation.weight": 1.5})["total_variation_weight"] == 1.5, "paths of files are taken, too"


def test_mistakes_are_listed():
    with pytest.raises(InvalidError) as caught:
        Recipe("impasto", content_weight="much", stile_weight=1, optimizer="sgd")
    assert len(caught.value.problems) == 3
    assert "perhaps style_weight" in str(caught.value)
    with pytest.raises(InvalidError) as caught:
        Recipe.parse("version = 2\ncontent.weight = -1\nsed = 3\n")
    assert any("line 3" in problem for problem in caught.value.problems)
    with pytest.raises(InvalidError, match=r"\.toml"):
        Recipe().save("a.txt")
    with pytest.raises(KeyError):
        Recipe()["nothing"]
