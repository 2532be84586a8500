# The same training and inference in PyTorch, as fast as it goes without changing the work: data in memory as float
# tensors, no DataLoader, rows picked by a shuffled index, nothing read back in a step.
# SPDX-License-Identifier: Apache-2.0
#
# Alone: python pytorch_mlp.py --batch-size 32 --threads 2. benchmarks/compare.py uses it beside Glia.
import argparse
import functools
import time

import torch
from torch.nn import functional

TRAINING_ROWS = 60_000
INPUTS, CLASSES = 784, 10
ADAMS = ("plain", "fused")  # torch.optim.Adam as it comes, and with fused=True
LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}  # of images


def make_cnn():
    """Two 3x3 convolutions of 32 and 64 filters, a pool after each, and a hidden layer of 128 units."""
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Unflatten(1, (1, 28, 28)),
        *(torch.nn.Conv2d(1, 32, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)),
        *(torch.nn.Conv2d(32, 64, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)),
        torch.nn.Flatten(),
        *(torch.nn.Linear(7 * 7 * 64, 128), torch.nn.ReLU(), torch.nn.Linear(128, CLASSES)),
    )


class LastStep(torch.nn.Module):
    """What an LSTM gives in its last step."""

    def __init__(self, units):
        super().__init__()
        self.lstm = torch.nn.LSTM(28, units, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0][:, -1]


class Attended(torch.nn.Module):
    """x + attention of x to itself, normalised."""

    def __init__(self, width, heads):
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(width, heads, batch_first=True)
        self.normalization = torch.nn.LayerNorm(width)

    def forward(self, x):
        return self.normalization(x + self.attention(x, x, x, need_weights=False)[0])


class Mean(torch.nn.Module):
    """Over the steps."""

    def forward(self, x):
        return x.mean(dim=1)


def make_lstm():
    """An image row by row through an LSTM of 128 units."""
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Unflatten(1, (28, 28)), LastStep(128), torch.nn.Linear(128, CLASSES))


def make_attention():
    """An image, with a border of 2, as 64 positions 128 wide; attention of 4 heads, and the mean."""
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Unflatten(1, (28, 28)),
        torch.nn.ConstantPad2d(2, 0.0),
        torch.nn.Flatten(),
        torch.nn.Unflatten(1, (64, 16)),
        *(torch.nn.Linear(16, 128), Attended(128, 4), Mean(), torch.nn.Linear(128, CLASSES)),
    )


MODELS = {"cnn": make_cnn, "lstm-128": make_lstm, "attention-128": make_attention}


def make_model(name):
    """One of MODELS, or its widths: "784-128-10"."""
    if name in MODELS:
        return MODELS[name]()
    torch.manual_seed(1)
    widths = [int(width) for width in name.split("-")[:-1]]
    hidden = widths[1:]
    layers = []
    for inputs, outputs in zip(widths, hidden):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], CLASSES))


@functools.cache
def make_data():
    """Images of ten classes, each a pattern under noise: labels that can be learned, as in training_benchmark.cpp."""
    generator = torch.Generator().manual_seed(1)
    patterns = torch.randint(128, (CLASSES, INPUTS), generator=generator)
    labels = torch.randint(CLASSES, (TRAINING_ROWS,), generator=generator)
    noise = torch.randint(128, (TRAINING_ROWS, INPUTS), generator=generator)
    return (patterns[labels] + noise).float() / 255, labels


class Training:
    """A model and its optimizer; epoch() returns seconds."""

    def __init__(self, name, batch_size, threads, adam="plain", layout="contiguous", mixed=False):
        """mixed: products in bfloat16 (autocast), weights in float32."""
        self.batch_size = batch_size
        self.mixed = mixed
        self.threads = threads
        self.model = make_model(name).to(memory_format=LAYOUTS[layout])
        self.optimizer = torch.optim.Adam(self.model.parameters(), fused=True if adam == "fused" else None)

    def epoch(self):
        torch.set_num_threads(self.threads)
        x, y = make_data()
        start = time.perf_counter()
        for rows in torch.randperm(TRAINING_ROWS).split(self.batch_size):
            with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
                loss = functional.cross_entropy(self.model(x.index_select(0, rows)), y.index_select(0, rows))
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
        return time.perf_counter() - start


class Inference:
    """A model; latency() returns the mean seconds of one call over about `duration` seconds."""

    def __init__(self, name, batch_size, threads):
        self.threads = threads
        self.model = make_model(name).append(torch.nn.Softmax(dim=1)).eval()
        self.x = make_data()[0][:batch_size].clone()

    def latency(self, duration=0.5):
        torch.set_num_threads(self.threads)
        calls = 0
        with torch.inference_mode():
            self.model(self.x)
            start = now = time.perf_counter()
            while now - start < duration:
                for _ in range(10):
                    self.model(self.x)
                calls += 10
                now = time.perf_counter()
        return (now - start) / calls


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="784-128-10", help="widths, or " + ", ".join(MODELS))
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--adam", choices=ADAMS, default="plain")
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    training = Training(options.model, options.batch_size, options.threads, options.adam)
    training.epoch()  # unmeasured
    for _ in range(options.epochs):
        seconds = training.epoch()
        print(f"{seconds:.3f} s, {TRAINING_ROWS / seconds:.0f} samples/s")
    inference = Inference(options.model, options.batch_size, options.threads)
    print(f"inference: {inference.latency() * 1e6:.1f} us")


if __name__ == "__main__":
    main()
