"""A page holds everything itself, escapes what it is given, and fits its filter to its groups."""

import base64
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppcls.analysis.page import Html, Page, Tile, data_uri

PNG = b"\x89PNG\r\n\x1a\n rest"
JPEG = b"\xff\xd8\xff\xe0 rest"


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(page.render())

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\0")))
def test_no_text_becomes_markup(text):
    page = Page(text, lead=text)
    page.heading(text)
    page.paragraph(text)
    page.facts({text: text})
    page.filter(text, [text])
    page.table([text], [[text]], text, [[text]])
    page.figure(PNG, text, text)
    page.tiles([Tile([PNG], text, text, [text])])
    page.code(text)
    plain = Page("x", lead="x")
    plain.heading("x")
    plain.paragraph("x")
    plain.facts({"x": "x"})
    plain.filter("x", ["x"])
    plain.table(["x"], [["x"]], "x", [["x"]])
    plain.figure(PNG, "x", "x")
    plain.tiles([Tile([PNG], "x", "x", ["x"])])
    plain.code("x")
    tags = [tag for tag, _ in Elements(page).found if tag != "br"]  # a caption has lines
    expected = [tag for tag, _ in Elements(plain).found]
    if not text:
        expected = [tag for tag in expected if tag != "figcaption"]
        expected.remove("p")  # the lead
    assert tags == expected


def test_text_is_shown_as_it_is_written():
    page = Page("a <b> & 'c'")
    page.paragraph('<script>alert("1")</script>')
    page.html(Html("<hr>"))
    elements = Elements(page)
    assert "a <b> & 'c'" in elements.text and '<script>alert("1")</script>' in elements.text
    assert len(elements.of("script")) == 1 and len(elements.of("hr")) == 1


def test_pictures_are_part_of_the_page():
    page = Page("x")
    page.figure(JPEG, "a curve")
    page.tiles([Tile([PNG, JPEG], "first\nsecond", "two digits")])
    curve, one, two = Elements(page).of("img")
    assert base64.b64decode(curve["src"].removeprefix("data:image/jpeg;base64,")) == JPEG
    assert base64.b64decode(one["src"].removeprefix("data:image/png;base64,")) == PNG
    # The second of a pair is not read aloud again
    assert (curve["alt"], one["alt"], two["alt"]) == ("a curve", "two digits", "")
    assert not re.search(r"(src|href)=\"(?!data:)", page.render())


def test_a_file_of_another_kind_is_no_picture():
    with pytest.raises(ValueError, match="GIF8"):
        data_uri(b"GIF89a")


def test_a_table_of_texts_and_numbers():
    page = Page("x")
    page.table(["class", "pictures", "F1"], [["rose", 12345, 0.123456], ["tulip", 7, None]], "Classes")
    elements = Elements(page)
    assert "rose12,3450.1235tulip7" in elements.text
    assert [title.get("class") for title in elements.of("th")] == [None, "number", "number"]
    # By which the script sorts
    assert [cell.get("data-value") for cell in elements.of("td")] == [None, "12345", "0.123456", None, "7", None]


def test_the_filter_knows_rows_and_tiles_by_the_numbers_of_its_groups():
    page = Page("x")
    page.filter("class", ["rose", "tulip"])
    page.table(["a"], [["1"], ["2"]], "t", [["tulip"], ["rose", "tulip"]])
    page.tiles([Tile([PNG], "c", "a", ["rose"]), Tile([PNG], "c", "a", ["another"])])
    elements = Elements(page)
    assert [option["value"] for option in elements.of("option")] == ["", "0", "1"]
    rows = [row.get("data-groups") for row in elements.of("tr")]
    assert rows == [None, "1", "0 1"]
    assert [tile["data-groups"] for tile in elements.of("li")] == ["0", ""]


def test_a_page_is_replaced_whole(tmp_path):
    file = tmp_path / "new" / "report.html"
    Page("one").write(file)
    Page("two").write(file)
    assert "<h1>two</h1>" in file.read_text() and [path.name for path in file.parent.iterdir()] == ["report.html"]
