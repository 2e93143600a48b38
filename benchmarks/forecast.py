"""How good recipes become after so many images: the measured curves behind the quality forecast.

    python benchmarks/forecast.py record RUN "what it learnt from"
    python benchmarks/forecast.py table
    python benchmarks/forecast.py check RUN

``record`` keeps the curve of a run with ``--metric kid``, as far as it is, in measured/curves.
``table`` writes facegan/recipes/known_curves.json from these records, from the recipes in
measured/side_by_side, and from the numbers of docs/results in DOCUMENTED. ``check`` compares a run that is no
part of the table with the band of those that are. Without a command, the table is printed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from facegan.recipes.curves import known_curve, known_runs
from facegan.recipes.table import RECIPES
from facegan.runs.record import RunRecord, read_record

HERE = Path(__file__).resolve().parent
RECORDS = HERE / "measured" / "curves"
SIDE_BY_SIDE = HERE / "measured" / "side_by_side"
TABLE = HERE.parent / "facegan" / "recipes" / "known_curves.json"
MEASURES = {"kid": "kid_real", "quality": "quality_floor"}  # in a run's stats.jsonl, with their floors
CELEBA = "7,981 aligned photos of CelebA at 64 px"

# Rows whose only record is a sentence of docs/results.
DOCUMENTED: list[dict[str, Any]] = [
    {
        "recipe": "faces-dcgan-64",
        "measure": measure,
        "features": "faces",
        "data": "09fda27dd5598270",
        "floor": floor,
        "kimg": 260,
        "seed": 0,
        "against": "5,000 samples against the 500 pictures of test",
        "source": "docs/results/README.md",
        "points": [[260, value]],
    }
    for measure, value, floor in (("kid", 0.055, -0.001), ("fid", 54.2, 21.8))
]


def record_of(run: RunRecord, data: str) -> dict[str, Any]:
    """Return what is kept of a run."""
    c = run.config
    curves = {m: {"points": run.curve(m), "floor": run.last(floor)} for m, floor in MEASURES.items()}
    return {
        "recipe": c["recipe"],
        "seed": c["seed"],
        "kimg": c["kimg"],
        "command": c["command"],
        "facegan": c["facegan"],
        "dataset": {
            "data": data,
            "content_hash": c["dataset"]["content_hash"],
            "pictures": c["dataset"]["count"],
        },
        "features": c["metric_features"],
        "samples": {"kid": c["metric_count"], "quality": c["quality_count"]},
        "seconds": run.last("seconds"),
        "curves": curves,
    }


def record(args: argparse.Namespace) -> int:
    run = read_record(args.run)
    if not run.curve("kid"):
        raise SystemExit(f"forecast: {args.run} was not measured with --metric kid")
    RECORDS.mkdir(exist_ok=True)
    file = RECORDS / f"{run.config['recipe']}-seed{run.config['seed']}.json"
    file.write_text(json.dumps(record_of(run, args.data), indent=1) + "\n")
    print(file)
    return 0


def rows_of_record(file: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the rows of a record in measured/curves, and its dataset."""
    found = json.loads(file.read_text())
    data = found["dataset"]
    rows = [
        {
            "recipe": found["recipe"],
            "measure": measure,
            "features": found["features"] if measure == "kid" else "",
            "data": data["content_hash"][:16],
            "floor": float(f"{curve['floor']:.4g}"),
            "kimg": found["kimg"],
            "seed": found["seed"],
            "against": f"{found['samples'][measure]:,} samples against pictures held out (val)",
            "source": str(file.relative_to(HERE.parent)),
            "points": [[kimg, float(f"{value:.4g}")] for kimg, value in curve["points"]],
        }
        for measure, curve in found["curves"].items()
    ]
    return rows, data


