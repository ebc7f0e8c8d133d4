"""Receptive fields: the input elements that an element of a result reads, followed axis by axis."""
