"""The colours of the interface: contrasts by WCAG 2.2, and differences of cell fills for every kind of vision."""

from __future__ import annotations

import math
import re
from itertools import combinations
from pathlib import Path

import pytest

from scheduler_service import web

CSS = (Path(web.__file__).parent / "static/css/tokens.css").read_text()
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([a-z-]+): light-dark\((#[0-9A-F]{6}), (#[0-9A-F]{6})\);", CSS)
}
SURFACES = ("canvas", "surface", "sunken")
TEXTS = ("text", "muted", "accent", "good", "bad", "warn", "busy", "calm")
FILLS = ("fill-good", "fill-bad", "fill-warn", "fill-busy", "fill-calm")
LEAST_DIFFERENCE = 15  # of OKLab, times 100
Rgb = tuple[float, float, float]
Matrix = tuple[Rgb, Rgb, Rgb]
# Machado, Oliveira and Fernandes (2009), severity 1.0, applied to linear RGB.
VISIONS: dict[str, Matrix] = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


@pytest.mark.parametrize("theme", [0, 1])
def test_text_has_contrast_on_every_surface(theme: int) -> None:
    low = {
        (text, surface): contrast
        for text in TEXTS
        for surface in SURFACES
        if (contrast := _contrast(TOKENS[text][theme], TOKENS[surface][theme])) < 4.5
    }
    assert low == {}


@pytest.mark.parametrize("theme", [0, 1])
def test_borders_of_fields_and_text_on_accent_have_contrast(theme: int) -> None:
    assert all(_contrast(TOKENS["strong-border"][theme], TOKENS[surface][theme]) >= 3 for surface in SURFACES)
    assert _contrast(TOKENS["on-accent"][theme], TOKENS["accent"][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("family", ["good", "bad", "warn", "busy"])
def test_text_has_contrast_on_its_tint(family: str, theme: int) -> None:
    assert _contrast(TOKENS[family][theme], TOKENS[f"tint-{family}"][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("vision", VISIONS)
def test_fills_of_cells_can_be_told_apart(vision: str, theme: int) -> None:
    seen = {name: _oklab(_seen(_linear(TOKENS[name][theme]), VISIONS[vision])) for name in FILLS}
    close = {
        (a, b): round(difference, 1)
        for a, b in combinations(FILLS, 2)
        if (difference := 100 * math.dist(seen[a], seen[b])) < LEAST_DIFFERENCE
    }
    assert close == {}


def _linear(colour: str) -> Rgb:
    r, g, b = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _to_linear(r), _to_linear(g), _to_linear(b)


def _to_linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _contrast(one: str, other: str) -> float:
    luminances = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (_linear(one), _linear(other)))
    return (luminances[1] + 0.05) / (luminances[0] + 0.05)


def _seen(colour: Rgb, matrix: Matrix) -> Rgb:
    r, g, b = (min(1.0, max(0.0, sum(f * c for f, c in zip(row, colour, strict=True)))) for row in matrix)
    return r, g, b


def _oklab(colour: Rgb) -> Rgb:
    r, g, b = colour
    long = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    medium = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )
