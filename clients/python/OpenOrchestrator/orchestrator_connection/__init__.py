"""The connection that robots work with."""
