"""Bars and funding: reading files, checking them, the store, resampling, downloading, synthetic markets."""
