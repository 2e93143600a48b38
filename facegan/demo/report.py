"""The demo's report: one page that needs nothing else, for somebody who has never trained a GAN."""

# ruff: noqa: E501  prose reads better unbroken

from __future__ import annotations

import base64
import html
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegan.files import write_bytes
from facegan.runs.page import document, table

BUNDLED = "celeba64"  # the generator that comes with the package
GLASSES = "glasses64"  # the translator that comes with the package
STYLE = """body { max-width: 860px; } h2 { font-size: 1.3rem; } h2 b { color: var(--accent); margin-right: .4em; }
figure { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px;
  margin: 16px 0; overflow-x: auto; } figure img { image-rendering: pixelated; } .big { font-size: 1.15em; }
figcaption { margin-top: 8px; }"""


@dataclass
class Story:
    """The content of the report: seconds of each stage, numbers, and the settings of the demo."""

    settings: dict[str, Any]
    done: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)


def picture(out: Path, name: str, caption: str, *, width: int = 0) -> str:
    """Return a figure with the file's bytes inside the page; '' if the file is missing."""
    file = out / "pictures" / name
    if not file.exists():
        return ""
    data = base64.b64encode(file.read_bytes()).decode()
    size, text = f' style="width:{width}px"' if width else "", html.escape(caption)
    source = f"data:image/{file.suffix[1:]};base64,{data}"
    return f'<figure><img src="{source}" alt="{text}"{size}><figcaption>{text}</figcaption></figure>'


def command(*lines: str) -> str:
    """Return commands as they are typed."""
    return "<pre>" + html.escape("\n".join(lines)) + "</pre>"


def _section(title: str, text: str, number: int = 0) -> str:
    return f"<h2>{f'<b>{number}</b>' if number else ''}{title}</h2><p>{text}</p>"


def _hits(score: dict[str, Any]) -> tuple[int, int]:
    """Return how many results, and how many sums of random faces, have both wanted attributes."""
    trials, chance = (round(score["trials"] * score["shares"][k]["both"]) for k in ("trials", "control"))
    return trials, chance


def _score(numbers: dict[str, Any]) -> str:
    """Return the table of the arithmetic, or why there is none."""
    scores, judge, chooser = numbers["scores"], numbers["judge"], numbers["chooser"]
    if not scores:
        return "<p>This training was too short for it: too few generated faces are clear enough to choose from.</p>"
    wanted = {"smiles and wears glasses": "both", "smiles": "Smiling", "wears glasses": "Glasses"}
    head = ["the result ..."]
    for score in scores:
        head += [f"{score['members']} faces a group", "random faces"]
    rows = [
        [label, *(f"{s['shares'][kind][key]:.0%}" for s in scores for kind in ("trials", "control"))]
        for label, key in wanted.items()
    ]
    best = scores[-1]
    hits, chance = _hits(best)
    return f"""<p class="big"><b>{hits} of {best["trials"]}</b> results smile and wear glasses, each from
{best["members"]} other faces a group; of as many sums of random faces, {chance} do.</p>{table(rows, head, wide=True)}
<p class="soft">No face is in two draws. One small network chose the faces; another one, of a different architecture
and trained on other portraits, judged the results. On held-out portraits the judge is right about smiles in
{judge["Smiling"]:.1%} and about glasses in {judge["Glasses"]:.1%} (mean over yes and no); the chooser in
{chooser["Smiling"]:.1%} and {chooser["Glasses"]:.1%}.</p>"""


