#!/usr/bin/env python3
# An epoch of glia::Rbm against scikit-learn's BernoulliRBM on the same work, alternately in one run; prints a Markdown table.
# SPDX-License-Identifier: Apache-2.0
#
#     python benchmarks/compare_rbm.py build/cpu/benchmarks/rbm_benchmark [--rounds 5]
#
# Needs a Python with scikit-learn, and a machine that does nothing else. Both have persistent chains, as many as a batch has rows;
# scikit-learn computes no pseudo-likelihood (verbose=0), and has as many threads as Glia; float64 is what its data sets come in.
import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

CASES = [(1797, 64, 256, 10), (10000, 784, 256, 100)]  # rows, visible, hidden, batch


def main():
    parser = argparse.ArgumentParser(description="glia::Rbm against scikit-learn on the same work.")
    parser.add_argument("program", type=Path, help="Glia's rbm_benchmark")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)  # before NumPy is imported
    print("| rows, visible, hidden, batch | Glia, s an epoch | scikit-learn in float64 | ratio | in float32 | ratio |")
    print("|---|---|---|---|---|---|")
    for case in CASES:
        peers = [peer(case, dtype) for dtype in ("float64", "float32")]
        rounds = [(glia(case, options), *(run() for run in peers)) for _ in range(options.rounds)]
        ours, *theirs = (statistics.median(seconds) for seconds in zip(*rounds))
        cells = [f"{seconds:.3f} | **{ratio(rounds, i + 1)}**" for i, seconds in enumerate(theirs)]
        print(f"| {', '.join(map(str, case))} | {ours:.3f} | {' | '.join(cells)} |", flush=True)


def ratio(rounds, peer):
    """The median, and the lowest and highest of a round."""
    ratios = [round[peer] / round[0] for round in rounds]
    return f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


def peer(case, dtype):
    import numpy
    from sklearn.neural_network import BernoulliRBM

    rows, visible, hidden, batch = case
    x = numpy.random.RandomState(0).randint(0, 2, (rows, visible)).astype(dtype)
    rbm = BernoulliRBM(n_components=hidden, learning_rate=0.05, batch_size=batch, n_iter=1, random_state=0)
    rbm.fit(x)

    def run():
        start = time.perf_counter()
        rbm.fit(x)
        return time.perf_counter() - start

    return run


def glia(case, options):
    rows, visible, hidden, batch = case
    name = f"^epoch/rows:{rows}/visible:{visible}/hidden:{hidden}/batch:{batch}/threads:{options.threads}/real_time$"
    command = [options.program.resolve(), f"--benchmark_filter={name}", "--benchmark_format=json"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output)["benchmarks"][0]["real_time"] / 1000


if __name__ == "__main__":
    main()
