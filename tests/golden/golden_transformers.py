"""The cases of tests/registry/registry_transformer.c for generate.py: functions of a Case."""
import numpy as np
import torch
import torch.nn.functional as F

from golden_case import BATCH, IN, OUT, TIME
from golden_sequences import SEQUENCE, VOCABULARY


def row_norm(c, x, rms=False):
    gamma = c.draw((x.shape[-1],), -1.0, 1.0)
    c.parameters.append(gamma)
    if rms:
        return F.rms_norm(x, x.shape[-1:], gamma, float(np.float32(1e-5)))
    c.parameters.append(c.draw((x.shape[-1],), -1.0, 1.0))
    return F.layer_norm(x, x.shape[-1:], gamma, c.parameters[-1], float(np.float32(1e-5)))


def learned(c, x, time_dimension):
    table = c.draw((6, x.shape[-1]), -1.0, 1.0)
    c.parameters.append(table)
    rows = table[:x.shape[time_dimension]]
    return x + (rows[:, None] if time_dimension == 0 else rows[None])


def project(c, h, labels, table=None):
    """The mean over the rows that count."""
    if table is None:
        c.parameters.append(c.draw((h.shape[-1], VOCABULARY), -1.0, 1.0))
    scores = h @ (c.parameters[-1] if table is None else table.T)
    return F.cross_entropy(scores.reshape(-1, VOCABULARY), labels.reshape(-1), ignore_index=-1)


def row_labels(c, some_ignored):
    labels = c.random.integers(0, VOCABULARY, (TIME, BATCH)).astype(np.int32)
    if some_ignored:
        labels.ravel()[[1, 4]] = -1
    c.tensors[f"{c.name}.second"] = labels
    return torch.tensor(labels, dtype=torch.int64)


def swiglu_of(gates):
    half = gates.shape[-1] // 2
    return F.silu(gates[..., :half]) * gates[..., half:]


def rotary_of(x, heads, width, time_dimension):
    """Features i and i + width / 2 of a head are a complex number, turned by position * 10000^(-2i / width); what is
    behind the heads stays."""
    angles = torch.arange(x.shape[time_dimension]).double()[:, None] * 10000.0 ** (
        -torch.arange(0, width, 2).double() / width)
    turns = torch.polar(torch.ones_like(angles), angles)
    turns = turns[:, None, None] if time_dimension == 0 else turns[None, :, None]
    parts = x[..., :heads * width].reshape(*x.shape[:-1], heads, 2, width // 2)
    turned = torch.complex(parts[..., 0, :], parts[..., 1, :]) * turns
    flat = torch.cat([turned.real, turned.imag], -1).flatten(-2)
    return torch.cat([flat, x[..., heads * width:]], -1)


def layer_normalization(c):
    x = c.input("x", shape=SEQUENCE)
    return row_norm(c, x) * x


def rms_normalization(c):
    x = c.input("x", shape=SEQUENCE)
    return row_norm(c, x, rms=True) + x


def swiglu(c):
    gates = c.affine(c.input("x"), 2 * OUT)
    return swiglu_of(gates) * c.affine(gates, OUT, torch.tanh)


def feed_forward(c):
    hidden = c.affine(c.input("x", shape=SEQUENCE), OUT, F.gelu)
    return c.affine(hidden * c.mask(hidden, 0.25, 1), IN)


def feed_forward_gated(c):
    return c.affine(swiglu_of(c.affine(c.input("x", shape=SEQUENCE), 2 * OUT, bias=False)), IN, bias=False)


def sinusoidal_positions(c):
    x = c.input("x", shape=SEQUENCE)
    angles = torch.arange(TIME).double()[:, None] * 10000.0 ** (-torch.arange(0, IN, 2).double() / IN)
    table = torch.stack([torch.sin(angles), torch.cos(angles)], -1).reshape(TIME, 1, IN)
    return (x + table) * x


def learned_positions(c):
    x = c.input("x", shape=SEQUENCE)
    return learned(c, x, 0) * x


def learned_positions_second(c):
    return torch.tanh(learned(c, c.input("x"), 1))


def rotary_positions(c):
    x = c.affine(c.input("x", shape=SEQUENCE), 6 * OUT)
    return rotary_of(x, 2, 2 * OUT, 0) * x


def rotary_positions_second(c):
    return rotary_of(c.input("x", last=2 * IN), 1, 2 * IN, 1)


def projected_loss(c):
    h = c.input("x", shape=SEQUENCE)
    return project(c, h, row_labels(c, True))


def projected_loss_twice(c):
    h, labels = c.affine(c.input("x", shape=SEQUENCE), OUT, torch.tanh), row_labels(c, False)
    return (project(c, h, labels) + project(c, h, labels)).reshape(1)


def projected_loss_tied(c):
    x = c.input("x", shape=SEQUENCE)
    tokens = c.random.integers(0, VOCABULARY, (TIME, BATCH)).astype(np.int32)
    c.tensors[f"{c.name}.tokens"] = tokens
    words, table = c.embedding(torch.tensor(tokens, dtype=torch.int64), IN)
    loss = project(c, words + x, row_labels(c, True), table)
    c.parameters.append(c.draw((VOCABULARY,), -1.0, 1.0))
    scores = F.linear(x, table, c.parameters[-1])
    target = c.input("scores", shape=(TIME, BATCH, VOCABULARY), low=-1.0, high=1.0)
    return (loss * F.mse_loss(scores, target)).reshape(1)


def attend(q, k, v, causal):
    """Two heads of four features, one of keys and values, steps first."""
    q, k, v = (value.reshape(value.shape[0], BATCH, -1, 4).permute(1, 2, 0, 3) for value in (q, k, v))
    scores = q @ k.transpose(2, 3) / 2.0
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[2:], dtype=torch.bool).triu(1), -1e300)
    return (torch.softmax(scores, -1) @ v).permute(2, 0, 1, 3).flatten(2)


def transformer_block(c):
    x, memory = c.affine(c.input("x", shape=SEQUENCE), 8), c.input("memory", shape=(TIME + 2, BATCH, 8))
    qkv = c.affine(row_norm(c, x), 16)
    x = x + c.affine(attend(*qkv.split((8, 4, 4), -1), True), 8)
    q, k, v = c.affine(row_norm(c, x), 8), c.affine(memory, 4), c.affine(memory, 4)
    x = x + c.affine(attend(q, k, v, False), 8)
    return x + c.affine(c.affine(row_norm(c, x), OUT, F.gelu), 8)


def transformer_block_post(c):
    def dropped(y, node):
        return y * c.mask(y, 0.25, node)

    x = c.affine(c.input("x", shape=SEQUENCE), 8)
    qkv = rotary_of(c.affine(x, 16), 3, 4, 0)
    x = row_norm(c, x + dropped(c.affine(attend(*qkv.split((8, 4, 4), -1), False), 8), 5))
    return row_norm(c, x + dropped(c.affine(dropped(c.affine(x, OUT, torch.tanh), 9), 8), 11))


def transformer_cases():
    networks = (layer_normalization, rms_normalization, swiglu, feed_forward, feed_forward_gated,
                sinusoidal_positions, learned_positions, learned_positions_second, rotary_positions,
                rotary_positions_second, projected_loss, projected_loss_twice, projected_loss_tied,
                transformer_block, transformer_block_post)
    for network in networks:
        yield network.__name__, network
