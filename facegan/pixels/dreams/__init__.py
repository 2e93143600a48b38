"""DeepDream, flights into dreams, and feature visualisation."""
