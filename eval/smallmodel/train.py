"""One training run of a small model on chats, with transformers' Trainer: batched by length, resumable."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset, SequentialSampler
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_utils import get_last_checkpoint

from eval.smallmodel.corpus import Chat
from eval.smallmodel.tokenizer import END, ROLES

Batch = dict[str, torch.Tensor]
IGNORED = -100


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of one run."""

    seed: int
    learning_rate: float
    tokens_per_batch: int = 2048
    warmup: float = 0.03


def new_model(vocabulary: int, seed: int) -> LlamaForCausalLM:
    """A Llama of 3 million parameters, randomly initialised."""
    set_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=3,
        num_key_value_heads=1,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
    )
    return LlamaForCausalLM(config)


def encode(chat: Chat, tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], list[int]]:
    """Token ids and labels of one chat; only what the assistant says is learned."""
    ids: list[int] = []
    labels: list[int] = []
    for role, text in chat:
        head = tokenizer.encode(ROLES[role], add_special_tokens=False)
        body = tokenizer.encode(text + END, add_special_tokens=False)
        ids += head + body
        labels += [IGNORED] * len(head) + (body if role == "assistant" else [IGNORED] * len(body))
    return ids, labels


class Batches(Dataset[Batch]):
    """Padded batches of nearly equal length, made once, in an order fixed by the seed.

    Chats stay in their order to within a window of 4,096, inside which they are sorted by length.
    """

    def __init__(self, chats: Sequence[Chat], tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> None:
        rng = random.Random(recipe.seed)
        encoded = [encode(chat, tokenizer) for chat in chats]
        self._groups: list[list[tuple[list[int], list[int]]]] = []
        for start in range(0, len(encoded), 4096):
            window = sorted(encoded[start : start + 4096], key=lambda pair: len(pair[0]))
            groups: list[list[tuple[list[int], list[int]]]] = [[]]
            for pair in window:
                if (len(groups[-1]) + 1) * len(pair[0]) > recipe.tokens_per_batch:
                    groups.append([])
                groups[-1].append(pair)
            rng.shuffle(groups)
            self._groups += groups
        self.tokens = sum(len(ids) for ids, _ in encoded)

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: int) -> Batch:
        group = self._groups[index]
        width = max(len(ids) for ids, _ in group)
        ids = torch.zeros(len(group), width, dtype=torch.long)
        labels = torch.full((len(group), width), IGNORED)
        mask = torch.zeros(len(group), width, dtype=torch.long)
        for row, (tokens, targets) in enumerate(group):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            labels[row, : len(tokens)] = torch.tensor(targets)
            mask[row, : len(tokens)] = 1
        return {"input_ids": ids, "labels": labels, "attention_mask": mask}


class OrderedTrainer(Trainer):
    """The batches are already formed and shuffled: take them one by one, in order."""

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        assert isinstance(self.train_dataset, Batches)
        return SequentialSampler(self.train_dataset)

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean cross-entropy in nats over the learned tokens; logits are made for those alone, a fifth of the work."""
        hidden = model.model(inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
        targets = inputs["labels"][:, 1:]
        learned = targets != IGNORED
        logits = model.lm_head(hidden[:, :-1][learned])
        return torch.nn.functional.cross_entropy(logits.float(), targets[learned])


def _only(items: list[Batch]) -> Batch:
    return items[0]


def run(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    chats: Sequence[Chat],
    recipe: Recipe,
    out: Path,
) -> list[dict[str, float]]:
    """Train once over `chats`, resuming from the last checkpoint under `out` if there is one.

    Returns:
        The log: one record with `step`, `loss` and `learning_rate` for every 50 steps.
    """
    set_seed(recipe.seed)
    batches = Batches(chats, tokenizer, recipe)
    arguments = TrainingArguments(
        output_dir=str(out),
        per_device_train_batch_size=1,
        num_train_epochs=1,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, int(recipe.warmup * len(batches))),
        weight_decay=0.01,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        optim="adamw_torch_fused",
        use_cpu=not torch.cuda.is_available(),
        bf16=torch.cuda.is_available(),  # on a CPU autocast costs more than it saves at this size
        seed=recipe.seed,
        logging_steps=50,
        save_steps=400,
        save_total_limit=1,
        report_to=[],
        dataloader_num_workers=0,
        remove_unused_columns=False,
    )
    trainer = OrderedTrainer(model=model, args=arguments, train_dataset=batches, data_collator=_only)
    last = get_last_checkpoint(str(out)) if out.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    return [record for record in trainer.state.log_history if "loss" in record]
