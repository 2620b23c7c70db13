"""`python -m benchmarks.orders`."""

from benchmarks.orders import main

main()
