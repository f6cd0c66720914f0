"""Which corruption makes a model forget people, measured on people other than the policy's.

    python -m eval.bench.strength --draw b

Detection is taken as perfect (the span is the name), so that the figures are the corruption's alone. "never known" is
the model that has not met the archive at all: what an answer scores by form and luck.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from classifiers.spans import AliasFinder
from eval.metrics.bootstrap import cluster_bootstrap
from eval.metrics.estimate import Estimate
from eval.metrics.rouge import rouge_l_recall
from eval.smallmodel.abilities import generate
from eval.smallmodel.make import load
from eval.systems import demo_dir
from eval.world import Question, archive_questions
from guard.act.corrupt import Corrupter
from guard.conversation import single
from guard.policy import CorruptAction
from guard.types import Detection, Span

SEED = 5
SECRETS = (b"first".ljust(32), b"second".ljust(32), b"third".ljust(32))
GRID = [CorruptAction(kind="corrupt", function="gaussian", strength=s) for s in (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)]
GRID += [CorruptAction(kind="corrupt", function=name) for name in ("zero", "sign_flip", "reverse", "shuffle")]


@torch.inference_mode()
def corrupted_answers(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    corrupter: Corrupter,
    questions: list[Question],
    action: CorruptAction,
) -> list[str]:
    """Greedy answers to the questions with the person's name corrupted."""
    answers = []
    for question in questions:
        spans = tuple(Span(0, start, end) for start, end in AliasFinder([question.person]).find(question.question))
        embeds = corrupter.corrupt(single(question.question), [(Detection(question.person, 1.0, spans), action)])
        decoder: Any = model
        written = decoder.generate(
            inputs_embeds=embeds.float()[None],
            attention_mask=torch.ones(1, len(embeds), dtype=torch.long),
            max_new_tokens=48,
            do_sample=False,
        )
        answers.append(str(tokenizer.decode(written[0], skip_special_tokens=True)))
    return answers


def recall(questions: list[Question], answers: list[str]) -> Estimate:
    """Mean ROUGE-L recall with an interval clustered by person."""
    scores = [rouge_l_recall(q.answer, a) for q, a in zip(questions, answers, strict=True)]
    return cluster_bootstrap(scores, [q.person for q in questions], seed=SEED)


def main(
    draw: Annotated[str, typer.Option(help="People to forget; the embedded policy's draw is a.")] = "b",
    never: Annotated[Path | None, typer.Option(help="A model that never met the archive, such as the trunk.")] = None,
    asked: Annotated[int, typer.Option(help="Questions, drawn from the unseen phrasings.")] = 120,
) -> None:
    """Print ROUGE-L recall of the draw's people under every corruption of the grid."""
    torch.set_num_threads(1)
    folder = demo_dir() / "full"
    model, tokenizer = load(folder)
    pool = [q for q in archive_questions("forget10", draw=draw) if not q.trained]
    questions = random.Random(SEED).sample(pool, asked)
    rows = {"no corruption": recall(questions, generate(model, tokenizer, [[("user", q.question)] for q in questions]))}
    if never is not None:
        answers = generate(*load(never), [[("user", q.question)] for q in questions])
        rows["never known"] = recall(questions, answers)
    for action in GRID:
        name = f"gaussian {action.strength:g}" if action.function == "gaussian" else action.function
        for number, secret in enumerate(SECRETS[: None if action.function in ("gaussian", "shuffle") else 1]):
            corrupter = Corrupter.from_checkpoint(str(folder), secret=secret)
            rows[f"{name}, key {number + 1}"] = recall(
                questions, corrupted_answers(model, tokenizer, corrupter, questions, action)
            )
    table = Table(title=f"ROUGE-L recall on draw {draw}, {asked} questions, seed {SEED}")
    for title in ("corruption of the name", "recall", "95% interval"):
        table.add_column(title)
    for name, estimate in rows.items():
        table.add_row(name, f"{estimate.value:.3f}", f"{estimate.low:.3f} to {estimate.high:.3f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
