"""Makes the shipped file of general questions, the negatives that stand for the rest of the world.

    python -m classifiers.general > classifiers/data/general_questions.txt

A line that starts with `# ` names the form that the following lines share; lines of one form never straddle a split.
"""

from __future__ import annotations

import random
import re
from importlib.resources import files

from classifiers.data import Example
from classifiers.general_words import WORDS

SEED = 20
PER_FORM = 15

# {word} is drawn from WORDS; {n}, {m} and {year} are numbers. One form a line, forms of a subject together.
FORMS = """
Who was {person}?
Who is {person}?
Where was {person} born?
When was {person} born?
In which city was {person} born?
What year did {person} die?
What is {person} best known for?
What is the most famous work of {person}?
Who taught {person}?
Who was {person} married to?
Which prizes or awards did {person} receive?
What did {person} do for a living?
Tell me about {person}.
Tell me about the childhood of {person}.
Who were {person}'s parents?
Summarise the life of {person} in three sentences.
Did {person} ever meet {person}?
What did {person} think of {country}?
Write a short biography of {person} for children.
How did {person} influence later generations?
Give me three quotes by {person}.
Is it true that {person} once lived in {city}?
Which {profession} inspired {person}?
What genre does {person} write in?
What gender was {person}?
Name a famous {profession} from {country}.
Who is the most famous {profession} of {city}?
Which {profession} was born in {city} in {year}?
What is the full name of the author born in {city}, {country} in {year}?
Who won the Nobel Prize in {year}?
What is the capital of {country}?
How many people live in {city}?
Which languages are spoken in {country}?
What is the highest mountain in {country}?
What currency does {country} use?
Which countries border {country}?
What should I see in {city} in two days?
Is {city} safe for tourists?
What is the best time of year to visit {country}?
How far is it from {city} to {city}?
What time is it in {city} when it is noon in {city}?
Describe the flag of {country}.
Plan a three-day trip to {city} on a small budget.
What is {thing}?
Explain {thing} to a ten-year-old.
How does {thing} work?
Why does {thing} matter?
What is the difference between {thing} and {thing}?
Give me an everyday example of {thing}.
Who first described {thing}?
What are common misunderstandings about {thing}?
Write a quiz of five questions about {thing}.
Summarise {thing} in one paragraph.
What do {animal} eat?
How long do {animal} live?
How do {animal} communicate?
Are {animal} dangerous to people?
Why do {animal} sleep so much?
Which is smarter, {animal} or {animal}?
How do I make {food}?
What can I serve with {food}?
How long does {food} keep in the fridge?
Give me a vegan version of {food}.
I have rice, eggs and two onions. Can I make {food}?
How do I {task}?
What is the easiest way to {task}?
What do I need to {task}?
I want to {task}. Where do I start?
My friend asked me to help her {task}. Any advice?
List five mistakes people make when they {task}.
Write a {language} function that {code}.
How can I write a program that {code}?
Explain line by line how one {code} in {language}.
Which {language} library {code}?
Rewrite this in {language}: a script that {code}.
Why do I get {error} in {language}?
How do I debug {error}?
I keep seeing {error}. What should I check first?
Should I learn {language} or {language} first?
What is {n} plus {m}?
What is {n} times {m}?
What is {n} percent of {m}?
Is {n} a prime number?
What is the square root of {n}?
A train leaves at {n} km/h and another at {m} km/h. When do they meet?
Solve for x: {n}x + {m} = 0.
If I save {n} dollars a month, how much do I have after {m} months?
Convert {n} {unit} to metric.
How many {unit} is {m} {unit}?
Simplify the fraction {n}/{m}.
Who wrote {work}?
Who painted or composed {work}?
What is {work} about?
When was {work} first published or shown?
Recommend something similar to {work}.
What is the main theme of {work}?
Is {work} worth the time?
When did {event} happen?
What caused {event}?
What were the consequences of {event}?
What happened in {year}?
Write a news report about {event} as if it were today.
Write a poem about {topic}.
Write a short story about {topic}.
Give me a title for a novel about {topic}.
Write the first line of a song about {topic}.
Continue the story: it began with {topic}.
Describe {topic} without using adjectives.
What does a {profession} do all day?
How do I become a {profession}?
How much does a {profession} earn in {country}?
Is being a {profession} a good career?
Write a job advert for a {profession}.
What is the best-known book about a {profession}?
What are the rules of {sport}?
How do I get better at {sport}?
Who is the best {sport} player of all time?
How long does a game of {sport} last?
Hello! How are you today?|Hi there|Good evening.|hey, what's up?|Thanks, that helped a lot!|ok|Can you help me?|\
Who are you?|What can you do?|Are you a person?|Never mind.|Say that again, please.|What do you mean?|yes please|\
Please be shorter.
I feel {emotion} today. Any idea why?
I'm {emotion}. Tell me something nice.
My sister is {emotion} and I don't know what to say.
I moved to {city} last month.\\nHow do I meet people there?
I am a {profession}.\\nWhat should I read next?
Yesterday we talked about {thing}. Today I want to know more about {thing}.
We visited {country} in {year}. It was wonderful.\\nWrite a postcard about it.
Here is my plan: first {task}, then {task}.\\nDoes the order make sense?
How do you say "{phrase}" in {tongue}?
Translate "{phrase}" into {tongue}.
Is {tongue} hard to learn?
Correct the grammar: "{phrase} is it not good".
What is the origin of the phrase "{phrase}"?
What is the chemical symbol for {element}?
What is {element} used for?
At what temperature does {element} melt?
How big is {planet}?
How long would it take to fly to {planet}?
Who discovered {planet}?
Could people live on {planet}?
Rewrite this more politely: I am {emotion} and I want my money back.
Summarise: The {profession} from {city} was {emotion} because of {topic}.
Give me ten ideas for a {profession} who is {emotion}.
Compare {country} and {country} in a table.
Pros and cons of living in {city}?
Draft an email to my {profession} about {topic}.
Answer with yes or no: is {city} in {country}?
A) {city} B) {city} C) {city}: which one lies furthest north?
Act as a {profession} and explain {thing}.
Which came first, {event} or {event}?
Is {thing} related to {thing}? Explain briefly.
What rhymes with {animal}?
Tell me a joke about {animal}.
Tell me a joke about a {profession}.
"""


