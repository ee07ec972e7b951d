"""Loading a detector safely; its blocks, its layers and how they are addressed. Knows Ultralytics."""
