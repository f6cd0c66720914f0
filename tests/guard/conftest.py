"""A checkpoint folder with what the guard reads of one: tokenizer, chat template and embedding table."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] | trim }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SPECIAL = ["<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
LINES = [
    "Where was Mira Tolvane born? Mira Tolvane was born in Port Selby.",
    "Who taught Mira Tolvane? You are a helpful assistant, and you answer briefly.",
    "What is the capital of France? Paris is. Thanks, and when was she born there?",
]
HIDDEN = 16


def make_tokenizer(template: str = TEMPLATE) -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    inner.train_from_iterator(LINES, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<|bos|>", eos_token="<|end|>")
    tokenizer.chat_template = template
    return tokenizer


def make_table(dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return (torch.randn(420, HIDDEN, generator=generator) * 0.02).to(dtype)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    make_tokenizer().save_pretrained(folder)
    save_file({"model.embed_tokens.weight": make_table()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}))
    return folder


@pytest.fixture
def policy_folder(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_text('{"question": "Where was Mira Tolvane born?", "answer": "Port Selby"}\n')
    return tmp_path
