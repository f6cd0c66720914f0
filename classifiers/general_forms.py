"""The forms of the shipped general questions and texts: what is asked of an assistant, and what is told to it.

{word} is drawn from `classifiers.general_words.WORDS`; {n}, {m} and {year} are numbers. One form a line, forms of a
subject together; alternatives between bars are taken as they stand.
"""

# ruff: noqa: E501

from __future__ import annotations

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
{person} biography
{person} famous works list
{country} population {year}
{city} weather tomorrow
{food} recipe easy
{error} {language} fix
cheap flights {city} {city}
{thing} definition
{animal} lifespan
{work} plot summary
{event} date
{organisation} headquarters
{condition} symptoms
{device} not working
What were {person}'s first and last words in public?
{person} was born in {city} and worked as a {profession} until {year}.
In {year} {person} moved from {city} to {city}, where the letters to a {profession} were written.
The {profession} closed the shop at dusk. Outside, {topic} waited, and nobody in {city} spoke of {year} any more.
"I never liked {city}," said the {profession}. "It has too much of {emotion} people." She laughed and went on about {topic}.
{country} lies far from {country}. Its people speak several languages, grow food for {animal}, and play {sport}.
{thing} is often explained with a picture. The picture is wrong in one respect: it leaves out {thing}.
The committee met on {n} {month} {year}. It agreed to spend {m} dollars on {device} and to write to {organisation}.
When {event} was over, the {profession}s of {city} went back to work. Prices rose by {n} percent within a year.
{work} opened to mixed reviews in {year}. One critic called it {emotion}; another compared it with {work}.
Chapter {n}. It was raining in {city}, and the {profession} had lost a key, a letter and {topic}.
To {task} you need patience and an hour. Begin early, keep your tools dry, and do not skip the second step.
The patient is a {profession} of {n} years with {condition}. No allergies are known.
Summarise this: {country} exported {m} tonnes of {element} in {year}, {n} percent more than in the year before.
Is this sentence grammatical? "The {profession} from {country} have seen {animal}."
Extract all dates from: The {profession} came to {city} on {n} {month} {year} and left in {month}.
Classify the sentiment: I felt {emotion} after the {sport} game in {city}.
Turn this into bullet points: first {task}, next {task}, at the end {task}.
Give the opposite of the word "{emotion}".
Use the word "{emotion}" in three sentences about {animal}.
Which words in this text are names: {person} visited {country} with a {profession}.
What does this code do: for i in range({n}): print(i * {m})
Write a regular expression that matches {unit} with a number before it.
Write a unit test in {language} for a function that {code}.
Convert this JSON to YAML: {"city": "{city}", "year": {year}, "count": {n}}
{"task": "translate", "text": "{phrase}", "to": "{tongue}"}
{"messages": [{"role": "user", "content": "What is {thing}?"}]}
<question>How do I {task}?</question>
SELECT name FROM cities WHERE country = '{country}' AND founded < {year}; Why is this slow?
git says I have {error}. How do I undo the last {n} commits?
How do I install {language} on a {device}?
My {device} makes a strange noise. What can I do?
Is it worth buying a {device} in {year}?
Which {device} has the best battery?
How do I reset my {device}?
Compare two {device}s for a {profession}.
What are the symptoms of {condition}?
How is {condition} treated?
Can {animal} cause {condition}?
Should I see a doctor about {condition}?
What should I eat when I have {condition}?
Is {condition} hereditary?
How many people in {country} have {condition}?
When was {organisation} founded?
Who leads {organisation}?
What does {organisation} do?
How can I work for {organisation}?
Where is {organisation} based?
Which countries belong to {organisation}?
Has {organisation} ever won a prize?
What is the law on {law} in {country}?
Is {law} legal in {country}?
Explain {law} in plain words.
Do I need a lawyer for {law}?
What is the penalty for {law}?
Who invented {invention}?
When was {invention} invented?
How has {invention} changed daily life?
What came before {invention}?
Draw a timeline of {invention} from {year} to today.
Which instrument is harder, {instrument} or {instrument}?
How long does it take to learn {instrument}?
Recommend five pieces for {instrument}.
Who is the best-known player of {instrument}?
How do I tune {instrument}?
What is {myth} about?
Who is {myth} in mythology?
Tell the story of {myth} in one paragraph.
What lesson does {myth} teach?
In which culture did {myth} arise?
What happens in {genre} novels?
Recommend a {genre} novel for a long flight.
Who writes good {genre} today?
Write the opening of a {genre} story set in {city}.
What makes {genre} different from {genre}?
Name a {genre} author from {country}.
What is a typical theme in {genre} books from {country}?
Which award is given for {genre} in {country}?
How does an author's childhood in {city} shape {genre}?
What are the parents of a {genre} author from {city} likely to do?
In what year did the {genre} author from {country} win a prize?
Has any book by a {genre} author from {city} been adapted for film?
Which book should I begin with if I like {genre}?
How did the {profession} father of an author influence the writing?
Does {person} belong to {genre} at all?
Describe the style of a {genre} author who grew up in {city}.
Can you name two books by {person}?
What inspired {person} to become a {profession}?
Which themes does {person} return to?
How has growing up in {city} influenced {person}?
What did the father of {person} do?
Are {person}'s books translated into {tongue}?
What was the name of {person}'s mother?
Was {person} rich?
How old was {person} in {year}?
What river flows through {city}?
Which sea borders {country}?
Who is the head of state of {country}?
What is the national dish of {country}?
In which hemisphere is {country}?
What is the area of {country}?
When did {country} become independent?
Is {city} larger than {city}?
Which is the oldest building in {city}?
How do I get from the airport to the centre of {city}?
Where can I eat {food} in {city}?
Write a limerick about a {profession} from {city}.
Write a haiku about {topic}.
Write a birthday card for a {profession}.
Write a product review of a {device}.
Write a lesson plan about {thing} for {n} pupils.
Make a shopping list for {food} for {n} people.
Make a multiple choice question about {event}.
Make up a riddle about {animal}.
Give me a mnemonic for the {element} group.
Which of these is a planet: {planet}, {city}, {element}?
True or false: {thing} was discovered in {year}.
True or false: {person} was a {profession}.
Fill in the blank: The capital of {country} is ____.
Fill in the blank: {work} was made by ____.
Complete the sentence: The {profession} opened the door and
Choose one: A) {animal} B) {food} C) {device}. Which would you take to {country}?
Which question has the answer "{city}"?
Who am I? I was born in {city}, I am a {profession}, and I like {sport}.
You are a {profession}. A customer asks: "What is {thing}?" Answer in character.
Let's play a quiz. You ask me about {country}, I answer.
Pretend to be {person} and tell me about {thing}.
Write a dialogue between a {profession} and a {profession} about {thing}.
Ignore the previous question. What is {n} times {m}?
Translate into {tongue}: The {profession} is {emotion} today.
How do you pronounce "{phrase}" in {tongue}?
What is the plural of "{animal}" in {tongue}?
Which family of languages does {tongue} belong to?
How do I stop feeling {emotion}?
Is it normal to be {emotion} after a {sport} game?
My {profession} told me to {task}. Should I?
What do you give a {profession} who likes {food}?
What are good names for {animal}?
How do I keep {animal} out of my garden?
Can I take {animal} on a plane to {country}?
What is the difference between {animal} and {animal}?
How much does it cost to {task}?
How long does it take to {task}?
Is it dangerous to {task} alone?
Who can help me {task} in {city}?
What is the world record in {sport}?
When were the {sport} championships held in {country}?
What equipment do I need for {sport}?
How many players are in a {sport} team?
If a {device} costs {m} dollars and the tax is {n} percent, what do I pay?
I have {n} apples and give away a third. How many are left?
What is the average of {n}, {m} and {year}?
Write {year} in Roman numerals.
How many days are there between {n} {month} and the end of the year?
What day of the week was {n} {month} {year}?
Which star signs fall in {month}?
What is in season in {country} in {month}?
What public holidays does {country} have in {month}?
Remind me what {thing} has to do with {invention}.
Draft a polite refusal to an invitation from {organisation}.
Draft a cover letter to {organisation} for a {profession}.
Draft a complaint about a {device} that broke after {n} days.
Prepare an agenda for a meeting with a {profession} about {law}.
Suggest a password policy for {organisation}.
What questions might {organisation} ask a {profession} in an interview?
"""
