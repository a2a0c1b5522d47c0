"""What our pages have in common: one HTML file each that needs nothing else."""

from __future__ import annotations

import base64

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

OURS = "loopwm_ros.validation"
NOTHING = "–"


def environment(package: str = OURS) -> Environment:
    """Where pages are made of a package's templates; those of validation, and its style, are there, too."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in dict.fromkeys((package, OURS))]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(number=number, percent=percent)
    return made


def number(value: float | None, digits: int = 0, unit: str = "") -> str:
    """A number with its unit; a dash where there is none."""
    return NOTHING if value is None else f"{value:.{digits}f}{unit and chr(0xA0) + unit}"


def percent(share: float | None) -> str:
    """A share in per cent; a dash where there is none."""
    return number(None if share is None else share * 100, 0, "%")


def plot(title: str, note: str, svg: str) -> dict[str, str]:
    """A plot as the templates show it."""
    return {"title": title, "note": note, "image": data_uri("image/svg+xml", svg.encode())}


def data_uri(kind: str, data: bytes) -> str:
    """A file as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
