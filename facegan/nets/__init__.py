"""Networks that see attributes in pictures."""
