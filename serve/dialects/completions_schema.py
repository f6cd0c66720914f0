"""The fields of a completion request that are understood, and nothing besides."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from serve.dialects.chat_schema import ChatBody, Sampled
from serve.dialects.fields import checked

# Known to OpenAI or vLLM; named so that a caller learns that the field, not the spelling, is the trouble.
_LATER = frozenset((
    "echo", "prompt_logprobs", "suffix", "best_of", "logit_bias", "prompt_embeds", "repetition_penalty",
    "use_beam_search", "length_penalty", "stop_token_ids", "min_tokens", "ignore_eos", "bad_words",
    "add_special_tokens", "skip_special_tokens", "spaces_between_special_tokens",
    "include_stop_str_in_output", "truncate_prompt_tokens", "return_tokens_as_token_ids", "return_token_ids",
))  # fmt: skip
# What both OpenAI and vLLM write where no limit is given.
_LIMIT = 16
_Text = Annotated[str, Field(min_length=1)]
_Ids = Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1)]
_Several = Annotated[list[_Text | _Ids], Field(min_length=1, max_length=128)]


def _one_prompt(value: Any) -> Any:
    """The one prompt of a list of one.

    Raises:
        ValueError: the list holds more, or nothing.
    """
    if not isinstance(value, list) or (value and all(type(item) is int for item in value)):
        return value
    if len(value) != 1:
        raise ValueError("holds texts, or lists of token ids, and not both")
    return value[0]


class CompletionBody(Sampled):
    """A completion request."""

    prompt: Annotated[_Text | _Ids, BeforeValidator(_one_prompt, json_schema_input_type=_Text | _Ids | _Several)]
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None

    @model_validator(mode="after")
    def _likelihoods_fit_together(self) -> Self:
        if self.logprobs is not None and self.stream:
            raise ValueError("`logprobs` are told of whole answers only; leave out `stream`")
        return self

    def as_chat(self, prompt: str) -> ChatBody:
        """The same request, with the prompt as what a user says."""
        dumped = self.model_dump(exclude={"prompt", "logprobs"}, exclude_unset=True, by_alias=True)
        fields: dict[str, Any] = {"max_tokens": _LIMIT}
        fields |= {name: value for name, value in dumped.items() if value is not None}
        if self.logprobs is not None:
            fields |= {"logprobs": True, "top_logprobs": self.logprobs}
        return ChatBody.model_validate(fields | {"messages": [{"role": "user", "content": prompt}]})


def parse(fields: dict[str, Any]) -> CompletionBody:
    """Check a request's fields.

    Raises:
        RequestError: 400, naming the field.
    """
    return checked(CompletionBody, fields, _LATER)
