"""The network that is trained: a BERT encoder with one linear head a question. Needs torch (the extra ``train``)."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from classifiers.encoder import Shape, Weights

NOT_THERE = -1e4  #: instead of minus infinity, which a row without any piece would make nothing of


class Layer(nn.Module):
    """One encoder layer, as BERT's (Devlin et al. 2019), with its three projections in one product."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_heads = shape.attention_heads
        self.projections = nn.Linear(shape.width, 3 * shape.width)
        self.out = nn.Linear(shape.width, shape.width)
        self.norm = nn.LayerNorm(shape.width, shape.epsilon)
        self.up = nn.Linear(shape.width, shape.inner)
        self.down = nn.Linear(shape.inner, shape.width)
        self.inner_norm = nn.LayerNorm(shape.width, shape.epsilon)
        self.dropout = nn.Dropout(0.1)

    def forward(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Hidden states, Shape: (posts, pieces, width); ``mask`` is true where a piece is, (posts, 1, 1, pieces)."""
        posts, pieces, width = hidden.shape
        split = (posts, pieces, self.attention_heads, width // self.attention_heads)
        query, key, value = (part.view(split).transpose(1, 2) for part in self.projections(hidden).split(width, dim=-1))
        # Spelled out: the exported graph needs it so, and torch's own attention takes three times as long to learn from
        # on a processor, since posts are short.
        weights = query @ key.transpose(-1, -2) / math.sqrt(split[-1])
        if mask is not None:
            weights = weights.masked_fill(~mask, NOT_THERE)
        mixed = weights.softmax(-1).to(value.dtype) @ value
        mixed = mixed.transpose(1, 2).reshape(posts, pieces, width)
        hidden = self.norm(hidden + self.dropout(self.out(mixed)))
        inner: Tensor = self.down(F.gelu(self.up(hidden)))
        normed: Tensor = self.inner_norm(hidden + self.dropout(inner))
        return normed


class Evened(nn.Module):
    """A product that takes its input channel by channel times a number, and its weights over the same."""

    def __init__(self, product: nn.Linear, times: Tensor) -> None:
        super().__init__()
        self.times = nn.Parameter(times)
        self.weight = nn.Parameter(product.weight.detach() / times)
        self.bias = nn.Parameter(product.bias.detach().clone())

    def forward(self, hidden: Tensor) -> Tensor:
        product: Tensor = F.linear(hidden * self.times, self.weight, self.bias)
        return product


class JointModel(nn.Module):
    """A shared encoder with one linear head a question, over the mean of the pieces."""

    def __init__(self, shape: Shape, heads: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.pieces = nn.Embedding(shape.pieces, shape.width)
        self.positions = nn.Embedding(shape.positions, shape.width)
        self.norm = nn.LayerNorm(shape.width, shape.epsilon)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.dropout = nn.Dropout(0.1)
        self.heads = nn.ModuleDict({head: nn.Linear(shape.width, len(labels)) for head, labels in heads.items()})

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, ...]:
        """Logits of each head and the pooled post, from piece numbers; Shape: (posts, labels) …, (posts, width).

        Without ``mask`` every piece counts: the posts have one length.
        """
        positions = torch.arange(ids.shape[1], device=ids.device)
        hidden = self.dropout(self.norm(self.pieces(ids) + self.positions(positions)))
        wide = None if mask is None else mask[:, None, None, :].bool()
        for layer in self.layers:
            hidden = layer(hidden, wide)
        if mask is None:
            pooled = hidden.mean(1)
        else:
            kept = mask.unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * kept).sum(1) / kept.sum(1).clamp(min=1e-6)
        dropped = self.dropout(pooled)
        return (*(head(dropped) for head in self.heads.values()), pooled)

    def start_from(self, weights: Weights, shape: Shape, kept: Sequence[int]) -> None:
        """Takes over a pre-trained encoder, of its table of pieces only those ``kept``."""
        width, inner = shape.width, shape.inner
        table = weights["emb.word"].reshape(shape.pieces, width)[np.asarray(kept)]
        positions = weights["emb.pos"].reshape(shape.positions, width) + weights["emb.type"][:width]
        state = {
            "pieces.weight": table,
            "positions.weight": positions,
            "norm.weight": weights["emb.ln.w"],
            "norm.bias": weights["emb.ln.b"],
        }
        for number in range(len(self.layers)):
            held = {name.partition(".")[2]: part for name, part in weights.items() if name.startswith(f"l{number}.")}
            state |= {
                f"layers.{number}.{name}": part
                for name, part in {
                    "projections.weight": np.concatenate([held[f"{one}.w"].reshape(width, width) for one in "qkv"]),
                    "projections.bias": np.concatenate([held[f"{one}.b"] for one in "qkv"]),
                    "out.weight": held["ao.w"].reshape(width, width),
                    "out.bias": held["ao.b"],
                    "norm.weight": held["aln.w"],
                    "norm.bias": held["aln.b"],
                    "up.weight": held["fi.w"].reshape(inner, width),
                    "up.bias": held["fi.b"],
                    "down.weight": held["fo.w"].reshape(width, inner),
                    "down.bias": held["fo.b"],
                    "inner_norm.weight": held["oln.w"],
                    "inner_norm.bias": held["oln.b"],
                }.items()
            }
        tensors = {name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in state.items()}
        missing, unexpected = self.load_state_dict(tensors, strict=False)
        wrong = [name for name in missing if not name.startswith("heads.")] + list(unexpected)
        if wrong:
            raise ValueError(f"the encoder's weights do not fit: {', '.join(wrong[:5])}")
