"""A field of many lines, apart from the others: it brings an editor along, and few screens need one."""

from textual.widgets import TextArea

from tq.tui.widgets.fields import InOrder


class Area(InOrder, TextArea):
    """Many lines."""

    made_from = TextArea
