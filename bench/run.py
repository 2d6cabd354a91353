#!/usr/bin/env python3
"""Times the step of style transfer side by side: ours and the peers, one process each, in turns.

    python bench/run.py --sizes 256,512 --rounds 5 --iters 5 --threads 2 --output results.json
    python bench/run.py --contenders impasto-f32,torch-tuned --program target/release/impasto
    python bench/run.py --gpu --output gpu.json
    python bench/run.py --list

A round runs every contender once, a different one first each time, so that a machine that slows down slows all of them. A
contender's figure is the median over rounds of its medians; the ratio is its figure over the first contender's, taken round
by round, then the median. The step is described in peers/task.py.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
RUST_PEERS = BENCH / "peers" / "rust" / "target" / "release"


def ours(precision, *more):
    def command(a, size):
        given = ["--encoder", "vgg19", "--random-weights", "--size", str(size), "--threads", str(a.threads)]
        return [a.program, "bench", "step", *given, "--precision", precision, "--steps", str(a.iters), *more, "--json"]

    return command


def on_gpu(precision):
    def command(a, size):
        given = ["--encoder", "vgg19", "--random-weights", "--size", str(size), "--device", a.device]
        return [a.program, "bench", "step", *given, "--precision", precision, "--steps", str(a.iters), "--json"]

    return command


def script(name, variant):
    def command(a, size):
        given = ["--size", str(size), "--threads", str(a.threads), "--iters", str(a.iters), "--variant", variant]
        return [a.python, str(BENCH / "peers" / name), *given]

    return command


def rust(name):
    def command(a, size):
        return [str(RUST_PEERS / name), "--size", str(size), "--threads", str(a.threads), "--iters", str(a.iters)]

    return command


# What a contender's process finds in its environment beside ours.
ENVIRONMENT = {"impasto-avx2": {"IMPASTO_SIMD": "avx2"}}

# name: (command, what it is)
CONTENDERS = {
    "impasto-f32": (ours("f32"), "this project, float32"),
    "impasto-bf16": (ours("bf16"), "this project, products in bfloat16"),
    "impasto-avx2": (ours("f32"), "this project, float32, held to AVX2"),
    "torch-f32": (script("torch_step.py", "f32"), "PyTorch float32, channels-last, as installed"),
    "torch-tuned": (script("torch_step.py", "tuned"), "the same with freed memory kept"),
    "torch-compiled": (script("torch_step.py", "compiled"), "torch.compile, float32, channels-last"),
    "torch-bf16": (script("torch_step.py", "bf16"), "PyTorch bfloat16 autocast, channels-last"),
    "torch-avx2": (script("torch_step.py", "avx2"), "PyTorch float32, held to AVX2"),
    "tensorflow": (script("tensorflow_step.py", "graph"), "TensorFlow tf.function"),
    "tensorflow-xla": (script("tensorflow_step.py", "xla"), "TensorFlow tf.function with XLA"),
    "impasto-gpu": (on_gpu("f32"), "this project on a graphics card, float32"),
    "impasto-gpu-f16": (on_gpu("f16"), "this project on a graphics card, products in float16"),
    "cuda-f32": (script("torch_cuda.py", "f32"), "PyTorch CUDA, TF32 off, its fastest form"),
    "cuda-tf32": (script("torch_cuda.py", "tf32"), "PyTorch CUDA, TF32 on, its fastest form"),
    "cuda-bf16": (script("torch_cuda.py", "bf16"), "PyTorch CUDA, bfloat16 autocast, its fastest form"),
    "burn": (rust("burn_step"), "burn flex (build peers/rust first)"),
    "candle": (rust("candle_step"), "candle CPU (build peers/rust first)"),
}
ON_GPU = "impasto-gpu,impasto-gpu-f16,cuda-f32,cuda-tf32,cuda-bf16"
USUAL = "impasto-f32,impasto-bf16,torch-f32,torch-tuned,torch-compiled,torch-bf16,tensorflow"


def run_once(command, environment, limit):
    """The JSON line a contender prints last, or {"error": why not}."""
    try:
        given = {**os.environ, **environment}
        done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=limit)
    except FileNotFoundError:
        return {"error": f"{command[0]} is not there"}
    except subprocess.TimeoutExpired:
        return {"error": f"took longer than {limit} s"}
    if done.returncode:
        told = done.stderr.strip().splitlines() or done.stdout.strip().splitlines() or [""]
        return {"error": f"ended with {done.returncode}: {told[-1]}"}
    # A program may print its JSON over several lines; a peer may print notes before its one line.
    for text in (done.stdout, *reversed(done.stdout.strip().splitlines())):
        try:
            found = json.loads(text)
        except ValueError:
            continue
        if isinstance(found, dict) and "step_seconds_median" in found:
            return found
    return {"error": "printed no JSON with step_seconds_median"}


def processor():
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")), "")


def load():
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def summarize(names, runs):
    """Per contender: median, least, ratio to the first contender, peak memory, or the error of its last run."""
    rows = {}
    for name in names:
        good = {r["round"]: r for r in runs if r["contender"] == name and "error" not in r}
        failed = [r["error"] for r in runs if r["contender"] == name and "error" in r]
        if not good:
            rows[name] = {"error": failed[-1]}
            continue
        first = {r["round"]: r for r in runs if r["contender"] == names[0] and "error" not in r}
        ratios = [r["step_seconds_median"] / first[k]["step_seconds_median"] for k, r in good.items() if k in first]
        rows[name] = {
            "median_seconds": statistics.median(r["step_seconds_median"] for r in good.values()),
            "min_seconds": min(r["step_seconds_min"] for r in good.values()),
            "ratio": round(statistics.median(ratios), 3) if ratios else None,
            "peak_rss_mb": max(r["peak_rss_mb"] for r in good.values()),
            "rounds": len(good),
            "failed": failed,
        }
    return rows


def table(size, names, rows, busiest):
    # The load a minute before a run that follows another is the other's; beyond the cores it is somebody else's.
    if busiest and busiest > (os.cpu_count() or 1) + 0.5:
        print(f"\nThe machine was busy (load {busiest} before a run): these figures say little.")
    print(f"\n{size} x {size}: seconds a step, ratio to {names[0]} (above 1 is slower), peak MB")
    print(f"{'contender':16} {'median':>9} {'least':>9} {'ratio':>7} {'MB':>6}")
    for name in names:
        row = rows[name]
        if "error" in row:
            print(f"{name:16} {row['error']}")
            continue
        ratio = f"{row['ratio']:.2f}" if row["ratio"] else "-"
        print(f"{name:16} {row['median_seconds']:9.4f} {row['min_seconds']:9.4f} {ratio:>7} {row['peak_rss_mb']:6.0f}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gpu", action="store_true", help="the contenders on a graphics card, up to 2048 px")
    p.add_argument("--device", default="gpu", help="the graphics card of ours, as impasto devices lists it")
    p.add_argument("--contenders")
    p.add_argument("--sizes")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--iters", type=int, default=5, help="timed steps of one run")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--program", default=str(ROOT / "target" / "release" / "impasto"))
    p.add_argument("--python", default=sys.executable, help="with the peers of requirements.txt")
    p.add_argument("--limit", type=int, default=900, help="seconds after which one run is given up")
    p.add_argument("--output", help="where to write every run and the summary as JSON")
    p.add_argument("--list", action="store_true", help="say what the contenders are")
    a = p.parse_args()
    a.contenders = a.contenders or (ON_GPU if a.gpu else USUAL)
    a.sizes = a.sizes or ("512,1024,2048" if a.gpu else "256,512")
    if a.list:
        for name, (_, meaning) in CONTENDERS.items():
            print(f"{name:16} {meaning}")
        return
    names = a.contenders.split(",")
    unknown = [name for name in names if name not in CONTENDERS]
    if unknown:
        sys.exit(f"no contender {unknown}; there are {list(CONTENDERS)}")
    result = {
        "date": time.strftime("%Y-%m-%d %H:%M:%S"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": a.threads,
        "iters": a.iters,
        "sizes": {},
    }
    failed = False
    for size in (int(text) for text in a.sizes.split(",")):
        runs, broken = [], set()
        for turn in range(a.rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                if name in broken:
                    continue
                before = load()
                got = run_once(CONTENDERS[name][0](a, size), ENVIRONMENT.get(name, {}), a.limit)
                runs.append({"contender": name, "round": turn, "load_before": before, **got})
                if "error" in got:
                    broken.add(name)
                said = got.get("error") or f"{got['step_seconds_median']:.4f} s"
                print(f"{size} px, round {turn + 1}, {name}: {said}", file=sys.stderr, flush=True)
        rows = summarize(names, runs)
        failed |= any("error" in row for row in rows.values())
        table(size, names, rows, max((r["load_before"] or 0 for r in runs), default=0))
        result["sizes"][size] = {"summary": rows, "runs": runs}
        if a.output:
            # Written after each size, so that a long run cut short keeps what it has.
            waiting = Path(f"{a.output}.part")
            waiting.write_text(json.dumps(result, indent=1) + "\n")
            waiting.replace(a.output)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
