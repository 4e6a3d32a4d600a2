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
import json
import math
import os
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

import golden_transformers

BATCH, TIME, IN, OUT = 2, 3, 4, 3  # GOLDEN_SIZES in test_golden.c
IMAGE = (BATCH, 5, 6, 10)          # what registry_image makes of them
SIGNAL, VALUES = (BATCH, 5, 10), (BATCH, 5)
SEQUENCE = (TIME, BATCH, IN)       # as in tests/registry/registry_sequence.c
VOCABULARY = 7
MODEL_SEED = 1                     # of the gg_model: dropout's masks follow from it
DTYPES = {np.dtype("float64"): "F64", np.dtype("float32"): "F32", np.dtype("int32"): "I32"}


def write_safetensors(path, tensors):
    """8 bytes of length, a header in JSON, the data: the format of https://github.com/huggingface/safetensors."""
    header, data = {}, b""
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        header[name] = {"dtype": DTYPES[array.dtype], "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.astype(array.dtype.newbyteorder("<")).tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


# ---- random numbers of the library --------------------------------------------------------------------------------


def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011): four words."""
    c, k = list(counter), list(key)
    for _ in range(10):
        low = [0xD2511F53 * c[0], 0xCD9E8D57 * c[2]]
        c = [(low[1] >> 32) ^ c[1] ^ k[0], low[1] & 0xFFFFFFFF, (low[0] >> 32) ^ c[3] ^ k[1], low[0] & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def halves(x):
    return [x & 0xFFFFFFFF, x >> 32]


def dropout_mask(size, ratio, node):
    """What gemmgrad/random.h and layers/dropout.c promise for step 0: stream 2^32 + number of the layer."""
    words = [philox(halves(i // 4) + halves((1 << 32) + node), halves(MODEL_SEED))[i % 4] for i in range(size)]
    return [0.0 if (word >> 8) * 2.0 ** -24 < ratio else 1.0 / (1.0 - ratio) for word in words]


# ---- cases --------------------------------------------------------------------------------------------------------


class Case:
    """Draws a case's inputs and parameters and collects its tensors."""

    def __init__(self, name):
        self.name, self.inputs, self.parameters, self.tensors = name, {}, [], {}
        self.random = np.random.default_rng(list(name.encode()))

    def draw(self, shape, low, high):
        numbers = self.random.uniform(low, high, shape).astype(np.float32).astype(np.float64)
        return torch.tensor(numbers, requires_grad=True)

    def input(self, name, last=IN, low=-2.0, high=2.0, shape=None):
        self.inputs[name] = self.draw(shape or (BATCH, TIME, last), low, high)
        return self.inputs[name]

    def one_hot(self, name, classes):
        labels = self.random.integers(0, classes, (BATCH, TIME))
        self.inputs[name] = F.one_hot(torch.tensor(labels), classes).double().requires_grad_()
        return self.inputs[name]

    def labels(self, name, classes, ignored=()):
        labels = self.random.integers(0, classes, (BATCH, TIME)).astype(np.int32)
        labels.ravel()[list(ignored)] = -1
        self.tensors[f"{self.name}.{name}"] = labels
        return torch.tensor(labels, dtype=torch.int64)

    def affine(self, x, out, f=lambda z: z, bias=True, low=-1.0, high=1.0):
        w = self.draw((x.shape[-1], out), low, high)
        self.parameters.append(w)
        z = x @ w
        if bias:
            self.parameters.append(self.draw((out,), low, high))
            z = z + self.parameters[-1]
        return f(z)

    def norm(self, x):
        """Batch normalisation by the statistics of the batch."""
        self.parameters += [self.draw((x.shape[1],), -1.5, 1.5), self.draw((x.shape[1],), -1.5, 1.5)]
        return F.batch_norm(x, None, None, *self.parameters[-2:], training=True, eps=float(np.float32(1e-5)))

    def plane_mask(self, x, ratio, node):
        mask = torch.tensor(dropout_mask(x.shape[0] * x.shape[1], ratio, node), dtype=torch.float64)
        return mask.reshape(x.shape[:2] + (1,) * (x.dim() - 2))

    def mask(self, x, ratio, node):
        return torch.tensor(dropout_mask(x.numel(), ratio, node), dtype=torch.float64).reshape(x.shape)

    def finish(self, y, is_loss):
        loss = y if is_loss else F.mse_loss(y, self.input("target", shape=tuple(y.shape), low=-1.0, high=1.0))
        loss.backward()
        named = dict(self.inputs, **{f"p{i}": p for i, p in enumerate(self.parameters)})
        for name, tensor in named.items():
            gradient = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
            self.tensors[f"{self.name}.{name}"] = tensor.detach().numpy()
            self.tensors[f"{self.name}.grad.{name}"] = gradient.numpy()
        self.tensors[f"{self.name}.y"] = y.detach().numpy().reshape(y.shape or (1,))
        self.tensors[f"{self.name}.loss"] = loss.detach().numpy().reshape(1)
        return self.tensors


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


