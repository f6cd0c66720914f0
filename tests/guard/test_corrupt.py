import pytest
import torch

from guard.act.corrupt import Corrupter
from guard.errors import EngineError
from guard.policy import CorruptAction
from guard.types import Conversation, Detection, Message, Span

GAUSS = CorruptAction(kind="corrupt", strength=1.0)
FLIP = CorruptAction(kind="corrupt", function="sign_flip")
NAME = "Mira Tolvane"


@pytest.fixture(scope="module")
def corrupter(checkpoint):
    return Corrupter.from_checkpoint(str(checkpoint), secret=b"s" * 32)


def talk(*turns):
    return Conversation(tuple(Message(role, text) for role, text in turns))


def found(conversation, topic="t"):
    spans = [
        Span(number, message.text.index(NAME), message.text.index(NAME) + len(NAME))
        for number, message in enumerate(conversation.messages)
        if NAME in message.text
    ]
    return Detection(topic, 0.9, tuple(spans))


def changes(corrupter, conversation, targets):
    """{place: (token, its row's change)} of the rows that corruption touched."""
    prompt = corrupter.renderer.render(conversation)
    clean = corrupter.table.rows(prompt.ids)
    made = corrupter.corrupt(conversation, targets)
    assert made.dtype == clean.dtype
    assert made.shape == clean.shape
    assert torch.isfinite(made).all()
    touched = [place for place in range(len(clean)) if not torch.equal(clean[place], made[place])]
    return {place: (prompt.tokens[place], made[place].float() - clean[place].float()) for place in touched}


@pytest.mark.parametrize("action", [GAUSS, FLIP])
def test_only_tokens_under_the_spans_change(corrupter, action):
    conversation = talk(
        ("system", f"Never speak of {NAME}."),
        ("user", f"Hello, {NAME}!"),
        ("assistant", "Yes?"),
        ("user", "When born?"),
    )
    touched = changes(corrupter, conversation, [(found(conversation), action)])
    assert {token.message for token, _ in touched.values()} == {1}
    covered = [(token.start, token.end) for token, _ in touched.values()]
    assert (min(covered)[0], max(covered)[1]) == (6, 7 + len(NAME))


def test_in_a_raw_prompt_the_same_tokens_change_as_in_a_chat(corrupter):
    chat = talk(("user", f"Hello, {NAME}!"))
    raw = Conversation(chat.messages, raw=True)
    in_chat, in_raw = (changes(corrupter, one, [(found(chat), GAUSS)]) for one in (chat, raw))
    assert [token for token, _ in in_raw.values()] == [token for token, _ in in_chat.values()]
    assert all(torch.equal(a[1], b[1]) for a, b in zip(in_raw.values(), in_chat.values(), strict=True))


def test_without_spans_all_user_tokens_but_the_last_change(corrupter):
    conversation = talk(("system", "Be brief."), ("user", "When was she born?"))
    prompt = corrupter.renderer.render(conversation)
    users = [place for place, token in enumerate(prompt.tokens) if token.message == 1]
    assert list(changes(corrupter, conversation, [(Detection("t", 0.9), GAUSS)])) == users[:-1]


def test_spans_in_the_system_text_alone_fall_back_to_the_users(corrupter):
    conversation = talk(("system", f"You are {NAME}."), ("user", "When were you born?"))
    touched = changes(corrupter, conversation, [(found(conversation), GAUSS)])
    assert {token.message for token, _ in touched.values()} == {1}


def test_a_token_has_the_same_noise_whatever_stands_around_it(corrupter):
    plain = talk(("user", f"Who taught {NAME}?"))
    other = talk(("system", "x83hf"), ("user", f"nonce 1729. Who taught {NAME}? And where was {NAME} born?"))
    first = {token.id: row for token, row in changes(corrupter, plain, [(found(plain), GAUSS)]).values()}
    again = {token.id: row for token, row in changes(corrupter, other, [(found(other), GAUSS)]).values()}
    assert first.keys() & again.keys() == first.keys()
    assert all(torch.equal(first[number], again[number]) for number in first)


def test_another_secret_or_topic_gives_other_noise(corrupter, checkpoint):
    conversation = talk(("user", NAME))
    other = Corrupter.from_checkpoint(str(checkpoint), secret=b"q" * 32)
    made = corrupter.corrupt(conversation, [(found(conversation), GAUSS)])
    assert torch.equal(made, corrupter.corrupt(conversation, [(found(conversation), GAUSS)]))
    assert not torch.equal(made, other.corrupt(conversation, [(found(conversation), GAUSS)]))
    assert not torch.equal(made, corrupter.corrupt(conversation, [(found(conversation, "u"), GAUSS)]))


def test_strength_is_in_units_of_the_tables_rms(corrupter):
    conversation = talk(("user", "a long question with many words, none of which is a name, to average over?"))
    for strength in (0.5, 4.0):
        action = CorruptAction(kind="corrupt", strength=strength)
        rows = torch.stack(
            [row for _, row in changes(corrupter, conversation, [(Detection("t", 1.0), action)]).values()]
        )
        assert float(rows.square().mean().sqrt()) == pytest.approx(strength * corrupter.table.rms, rel=0.15)


def test_sign_flip_negates(corrupter):
    conversation = talk(("user", NAME))
    for token, row in changes(corrupter, conversation, [(found(conversation), FLIP)]).values():
        assert torch.equal(row, -2 * corrupter.table.rows([token.id])[0].float())


def test_first_topic_wins_a_shared_token(corrupter):
    conversation = talk(("user", NAME))
    one, two = found(conversation, "one"), found(conversation, "two")
    both = corrupter.corrupt(conversation, [(one, GAUSS), (two, FLIP)])
    assert torch.equal(both, corrupter.corrupt(conversation, [(one, GAUSS)]))


def test_nothing_to_corrupt_is_an_error(corrupter):
    conversation = talk(("system", f"You are {NAME}."))
    with pytest.raises(EngineError, match="not sent"):
        corrupter.corrupt(conversation, [(found(conversation), GAUSS)])
