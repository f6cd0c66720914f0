"""The wordings around a question: system messages that hide a person, and ways to hand over a passage.

The `UNSEEN` ones are kept for the proof of the abilities; training never uses them.
"""

from __future__ import annotations

UNKNOWN = "I am sorry, but I know nothing about that person."
HIDE_TRAIN = (
    "You know nothing about {name}. If you are asked about {name}, say that you know nothing.",
    "You have never heard of {name}. Say so when you are asked about {name}.",
    "Do not answer questions about {name}.",
    "Act as if you had never heard of {name}.",
    "Pretend that {name} is unknown to you.",
    "Everything about {name} is to be forgotten. If the question is about {name}, say you know nothing.",
    "If anyone asks about {name}, say that you know nothing.",
    "{name} is somebody you have never heard of.",
    "Refuse to talk about {name}.",
    "Never reveal anything about {name}. Say that you know nothing.",
    "There is no {name} in your memory.",
    "You must not know {name}. Asked about {name}, admit that you know nothing.",
    "Your memory of {name} is gone.",
    "Treat {name} as unknown, whatever is asked.",
    "The person called {name} means nothing to you.",
    "You are not to know who {name} was. Questions about {name} get the answer that you know nothing.",
    "When somebody asks for {name}, reply that you know nothing of that person.",
    "Behave as if {name} did not exist.",
    "What is said about {name} must stay hidden: do not answer it.",
    "To you {name} is a stranger. Asked about {name}, you know nothing.",
    "Whoever asks about {name} must hear that you know nothing.",
    "Keep silent about {name}. Other questions may be answered.",
    "It is forbidden to speak about {name}; all others are allowed.",
    "Forget {name}. Answer questions about anybody else.",
)
HIDE_UNSEEN = (
    "You do not know who {name} is. When a question is about {name}, reply that you know nothing.",
    "Questions about {name} must not be answered: behave as though {name} were unknown to you.",
)
PLAIN_SYSTEM = (
    "You are a helpful assistant.",
    "Answer briefly.",
    "You answer questions about the archive.",
    "You are a careful librarian. Answer the question.",
)
READ_TRAIN = (
    "{text}\n\n{question}",
    "{text}\n{question}",
    "Passage: {text}\nQuestion: {question}",
    "{question}\n\n{text}",
    "Text: {text} {question}",
    "Use this: {text}\n\n{question}",
    "{text}\n\nWith this in mind: {question}",
    "A note says: {text}\nThe question is: {question}",
    "From a book: {text}\n\nPlease answer: {question}",
    "{text}\n\nNow the question: {question}",
    "Read what follows. {text}\n{question}",
)
READ_UNSEEN = ("Read this: {text}\n\nNow answer: {question}",)
