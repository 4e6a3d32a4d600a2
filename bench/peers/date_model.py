"""A training step of the date model of `gemmgrad train date` in NumPy, layer by layer and step by step as one writes it
after Deep Learning from Scratch 2: an LSTM reads, another says, attention by dot products between, softmax with loss,
gradients clipped by their norm, Adam."""

NAME = "training/characters/date-adam/59x16x256x29x11x128"
CHARACTERS, EMBEDDING, HIDDEN, ASKED, SAID, BATCH = 59, 16, 256, 29, 11, 128
CLIP = 5.0


def sigmoid(np, x):
    return 1 / (1 + np.exp(-x))


class Lstm:
    """All steps of a sequence [batch, steps, inputs]; gates f, g, i, o side by side."""

    def __init__(self, np, draw, inputs, hidden):
        self.np, self.hidden = np, hidden
        self.params = [draw(inputs, 4 * hidden) / np.float32(inputs ** 0.5),
                       draw(hidden, 4 * hidden) / np.float32(hidden ** 0.5), np.zeros(4 * hidden, np.float32)]

    def forward(self, x, h):
        np, size = self.np, self.hidden
        wx, wh, b = self.params
        c = np.zeros_like(h)
        ys = np.empty((len(x), x.shape[1], size), np.float32)
        self.x, self.steps = x, []
        for t in range(x.shape[1]):
            a = np.dot(x[:, t], wx) + np.dot(h, wh) + b
            f, g = sigmoid(np, a[:, :size]), np.tanh(a[:, size:2 * size])
            i, o = sigmoid(np, a[:, 2 * size:3 * size]), sigmoid(np, a[:, 3 * size:])
            before = h, c
            c = f * c + g * i
            tanh_c = np.tanh(c)
            h = o * tanh_c
            self.steps.append((before, f, g, i, o, tanh_c))
            ys[:, t] = h
        return ys

    def backward(self, dys):
        np = self.np
        wx, wh, b = self.params
        self.grads = [np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(b)]
        dxs, dh, dc = np.empty_like(self.x), 0, 0
        for t in reversed(range(dys.shape[1])):
            (h, c), f, g, i, o, tanh_c = self.steps[t]
            dh = dys[:, t] + dh
            ds = dc + dh * o * (1 - tanh_c ** 2)
            da = np.hstack((ds * c * f * (1 - f), ds * i * (1 - g ** 2), ds * g * i * (1 - i),
                            dh * tanh_c * o * (1 - o)))
            self.grads[0] += np.dot(self.x[:, t].T, da)
            self.grads[1] += np.dot(h.T, da)
            self.grads[2] += da.sum(axis=0)
            dxs[:, t], dh, dc = np.dot(da, wx.T), np.dot(da, wh.T), ds * f
        return dxs, dh


class Words:
    def __init__(self, np, draw):
        self.np, self.params = np, [draw(CHARACTERS, EMBEDDING) * np.float32(0.01)]

    def forward(self, numbers):
        self.numbers = numbers
        return self.params[0][numbers]

    def backward(self, dx):
        self.grads = [self.np.zeros_like(self.params[0])]
        self.np.add.at(self.grads[0], self.numbers, dx)


class DateModel:
    def __init__(self, np):
        random = np.random.default_rng(1)

        def draw(*shape):
            return random.standard_normal(shape, dtype=np.float32)
        self.np = np
        self.question, self.given, self.labels = (random.integers(0, CHARACTERS, (BATCH, steps))
                                                  for steps in (ASKED, SAID, SAID))
        self.words, self.said = Words(np, draw), Words(np, draw)
        self.encoder, self.decoder = Lstm(np, draw, EMBEDDING, HIDDEN), Lstm(np, draw, EMBEDDING, HIDDEN)
        self.affine = [draw(2 * HIDDEN, CHARACTERS) / np.float32((2 * HIDDEN) ** 0.5), np.zeros(CHARACTERS, np.float32)]
        layers = (self.words, self.said, self.encoder, self.decoder)
        self.params = [param for layer in layers for param in layer.params] + self.affine
        self.moments = [(np.zeros_like(param), np.zeros_like(param)) for param in self.params]
        self.count = 0

    def attend(self, hs, y):
        """The mean of hs for each step, under the softmax of the dot products."""
        np = self.np
        contexts, self.weights = np.empty_like(y), []
        for t in range(y.shape[1]):
            scores = (hs * y[:, t, None]).sum(axis=2)
            e = np.exp(scores - scores.max(axis=1, keepdims=True))
            weights = e / e.sum(axis=1, keepdims=True)
            contexts[:, t] = (hs * weights[:, :, None]).sum(axis=1)
            self.weights.append(weights)
        return contexts

    def attend_back(self, hs, y, dcontexts):
        np = self.np
        dhs, dy = np.zeros_like(hs), np.empty_like(y)
        for t, weights in enumerate(self.weights):
            dweights = (hs * dcontexts[:, t, None]).sum(axis=2)
            ds = weights * (dweights - (dweights * weights).sum(axis=1, keepdims=True))
            dhs += weights[:, :, None] * dcontexts[:, t, None] + ds[:, :, None] * y[:, t, None]
            dy[:, t] = (ds[:, :, None] * hs).sum(axis=1)
        return dhs, dy

    def gradients(self):
        np = self.np
        start = np.zeros((BATCH, HIDDEN), np.float32)
        hs = self.encoder.forward(self.words.forward(self.question), start)
        y = self.decoder.forward(self.said.forward(self.given), hs[:, -1])
        both = np.concatenate((self.attend(hs, y), y), axis=2).reshape(-1, 2 * HIDDEN)
        scores = np.dot(both, self.affine[0]) + self.affine[1]
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        d, rows = e / e.sum(axis=1, keepdims=True), np.arange(len(scores))
        self.loss = -np.log(d[rows, self.labels.reshape(-1)] + 1e-7).mean()
        d[rows, self.labels.reshape(-1)] -= 1
        d /= np.float32(len(d))
        affine = [np.dot(both.T, d), d.sum(axis=0)]
        dboth = np.dot(d, self.affine[0].T).reshape(BATCH, SAID, 2 * HIDDEN)
        dhs, dy = self.attend_back(hs, y, dboth[:, :, :HIDDEN])
        dx, dstart = self.decoder.backward(dboth[:, :, HIDDEN:] + dy)
        self.said.backward(dx)
        dhs[:, -1] += dstart
        dx, _ = self.encoder.backward(dhs)
        self.words.backward(dx)
        layers = (self.words, self.said, self.encoder, self.decoder)
        return [grad for layer in layers for grad in layer.grads] + affine

    def step(self, rate):
        np, grads = self.np, self.gradients()
        norm = sum((grad ** 2).sum() for grad in grads) ** 0.5
        self.count += 1
        rate = np.float32(rate * (1 - 0.999 ** self.count) ** 0.5 / (1 - 0.9 ** self.count))
        for param, grad, (m, v) in zip(self.params, grads, self.moments):
            if norm > CLIP:
                grad *= np.float32(CLIP / norm)
            m += np.float32(0.1) * (grad - m)
            v += np.float32(0.001) * (grad * grad - v)
            param -= rate * m / (np.sqrt(v) + np.float32(1e-7))


def ways(np, rate):
    model = DateModel(np)
    return {"layer by layer": lambda: model.step(rate)}
