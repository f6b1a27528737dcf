"""Review, section 2.4: in both domains."""
