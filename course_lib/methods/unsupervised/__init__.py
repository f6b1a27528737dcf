"""Review, section 3: learning without a truth."""
