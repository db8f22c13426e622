"""A bar chart as SVG: requests per CPU-second on a logarithmic scale, for programs three orders of magnitude apart."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import ceil, floor, log10

_WIDTH, _LABELS, _RIGHT = 820, 190, 90
_TOP, _ROW, _BAR = 56, 34, 20
_OWN = "#0f766e"
_OTHER = "#94a3b8"
_STYLE = "font-family='system-ui, sans-serif' fill='#334155'"


def draw(bars: Mapping[str, float], own: str, title: str) -> str:
    """`own` is the bar that stands out. Needs at least one value above zero."""
    shown = sorted(((name, value) for name, value in bars.items() if value > 0), key=lambda bar: -bar[1])
    low = floor(log10(shown[-1][1]))
    high = max(ceil(log10(shown[0][1])), low + 1)
    span = _WIDTH - _LABELS - _RIGHT
    height = _TOP + _ROW * len(shown) + 34

    def across(value: float) -> float:
        return _LABELS + span * (log10(value) - low) / (high - low)

    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height}' width='{_WIDTH}' height='{height}'>",
        f"<rect width='{_WIDTH}' height='{height}' fill='white'/>",
        f"<text x='16' y='30' font-size='16' font-weight='600' {_STYLE}>{escape(title)}</text>",
    ]
    for power in range(low, high + 1):
        parts += _line(across(10.0**power), 10.0**power, height)
    for row, (name, value) in enumerate(shown):
        parts += _bar(name, value, _TOP + row * _ROW, across(value), is_own=name == own)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(x: float, value: float, height: int) -> list[str]:
    return [
        f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{_TOP - 8}' y2='{height - 28}' stroke='#e2e8f0'/>",
        f"<text x='{x:.1f}' y='{height - 12}' font-size='11' text-anchor='middle' {_STYLE}>{value:,.0f}</text>",
    ]


def _bar(name: str, value: float, y: int, end: float, *, is_own: bool) -> list[str]:
    color = _OWN if is_own else _OTHER
    weight = "700" if is_own else "400"
    middle = y + _BAR * 0.72
    return [
        (
            f"<text x='{_LABELS - 10}' y='{middle:.1f}' font-size='13' font-weight='{weight}' "
            f"text-anchor='end' {_STYLE}>"
            f"{escape(name)}</text>"
        ),
        f"<rect x='{_LABELS}' y='{y}' width='{max(end - _LABELS, 1):.1f}' height='{_BAR}' rx='3' fill='{color}'/>",
        f"<text x='{max(end, _LABELS + 1) + 6:.1f}' y='{middle:.1f}' font-size='12' {_STYLE}>{value:,.0f}</text>",
    ]
