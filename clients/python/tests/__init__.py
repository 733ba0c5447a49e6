"""Tests of the package. They need nothing but the standard library."""
