#!/usr/bin/env python3
"""The kernels, layers and training steps of `gemmgrad bench` in NumPy, written as in Deep Learning from Scratch.

`gemmgrad bench --peer numpy --python PYTHON` runs it with --serve. NumPy brings a BLAS of its own, which reads the
number of threads and the kernel from the environment when it is loaded: both are set before.
"""
import argparse
import os

import date_model
import kernel_cases
import peer_server

LEARNING_RATE = 1e-5  # as in bench_kinds_network.c


def affine(np, batch, inputs, outputs):
    """Forward and backward with gradients of x, W and b."""
    draw = np.random.default_rng(1)
    x, w, dy = (draw.standard_normal(shape, dtype=np.float32)
                for shape in ((batch, inputs), (inputs, outputs), (batch, outputs)))
    b = np.zeros(outputs, np.float32)
    y, dx, dw, db = np.empty_like(dy), np.empty_like(x), np.empty_like(w), np.empty_like(b)

    def fresh():
        return np.dot(x, w) + b, np.dot(dy, w.T), np.dot(x.T, dy), np.sum(dy, axis=0)

    def kept():
        np.dot(x, w, out=y)
        np.add(y, b, out=y)
        np.dot(dy, w.T, out=dx)
        np.dot(x.T, dy, out=dw)
        np.sum(dy, axis=0, out=db)

    return {"new arrays": fresh, "arrays kept": kept}


class Network:
    """Affine layers with an activation in between, then softmax with cross-entropy."""

    def __init__(self, np, batch, sizes, sigmoid):
        draw = np.random.default_rng(1)
        self.np, self.sigmoid = np, sigmoid
        self.x = draw.standard_normal((batch, sizes[0]), dtype=np.float32)
        self.t = draw.integers(0, sizes[-1], batch)
        self.params = []
        for inputs, outputs in zip(sizes, sizes[1:]):
            self.params.append(draw.standard_normal((inputs, outputs), dtype=np.float32) * np.float32(inputs ** -0.5))
            self.params.append(np.zeros(outputs, np.float32))

    def gradients(self):
        np, xs, x = self.np, [self.x], self.x
        layers = len(self.params) // 2
        for i in range(layers):
            x = np.dot(x, self.params[2 * i]) + self.params[2 * i + 1]
            if i + 1 < layers:
                x = 1 / (1 + np.exp(-x)) if self.sigmoid else np.maximum(x, 0)
                xs.append(x)
        e = np.exp(x - x.max(axis=1, keepdims=True))
        d = e / e.sum(axis=1, keepdims=True)
        rows = np.arange(len(d))
        self.loss = -np.log(d[rows, self.t] + 1e-7).mean()
        d[rows, self.t] -= 1
        d /= len(d)
        grads = [None] * len(self.params)
        for i in reversed(range(layers)):
            grads[2 * i], grads[2 * i + 1] = np.dot(xs[i].T, d), d.sum(axis=0)
            if i > 0:
                d = np.dot(d, self.params[2 * i].T)
                d *= xs[i] * (1 - xs[i]) if self.sigmoid else xs[i] > 0
        return grads

    def sgd_step(self):
        for param, grad in zip(self.params, self.gradients()):
            param -= LEARNING_RATE * grad

    def adam_step(self):
        np = self.np
        if not hasattr(self, "moments"):
            self.moments = [(np.zeros_like(p), np.zeros_like(p)) for p in self.params]
            self.step = 0
        self.step += 1
        rate = LEARNING_RATE * (1 - 0.999 ** self.step) ** 0.5 / (1 - 0.9 ** self.step)
        for param, grad, (m, v) in zip(self.params, self.gradients(), self.moments):
            m += (1 - 0.9) * (grad - m)
            v += (1 - 0.999) * (grad * grad - v)
            param -= rate * m / (np.sqrt(v) + 1e-7)


def training(np, sizes, batch, sigmoid, adam):
    network = Network(np, batch, sizes, sigmoid)
    return {"plain": network.adam_step if adam else network.sgd_step}


CASES = {
    "layers/affine/32x256x256": lambda np: affine(np, 32, 256, 256),
    "layers/affine/128x784x512": lambda np: affine(np, 128, 784, 512),
    "layers/affine/128x1024x1024": lambda np: affine(np, 128, 1024, 1024),
    "layers/affine/512x1024x1024": lambda np: affine(np, 512, 1024, 1024),
    "layers/affine/64x4096x4096": lambda np: affine(np, 64, 4096, 4096),
    "training/perceptron/sigmoid-sgd/30x2x10x3": lambda np: training(np, (2, 10, 3), 30, True, False),
    "training/perceptron/relu-sgd/128x784x512x512x10":
        lambda np: training(np, (784, 512, 512, 10), 128, False, False),
    "training/perceptron/relu-adam/128x784x512x512x10":
        lambda np: training(np, (784, 512, 512, 10), 128, False, True),
    date_model.NAME: lambda np: date_model.ways(np, LEARNING_RATE),
}


def kernel_for_this_cpu():
    """The widest kernel of OpenBLAS that this CPU runs; None: leave the choice to OpenBLAS."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            flags = set(next(line for line in file if line.startswith("flags")).split())
    except (OSError, StopIteration):
        return None
    if not {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        return None
    return "Cooperlake" if "avx512_bf16" in flags else "SkylakeX"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true", help="answer the requests of gemmgrad bench")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    if not arguments.serve:
        print("\n".join(CASES))
        return
    kernel = kernel_for_this_cpu()
    if kernel is not None:
        os.environ.setdefault("OPENBLAS_CORETYPE", kernel)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(arguments.threads)
    import numpy as np
    about = f"NumPy {np.__version__}, {arguments.threads} threads, OPENBLAS_CORETYPE={kernel}"
    named = {name: lambda make=make: make(np) for name, make in CASES.items()}
    peer_server.serve(peer_server.Cases(named, kernel_cases.numpy_patterns(),
                                        lambda name: kernel_cases.numpy_ways(np, name)), about)


if __name__ == "__main__":
    main()
