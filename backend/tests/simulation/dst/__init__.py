"""Deterministic simulation of the whole system: seeds in, violated invariants out."""
