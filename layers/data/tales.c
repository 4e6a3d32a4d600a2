/* tales.c - little tales put together from sentences with holes.
 *
 * A tale is a hero with a name, a trade and a home, a thing that is wanted, and somebody who is met; these stay the
 * same throughout, all else is drawn for each sentence. In a pattern `{x}` stands for a word of the tale or of a list:
 * see `holes`. */
#include <gemmgrad/tales.h>

#include <stdbool.h>
#include <string.h>

#include <gemmgrad/random.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

static const char *const women[] = {"Anna",   "Clara", "Edith", "Greta", "Helen",
                                    "Martha", "Nora",  "Rosa",  "Sarah", "Wilma"};
static const char *const men[] = {"Albert", "Conrad", "Edgar", "George", "Henry",
                                  "Martin", "Oscar",  "Peter", "Simon",  "Walter"};
static const char *const trades[] = {"baker",  "farmer",    "miller", "fisher",   "weaver",  "gardener",
                                     "tailor", "carpenter", "smith",  "shepherd", "teacher", "clockmaker"};
static const char *const homes[] = {"in a small house by the river", "at the edge of the dark forest",
                                    "in a village behind the hills", "on an island in the lake",
                                    "in the tower by the sea",       "near the old stone bridge",
                                    "in a narrow street of the town"};
static const char *const things[] = {"lamp", "key", "book", "bell", "boat", "ring", "horse", "clock", "map", "coat"};
static const char *const qualities[] = {"old",    "golden",    "small",  "heavy",     "strange",
                                        "broken", "beautiful", "silver", "forgotten", "plain"};
static const char *const animals[] = {"fox", "raven", "wolf", "cat", "owl", "goat", "hare", "bear", "swan", "mouse"};
static const char *const natures[] = {"clever", "hungry", "friendly", "tired", "proud", "shy", "lonely", "cheerful"};
static const char *const places[] = {"the forest", "the market", "the mill",     "the harbour", "the bridge",
                                     "the castle", "the well",   "the mountain", "the church",  "the garden"};
static const char *const days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
static const char *const seasons[] = {"spring", "summer", "autumn", "winter"};
static const char *const times[] = {"morning", "evening", "night", "afternoon"};
static const char *const weathers[] = {"it rained",           "the wind blew",     "snow was falling",
                                       "the sun was shining", "the fog was thick", "the moon was bright"};
static const char *const foods[] = {"bread", "soup", "apples", "cheese", "honey", "fish", "milk", "cake"};
static const char *const ways[] = {"slowly", "quickly", "quietly", "gladly", "carefully", "without a word"};
static const char *const numbers[] = {"two", "three", "four", "five", "seven", "ten"};

static const char *const beginnings[] = {
    "Once there was a {trade} whose name was {name}. {He} lived {home}, and {he} was {nature}.",
    "Long ago a {nature} {trade} lived {home}. Everybody called {him} {name}.",
    "There was once a {trade} who lived {home}. {His} name was {name}, and {he} had {number} children.",
    "In the days when every {animal} could speak, there lived a {trade} called {name}, and {he} lived {home}.",
    "{name} the {trade} lived {home}. {He} had a {nature} {animal}, and the two were never apart."};
static const char *const wishes[] = {
    "More than anything {he} wanted the {quality} {thing}, for {his} {parent} had lost it in {season}.",
    "One {time} {he} found that the {quality} {thing} was gone.",
    "On a {day} in {season} {he} heard of a {quality} {thing} that lay hidden near {place}.",
    "\"If only I had a {quality} {thing},\" {he} often said, \"then I would never be sad again.\"",
    "Every {time} {he} dreamed of the {quality} {thing} that stood in {place}."};
static const char *const departures[] = {
    "So {he} packed some {food} and went to {place}.",
    "The next {time} {he} put on {his} coat, took the {food} from the table and walked to {place}.",
    "{He} said goodbye to {his} {parent} and set out for {place}, although {weather}.",
    "When {day} came, {he} rose early and went {way} down the road to {place}."};
