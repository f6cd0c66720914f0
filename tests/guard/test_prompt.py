import pytest
from tokenizers import processors

from guard.errors import EngineError, RequestError
from guard.prompt import Renderer
from guard.types import Conversation, Message
from tests.guard.conftest import TEMPLATE, make_tokenizer


def talk(*turns):
    return Conversation(tuple(Message(role, text) for role, text in turns))


def test_ids_are_the_tokenizers_own():
    tokenizer = make_tokenizer()
    conversation = talk(("system", "You are helpful."), ("user", "Where was Mira Tolvane born?"))
    chat = [{"role": m.role, "content": m.text} for m in conversation.messages]
    expected = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=True)
    assert Renderer(tokenizer).render(conversation).ids == expected["input_ids"]


def test_tokens_know_whose_text_they_hold():
    # The first user text equals the template's own word, and the second one repeats another message.
    texts = ["user", "  user\n", "caf\u00e9 \U0001f600 assistant", "user"]
    conversation = talk(*zip(["system", "user", "assistant", "user"], texts, strict=True))
    prompt = Renderer(make_tokenizer()).render(conversation)
    for number, text in enumerate(texts):
        held = [token for token in prompt.tokens if token.message == number]
        assert text[held[0].start : held[-1].end] == text.strip()
    outside = [token.id for token in prompt.tokens if token.message is None]
    assert outside == Renderer(make_tokenizer()).render(talk(*[(m.role, "") for m in conversation.messages])).ids


def test_a_blank_joined_to_a_first_word_is_the_messages():
    template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    prompt = Renderer(make_tokenizer(template)).render(talk(("user", "Mira Tolvane")))
    first = next(token for token in prompt.tokens if token.message == 0)
    assert first.start == 0


def test_a_raw_text_is_the_whole_prompt_behind_the_tokenizers_own_beginning():
    tokenizer = make_tokenizer()
    begin = processors.TemplateProcessing(single="<|bos|> $A", special_tokens=[("<|bos|>", tokenizer.bos_token_id)])
    tokenizer.backend_tokenizer.post_processor = begin
    text = "Where was Mira Tolvane"
    prompt = Renderer(tokenizer).render(Conversation((Message("user", text),), raw=True))
    assert prompt.text == text
    assert prompt.ids == [tokenizer.bos_token_id, *tokenizer.encode(text, add_special_tokens=False)]
    first, *rest = prompt.tokens
    assert first.message is None
    assert "".join(text[token.start : token.end] for token in rest) == text
    assert {token.message for token in rest} == {0}


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ messages[-1]['content'] }}", "leaves out or repeats"),
        ("{% for m in messages %}{{ m['content'] }}{{ m['content'] }}{% endfor %}", "leaves out or repeats"),
        ("{% for m in messages %}{{ m['content'] | upper }}{% endfor %}", "leaves out|rewrites"),
        ("{% for m in messages %}{{ m['content'] | replace('Mira', 'M') }}{% endfor %}", "rewrites"),
        (
            "{% if 'Mira' in messages[0].content %}!{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}",
            "rewrites",
        ),
        ("{% for m in messages %}{{ m.content }}{% endfor %}{{ 'Mira' in messages[0].content }}", "rewrites|depends"),
    ],
)
def test_a_template_that_cannot_be_followed_is_an_error(template, words):
    with pytest.raises(EngineError, match=words):
        Renderer(make_tokenizer(template)).render(talk(("user", "Mira?"), ("assistant", "Yes"), ("user", "Mira!")))


def test_turns_that_the_template_refuses_are_the_callers_mistake():
    template = "{% if messages[0]['role'] != 'user' %}{{ raise_exception('no system') }}{% endif %}" + TEMPLATE
    with pytest.raises(RequestError) as caught:
        Renderer(make_tokenizer(template)).render(talk(("system", "S"), ("user", "U")))
    assert caught.value.status == 400


def test_no_chat_template_is_an_error():
    tokenizer = make_tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(EngineError, match="chat template"):
        Renderer(tokenizer)


TOOLED = (
    "{% for tool in tools or [] %}{{ tool | tojson }}{% endfor %}{% for m in messages %}<|{{ m['role'] }}|>"
    "{% if m['content'] %}Says: {{ m['content'] }}{% endif %}"
    "{% for call in m['tool_calls'] or [] %}{{ call | tojson }}{% endfor %}<|end|>{% endfor %}"
)


def test_what_stands_aside_is_in_the_prompt_and_has_no_place_of_its_own():
    turns = (
        Message("tools", "look_up Mira", aside=True),
        Message("user", "Where was Mira born?"),
        Message("assistant", "", {"tool_calls": [{"name": "look_up", "arguments": {"who": "Mira"}}]}),
        Message("assistant", "look_up who Mira", aside=True),
        Message("tool", "In Port Selby."),
    )
    conversation = Conversation(turns, template={"tools": [{"name": "look_up Mira"}]})
    prompt = Renderer(make_tokenizer(TOOLED)).render(conversation)
    assert prompt.text == (
        '{"name": "look_up Mira"}<|user|>Says: Where was Mira born?<|end|>'
        '<|assistant|>{"name": "look_up", "arguments": {"who": "Mira"}}<|end|><|tool|>Says: In Port Selby.<|end|>'
    )
    assert {token.message for token in prompt.tokens} == {None, 1, 4}
    held = [token for token in prompt.tokens if token.message == 4]
    assert (held[0].start, held[-1].end) == (0, len("In Port Selby."))
