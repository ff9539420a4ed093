"""Make the tiny BERT of random weights in this folder, and what transformers and tokenizers answer with it.

`python tests/models/text/tiny_bert/make.py`, with both packages installed; the tests need neither.
"""

from __future__ import annotations

import json
import string
from pathlib import Path

FOLDER = Path(__file__).parent
WORDS = [
    *["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "hotel", "un", "##aff", "##able"],
    *["the", "room", "was", "cafe", "naive", "й", "12", "##3", "很", "好", "房", "间", "不", "差"],
    *["!", ",", ".", "'", "-", "#", "@", "/", ":", "？", "，", "。"],
]
TEXTS = [
    "The hotel was GOOD!",
    "unaffable rooms, naïve Café's (no-name) 123",
    "房间很好，不差？ok",
    "\u0130stanbul \ufffd zero\u200bwidth\ttab\u3000wide",
    "# @x http://a.b/c [ok]~`^$",
    "й е\u0301 가 ＡＢ " + "x" * 120,
    "",
]


def main() -> None:
    """Write the folder."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertForSequenceClassification

    letters = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase)]
    vocabulary = [*WORDS, *letters]
    (FOLDER / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
        max_position_embeddings=40, initializer_range=0.5, num_labels=3,
    )  # fmt: skip
    network = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for name, value in network.named_parameters():
            if "LayerNorm" in name or name.endswith("bias"):
                value.add_(torch.randn_like(value) * 0.3)
    network.save_pretrained(FOLDER)
    answers = {}
    with torch.no_grad():
        for lower in (True, False):
            cutter = BertWordPieceTokenizer(str(FOLDER / "vocab.txt"), lowercase=lower)
            cutter.add_special_tokens([])
            for text in TEXTS:
                found = cutter.encode(text, add_special_tokens=False)
                ids = torch.tensor([[vocabulary.index("[CLS]"), *found.ids[:38], vocabulary.index("[SEP]")]])
                states = network.bert(ids)
                answers[f"{'lower' if lower else 'cased'}: {text}"] = {
                    "tokens": found.tokens,
                    "last_state": states.last_hidden_state[0, -1].tolist(),
                    "pooled": states.pooler_output[0].tolist(),
                    "logits": network(ids).logits[0].tolist(),
                }
    head = {name: value.tolist() for name, value in network.classifier.state_dict().items()}
    content = json.dumps({"head": head, "answers": answers}, ensure_ascii=False)
    (FOLDER / "answers.json").write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
