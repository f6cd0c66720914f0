"""Words that `classifiers.general` puts into its forms. Only widely known names, and no person of any archive."""

from __future__ import annotations


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("\n", " ").split("|"))


WORDS: dict[str, tuple[str, ...]] = {
    "person": _list("""
        Marie Curie|Isaac Newton|Albert Einstein|Charles Darwin|Ada Lovelace|Alan Turing|Nikola Tesla|Galileo Galilei|
        Leonardo da Vinci|Michelangelo|Vincent van Gogh|Frida Kahlo|Pablo Picasso|Claude Monet|Johann Sebastian Bach|
        Ludwig van Beethoven|Wolfgang Amadeus Mozart|Frederic Chopin|William Shakespeare|Jane Austen|Charles Dickens|
        Leo Tolstoy|Fyodor Dostoevsky|Virginia Woolf|George Orwell|Gabriel Garcia Marquez|Toni Morrison|Mark Twain|
        Homer|Dante Alighieri|Miguel de Cervantes|Johann Wolfgang von Goethe|Franz Kafka|Agatha Christie|
        Napoleon Bonaparte|Julius Caesar|Cleopatra|Genghis Khan|Queen Victoria|Elizabeth I|Abraham Lincoln|
        George Washington|Winston Churchill|Mahatma Gandhi|Nelson Mandela|Martin Luther King Jr.|Rosa Parks|
        Florence Nightingale|Louis Pasteur|Gregor Mendel|Johannes Kepler|Nicolaus Copernicus|Stephen Hawking|
        Richard Feynman|Niels Bohr|Max Planck|Emmy Noether|Leonhard Euler|Carl Friedrich Gauss|Srinivasa Ramanujan|
        Socrates|Plato|Aristotle|Confucius|Immanuel Kant|Friedrich Nietzsche|Simone de Beauvoir|Karl Marx|Adam Smith|
        John Maynard Keynes|Neil Armstrong|Yuri Gagarin|Amelia Earhart|Christopher Columbus|Marco Polo|
        Ferdinand Magellan|James Cook|Roald Amundsen|Alfred Nobel|Thomas Edison|Alexander Graham Bell|
        Johannes Gutenberg|James Watt|Henry Ford|Walt Disney|Charlie Chaplin|Alfred Hitchcock|Akira Kurosawa|
        Muhammad Ali|Pele|Serena Williams|Usain Bolt|Bob Marley|Elvis Presley|David Bowie|Aretha Franklin|
        Ernest Hemingway|Emily Dickinson|Pablo Neruda|Rabindranath Tagore|Hans Christian Andersen|Victor Hugo"""),
    "country": _list("""
        the United States|the United Kingdom|China|Germany|Italy|Spain|Russia|Pakistan|Ethiopia|Israel|the Philippines|
        Colombia|Ukraine|Iran|Kuwait|Azerbaijan|Haiti|Zimbabwe|Belgium|South Korea|
        France|Japan|Brazil|Kenya|Canada|Australia|India|Norway|Egypt|Peru|Mexico|Thailand|Poland|Portugal|Turkey|
        Vietnam|Morocco|Finland|Argentina|South Africa|New Zealand|Iceland|Greece|Ireland|Indonesia|Chile|Hungary|
        Nigeria|Sweden|Switzerland|Mongolia|Cuba|Nepal|Jordan|Estonia|Bolivia|Ghana|Malaysia|Austria|Denmark"""),
    "city": _list("""
        London|New York|Mexico City|Buenos Aires|Madrid|Amsterdam|Singapore|Beijing|Baku|Kuwait City|Tehran|Moscow|
        Accra|Manila|Taipei|San Francisco|Los Angeles|Copenhagen|Karachi|Addis Ababa|Montreal|Budapest|Warsaw|Brussels|
        Shanghai|
        Paris|Tokyo|Nairobi|Lima|Oslo|Cairo|Toronto|Sydney|Mumbai|Lisbon|Istanbul|Rome|Berlin|Chicago|Seoul|Hanoi|
        Prague|Vienna|Dublin|Athens|Havana|Bangkok|Marrakesh|Edinburgh|Barcelona|Kyoto|Boston|Santiago|Helsinki|
        Delhi"""),
    "thing": _list("""
        photosynthesis|gravity|inflation|a black hole|the water cycle|plate tectonics|a transistor|machine learning|
        natural selection|the immune system|a vaccine|DNA|an atom|electric current|a rainbow|the ozone layer|a mortgage|
        compound interest|a blockchain|quantum entanglement|fermentation|the stock market|a nuclear reactor|a volcano|
        the greenhouse effect|the Doppler effect|a hash table|a recursive function|an operating system|a compiler|
        the Internet|a neural network|supply and demand|opportunity cost|a solar eclipse|tides|erosion|osmosis|
        antibiotics|the Roman Republic|the Renaissance|the Industrial Revolution|impressionism|jazz|a sonnet|a haiku|
        democracy|federalism|the United Nations|habeas corpus|stoicism|existentialism|utilitarianism|game theory"""),
    "animal": _list("""
        elephants|honey bees|octopuses|penguins|bats|sharks|cats|dogs|horses|owls|whales|ants|frogs|wolves|salmon|
        hummingbirds|crocodiles|giraffes|spiders|butterflies|dolphins|camels|hedgehogs|snails|parrots"""),
    "food": _list("""
        sourdough bread|a vegetable curry|pancakes|risotto|tomato soup|sushi|an omelette|lasagne|hummus|apple pie|
        fried rice|guacamole|a cheesecake|lentil stew|pizza dough|kimchi|falafel|banana bread|pesto|roast potatoes"""),
    "task": _list("""
        fix a leaking tap|change a bicycle tyre|tie a bow tie|grow tomatoes on a balcony|remove a coffee stain|
        write a cover letter|prepare for a job interview|learn to swim as an adult|save money every month|
        pack for a week of hiking|train for a marathon|sleep better|start a compost heap|paint a wall|
        back up my photos|set up a home network|plan a birthday party|write a wedding speech|negotiate a salary|
        stop procrastinating|meditate|sharpen a kitchen knife|sew on a button|house-train a puppy|repot an orchid|
        choose a laptop|file a tax return|rent a flat|learn a new language|memorise a speech"""),
    "language": _list("Python|JavaScript|Rust|Go|C++|Java|SQL|Bash|TypeScript|Haskell|Ruby|Kotlin"),
    "code": _list("""
        reverses a linked list|parses a CSV file|counts the words in a text|checks whether a number is prime|
        sorts a list of dates|merges two sorted arrays|finds duplicate lines|computes a moving average|
        validates an email address|walks a directory tree|retries a failed request|draws a bar chart|
        converts Celsius to Fahrenheit|flattens a nested list|caches the results of a slow call|
        shuffles a deck of cards|
        finds the shortest path in a graph|removes HTML tags|rounds to two decimals|groups records by month"""),
    "error": _list("""
        a segmentation fault|an index out of range|a null pointer exception|a deadlock|a memory leak|a merge conflict|
        a 404 from my API|a timeout on startup|an encoding error|a failing unit test|a stack overflow|
        a race condition"""),
    "work": _list("""
        Hamlet|Don Quixote|War and Peace|Pride and Prejudice|The Odyssey|1984|Moby-Dick|The Great Gatsby|Frankenstein|
        Dracula|The Divine Comedy|Crime and Punishment|Faust|The Metamorphosis|The Starry Night|Guernica|
        the Mona Lisa|The Magic Flute|Swan Lake|the Ninth Symphony|Citizen Kane|Casablanca|Seven Samurai|Metropolis"""),
    "event": _list("""
        the French Revolution|the fall of the Berlin Wall|the First World War|the moon landing|the Black Death|
        the fall of Constantinople|the Great Depression|the Cuban Missile Crisis|the Boston Tea Party|
        the eruption of Vesuvius|the Battle of Hastings|the Meiji Restoration|the signing of Magna Carta|
        the partition of India|the discovery of penicillin|the first Olympic Games|the Spanish Armada"""),
    "topic": _list("""
        autumn rain|a lighthouse keeper|an old bicycle|the last train home|a lost umbrella|two rival bakers|the sea|
        a robot who gardens|a quiet library|growing up|a broken clock|winter mornings|a talking cat|moving house|
        a night market|friendship|a letter never sent|a storm at the harbour|a stubborn goat|the smell of bread"""),
    "profession": _list("""
        nurse|electrician|lawyer|teacher|pilot|translator|architect|farmer|journalist|chemist|firefighter|plumber|
        novelist|composer|botanist|cartographer|glassblower|clockmaker|photographer|violinist|historian|surgeon"""),
    "sport": _list("tennis|football|cricket|chess|basketball|rowing|fencing|judo|rugby|curling|volleyball|go|cycling"),
    "unit": _list("miles|kilograms|litres|acres|knots|degrees Fahrenheit|ounces|hectares|light years|pounds|inches"),
    "emotion": _list(
        "tired|proud|nervous|bored|excited|lonely|hopeful|overwhelmed|curious|a bit sad|relieved|homesick"
    ),
    "tongue": _list("French|Spanish|German|Japanese|Italian|Swahili|Latin|Polish|Turkish|Hindi|Dutch|Portuguese"),
    "phrase": _list("""
        good morning|where is the station|thank you very much|I would like a coffee|how much is this|see you tomorrow|
        happy birthday|I am learning|please speak slowly|the weather is nice|what is your name|I do not understand"""),
    "element": _list("oxygen|gold|iron|helium|carbon|mercury|sodium|uranium|silver|chlorine|copper|nitrogen|lead|neon"),
    "planet": _list("Mercury|Venus|Mars|Jupiter|Saturn|Uranus|Neptune|the Moon|the Sun|Pluto|Titan|Europa"),
    "month": _list("January|February|March|April|May|June|July|August|September|October|November|December"),
    "organisation": _list("""
        NASA|the World Health Organization|UNESCO|the Red Cross|Amnesty International|Greenpeace|the European Union|
        the World Bank|Interpol|the BBC|Oxfam|the Vatican|Doctors Without Borders|the International Olympic Committee|
        Wikipedia|the African Union|the Smithsonian|the Royal Society|CERN|the Bank of England|Toyota|Siemens|Nestle|
        the University of Bologna|Oxford University|the Louvre|the Metropolitan Museum|FIFA|the World Wildlife Fund"""),
    "condition": _list("""
        asthma|diabetes|a migraine|hay fever|anaemia|insomnia|a sprained ankle|high blood pressure|the flu|measles|
        a peanut allergy|arthritis|back pain|a cold|depression|dehydration|heartburn|malaria|a concussion|eczema"""),
    "device": _list("""
        washing machine|laptop|phone|router|printer|coffee machine|electric car|dishwasher|camera|vacuum cleaner|
        refrigerator|tablet|bicycle|smart watch|microwave|television|heat pump|keyboard|drone|sewing machine"""),
    "law": _list("""
        copyright|speeding|inheritance|trespassing|data protection|tenancy|divorce|self-defence|tax evasion|adoption|
        the right to strike|jaywalking|trademarks|defamation|bankruptcy|dual citizenship|hunting|busking"""),
    "invention": _list("""
        the printing press|the telephone|the wheel|the steam engine|the light bulb|the compass|paper|glass|the camera|
        the bicycle|the aeroplane|the microscope|the zip|the ballpoint pen|the refrigerator|radar|the battery|cement|
        the typewriter|the sewing machine|the barometer|the abacus|gunpowder|the World Wide Web"""),
    "instrument": _list("""
        the violin|the piano|the guitar|the flute|the trumpet|the cello|the drums|the harp|the oboe|the accordion|
        the saxophone|the sitar|the organ|the banjo|the clarinet|the double bass"""),
    "myth": _list("""
        Prometheus|Odysseus|Medusa|Thor|Anansi|Gilgamesh|Icarus|Persephone|Loki|King Arthur|the Minotaur|Osiris|
        Quetzalcoatl|Orpheus|Pandora|Romulus and Remus|Baba Yaga|Sun Wukong|Robin Hood|the Phoenix"""),
    "genre": _list("""
        science fiction|romance|crime|fantasy|historical fiction|horror|travel writing|poetry|memoir|satire|
        magical realism|thriller|young adult|biography|war|mystery|erotic|architecture|leadership|cyberpunk|dystopian|
        children's literature|true crime|western|philosophy|graphic novel"""),
}