def _exploring(out: Path, n: dict[str, Any]) -> list[str]:
    """Return the sections on interpolation and arithmetic."""
    run = shlex.quote(str(out / "run"))
    text = '"' + n.get("expression", "1,2,3 - 4,5,6 + 7,8,9") + '"'
    expression = text.replace(" - ", "\n- ").replace(" + ", "\n+ ").split("\n")
    between = (
        "Each face is a point in a space of 64 numbers. Between two points lie other faces: the change is smooth, a "
        "sign that the generator has not just stored pictures."
    )
    computing = (
        "Averages of points can be added and subtracted: a smiling face without glasses, minus one that does not "
        "smile, plus one with glasses, should smile and wear glasses."
    )
    draw = "The first draw: faces of each group (with their seeds), their average, the result."
    return [
        _section("Between faces", between, 4),
        picture(out, "interpolation.png", "Ten steps from seed 0 to seed 1 (slerp).", width=684),
        picture(out, "film.webp", "A closed walk through six faces.", width=192),
        command(
            f"facegan interpolate {run} seed:0,1 --steps 10 --out strip.png",
            f"facegan interpolate {run} seed:0-5 --steps 24 --loop --out film.webp",
        ),
        _section("Computing with faces", computing, 5),
        picture(out, "arithmetic.png", draw),
        _score(n["arithmetic"]),
        picture(out, "results.png", "The results of all draws, none left out.", width=684),
        picture(out, "control.png", "The same sums of random faces, for comparison.", width=684),
        command(f"facegan arithmetic {run} --seed 1 --norm prior --out arithmetic.png \\", *expression),
    ]


def _bundled(out: Path, n: dict[str, Any]) -> list[str]:
    """Return the sections on the bundled model, which come first."""
    intro = (
        "This model comes with the package. It has learnt from 8,000 photos of the CelebA collection and invents faces "
        "of people who do not exist. These are its first hundred, none left out."
    )
    film = f"facegan interpolate {BUNDLED} seed:0-2,4-6 --steps 24 --loop --out film.webp"
    shown = [
        _section("Faces, at once", intro),
        picture(out, "bundled.png", f"Seeds 0 to 99 of the bundled model {BUNDLED}, in order.", width=662),
        command(f"facegan generate {BUNDLED} seed:0-99 --out faces.png"),
        picture(out, "bundled.webp", "A closed walk through six of them.", width=192),
        command(film),
    ]
    if "expression" in n:
        hits, chance = _hits(n)
        faces = "Faces of each group (with their seeds), their average, the result."
        shown += [
            "<p>Computing with faces: smiling woman &minus; neutral woman + neutral man. A small network that sees "
            "attributes chose the members of each group; the result should be a smiling man.</p>",
            picture(out, "bundled-arithmetic.png", faces),
            f'<p class="big"><b>{hits} of {n["trials"]}</b> results are smiling men, each from {n["members"]} '
            f"other faces a group; of as many sums of random faces, {chance} are.</p>"
            '<p class="soft">A second network, which did not choose, judged them; on held-out photos it is right about '
            f"smiles in {n['judge']['Smiling']:.0%} and about men and women in {n['judge']['Male']:.0%}.</p>",
            picture(out, "bundled-results.png", "The results of all draws, none left out.", width=662),
            command(
                f"facegan arithmetic {BUNDLED} --seed 1 --norm prior --out arithmetic.png \\",
                f'    "{n["expression"]}"',
            ),
        ]
    return [*shown, f'<p class="soft">Licence: {html.escape(n["licence"])}.</p>']


def _glasses(out: Path, n: dict[str, Any]) -> list[str]:
    """Return the sections on the bundled translator."""
    intro = (
        "A translator makes pictures of pictures. This one comes with the package and puts glasses on a face. It has "
        "learnt from pairs of faces that the generator above invented, without and with glasses, not from photos."
    )
    return [
        _section("Glasses on a photo", intro),
        picture(out, "glasses-photo.png", "A photo, and the same photo after the translator."),
        command(f"facegan translate {GLASSES} sample:astronaut --whole --out glasses.png"),
        picture(out, "glasses.png", "Seeds 0 to 9 of the generator, and below them the results.", width=662),
        f'<p class="big">{n["without"]} of the first 100 invented faces wear no glasses; afterwards, <b>{n["now"]}</b> '
        "of these do.</p>"
        '<p class="soft">A network that took no part in the training judged them. '
        f"Licence: {html.escape(n['licence'])}.</p>",
        command(f"facegan translate {GLASSES} me.jpg --whole"),
    ]


