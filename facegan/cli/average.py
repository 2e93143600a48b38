"""``facegan average``: averages of other lengths of a run's weights, and which is best."""

from __future__ import annotations

from typing import Annotated

import tyro


def main(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    dataset: str = "",
    *,
    widths: str = "0.02,0.04,0.06,0.08,0.1,0.13,0.17,0.21,0.25",
    metric: str = "",
    count: int = 0,
    out: str = "",
    device: str = "cpu",
) -> None:
    """Find the best length of the average of a run's weights, after training, and write that model.

    It is made of the models that the run has kept; nothing is trained.

    Args:
        run: a run folder of 'facegan train' with three or more models, of any recipe.
        dataset: the run's dataset, if it lies elsewhere now.
        widths: lengths to try: the standard deviations of an average's weights over time, as shares of the
            run, separated by commas.
        metric: what ranks them, on held-out pictures; '' is the run's own, else kid.
        count: pictures that the metric takes; 0 is the run's number.
        out: the model file, a .safetensors; '' is RUN@average, a file in the run folder.
        device: cpu, cuda or mps.
    """
    from facegan.arguments import parse_numbers
    from facegan.training.averages import average

    found = average(
        run,
        dataset,
        widths=parse_numbers("--widths", widths),
        metric=metric,
        count=count,
        out=out,
        device=device,
    )
    name = found.file if out else f"{run}@average"
    print(f"{found}\n{found.rows[0].name} -> {found.file}\nnext: facegan generate {name} --count 25")