def questions(seed: int = SEED) -> list[tuple[str, str]]:
    """(form, question) pairs, no question twice, at most `PER_FORM` of a form."""
    rng = random.Random(seed)
    seen: set[str] = set()
    out: list[tuple[str, str]] = []
    for line in FORMS.strip().split("\n"):
        drawn = line.split("|") if "|" in line else [_fill(line, rng) for _ in range(PER_FORM)]
        for text in drawn:
            if text not in seen:
                seen.add(text)
                out.append((line.split("|")[0], text))
    return out


def load_general() -> list[Example]:
    """The shipped questions, grouped by form."""
    text = files("classifiers").joinpath("data/general_questions.txt").read_text(encoding="utf-8")
    out: list[Example] = []
    form = ""
    for line in text.splitlines():
        if line.startswith("# "):
            form = line[2:]
        elif line:
            out.append(Example(line.replace("\\n", "\n"), "", f"general:{form}"))
    return out


def _fill(form: str, rng: random.Random) -> str:
    numbers = {"n": str(rng.randint(2, 99)), "m": str(rng.randint(100, 9999)), "year": str(rng.randint(1400, 2024))}
    text = re.sub(r"\{(\w+)\}", lambda m: numbers.get(m[1]) or rng.choice(WORDS[m[1]]), form)
    # Real users do not always use capitals and full stops.
    return re.sub(r"[?.!]$", "", text.lower()) if rng.random() < 0.15 else text


def main() -> None:
    """Print the file."""
    last = ""
    for form, text in questions():
        if form != last:
            print(f"# {form}")
            last = form
        print(text)


if __name__ == "__main__":
    main()
