"""Ocean Optics spectrometers behind one port; usable from a notebook, knows nothing of the daemon."""
