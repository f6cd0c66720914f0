"""The page and the terminal: every figure is a record's, every reason is told, answers stay text."""

import io
from html.parser import HTMLParser

import pytest
from compare_made import NASTY, REFUSED, TIMED_OUT, UNTESTABLE, between, comparison, references
from matplotlib.text import Text
from rich.console import Console

from eval.compare.cells import DASH, NOT_MEASURED, cell
from eval.compare.heat import heat
from eval.compare.page import page
from eval.compare.plots import AXES, away_from_0, draw, points
from eval.compare.results import Figure, Leak
from eval.compare.tables import main_table, untestable, weights_table
from eval.compare.terminal import show
from eval.metrics.estimate import Estimate

VOID = {"meta", "link", "img", "br", "hr", "input"}
LOADING = {"src", "href", "xlink:href", "srcset", "data", "action", "poster", "background"}


class Reading(HTMLParser):
    """Keeps text and attributes, and insists that every element is closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.text, self.loads, self.titles, self.open, self.tags = [], [], [], [], set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.loads += [value for name, value in attrs if name in LOADING]
        self.titles += [value for name, value in attrs if name == "title"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def html():
    return page(comparison())


@pytest.fixture(scope="module")
def read(html):
    return Reading(html)


def the_row(table, name):
    return dict(zip(table.columns, next(row.cells for row in table.rows if row.name == name), strict=True))


def test_the_page_loads_nothing_from_anywhere(html, read):
    assert all(target.startswith("#") for target in read.loads)
    assert read.loads
    assert not read.tags & {"script", "link", "iframe", "img", "object", "embed"}
    assert "@import" not in html
    assert "url(http" not in html
    assert 'content="default-src &#39;none&#39;' in html or "content=\"default-src 'none'" in html


def test_what_a_model_wrote_stays_text_and_can_be_written_to_a_file(html, read):
    assert "<script" not in html
    assert 'alert("x")</script> [bold]Tulgan[/bold] <img src=' in read.words
    assert "&lt;img src=" in html
    assert NASTY.endswith("\ud800")
    html.encode("utf-8")


def test_the_verdict_comes_before_every_table(html):
    assert html.index("The guard loses on &lt;i&gt;neighbour") < html.index("<table")


def test_every_reason_for_a_missing_figure_is_on_hover_and_in_the_notes(read):
    for reason in (REFUSED, TIMED_OUT, "without retain_Q_A_Prob", NOT_MEASURED):
        assert reason in read.titles
        assert reason in read.words[read.words.index("Reasons") :]
    assert sum(UNTESTABLE in title for title in read.titles) == 4
    assert UNTESTABLE in read.words


def test_the_main_tables_figures_are_those_of_the_records():
    table = main_table(comparison())
    assert [row.name for row in table.rows] == ["bare", "retrained", "guard", "guard refuse", "npo"]
    guard = the_row(table, "guard")
    assert guard["forget recall"].text == "0.329 [0.319, 0.339]"
    assert guard["gap to retrained"].text == "+0.017 [+0.007, +0.027]"
    assert guard["probability"].text == "0.087 [0.077, 0.097]"
    assert guard["truth ratio's D"].text == "0.234 seeds 0.070 to 0.130"
    assert guard["worst leak"].text == "+0.123 [+0.073, +0.173] paraphrase"
    assert guard["catch"].text == "97.5% [96.5%, 98.5%]"
    assert guard["false flags"].text == "3.5% [2.5%, 4.5%] on neighbour"
    assert guard["seconds an answer"].text == "0.050"
    assert the_row(table, "npo")["making it"].text == "321 s; 1.5e+12 FLOPs; 2.0 GiB"


def test_the_page_shows_the_tables_figures(read):
    for shown in (
        "[+0.007, +0.027]",
        "seeds 0.070 to 0.130",
        "321 s; 1.5e+12 FLOPs; 2.0 GiB",
        "0.432",
        "0.457",
        "0.120",
    ):
        assert shown in read.words


def test_unscored_is_a_dash_and_never_a_number():
    refused = the_row(main_table(comparison()), "guard refuse")
    assert (refused["probability"].value, refused["probability"].why) == (DASH, REFUSED)
    assert refused["catch"].value == refused["utility"].value == DASH
    assert the_row(main_table(comparison()), "retrained")["gap to retrained"].value == DASH


def test_a_figure_without_an_interval_shows_none_and_a_partial_one_says_what_is_missing():
    found = cell(Figure("a", "archive", "forget", "truth_ratio", "system", Estimate(0.5, None, None, 3, 1), TIMED_OUT))
    assert (found.text, found.why) == ("0.500", TIMED_OUT)


def test_of_the_layers_the_highest_is_shown_and_guards_have_no_weights_of_their_own():
    table = weights_table(comparison())
    assert [row.name for row in table.rows] == ["bare", "retrained", "npo"]
    assert the_row(table, "npo")["lens, highest layer"].text == "0.060 [0.050, 0.070] on layer 2"


def test_the_page_says_that_a_proxy_does_not_defend_weights(read):
    assert "A proxy does not defend weights" in read.words
    bare = references().results
    bare.figures[:] = [figure for figure in bare.figures if figure.claim == "system"]
    assert "Nothing was measured on weights in this run" in Reading(page(bare)).words


def test_the_map_hatches_what_was_not_tested_and_colours_by_the_leak():
    results = comparison()
    results.leaks.append(Leak("npo", "poem", "rewording", "system", 0.9, 0.9, between(0.1), between(-0.25)))
    found = heat(results)
    assert found.attacks == ["paraphrase", "poem", "rot13"]
    assert found.families == [("rewording", 2), ("encoding", 1)]
    tiles = dict(found.rows)["npo"]
    assert [(tile.value, tile.strength, tile.sign) for tile in tiles] == [
        ("+.12", 0.1234, "more"),
        ("-.25", 0.25, "less"),
        ("", 0.0, ""),
    ]
    assert [leak.attack for leak in untestable(results)] == ["rot13"]
    assert NOT_MEASURED in dict(found.rows)["guard"][1].told


@pytest.mark.parametrize(
    ("ends", "away"),
    [
        ((-0.3, -0.4, -0.2), (0.3, 0.2, 0.4)),
        ((0.05, -0.1, 0.2), (0.05, 0.0, 0.2)),
        ((-0.05, -0.2, 0.1), (0.05, 0.0, 0.2)),
    ],
)
def test_the_distance_from_retrained_keeps_its_interval(ends, away):
    assert away_from_0(Estimate(*ends, 10, 5)) == away


def test_a_system_without_a_figure_is_left_out_of_the_plot_by_name():
    found, left_out = points(comparison(), AXES[3])
    assert [point.name for point in found] == ["npo"]
    assert left_out == ["bare", "guard", "guard refuse"]


def test_names_at_one_place_do_not_cover_each_other():
    made = references()
    for number in range(8):
        made.subject(f"guard with name {number}", "guard")
        for split, versus, value in (("forget", "retrained", 0.01), ("neighbour", "", 0.9)):
            made.figure(f"guard with name {number}", split, "rouge_l_recall", value, versus=versus)
    found, _ = points(made.results, AXES[0])
    figure = draw(found, AXES[0])
    figure.canvas.draw()  # only drawing moves a note to its place
    renderer = figure.canvas.get_renderer()
    boxes = [Text.get_window_extent(text, renderer) for text in figure.axes[0].texts]
    assert len(boxes) == 9
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_an_empty_comparison_still_makes_a_page():
    results = comparison()
    for records in (results.figures, results.leaks, results.examples, results.verdict, results.subjects):
        records.clear()
    words = Reading(page(results)).words
    assert "No attack was tried in this run." in words
    assert "none of those measured" in words


def test_the_terminal_shows_brackets_as_they_are():
    console = Console(file=io.StringIO(), width=110)
    show(comparison(), console)
    text = console.file.getvalue()
    assert "[+0.007, +0.027]" in text
    assert "The guard loses on <i>neighbour</i> [bold]by .02[/bold]." in text
    assert f"Unscored or left out: {REFUSED}." in text
    assert "[+0.073, +0.173] paraphrase" in text
