#!/usr/bin/env python3
# Seconds of an epoch on a GPU: Glia beside PyTorch (eager, and the step as a CUDA graph) and JAX (lax.scan), in one run;
# prints a Markdown table. Peers that this Python lacks are named as absent.
# SPDX-License-Identifier: Apache-2.0
#
#     python benchmarks/gpu_epochs.py build/cuda/benchmarks/epoch_benchmark [--epochs 7] [--device cpu --rows 2048]
import argparse
import importlib
import json
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "peers"))


def main():
    parser = argparse.ArgumentParser(description="Seconds of an epoch: Glia beside its peers.")
    parser.add_argument("program", type=Path, help="Glia's epoch_benchmark")
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: to try this program out")
    options = parser.parse_args()

    glia = run_glia(options)
    columns, versions = {"Glia": {(one["model"], one["batch"]): one["epoch_seconds"] for one in glia}}, []
    for name, module, arguments in (("PyTorch eager", "pytorch_gpu", {"mode": "eager"}),
                                    ("PyTorch graph", "pytorch_gpu", {"mode": "graph"}),
                                    ("JAX scan", "jax_gpu", {})):
        try:
            peer = importlib.import_module(module)
            columns[name] = {case: measure(peer, case, arguments, options) for case in columns["Glia"]}
            versions.append(f"{name}: {peer.VERSION}")
        except Exception as error:  # a peer that is absent or fails is a line of the report, not its end
            versions.append(f"{name}: absent ({type(error).__name__}: {str(error).splitlines()[0]})")
    print(table(columns, versions, options.rows))


def run_glia(options):
    command = [options.program.resolve(), "--device", options.device, "--epochs", str(options.epochs),
               "--rows", str(options.rows)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def measure(peer, case, arguments, options):
    model, batch = case
    training = peer.Training([int(width) for width in model.split("-")], batch, options.rows, device=options.device,
                             **arguments)
    for _ in range(2):
        training.epoch()
    return statistics.median(training.epoch() for _ in range(options.epochs))


def table(columns, versions, rows):
    peers = [name for name in columns if name != "Glia"]
    lines = ["| model, batch | Glia |" + "".join(f" {name} | ratio |" for name in peers),
             "|---|---|" + "---|---|" * len(peers)]
    for (model, batch), seconds in columns["Glia"].items():
        cells = "".join(f" {columns[name][model, batch] * 1e3:.2f} ms | {columns[name][model, batch] / seconds:.2f} |"
                        for name in peers)
        lines.append(f"| {model}, {batch} | {seconds * 1e3:.2f} ms |{cells}")
    return "\n".join(lines + ["", f"Medians of epochs over {rows:,} rows, data on the device, float32. " + "; ".join(versions)])


if __name__ == "__main__":
    main()
