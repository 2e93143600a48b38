"""Every recipe at a fraction of its width: as quick as its structure allows, for tests of what all share."""

from facegan.recipes.config import check, override
from facegan.recipes.table import recipe

WIDTHS = {
    "vanilla": {"width": 0.25},
    "dcgan": {"width": 0.25},
    "fast": {"widths": [16, 8, 8, 8]},
    "progan": {"channel_base": 128, "channel_max": 16},
    "stylegan2": {"channel_base": 128, "channel_max": 16},
    "r3gan": {"group_size": 1, "blocks": [1]},
}
MORE = {
    "fast": {"discriminator.projected_width": 8},
    "stylegan2": {"generator.w_dim": 16},
    "progan": {"generator.stage_kimg": 0.002, "generator.fade_kimg": 0.005},
}


def reductions(name):
    """Changes by name that make a recipe's networks narrow and its batches 4."""
    config = recipe(name)
    found = {"batch": 4, **MORE.get(config.family, {})}
    for key, value in WIDTHS[config.family].items():
        found |= {f"{side}.{key}": value for side in ("generator", "discriminator")}
    if config.family == "r3gan":
        from facegan.families.r3gan.config import default_widths

        widths = [8] * len(default_widths(config.size))
        found |= {"generator.widths": widths, "discriminator.widths": widths}
    if not config.size:  # for pictures of any size
        found["size"] = 40
    if config.latent.dim > 128:
        found["latent.dim"] = 16
    if config.g_batch:
        found["g_batch"] = 8
    return found


def reduced(name, **changes):
    """The recipe's configuration with narrow networks and batches of 4."""
    return check(override(recipe(name), {**reductions(name), **changes}))
