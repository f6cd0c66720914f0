"""LLMU: ascend on the forget answers, teach random ones in their place, stay near the model on the retain set.

    L = forget_weight mean log p(forget token) + random_weight cross-entropy of a random answer to the forget question
        + retain_weight KL(p_ref || p) on the retain set

Random answers are those of retain examples. Source: Yao et al. 2023, arXiv:2310.10683; the weights are their code's.
It takes five random answers a step from a set of general answers, and prompts and answers of the retain set; here each
forget question has five and meets one of them in each epoch, and the divergence is taken at the answer's tokens. Theirs
stops at 1,000 steps of 2 examples (learning rate 2e-6), or where the forget loss passes a bound.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from eval.unlearn.job import Job
from eval.unlearn.method import Objective
from eval.unlearn.methods.ga import ascent
from eval.unlearn.scores import divergence
from eval.unlearn.step import Step
from eval.unlearn.streams import FORGET, RETAIN, Streams

MISMATCH = "mismatch"
_DRAWN = 5


@dataclass(frozen=True)
class LLMU(Objective):
    """The weights of the three parts."""

    name = "llmu"
    paper = "LLMU: Yao et al. 2023, arXiv:2310.10683"
    needs_reference = True
    forget_weight: float = 0.5
    random_weight: float = 1.0
    retain_weight: float = 1.0

    def streams(self, job: Job) -> Streams:
        """Random answers beside the forget answers."""
        rng = random.Random(job.seed)
        answers = sorted({example.answer for example in job.retain})
        mismatched = job.answered(lambda _: tuple(rng.choices(answers, k=_DRAWN)))
        return Streams({FORGET: job.forget_rows, MISMATCH: mismatched}, job.retain_rows)

    def losses(self, step: Step) -> Mapping[str, Tensor]:
        """The three parts."""
        return {
            "forget": self.forget_weight * ascent(step.scores(FORGET).token_logps),
            "random": self.random_weight * step.scores(MISMATCH).nll,
            "retain": self.retain_weight * divergence(step.before(RETAIN).logits, step.scores(RETAIN).logits),
        }
