# An epoch of training in PyTorch on a GPU, as fast as it goes without changing the work: bytes resident on the device,
# rows picked there by a shuffled index, nothing read back within an epoch. Eager, or the whole step as one CUDA graph.
# SPDX-License-Identifier: Apache-2.0
import time

import torch
from torch.nn import functional

torch.backends.cuda.matmul.allow_tf32 = False

VERSION = f"PyTorch {torch.__version__}"


def make_model(widths, device):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(inputs, outputs, device=device), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


class Training:
    """epoch() returns seconds; mode is "eager" or "graph"."""

    def __init__(self, widths, batch, rows, mode, device="cuda"):
        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("PyTorch finds no GPU")
        generator = torch.Generator().manual_seed(1)
        self.device, self.batch, self.rows, self.mode = device, batch, rows, mode
        self.x = torch.randint(256, (rows, widths[0]), generator=generator, dtype=torch.uint8).to(device)
        self.y = torch.randint(widths[-1], (rows,), generator=generator).to(device)
        self.model = make_model(widths, device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), eps=1e-7, fused=device == "cuda",
                                          capturable=mode == "graph")
        self.total = torch.zeros((), device=device)
        self.index = torch.zeros(batch, dtype=torch.int64, device=device)
        self.graph = self.capture() if mode == "graph" else None

    def step(self, rows):
        x = self.x.index_select(0, rows).float() * (1 / 255)
        loss = functional.cross_entropy(self.model(x), self.y.index_select(0, rows))
        self.optimizer.zero_grad(set_to_none=self.mode != "graph")
        loss.backward()
        self.optimizer.step()
        self.total += loss.detach()

    def capture(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.step(self.index)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step(self.index)
        return graph

    def epoch(self):
        self.synchronize()
        start = time.perf_counter()
        order = torch.randperm(self.rows, device=self.device)
        for rows in order.split(self.batch):
            if self.graph and len(rows) == self.batch:
                self.index.copy_(rows)
                self.graph.replay()
            else:
                self.step(rows)
        float(self.total)  # the loss, once an epoch
        self.synchronize()
        return time.perf_counter() - start

    def synchronize(self):
        if self.device == "cuda":
            torch.cuda.synchronize()
