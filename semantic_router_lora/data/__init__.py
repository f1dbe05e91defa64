"""Triplets: reading files of them and checking what they hold."""