def _learning(out: Path, story: Story) -> list[str]:
    """Return the sections from drawing to training."""
    n, seed, kimg = story.numbers, story.settings["seed"], story.settings["kimg"]
    counts, moments = n["counts"], ", ".join(n["moments"])
    portraits, data, run = (shlex.quote(str(out / name)) for name in ("portraits", "dataset", "run"))
    drawn = (
        "A program draws the training pictures. The demo thus needs no photos of anybody, and it is known of each "
        "portrait whether it smiles or wears glasses."
    )
    packed = (
        "Preparing checks every picture, brings it to one size, and packs all of them: "
        f"{counts['train']} to learn from and {counts.get('test', 0)} kept aside. With photos, this step also finds "
        "the faces and turns their eyes to the same place."
    )
    trained = (
        "Two networks play against each other: one invents pictures from random numbers, the other tries to tell "
        "invented ones from drawn ones. Each row shows the same ten random starts, after "
        f"{moments} thousand pictures."
    )
    progress = f"The same ten seeds while it learns: after {moments} kimg, from top to bottom."
    faces = "100 invented faces, seeds 0 to 99, in order, none left out. 32 x 32 pixels."
    return [
        _section("A generator of your own, from the beginning", "The rest of this page trains a small one."),
        picture(out, "faces.png", faces, width=684),
        command(f"facegan generate {run} seed:0-99 --out faces.png"),
        _section("Pictures", drawn, 1),
        picture(
            out, "portraits.png", "100 of the drawn portraits that the generator learns from.", width=684
        ),
        _section("A dataset", packed, 2),
        command(
            f"facegan prepare {portraits} --out {data} --crop none --size 32 \\",
            f"    --attributes {portraits}/attributes.csv --split test=0.2",
        ),
        _section("Training", trained, 3),
        picture(out, "progress.png", progress, width=684),
        command(
            f"facegan train {data} --out {run} \\",
            f"    --recipe faces-tiny-32 --kimg {kimg:g} --seed {seed}",
        ),
        f"<p>The run's own page, with all curves, is <code>{html.escape(str(out / 'run' / 'report.html'))}</code>.</p>",
    ]


def page(out: Path, story: Story) -> bytes:
    """Return the whole page as HTML."""
    n, kept, total = story.numbers, story.settings["portraits"], sum(story.seconds.values())
    titles = {"bundled": "the bundled model", "translate": "glasses", "draw": "drawing"}
    titles |= {"prepare": "preparing", "train": "training", "explore": "exploring"}
    titles |= {"arithmetic": "arithmetic and its score"}
    times = [(titles[k], f"{v:.0f} s") for k, v in story.seconds.items()]
    limits = (
        "It shows that everything works from end to end on this computer. Drawn portraits are much simpler than photos: "
        "the demo does not predict how good faces from photos will be."
    )
    parts = [
        "<h1>From pictures to a face generator</h1>",
        f"<p>In {total / 60:.1f} minutes this computer explored a face model that comes with the package and put glasses on a photo; then it drew "
        f"{kept} portraits, learnt from them to invent new ones, and explored what it had learnt. The commands beside "
        "the pictures made everything below just now.</p>",
        *_bundled(out, n["bundled"]),
        *_glasses(out, n["glasses"]),
        *_learning(out, story),
        *_exploring(out, n),
        _section("The limits of this demo", limits),
        "<h2>Now with your photos</h2>",
        command(
            "facegan prepare my_photos --out my_faces --crop aligned --size 64",
            "facegan train my_faces --recipe faces-fast-64 --out my_run",
            "facegan generate my_run --count 100 --out faces.png",
            "facegan interpolate my_run seed:5,12,31 --loop --steps 30 --out faces.mp4",
        ),
        "<p>Plan for a few thousand photos and for hours of training. You can stop it at any time; the same command "
        "goes on from there.</p>",
        f"<h2>Time</h2>{table([*times, ('all', f'{total:.0f} s')])}",
    ]
    return document("facegan: the demo", "\n".join(filter(None, parts)), css=STYLE)


def write_report(out: Path, story: Story) -> Path:
    """Write ``OUT/report.html`` and return its path."""
    path = out / "report.html"
    write_bytes(path, page(out, story))
    return path
