AUGMENT_NAMES: tuple[str, ...] = ("ada",)
AUGMENTS: dict = {}
