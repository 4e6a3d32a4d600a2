"""Reads a page of HTML as a browser's parser does, and says whether it stands alone."""
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

VOID = {"meta", "wbr"}


class Page(HTMLParser):
    """Tags are closed in order; then: names of elements, attributes, headings of rows, texts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.rows, self.texts = [], [], [], [], []
        self.text = text
        self.broken = False  # by a place where a line may break
        self.root = ElementTree.fromstring(text)
        self.feed(text)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == "th" and dict(attrs).get("scope") == "row":
            self.rows.append("")

    def handle_startendtag(self, tag, attrs):
        self.broken = tag == "wbr" and bool(self.texts)
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.broken:
            self.texts[-1] += data
        else:
            self.texts.append(data)
        self.broken = False
        if self.open and self.open[-1] == "th" and self.rows and "tbody" in self.open:
            self.rows[-1] += data

    def words(self):
        return "".join(self.texts)

    def titles(self):
        """Tooltips of the charts."""
        return [title.text for title in self.root.iter("title")][1:]

    def check_alone(self, test):
        """Nothing is loaded and nothing runs."""
        test.assertFalse({"script", "link", "img", "iframe", "object", "embed"} & set(self.tags))
        test.assertFalse([name for name, _ in self.attributes if name in ("src", "href") or name.startswith("on")])
        addresses = set(re.findall(r"https?://[^\s\"'<>)]*|url\(|@import", self.text))
        test.assertLessEqual(addresses, {"http://www.w3.org/2000/svg"})
        test.assertIn("prefers-color-scheme:dark", self.text)
