"""The fields of a completion request that are understood, and nothing besides."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from serve.dialects.chat_schema import ChatBody, Sampled
from serve.dialects.fields import checked

# Known to OpenAI or vLLM; named so that a caller learns that the field, not the spelling, is the trouble.
_LATER = frozenset((
    "echo", "logprobs", "prompt_logprobs", "suffix", "best_of", "logit_bias", "prompt_embeds", "repetition_penalty",
    "use_beam_search", "length_penalty", "stop_token_ids", "min_tokens", "ignore_eos", "bad_words", "response_format",
    "structured_outputs", "add_special_tokens", "skip_special_tokens", "spaces_between_special_tokens",
    "include_stop_str_in_output", "truncate_prompt_tokens", "return_tokens_as_token_ids", "return_token_ids",
))  # fmt: skip
# What both OpenAI and vLLM write where no limit is given.
_LIMIT = 16
_Prompt = Annotated[str, Field(min_length=1)]
_OneText = Annotated[list[_Prompt], Field(min_length=1, max_length=1)]


def _one_prompt(value: Any) -> Any:
    """The one text of a list of one.

    Raises:
        ValueError: the list holds something else.
    """
    if not isinstance(value, list):
        return value
    if not all(isinstance(item, str) for item in value):
        raise ValueError("token ids are not read; send the text")
    if len(value) != 1:
        raise ValueError("may hold one text; send each in a request of its own")
    return value[0]


class CompletionBody(Sampled):
    """A completion request."""

    prompt: Annotated[str, Field(min_length=1), BeforeValidator(_one_prompt, json_schema_input_type=_Prompt | _OneText)]

    def as_chat(self) -> ChatBody:
        """The same request, with the prompt as what a user says."""
        fields = self.model_dump(exclude={"prompt"}, exclude_none=True)
        messages = [{"role": "user", "content": self.prompt}]
        return ChatBody.model_validate({"max_tokens": _LIMIT} | fields | {"messages": messages})


def parse(fields: dict[str, Any]) -> CompletionBody:
    """Check a request's fields.

    Raises:
        RequestError: 400, naming the field.
    """
    return checked(CompletionBody, fields, _LATER)
