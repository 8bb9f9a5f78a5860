"""Names that others gave, made fit for where they are shown: a terminal, a page, a spreadsheet.

Folder and file names may hold anything: escape sequences that a terminal obeys, line breaks,
direction overrides, formulas.
"""

import unicodedata

_HIDDEN_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet computes a cell that begins so


def legible(text: str) -> str:
    """Text that every file can hold and that shows in the order it is read.

    White space becomes a space; other control characters, undecodable bytes and direction overrides
    become "�".

    >>> legible("two\\nlines \\udcff")
    'two lines �'
    """
    return "".join(" " if c in "\t\n\r" else "�" if _illegible(c) else c for c in text)


def cell(text: str) -> str:
    """Text as a CSV cell that no spreadsheet takes for a formula: an apostrophe before such a one.

    >>> cell("=1+1"), cell("'=1+1"), cell("cat")
    ("'=1+1", "''=1+1", 'cat')
    """
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def from_cell(text: str) -> str:
    """What `cell` was given.

    >>> from_cell("'=1+1"), from_cell("'tis"), from_cell("-0.5")
    ('=1+1', "'tis", '-0.5')
    """
    quoted = text.startswith("'") and text.lstrip("'").startswith(_FORMULA)
    return text[1:] if quoted else text


def _illegible(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") or character in _HIDDEN_CONTROLS
