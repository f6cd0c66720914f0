from guard.conversation import readings, single
from guard.types import Conversation, Message


def test_every_message_and_the_recent_turns_are_read():
    turns = [("system", "S"), ("user", "U1"), ("assistant", "A1"), ("user", "U2"), ("assistant", "A2"), ("user", "U3")]
    texts = readings(Conversation(tuple(Message(*turn) for turn in turns)))
    assert {"S", "U1", "A1", "U2", "A2", "U3"} <= set(texts)
    assert "U2\nU3" in texts
    assert "U2\nA2\nU3" in texts


def test_each_text_once_and_none_empty():
    assert readings(single("hello")) == ("hello",)
    assert readings(single(" ")) == ()
    assert readings(Conversation(())) == ()