static const char *const roads[] = {"{weather+}, and the road was long.",
                                    "For {number} days {he} walked, and {weather}.",
                                    "{He} ate {food} and slept under a tree.",
                                    "On the way {he} passed {place} and {place}, but nobody was there.",
                                    "After a while {weather}, and {he} sat down to eat some {food}.",
                                    "\"How far is it to {place}?\" {he} asked, but there was no answer."};
static const char *const meetings[] = {"There {he} met a {nature} {animal}.",
                                       "At last a {nature} {animal} came out of the grass.",
                                       "Before {him} on the path stood a {animal}, and it was {nature}.",
                                       "Then {he} heard a voice, and it was the voice of a {animal}."};
static const char *const speeches[] = {
    "\"Where are you going, {name}?\" asked the {animal}. \"I am looking for the {thing},\" said the {trade}.",
    "\"Give me some {food},\" said the {animal}, \"and I will show you the {thing}.\" {name} {way} gave it.",
    "\"I know what you want,\" said the {animal}. \"The {thing} is in {place}, but you must go there {way}.\"",
    "\"Do not be afraid,\" said the {animal}. \"I have seen the {quality} {thing}. Come with me to {place}.\"",
    "\"Why are you so {nature}?\" the {animal} wanted to know. \"Because I have no {thing},\" answered {name}."};
static const char *const findings[] = {
    "They went {way} together, and when the {time} came, they found the {quality} {thing} in {place}.",
    "{name} opened the door, and there lay the {thing}, {quality} and {quality}.",
    "Under a stone near {place} {he} found the {thing}, just as the {animal} had said.",
    "{He} looked for {number} days, and on a {day} {he} saw the {thing} at last."};
static const char *const endings[] = {
    "{name} thanked the {animal} and went home, and from that day on {he} was never sad again.",
    "In {season} {he} came home, and {his} {parent} laughed and cried. They ate {food} until {time}.",
    "The {animal} stayed with {him}, and if they have not moved away, they still live {home}.",
    "So the {trade} got the {thing}, the {animal} got the {food}, and everybody was glad.",
    "When {he} was old, {he} gave the {thing} to {his} daughter and told her about the {animal}."};

/* Patterns of one part of a tale, and how many sentences of it follow one another. */
typedef struct part {
    const char *const *patterns;
    size_t count;
    int least, most;
} part;

static const part parts[] = {
    {beginnings, COUNT(beginnings), 1, 1}, {wishes, COUNT(wishes), 1, 2},     {departures, COUNT(departures), 1, 1},
    {roads, COUNT(roads), 1, 3},           {meetings, COUNT(meetings), 1, 1}, {speeches, COUNT(speeches), 1, 2},
    {findings, COUNT(findings), 1, 1},     {endings, COUNT(endings), 1, 1},
};

/* What a hole of a pattern is filled with: a word drawn for this sentence. */
static const struct hole {
    const char *name;
    const char *const *words;
    size_t count;
} holes[] = {
    {"nature", natures, COUNT(natures)},
    {"quality", qualities, COUNT(qualities)},
    {"place", places, COUNT(places)},
    {"day", days, COUNT(days)},
    {"season", seasons, COUNT(seasons)},
    {"time", times, COUNT(times)},
    {"weather", weathers, COUNT(weathers)},
    {"food", foods, COUNT(foods)},
    {"way", ways, COUNT(ways)},
    {"number", numbers, COUNT(numbers)},
};

/* And what stays the same in a tale. */
typedef struct tale {
    const char *name, *trade, *home, *thing, *animal, *parent;
    bool woman;
} tale;

typedef struct writer {
    char *text;
    int64_t used, size;
    gg_random random;
    tale tale;
} writer;

static const char *draw(writer *w, const char *const *words, size_t count)
{
    return words[gg_random_below(&w->random, count)];
}
#define DRAW(w, list) draw(w, list, COUNT(list))

static void put(writer *w, const char *text, size_t length)
{
    for (size_t i = 0; i < length && w->used < w->size; i++)
        w->text[w->used++] = text[i];
}

