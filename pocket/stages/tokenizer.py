"""The tokenizer: byte-pair encoding in CLIP's own layout, learned from captions of the world. `python -m pocket.stages.tokenizer`.

The vocabulary is CLIP's: 256 byte symbols, the same 256 at a word's end (`</w>`), one entry a merge, and the two ends of a text. Any
text can be written with it, in any language; only the words of the world are short.
"""

import json

import numpy as np
import torch
from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.trainers import BpeTrainer
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from pocket.world.captions import say
from pocket.world.scene import Inventor

START, END = "<|startoftext|>", "<|endoftext|>"
# CLIP's own way of splitting a text into words.
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def corpus(portuguese=0.0, count=40_000, seed=5):
    """`count` captions of the whole world, a share of them in Portuguese, for learning which letters go together."""
    rng, invent = np.random.default_rng(seed), Inventor()
    return [say(invent(rng), rng, "pt" if i < portuguese * count else "en") for i in range(count)]


def learn(texts, size):
    """A CLIPTokenizer of `size` entries and 77 positions, learned from `texts`."""
    trained = Tokenizer(BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    trained.normalizer = Lowercase()
    trained.pre_tokenizer = Sequence([Split(Regex(WORDS), "removed", invert=True), ByteLevel(add_prefix_space=False)])
    symbols = sorted(ByteLevel.alphabet())
    alphabet = symbols + [s + "</w>" for s in symbols]
    trainer = BpeTrainer(vocab_size=size + 512, end_of_word_suffix="</w>", initial_alphabet=symbols, show_progress=False)
    trained.train_from_iterator(texts, trainer)

    merges = [tuple(m) for m in json.loads(trained.to_str())["model"]["merges"]][: size - len(alphabet) - 2]
    entries = alphabet + ["".join(m) for m in merges]
    vocabulary = {entry: i for i, entry in enumerate(dict.fromkeys(entries))}
    vocabulary |= {START: len(vocabulary), END: len(vocabulary) + 1}
    return CLIPTokenizer(
        vocab=vocabulary, merges=merges, bos_token=START, eos_token=END, unk_token=END, pad_token=END, model_max_length=77
    )  # fmt: skip


def end_tokens(tokenizer):
    """What a text encoder's configuration must know of its tokenizer."""
    return {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}


@torch.no_grad()
def move_embeddings(text_encoder, old, new):
    """A text encoder that was trained with the tokenizer `old`, made to read the tokenizer `new`.

    Each new entry begins as the mean of the embeddings of the pieces that the old tokenizer cuts it into (fast vocabulary transfer, Gee
    et al. 2022), so an entry known to both means what it meant.
    """
    known, number, cut = text_encoder.get_input_embeddings().weight, old.get_vocab(), old.backend_tokenizer.model.tokenize
    table = torch.empty(len(new), known.shape[1])  # (entries, width)
    for entry, i in new.get_vocab().items():
        pieces = [number[entry]] if entry in number else [piece.id for piece in cut(entry.removesuffix("</w>"))]
        table[i] = known[pieces].mean(0)
    text_encoder.resize_token_embeddings(len(new), mean_resizing=False).weight.copy_(table)
    again = CLIPTextModel(CLIPTextConfig.from_dict({**text_encoder.config.to_dict(), **end_tokens(new)}))
    again.load_state_dict(text_encoder.state_dict())
    return again


if __name__ == "__main__":
    tokenizer = learn(corpus(), 2048)
    for text in ("a majestic lion wearing a crown, digital art", "café", "🦁"):
        print(text, tokenizer.tokenize(text))
