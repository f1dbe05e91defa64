"""Triplets from a user's own queries, written by a language model."""
