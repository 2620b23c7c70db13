"""`python -m bizzan.cli`: the same as the program `bizzan`."""

from bizzan.cli.app import main

main()
