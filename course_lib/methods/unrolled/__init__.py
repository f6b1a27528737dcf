"""Review, section 2.5: optimisation algorithms, unrolled."""
