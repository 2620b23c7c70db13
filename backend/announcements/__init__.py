"""What the operator tells everybody."""
