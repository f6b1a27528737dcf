"""Review, section 2.1: from image to image."""
