"""The notebooks run, are stored as they run, and Ctrl-C in one keeps the picture."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent.parent / "notebooks").glob("*.ipynb"))
# Bytes of a stored notebook, and seconds that it may take.
LARGEST, LONGEST = 600_000, 240

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::ResourceWarning")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=LONGEST, resources={"metadata": {"path": str(tmp_path)}})
    began = time.monotonic()
    client.execute()
    assert time.monotonic() - began < LONGEST
    warnings = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stderr"
    ]
    assert not warnings, "what a reader would be told"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_as_it_ran(path):
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {kind for cell in cells for output in cell["outputs"] for kind in output.get("data", ())}
    assert kinds & {"image/png", "image/jpeg", "image/gif"}, "pictures are seen on the web"
    assert path.stat().st_size < LARGEST


def test_ctrl_c_and_progress_in_a_notebook():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    try:
        shown = []
        client.execute("import impasto; impasto.stylize('@lake', '@swirls', size=64, steps=1_000_000, init='content')")
        interrupted = False
        while True:
            message = client.get_iopub_msg(timeout=240)
            if message["msg_type"] in ("display_data", "update_display_data"):
                shown.append(message["content"]["data"].get("text/html", ""))
                if len(shown) == 3 and not interrupted:
                    manager.interrupt_kernel()
                    interrupted = True
            if message["msg_type"] == "error":
                assert message["content"]["ename"] == "KeyboardInterrupt"
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle" and interrupted:
                break
        assert "<progress" in shown[0] and "data:image/jpeg" in shown[0]
        assert shown[-1] == "", "nothing is left beside the result"
        reply = client.execute_interactive(
            "assert impasto.last_result.stopped and impasto.last_result.picture.width == 64", timeout=240
        )
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
