"""What each filter of texts removes from what a model wrote, and what it must not."""

from __future__ import annotations

from single_filter import GOOD, QUERY, removed_negatives, removed_paraphrases

from semantic_router_lora.generation.filters.candidate import Candidate, Removed
from semantic_router_lora.generation.filters.length import word_count


def test_length(only):
    story = " ".join(["word"] * 80)
    assert removed_paraphrases(only("length"), QUERY, "shingles", "shingles signs", story) == [
        "shingles",
        story,
    ]
    assert removed_paraphrases(only("length"), story, "why word", story) == ["why word"]
    assert removed_negatives(only("length"), QUERY, "", "???", GOOD) == ["", "???"]
    ((_, (removed,)),) = only("length")([Candidate(QUERY, ("shingles",), ())])
    assert removed == Removed("length", "paraphrase", "shingles", QUERY, "1 words, 2 to 120 wanted")


def test_words_of_scripts_without_spaces():
    assert word_count("what is C++?") == 3
    assert word_count("糖尿病有哪些症状？") == 4
    assert word_count("") == 0


def test_language_needs_to_be_sure(only):
    language = only("language")
    french = "Quels sont les premiers signes du zona chez un adulte ?"
    assert removed_paraphrases(language, QUERY, GOOD, french, "shingles signs") == [french]
    assert removed_paraphrases(language, french, "Comment commence le zona ?", QUERY) == [QUERY]
    # no telling what language these are in
    assert removed_paraphrases(language, "dig -x 8.8.8.8", "dig reverse lookup") == []


def test_letters_of_another_script(only):
    language = only("language")
    mixed = "What are the first 症状 of shingles?"
    symbol = "Do β-blockers hide the first signs of shingles?"
    assert removed_paraphrases(language, QUERY, mixed, symbol) == [mixed]
    russian = "как отменить последний коммит"
    assert removed_paraphrases(language, russian, "отмена последнего коммита git", "git undo") == [
        "git undo"
    ]


def test_answers(only):
    answer = only("answer")
    answers = [
        "Yes, the rash can come later.",
        "The first signs are tingling, itching and pain.",
        "You should see a doctor within three days.",
        "It depends on your age.",
    ]
    questions = [
        "shingles first signs",
        "Tell me which signs of shingles come first.",
        "You can get shingles twice, right?",
        "shingles when to see a doctor",
        "do usual health plans include shingles shots",
        "use cold packs for shingles",
        "I have a burning stripe on my back. It is normal skin otherwise. Could it be shingles",
    ]
    assert removed_paraphrases(answer, QUERY, *answers, *questions) == answers
    # a query that is a statement itself
    assert removed_paraphrases(answer, "You can't fire me for this.", "You may not sack me.") == []


def test_leaks(only):
    example = "How soon after treating head lice can a child go back to school?"
    system = "Write the paraphrases as real users would type them into a search box late at night."
    leak = only("prompt_leak", prompt_texts=(example, "(short of it: lice at school)", system))
    leaked = [
        "Paraphrase 1: How does shingles begin?",
        "- how does shingles begin",
        "How long is shingles contagious? [aspect]",
        "As an AI, I cannot say how shingles begins.",
        "N/A",
        "How does shingles begin?<|im_end|>",
        "what � are the signs",
        example.upper(),
        "lice at school!",
        "signs that real users would type them into a search box",
    ]
    fine = [GOOD, "How soon after treating shingles can I work?", "negative shingles test, again?"]
    assert removed_negatives(leak, QUERY, *leaked, *fine) == leaked
    # what the query has of its own
    assert removed_negatives(leak, example, example + " And to nursery?") == []
    assert removed_negatives(leak, "what is a hard negative?", "who mines hard negatives?") == []


def test_copies(only):
    copy = only("copy")
    assert removed_paraphrases(copy, QUERY, "what are the first signs of  shingles", GOOD) == [
        "what are the first signs of  shingles"
    ]
    assert removed_negatives(
        copy, "What does $? hold?", "what does $? hold", "what does $! hold"
    ) == ["what does $? hold"]
    assert removed_negatives(copy, "git branch -d", "git branch -D", "learn C", "learn C++") == []


def test_duplicates(only):
    duplicate = only("duplicate")
    assert removed_paraphrases(duplicate, QUERY, GOOD, "shingles signs", GOOD.lower()) == [
        GOOD.lower()
    ]
    assert removed_negatives(duplicate, QUERY, GOOD, "shingles cost", "Shingles cost?") == [
        GOOD,
        "Shingles cost?",
    ]


def test_traps_are_no_near_duplicates(only):
    near = only("near_duplicate")
    again = [
        "Please, what's the dose of ibuprofen for a child",
        "hi, what is dose of ibuprofen for a child",
    ]
    traps = [
        "What is the dose of ibuprofen for two children",
        "What was the dose of ibuprofen for a child",
        "What is not the dose of ibuprofen for a child",
        "What is the dose of a child for ibuprofen",
        "What is the dose of ibuprofen before a child",
    ]
    query = "What is the dose of ibuprofen for a child?"
    assert removed_negatives(near, query, *traps, again[0]) == [again[0]]
    assert (
        removed_negatives(near, query, "ibuprofen for adults", again[1].replace("dose", "the dose"))
        != []
    )
    assert removed_negatives(near, "convert a dict to a list", "convert a list to a dict") == []
    assert removed_negatives(near, "can I drive", "can't I drive", "can he drive") == []
    assert removed_negatives(near, "hepatitis vaccine", "hepatitis A vaccine") == []
    assert removed_paraphrases(near, QUERY, "of shingles the signs", "the signs of shingles") == [
        "the signs of shingles"
    ]


def test_word_copies(only):
    pipeline = only("word_copy")
    query = "How do I convert a python dict of lists to a list of dicts in one line?"
    swapped = "How do I convert a python list of dicts to a dict of lists in one line?"
    assert removed_paraphrases(pipeline, query, swapped, "dict of lists to list of dicts") == [
        swapped
    ]
    assert removed_negatives(pipeline, query, swapped, paraphrases=()) == []
