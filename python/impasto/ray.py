"""Many pictures on many machines, by Ray Data: `dataset.map_batches(impasto.ray.Painter, …)`, or `impasto.ray.paint`.

Rows are paths; the actor reads, paints and writes by renaming, and gives back a small row: no pixels go through Ray's store.
What is finished is known from ledgers in the folder of results, which `impasto stylize --shard` and `impasto gallery --shard`
write and read, too: a job that was cut off is started again as it was, and paints what is missing.
"""

from __future__ import annotations

import io
import os
import secrets
import socket
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from . import _checks, _impasto
from ._checks import Noted
from ._errors import ImpastoError, InvalidError
from ._options import picture, read_styles, stylizer
from ._result import Result, Step
from ._stylize import Stylizer

if TYPE_CHECKING:
    from ._options import StyleLike

__all__ = ["Painter", "paint", "pool"]

# Members of tar shards that are pictures.
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".qoi")
# How much of a name goes into that of a result, in bytes.
_STEM = 80


class Painter:
    """An actor that paints: for `map_batches`, which makes one for each place of its pool.

    A row has the column `path`, and perhaps `output`, the name of its result in the folder. Its answer has `path`, `output`,
    `identity`, `steps`, `seconds`, `skipped` (it was finished) and `error`, which is empty if all is well: a picture that cannot
    be read or painted stops nobody. A path that ends in .tar is a shard in webdataset's layout, whose pictures are painted into a
    shard of the same name, with everything else in it: for networks that paint in a pass.
    """

    def __init__(
        self,
        styles: StyleLike,
        out_dir: str | os.PathLike[str],
        *,
        threads: int | None = None,
        time_limit: float | None = None,
        **options: Any,
    ) -> None:
        """Checks everything and prepares it, once for each actor.

        Args:
            styles: the paintings.
            out_dir: a folder that all machines share; it has nothing but results in it.
            threads: threads of the actor; as many as Ray has given it CPUs, unless given.
            time_limit: seconds that a picture may take; one that takes more is an error of its row.
            options: how it is painted, and on what.

        Raises:
            InvalidError: with everything that is wrong.
        """
        noted = Noted()
        self._folder = Path(noted.read(_checks.path, "out_dir", "" if out_dir is None else out_dir) or "")
        self._time_limit = noted.read(_checks.number, "time_limit", time_limit)
        given = {"device": "cpu", **options, "threads": _assigned_cpus() if threads is None else threads}
        named = read_styles(noted, styles)
        self._stylizer = Stylizer._made(stylizer(named, given, noted, is_identified=True))
        self._style = _joined([_stem(source) for source, _ in named or ()])
        self._is_pass = options.get("quality") == "instant" or not self._optimises()
        _check_folder(self._folder)
        writer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._ledger = _impasto.Ledger(str(self._folder), writer)
        self._written: dict[str, str] = {}

    def _optimises(self) -> bool:
        return self._stylizer.recipe["method"] == "optimize"

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Paints the rows of a batch."""
        import numpy as np

        paths = [os.fspath(path) for path in batch["path"]]
        outputs = [str(output) for output in batch["output"]] if "output" in batch else [None] * len(paths)
        rows = [self.paint(path, output) for path, output in zip(paths, outputs, strict=True)]
        columns = rows[0].keys() if rows else ()
        return {column: np.array([row[column] for row in rows]) for column in columns}

    def paint(self, path: str | os.PathLike[str], output: str | None = None) -> dict[str, Any]:
        """Paints one picture or shard: its row."""
        path = _file("path", path)
        name = output or self._name(path)
        row: dict[str, Any] = {"path": path, "output": "", "identity": "", "steps": 0, "seconds": 0.0, "skipped": False, "error": ""}
        try:
            if PurePosixPath(name).name != name or name.startswith("."):
                raise InvalidError(f"output is {name!r}: must be a name in the folder of results")
            if self._written.setdefault(name, path) != path:
                raise InvalidError(f"{self._written[name]} is {name} already: give the rows names in a column output")
            row["output"] = str(self._folder / name)
            row["identity"] = identity = self._stylizer._raw.identity(path)
            if self._ledger.has(name, identity):
                row["skipped"] = True
                return row
            data, row["steps"], row["seconds"] = self._shard(path) if path.endswith(".tar") else self._picture(path)
            self._ledger.add(name, identity, data, row["steps"], row["seconds"])
            _replace(self._folder / name, data)
        except (ImpastoError, OSError, tarfile.TarError) as error:
            row["error"] = str(error) or type(error).__name__
        return row

    def _name(self, path: str) -> str:
        if path.endswith(".tar"):
            return PurePosixPath(path).name
        return f"{_stem(path)}-{self._style}.png"

    def _paint(self, source: str | bytes) -> Result:
        began = time.monotonic()
        limit = self._time_limit

        def callback(step: Step) -> bool:
            return limit is None or time.monotonic() - began < limit

        result = self._stylizer(source, callback=None if limit is None else callback, progress=False)
        if result.stopped:
            raise ImpastoError(f"it takes more than {limit:g} seconds")
        if result.outcome == "diverged":
            raise ImpastoError("the run went astray")
        return result

    def _picture(self, path: str) -> tuple[bytes, int, float]:
        result = self._paint(path)
        return result.picture.encode("png"), result.steps, result.seconds

    def _shard(self, path: str) -> tuple[bytes, int, float]:
        """The shard with its pictures painted. Pictures that cannot be read are left as they are, with a text beside them."""
        if not self._is_pass:
            raise InvalidError("shards are for networks that paint in a pass: quality=\"instant\", or another method")
        painted = io.BytesIO()
        seconds = 0.0
        with tarfile.open(path) as source, tarfile.open(fileobj=painted, mode="w") as target:
            for member, data in _members(source):
                stem, dot, ending = member.partition(".")
                if f"{dot}{ending}".lower() in _PICTURES:
                    try:
                        result = self._paint(data)
                    except ImpastoError as error:
                        _add(target, f"{stem}.error.txt", str(error).encode())
                    else:
                        seconds += result.seconds
                        member, data = f"{stem}.png", result.picture.encode("png")
                _add(target, member, data)
        return painted.getvalue(), 0, seconds


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        file = archive.extractfile(member) if member.isfile() else None
        if file is not None:
            yield member.name, file.read()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Adds a member without time or owner, so that the same pictures are the same bytes."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _file(name: str, value: Any) -> str:
    """The path of a picture or shard; a text such as `@lake` is a built-in picture, a path of that name is not."""
    _checks.path(name, value)
    return str(picture(name, value))


def _stem(source: Any) -> str:
    name = source.name if isinstance(source, _impasto.Picture) else source if isinstance(source, str) else "bytes"
    # A built-in picture is named without its mark.
    return _short(name.removeprefix("@") if name.startswith("@") else _checks.spoken(Path(name).stem))


def _joined(stems: Sequence[str]) -> str:
    return _short("+".join(stems))


def _short(text: str) -> str:
    return text.encode()[:_STEM].decode(errors="ignore")


def _check_folder(folder: Path) -> None:
    """A folder of results is empty, or has ledgers in it: in it files are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [entry.name for entry in os.scandir(folder) if not entry.name.startswith(".impasto-")]
    if names and not any(name.startswith("finished-") and name.endswith(".jsonl") for name in names):
        raise InvalidError(f"{folder} has other files in it: choose a new or an empty folder")


