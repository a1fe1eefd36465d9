"""What people run today, timed: a transformers pipeline with a RoBERTa-base-size model in torch, float32.

Runs by itself in an interpreter that has torch, and imports nothing of ours: ``python peer.py TOKENIZER CORES < TEXTS``
(JSON) prints posts a second, one by one and in batches of 16. The weights are random, which costs the same time.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaForSequenceClassification, pipeline
from transformers.utils import logging

BATCH = 16


def main() -> None:
    """Time it."""
    logging.set_verbosity_error()
    torch.set_num_threads(int(sys.argv[2]))
    torch.manual_seed(7)
    config = RobertaConfig(vocab_size=50_265, max_position_embeddings=514, type_vocab_size=1)  # else its defaults
    model = RobertaForSequenceClassification(config).eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=sys.argv[1], model_max_length=512)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(1)  # as RoBERTa numbers it
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, truncation=True, device="cpu")
    texts: list[str] = json.load(sys.stdin)
    classify(texts[:BATCH])
    found = {"weights": sum(one.numel() for one in model.parameters())}
    for name, size in (("one by one", 1), ("in batches", BATCH)):
        began = time.perf_counter()
        answers = list(classify(texts, batch_size=size))
        found[name] = len(answers) / (time.perf_counter() - began)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
