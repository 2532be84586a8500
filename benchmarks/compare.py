#!/usr/bin/env python3
# Glia against PyTorch on the same work, alternately in one run; prints a Markdown table of medians and ratios.
# SPDX-License-Identifier: Apache-2.0
#
#     python benchmarks/compare.py build/cpu/benchmarks/training_benchmark [--rounds 5] [--json FILE]
#
# Needs a Python with torch, and a machine that does nothing else: with two threads on two busy cores PyTorch's OpenMP
# waits for itself, and its numbers fall a hundredfold. Each engine gets its best number of threads out of one and all
# cores, and PyTorch the better of its two Adams and, for images, of its two layouts. On a machine in use, --threads 1 still
# compares like with like.
import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import pytorch_mlp  # noqa: E402

TRAINING = [("784-128-10", 32, 3.0), ("784-128-10", 128, 1.5), ("784-128-10", 512, 1.2), ("784-512-512-10", 128, None),
            ("cnn", 128, 1.5), ("cnn-mixed_bfloat16", 128, None), ("lstm-128", 128, 1.5), ("attention-128", 128, 1.5)]
INFERENCE = [("784-128-10", 1, None), ("784-128-10", 1024, None), ("lstm-128", 1, 3.0)]


def main():
    options = parse()
    results = []
    for what, cases in (("train", TRAINING), ("predict", INFERENCE)):
        for model, batch_size, target in cases:
            if options.only in f"{what}/{model}/batch:{batch_size}":
                case = {"what": what, "model": model, "batch_size": batch_size, "target": target}
                results.append(measure(case, options))
                print(f"{what} {model}, batch {batch_size}: {results[-1]['ratio']:.2f}", file=sys.stderr)
    report = {"machine": machine(), "rounds": options.rounds, "results": results}
    print(table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def parse():
    parser = argparse.ArgumentParser(description="Glia against PyTorch on the same work.")
    parser.add_argument("program", type=Path, help="Glia's training_benchmark")
    parser.add_argument("--rounds", type=int, default=5)
    counts = sorted({1, os.cpu_count()})
    parser.add_argument("--threads", type=int, nargs="+", choices=counts, default=counts, help="counts to choose from")
    parser.add_argument("--only", default="", help="cases whose name contains this, e.g. train/784-128-10/batch:32")
    parser.add_argument("--json", type=Path, help="write every measurement to this file")
    options = parser.parse_args()
    if not options.program.is_file():
        parser.error(f"there is no {options.program}; build the target training_benchmark and give its path")
    options.program = options.program.resolve()
    return options


def measure(case, options):
    """Adds the seconds of every round (an epoch, or a call) under each engine's settings, and the best of each."""
    peers = make_peers(case, options.threads)
    rounds = [{**glia(case, options), **{name: run() for name, run in peers.items()}}
              for _ in range(options.rounds)]
    seconds = {name: [one[name] for one in rounds] for name in rounds[0]}
    best = {engine: min((name for name in seconds if name.startswith(engine)),
                        key=lambda name: statistics.median(seconds[name])) for engine in ("Glia", "PyTorch")}
    ratios = [p / g for g, p in zip(seconds[best["Glia"]], seconds[best["PyTorch"]])]
    return {**case, "seconds": seconds, "best": best, "ratios": ratios, "ratio": statistics.median(ratios)}


def make_peers(case, threads):
    model, _, precision = case["model"].partition("-mixed_")
    peers = {}
    if case["what"] == "predict":
        for count in threads:
            peers[f"PyTorch, threads {count}"] = pytorch_mlp.Inference(model, case["batch_size"], count).latency
        return peers
    layouts = pytorch_mlp.LAYOUTS if model == "cnn" else ["contiguous"]
    for adam, layout, count in itertools.product(pytorch_mlp.ADAMS, layouts, threads):
        training = pytorch_mlp.Training(model, case["batch_size"], count, adam, layout, mixed=bool(precision))
        training.epoch()  # unmeasured, as Glia's first
        peers[f"PyTorch, threads {count}, {adam} Adam" + (f", {layout}" if model == "cnn" else "")] = training.epoch
    return peers


def glia(case, options):
    name = f"{case['what']}/{case['model']}/batch:{case['batch_size']}/"
    counts = "|".join(map(str, options.threads))
    command = [options.program, f"--benchmark_filter=^{name}threads:({counts})/", "--benchmark_format=json"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    rows = pytorch_mlp.TRAINING_ROWS if case["what"] == "train" else case["batch_size"]
    found = {f"Glia, threads {one['name'].split('threads:')[1].split('/')[0]}": rows / one["items_per_second"]
             for one in json.loads(output)["benchmarks"]}
    if not found:
        sys.exit(f"{options.program} has no benchmark {name}threads:({counts}): build the one of this version")
    return found


def machine():
    processor = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
        processor = names[0] if names else processor
    return {"processor": processor, "cores": os.cpu_count(), "PyTorch": torch.__version__,
            "Python": platform.python_version()}


def table(report):
    about = report["machine"]
    lines = [f"{about['processor']}, {about['cores']} cores; PyTorch {about['PyTorch']}; "
             f"medians of {report['rounds']} rounds, each engine at its best settings.", "",
             "| | Glia | PyTorch | ratio (lowest to highest round) | wanted |", "|---|---|---|---|---|"]
    for result in report["results"]:
        cells = [value(result, engine) for engine in ("Glia", "PyTorch")]
        spread = f"{min(result['ratios']):.2f} to {max(result['ratios']):.2f}"
        wanted = f"{result['target']}" if result["target"] else ""
        lines.append(f"| {result['what']} {result['model']}, batch {result['batch_size']} | {cells[0]} | {cells[1]} "
                     f"| **{result['ratio']:.2f}** ({spread}) | {wanted} |")
    return "\n".join(lines)


def value(result, engine):
    """Samples a second of training with the time of a step, or the time of a call; and the settings that won."""
    best = result["best"][engine]
    seconds = statistics.median(result["seconds"][best])
    settings = best.split(", ", 1)[1]
    if result["what"] == "predict":
        return f"{seconds * 1e6:.1f} us ({settings})"
    rows = pytorch_mlp.TRAINING_ROWS
    steps = -(-rows // result["batch_size"])
    return f"{rows / seconds:,.0f} samples/s, {seconds / steps * 1e6:.0f} us a step ({settings})"


if __name__ == "__main__":
    main()