def rows_of_trial(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a recipe's record in measured/side_by_side, whose best way of sampling counts."""
    found = json.loads(file.read_text())
    marks = [(m["images"] / 1000, m["samples"], m["ways"][m["best"]]) for m in found["marks"].values()]
    settings = dict(word.split("=") for word in found["settings"].split() if "=" in word)
    return [
        {
            "recipe": found["name"],
            "measure": measure,
            "features": "faces",
            "data": found["dataset"][:16],
            "floor": float(f"{marks[-1][2][f'{measure}_faces_real']:.4g}"),
            "kimg": float(settings.get("kimg", RECIPES[found["name"]].config.kimg)),
            "seed": found["seed"],
            "against": f"{marks[-1][1]:,} samples against the 500 pictures of test",
            "source": str(file.relative_to(HERE.parent)),
            "points": [[kimg, float(f"{way[f'{measure}_faces']:.4g}")] for kimg, _, way in marks],
        }
        for measure in ("kid", "fid")
    ]


def whole_table() -> dict[str, Any]:
    """Return the content of known_curves.json."""
    trials = [file for file in sorted(SIDE_BY_SIDE.glob("*.json")) if file.name.split("-seed")[0] in RECIPES]
    celeba = json.loads(trials[0].read_text())
    datasets = {
        celeba["dataset"][:16]: {
            "data": CELEBA,
            "content_hash": celeba["dataset"],
            "pictures": celeba["count"],
        }
    }
    rows = [row for file in trials for row in rows_of_trial(file)] + DOCUMENTED
    for file in sorted(RECORDS.glob("*.json")):
        more, data = rows_of_record(file)
        datasets[data["content_hash"][:16]] = data
        rows += more
    return {"datasets": datasets, "runs": rows}


def table(args: argparse.Namespace) -> int:
    content = whole_table()
    lines = ",\n".join(f"  {json.dumps(row)}" for row in content["runs"])
    datasets = json.dumps(content["datasets"], indent=1).replace("\n", "\n ")
    TABLE.write_text(f'{{\n "datasets": {datasets},\n "runs": [\n{lines}\n ]\n}}\n')
    print(f"{TABLE}: {len(content['runs'])} rows")
    return 0


def show(args: argparse.Namespace) -> int:
    """Print the first and the last measurement of every run in the table."""
    for run in known_runs():
        (first, begin), (last, end) = run.points[0], run.points[-1]
        name = f"{run.recipe:16} seed {run.seed}  {run.measure:8}"
        print(f"{name} {begin:8.4g} to {end:8.4g}  {first:6.4g} to {last:.4g} kimg  {run.data}")
    return 0


def check(args: argparse.Namespace) -> int:
    """Print each measurement of a run beside the forecast, and how far off that was."""
    run = read_record(args.run)
    for measure in MEASURES:
        curve = known_curve(str(run.config["recipe"]), measure)
        if curve is None:
            continue
        inside: list[bool] = []
        factors: list[float] = []
        for kimg, value in run.curve(measure):
            found = curve.at(kimg)
            if found is None or min(value, found.value) <= 0:
                continue
            band = ""
            if found.low is not None and found.high is not None:
                inside.append(found.low <= value <= found.high)
                band = f" ({found.low:.4g} to {found.high:.4g})"
            factors.append(value / found.value)
            print(f"{measure:8} {kimg:8.1f} kimg  forecast {found.value:8.4g}{band}  was {value:8.4g}")
        off = sorted(max(f, 1 / f) for f in factors)
        if off:
            print(
                f"{measure}: off by a factor of {off[len(off) // 2]:.2f} (median), {off[-1]:.2f} at most",
                end="",
            )
            print(f"; {sum(inside)} of {len(inside)} within the band" if inside else "")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers()
    parser.set_defaults(function=show)
    for function, arguments in ((record, ("run", "data")), (table, ()), (check, ("run",))):
        one = commands.add_parser(function.__name__)
        one.set_defaults(function=function)
        for name in arguments:
            one.add_argument(name)
    args = parser.parse_args()
    result: int = args.function(args)
    return result


if __name__ == "__main__":
    raise SystemExit(main())
