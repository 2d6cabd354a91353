"""Painting: the program's bytes, callbacks, interruptions, errors."""

from __future__ import annotations

import json
import pickle
import threading

import impasto
import numpy as np
import pytest
from impasto import InvalidError, MissingError, Picture


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"quality": "instant"}, ["--quality", "instant"]),
        ({"quality": "draft"}, ["--quality", "draft"]),
        ({"init": "noise", "steps": 3, "seed": 7}, ["--init", "noise", "--steps", "3", "--seed", "7"]),
        ({"recipe": "pytorch", "steps": 2}, ["--recipe", "pytorch", "--steps", "2"]),
        (
            {"style_weight": 2.5, "colors": "content", "content_layers": {"relu2_1": 2, "relu3_1": 0.5}, "steps": [2]},
            ["--style-weight", "2.5", "--colors", "content", "--content-layer", "relu2_1:2,relu3_1:0.5", "--steps", "2"],
        ),
        ({"style_scale": 0.5, "steps": 2, "photo": True}, ["--style-scale", "0.5", "--steps", "2", "--photo"]),
        ({"quality": "instant", "alpha": 0.5, "mask": "@ink"}, ["--quality", "instant", "--alpha", "0.5", "--mask", "@ink"]),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_the_bytes_are_the_programs(options, words, program, tmp_path):
    done = program("stylize", "@lake", "--style", "@swirls", "--style", "@waves:0.5", "--size", "64", *words, "-o", "cli.png")
    assert done.returncode == 0, done.stderr
    result = impasto.stylize("@lake", {"@swirls": 1, "@waves": 0.5}, size=64, **options)
    assert result.save(tmp_path / "py.png").read_bytes() == (tmp_path / "cli.png").read_bytes()
    assert result.outcome == "finished"


def test_a_path_and_its_array_are_painted_the_same(instant, tmp_path, photo):
    path = Picture(photo).save(tmp_path / "photo.png")
    pixels = [instant(source).numpy() for source in (path, path.read_bytes(), photo, Picture(path))]
    assert all(np.array_equal(pixels[0], other) for other in pixels)


def test_settings_travel_in_the_file(tmp_path):
    made = impasto.stylize("@lake", "@swirls", size=48, steps=2, content_weight=0.25)
    path = made.save(tmp_path / "made.jpg")
    settings = Picture(path).settings
    assert settings is not None and settings["styles"] == [{"name": "@swirls", "weight": 1.0}]
    recipe = impasto.Recipe.from_picture(path)
    assert recipe == made.recipe and recipe["content_weight"] == 0.25
    again = impasto.stylize("@lake", "@swirls", settings_from=path)
    assert np.array_equal(again.numpy(), made.numpy())
    assert Picture(made.save(tmp_path / "bare.png", settings=False)).settings is None
    with pytest.raises(InvalidError, match="holds no settings"):
        impasto.Recipe.from_picture("@lake")


