"""Training steps of the models of bench_kinds_text.c in PyTorch. A GPT: characters, learned positions, pre-norm blocks
with fused scaled-dot-product attention and GELU, scores by the embedding's own weight, AdamW. An LSTM that carries its
state, Adam."""

VOCABULARY = 65  # as in bench_kinds_text.c
GPT_NAME, GPT_SIZES = "training/characters/gpt-adamw/6x384x6x256x8", (6, 384, 6, 256, 8)
LSTM_NAME, LSTM_SIZES = "training/characters/lstm-adam/128x256x64x32", (128, 256, 64, 32)


def block_class(torch):
    class Block(torch.nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.norm1, self.norm2 = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
            self.qkv, self.out = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
            self.hidden, self.back = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

        def forward(self, x):
            batch, steps, width = x.shape
            q, k, v = self.qkv(self.norm1(x)).view(batch, steps, 3 * self.heads, -1).transpose(1, 2).chunk(3, 1)
            heads = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(heads.transpose(1, 2).reshape(batch, steps, width))
            return x + self.back(torch.nn.functional.gelu(self.hidden(self.norm2(x))))
    return Block


def gpt_class(torch):
    class GPT(torch.nn.Module):
        def __init__(self, layers, width, heads, context):
            super().__init__()
            self.words, self.positions = torch.nn.Embedding(VOCABULARY, width), torch.nn.Embedding(context, width)
            self.blocks = torch.nn.Sequential(*(block_class(torch)(width, heads) for _ in range(layers)))
            self.norm = torch.nn.LayerNorm(width)

        def forward(self, tokens):
            x = self.blocks(self.words(tokens) + self.positions.weight[:tokens.shape[1]])
            return torch.nn.functional.linear(self.norm(x), self.words.weight)
    return GPT


def gpt_ways(torch, learning_rate):
    """AdamW fused and by foreach, gradients set to None or zeroed."""
    layers, width, heads, context, batch = GPT_SIZES
    tokens, labels = (torch.randint(0, VOCABULARY, (batch, context)) for _ in range(2))

    def way(options, none):
        model = gpt_class(torch)(layers, width, heads, context)
        optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, **options)

        def step():
            optimizer.zero_grad(set_to_none=none)
            scores = model(tokens)
            torch.nn.functional.cross_entropy(scores.view(-1, VOCABULARY), labels.view(-1)).backward()
            optimizer.step()
        return step

    return {f"{mode}, {'grad=None' if none else 'grad zeroed'}": way(options, none)
            for mode, options in (("fused", {"fused": True}), ("foreach", {"foreach": True})) for none in (True, False)}


def lstm_ways(torch, learning_rate):
    """Adam fused and by foreach; the state cut off from the step before."""
    embedding, hidden, window, streams = LSTM_SIZES
    tokens, labels = (torch.randint(0, VOCABULARY, (window, streams)) for _ in range(2))

    def way(options):
        words, lstm = torch.nn.Embedding(VOCABULARY, embedding), torch.nn.LSTM(embedding, hidden)
        out = torch.nn.Linear(hidden, VOCABULARY)
        parameters = [*words.parameters(), *lstm.parameters(), *out.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=learning_rate, **options)
        state = [(torch.zeros(1, streams, hidden), torch.zeros(1, streams, hidden))]

        def step():
            optimizer.zero_grad(set_to_none=True)
            y, (h, c) = lstm(words(tokens), state[0])
            state[0] = h.detach(), c.detach()
            torch.nn.functional.cross_entropy(out(y).view(-1, VOCABULARY), labels.view(-1)).backward()
            optimizer.step()
        return step

    return {"fused": way({"fused": True}), "foreach": way({"foreach": True})}
