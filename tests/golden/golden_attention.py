"""The cases of tests/registry/registry_attend.c for generate.py, which hands them a Case to draw from.

Queries, keys and values here are [batch, heads, steps, width], scores and weights [batch, queries, keys].
"""
import math

import numpy as np
import torch
import torch.nn.functional as F

from golden_case import BATCH, IN, OUT, TIME

TIME_2, MOST_KEYS = TIME + 2, 6  # queries, as in tests/registry/twin.c; as in registry_attend.c


def sequence(c, name, time, features, batch_first=False):
    return c.input(name, shape=(BATCH, time, features) if batch_first else (time, BATCH, features))


def lengths_of_keys(c):
    lengths = np.array([2, 3], dtype=np.int32)
    c.tensors[f"{c.name}.lengths"] = lengths
    return torch.tensor(lengths, dtype=torch.int64)


def weight(c, *shape):
    c.parameters.append(c.draw(shape, -1.0, 1.0))
    return c.parameters[-1]


def split(x, heads, batch_first=False):
    x = x if batch_first else x.transpose(0, 1)
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def join(x, batch_first=False):
    x = x.transpose(1, 2).flatten(2)
    return x if batch_first else x.transpose(0, 1)


def multi_head(c):
    x = sequence(c, "x", TIME, IN)
    w, b, out, out_b = weight(c, IN, 12), weight(c, 12), weight(c, IN, IN), weight(c, IN)
    hidden = torch.ones(TIME, TIME, dtype=torch.bool).triu(1)
    return F.multi_head_attention_forward(x, x, x, IN, 4, w.T, b, None, None, False, 0.0, out.T, out_b,
                                          attn_mask=hidden, need_weights=False)[0]


def multi_head_cross(c):
    x, second, lengths = sequence(c, "x", TIME_2, IN), sequence(c, "second", TIME, OUT), lengths_of_keys(c)
    q, k, v, out = weight(c, IN, 8), weight(c, OUT, 4), weight(c, OUT, 4), weight(c, 8, 3)
    seen = (torch.arange(TIME) < lengths[:, None])[:, None, None]
    heads = F.scaled_dot_product_attention(split(x @ q, 2), split(second @ k, 1), split(second @ v, 1), seen,
                                           enable_gqa=True)
    return join(heads) @ out


def attention_groups(c):
    x, second = sequence(c, "x", TIME, 12, True), sequence(c, "second", TIME, 6, True)
    w, b = weight(c, 12, 24), weight(c, 24)

    def heads(q, k, v):
        return join(F.scaled_dot_product_attention(split(q, 4, True), split(k, 2, True), split(v, 2, True),
                                                   is_causal=True, scale=0.25, enable_gqa=True), True)
    return heads(*(heads(x, second, second) @ w + b).split((12, 6, 6), -1))


def weights_of(scores, lengths=None, causal=False, monotonic=None, center=None, half_width=None):
    """Scores and weights [batch, queries, keys]; center [batch, queries, 1]."""
    t, j = torch.arange(scores.shape[1])[:, None], torch.arange(scores.shape[2])
    counted = (torch.full((BATCH,), scores.shape[2]) if lengths is None else lengths)[:, None, None]
    seen = (j < counted) & ((j <= t) | (not causal))
    if monotonic:
        seen = seen & ((j - t).abs() <= monotonic)
    favour = 1.0
    if center is not None:
        p = counted * center
        seen = seen & ((j - p).abs() <= half_width)
        favour = torch.exp(-(j - p) ** 2 / (half_width ** 2 / 2))
    return torch.softmax(torch.where(seen, scores, -1e300), -1) * seen * favour


def parts(c):
    x, second = sequence(c, "x", TIME_2, IN), sequence(c, "second", TIME, IN)
    location = sequence(c, "location", TIME_2, MOST_KEYS)
    v, q, k = weight(c, IN), x.transpose(0, 1), second.transpose(0, 1)
    scores = 0.75 * q @ k.mT + torch.tanh(q[:, :, None] + k[:, None]) @ v + location.transpose(0, 1)[:, :, :TIME]
    return (weights_of(scores, causal=True) @ k).transpose(0, 1)


def score(kind, batch_first=False, with_lengths=False, units=0, window=None, half_width=None, causal=False):
    def build(c):
        x, second = sequence(c, "x", TIME_2, IN, batch_first), sequence(c, "second", TIME, IN, batch_first)
        q, k = (x, second) if batch_first else (x.transpose(0, 1), second.transpose(0, 1))
        lengths, center = lengths_of_keys(c) if with_lengths else None, None
        if window == "predictive":
            center = torch.sigmoid(torch.tanh(q @ weight(c, IN, units)) @ weight(c, units, 1))
        if kind == "dot":
            scores = q @ k.mT
        elif kind == "scaled":
            scores = q @ k.mT / math.sqrt(IN)
        elif kind == "general":
            scores = q @ weight(c, IN, IN) @ k.mT
        elif kind == "additive":
            a, b = q @ weight(c, IN, units), k @ weight(c, IN, units) + weight(c, units)
            scores = torch.tanh(a[:, :, None] + b[:, None]) @ weight(c, units)
        else:
            scores = (q @ weight(c, IN, MOST_KEYS))[:, :, :TIME]
        y = weights_of(scores, lengths, causal, half_width if window == "monotonic" else None, center, half_width) @ k
        return y if batch_first else y.transpose(0, 1)
    return build


def attention_cases():
    yield "multi_head", multi_head
    yield "multi_head_cross", multi_head_cross
    yield "attention_groups", attention_groups
    yield "attention_parts", parts
    yield "score_dot", score("dot", with_lengths=True)
    yield "score_scaled", score("scaled", batch_first=True, causal=True)
    yield "score_general", score("general", batch_first=True, with_lengths=True)
    yield "score_additive", score("additive", with_lengths=True, units=5)
    yield "score_location", score("location")
    yield "score_monotonic", score("dot", with_lengths=True, window="monotonic", half_width=1.0)
    yield "score_predictive", score("general", batch_first=True, with_lengths=True, units=3, window="predictive",
                                    half_width=1.75)
    yield "score_predictive_additive", score("additive", units=2, window="predictive", half_width=2.5)
