"""Many machines: the actor by itself, and with Ray where it is installed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
import time
from pathlib import Path

import impasto
import numpy as np
import pytest
from impasto import InvalidError, Picture
from impasto.ray import Painter

OPTIONS = {"quality": "instant", "size": 48}


@pytest.fixture
def photos(tmp_path, photo) -> list[str]:
    folder = tmp_path / "photos"
    folder.mkdir()
    return [str(Picture(np.roll(photo, 5 * number, axis=1)).save(folder / f"{number:02}.png")) for number in range(12)]


def test_an_actor_paints_what_is_missing(photos, tmp_path, program):
    out = tmp_path / "out"
    rows = Painter("@swirls", out, **OPTIONS)({"path": np.array(photos[:3])})
    assert list(rows["error"]) == [""] * 3 and not rows["skipped"].any()
    again = Painter("@swirls", out, **OPTIONS)({"path": np.array(photos[:4])})
    assert list(again["skipped"]) == [True] * 3 + [False]
    done = program("stylize", *photos[:5], "--style", "@swirls", "--quality", "instant", "--size", "48", "--out-dir", out, "--shard", "1/1")
    assert done.returncode == 0 and done.stderr.count("is finished already") == 4, done.stderr
    third = Painter("@swirls", out, **OPTIONS)({"path": np.array(photos[:5])})
    assert third["skipped"].all(), "what the program has painted is known"
    other = Painter("@swirls", out, **OPTIONS, seed=3)({"path": np.array(photos[:1])})
    assert not other["skipped"].any(), "other settings are another picture"


def test_errors_are_rows(photos, tmp_path):
    (tmp_path / "torn.png").write_bytes(Path(photos[0]).read_bytes()[:200])
    painter = Painter("@swirls", tmp_path / "out", **OPTIONS)
    wrong = [str(tmp_path / "torn.png"), str(tmp_path / "none.png"), photos[0], str(tmp_path / "other" / "00.png")]
    rows = painter({"path": np.array(wrong)})
    assert [bool(error) for error in rows["error"]] == [True, True, False, True]
    assert "output" in rows["error"][3], "two pictures of one name"
    named = painter({"path": np.array(photos[:2]), "output": np.array(["a.png", "../b.png"])})
    assert [bool(error) for error in named["error"]] == [False, True]
    assert not list((tmp_path / "out").glob(".impasto-*"))


def test_paths_of_all_kinds(photos, tmp_path):
    painter = Painter("@swirls", tmp_path / "out", **OPTIONS)
    assert painter.paint(Path(photos[0]))["error"] == ""
    row = painter.paint("@lake")
    assert row["error"] == "" and Path(row["output"]).name == "lake-swirls.png", "as galleries name it"


def test_time_limit(photos, tmp_path):
    painter = Painter("@swirls", tmp_path / "out", size=48, steps=100_000, init="content", time_limit=0.2)
    row = painter.paint(photos[0])
    assert "more than 0.2 seconds" in row["error"] and not list((tmp_path / "out").glob("*.png"))


def test_what_cannot_be(photos, tmp_path):
    with pytest.raises(InvalidError, match="size is 1"):
        Painter("@swirls", tmp_path / "out", size=1)
    with pytest.raises(InvalidError, match="other files"):
        Painter("@swirls", tmp_path / "photos", **OPTIONS)
    row = Painter("@swirls", tmp_path / "out", steps=1).paint(str(tmp_path / "a.tar"))
    assert row["error"]


def test_shards_of_pictures(photos, tmp_path):
    shard = tmp_path / "000.tar"
    with tarfile.open(shard, "w") as archive:
        for number in range(3):
            archive.add(photos[number], f"{number}.png")
            for name, data in ((f"{number}.json", b"{}"), (f"{number}.cls", b"7")):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        member = tarfile.TarInfo("torn.jpg")
        archive.addfile(member, io.BytesIO(b""))
    painter = Painter("@swirls", tmp_path / "out", **OPTIONS)
    row = painter.paint(str(shard))
    assert row["error"] == "" and row["output"].endswith("000.tar")
    with tarfile.open(row["output"]) as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive}
    assert {"0.png", "0.json", "0.cls", "torn.jpg", "torn.error.txt"} <= members.keys()
    alone = impasto.stylize(photos[0], "@swirls", **OPTIONS)
    assert np.array_equal(Picture(members["0.png"]).numpy(), alone.numpy())
    assert Painter("@swirls", tmp_path / "out", **OPTIONS).paint(str(shard))["skipped"]
    slow = Painter("@swirls", tmp_path / "slow", steps=1).paint(str(shard))
    assert "in a pass" in slow["error"]


JOB = """
    import os, sys, time, warnings
    warnings.simplefilter("ignore")
    import ray, impasto.ray
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    paths = sorted(os.path.join(sys.argv[1], name) for name in os.listdir(sys.argv[1]))
    options = dict(size=48, steps=int(sys.argv[3]), init="content")
    rows = impasto.ray.paint(paths, "@swirls", sys.argv[2], **options).take_all()
    print(len(rows), sum(row["skipped"] for row in rows), [row["error"] for row in rows if row["error"]])
"""


def job(photos: str, out: Path, steps: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "RAY_DATA_DISABLE_PROGRESS_BARS": "1", "RAY_DEDUP_LOGS": "0"}
    words = [sys.executable, "-c", textwrap.dedent(JOB), photos, str(out), str(steps)]
    return subprocess.Popen(
        words, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
    )


def lines(out: Path) -> list[str]:
    return [line for path in out.glob("finished-*.jsonl") for line in path.read_text().splitlines()]


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_ray_with_an_actor_and_the_driver_killed(photos, tmp_path, program):
    pytest.importorskip("ray")
    psutil = pytest.importorskip("psutil")
    out, steps = tmp_path / "out", 60
    first = job(str(tmp_path / "photos"), out, steps)
    wait_for(lambda: len(lines(out)) >= 2)
    # Of the actor: Ray names its processes after what they do.
    actors = [
        process for process in psutil.Process(first.pid).children(recursive=True)
        if "ray::" in " ".join(process.cmdline()) and "MapBatches" in " ".join(process.cmdline())
    ]
    assert actors
    actors[0].kill()
    wait_for(lambda: len(lines(out)) >= 5)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert len(before) < 12, "it was killed in the middle"
    second = job(str(tmp_path / "photos"), out, steps)
    printed, _ = second.communicate(timeout=240)
    assert printed.split(" ", 1)[0] == "12" and printed.strip().endswith("[]"), printed
    results = sorted(out.glob("*.png"))
    assert len(results) == 12
    assert all(path.stat().st_mtime_ns == before[path.name] for path in results if path.name in before), "none twice"
    done = program(
        "stylize", *photos, "--style", "@swirls", "--size", "48", "--steps", str(steps), "--init", "content",
        "--out-dir", tmp_path / "cli", "--shard", "1/1",
    )
    assert done.returncode == 0, done.stderr
    assert all(path.read_bytes() == (tmp_path / "cli" / path.name).read_bytes() for path in results)


def test_a_pool_that_would_hang_is_refused():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        assert impasto.ray.pool()["concurrency"] == 1
        for wrong in ({"num_cpus": 1, "concurrency": 2}, {"num_cpus": 2}, {"num_cpus": 0}):
            with pytest.raises(InvalidError):
                impasto.ray.pool(**wrong)
        with pytest.raises(InvalidError, match="at most"):
            impasto.ray.paint(["a.png"], "@swirls", "/tmp/never", concurrency=2, **OPTIONS)
    finally:
        ray.shutdown()
