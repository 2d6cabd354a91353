"""Makes a wheel of the package and a library that is built already: for tests, which build the library with everything else.

    python python/tools/wheel.py target/debug/deps/lib_impasto.so FOLDER

Wheels for others are made by maturin, which calls cargo itself.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def main(library: str, folder: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    tag = f"cp311-abi3-{platform}"
    information = f"{project['name']}-{version}.dist-info"
    package = ROOT / "python" / "impasto"
    suffix = ".pyd" if sys.platform == "win32" else ".abi3.so"
    files = {f"impasto/_impasto{suffix}": Path(library).read_bytes()}
    for path in sorted(package.rglob("*")):
        if path.suffix in (".py", ".pyi", ".typed") or path.name == "py.typed":
            files[path.relative_to(package.parent).as_posix()] = path.read_bytes()
    files |= {f"{information}/{name}": text.encode() for name, text in metadata(project, version, tag).items()}
    licences = [path for pattern in project["license-files"] for path in sorted(ROOT.glob(pattern))]
    for path in licences:
        files[f"{information}/licenses/{path.relative_to(ROOT).as_posix()}"] = path.read_bytes()
    record = "".join(f"{name},sha256={digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{information}/RECORD"] = f"{record}{information}/RECORD,,\n".encode()
    wheel = Path(folder) / f"{project['name']}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    print(wheel)


def metadata(project: dict, version: str, tag: str) -> dict[str, str]:
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {version}",
        f"Summary: {project['description']}",
        f"License-Expression: {project['license']}",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {requirement}" for requirement in project["dependencies"]),
    ]
    scripts = "".join(f"{name} = {target}\n" for name, target in project["scripts"].items())
    return {
        "METADATA": "\n".join(lines) + "\n",
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: impasto\nRoot-Is-Purelib: false\nTag: {tag}\n",
        "entry_points.txt": f"[console_scripts]\n{scripts}",
    }


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    main(*sys.argv[1:])
