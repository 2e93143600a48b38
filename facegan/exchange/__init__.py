"""Models from elsewhere in, and models out: ``facegan.import_model``, and the table FORMATS of readers."""
