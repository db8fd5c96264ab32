"""Tests of the pure core: values in, decisions out."""