class Sequences(Case):
    """Cases over sequences."""

    def tokens(self):
        tokens = self.random.integers(0, VOCABULARY, (TIME, BATCH)).astype(np.int32)
        tokens[1, 0] = -1
        self.tensors[f"{self.name}.tokens"] = tokens
        return torch.tensor(tokens, dtype=torch.int64)

    def embedding(self, tokens, features):
        """Rows of a table; zeros for -1, which names a row of zeros behind it."""
        table = self.draw((VOCABULARY, features), -1.0, 1.0)
        self.parameters.append(table)
        padded = torch.cat([table, torch.zeros(1, features, dtype=torch.float64)])
        return F.embedding(torch.where(tokens < 0, VOCABULARY, tokens), padded), table


def embedding(c):
    x = c.input("x", shape=SEQUENCE)
    return c.embedding(c.tokens(), IN)[0] * x


def embedding_sparse(c):
    x = c.affine(c.input("x", shape=SEQUENCE), OUT, torch.tanh)
    return c.affine(c.embedding(c.tokens(), OUT)[0] * x, IN)


def tied(c):
    x = c.input("x", shape=SEQUENCE)
    words, table = c.embedding(c.tokens(), IN)
    biases = [c.draw((VOCABULARY,), -1.0, 1.0) for _ in range(2)]
    c.parameters += biases
    return F.linear(words + x, table, biases[0]) * torch.tanh(F.linear(x, table, biases[1]))


def concatenate(c):
    x, second = c.input("x", shape=SEQUENCE), c.input("second", shape=(TIME, BATCH, OUT))
    return c.affine(torch.cat([x, second, second, second], -1), 3)


def repeat_time(c):
    x = c.input("x", shape=(BATCH, IN))
    return x.expand(TIME, BATCH, IN) * c.input("second", shape=SEQUENCE)


def steps(c):
    x = c.input("x", shape=SEQUENCE)
    return x[0] * x[-1]


def variational_dropout(c):
    x = c.input("x", shape=SEQUENCE)
    return x * torch.tensor(dropout_mask(BATCH * IN, 0.375, 0), dtype=torch.float64).reshape(BATCH, IN)


HIDDEN, RECURRENT = 1 + OUT % 5, (TIME, BATCH, 1 + IN % 7)  # as in tests/registry/registry_recurrent.c
LENGTHS = (3, 2)
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3, "GRU_BEFORE": 3}
SUFFIXES = "", "_reverse"


def side_by_side(state):
    """PyTorch's [directions, batch, hidden] as the library's [batch, directions * hidden]."""
    return state.transpose(0, 1).reshape(state.shape[1], -1)


def one_above_another(state, directions):
    return state.reshape(state.shape[0], directions, -1).transpose(0, 1).contiguous()


def recurrent_parameters(c, features, kind, directions, hidden=HIDDEN):
    """Wx, Wh and b of each direction, in the library's layout."""
    columns = GATES[kind] * hidden
    shapes = (features, columns), (hidden, columns), (columns + hidden * (kind == "GRU"),)
    drawn = [[c.draw(shape, -1.0, 1.0) for shape in shapes] for _ in range(directions)]
    c.parameters += sum(drawn, [])
    return drawn


