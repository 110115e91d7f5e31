from xml.etree import ElementTree

from sdlab.system.tables import Table


class Pairs(Table):
    HEAD = ("name", "what")

    def _cells(self):
        yield from self


def test_columns_stand_below_each_other_and_nothing_is_html_by_accident():
    table = Pairs([("a", "<b> & c"), ("longer", "d")])
    assert repr(table) == "name    what\na       <b> & c\nlonger  d"
    page = ElementTree.fromstring(table._repr_html_())
    assert [[cell.text for cell in row] for row in page] == [["name", "what"], ["a", "<b> & c"], ["longer", "d"]]
