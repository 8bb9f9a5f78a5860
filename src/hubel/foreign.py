"""Files that are no pictures for us: what they are instead, to be said."""

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # Pillow's names of what is read
HEAD = 512  # bytes of a file that tell what it is

# how a file of one of FORMATS begins
_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
# the brands of ISO media files (ISO/IEC 23008-12, annex B; AVIF 1.1, section 6)
_HEIC = frozenset(
    (
        *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
        *(b"mif1", b"mif2", b"msf1"),
    )
)
_AVIF = frozenset((b"avif", b"avis"))


def is_heic(head: bytes) -> bool:
    """Whether a file that begins so is a HEIC (or its kin by other brands), and no AVIF.

    >>> is_heic(b"\\0\\0\\0\\x18ftypmsf1\\0\\0\\0\\0hevcmsf1")
    True
    """
    return bool(_brands(head) & _HEIC) and not _brands(head) & _AVIF


def what_it_is(head: bytes) -> str:
    """Why a file that Pillow does not know and that begins so is no picture for us, in words."""
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
    if is_heic(head):
        return "it is HEIC: to read those, pip install pillow-heif; or export it as JPEG"
    if brands := _brands(head):
        kind = "AVIF" if brands & _AVIF else "a film or another kind of ISO media file"
        return f"it is {kind}, which is not supported; export it as JPEG"
    for signature, name in _SIGNATURES.items():
        if head.startswith(signature):
            return f"it is a {name} that is damaged, or of a kind that is not supported"
    return f"it is none of {', '.join(FORMATS)}"


def _brands(head: bytes) -> frozenset[bytes]:
    """The brands that an ISO media file says it is of; none for any other file."""
    if head[4:8] != b"ftyp":
        return frozenset()
    named = head[8:12] + head[16 : int.from_bytes(head[:4], "big")]
    return frozenset(named[i : i + 4] for i in range(0, len(named), 4))
