"""Other processes, signals, memory, time."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import impasto
import numpy as np
import pytest
from impasto import ForkedError

NO_FORK = not hasattr(os, "fork")


def paint(size: int) -> bytes:
    return impasto.stylize("@lake", "@swirls", quality="instant", size=size).numpy().tobytes()


def python(text: str, **options) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-W", "error", "-c", textwrap.dedent(text)]
    return subprocess.run(words, text=True, capture_output=True, timeout=120, **options)


@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
@pytest.mark.skipif(NO_FORK, reason="this system does not fork")
def test_a_fork_of_a_process_that_has_painted_is_told(instant, photo):
    instant(photo)
    with multiprocessing.get_context("fork").Pool(1) as pool, pytest.raises(ForkedError, match="spawn"):
        pool.apply(paint, (32,))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(paint, 32).result(60) == paint(32)


@pytest.mark.skipif(NO_FORK, reason="this system does not fork")
def test_forks_of_a_process_that_has_not_painted_paint():
    done = python("""
        import multiprocessing
        import impasto
        def paint(size):
            return impasto.stylize("@lake", "@swirls", quality="instant", size=size).picture.width
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(paint, [32, 48]))
        print(paint(32))
    """)
    assert done.stdout == "[32, 48]\n32\n", done.stderr


def test_joblib(instant, photo):
    joblib = pytest.importorskip("joblib")
    assert joblib.Parallel(2)(joblib.delayed(paint)(size) for size in (32, 40)) == [paint(32), paint(40)]


class Painted:
    """What a DataLoader loads, in processes of its own."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return impasto.stylize("@lake", "@swirls", quality="instant", size=32).numpy("float32", "chw")


def test_a_dataloader(instant, photo):
    data = pytest.importorskip("torch.utils.data")
    instant(photo)
    loader = data.DataLoader(Painted(), batch_size=2, num_workers=2, multiprocessing_context="forkserver")
    assert next(iter(loader)).shape == (2, 3, 21, 32)


