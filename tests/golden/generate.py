#!/usr/bin/env python3
"""Golden numbers from PyTorch in double, for tests/golden/test_golden.c.

generate.py [FOLDER]     write layers, optimizers, training and torch.safetensors (default: beside this script).
                         Needs PyTorch (2.0 or newer, CPU) and NumPy:
                             python3 -m venv venv && venv/bin/pip install torch numpy && venv/bin/python generate.py

The files are in the repository: run this only to add a case, and look at the difference. The same PyTorch writes the
same bytes; another may differ in the last bits, which the bounds of the test allow for.

Every input is a float widened to double, so that the library and PyTorch start from the same numbers. Tensors of a case
are called CASE.NAME for an input, CASE.p0, p1, ... for the parameters in the order of the library, CASE.y for what the
layers give, CASE.loss, and CASE.grad.NAME, CASE.grad.p0, ... for the gradients of the loss. A case whose y is no loss
has the mean squared error against CASE.target as its loss. The cases are the entries of tests/registry/registry.c.
"""
import math
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden_attention import attention_cases
from golden_case import BATCH, IN, OUT, TIME, Case, write_safetensors
from golden_sequences import Sequences, sequence_cases, state_dicts
from golden_transformers import transformer_cases
from golden_words import word_cases

IMAGE = (BATCH, 5, 6, 10)          # what registry_image makes of them
SIGNAL, VALUES = (BATCH, 5, 10), (BATCH, 5)

# ---- cases --------------------------------------------------------------------------------------------------------


def cross_entropy(x, labels):
    """The mean over rows that count; 0 when none does, where PyTorch's own mean gives 0/0."""
    total = F.cross_entropy(x.reshape(-1, x.shape[-1]), labels.reshape(-1), ignore_index=-1, reduction="sum")
    return total / max(int((labels >= 0).sum()), 1)


def soft_cross_entropy(x, targets):
    return F.cross_entropy(x.reshape(-1, x.shape[-1]), targets.reshape(-1, x.shape[-1]))


def book_error(y, labels):
    """cross_entropy_error of Deep Learning from Scratch: - log(y + 1e-7) at the label."""
    rows, flat = y.reshape(-1, y.shape[-1]), labels.reshape(-1)
    picked = rows.gather(1, flat.clamp(min=0)[:, None])[:, 0]
    counts = (flat >= 0).double()
    return -(torch.log(picked + 1e-7) * counts).sum() / max(float(counts.sum()), 1.0)


def soft_book_error(y, targets):
    return -(targets * torch.log(y + 1e-7)).sum() / (y.numel() / y.shape[-1])


ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.125),
    "elu": lambda x: F.elu(x, 0.75),
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "exp": torch.exp,
    "log": torch.log,
}
SOME, ALL = (1, 4), range(BATCH * TIME)


def affine_case(f, positive):
    def build(c):
        x = c.input("x", low=0.5) if positive else c.input("x")
        return c.affine(x, OUT, f, low=0.25) if positive else c.affine(x, OUT, f)
    return build


def loss_with_labels(loss, low, high, ignored=()):
    return lambda c: loss(c.input("x", low=low, high=high), c.labels("second", IN, ignored))


def sequential(c):
    h = c.affine(c.input("x"), OUT, lambda z: F.leaky_relu(z, 0.25))
    h = h * c.mask(h, 0.25, 1)
    return torch.softmax(F.elu(c.affine(h, IN, bias=False), 0.5), -1)


def fan_out(c):
    h = c.affine(c.input("x"), OUT, torch.tanh)
    again, other = c.affine(h, OUT, torch.sigmoid), c.affine(h, OUT)
    return h * h + again + torch.softmax(h, -1) * other + F.gelu(h)


def residual(c):
    v = c.input("x")
    for _ in range(3):
        v = v + c.affine(v, IN, F.silu)
    return c.affine(v, OUT)


def two_inputs(c):
    encoder, decoder = c.input("x"), c.input("second", last=OUT)
    weights = torch.softmax(c.affine(encoder, OUT) * decoder, -1)
    return weights * c.affine(encoder, OUT, torch.tanh) + decoder


def classifier(c):
    hidden = c.affine(c.input("x"), OUT, torch.relu)
    return cross_entropy(c.affine(hidden, 4), c.labels("second", 4, SOME))


def three_losses(c):
    scores, targets = c.affine(c.input("x"), OUT), c.one_hot("second", OUT)
    first = soft_cross_entropy(scores, targets)
    second, third = cross_entropy(scores, c.labels("labels", OUT)), F.mse_loss(scores, targets)
    return (first * second * third + first).reshape(1)


