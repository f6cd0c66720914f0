"""What `serve.steering` takes for granted of vLLM. Where this fails after an upgrade, read its processor again."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import get_args

import pytest
from vllm.sampling_params import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates
from vllm.v1.sample.logits_processor.interface import AddedRequest, MoveDirectionality

from serve.steering.processor import Steering


def test_a_processor_has_these_methods_and_no_others() -> None:
    own = {name for name in vars(LogitsProcessor) if not name.startswith("_") or name == "__init__"}
    assert own == {"__init__", "validate_params", "apply", "is_argmax_invariant", "update_state"}


@pytest.mark.parametrize("name", ["__init__", "validate_params", "apply", "is_argmax_invariant", "update_state"])
def test_they_are_called_as_ours_are_defined(name: str) -> None:
    def names(kind: type) -> list[str]:
        return list(inspect.signature(getattr(kind, name)).parameters)

    assert names(Steering) == names(LogitsProcessor)


def test_a_batch_tells_who_came_left_and_moved() -> None:
    assert [field.name for field in fields(BatchUpdate)] == ["batch_size", "removed", "added", "moved"]
    assert get_args(AddedRequest) == (int, SamplingParams, list[int] | None, list[int])
    assert {one.name for one in MoveDirectionality} == {"UNIDIRECTIONAL", "SWAP"}


def test_answers_follow_their_requests_through_a_batch() -> None:
    def added(index: int, ask: bool) -> AddedRequest:
        return index, SamplingParams(extra_args={"asks": ask}), None, [index]

    answers: dict[int, list[int]] = {}

    def new(params: SamplingParams, prompt: list[int] | None, written: list[int]) -> list[int] | None:
        return written if (params.extra_args or {})["asks"] else None

    def update(**changes: object) -> None:
        process_dict_updates(answers, BatchUpdate(**({"removed": [], "added": [], "moved": []} | changes)), new)  # type: ignore[arg-type]

    update(batch_size=3, added=[added(0, True), added(1, False), added(2, True)])
    assert answers == {0: [0], 2: [2]}
    update(batch_size=2, removed=[0], moved=[(2, 0, MoveDirectionality.UNIDIRECTIONAL)])
    assert answers == {0: [2]}
    update(batch_size=2, moved=[(0, 1, MoveDirectionality.SWAP)])
    assert answers == {1: [2]}
    update(batch_size=2, added=[added(1, False)])
    assert answers == {}
