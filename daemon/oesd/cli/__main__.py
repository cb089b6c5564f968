"""``python -m oesd.cli``: the command without its script."""

from oesd.cli import main

main()
