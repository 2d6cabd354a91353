#!/usr/bin/env python3
"""Whether a change of the code changed a picture: paints fourteen jobs and compares the files.

    python3 bench/same_bytes.py target/release/impasto before/ --vgg19 vgg19.safetensors     # before the change
    python3 bench/same_bytes.py target/release/impasto after/  --vgg19 vgg19.safetensors     # after it
    python3 bench/same_bytes.py --compare before/ after/

Every byte counts except the settings in the metadata (PNG's iTXt), which name the version of program and recipe: these
are compared as values, and differences are printed but are no failure. Needs Python 3.9 and nothing else. Without
--vgg19 the two jobs of VGG-19 are left out, which is said. One machine, one build profile: other processors round
differently.
"""

import argparse
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

# What each job paints: arguments of `impasto stylize`, the output left out.
JOBS = {
    "lite-draft": ["@lake", "--style", "@swirls", "--quality", "draft", "--size", "256"],
    "lite-normal": ["@city", "--style", "@glass", "--quality", "normal", "--size", "256"],
    "lite-fine": ["@still-life", "--style", "@oils", "--quality", "fine", "--size", "181"],
    "gram": ["@lake", "--style", "@waves", "--style-loss", "gram", "--gram-norm", "hw", "--size", "192"],
    "mean-std-gradient": ["@city", "--style", "@ink", "--style-loss", "mean-std", "--normalize", "gradient",
                          "--size", "192"],
    "lbfgs": ["@still-life", "--style", "@dots", "--optimizer", "lbfgs", "--steps", "8,4", "--size", "181"],
    "two-styles-noise": ["@lake", "--style", "@swirls:2", "--style", "@geometry:1", "--init", "noise", "--seed", "7",
                         "--pooling", "l2", "--padding", "reflect", "--size", "160"],
    "strips": ["@city", "--style", "@waves", "--tile", "96", "--pooling", "average", "--size", "300", "--steps",
               "20,6"],
    "tiles": ["@lake", "--style", "@dots", "--tile", "128", "--pooling", "l2", "--size", "300", "--steps", "20,6"],
    "sixteen-bit-alpha": ["{alpha}", "--style", "@oils", "--size", "128", "--steps", "10"],
    "one-row": ["{row}", "--style", "@swirls", "--size", "200", "--steps", "6"],
    "resumed": ["@lake", "--style", "@oils", "--size", "256", "--steps", "60,40"],
    "vgg19": ["@lake", "--style", "@swirls", "--quality", "draft", "--size", "192", "--encoder", "{vgg19}"],
    "vgg19-gram-recipe": ["@city", "--style", "@glass", "--recipe", "tensorflow", "--steps", "10", "--size", "160",
                          "--encoder", "{vgg19}"],
}


def png(width, height, channels, depth, pixel):
    """A PNG of `channels` (3 or 4) of `depth` bits (8 or 16); `pixel(x, y)` gives its samples."""
    form = {8: "B", 16: "H"}[depth]
    rows = b"".join(
        b"\0" + b"".join(struct.pack(f">{channels}{form}", *pixel(x, y)) for x in range(width)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, {3: 2, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def inputs(folder):
    """Pictures that no example has: 16 bits with alpha, and a single row."""
    def shaded(x, y):
        return [(x * 700 + y * 31) % 65536, (y * 911) % 65536, (x * y * 7) % 65536, 65535 - (x * 500) % 65536]

    def striped(x, _y):
        return [(x * 13) % 256, (x * 7) % 256, 255 - x % 256]

    alpha, row = folder / "alpha.png", folder / "row.png"
    alpha.write_bytes(png(96, 64, 4, 16, shaded))
    row.write_bytes(png(200, 1, 3, 8, striped))
    return {"{alpha}": str(alpha), "{row}": str(row)}


def run(program, arguments, environment, interrupt=False):
    """Runs the program; interrupted as soon as a checkpoint is there, if so asked."""
    command = [program, "-q", "stylize", *arguments]
    if not interrupt:
        subprocess.run(command, check=True, env=environment)
        return
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    folder = Path(arguments[arguments.index("--checkpoint") + 1])
    while process.poll() is None and not any(folder.glob("*")):
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()


def paint(program, folder, vgg19):
    """Paints every job into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        environment = {**os.environ, "IMPASTO_CACHE": str(scratch / "cache"), "IMPASTO_MODELS": str(scratch / "models")}
        places = inputs(scratch)
        if vgg19:
            places["{vgg19}"] = vgg19
        for name, arguments in JOBS.items():
            if "{vgg19}" in arguments and not vgg19:
                print(f"{name}: left out, there is no --vgg19")
                continue
            arguments = [places.get(argument, argument) for argument in arguments]
            arguments += ["-o", str(folder / f"{name}.png")]
            if name == "resumed":
                kept = ["--checkpoint", str(scratch / "run"), "--checkpoint-every", "0"]
                run(program, arguments + kept, environment, interrupt=True)
                arguments += kept + ["--resume"]
            run(program, arguments, environment)
            print(f"{name}: painted")


def parts(path):
    """The bytes of a PNG without the settings, and the settings."""
    data, place, rest, settings = path.read_bytes(), 8, [], None
    while place < len(data):
        (length,) = struct.unpack(">I", data[place:place + 4])
        chunk = data[place:place + 12 + length]
        if chunk[4:8] == b"iTXt":
            settings = json.loads(chunk[8:-4].split(b"\0", 5)[-1])
        else:
            rest.append(chunk)
        place += 12 + length
    return b"".join(rest), settings


def flat(value, path=""):
    """Every leaf of some JSON with its path."""
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in flat(inner, f"{path}.{key}").items()}
    return {path: value}


def compare(before, after):
    """Compares two folders; returns how many files differ."""
    names = sorted({path.name for path in [*before.glob("*.png"), *after.glob("*.png")]})
    if not names:
        sys.exit("there is nothing to compare")
    different = 0
    for name in names:
        if not ((before / name).exists() and (after / name).exists()):
            print(f"{name}: is in one folder only")
            different += 1
            continue
        (one, old), (other, new) = parts(before / name), parts(after / name)
        different += one != other
        print(f"{name}: {'the same' if one == other else 'DIFFERENT'}")
        old, new = flat(old), flat(new)
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                print(f"    settings{key}: {old.get(key)!r} was, {new.get(key)!r} is")
    print(f"{len(names)} files, {different} different")
    return different


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the program; the first folder with --compare")
    parser.add_argument("folder", type=Path, help="where the pictures go; the second folder with --compare")
    parser.add_argument("--vgg19", help="a file of VGG-19's weights")
    parser.add_argument("--compare", action="store_true", help="compare two folders")
    arguments = parser.parse_args()
    if arguments.compare:
        sys.exit(compare(Path(arguments.program), arguments.folder) > 0)
    paint(arguments.program, arguments.folder, arguments.vgg19)


if __name__ == "__main__":
    main()
