#!/usr/bin/env python3
"""Peak memory of causal attention of several heads with its projections, forward and backward: gemmgrad and PyTorch.

    python3 bench/peers/memory.py --python PYTHON-WITH-TORCH [--lengths 1024 4096] [--library libgemmgrad.so]

Each side and length runs in a process of its own. What counts is how far the peak of its resident memory (VmHWM)
rises above what stood there after the libraries had been loaded and used once at a small length: data, parameters,
gradients, activations and workspace. Linux only.
"""
import argparse
import ctypes
import pathlib
import re
import subprocess
import sys

SMALL = 64
STEPS = 3
THREADS = 2
HERE = pathlib.Path(__file__).resolve().parent
LIBRARY = HERE.parents[1] / "build" / "layers" / "libgemmgrad.so"


def resident(line):
    """VmRSS (now) or VmHWM (peak) of this process in bytes."""
    return 1024 * int(re.search(line + r":\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[1])


class Value(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int32)]


class MultiHeadOptions(ctypes.Structure):
    """gg_multi_head_options of gemmgrad/attend.h."""
    _fields_ = [("heads", ctypes.c_int64), ("kv_heads", ctypes.c_int64), ("scale", ctypes.c_float),
                ("causal", ctypes.c_bool), ("cache", ctypes.c_bool), ("key_lengths", ctypes.c_void_p),
                ("bias", ctypes.c_void_p), ("no_bias", ctypes.c_bool), ("out", ctypes.c_int64),
                ("width", ctypes.c_int64), ("init", ctypes.c_int), ("init_scale", ctypes.c_float)]


def gemmgrad(path):
    """A function of (length, batch, width, heads) that trains nothing but walks forward and backward."""
    gg = ctypes.CDLL(path)
    model_pointer = ctypes.c_void_p
    gg.gg_error_message.restype = ctypes.c_char_p
    gg.gg_set_threads(THREADS)
    gg.gg_model_new.argtypes = [ctypes.POINTER(model_pointer), ctypes.c_uint64]
    gg.gg_model_free.argtypes = [model_pointer]
    gg.gg_input.argtypes = [model_pointer, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int64)]
    gg.gg_multi_head_attention.argtypes = [model_pointer, Value, Value, Value, ctypes.POINTER(MultiHeadOptions)]
    gg.gg_mean_squared_error.argtypes = [model_pointer, Value, Value]
    for make in (gg.gg_input, gg.gg_multi_head_attention, gg.gg_mean_squared_error):
        make.restype = Value
    gg.gg_model_plan.argtypes = [model_pointer, Value, ctypes.c_int64]
    gg.gg_model_bind.argtypes = [model_pointer, Value, ctypes.c_void_p]
    gg.gg_model_set_extent.argtypes = [model_pointer, ctypes.c_int, ctypes.c_int64]
    gg.gg_model_forward.argtypes = [model_pointer, Value, ctypes.c_int]
    gg.gg_model_backward.argtypes = [model_pointer]
    batch_axis, train_mode = -1, 1

    def check(status):
        if status != 0:
            sys.exit(gg.gg_error_message().decode())

    def walk(batch, length, width, heads):
        model = model_pointer()
        check(gg.gg_model_new(ctypes.byref(model), 1))
        dims = (ctypes.c_int64 * 3)(batch_axis, length, width)
        x, t = gg.gg_input(model, b"x", 3, dims), gg.gg_input(model, b"t", 3, dims)
        y = gg.gg_multi_head_attention(model, x, x, x, MultiHeadOptions(heads=heads, causal=True))
        loss = gg.gg_mean_squared_error(model, y, t)
        check(gg.gg_model_plan(model, loss, batch))
        data = [(ctypes.c_float * (batch * length * width))() for _ in range(2)]
        for value, floats in zip((x, t), data):
            for i in range(0, len(floats), 7):
                floats[i] = i % 11 / 11
            check(gg.gg_model_bind(model, value, floats))
        check(gg.gg_model_set_extent(model, batch_axis, batch))
        for _ in range(STEPS):
            check(gg.gg_model_forward(model, loss, train_mode))
            check(gg.gg_model_backward(model))
        gg.gg_model_free(model)

    return walk


def pytorch():
    import torch
    torch.set_num_threads(THREADS)
    functional = torch.nn.functional

    def walk(batch, length, width, heads):
        inner, outer = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
        x, t = torch.rand(batch, length, width), torch.rand(batch, length, width)
        for _ in range(STEPS):
            inner.zero_grad(set_to_none=True)
            outer.zero_grad(set_to_none=True)
            q, k, v = (part.view(batch, length, heads, -1).transpose(1, 2) for part in inner(x).split(width, -1))
            o = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            functional.mse_loss(outer(o.transpose(1, 2).reshape(batch, length, width)), t).backward()

    return walk


def measure(side, library, batch, length, width, heads):
    walk = gemmgrad(library) if side == "gemmgrad" else pytorch()
    walk(1, SMALL, width, heads)
    before = resident("VmRSS")
    walk(batch, length, width, heads)
    print(resident("VmHWM") - before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", default=sys.executable, help="a Python with torch")
    parser.add_argument("--library", default=str(LIBRARY), help="libgemmgrad.so")
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024, 4096])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--side", choices=("gemmgrad", "torch"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        return measure(args.side, args.library, args.batch, args.lengths[0], args.width, args.heads)
    print(f"causal attention, batch {args.batch}, width {args.width}, {args.heads} heads; peak memory in MB")
    print(f"{'length':>8} {'gemmgrad':>10} {'PyTorch':>10} {'ratio':>7}")
    for length in args.lengths:
        peak = {}
        for side in ("gemmgrad", "torch"):
            command = [args.python, __file__, "--side", side, "--library", args.library, "--lengths", str(length),
                       "--batch", str(args.batch), "--width", str(args.width), "--heads", str(args.heads)]
            run = subprocess.run(command, capture_output=True, text=True)
            if run.returncode != 0:
                sys.exit(f"{side} failed: {run.stderr.strip()[-500:]}")
            peak[side] = int(run.stdout) / 1e6
        print(f"{length:>8} {peak['gemmgrad']:>10.1f} {peak['torch']:>10.1f} {peak['torch'] / peak['gemmgrad']:>7.2f}")


if __name__ == "__main__":
    main()
