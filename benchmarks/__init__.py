"""Our operators and solvers against their peers: `python -m benchmarks [ROW ...] [--quick] [--device cuda]`."""