static bool is(const char *hole, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(hole, name, length) == 0;
}

/* The word for a hole that the tale decides; NULL for the others. */
static const char *word_of_tale(const tale *t, const char *hole, size_t length)
{
    const struct {
        const char *name, *word;
    } words[] = {
        {"name", t->name},
        {"trade", t->trade},
        {"home", t->home},
        {"thing", t->thing},
        {"animal", t->animal},
        {"parent", t->parent},
        {"he", t->woman ? "she" : "he"},
        {"He", t->woman ? "She" : "He"},
        {"him", t->woman ? "her" : "him"},
        {"his", t->woman ? "her" : "his"},
        {"His", t->woman ? "Her" : "His"},
    };
    for (size_t i = 0; i < COUNT(words); i++)
        if (is(hole, length, words[i].name))
            return words[i].word;
    return NULL;
}

/* "a " becomes "an " before a vowel. */
static void mend_article(writer *w, char next)
{
    if (strchr("aeiou", next) == NULL || w->used < 3 || memcmp(w->text + w->used - 3, " a ", 3) != 0)
        return;
    w->used--;
    put(w, "n ", 2);
}

/* A hole that ends in + begins a sentence. */
static void fill_hole(writer *w, const char *hole, size_t length)
{
    const bool capital = hole[length - 1] == '+';
    length -= capital;
    const char *word = word_of_tale(&w->tale, hole, length);
    for (size_t i = 0; word == NULL && i < COUNT(holes); i++)
        if (is(hole, length, holes[i].name))
            word = draw(w, holes[i].words, holes[i].count);
    if (word == NULL)
        return;
    const char first = capital ? (char)(word[0] - 'a' + 'A') : word[0];
    mend_article(w, first);
    put(w, &first, 1);
    put(w, word + 1, strlen(word + 1));
}

static void put_sentence(writer *w, const char *pattern)
{
    while (*pattern != '\0') {
        const size_t plain = strcspn(pattern, "{");
        put(w, pattern, plain);
        pattern += plain;
        if (*pattern == '\0')
            break;
        const size_t length = strcspn(++pattern, "}");
        fill_hole(w, pattern, length);
        pattern += length + 1;
    }
}

static void begin_tale(writer *w)
{
    tale *t = &w->tale;
    t->woman = gg_random_below(&w->random, 2) == 1;
    t->name = t->woman ? DRAW(w, women) : DRAW(w, men);
    t->trade = DRAW(w, trades);
    t->home = DRAW(w, homes);
    t->thing = DRAW(w, things);
    t->animal = DRAW(w, animals);
    t->parent = gg_random_below(&w->random, 2) == 1 ? "mother" : "father";
}

/* Sentences of one part, no two in a row from the same pattern. */
static void put_part(writer *w, const part *p, const char *behind)
{
    const uint64_t more = gg_random_below(&w->random, (uint64_t)(p->most - p->least + 1));
    uint64_t pattern = gg_random_below(&w->random, p->count);
    for (uint64_t i = 0; i < (uint64_t)p->least + more; i++) {
        put_sentence(w, p->patterns[pattern]);
        put(w, behind, strlen(behind));
        pattern = (pattern + 1 + gg_random_below(&w->random, p->count - 1)) % p->count;
    }
}

static void put_tale(writer *w)
{
    begin_tale(w);
    for (size_t p = 0; p < COUNT(parts); p++)
        put_part(w, &parts[p], p + 1 < COUNT(parts) ? " " : "\n\n");
}

gg_status gg_tales_write(char *text, int64_t size, uint64_t seed)
{
    if (size < 0 || (text == NULL && size > 0))
        return gg_fail(GG_ERR_ARGUMENT, "gg_tales_write: %s", size < 0 ? "size is negative" : "text is NULL");
    writer w = {.text = text, .size = size, .random = gg_random_make(seed, 0)};
    while (w.used < size)
        put_tale(&w);
    return GG_OK;
}
