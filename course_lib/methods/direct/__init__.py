"""Review, section 2.3: from k-space to image at once."""