def torch_weights(drawn, kind, hidden=HIDDEN):
    """The same as the state_dict of torch.nn's module: its two biases are one, but for the GRU's n."""
    weights = {}
    for suffix, (wx, wh, b) in zip(SUFFIXES, drawn):
        zeros = torch.zeros(b.shape[0], dtype=torch.float64)
        second = torch.cat([zeros[:2 * hidden], b[3 * hidden:]]) if kind == "GRU" else zeros
        named = {"weight_ih": wx.T, "weight_hh": wh.T, "bias_ih": b[:wx.shape[1]], "bias_hh": second}
        weights.update({f"{name}_l0{suffix}": tensor for name, tensor in named.items()})
    return weights


def recurrent(c, x, kind, both=False, h0=None, c0=None, lengths=None, **options):
    """torch.nn's own RNN, LSTM or GRU: y, and the last h and c."""
    directions = 1 + both
    module = getattr(torch.nn, kind)(x.shape[2], HIDDEN, bidirectional=both, dtype=torch.float64, **options)
    weights = torch_weights(recurrent_parameters(c, x.shape[2], kind, directions), kind)
    state = None if h0 is None else one_above_another(h0, directions)
    if c0 is not None:
        state = state, one_above_another(c0, directions)
    if lengths is not None:
        x = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    y, last = torch.func.functional_call(module, weights, (x, state))
    if lengths is not None:
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=TIME)
    return (y, *[side_by_side(s) for s in (last if kind == "LSTM" else (last,))])


def by_hand(c, x, kind, both=False, h0=None, lengths=None, masks=None):
    """What torch.nn does not have: recurrent dropout, the GRU whose reset comes before the product."""
    outputs, lasts = [], []
    for d, (wx, wh, b) in enumerate(recurrent_parameters(c, x.shape[2], kind, 1 + both)):
        h = torch.zeros(BATCH, HIDDEN, dtype=torch.float64) if h0 is None else h0
        carried, ys = torch.zeros_like(h), [None] * TIME
        for t in reversed(range(TIME)) if d else range(TIME):
            dropped = h if masks is None else h * masks[d]
            a, s = x[t] @ wx + b[:wx.shape[1]], dropped @ wh
            if kind == "RNN":
                after = torch.tanh(a + s)
            elif kind == "LSTM":
                i, f, g, o = (a + s).chunk(4, 1)
                carried = torch.sigmoid(f) * carried + torch.sigmoid(i) * torch.tanh(g)
                after = torch.sigmoid(o) * torch.tanh(carried)
            else:
                r, z = torch.sigmoid((a + s)[:, :2 * HIDDEN]).chunk(2, 1)
                part = r * (s[:, 2 * HIDDEN:] + b[3 * HIDDEN:]) if kind == "GRU" else (r * dropped) @ wh[:, 2 * HIDDEN:]
                after = (1 - z) * torch.tanh(a[:, 2 * HIDDEN:] + part) + z * h
            counts = torch.ones(BATCH, 1) if lengths is None else (t < torch.tensor(lengths)).double()[:, None]
            ys[t], h = after * counts, after * counts + h * (1 - counts)
        outputs.append(torch.stack(ys))
        lasts.append(h)
    return torch.cat(outputs, -1), torch.cat(lasts, -1)


def plain_recurrent(kind, **options):
    return lambda c: recurrent(c, c.input("x", shape=RECURRENT), kind, **options)[0]


def full_recurrent(kind, both):
    def build(c):
        width = HIDDEN * (1 + both)
        x = c.affine(c.input("x", shape=RECURRENT), width, torch.tanh)
        before = c.input("h0", shape=(BATCH, width), low=-1.0, high=1.0)
        h0 = c.affine(before, width, torch.tanh)
        c0 = c.input("c0", shape=(BATCH, width), low=-1.0, high=1.0) if kind == "LSTM" else None
        c.tensors[f"{c.name}.lengths"] = np.array(LENGTHS, dtype=np.int32)
        run = {"GRU_BEFORE": by_hand}.get(kind, recurrent)
        start = {"h0": h0} if c0 is None else {"h0": h0, "c0": c0}
        y, *last = run(c, x, kind, both=both, lengths=LENGTHS, **start)
        return y + sum(last) + x
    return build


