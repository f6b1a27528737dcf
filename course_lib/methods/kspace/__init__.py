"""Review, section 2.2: from k-space to k-space."""
