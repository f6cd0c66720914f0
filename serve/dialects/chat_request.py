"""One chat completion request: what the guard reads of it, what the model server gets, what is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from guard.errors import RequestError
from guard.types import Conversation, Output
from serve.dialects.base import Translator
from serve.dialects.chat_answer import ChatWriter, Said, refuse_events, refuse_whole
from serve.dialects.chat_gate import ChatGate
from serve.dialects.chat_schema import ChatBody
from serve.dialects.chat_turns import conversation_of, read_turns, turns_of, upstream_turns
from serve.dialects.chat_usage import OwnUsage
from serve.dialects.likelihoods import as_chat
from serve.dialects.room import at_most, limit, too_long
from serve.dialects.unread import Unread, with_unread
from serve.replies import dump

if TYPE_CHECKING:
    from serve.dialects.chat import ChatDialect

# What an answer is held to.
FORMS = ("response_format", "structured_outputs")
# These mean the same on both of vLLM's routes; `user` and `metadata` are the caller's own notes and stay here.
_SAMPLING = (
    "temperature", "top_p", "top_k", "min_p", "n", "stream", "stream_options", "stop", "seed",
    "frequency_penalty", "presence_penalty", *FORMS,
)  # fmt: skip
_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
_BUDGET = "thinking_token_budget"  # not every server has one
# These only its chats know.
_CHATTING = (
    *_TOOLS, "reasoning_effort", "include_reasoning", _BUDGET, "logprobs", "top_logprobs",
)  # fmt: skip
# What is asked where only its form counts.
NOTHING = "Hello"
_STREAMING = frozenset(("stream", "stream_options"))


class ChatRequest:
    """One chat completion request; the params are the fields of the prompt, of an answer's form and of its length."""

    prompt_param = "messages"
    form_param = "response_format"
    limit_param = "max_tokens"

    def __init__(
        self,
        body: ChatBody,
        dialect: ChatDialect,
        names: Sequence[str] | None = None,
        *,
        unread: Unread = MappingProxyType({}),
    ) -> None:
        """`names` as in `read_turns`."""
        self._body = body
        self._unread = unread
        self._dialect = dialect
        self.model = body.model
        self.stream = bool(body.stream)
        self.n = body.n or 1
        said = read_turns(body, names)
        self.conversation = conversation_of(said, body)
        # What the caller calls the text of each message.
        self.params = tuple(self.form_param if param == "response_format" else param for _, param in said)

    @property
    def unread(self) -> bool:
        """See `serve.dialects.base.Request`."""
        return bool(self._unread)

    @property
    def reserved(self) -> tuple[str, ...]:
        """See `serve.dialects.base.Request`."""
        return tuple(name for name in ("logprobs", "top_logprobs") if getattr(self._body, name))

    @property
    def tool_choice(self) -> str:
        """How tools may be chosen: none, auto, or required, which a named one is too."""
        choice = self._body.tool_choice or ("auto" if self._body.tools else "none")
        return choice if isinstance(choice, str) else "required"

    @property
    def logprobs(self) -> bool:
        """Whether the answer tells how likely its tokens were."""
        return bool(self._body.logprobs)

    def translator(self) -> Translator | None:
        """See `serve.dialects.base.Request`: the form is the caller's already."""
        return None

    @property
    def max_tokens(self) -> int | None:
        """The newer name wins, as in vLLM."""
        body = self._body
        return body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens

    def _sampling(self) -> dict[str, Any]:
        return {"model": self._body.model} | self._given(_SAMPLING)

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        """The fields of these names that were given, under their own names all through."""
        dumped = self._body.model_dump(include=set(names), exclude_unset=True, by_alias=True)
        return {name: dumped[name] for name in names if dumped.get(name) is not None}

    def clean_body(self) -> bytes:
        """The same request, written anew from what was understood."""
        limit = {} if self.max_tokens is None else {"max_tokens": self.max_tokens}
        turns = with_unread(upstream_turns(self._body), self._unread)
        return dump(self._sampling() | self._given(_CHATTING) | limit | {"messages": turns})

    def prompt_ids(self, conversation: Conversation) -> list[int]:
        """See `serve.dialects.base.Request`."""
        return self._dialect.text.prompt_ids(conversation)

    def check_room(self) -> None:
        """See `serve.dialects.base.Request`."""
        self._check_template()
        context = self._dialect.context
        if context is None or at_most(self.conversation) + self.least <= context:
            return
        if self.own_tokens + self.least > context:
            raise too_long(self.own_tokens, self.least, context, self.prompt_param)

    def _check_template(self) -> None:
        """Let the template have its say here, for every prompt: vLLM has other words for the same."""
        try:
            if not self.conversation.raw:
                self._dialect.text.rendered(self.conversation)
        except RequestError as error:
            raise RequestError(error.status, str(error), code=error.code, param=self.prompt_param) from error

    @property
    def least(self) -> int:
        """How many tokens must have room: vLLM cuts a chat's `max_tokens` down to what there is, up to the context."""
        wanted, context = self.max_tokens or 1, self._dialect.context
        return wanted if context is not None and wanted > context else 1

    def has_room(self, tokens: int) -> bool:
        """See `serve.dialects.base.Request`."""
        context, wanted = self._dialect.context, self.max_tokens or 1
        if context is None or tokens + wanted <= context:
            return True
        return self.own_tokens + wanted > context > tokens

    def changed_body(self, prompt: Mapping[str, Any], tokens: int) -> bytes:
        """See `serve.dialects.base.Request`."""
        return dump({**self._completing(), **self._scored(), "max_tokens": self._limit(tokens), **prompt})

    def _completing(self) -> dict[str, Any]:
        """What completions are told of sampling; a call is held to its tool's form alone, as by vLLM."""
        left_out = FORMS if self.tool_choice == "required" else ()
        return {name: value for name, value in self._sampling().items() if name not in left_out}

    def _scored(self) -> dict[str, Any]:
        """What tells of log-probabilities in completions: how many alternatives of each token."""
        return {"logprobs": self._body.top_logprobs or 0} if self.logprobs else {}

    def turned_body(self, conversation: Conversation, more: Mapping[str, Any], tokens: int) -> bytes:
        """See `serve.dialects.base.Request`; what shows the model no tools lets it call none."""
        tools = _CHATTING if "tools" in conversation.template else tuple(n for n in _CHATTING if n not in _TOOLS)
        turned = {"messages": turns_of(conversation), "max_tokens": self._limit(tokens), **more}
        return dump(self._sampling() | self._given(tools) | turned)

    def turned_writer(self) -> OwnUsage:
        """See `serve.dialects.base.Request`."""
        return OwnUsage(self.own_tokens)

    @property
    def drawn(self) -> bool:
        """Whether the answer is drawn at random."""
        return self._body.temperature != 0

    def again_body(self, prompt: Mapping[str, Any], tokens: int, *, choices: int, number: int) -> bytes:
        """See `serve.dialects.base.Request`; with a seed, another one, or the answer would be the same."""
        sampling = {name: value for name, value in self._completing().items() if name not in _STREAMING}
        if self._body.seed is not None:
            sampling["seed"] = (self._body.seed + number * self.n + 2**63) % 2**64 - 2**63
        return dump({**sampling, "n": choices, "max_tokens": self._limit(tokens), **prompt})

    def trial_body(self) -> bytes | None:
        """See `serve.dialects.base.Request`."""
        asked = self._given((*FORMS, *_TOOLS, _BUDGET))
        turns = [{"role": "user", "content": NOTHING}]
        return dump({"model": self.model, "max_tokens": 1, "messages": turns, **asked}) if asked else None

    def _limit(self, tokens: int) -> int:
        """How much may be written; the route's own default of 16 tokens must not show through.

        No more than after the caller's own prompt, however short is what the model is asked instead.
        """
        return limit(self._dialect.context, self.max_tokens, max(tokens, self.own_tokens)) or 1

    def writer(self) -> ChatWriter:
        """A fresh writer for the completion that answers `changed_body`; its usage is that of the caller's prompt."""
        body = self._body
        return ChatWriter(
            self._dialect.shape,
            body.model,
            self.n,
            tells_usage=self.tells_usage,
            prompt_tokens=self.own_tokens,
            scores=self.scores,
        )

    def scores(self, told: dict[str, Any] | None) -> dict[str, Any] | None:
        """What a completion tells of log-probabilities, in the caller's form."""
        return as_chat(told, self._body.top_logprobs or 0)

    @cached_property
    def own_tokens(self) -> int:
        """How many tokens the caller's own prompt has."""
        return len(self.prompt_ids(self.conversation))

    @property
    def tells_usage(self) -> bool:
        """Whether a stream is to end with its usage."""
        options = self._body.stream_options
        return options is not None and options.include_usage

    def gate(self, output: Output) -> ChatGate:
        """See `serve.dialects.base.Request`."""
        return ChatGate(output, self)

    def said(self, text: str) -> Said:
        """`text` within the caller's limits, as if the model had said it."""
        stops = [self._body.stop] if isinstance(self._body.stop, str) else self._body.stop or []
        hits = [(text.index(stop), stop) for stop in stops if stop in text]
        at, stopped = min(hits, default=(len(text), None))
        pieces = self._dialect.text.pieces(text[:at])
        most = limit(self._dialect.context, self.max_tokens, self.own_tokens)
        if most is not None and len(pieces) >= most:
            return Said(pieces[:most], "length", None, most)
        # The end-of-turn token counts.
        return Said(pieces, "stop", stopped, len(pieces) + 1)

    def written(self, text: str, finish: str, stop: str | None) -> Said:
        """`text` as the model server wrote it, and why it ended there."""
        pieces = self._dialect.text.pieces(text)
        return Said(pieces, finish, stop, len(pieces) + (finish == "stop"))

    def usage(self, tokens: int) -> dict[str, int]:
        """The usage of an answer of so many tokens in all its choices."""
        prompt = self.own_tokens
        return {"prompt_tokens": prompt, "total_tokens": prompt + tokens, "completion_tokens": tokens}

    def refusal(self, text: str) -> bytes:
        """A whole answer that says `text`, within the caller's limits."""
        said = self.said(text)
        return refuse_whole(self.writer(), said, self.usage(said.tokens * self.n))

    def refusal_events(self, text: str) -> list[bytes]:
        """The same as a stream, a token an event."""
        said = self.said(text)
        return refuse_events(self.writer(), said, self.usage(said.tokens * self.n) if self.tells_usage else None)
