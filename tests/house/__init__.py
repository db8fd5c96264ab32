"""What the style demands, checked."""
