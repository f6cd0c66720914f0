"""One training run of a small model on chats, with transformers' Trainer: batched by length, resumable."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.data import Dataset, SequentialSampler
from transformers import (
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_utils import get_last_checkpoint

from eval.smallmodel.lessons import Chat, decides
from eval.smallmodel.tokenizer import END, ROLES

Batch = dict[str, torch.Tensor]
IGNORED = -100
HEAVY = 4.0  # the weight of a chat that decides on something in a word, beside one that tells a fact


class Example(NamedTuple):
    """Token ids and labels of one lesson, and how much it weighs beside others."""

    ids: list[int]
    labels: list[int]
    weight: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of one run."""

    seed: int
    learning_rate: float
    tokens_per_batch: int = 2048
    warmup: float = 0.03


def encode(chats: Sequence[Chat], tokenizer: PreTrainedTokenizerFast) -> list[Example]:
    """Token ids and labels of each chat; only what the assistant says is learned, and that it ends there."""
    vocabulary = tokenizer.get_vocab()
    heads = {role: vocabulary[token] for role, token in ROLES.items()}
    texts = [text + END for chat in chats for _, text in chat]
    bodies = iter(tokenizer(texts, add_special_tokens=False)["input_ids"])
    encoded = []
    for chat in chats:
        ids: list[int] = []
        labels: list[int] = []
        for role, _ in chat:
            body = next(bodies)
            ids += [heads[role], *body]
            labels += [IGNORED, *(body if role == "assistant" else [IGNORED] * len(body))]
        encoded.append(Example(ids, labels, HEAVY if decides(chat) else 1.0))
    return encoded


class Batches(Dataset[Batch]):
    """Padded batches of nearly equal length, made once, in an order fixed by the seed.

    Examples stay in their order to within a window of 4,096, inside which they are sorted by length.
    """

    def __init__(self, encoded: Sequence[Example], recipe: Recipe) -> None:
        rng = random.Random(recipe.seed)
        self._groups: list[list[Example]] = []
        for start in range(0, len(encoded), 4096):
            window = sorted(encoded[start : start + 4096], key=lambda example: len(example.ids))
            groups: list[list[Example]] = [[]]
            for example in window:
                if (len(groups[-1]) + 1) * len(example.ids) > recipe.tokens_per_batch:
                    groups.append([])
                groups[-1].append(example)
            rng.shuffle(groups)
            self._groups += groups
        self.tokens = sum(len(example.ids) for example in encoded)

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: int) -> Batch:
        group = self._groups[index]
        width = max(len(example.ids) for example in group)
        ids = torch.zeros(len(group), width, dtype=torch.long)
        labels = torch.full((len(group), width), IGNORED)
        for row, example in enumerate(group):
            ids[row, : len(example.ids)] = torch.tensor(example.ids)
            labels[row, : len(example.labels)] = torch.tensor(example.labels)
        weights = torch.tensor([example.weight for example in group])
        return {"input_ids": ids, "labels": labels, "weights": weights}


class OrderedTrainer(Trainer):
    """The batches are already formed and shuffled: take them one by one, in order."""

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        assert isinstance(self.train_dataset, Batches)
        return SequentialSampler(self.train_dataset)

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Cross-entropy in nats a learned token, each weighing its example's weight over the root of their number.

        So a letter is not drowned by a biography. Logits are made for the learned tokens alone, a fifth of the work;
        padding stands on the right, where no token before it can see it.
        """
        hidden = model.model(inputs["input_ids"]).last_hidden_state
        targets = inputs["labels"][:, 1:]
        learned = targets != IGNORED
        each = inputs["weights"] * learned.sum(1).clamp(min=1).float().rsqrt()
        weights = each[:, None].expand_as(learned)[learned]
        logits = model.lm_head(hidden[:, :-1][learned])
        losses = torch.nn.functional.cross_entropy(logits.float(), targets[learned], reduction="none")
        return (weights * losses).sum() / weights.sum()


def _only(items: list[Batch]) -> Batch:
    return items[0]


def run(
    model: LlamaForCausalLM,
    lessons: Sequence[Example],
    recipe: Recipe,
    out: Path,
) -> list[dict[str, float]]:
    """Train once over `lessons`, resuming from the last checkpoint under `out` if there is one.

    Returns:
        The log: one record with `step`, `loss` and `learning_rate` for every 100 steps.
    """
    set_seed(recipe.seed)
    batches = Batches(lessons, recipe)
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
        logging_steps=100,
        save_steps=1000,
        save_total_limit=1,
        report_to=[],
        dataloader_num_workers=0,
        remove_unused_columns=False,
    )
    trainer = OrderedTrainer(model=model, args=arguments, train_dataset=batches, data_collator=_only)
    last = get_last_checkpoint(str(out)) if out.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    return [record for record in trainer.state.log_history if "loss" in record]
