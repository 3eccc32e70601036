"""`python -m precis` is `precis`."""

from .cli import main

main()
