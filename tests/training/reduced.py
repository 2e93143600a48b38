"""Every recipe at a fraction of its width: as quick as its structure allows, for tests of what all share."""

from facegan.recipes import recipe
from facegan.training.config import check, override

WIDTHS = {
    "vanilla": {"width": 0.25},
    "dcgan": {"width": 0.25},
    "progan": {"channel_base": 128, "channel_max": 16},
    "stylegan2": {"channel_base": 128, "channel_max": 16},
    "r3gan": {"widths": None, "group_size": 1, "blocks": (1,)},
}
MORE = {
    "stylegan2": {"generator.w_dim": 16},
    "progan": {"generator.stage_kimg": 0.004, "generator.fade_kimg": 0.008},
}


def reduced(name, **changes):
    """The recipe's configuration with narrow networks and batches of 4."""
    config = recipe(name)
    found = {"batch": 4, **MORE.get(config.family, {})}
    for key, value in WIDTHS[config.family].items():
        if key == "widths":
            value = tuple([8] * len(config.model.generator.widths or _stages(config)))
        found |= {f"{side}.{key}": value for side in ("generator", "discriminator")}
    if config.latent.dim > 128:
        found["latent.dim"] = 16
    if config.g_batch:
        found["g_batch"] = 8
    return check(override(config, {**found, **changes}))


def _stages(config):
    from facegan.families.r3gan import default_widths

    return default_widths(config.size)
