"""What the paper published, and what is known of the effect of each setting."""
