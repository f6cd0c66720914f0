"""The bytes of a tokenizer's tokens, whatever kind of tokenizer it is."""

from __future__ import annotations

from typing import Any

import xgrammar

from guard.steer.vocabulary import Vocabulary


def vocabulary_of(tokenizer: Any) -> Vocabulary:
    """The vocabulary of a Hugging Face tokenizer; control tokens are shown as nothing."""
    control = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    control |= set(tokenizer.all_special_ids)
    decoded = xgrammar.TokenizerInfo.from_huggingface(tokenizer).decoded_vocab
    return Vocabulary([b"" if number in control else token for number, token in enumerate(decoded)])
