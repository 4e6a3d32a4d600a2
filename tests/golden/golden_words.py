"""The cases of generate.py over vectors of words."""
import numpy as np
import torch
import torch.nn.functional as F

from golden_case import BATCH, IN
from golden_sequences import VOCABULARY

WORDS = 3  # vectors in a set, as in tests/registry/registry_words.c


def draw_marks(c, name):
    marks = c.random.integers(0, 2, (BATCH, WORDS)).astype(np.int32)
    marks[0, :2] = (1, -1)
    c.tensors[f"{c.name}.{name}"] = marks
    return torch.tensor(marks)


def draw_words(c, name, shape):
    words = c.random.integers(0, VOCABULARY, shape).astype(np.int32)
    c.tensors[f"{c.name}.{name}"] = words
    return c.embedding(torch.tensor(words, dtype=torch.int64), IN)[0]


def loss(h, e, marks):
    scores = (e @ h.unsqueeze(-1)).squeeze(-1)
    each = F.binary_cross_entropy_with_logits(scores, marks.clamp(min=0).double(), reduction="none")
    return (each * (marks >= 0)).sum() / (marks == 1).sum()


def mean_rows(c):
    x = c.input("x", shape=(BATCH, WORDS, IN))
    return x.mean(1) * x.mean(1) * c.input("second", shape=(BATCH, IN))


def negative_sampling(c):
    h, e = c.input("x", shape=(BATCH, IN)), c.input("second", shape=(BATCH, WORDS, IN))
    return loss(h, e, draw_marks(c, "marks"))


def skip_gram(c):
    x = c.input("x", shape=(BATCH, IN))
    h, e = draw_words(c, "words", (BATCH,)) * x, draw_words(c, "neighbours", (BATCH, WORDS))
    first = loss(h, e, draw_marks(c, "marks"))
    return (first + loss(c.affine(h, IN, torch.tanh), e, draw_marks(c, "others"))).reshape(1)


def word_cases():
    for network in mean_rows, negative_sampling, skip_gram:
        yield network.__name__, network