def dropping(kind):
    def build(c):
        masks = torch.tensor(dropout_mask(2 * BATCH * HIDDEN, 0.375, 0), dtype=torch.float64)
        return by_hand(c, c.input("x", shape=RECURRENT), kind, both=True, masks=masks.reshape(2, BATCH, HIDDEN))[0]
    return build


def stack(kind, variational=False, both=False):
    def build(c):
        first, h, *_ = recurrent(c, c.input("x", shape=RECURRENT), kind, both=both)
        shape = first.shape[1:] if variational else first.shape
        mask = torch.tensor(dropout_mask(math.prod(shape), 0.25, 1), dtype=torch.float64).reshape(shape)
        return recurrent(c, first * mask, kind, both=both)[0] + h
    return build


def encoder_decoder(c):
    x = c.input("x", shape=RECURRENT)
    y, h, carried = recurrent(c, x, "LSTM")
    left = recurrent(c, x, "LSTM", h0=h, c0=carried)[0]
    return left * recurrent(c, y, "LSTM", h0=h, c0=carried)[0]


def recurrent_cases():
    yield "rnn", plain_recurrent("RNN")
    yield "rnn_relu", plain_recurrent("RNN", nonlinearity="relu")
    yield "lstm", plain_recurrent("LSTM")
    yield "gru", plain_recurrent("GRU")
    yield "gru_before", lambda c: by_hand(c, c.input("x", shape=RECURRENT), "GRU_BEFORE")[0]
    yield "rnn_full", full_recurrent("RNN", True)
    yield "lstm_full", full_recurrent("LSTM", False)
    yield "lstm_bidirectional", full_recurrent("LSTM", True)
    yield "gru_bidirectional", full_recurrent("GRU", True)
    yield "gru_before_full", full_recurrent("GRU_BEFORE", False)
    for kind in "RNN", "LSTM", "GRU", "GRU_BEFORE":
        yield kind.lower() + "_dropout", dropping(kind)
    yield "rnn_stack", stack("RNN")
    yield "lstm_stack", stack("LSTM", variational=True)
    yield "gru_stack", stack("GRU", both=True)
    yield "encoder_decoder", encoder_decoder


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
    for network in embedding, embedding_sparse, tied, concatenate, repeat_time, steps, variational_dropout:
        yield network.__name__, network
    for network in golden_transformers.CASES:
        yield network.__name__, network
    yield from recurrent_cases()
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


def state_dicts():
    """torch.nn's modules as they are: their state_dict, narrowed to float, and what they compute in double from it."""
    torch.manual_seed(11)
    tensors = {}
    modules = {
        "rnn": torch.nn.RNN(5, 4, 1, dtype=torch.float64),
        "lstm": torch.nn.LSTM(5, 4, 2, bidirectional=True, dtype=torch.float64),
        "gru": torch.nn.GRU(5, 4, 2, dtype=torch.float64),
        "plain": torch.nn.GRU(5, 4, 1, bias=False, dtype=torch.float64),
    }
    for name, module in modules.items():
        for key, value in module.state_dict().items():
            value.copy_(value.float())
            tensors[f"{name}.{key}"] = value.numpy().astype(np.float64 if name == "plain" else np.float32)
        x = torch.randn(6, 3, 5).double()
        with torch.no_grad():
            y, last = module(x)
        tensors.update({f"{name}.x": x.numpy(), f"{name}.y": y.numpy()})
        for label, state in zip(("h", "c"), last if name == "lstm" else (last,)):
            tensors[f"{name}.{label}"] = state.numpy()
    return tensors


def main(folder):
    torch.set_num_threads(1)
    for name, make in ("layers", layers), ("optimizers", optimizers), ("training", training), ("torch", state_dicts):
        tensors = make()
        assert all(math.isfinite(x) for tensor in tensors.values() for x in tensor.ravel()), name
        write_safetensors(os.path.join(folder, name + ".safetensors"), tensors)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
