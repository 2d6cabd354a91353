#!/usr/bin/env python3
"""Means of all numbers of `impasto metrics` over every content in every style, for several ways of painting.

    python3 bench/metrics_table.py target/release/impasto table/ --contents photos/ --styles paintings/ --size 192 \\
        --ways normal fine nnst best paint --encoder vgg19

A way is a quality, a method or a recipe; `--ways NAME=OPTIONS` is any other: `--ways "gram=--style-loss gram"`. What is painted
and measured stays in the folder: a call that was cut off goes on, one with more ways adds them. Prints a table in Markdown and
writes `table.json` with every number. Needs Python 3.9 and nothing else.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

QUALITIES = ("instant", "draft", "normal", "fine", "best")
METHODS = ("nnst", "strotss", "paint", "wct", "adain", "microast", "ghiasi", "fast")
COLUMNS = ("content", "style", "cfsd", "histogram", "ssim", "lpips", "sliced")
ENDS = {".png", ".jpg", ".jpeg", ".webp"}


def way(text):
    """Name and options of a way of painting."""
    name, given, options = text.partition("=")
    if given:
        return name, shlex.split(options)
    kind = "--quality" if name in QUALITIES else "--method" if name in METHODS else "--recipe"
    return name, [kind, name]


def pictures(folder):
    found = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in ENDS)
    if not found:
        sys.exit(f"{folder}: there are no pictures")
    return found


def call(*arguments):
    return subprocess.run([str(one) for one in arguments], check=True, stdout=subprocess.PIPE).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--contents", required=True)
    parser.add_argument("--styles", required=True)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--ways", nargs="+", type=way, required=True)
    parser.add_argument("--encoder", default="vgg19", help="what measures")
    arguments = parser.parse_args()

    contents, styles = pictures(arguments.contents), pictures(arguments.styles)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    kept = arguments.folder / "table.json"
    numbers = json.loads(kept.read_text()) if kept.exists() else {}
    names = [name for name, _ in arguments.ways]
    for name, options in arguments.ways:
        one_style = [part for style in styles for part in ("--style", style)]
        call(arguments.program, "gallery", *contents, *one_style, *options, "--size", arguments.size, "--quiet",
             "-o", arguments.folder / name)
    for content in contents:
        for style in styles:
            pair = f"{content.stem} in {style.stem}"
            have = numbers.setdefault(pair, {})
            missing = [name for name in names if name not in have]
            files = {name: arguments.folder / name / f"{content.stem}-{style.stem}.png" for name in missing}
            if not files:
                continue
            out = call(arguments.program, "metrics", content, style, *files.values(), "--encoder", arguments.encoder, "--json",
                       "--quiet")
            results = json.loads(out)["results"]
            if len(results) != len(files):
                sys.exit(f"{pair}: {len(results)} of {len(files)} results were measured")
            for name, result in zip(files, results):
                have[name] = {column: result[column] for column in COLUMNS if result.get(column) is not None}
            partial = kept.with_suffix(".part")
            partial.write_text(json.dumps(numbers, indent=1))
            partial.replace(kept)

    first = next(iter(numbers.values()))[names[0]]
    columns = [column for column in COLUMNS if column in first]
    print(f"{len(contents)} contents x {len(styles)} styles, {arguments.size} px, measured by {arguments.encoder}\n")
    print("| | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name in names:
        rows = [pair[name] for pair in numbers.values() if name in pair]
        means = [statistics.mean(row[column] for row in rows) for column in columns]
        print(f"| {name} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |")


if __name__ == "__main__":
    main()