def test_every_problem_is_listed():
    with pytest.raises(InvalidError) as caught:
        impasto.stylize(
            "nothing.png", "@swrils", contnet_weight=1, steps="many", size=3, style_weight=-1, device="abacus", threads=4
        )
    problems = "\n".join(caught.value.problems)
    for part in (
        "contnet_weight\"; perhaps content_weight",
        "steps is \"many\"",
        "size is 3",
        "style_weight is -1",
        "device: \"abacus\"",
        "nothing.png",
        "@swrils; there are @swirls",
    ):
        assert part in problems, part
    assert isinstance(caught.value, ValueError) and str(caught.value) == problems
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems
    assert "--" not in problems, "options of the command line have no place here"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"recipe": "gatys"}, "there is no recipe"),
        ({"recipe": "pytorch", "quality": "draft"}, "recipe and quality are both given"),
        ({"quality": "finest"}, "quality"),
        ({"precision": "f64"}, "precision"),
        ({"threads": 0, "device": "cpu"}, "thread"),
        ({"encoder": "vgg91"}, "vgg91"),
        ({"preprocessing": "blue"}, "preprocessing"),
        ({"content_layers": "relu9_1"}, "content_layers: "),
        ({"steps": [1, 2, 3, 4], "quality": "draft", "size": 64}, "steps has 4 numbers"),
        ({"history": 5}, "history"),
        ({"model": "fast.safetensors", "quality": "draft", "init": "content"}, "model= goes with"),
        ({"colors_strength": 0.5}, "colors_strength has an effect with colors= or palette= only"),
        ({"feather": 0.1}, "feather has an effect with mask= or regions= only"),
        ({"regions": ["@ink"]}, "a region is"),
        ({"regions": [("#12", "@ink")]}, "colour"),
        ({"regions": [("#ff0000", "@ink")]}, "map"),
        ({"tile": 1}, "tile"),
        ({"steps": object()}, "steps is of type object"),
        ({"on_interrupt": "stop"}, "on_interrupt"),
        ({"progress": "loud"}, "progress"),
        ({"frames_every": 0}, "frames_every"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_that_cannot_be(options, problem):
    with pytest.raises(InvalidError, match=problem):
        impasto.stylize("@lake", "@swirls", **options)


def test_what_is_missing():
    with pytest.raises(MissingError):
        impasto.stylize("nothing.png", "@swirls")
    with pytest.raises(InvalidError, match="style is missing"):
        impasto.stylize("@lake")
    with pytest.raises(InvalidError, match="weight of style @ink is -1"):
        impasto.stylize("@lake", {"@ink": -1})
    with pytest.raises(TypeError):
        impasto.stylize()


def test_a_callback_sees_the_run(stylizer, photo):
    seen = []

    def callback(step):
        seen.append((step.step, step.steps, step.size, step.loss, step.losses, step.preview()))

    result = stylizer(photo, callback=callback)
    assert [one[0] for one in seen] == [1, 2, 3] and seen[0][1] == 3
    assert seen[0][2] == result.picture.size == seen[0][5].size
    assert result.losses == pytest.approx([one[3] for one in seen])
    assert sum(seen[1][4].values()) == pytest.approx(seen[1][3])
    assert {name: values[1] for name, values in result.terms.items()} == pytest.approx(seen[1][4], rel=1e-5)
    # A preview after the last step is what comes out, but for the average over steps.
    assert not np.array_equal(seen[0][5].numpy(), seen[2][5].numpy())


def test_a_step_that_is_over_says_so(stylizer, photo):
    kept = []
    stylizer(photo, callback=kept.append)
    assert kept[0].step == 1, "what is known of it stays"
    with pytest.raises(InvalidError, match="has gone on"):
        kept[0].preview()
    with pytest.raises(InvalidError, match="has gone on"):
        _ = kept[0].loss


def test_false_ends_the_run(stylizer, photo):
    result = stylizer(photo, callback=lambda step: step.step < 2)
    assert result.stopped and result.steps == 2 and result.outcome == "stopped"
    assert result.picture.size == stylizer(photo).picture.size


def test_what_a_callback_raises_comes_out_as_it_was(stylizer, photo):
    class Own(Exception):
        pass

    own = Own("mine")

    def callback(step):
        if step.step == 2:
            raise own

    with pytest.raises(Own) as caught:
        stylizer(photo, callback=callback)
    assert caught.value is own
    assert "callback" in [entry.name for entry in caught.traceback]
    assert impasto.last_result is not None and impasto.last_result.steps == 2
    assert not stylizer(photo).stopped, "the next run knows nothing of it"


def test_a_callback_may_paint(stylizer, instant, photo):
    inner = []

    def callback(step):
        inner.append(impasto.stylize(step.preview(), "@ink", size=32, steps=1))
        inner.append(instant(step.preview()))

    stylizer(photo, callback=callback)
    assert len(inner) == 6
    with pytest.raises(InvalidError, match="is painting already"):
        stylizer(photo, callback=lambda step: stylizer(photo))


def test_cancel_from_another_thread(photo):
    long = impasto.Stylizer("@swirls", size=64, steps=100_000, init="content")
    begun = threading.Event()
    timer = threading.Thread(target=lambda: (begun.wait(60), long.cancel()))
    timer.start()
    result = long(photo, callback=lambda step: begun.set())
    timer.join()
    assert result.stopped and result.steps >= 1


def test_threads_share_a_stylizer_and_have_their_own(stylizer, photo):
    expected = stylizer(photo).numpy()
    results = []

    def work(painter):
        results.append(painter(photo).numpy())

    own = [impasto.Stylizer("@swirls", size=48, steps=3, init="content", coarse_to_fine=False, threads=1) for _ in range(2)]
    threads = [threading.Thread(target=work, args=(painter,)) for painter in [stylizer, stylizer, *own]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all(np.array_equal(expected, other) for other in results)


def test_frames(stylizer, photo):
    result = stylizer(photo, frames_every=2)
    assert len(result.frames) == 1 and result.frames[0].size == result.picture.size


def test_where_it_is_painted(photo):
    mask = np.zeros(photo.shape[:2], bool)
    mask[:, 32:] = True
    options = {"size": 64, "quality": "instant"}
    painted = impasto.stylize(photo, "@swirls", mask=mask, feather=0, **options).numpy()
    assert np.array_equal(painted[:, :30], photo[:, :30]) and not np.array_equal(painted[:, 34:], photo[:, 34:])
    colors = np.zeros((*mask.shape, 3), np.uint8)
    colors[:, :32], colors[:, 32:] = (255, 0, 0), (0, 0, 255)
    by_color = impasto.stylize(
        photo, region_map=colors, regions=[("#f00", "@ink"), ("#0000ff", "@waves", 2)], **options
    )
    by_mask = impasto.stylize(photo, regions=[(~mask, "@ink"), (mask, "@waves", 2.0)], **options)
    assert np.abs(by_color.numpy().astype(int) - by_mask.numpy()).mean() < 2
    alone = impasto.stylize(photo, "@ink", **options).numpy()
    assert np.abs(by_mask.numpy()[:, :28].astype(int) - alone[:, :28]).mean() < 20


def test_plan(stylizer, photo):
    [scale] = stylizer.plan(photo)
    assert (scale["width"], scale["steps"]) == (48, 3) and scale["bytes"] > 0


def test_results_show_and_report(stylizer, photo, tmp_path):
    result = stylizer(photo)
    assert "data:image/png" in result._repr_html_()
    assert "finished" in repr(result) and result.seconds > 0
    assert "<html" in result.report(tmp_path / "report.html").read_text(encoding="utf-8")
    with pytest.raises(InvalidError):
        result.report(tmp_path / "report.txt")
    assert np.array_equal(np.asarray(result), result.picture.numpy())
    facts = json.loads(json.dumps(result.facts))
    assert facts["encoder"] == stylizer.encoder and len(facts["steps"]) == 3


def test_plot(stylizer, photo):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    axes = stylizer(photo).plot()
    assert axes.get_xlabel() == "step" and len(axes.lines) > 2
    axes.figure.clear()


def test_progress_on_a_terminal_is_a_line(stylizer, photo, capsys):
    stylizer(photo, progress="text")
    told = capsys.readouterr().err
    assert "100%" in told and told.endswith("\r")
    stylizer(photo)
    assert capsys.readouterr().err == "", "nothing where nobody looks"


def test_map(instant, photo):
    results = list(instant.map([photo, "@city"], progress=False))
    assert [result.picture.width for result in results] == [48, 48]


def test_concerns_are_warnings(photo):
    with pytest.warns(impasto.ImpastoWarning):
        impasto.stylize(photo, "@swirls", recipe="pytorch", size=48, steps=3, learning_rate=90, optimizer="adam", faithful=True)
