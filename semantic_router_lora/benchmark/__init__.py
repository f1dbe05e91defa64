"""Measuring whether an adapter helps."""
