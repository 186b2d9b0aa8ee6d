#!/usr/bin/env python3
"""Draws the table that the example `calibration` prints: each share of verdicts with its interval.

    cargo run --release -p backburn-records --example calibration -- docs/studies/calibration.csv > table.md
    python3 docs/studies/calibration_figure.py table.md > docs/studies/calibration.svg
"""

import re
import sys
from html import escape
from pathlib import Path

LEFT, WIDTH, ROW, TOP = 470, 330, 26, 62
# Shares that are wanted, by the first words of a row.
WANTED = {"paired t-test": (3, 7), "the same, Holm": (0, 7), "until resolved": (0, 6)}
MOST = 20.0

rows = []
for line in Path(sys.argv[1]).read_text().splitlines():
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    numbers = re.findall(r"-?[\d.]+", " ".join(cells[-2:])) if len(cells) == 4 else []
    # Shares of half are no false alarms of a test, and the interval's coverage is another scale.
    if len(numbers) == 3 and float(numbers[0]) <= MOST and "alarm" in cells[0] + "alarm" * cells[0].startswith("others"):
        rows.append((cells[0], *map(float, numbers)))

height = TOP + ROW * len(rows) + 52
x = lambda share: LEFT + WIDTH * share / MOST
print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 40} {height}" font-family="sans-serif" font-size="12">')
print(f'<rect width="100%" height="100%" fill="white"/><text x="16" y="26" font-size="15">False alarms of verdicts on arms without effect</text>')
print('<text x="16" y="44" fill="#555">Point: share of 2,000 studies. Bar: 95 % of tables drawn again. Green: what was wanted.</text>')
bottom = TOP + ROW * len(rows)
for tick in range(0, int(MOST) + 1, 5):
    print(f'<line x1="{x(tick)}" y1="{TOP}" x2="{x(tick)}" y2="{bottom}" stroke="#ddd"/>')
    print(f'<text x="{x(tick)}" y="{bottom + 18}" text-anchor="middle">{tick}</text>')
print(f'<text x="{LEFT + WIDTH / 2}" y="{bottom + 38}" text-anchor="middle">false alarms (%)</text>')
for place, (name, share, low, high) in enumerate(rows):
    y = TOP + ROW * (place + 0.5)
    for words, (least, most) in WANTED.items():
        if name.startswith(words):
            print(f'<rect x="{x(least)}" y="{y - 9}" width="{x(most) - x(least)}" height="18" fill="#d5ecd8"/>')
    color = "#b4470f" if name.startswith("others") else "#0b63b0"
    name = name.removesuffix(": false alarms").removesuffix(": any false alarm")
    print(f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
    print(f'<line x1="{x(low)}" y1="{y}" x2="{x(high)}" y2="{y}" stroke="{color}" stroke-width="2"/>')
    print(f'<circle cx="{x(share)}" cy="{y}" r="4" fill="{color}"/>')
print("</svg>")