def learned_targets(c):
    x = c.input("x")
    scores = c.affine(x, OUT)
    targets = torch.softmax(c.affine(x, OUT, torch.tanh), -1)
    return (soft_cross_entropy(scores, targets) + soft_book_error(torch.softmax(scores, -1), targets)).reshape(1)


CONV_IMAGE, CONV_LINE = (BATCH, 4, 6, 5), (BATCH, 4, 11)  # as in tests/registry/registry_conv.c


def conv(c, x, filters, kernel, f=lambda z: z, bias=True, groups=1, pads=(0, 0, 0, 0), **options):
    """pads: left, right, top, bottom, as of F.pad; kernel: height and width, or one number for lines."""
    kernel = kernel if isinstance(kernel, tuple) else (kernel,)
    c.parameters.append(c.draw((filters, x.shape[1] // groups, *kernel), -1.0, 1.0))
    weight, convolve = c.parameters[-1], F.conv2d if len(kernel) == 2 else F.conv1d
    if bias:
        c.parameters.append(c.draw((filters,), -1.0, 1.0))
    return f(convolve(F.pad(x, pads), weight, c.parameters[-1] if bias else None, groups=groups, **options))


def transposed(c, x, filters, kernel, f=lambda z: z, bias=True, groups=1, pads=(0, 0, 0, 0), extra=(0, 0), **options):
    """pads: left, right, top, bottom, cut off the result, to which extra rows and columns were added."""
    kernel = kernel if isinstance(kernel, tuple) else (kernel,)
    c.parameters.append(c.draw((x.shape[1], filters // groups, *kernel), -1.0, 1.0))
    weight = c.parameters[-1]
    convolve = F.conv_transpose2d if len(kernel) == 2 else F.conv_transpose1d
    if bias:
        c.parameters.append(c.draw((filters,), -1.0, 1.0))
    z = convolve(x, weight, c.parameters[-1] if bias else None, groups=groups, output_padding=extra, **options)
    return f(F.pad(z, [-p for p in pads]))


def conv_network(c):
    around = {"pads": (1, 1, 1, 1), "f": torch.tanh}
    h = conv(c, c.input("x", shape=CONV_IMAGE), 3, (3, 3), **around)
    left, right = conv(c, h, 3, (3, 3), **around), transposed(c, h, 3, (3, 3), **around)
    return conv(c, left + right + h, 2, (1, 1))


def convolutions():
    yield "conv2d", lambda c: conv(c, c.input("x", shape=CONV_IMAGE), 3, (3, 3))
    yield "conv2d_pads", lambda c: conv(c, c.input("x", shape=CONV_IMAGE), 5, (3, 2), torch.tanh, stride=(2, 3),
                                        pads=(0, 3, 2, 1), dilation=(1, 2))
    yield "conv2d_groups", lambda c: conv(c, c.input("x", shape=CONV_IMAGE), 6, (2, 3), F.silu, bias=False, groups=2,
                                          pads=(1, 1, 0, 0))
    yield "conv2d_same", lambda c: conv(c, c.input("x", shape=CONV_IMAGE), 3, (3, 4), torch.relu, stride=(2, 1),
                                        pads=(1, 2, 0, 1))
    yield "conv1d", lambda c: conv(c, c.input("x", shape=CONV_LINE), 6, 3, lambda z: F.leaky_relu(z, 0.125), stride=2,
                                   pads=(1, 2), dilation=2, groups=2)
    yield "conv_transpose2d", lambda c: transposed(c, c.input("x", shape=CONV_IMAGE), 6, (3, 2), F.gelu, stride=(2, 3),
                                                   pads=(2, 0, 1, 0), dilation=(1, 2), extra=(1, 0), groups=2)
    yield "conv_transpose2d_same", lambda c: transposed(c, c.input("x", shape=CONV_IMAGE), 3, (3, 3), torch.sigmoid,
                                                        bias=False, stride=(2, 3), pads=(0, 0, 0, 1))
    yield "conv_transpose1d", lambda c: transposed(c, c.input("x", shape=CONV_LINE), 3, 4, stride=2, pads=(1, 1),
                                                   extra=0)
    yield "conv_network", conv_network


def max_pool(x, kernel, stride, padding=(0, 0, 0, 0)):
    """padding: left, right, top, bottom, as F.pad takes it."""
    return F.max_pool2d(F.pad(x, padding, value=-math.inf), kernel, stride)


def image_network(c):
    stem = torch.relu(c.norm(c.input("x", shape=IMAGE)))
    normal = c.norm(F.avg_pool2d(stem, 3, 1, 1))
    joined = torch.relu(normal * c.plane_mask(normal, 0.25, 3) + stem)
    flat, deep = F.max_pool2d(joined, 2).flatten(1), joined.mean((2, 3))
    return c.affine(flat, OUT) * c.affine(deep, OUT, torch.tanh)


def spatial_dropout(c):
    x = c.input("x", shape=IMAGE)
    return x * c.plane_mask(x, 0.375, 0)


IMAGES = {
    "max_pool": lambda x: F.max_pool2d(x, 2),
    "max_pool_overlapping": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max_pool_uneven": lambda x: max_pool(x, (2, 3), (3, 1), (1, 0, 0, 1)),
    "average_pool": lambda x: F.avg_pool2d(x, 2),
    "average_pool_padded": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "average_pool_excluding": lambda x: F.avg_pool2d(x, 3, (2, 1), 1, count_include_pad=False),
    "global_max_pool": lambda x: x.amax((2, 3)),
    "global_average_pool": lambda x: x.mean((2, 3)),
    "flatten": lambda x: x.flatten(1) * 1.0,
}
SIGNALS = {
    "max_pool_signal": lambda x: F.max_pool1d(x, 3, 3, 1),
    "average_pool_signal": lambda x: F.avg_pool1d(x, 2, 1, 1),
}


def dropout(c):
    x = c.input("x")
    return x * c.mask(x, 0.375, 0)


def cases():
    yield "affine", lambda c: c.affine(c.input("x"), OUT)
    for name, f in ACTIVATIONS.items():
        positive = name == "log"
        yield "affine_" + name, affine_case(f, positive)
        yield name, lambda c, f=f, positive=positive: f(c.input("x", low=0.25 if positive else -2.0))
    yield "matmul", lambda c: c.affine(c.input("x"), OUT, bias=False)
    yield "identity", lambda c: c.input("x") * 1.0
    yield "softmax", lambda c: torch.softmax(c.input("x"), -1)
    yield "dropout", dropout
    for suffix, ignored in ("labels", ()), ("ignored", SOME), ("all_ignored", ALL):
        yield "softmax_with_loss_" + suffix, loss_with_labels(cross_entropy, -2.0, 2.0, ignored)
        yield "cross_entropy_error_" + suffix, loss_with_labels(book_error, 0.0625, 1.0, ignored)
    yield "softmax_with_loss_one_hot", lambda c: soft_cross_entropy(c.input("x"), c.one_hot("second", IN))
    yield "softmax_with_loss_soft", lambda c: soft_cross_entropy(c.input("x"), c.input("second", low=0.0625, high=1.0))
    yield "cross_entropy_error_one_hot", lambda c: soft_book_error(c.input("x", low=0.0625, high=1.0),
                                                                   c.one_hot("second", IN))
    yield "cross_entropy_error_soft", lambda c: soft_book_error(c.input("x", low=0.0625, high=1.0),
                                                                c.input("second", low=0.0625, high=1.0))
    yield "mean_squared_error", lambda c: F.mse_loss(c.input("x"), c.input("second"))
    yield "add", lambda c: c.input("x") + c.input("second")
    yield "multiply", lambda c: c.input("x") * c.input("second")
    yield "divide", lambda c: c.input("x") / c.input("second", low=0.5)
    yield "repeat", lambda c: c.input("x").unsqueeze(-1).repeat(1, 1, 1, OUT)
    yield "sum", lambda c: c.input("x").sum(-1)
    yield "add_relu", lambda c: torch.relu(c.input("x") + c.input("second"))
    for shape, functions in (IMAGE, IMAGES), (SIGNAL, SIGNALS):
        for name, f in functions.items():
            yield name, lambda c, f=f, shape=shape: f(c.input("x", shape=shape))
    yield "batch_normalization", lambda c: c.norm(c.input("x", shape=IMAGE))
    yield "batch_normalization_relu", lambda c: torch.relu(c.norm(c.input("x", shape=IMAGE)))
    yield "batch_normalization_values", lambda c: c.norm(c.input("x", shape=VALUES, low=-2.0 ** -7, high=2.0 ** -7))
    yield "spatial_dropout", spatial_dropout
    yield "image_network", image_network
    for network in sequential, fan_out, residual, two_inputs, classifier, three_losses, learned_targets:
        yield network.__name__, network
    yield from sequence_cases()
    yield from word_cases()
    yield from attention_cases()
    yield from transformer_cases()
    yield from convolutions()


def layers():
    tensors = {}
    for name, build in cases():
        case = Sequences(name)
        y = build(case)
        tensors.update(case.finish(y, is_loss=y.dim() == 0))
    return tensors


# ---- optimisers ---------------------------------------------------------------------------------------------------

STEPS, RATE, DECAY, CLIP = 12, 0.0625, 0.125, 0.75
OPTIMIZERS = {
    "sgd": lambda p, d: torch.optim.SGD(p, RATE, weight_decay=d),
    "momentum": lambda p, d: torch.optim.SGD(p, RATE, momentum=0.9, weight_decay=d),
    "nesterov": lambda p, d: torch.optim.SGD(p, RATE, momentum=0.9, nesterov=True, weight_decay=d),
    "adagrad": lambda p, d: torch.optim.Adagrad(p, RATE, weight_decay=d, eps=1e-10),
    "rmsprop": lambda p, d: torch.optim.RMSprop(p, RATE, alpha=0.99, eps=1e-8, weight_decay=d),
    "adam": lambda p, d: torch.optim.Adam(p, RATE, weight_decay=d),
    "adamw": lambda p, d: torch.optim.AdamW(p, RATE, weight_decay=d),
}


def optimizer_run(make, decay, clip, start, gradients):
    """The parameters after each step, one row each."""
    w = torch.tensor(start, requires_grad=True)
    optimizer = make([w], decay)
    rows = []
    for gradient in gradients:
        w.grad = torch.tensor(gradient)
        if clip:
            torch.nn.utils.clip_grad_norm_([w], CLIP)
        optimizer.step()
        rows.append(w.detach().numpy().copy())
    return np.stack(rows)


def optimizers():
    random = np.random.default_rng(7)
    start = random.uniform(-1.0, 1.0, 15).astype(np.float32).astype(np.float64)
    # Small, large and zero gradients: some steps are clipped, some are not.
    sizes = 10.0 ** random.uniform(-2.5, 0.5, (STEPS, 1))
    gradients = (random.uniform(-1.0, 1.0, (STEPS, 15)) * sizes).astype(np.float32).astype(np.float64)
    gradients[:, 4] = 0.0
    gradients[5] = 0.0
    tensors = {"start": start, "gradients": gradients}
    for name, make in OPTIMIZERS.items():
        tensors[name + ".plain"] = optimizer_run(make, 0.0, False, start, gradients)
        tensors[name + ".decay"] = optimizer_run(make, DECAY, False, start, gradients)
        tensors[name + ".decay_clip"] = optimizer_run(make, DECAY, True, start, gradients)
    return tensors


# ---- a whole training ---------------------------------------------------------------------------------------------


def training():
    """Affine, sigmoid, affine, softmax with loss, SGD at rate 0.5: 20 steps over 12 samples, batches of 5, 5, 2."""
    c = Case("training")
    x, labels = c.draw((12, 2), -1.0, 1.0).detach(), torch.tensor(c.random.integers(0, 3, 12))
    shapes = (2, 10), (10,), (10, 3), (3,)
    parameters = [c.draw(shape, -1.0, 1.0) for shape in shapes]
    tensors = {"x": x.numpy(), "labels": labels.numpy().astype(np.int32)}
    tensors.update({f"start.p{i}": p.detach().numpy().copy() for i, p in enumerate(parameters)})
    optimizer = torch.optim.SGD(parameters, 0.5)
    losses = []
    for step in range(20):
        rows = slice((step % 3) * 5, min((step % 3) * 5 + 5, 12))
        w1, b1, w2, b2 = parameters
        loss = F.cross_entropy(torch.sigmoid(x[rows] @ w1 + b1) @ w2 + b2, labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    tensors["losses"] = np.array(losses)
    tensors.update({f"end.p{i}": p.detach().numpy() for i, p in enumerate(parameters)})
    return tensors


def main(folder):
    torch.set_num_threads(1)
    for name, make in ("layers", layers), ("optimizers", optimizers), ("training", training), ("torch", state_dicts):
        tensors = make()
        assert all(math.isfinite(x) for tensor in tensors.values() for x in tensor.ravel()), name
        write_safetensors(os.path.join(folder, name + ".safetensors"), tensors)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
