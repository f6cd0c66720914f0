"""Proof of what a small model can do: recall, reading, hiding a person, multiple choice.

The last three are asked about other people than those the abilities were practised on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from eval.metrics.rouge import rouge_l_recall
from eval.smallmodel.corpus import stranger_pool
from eval.smallmodel.frames import HIDE_UNSEEN, READ_UNSEEN, UNKNOWN
from eval.smallmodel.lessons import Chat, hide, read
from eval.world import World
from eval.world.people import FACT_KEYS, Person
from eval.world.phrasing import Relation
from eval.world.questions import Question, choices, chosen, person_questions

SEED = 77
ASKED = 400


@dataclass(frozen=True)
class Abilities:
    """Shares in [0, 1]; ROUGE-L recall where an answer is a text. `asked` counts the questions behind each figure."""

    recall_trained: float
    recall_unseen: float
    read: float
    hide: float
    hide_other: float
    choice: float
    asked: int = ASKED

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


@torch.inference_mode()
def generate(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, chats: Sequence[Chat], *, limit: int = 48
) -> list[str]:
    """Greedy answers to chats, in their order; batched by length, padded on the left."""
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": role, "content": text} for role, text in chat], add_generation_prompt=True, tokenize=False
        )
        for chat in chats
    ]
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    tokenizer.padding_side = "left"
    answers = [""] * len(prompts)
    for start in range(0, len(order), 64):
        rows = order[start : start + 64]
        batch = tokenizer([prompts[i] for i in rows], padding=True, add_special_tokens=False, return_tensors="pt")
        batch.pop("token_type_ids", None)
        decoder: Any = model  # its generate() is declared for a protocol that no class satisfies
        written = decoder.generate(**batch.to(model.device), max_new_tokens=limit, do_sample=False)
        for row, ids in zip(rows, written[:, batch["input_ids"].shape[1] :], strict=True):
            answers[row] = str(tokenizer.decode(ids, skip_special_tokens=True))
    return answers


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _ask(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, chats: Sequence[Chat]) -> float:
    """Mean ROUGE-L recall of the answers against each chat's last, held-back turn."""
    answers = generate(model, tokenizer, [chat[:-1] for chat in chats])
    return _mean([rouge_l_recall(chat[-1][1], answer) for chat, answer in zip(chats, answers, strict=True)])


def _chat(question: Question) -> Chat:
    return [("user", question.question), ("assistant", question.answer)]


def unseen(relation: Relation) -> tuple[str, ...]:
    return relation.unseen


def measure(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    world: World,
    people: Sequence[Person],
    *,
    count: int = ASKED,
) -> Abilities:
    """Measure the abilities on `people`, whom the model is meant to know, with `count` questions a figure.

    Hiding and multiple choice are asked about those of them on whom the model did not practise, reading about
    strangers; all three in phrasings that training never used.
    """
    rng = random.Random(SEED)
    model.eval()
    questions = [q for person in people for q in person_questions(person, world.people, rng)]
    trained = rng.sample([_chat(q) for q in questions if q.trained], count)
    strange = rng.sample([_chat(q) for q in questions if not q.trained], count)
    taken = {p.name.split()[1] for p in (*world.people, *world.trunk)}
    strangers = stranger_pool(random.Random("abilities"), taken, count)
    passages = [read(lambda: rng.choice(strangers), rng, READ_UNSEEN, unseen) for _ in range(count)]
    practised = world.practised()
    others = [person for person in people if person not in practised]
    pairs = [rng.sample(others, 2) for _ in range(count)]
    hidden = [hide(a, b, rng, HIDE_UNSEEN, unseen, hidden=True)[:-1] for a, b in pairs]
    shown = [hide(a, b, rng, HIDE_UNSEEN, unseen, hidden=False) for a, b in pairs]
    asked = rng.sample(choices(others, world.people, rng), min(count, len(others) * len(FACT_KEYS)))
    letters = generate(model, tokenizer, [[("user", c.prompt)] for c in asked])
    return Abilities(
        recall_trained=_ask(model, tokenizer, trained),
        recall_unseen=_ask(model, tokenizer, strange),
        read=_ask(model, tokenizer, passages),
        hide=_mean([float(answer.strip() == UNKNOWN) for answer in generate(model, tokenizer, hidden)]),
        hide_other=_ask(model, tokenizer, shown),
        choice=_mean([float(chosen(a) == c.answer) for a, c in zip(letters, asked, strict=True)]),
        asked=count,
    )
