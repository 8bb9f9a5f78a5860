"""Files that are no pictures: what they are instead, to be said."""

import os
from pathlib import Path

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # Pillow's names of what is read


def what_it_is(source: str | os.PathLike[str] | bytes) -> str:
    """Why a file that Pillow does not know is no picture for us, in words."""
    if isinstance(source, bytes):
        head = source[:512]
    else:
        with Path(source).open("rb") as file:
            head = file.read(512)
    start = head.lstrip().lower()
    if not head:
        return "it is empty"
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page (HTML), not a picture"
    if start.startswith(b"%!ps") or head.startswith(b"\xc5\xd0\xd3\xc6"):
        return "it is PostScript (EPS), which is never run here"
    if start.startswith((b"<svg", b"<?xml")):
        return "it is SVG or XML; export it as PNG"
    if head.startswith(b"%PDF"):
        return "it is a PDF; export its pages as PNG"
    if head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"):
        return "HEIC and AVIF are not supported; export it as JPEG"
    return f"it is none of {', '.join(FORMATS)}"
