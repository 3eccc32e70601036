"""What optimizing against a proxy buys: best of n, over-optimization and when to stop, collapse, scaling."""
