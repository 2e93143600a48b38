"""The demo's report: one page that needs nothing else, for somebody who has never trained a GAN."""

# ruff: noqa: E501  prose reads better unbroken

from __future__ import annotations

import base64
import html
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegan.demo import bundled
from facegan.files import write_bytes

STYLE = """
:root{color-scheme:light dark;--ink:#1d1d1f;--soft:#5f6368;--paper:#fbfaf8;--card:#fff;--line:#e4e1dc;--mark:#7a4b9c}
@media(prefers-color-scheme:dark){:root{--ink:#eceae6;--soft:#a5a29c;--paper:#17171a;--card:#212125;--line:#37373d;
--mark:#c79be6}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);
font:17px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:860px;margin:0 auto;padding:28px 18px 70px}h1{font-size:2em;line-height:1.2;margin:.3em 0}
h2{margin:2.2em 0 .4em;font-size:1.3em}h2 b{color:var(--mark);margin-right:.4em}p{margin:.6em 0}
.soft,figcaption{color:var(--soft);font-size:.88em}figure{margin:1em 0;background:var(--card);border:1px solid
var(--line);border-radius:10px;padding:12px;overflow-x:auto}figure img{display:block;max-width:100%;margin:0 auto;
image-rendering:pixelated}figcaption{margin-top:.6em}pre{background:var(--card);border:1px solid var(--line);
border-radius:8px;padding:10px 12px;overflow-x:auto;font-size:.84em;line-height:1.45}
table{border-collapse:collapse;width:100%;font-size:.92em}td,th{text-align:left;padding:.35em .6em;border-bottom:1px
solid var(--line)}td:not(:first-child),th:not(:first-child){text-align:right}
.wide{overflow-x:auto}.big{font-size:1.15em}@media(max-width:600px){body{font-size:16px}h1{font-size:1.6em}table{font-size:.8em}
td,th{padding:.35em .25em}}
"""


@dataclass
class Story:
    """What the report tells: seconds of each stage, numbers, and what was made with which settings."""

    settings: dict[str, Any]
    done: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)


