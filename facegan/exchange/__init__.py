"""Models of other programs in, and models out: ``import_model`` and its table FORMATS, ``export_model``."""
