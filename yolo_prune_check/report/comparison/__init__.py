"""What the axes of a matrix change: its scenarios side by side, seeds summed up."""