def picture(out: Path, name: str, caption: str, *, width: int = 0, alt: str = "") -> str:
    """Return a figure with the file's bytes inside the page; '' where the file is missing."""
    file = out / "pictures" / name
    if not file.exists():
        return ""
    data = base64.b64encode(file.read_bytes()).decode()
    style = f' style="width:{width}px"' if width else ""
    source = f"data:image/{file.suffix[1:]};base64,{data}"
    return (
        f'<figure><img src="{source}" alt="{html.escape(alt or caption)}"{style}>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def command(*lines: str) -> str:
    return "<pre>" + html.escape("\n".join(lines)) + "</pre>"


def _score(numbers: dict[str, Any]) -> str:
    """Return the table of the arithmetic, or why there is none."""
    if not numbers["scores"]:
        return "<p>This training was too short for it: too few generated faces are clear enough to choose from.</p>"
    wanted = {"smiles and wears glasses": "both", "smiles": "Smiling", "wears glasses": "Glasses"}
    heads = "".join(f"<th>{s['members']} faces a group</th><th>random faces</th>" for s in numbers["scores"])
    rows = "".join(
        f"<tr><td>{label}</td>"
        + "".join(
            f"<td>{s['shares']['trials'][key]:.0%}</td><td>{s['shares']['control'][key]:.0%}</td>"
            for s in numbers["scores"]
        )
        + "</tr>"
        for label, key in wanted.items()
    )
    best, judge, chooser = numbers["scores"][-1], numbers["judge"], numbers["chooser"]
    hits, by_chance = (round(best["trials"] * best["shares"][kind]["both"]) for kind in ("trials", "control"))
    return f"""<p class="big"><b>{hits} of {best["trials"]}</b> results smile and wear glasses, each from
{best["members"]} other faces a group; of as many sums of random faces, {by_chance} do.</p>
<div class="wide"><table><tr><th>the result ...</th>{heads}</tr>{rows}</table></div>
<p class="soft">No face is in two draws. Who judges did not choose: one small network chose the faces, another of
a different architecture, trained on other portraits, judged the results. On held-out portraits the judge is right
about smiles in {judge["Smiling"]:.1%} and about glasses in {judge["Glasses"]:.1%} (mean over yes and no); the
chooser in {chooser["Smiling"]:.1%} and {chooser["Glasses"]:.1%}.</p>"""


def _exploring(out: Path, n: dict[str, Any]) -> list[str]:
    """Return the sections on interpolation and arithmetic."""
    run = shlex.quote(str(out / "run"))
    text = '"' + n.get("expression", "1,2,3 - 4,5,6 + 7,8,9") + '"'
    expression = text.replace(" - ", "\n- ").replace(" + ", "\n+ ").split("\n")
    return [
        "<h2><b>4</b>Between faces</h2><p>Each face is a point in a space of 64 numbers. Between two points lie "
        "other faces: the change is smooth, a sign that the generator has not just stored pictures.</p>",
        picture(out, "interpolation.png", "Ten steps from seed 0 to seed 1 (slerp).", width=684),
        picture(out, "film.webp", "A closed walk through six faces.", width=192),
        command(
            f"facegan interpolate {run} seed:0,1 --steps 10 --out strip.png",
            f"facegan interpolate {run} seed:0-5 --steps 24 --loop --out film.webp",
        ),
        "<h2><b>5</b>Computing with faces</h2><p>Averages of points can be added and subtracted: a smiling face "
        "without glasses, minus one that does not smile, plus one with glasses, should smile and wear glasses.</p>",
        picture(
            out,
            "arithmetic.png",
            "The first draw: faces of each group (with their seeds), their average, the result.",
        ),
        _score(n["arithmetic"]),
        picture(out, "results.png", "The results of all draws, none left out.", width=684),
        picture(out, "control.png", "The same sums of random faces, for comparison.", width=684),
        command(f"facegan arithmetic {run} --seed 1 --norm prior --out arithmetic.png \\", *expression),
    ]


def _bundled(out: Path, n: dict[str, Any]) -> list[str]:
    """Return the sections on the bundled model, which come first."""
    shown = [
        "<h2>Faces, at once</h2><p>This model comes with the package. It has learnt from 8,000 photos of the CelebA "
        "collection and invents faces that nobody has. These are its first hundred, none left out.</p>",
        picture(
            out,
            "bundled.png",
            f"Seeds 0 to 99 of the bundled model {bundled.MODEL}, as they come.",
            width=662,
        ),
        command(f"facegan generate {bundled.MODEL} seed:0-99 --out faces.png"),
        picture(out, "bundled.webp", "A closed walk through six of them.", width=192),
        command(f"facegan interpolate {bundled.MODEL} seed:0-2,4-6 --steps 24 --loop --out film.webp"),
    ]
    if "expression" in n:
        hits, chance = (round(n["trials"] * n["shares"][kind]["both"]) for kind in ("trials", "control"))
        shown += [
            "<p>Computing with faces: smiling woman &minus; neutral woman + neutral man. A small network that sees "
            "attributes chose the members of each group; the result should be a smiling man.</p>",
            picture(
                out,
                "bundled-arithmetic.png",
                "Faces of each group (with their seeds), their average, the result.",
            ),
            f'<p class="big"><b>{hits} of {n["trials"]}</b> results are smiling men, each from {n["members"]} other faces '
            f"a group; of as many sums of random faces, {chance} are.</p>"
            '<p class="soft">Judged by a second network, which did not choose; on held-out photos it is right about '
            f"smiles in {n['judge']['Smiling']:.0%} and about men and women in {n['judge']['Male']:.0%}.</p>",
            picture(out, "bundled-results.png", "The results of all draws, none left out.", width=662),
            command(
                f"facegan arithmetic {bundled.MODEL} --seed 1 --norm prior --out arithmetic.png \\",
                f'    "{n["expression"]}"',
            ),
        ]
    return [*shown, f'<p class="soft">Licence: {html.escape(n["licence"])}.</p>']


def _learning(out: Path, story: Story) -> list[str]:
    """Return the sections from drawing to training."""
    n, seed, kimg = story.numbers, story.settings["seed"], story.settings["kimg"]
    counts, moments = n["counts"], ", ".join(n["moments"])
    portraits, data, run = (shlex.quote(str(out / name)) for name in ("portraits", "dataset", "run"))
    return [
        "<h2>A generator of one's own, from the beginning</h2><p>The rest of this page trains a small one.</p>",
        picture(
            out,
            "faces.png",
            "100 invented faces, seeds 0 to 99, in order, none left out. 32 x 32 pixels.",
            width=684,
        ),
        command(f"facegan generate {run} seed:0-99 --out faces.png"),
        "<h2><b>1</b>Pictures</h2><p>The training pictures are drawn by a program, so that this demo needs no "
        "photos of anybody, and so that it is known of each portrait whether it smiles or wears glasses.</p>",
        picture(
            out, "portraits.png", "100 of the drawn portraits that the generator learns from.", width=684
        ),
        "<h2><b>2</b>A dataset</h2><p>Preparing checks every picture, brings it to one size, and packs all of "
        f"them: {counts['train']} to learn from and {counts.get('test', 0)} kept aside. With photos, this step also "
        "finds the faces and turns their eyes to the same place.</p>",
        command(
            f"facegan prepare {portraits} --out {data} --crop none --size 32 \\",
            f"    --attributes {portraits}/attributes.csv --split test=0.2",
        ),
        "<h2><b>3</b>Training</h2><p>Two networks play against each other: one invents pictures from random "
        "numbers, the other tries to tell invented ones from drawn ones. Each row shows the same ten random "
        f"starts, after {moments} thousand pictures.</p>",
        picture(
            out,
            "progress.png",
            f"The same ten seeds while it learns: after {moments} kimg, from top to bottom.",
            width=684,
        ),
        command(
            f"facegan train {data} --out {run} \\",
            f"    --recipe faces-tiny-32 --kimg {kimg:g} --seed {seed}",
        ),
        f"<p>The run's own page, with all curves, is <code>{html.escape(str(out / 'run' / 'report.html'))}</code>.</p>",
    ]


def page(out: Path, story: Story) -> str:
    """Return the whole page as HTML."""
    n, kept, total = story.numbers, story.settings["portraits"], sum(story.seconds.values())
    titles = {
        "bundled": "the bundled model",
        "draw": "drawing",
        "prepare": "preparing",
        "train": "training",
        "explore": "exploring",
        "arithmetic": "arithmetic and its score",
    }
    times = "".join(f"<tr><td>{titles[k]}</td><td>{v:.0f} s</td></tr>" for k, v in story.seconds.items())
    parts = [
        "<h1>From pictures to a face generator</h1>",
        f"<p>In {total / 60:.1f} minutes this computer explored a face model that comes with the package; then it drew "
        f"{kept} portraits, learnt from them to invent new ones, and explored what it had learnt. "
        "Everything below was made just now, by the commands that stand beside it.</p>",
        *_bundled(out, n["bundled"]),
        *_learning(out, story),
        *_exploring(out, n),
        "<h2>What this shows, and what not</h2><p>That the machinery works from end to end on this computer. Drawn "
        "portraits are much simpler than photos: nothing here says how good faces from photos will be.</p>",
        "<h2>Now with your photos</h2>",
        command(
            "facegan prepare my_photos --out my_faces --crop aligned --size 64",
            "facegan train my_faces --recipe faces-fast-64 --out my_run",
            "facegan generate my_run --count 100 --out faces.png",
            "facegan interpolate my_run seed:5,12,31 --loop --steps 30 --out faces.mp4",
        ),
        "<p>Plan for a few thousand photos and for hours of training; it can be stopped at any time and goes on "
        "with the same command.</p>",
        f"<h2>Time</h2><table>{times}<tr><th>all</th><th>{total:.0f} s</th></tr></table>",
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>facegan: the demo</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def write_report(out: Path, story: Story) -> Path:
    """Write ``OUT/report.html`` and return its path."""
    path = out / "report.html"
    write_bytes(path, page(out, story).encode())
    return path
