"""Small functions that robots import."""
