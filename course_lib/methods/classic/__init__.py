"""Review, section 1.1: reconstruction without learning."""
