"""Draws bars as PNG. Runs in the environment `plots`: reads {file: {"title", "bars": [[row, value], ...]}} as JSON from stdin."""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


def draw(path: Path, title: str, bars: list[list]) -> None:
    bars = sorted(bars, key=lambda bar: bar[1])
    figure, axes = plt.subplots(figsize=(8, 0.6 + 0.3 * len(bars)))
    colours = ["#c0392b" if row == "howdah" else "#7f8c8d" for row, _ in bars]
    drawn = axes.barh([row for row, _ in bars], [value for _, value in bars], color=colours)
    axes.bar_label(drawn, labels=[f"{value:,.0f}" if value >= 100 else f"{value:.2f}" for _, value in bars], padding=3, fontsize=8)
    if bars[0][1] > 0 and bars[-1][1] / bars[0][1] > 50:
        axes.set_xscale("log")
    axes.set_title(title, fontsize=10)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


for name, asked in json.load(sys.stdin).items():
    draw(Path(name), asked["title"], asked["bars"])