def _replace(path: Path, data: bytes) -> None:
    """Writes a file, whole or not at all."""
    temporary = path.with_name(f".impasto-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _ray() -> Any:
    """Ray, which is no folder of that name."""
    return _checks.module("ray", "impasto.ray", has="is_initialized", package="\"ray[data]\"")


def _assigned_cpus() -> int:
    """CPUs that Ray has given this actor; 1 without Ray. They are book-keeping: nothing else keeps to them."""
    try:
        ray = _ray()
    except ImportError:
        return 1
    if not ray.is_initialized():
        return 1
    return max(1, int(ray.get_runtime_context().get_assigned_resources().get("CPU", 1)))


def pool(num_cpus: int = 1, concurrency: int | None = None) -> dict[str, Any]:
    """Arguments of `map_batches` for a pool of actors of so many CPUs each, as many as fit.

    One CPU of the cluster is left for the tasks that read and write: actors that hold all of them wait for these for ever.

    Raises:
        InvalidError: the pool would hang.
    """
    ray = _ray()
    noted = Noted()
    noted.read(_checks.whole(1), "num_cpus", num_cpus)
    noted.read(_checks.whole(1), "concurrency", concurrency)
    noted.end()
    if not ray.is_initialized():
        ray.init(include_dashboard=False)
    cpus = int(ray.cluster_resources().get("CPU", 0))
    # Of each machine what is left over is too little for another actor.
    machines = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    most = min(sum(machine // num_cpus for machine in machines), (cpus - 1) // num_cpus)
    if most < 1 or (concurrency is not None and concurrency > most):
        wanted = "an actor" if concurrency is None else f"{concurrency} actors"
        raise InvalidError(
            f"{wanted} of {num_cpus} CPUs would hang on the {cpus} CPUs of this cluster: one must be left for the tasks that "
            f"read and write, so that concurrency can be {max(most, 0)} at most"
        )
    return {"num_cpus": num_cpus, "concurrency": concurrency or most, "batch_size": 1, "batch_format": "numpy"}


def paint(
    paths: Any,
    styles: StyleLike,
    out_dir: str | os.PathLike[str],
    *,
    num_cpus: int = 1,
    concurrency: int | None = None,
    time_limit: float | None = None,
    **options: Any,
) -> Any:
    """Paints pictures on a cluster, and returns the dataset of rows, which is computed as it is read: `.take_all()`,
    `.write_parquet(…)`.

    Args:
        paths: paths that all machines share, or a dataset of Ray with a column `path`.
        styles, out_dir, time_limit, options: as of `Painter`.
        num_cpus: CPUs and threads of an actor.
        concurrency: actors; as many as fit unless given.

    Raises:
        InvalidError: the pool would hang, or with everything that is wrong with the options.
    """
    _ray()
    import ray.data

    # What is wrong is told here, before any actor fails of it.
    noted = Noted()
    folder = noted.read(_checks.path, "out_dir", "" if out_dir is None else out_dir) or ""
    files = None if hasattr(paths, "map_batches") else noted.each(_file, "paths", _checks.several("paths", paths))
    stylizer(read_styles(noted, styles), options, noted)
    places = pool(num_cpus, concurrency)
    if files is not None:
        paths = ray.data.from_items([{"path": path} for path in files])
    arguments = {"styles": styles, "out_dir": str(Path(folder).absolute()), "time_limit": time_limit, **options}
    return paths.map_batches(Painter, fn_constructor_kwargs={**arguments, "threads": num_cpus}, **places)