SCRIPT = """
    import os, signal, sys, impasto
    def callback(step):
        if step.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
    HANDLER
    try:
        result = impasto.stylize("@lake", "@swirls", size=48, steps=100_000, init="content", CALLBACK)
        print("returned", result.outcome)
    except KeyboardInterrupt:
        print("interrupted", impasto.last_result.outcome, impasto.last_result.picture.width)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        ("callback=callback", "interrupted stopped 48\n"),
        ("callback=callback, on_interrupt='return'", "returned stopped\n"),
        ("", "interrupted stopped 48\n"),
        ("on_interrupt='return'", "returned stopped\n"),
    ],
)
def test_ctrl_c_keeps_the_picture(callback, expected):
    alarm = "" if "callback" in callback else "import threading; threading.Timer(1, os.kill, (os.getpid(), 2)).start()"
    done = python(SCRIPT.replace("CALLBACK", callback).replace("HANDLER", alarm))
    assert done.stdout == expected, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_ctrl_c_of_the_program_keeps_the_picture(tmp_path):
    words = ["stylize", "@lake", "--style", "@swirls", "--size", "48", "--init", "content", "--steps", "1000000"]
    words += ["--progress", "json", "-o", "out.png"]
    running = subprocess.Popen(
        [sys.executable, "-m", "impasto", *words], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    while '"step"' not in running.stdout.readline():
        pass
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130 and "stopped by Ctrl-C after" in said, said
    assert impasto.Picture(tmp_path / "out.png").width == 48


def children(process: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if int(lines["PPid"]) == process:
            found.append(int(status.parent.name))
    return found


def wait_until(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell of processes")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_program_ends_with_the_process_that_called_it(how, tmp_path):
    script = """
        import sys, impasto
        impasto.train_style(impasto.Picture("@swirls").resized(64), sys.argv[1], course="quick", steps=1_000_000, batch=1)
    """
    words = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "net.safetensors")]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    (tmp_path / "temporary").mkdir()
    caller = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
    wait_until(lambda: children(caller.pid))
    [child] = children(caller.pid)
    # It trains: there are threads beside the one that watches and the first.
    wait_until(lambda: len(list(Path(f"/proc/{child}/task").iterdir())) > 3)
    assert list((tmp_path / "temporary").glob("impasto-*"))
    caller.send_signal(how)
    caller.wait(60)
    wait_until(lambda: not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes())
    assert not list((tmp_path / "temporary").glob("impasto-*"))


def painted(size: int) -> impasto.Result:
    return impasto.stylize("@lake", "@swirls", size=size, steps=2, init="content", frames_every=1)


def test_results_come_out_of_other_processes(stylizer, photo, tmp_path):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        result = pool.submit(painted, 32).result(60)
    here = painted(32)
    assert np.array_equal(result.numpy(), here.numpy()) and result.losses == here.losses and result.terms == here.terms
    assert result.recipe == here.recipe and result.outcome == "finished" and len(result.frames) == 2
    assert repr(result).startswith("<Result 32×") and "data:image" in result._repr_html_()
    assert impasto.Picture(result.save(tmp_path / "a.png")).settings == impasto.Picture(here.save(tmp_path / "b.png")).settings
    with pytest.raises(impasto.InvalidError, match="another process"):
        result.report(tmp_path / "a.html")
    compared = pickle.loads(pickle.dumps(impasto.compare(photo, "@swirls", ["paint"], size=32)))
    assert list(compared) == ["paint"] and compared.save(tmp_path / "page.html").exists()
    step = []
    stylizer(photo, callback=step.append)
    for value in (stylizer, step[0], impasto.Encoder("lite")):
        with pytest.raises(TypeError, match="stays in its process"):
            pickle.dumps(value)


def test_other_threads_run_meanwhile(photo):
    painter = impasto.Stylizer("@swirls", size=96, steps=10, init="content")
    counted = [0]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(painter, photo)
        while not running.done():
            counted[0] += 1
            time.sleep(0.001)
    assert counted[0] > 20, "the interpreter is not held"


def resident() -> int:
    """Kilobytes of memory that the process has."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("this system does not tell")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def test_calls_leave_nothing_behind():
    painter = impasto.Stylizer("@swirls", quality="instant", size=16, threads=1, device="cpu")
    tiny = np.zeros((16, 16, 3), np.uint8)

    def calls(count):
        for _ in range(count):
            painter(tiny, callback=lambda step: True).numpy()
        gc.collect()

    calls(100)
    before = resident()
    calls(300)
    assert resident() - before < 3 << 10


def test_a_call_costs_little(photo):
    painter = impasto.Stylizer("@swirls", quality="instant", size=16)
    array = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)

    def beside(picture):
        began = time.perf_counter()
        result = painter(picture)
        result.picture.numpy()
        return time.perf_counter() - began - result.seconds

    # The least of some: the machine may be busy.
    assert min(beside(photo) for _ in range(20)) < 0.005
    assert min(beside(array) for _ in range(20)) < 0.030, "resizing is its own, and no more"

    def least(call):
        # Of this thread: the work is done by others, and a busy machine is not this one's matter.
        seconds = []
        for _ in range(20):
            began = time.thread_time()
            call()
            seconds.append(time.thread_time() - began)
        return min(seconds)

    call, in_and_out = least(lambda: painter(photo).numpy()), least(lambda: impasto.Picture(array).numpy())
    assert call + in_and_out < 0.005, (call, in_and_out)


def test_import_is_quick_and_brings_nothing_along():
    done = python("""
        import sys, time
        began = time.process_time()
        import impasto
        print(time.process_time() - began)
        print([name for name in ("numpy", "PIL", "IPython", "matplotlib", "subprocess") if name in sys.modules])
    """)
    seconds, brought = done.stdout.splitlines()
    assert float(seconds) < 0.3 and brought == "[]"
