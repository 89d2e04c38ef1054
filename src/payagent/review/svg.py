"""Makes SVG elements, so that drawings are written by a serialiser and never by hand."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

SVG = "{http://www.w3.org/2000/svg}"
ElementTree.register_namespace("", SVG.strip("{}"))

FONT = "Arial, Helvetica, sans-serif"


def element(tag: str, /, text: str = "", **attributes: object) -> Element:
    """An SVG element; `stroke_width` becomes `stroke-width`, a trailing underscore is dropped."""
    made = Element(SVG + tag, {name.rstrip("_").replace("_", "-"): _value(value) for name, value in attributes.items()})
    made.text = text or None
    return made


def add(parent: Element, tag: str, /, text: str = "", **attributes: object) -> Element:
    """A new last child of `parent`."""
    made = element(tag, text, **attributes)
    parent.append(made)
    return made


def written(root: Element) -> str:
    """The drawing as text, without an XML declaration, so that it can stand in a page as well."""
    return ElementTree.tostring(root, encoding="unicode")


def _value(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
